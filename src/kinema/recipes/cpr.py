"""CPR's recipe: its presets, and its schedule of phases.

The schedule (Wu et al. 2022, sect. 4.1): InfoNCE on each view first; then one view is frozen and guides the mining for
the other, by turns. Training both views once by mining is one cycle, two turns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.core.vocabulary import Contrast, EncoderEntry
from kinema.data.clips.transforms import TransformConfig
from kinema.data.video.manifest import Manifest
from kinema.data.video.motion import exports_motion
from kinema.methods import CPRBankConfig, CPRConfig, MoCoConfig
from kinema.networks import EncoderConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.following import bank_followed, cascade_followed
from kinema.recipes.plan import Plan, Schedule
from kinema.recipes.sizes import INFONCE_DROPS, QUEUE, coclr_plan, paper_clips, small_plan
from kinema.training.settings import OptimiserConfig, Phase


def small() -> Plan:
    """CPR for two CPU cores; see :func:`kinema.recipes.sizes.small_plan`."""
    return small_plan(CPRConfig(), **QUEUE)


def paper() -> Plan:
    """The setting of the paper on UCF101: K = 2048, n = 7, r = .5, k = 5; 300 epochs a view, then 4 turns of 100.

    Needs a GPU; not run here.
    """
    config = replace(CPRConfig(), stages=7, keep=0.5, k=5, queue=2048, momentum=0.999, own_key="numerator")
    schedule = Schedule(
        infonce=0.75,
        infonce_negatives_from="queue",
        turns=4,
        infonce_drops=INFONCE_DROPS,
        infonce_siblings="negatives",
    )
    return replace(coclr_plan(config, epochs=400, drops=(80,)), schedule=schedule)


def small_bank() -> Plan:
    """The cascade on memory banks for two CPU cores."""
    return small_plan(CPRBankConfig())


def paper_bank() -> Plan:
    """The cascade on memory banks in the setting of IIC on UCF101: R3D-18, 16 frames of 112 pixels, 240 epochs of SGD.

    Needs a GPU; not run here.
    """
    return Plan(
        CPRBankConfig(sizes=(1000, 100, 3)),
        epochs=240,
        optimiser=OptimiserConfig(
            "sgd", lr=0.01, weight_decay=1e-4, schedule="steps", drops=(90, 160), warmup_epochs=0
        ),
        data=paper_clips(
            ClipSpec(frames=16, stride=1, size=112, short_side=128),
            transform=TransformConfig(crop=0.875, flip=0.0, jitter_p=0.0, grey_p=0.0, blur_p=0.0),
        ),
        encoder=EncoderConfig("r3d18"),
        batch_size=16,
        precision="16-mixed",
    )


def phases(plan: Plan) -> tuple[Phase, ...]:
    """InfoNCE on each view, then the turns of mining.

    Raises:
        ConfigError: too few epochs for both, or a base that does not fit.
    """
    cpr: Any = plan.method
    first = round(plan.epochs * plan.schedule.infonce)
    if first < 1 or plan.epochs - first < 1:
        raise ConfigError(
            f"epochs is {plan.epochs} and schedule.infonce {plan.schedule.infonce}, which leaves "
            f"{first} epochs of InfoNCE and {plan.epochs - first} of mining.",
            "CPR needs at least one epoch of each: set epochs to 2 or more.",
        )
    found, drops = [], plan.schedule.infonce_drops
    optimiser = replace(plan.optimiser, drops=drops) if drops else plan.optimiser
    guided = first if plan.schedule.guide is None else max(1, round(plan.epochs * plan.schedule.guide))
    for view, base, epochs in ((cpr.view, _base(plan), first), (cpr.guide, None, guided)):
        name = f"infonce-{view}" if base is None else f"{_name(base)}-{view}"
        method = plan.whole(base or infonce_of(cpr, view, plan.schedule))
        found.append(Phase(name, method, epochs, optimiser))
    latest = {view: phase.name for view, phase in zip((cpr.view, cpr.guide), found, strict=True)}
    for turn in range(plan.schedule.turns):
        view, guide = (cpr.view, cpr.guide) if turn % 2 == 0 else (cpr.guide, cpr.view)
        name = f"cpr-{view}" if plan.schedule.turns <= 2 else f"cpr-{view}-{turn // 2 + 1}"
        found += _turn(plan, replace(cpr, view=view, guide=guide), name, plan.epochs - first, latest, {view})
        latest[view] = found[-1].name
    return tuple(found)


def bank_phases(plan: Plan) -> tuple[Phase, ...]:
    """One phase, or one for each k of progressive training, in which both views inherit."""
    if not plan.schedule.progressive:
        return plan.one_phase()
    method: Any = plan.method
    return _turn(plan, method, f"cpr-bank-{plan.view}", plan.epochs, {}, {method.view, method.guide})


def _turn(
    plan: Plan, method: Any, name: str, epochs: int, start: dict[str, str], inherit: set[str]
) -> tuple[Phase, ...]:
    """One turn: a phase, or one for each k of progressive training, each starting ``inherit`` from the one before."""
    ks = plan.schedule.progressive
    extra = getattr(plan.base, "disturbances", ()) if method.view == plan.view else ()
    if not ks:
        return (Phase(name, plan.whole(method), epochs, plan.optimiser, dict(start), extra),)
    if epochs < len(ks):
        raise ConfigError(f"schedule.progressive has {len(ks)} steps for a turn of {epochs} epochs.")
    found: list[Phase] = []
    for number, k in enumerate(ks):
        part = epochs * (number + 1) // len(ks) - epochs * number // len(ks)
        before = {view: found[-1].name for view in (method.view, method.guide) if view in inherit} if found else {}
        whole = plan.whole(replace(method, k=k))
        found.append(Phase(f"{name}-k{k}", whole, part, plan.optimiser, {**start, **before}, extra))
    return tuple(found)


def _base(plan: Plan) -> MethodConfig | None:
    """The base, if it fits: CPR continues with what it learns."""
    base: Any = plan.base
    if base is None:
        return None
    for name in ("view", "head"):
        if getattr(base, name, None) != getattr(plan.method, name):
            raise ConfigError(
                f"The base has the {name} {getattr(base, name, None)}, and CPR the {name} "
                f"{getattr(plan.method, name)}.",
                "CPR goes on with the network that its base has learnt: give both the same.",
            )
    return plan.base


def _name(config: MethodConfig) -> str:
    from kinema.recipes.table import method_name

    return method_name(config)


def infonce_of(cpr: Any, view: str, schedule: Schedule) -> MoCoConfig:
    """The InfoNCE that prepares a view for CPR: the same queue, temperature, momentum and head."""
    shared = {"queue": cpr.queue, "temperature": cpr.temperature, "momentum": cpr.momentum, "head": cpr.head}
    shared["own_among"] = cpr.own_among
    return MoCoConfig(
        view, negatives_from=schedule.infonce_negatives_from, siblings=schedule.infonce_siblings, **shared
    )


def guided_by_what_is_there(plan: Plan, manifest: Manifest) -> tuple[Plan, str]:
    """A plan whose guide is the residual where a codec exports no motion vectors, and the sentence that says so."""
    method: Any = plan.method
    silent = sorted({v.codec for v in manifest.videos if not exports_motion(v.codec)})
    if method.guide != "motion" or not silent:
        return plan, ""
    note = f"Motion vectors cannot be read from {', '.join(silent)}. The differences between frames (the "
    note += "residual) are used instead to find clips that are alike."
    return replace(plan, method=replace(method, guide="residual")), note


def reported(config: Any) -> str:
    """What tables call the encoder: 'coclr' with one stage."""
    return "coclr" if len(config.resolved_sizes()) == 1 else "cpr"


CPR = MethodEntry(
    CPRConfig,
    "Wu et al. 2022, arXiv 2201.07989",
    VIDEO,
    "InfoNCE on two views, then further positives mined by a cascade over both (stages=1 is CoCLR)",
    "CPR",
    {"small": small, "paper": paper},
    base=False,
    beside=False,
    takes_base=True,
    phases=phases,
    scheduled=True,
    adapt=guided_by_what_is_there,
    follow=cascade_followed,
    reported=reported,
    aliases={"coclr": EncoderEntry("CPR, 1 stage (CoCLR)", "CoCLR", method="cpr", priority=1, settings=("guide",))},
    priority=2,
    settings=("stages", "guide"),
    contrast=Contrast("coclr", "Against one stage of mining (CoCLR, {}), the cascade is"),
)
CPR_BANK = MethodEntry(
    CPRBankConfig,
    "Wu et al. 2022, arXiv 2201.07989 (the IIC form, a reconstruction)",
    VIDEO,
    "the cascade on memory banks of all videos, both views from scratch",
    "CPR with memory banks",
    {"small": small_bank, "paper": paper_bank},
    short="CPR bank",
    base=False,
    beside=False,
    phases=bank_phases,
    scheduled=True,
    follow=bank_followed,
    settings=("stages", "guide"),
)

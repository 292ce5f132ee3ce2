"""The recipe of activity segmentation: TOT and ASOT, one phase an activity."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kinema.core.errors import ConfigError, DataError
from kinema.data.sequences.config import SequencesConfig
from kinema.methods.tot import ALL, ASOTSettings, TOTConfig, TOTSettings, own_network
from kinema.networks.sequence import MLPConfig
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.training.settings import OptimiserConfig, Phase

log = logging.getLogger(__name__)

ADAM = OptimiserConfig("adam", lr=1e-3, weight_decay=1e-4, schedule="constant", warmup_epochs=0)
"""The optimiser of both papers."""

BATCHES = 50
"""Batches of an epoch, at least, where the repeats are left to the data."""

BREAKFAST: Mapping[str, int] = {
    "coffee": 7,
    "cereals": 5,
    "tea": 7,
    "milk": 5,
    "juice": 8,
    "sandwich": 9,
    "scrambledegg": 12,
    "friedegg": 9,
    "salat": 8,
    "pancake": 14,
}
YTI: Mapping[str, int] = {"changing_tire": 11, "coffee": 10, "cpr": 7, "jump_car": 12, "repot": 8}
"""Steps of the activities."""


def small_tot() -> Plan:
    """Any activity, on two CPU cores: some 3,000 batches of two videos; the number of steps must be said.

    The prototypes rest for the first tenth, where the paper has 4,000 steps of many more.
    """
    return _plan(TOTConfig(tot=TOTSettings(freeze_steps=None)), epochs=60, repeats=0)


def breakfast() -> Plan:
    """Breakfast as the papers have it: 64 features, d = 40, a model an activity with its own K.

    In the form 'asot' 15 epochs are the paper's: ``--epochs 15``. Not run here: the data set is not at hand.
    """
    asot = ASOTSettings(rho=0.2, balance=0.1, radius=0.04, alpha=0.4, eval_alpha=0.7)
    return _plan(TOTConfig(activities=BREAKFAST, asot=asot), epochs=400)


def salads_mid() -> Plan:
    """50 Salads at its mid level, K = 19, d = 30, features as they are. Not run here."""
    config = TOTConfig(clusters=19, asot=ASOTSettings(balance=0.15))
    return _plan(config, epochs=400, encoder=MLPConfig(dim=30), normalize="none")


def salads_eval() -> Plan:
    """50 Salads at its eval level, K = 12, d = 30, features as they are. Not run here."""
    config = TOTConfig(clusters=12, asot=ASOTSettings(balance=0.11))
    return _plan(config, epochs=400, encoder=MLPConfig(dim=30), normalize="none")


def yti() -> Plan:
    """YouTube Instructions: 3,000 features as they are, d = 200 in TOT; 45 % of the frames are background.

    Not run here. The authors of ASOT have layers of 32 and 32: ``--encoder.hidden 32 --encoder.dim 32``.
    """
    config = TOTConfig(
        activities=YTI, tot=TOTSettings(background=0.45), asot=ASOTSettings(rho=0.15, balance=0.12, radius=0.04)
    )
    return _plan(config, epochs=400, encoder=MLPConfig(dim=200), normalize="none")


def desktop_assembly() -> Plan:
    """Desktop Assembly: 512 features, d = 30, K = 22, the rate 1e-2. Not run here."""
    config = TOTConfig(clusters=22, asot=ASOTSettings(rho=0.25, balance=0.16, radius=0.02))
    plan = _plan(config, epochs=400, encoder=MLPConfig(dim=30), normalize="none")
    return replace(plan, optimiser=replace(ADAM, lr=1e-2))


def _plan(
    config: TOTConfig, *, epochs: int, encoder: MLPConfig | None = None, repeats: int = 1, normalize: Any = "video"
) -> Plan:
    return Plan(
        config,
        epochs=epochs,
        optimiser=ADAM,
        data=SequencesConfig(normalize=normalize, repeats=repeats),
        encoder=encoder or MLPConfig(),
        batch_size=2,
        collapse_rank=0.0,  # the method watches its clusters, and TOT's features share a direction from the start
    )


def fit(plan: Plan, table: Any) -> Plan:
    """The plan with what only the data know: widths, activities, repeats, and the steps in which prototypes rest.

    Raises:
        DataError: an activity has more steps than its longest video has frames, or there is no video of it.
        ConfigError: it is not known how many steps an activity has.
    """
    config, data, rows = plan.method, plan.data, [row for row in table.rows if row.health == "ok"]
    assert isinstance(config, TOTConfig)
    assert isinstance(data, SequencesConfig)
    if not rows:
        return plan
    encoder = own_network(plan.encoder, config.form)
    encoder = encoder if encoder.features else replace(encoder, features=rows[0].width)
    there = _learnt(config, rows)
    known = {name: config.activities.get(name, config.clusters) for name in there}
    _check_known(known, config)
    single = there == [ALL] or (len(there) == 1 and table.activity_from == "none")
    config = replace(config, activity="", activities={} if single else known, clusters=known[there[0]] if single else 0)
    for name, steps in (config.activities or {"": config.clusters}).items():
        longest = max(row.frames for row in rows if name in ("", row.activity))
        if steps > longest:
            what = f" of '{name}'" if name else ""
            raise DataError(
                f"{steps} steps are to be found, and the longest video{what} has {longest} frames.",
                "Set method.clusters lower, or take features of more frames a second.",
            )
    fewest = min(sum(name in ("", row.activity) for row in rows) for name in config.activities or [""])
    if data.repeats == 0:
        data = replace(data, repeats=max(1, math.ceil(BATCHES * plan.batch_size / fewest)))
    steps = plan.epochs * math.ceil(fewest * data.repeats / plan.batch_size)
    return replace(plan, method=_rested(config, steps), data=data, encoder=encoder)


def _learnt(config: TOTConfig, rows: Sequence[Any]) -> list[str]:
    """The activities that are learnt: the one that is set, or all."""
    there = sorted({row.activity for row in rows})
    if config.activity and config.activity not in there:
        raise DataError(
            f"None of the {len(rows)} sequences is of the activity '{config.activity}'.",
            f"There are: {', '.join(there)}.",
        )
    missing = sorted(config.activities.keys() - set(there)) if config.activities not in (BREAKFAST, YTI) else []
    if missing and not config.activity:
        log.warning(
            "method.activities has the steps of %s, and no sequence is of it; there are: %s.",
            ", ".join(map(repr, missing)),
            ", ".join(there),
        )
    return [config.activity] if config.activity else there


def _rested(config: TOTConfig, steps: int) -> TOTConfig:
    """The settings with the steps in which prototypes rest, of the activity that has the fewest steps."""
    rest = steps // 10 if config.tot.freeze_steps is None else config.tot.freeze_steps
    if config.form == "tot" and rest >= steps and config.tot.clusters_weight:
        log.warning(
            "The prototypes rest for %d steps, and the run has %d for an activity: they are never learnt. Set "
            "method.tot.freeze_steps lower, or train for more epochs.",
            rest,
            steps,
        )
    return replace(config, tot=replace(config.tot, freeze_steps=rest))


def _check_known(known: Mapping[str, int], config: TOTConfig) -> None:
    unknown = [name for name, steps in known.items() if steps < 1]
    if unknown:
        of = f" of {', '.join(repr(name) for name in unknown[:5])}" if unknown != [ALL] else ""
        each = f", or --method.activities '{{{unknown[0]}: 7}}' for each by itself" if unknown != [ALL] else ""
        also = f", or take only {', '.join(config.activities)} by --where activity=…" if config.activities else ""
        raise ConfigError(
            f"It is not known how many steps the activity{of} has.",
            f"Say so: --method.clusters 7{each}{also}.",
        )


def phases(plan: Plan) -> tuple[Phase, ...]:
    """A phase an activity, one after the other; one of all videos where no activity is named."""
    config = plan.method
    assert isinstance(config, TOTConfig)
    each = [config.of(name) for name in config.activities] or [config]
    return tuple(Phase(f"{one.form}-{one.view}", one, plan.epochs, plan.optimiser) for one in each)


TOT = MethodEntry(
    TOTConfig,
    "Kumar et al. 2022, arXiv 2105.13353; Xu and Gould 2024, arXiv 2404.01518",
    ("sequence",),
    "the steps of an activity, from features of frames: in one order (tot) or varying (asot)",
    "TOT",
    {
        "small": small_tot,
        "breakfast": breakfast,
        "50salads-mid": salads_mid,
        "50salads-eval": salads_eval,
        "yti": yti,
        "desktop-assembly": desktop_assembly,
    },
    base=False,
    beside=False,
    phases=phases,
    fit=fit,
    reported=lambda config: config.form,
    next_step="kinema evaluate segmentation {run} {data}",
)

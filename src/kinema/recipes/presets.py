"""Presets: functions that return a plan. A variant calls another and edits a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kinema.core.clips import ClipSpec
from kinema.core.errors import UsageError
from kinema.data.clips.transforms import Rotation, TransformConfig
from kinema.methods import (
    BEConfig,
    BERegulariserConfig,
    CMDConfig,
    CPRConfig,
    DSMConfig,
    ELoConfig,
    MoCoConfig,
    XDCConfig,
)
from kinema.networks import EncoderConfig, HeadConfig, PredictorConfig
from kinema.recipes.methods import method_entry
from kinema.recipes.plan import Plan, Schedule
from kinema.training.settings import OptimiserConfig

WITH_A_QUEUE = (MoCoConfig, BEConfig, DSMConfig)
ONE_WINDOW = (BEConfig, DSMConfig)
"""Methods whose query and key are the same window of the video."""


def small(method: str) -> Plan:
    """A slim network on clips of 8 frames of 64 pixels: made for two CPU cores and sets of a thousand short videos.

    Such a run has hundreds of steps where the papers have a hundred thousand, so it differs from their settings: the
    head has BatchNorm, without which the projections hardly spread in so few steps; batches are small, for more steps;
    the negatives of InfoNCE are the batch's keys, because a network that moves so fast tells the queue's by their age,
    and the key network follows within two steps, for a later one keeps InfoNCE from starting. Colours are changed more,
    because a place and clothes are learnt sooner than a motion, and nothing is blurred, because 64 pixels hold little
    to spare. A clip spans a second, as the papers' 32 frames do: half of that is too little of a motion to know it by.
    CMD's motion clips are half as large and its guiding networks slim, so that a step costs not much
    more than one of SimCLR; its temperature of context matching falls from .4 to .1, which may help it to start.
    ELo has one modality beside its view, the motion.
    XDC has 32 clusters, some thirty videos each, and its network for sound is slim.
    """
    config: Any = method_entry(method).config()
    brief: dict[str, Any] = {"head": HeadConfig(norm=True), "temperature": 0.1}
    if isinstance(config, (*WITH_A_QUEUE, CPRConfig)):
        brief |= {"queue": 512, "momentum": 0.5}
    if isinstance(config, WITH_A_QUEUE):
        brief |= {"negatives_from": "batch"}
    if isinstance(config, CMDConfig):
        predictor = PredictorConfig(width=64, heads=4, encoder=1, decoder=1)
        brief |= {"grid": 4, "shrink": 2, "width": 8, "predictor": predictor, "first_temperature": 0.4}
    if isinstance(config, ELoConfig):
        brief |= {"others": ("motion",)}
    if isinstance(config, XDCConfig):
        brief |= {"clusters": 32}
    known = {name: value for name, value in brief.items() if name in type(config).__dataclass_fields__}
    return Plan(
        replace(config, **known),
        epochs=16,
        schedule=Schedule(infonce_negatives_from="batch"),
        clip=ClipSpec(frames=8, stride=4, size=64, short_side=72),
        optimiser=OptimiserConfig(lr=1.5e-3),
        transform=TransformConfig(area_min=0.5, jitter=(0.5, 0.5, 0.5, 0.5), grey_p=0.5, blur_p=0.0),
        batch_size=16,
        temporal=0.0 if isinstance(config, ONE_WINDOW) else Plan.temporal,
    )


def paper(method: str) -> Plan:
    """The setting of CoCLR and CPR on UCF101 (CPR, sect. 4.1): S3D, 32 frames of 128 pixels, 400 epochs, two cycles.

    Batch 32 (16 a GPU on two), Adam with lr 1e-3 and weight decay 1e-5, K = 2048, n = 7, r = .5, k = 5. The authors
    drop the rate at epochs 300 and 350 of 400; here every phase drops it at 3/4 and 7/8 of its length. BE, DSM and CMD
    have their own; ELo takes this one with an R(2+1)D, its authors' kind of network. Needs a GPU; not run here.
    """
    config: Any = method_entry(method).config()
    if isinstance(config, BEConfig | BERegulariserConfig | DSMConfig):
        return _scene_paper(config)
    if isinstance(config, CMDConfig):
        return _cmd_paper(config)
    if isinstance(config, XDCConfig):
        return _xdc_paper(config)
    cpr = isinstance(config, CPRConfig)
    if isinstance(config, CPRConfig):
        config = replace(config, stages=7, keep=0.5, k=5, queue=2048, momentum=0.999)
    if isinstance(config, MoCoConfig):
        config = replace(config, queue=2048, momentum=0.999, negatives_from="queue")
    drops = (75, 87) if cpr else (150, 175)
    return Plan(
        config,
        epochs=200,
        schedule=Schedule(infonce_negatives_from="queue", turns=4),
        optimiser=OptimiserConfig("adam", lr=1e-3, weight_decay=1e-5, schedule="steps", drops=drops, warmup_epochs=0),
        clip=ClipSpec(frames=32, stride=1, size=128, short_side=150),
        encoder=EncoderConfig("r2plus1d26" if isinstance(config, ELoConfig) else "s3d"),
        transform=TransformConfig(area_min=0.2, plain_second=0.5),
        batch_size=32,
        workers=8,
        cache_gib=64.0,
        precision="16-mixed",
    )


def _scene_paper(config: BEConfig | BERegulariserConfig | DSMConfig) -> Plan:
    """BE and DSM on UCF101. Their clips are long, so a video that is shorter holds its last frame.

    BE: 16 frames, every fourth, of 112 pixels, turned by up to 10°, jitter .5, .5, .25 and .5; SGD, rate .003, times .1
    at 120, 160 and 200 of 200 epochs. DSM: 32 frames, every fourth, 100 epochs; where its drops lie is not known, so as
    BE's, by their share. The network is I3D. K and the batch are CoCLR's.
    """
    dsm = isinstance(config, DSMConfig)
    if not isinstance(config, BERegulariserConfig):
        config = replace(config, queue=2048, momentum=0.999, negatives_from="queue")
    drops = (60, 80) if dsm else (120, 160, 200)
    turned = (Rotation(10.0, 0), Rotation(10.0, 1))[: 1 if isinstance(config, BERegulariserConfig) else 2]
    return Plan(
        config,
        epochs=100 if dsm else 200,
        optimiser=OptimiserConfig("sgd", lr=3e-3, weight_decay=1e-4, schedule="steps", drops=drops, warmup_epochs=0),
        clip=ClipSpec(frames=32 if dsm else 16, stride=4, size=112, short_side=128),
        encoder=EncoderConfig("i3d"),
        transform=TransformConfig(jitter=(0.5, 0.5, 0.25, 0.5), disturb=() if dsm else turned),
        batch_size=32,
        temporal=0.0,
        short_videos="repeat",
        workers=8,
        cache_gib=64.0,
        precision="16-mixed",
    )


def _cmd_paper(config: CMDConfig) -> Plan:
    """The setting of CMD on UCF101: C3D, 16 frames of 112 pixels, 120 epochs of SGD at 5e-4 a clip of the batch.

    The videos are to be encoded with a keyframe every 12 frames. Needs a GPU; not run here.
    """
    return Plan(
        replace(config, head=HeadConfig(layers=2, out=512, norm=True), predictor=PredictorConfig(dropout=0.1)),
        epochs=120,
        optimiser=OptimiserConfig(
            "sgd", lr=5e-4 * 32, weight_decay=1e-3, warmup_epochs=5, clip_norm=15.0, nesterov=True
        ),
        clip=ClipSpec(frames=16, stride=4, size=112, short_side=128),
        encoder=EncoderConfig("c3d"),
        batch_size=32,
        workers=8,
        cache_gib=64.0,
        precision="16-mixed",
    )


def _xdc_paper(config: XDCConfig) -> Plan:
    """The setting of XDC on Kinetics: R(2+1)D-18 on 8 frames of 112 pixels, ResNet-18 on 40 bands by 100 frames.

    64 clusters, found four times, SGD with a rate that drops in steps. The batch, the epochs and the rate are for one
    GPU, and a reconstruction: the paper's are for clusters of them. Needs a GPU; not run here.
    """
    return Plan(
        replace(config, every=30),
        epochs=120,
        optimiser=OptimiserConfig("sgd", lr=1e-2, weight_decay=1e-4, schedule="steps", drops=(60, 90), warmup_epochs=0),
        clip=ClipSpec(frames=8, stride=4, size=112, short_side=128),
        encoder=EncoderConfig("r2plus1d18", sound="resnet18"),
        transform=TransformConfig(area_min=0.2),
        batch_size=32,
        clips_per_video=2,
        workers=8,
        cache_gib=64.0,
        precision="16-mixed",
    )


def kinetics(method: str) -> Plan:
    """The settings in which BE, DSM and CMD were pretrained on Kinetics-400, as far as they were told.

    BE: clips of 224 pixels, K = 65,536, 50 epochs. DSM: R3D-34, 200 epochs; its K is not known and taken as BE's. CMD:
    R(2+1)D-26, which did best there; its schedule is that of UCF101. Rates drop at the same shares of the epochs. What
    else is not told is that of ``paper``, which for XDC is Kinetics' anyway. Needs a GPU; not run here.

    Raises:
        UsageError: another method, whose paper tells no setting for Kinetics-400.
    """
    plan = paper(method)
    config: Any = plan.method
    if isinstance(config, BERegulariserConfig | BEConfig):
        if isinstance(config, BEConfig):
            config = replace(config, queue=65_536)
        clip = replace(plan.clip, size=224, short_side=256)
        return replace(plan, method=config, epochs=50, clip=clip, optimiser=replace(plan.optimiser, drops=(30, 40)))
    if isinstance(config, DSMConfig):
        config, optimiser = replace(config, queue=65_536), replace(plan.optimiser, drops=(120, 160))
        return replace(plan, method=config, epochs=200, encoder=EncoderConfig("r3d34"), optimiser=optimiser)
    if isinstance(config, CMDConfig):
        return replace(plan, encoder=EncoderConfig("r2plus1d26"))
    if isinstance(config, XDCConfig):
        return plan
    raise UsageError(
        f"There is no setting of '{method}' for Kinetics-400.",
        "It is told for be, be-regulariser, dsm, cmd and xdc; for the others take --preset paper.",
    )


PRESETS: dict[str, Callable[[str], Plan]] = {"small": small, "paper": paper, "paper-kinetics": kinetics}


def preset(name: str, method: str) -> Plan:
    """The plan of that name for that method.

    Raises:
        UsageError: there is no such preset or method.
    """
    if name not in PRESETS:
        raise UsageError(f"There is no preset '{name}'.", f"Choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name](method)

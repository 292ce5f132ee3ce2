"""The recipes of BE and DSM, whose authors and settings are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinema.core.clips import ClipSpec
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.transforms import LocalWarp, Rotation, TransformConfig
from kinema.methods import BEConfig, BERegulariserConfig, DSMConfig
from kinema.networks import EncoderConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import BRIEF_QUEUE, PAPER_QUEUE, paper_clips, small_plan
from kinema.training.settings import OptimiserConfig

TURNED = (Rotation(10.0, 0), Rotation(10.0, 1))
"""BE turns both variants by up to 10°."""
JITTER = (0.5, 0.5, 0.25, 0.5)


def small_be() -> Plan:
    """BE for two CPU cores; query and key are one window of the video."""
    return small_plan(BEConfig(), temporal=0.0, **BRIEF_QUEUE)


def small_regulariser() -> Plan:
    """BE's regulariser for two CPU cores."""
    return small_plan(BERegulariserConfig())


def small_dsm() -> Plan:
    """DSM for two CPU cores; query and key are one window of the video."""
    return small_plan(DSMConfig(warp=LocalWarp(around="shifted")), temporal=0.0, **BRIEF_QUEUE)


def paper_be() -> Plan:
    """BE on UCF101: 16 frames, every fourth, of 112 pixels, turned by up to 10°, jitter .5, .5, .25 and .5.

    SGD, rate .003, times .1 at 120, 160 and 200 of 200 epochs. K and the batch are CoCLR's. A video that is shorter
    than a clip holds its last frame. Needs a GPU; not run here.
    """
    return _paper(replace(BEConfig(), **PAPER_QUEUE), _clips(16, TURNED), 200, (120, 160, 200))


def paper_regulariser() -> Plan:
    """BE's regulariser in the setting of BE."""
    return _paper(BERegulariserConfig(), _clips(16, TURNED[:1]), 200, (120, 160, 200))


def paper_dsm() -> Plan:
    """DSM on UCF101: I3D, 32 frames, every fourth, 100 epochs.

    The paper does not give the epochs of its drops; they are at BE's shares of the training. Needs a GPU; not run here.
    """
    return _paper(replace(DSMConfig(), **PAPER_QUEUE), _clips(32, ()), 100, (60, 80))


def _clips(frames: int, turned: tuple[Rotation, ...]) -> ClipsConfig:
    return paper_clips(
        ClipSpec(frames=frames, stride=4, size=112, short_side=128),
        transform=TransformConfig(jitter=JITTER, disturb=turned),
        temporal=0.0,
        short_videos="repeat",
    )


def _paper(config: Any, data: ClipsConfig, epochs: int, drops: tuple[int, ...]) -> Plan:
    return Plan(
        config,
        epochs=epochs,
        optimiser=OptimiserConfig("sgd", lr=3e-3, weight_decay=1e-4, schedule="steps", drops=drops, warmup_epochs=0),
        data=data,
        encoder=EncoderConfig("i3d"),
        batch_size=32,
        precision="16-mixed",
    )


def kinetics_be() -> Plan:
    """BE on Kinetics-400: clips of 224 pixels, K = 65,536, 50 epochs; all other settings are those of UCF101."""
    plan = _be_on_kinetics(paper_be())
    return replace(plan, method=replace(plan.method, queue=65_536))  # type: ignore[type-var]


def kinetics_regulariser() -> Plan:
    """BE's regulariser on Kinetics-400."""
    return _be_on_kinetics(paper_regulariser())


def _be_on_kinetics(plan: Plan) -> Plan:
    data: Any = plan.data
    plan = plan.with_data(clip=replace(data.clip, size=224, short_side=256))
    return replace(plan, epochs=50, optimiser=replace(plan.optimiser, drops=(30, 40)))


def kinetics_dsm() -> Plan:
    """DSM on Kinetics-400: R3D-34, 200 epochs; its K is not known and taken as BE's."""
    plan = paper_dsm()
    method: Any = replace(plan.method, queue=65_536)  # type: ignore[type-var]
    optimiser = replace(plan.optimiser, drops=(120, 160))
    return replace(plan, method=method, epochs=200, encoder=EncoderConfig("r3d34"), optimiser=optimiser)


BE = MethodEntry(
    BEConfig,
    "Wang et al. 2021, arXiv 2009.05769",
    ("rgb", "residual"),
    "a still frame is added to the clip, so that its background tells nothing; InfoNCE or triplets",
    "BE (background erasing)",
    {"small": small_be, "paper": paper_be, "paper-kinetics": kinetics_be},
    short="BE",
)
BE_REGULARISER = MethodEntry(
    BERegulariserConfig,
    "Wang et al. 2021, arXiv 2009.05769",
    ("rgb", "residual"),
    "features do not change with the still frame: a loss beside another method (--beside)",
    "BE's regulariser",
    {"small": small_regulariser, "paper": paper_regulariser, "paper-kinetics": kinetics_regulariser},
    alone=False,
    base=False,
)
DSM = MethodEntry(
    DSMConfig,
    "Wang et al. 2021, arXiv 2009.05757",
    VIDEO,
    "a positive whose scene is bent, a negative whose motion is broken; InfoNCE or triplets",
    "DSM (scene and motion apart)",
    {"small": small_dsm, "paper": paper_dsm, "paper-kinetics": kinetics_dsm},
    short="DSM",
)

"""The recipes of BE and DSM, whose authors and settings are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinema.core.clips import ClipSpec
from kinema.data.clips.transforms import RELEASED_APART, LocalWarp, TransformConfig
from kinema.methods import BEConfig, BERegulariserConfig, DSMConfig
from kinema.networks import EncoderConfig, HeadConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.following import queue_followed
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import BRIEF_QUEUE, paper_clips, small_plan
from kinema.training.settings import OptimiserConfig

RELEASED: dict[str, Any] = {
    "queue": 3_568,
    "momentum": 0.999,
    "temperature": 0.07,
    "siblings": "negatives",
    "negatives_from": "queue",
    "head": HeadConfig(layers=1),
    "apart": RELEASED_APART,
}
"""The comparison of BE's and DSM's releases on UCF101."""


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
    """BE on UCF101: I3D, 16 frames, every fourth, squares of 224 of 256 pixels, turned by up to 10°, K = 3,568.

    200 epochs of SGD at .003, times .1 at 120, 160 and 200, in batches of four, as released; K is the next smaller
    multiple of the batch to 3,569. A video that is shorter than a clip holds its last frame. Needs a GPU; not run here.
    """
    return _paper(BEConfig(), epochs=200)


def paper_dsm() -> Plan:
    """DSM on UCF101: I3D, 32 frames, every fourth, 100 epochs in which the rate does not drop; all else as BE.

    The warped clip is the query, and a warp is strongest where it shifts to, as released. The negative is the
    reconstruction; ``negative='elsewhere'`` has the released one. Needs a GPU; not run here.
    """
    return _paper(DSMConfig(warp=LocalWarp(variant=0, around="shifted")), frames=32, epochs=100)


def _paper(config: Any, *, epochs: int, frames: int = 16) -> Plan:
    """What BE's and DSM's releases have in common."""
    return Plan(
        replace(config, **RELEASED),
        epochs=epochs,
        optimiser=OptimiserConfig(
            "sgd", lr=3e-3, weight_decay=1e-4, schedule="steps", drops=(120, 160, 200), warmup_epochs=0
        ),
        data=paper_clips(
            ClipSpec(frames=frames, stride=4, size=224, short_side=256),
            transform=TransformConfig(
                crop=0.875, flip=0.0, jitter=(0.5, 0.5, 0.25, 0.5), jitter_p=1.0, grey_p=0.0, blur_p=0.0, rotation=10.0
            ),
            temporal=0.0,
            short_videos="repeat",
        ),
        encoder=EncoderConfig("i3d"),
        batch_size=4,
        precision="16-mixed",
    )


def kinetics_be() -> Plan:
    """BE on Kinetics-400: K = 65,536 and 50 epochs, so that the rate never drops, in batches of 64."""
    plan = paper_be()
    return replace(plan, method=replace(plan.method, queue=65_536), epochs=50, batch_size=64)  # type: ignore[type-var]


def kinetics_dsm() -> Plan:
    """DSM on Kinetics-400: R3D-34, 200 epochs with BE's drops, in batches of 256 and with K = 3,584, as released."""
    plan = paper_dsm()
    method: Any = replace(plan.method, queue=3_584)  # type: ignore[type-var]
    return replace(plan, method=method, epochs=200, encoder=EncoderConfig("r3d34"), batch_size=256)


BE = MethodEntry(
    BEConfig,
    "Wang et al. 2021, arXiv 2009.05769",
    ("rgb", "residual"),
    "a still frame is added to the clip, so that its background tells nothing; InfoNCE or triplets",
    "BE (background erasing)",
    {"small": small_be, "paper": paper_be, "paper-kinetics": kinetics_be},
    short="BE",
    follow=queue_followed,
)
BE_REGULARISER = MethodEntry(
    BERegulariserConfig,
    "Wang et al. 2021, arXiv 2009.05769",
    ("rgb", "residual"),
    "features do not change with the still frame: a loss beside another method (--beside)",
    "BE's regulariser",
    {"small": small_regulariser},
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
    follow=queue_followed,
)

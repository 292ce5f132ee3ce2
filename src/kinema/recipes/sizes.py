"""What presets of video have in common: a size for processors, and the papers' size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinema.core.clips import ClipSpec
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.transforms import RELEASED_APART, TransformConfig
from kinema.networks import EncoderConfig, HeadConfig
from kinema.recipes.plan import Plan, Schedule
from kinema.training.settings import OptimiserConfig

QUEUE: dict[str, Any] = {"queue": 512, "momentum": 0.5}
"""A queue and a key network of a small run."""

BRIEF_QUEUE: dict[str, Any] = {**QUEUE, "negatives_from": "batch"}
"""The same where the positive is of the batch."""

COCLR_QUEUE: dict[str, Any] = {"queue": 2048, "momentum": 0.999, "negatives_from": "queue", "siblings": "negatives"}
"""The queue of CoCLR on UCF101; other clips of a recording are negatives."""

INFONCE_DROPS = (250, 280)
"""At which of its 300 epochs CoCLR's InfoNCE drops its rate."""

OWN: dict[str, Any] = {"own_among": 3569, "apart": RELEASED_APART}
"""A clip's own negative weighs as beside BE's queue, and is a window as near as the authors' code takes it."""


def small_plan(config: Any, *, temporal: float = ClipsConfig.temporal, **settings: Any) -> Plan:
    """A slim network on clips of 8 frames of 64 pixels: made for two CPU cores and sets of a thousand short videos.

    Such a run has hundreds of steps where the papers have a hundred thousand, so it differs from their settings: the
    head has BatchNorm, without which the projections hardly spread in so few steps; batches are small, for more steps;
    the negatives of InfoNCE are the batch's keys, because a network that moves so fast recognises the queue's by their
    age, and the key network follows within two steps, for a later one keeps InfoNCE from starting. Colours change more,
    because a place and clothes are learnt sooner than a motion, and nothing is blurred, because 64 pixels hold little
    to spare. A negative of a clip's own weighs as it does beside the papers' thousands; beside fifteen others it would
    carry a third of the gradient. A clip spans a second, as the papers' 32 frames do: half of that is too little of a
    motion to know it by.

    Args:
        config: a method's settings as they are by default.
        temporal: of the clips; 0 for methods whose query and key are the same window of the video.
        **settings: fields of ``config`` that differ in a small run.
    """
    brief: dict[str, Any] = {"head": HeadConfig(norm=True), "temperature": 0.1, **OWN, **settings}
    known = {name: value for name, value in brief.items() if name in type(config).__dataclass_fields__}
    return Plan(
        replace(config, **known),
        epochs=16,
        schedule=Schedule(infonce_negatives_from="batch"),
        optimiser=OptimiserConfig(lr=1.5e-3),
        data=ClipsConfig(
            clip=ClipSpec(frames=8, stride=4, size=64, short_side=72),
            transform=TransformConfig(area_min=0.5, jitter=(0.5, 0.5, 0.5, 0.5), grey_p=0.5, blur_p=0.0),
            temporal=temporal,
        ),
        batch_size=16,
    )


def paper_clips(clip: ClipSpec, **settings: Any) -> ClipsConfig:
    """Clips of a paper's size, read by eight processes and cached up to 64 GiB."""
    return ClipsConfig(clip=clip, workers=8, cache_gib=64.0, **settings)


def coclr_plan(config: Any, *, encoder: str = "s3d", epochs: int = 300, drops: tuple[int, ...] = INFONCE_DROPS) -> Plan:
    """The setting of CoCLR's authors on UCF101: S3D, 32 frames of 128 pixels, Adam with 1e-3, 32 clips a batch.

    300 epochs of one phase, whose rate drops at 250 and 280: their InfoNCE. Half of the clips come in one window, half
    in two, and what is left plain goes by their rule (:class:`kinema.data.clips.transforms.TransformConfig`). Needs a
    GPU; not run here.
    """
    return Plan(
        config,
        epochs=epochs,
        optimiser=OptimiserConfig("adam", lr=1e-3, weight_decay=1e-5, schedule="steps", drops=drops, warmup_epochs=0),
        data=paper_clips(
            ClipSpec(frames=32, stride=1, size=128, short_side=150),
            transform=TransformConfig(area_min=0.2, plain_pairs=True),
            temporal=0.5,
        ),
        encoder=EncoderConfig(encoder),  # type: ignore[arg-type]
        batch_size=32,
        precision="16-mixed",
    )

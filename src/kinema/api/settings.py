"""The settings of a pretraining by name, typed, so that an editor completes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from kinema.core.clips import ClipSpec, SoundSpec
from kinema.core.method import MethodConfig
from kinema.data.clips.transforms import TransformConfig
from kinema.recipes.plan import Schedule
from kinema.training.settings import OptimiserConfig

Part = Mapping[str, Any]
"""A part of a plan as a mapping of what changes in it."""


class PretrainSettings(TypedDict, total=False):
    """What :func:`kinema.pretrain` takes beside its named arguments: fields of a plan, and of its data.

    A part of the plan is given whole or as a mapping of what changes in it: ``clip={"frames": 16}``.
    """

    method_settings: Part
    epochs: int
    schedule: Schedule | Part
    optimiser: OptimiserConfig | Part
    encoder: Any
    batch_size: int
    seed: int
    precision: str
    checkpoint_seconds: float
    collapse_rank: float
    weights: str
    # of clips
    clip: ClipSpec | Part
    transform: TransformConfig | Part
    clips_per_video: int
    temporal: float
    short_videos: Literal["error", "skip", "repeat"]
    failure_budget: float
    cache_gib: float
    workers: int
    sound: SoundSpec | Part
    # of documents
    tokenizer: str
    vocabulary: int
    kind: Literal["wordpiece", "bytes"]
    lowercase: bool
    min_words: int
    encoding: str
    repeats: int
    # on top of a method, by name
    transforms: Sequence[str]
    base: str | MethodConfig
    beside: Sequence[str | MethodConfig]
    beside_weights: tuple[float, ...]

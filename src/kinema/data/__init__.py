"""From files to records: scan, manifest, decoding, motion vectors, sound, clips and their sampling.

The names below are loaded when they are first used, so that reading a manifest loads neither torch nor PyAV.
No module has the name of a function here, so that importing the one never hides the other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinema.data.clips.dataset import ClipDataset, collate
    from kinema.data.clips.sampler import ClipRequest, ClipSampler, evaluation_windows
    from kinema.data.clips.store import ClipStore
    from kinema.data.layouts import apply_labels, open_data
    from kinema.data.video.audio import Audio, read_audio
    from kinema.data.video.decoding import Decoded, decode
    from kinema.data.video.hearing import with_sound
    from kinema.data.video.keyframe import keyframes, nearest_keyframe
    from kinema.data.video.manifest import Manifest, Video
    from kinema.data.video.motion import exports_motion
    from kinema.data.video.motion_file import MotionVectors, motion_vectors, write_motion
    from kinema.data.video.scanning import scan

_HOMES = {
    "Audio": "video.audio",
    "ClipDataset": "clips.dataset",
    "ClipRequest": "clips.sampler",
    "ClipSampler": "clips.sampler",
    "ClipStore": "clips.store",
    "Decoded": "video.decoding",
    "Manifest": "video.manifest",
    "MotionVectors": "video.motion_file",
    "Video": "video.manifest",
    "apply_labels": "layouts",
    "collate": "clips.dataset",
    "decode": "video.decoding",
    "evaluation_windows": "clips.sampler",
    "exports_motion": "video.motion",
    "with_sound": "video.hearing",
    "keyframes": "video.keyframe",
    "motion_vectors": "video.motion_file",
    "nearest_keyframe": "video.keyframe",
    "open_data": "layouts",
    "read_audio": "video.audio",
    "scan": "video.scanning",
    "write_motion": "video.motion_file",
}

__all__ = [
    "Audio",
    "ClipDataset",
    "ClipRequest",
    "ClipSampler",
    "ClipStore",
    "Decoded",
    "Manifest",
    "MotionVectors",
    "Video",
    "apply_labels",
    "collate",
    "decode",
    "evaluation_windows",
    "exports_motion",
    "keyframes",
    "motion_vectors",
    "nearest_keyframe",
    "open_data",
    "read_audio",
    "scan",
    "with_sound",
    "write_motion",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kinema.data' has no attribute '{name}'")
    return getattr(importlib.import_module(f"kinema.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

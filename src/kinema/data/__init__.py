"""From files to records: scan, manifest, decoding, motion vectors, sound, clips and their sampling.

The names below are loaded when they are first asked for, so that reading a manifest loads neither torch nor PyAV.
No module bears the name of a function here, so that importing the one never hides the other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinema.data.audio import Audio, read_audio
    from kinema.data.clips import ClipDataset, collate
    from kinema.data.decoding import Decoded, decode
    from kinema.data.hearing import heard
    from kinema.data.keyframe import keyframes, nearest_keyframe
    from kinema.data.layouts import apply_labels, open_data
    from kinema.data.manifest import Manifest, Video
    from kinema.data.motion import exports_motion
    from kinema.data.motion_file import MotionVectors, motion_vectors, write_motion
    from kinema.data.sampler import ClipRequest, ClipSampler, evaluation_windows
    from kinema.data.scanning import scan
    from kinema.data.store import ClipStore

_HOMES = {
    "Audio": "audio",
    "ClipDataset": "clips",
    "ClipRequest": "sampler",
    "ClipSampler": "sampler",
    "ClipStore": "store",
    "Decoded": "decoding",
    "Manifest": "manifest",
    "MotionVectors": "motion_file",
    "Video": "manifest",
    "apply_labels": "layouts",
    "collate": "clips",
    "decode": "decoding",
    "evaluation_windows": "sampler",
    "exports_motion": "motion",
    "heard": "hearing",
    "keyframes": "keyframe",
    "motion_vectors": "motion_file",
    "nearest_keyframe": "keyframe",
    "open_data": "layouts",
    "read_audio": "audio",
    "scan": "scanning",
    "write_motion": "motion_file",
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
    "heard",
    "keyframes",
    "motion_vectors",
    "nearest_keyframe",
    "open_data",
    "read_audio",
    "scan",
    "write_motion",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kinema.data' has no attribute '{name}'")
    return getattr(importlib.import_module(f"kinema.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

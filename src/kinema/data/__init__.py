"""From files to records: scan, manifest, decoding, motion vectors, sound, clips and their sampling.

The names below are loaded when they are first asked for, so that reading a manifest loads neither torch nor PyAV.
Three functions bear their module's name and are imported from there: :func:`kinema.data.scan.scan`,
:func:`kinema.data.decode.decode` and :func:`kinema.data.keyframes.keyframes`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinema.data.audio import Audio, read_audio
    from kinema.data.clips import ClipDataset, collate
    from kinema.data.decode import Decoded
    from kinema.data.keyframes import nearest_keyframe
    from kinema.data.layouts import apply_labels, open_data
    from kinema.data.manifest import Manifest, Video
    from kinema.data.motion_vectors import exports_motion
    from kinema.data.sampler import ClipRequest, ClipSampler, evaluation_windows
    from kinema.data.store import ClipStore

_HOMES = {
    "Audio": "audio",
    "ClipDataset": "clips",
    "ClipRequest": "sampler",
    "ClipSampler": "sampler",
    "ClipStore": "store",
    "Decoded": "decode",
    "Manifest": "manifest",
    "Video": "manifest",
    "apply_labels": "layouts",
    "collate": "clips",
    "evaluation_windows": "sampler",
    "exports_motion": "motion_vectors",
    "nearest_keyframe": "keyframes",
    "open_data": "layouts",
    "read_audio": "audio",
}

__all__ = [
    "Audio",
    "ClipDataset",
    "ClipRequest",
    "ClipSampler",
    "ClipStore",
    "Decoded",
    "Manifest",
    "Video",
    "apply_labels",
    "collate",
    "evaluation_windows",
    "exports_motion",
    "nearest_keyframe",
    "open_data",
    "read_audio",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kinema.data' has no attribute '{name}'")
    return getattr(importlib.import_module(f"kinema.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

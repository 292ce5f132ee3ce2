"""Learns what moves, from video that nobody labelled."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kinema.core import threads as _threads
from kinema.core.version import RELEASE

__version__ = RELEASE
_threads.prepare()  # here, for torch reads it once, when it is loaded, and every part of kinema comes after this

if TYPE_CHECKING:
    from kinema.api import evaluate, export, load, pretrain, report, scan
    from kinema.api.asking import ask
    from kinema.api.evolution import evolve
    from kinema.api.features import features
    from kinema.api.searching import cluster, dedupe, embed, search
    from kinema.api.segmenting import segment
    from kinema.core.clips import ClipSpec
    from kinema.core.errors import KinemaError
    from kinema.core.results import Result
    from kinema.data.clips.reader import Model
    from kinema.data.video.manifest import Manifest
    from kinema.estimating import dry_run

_HOMES = {
    "ClipSpec": "kinema.core.clips",
    "KinemaError": "kinema.core.errors",
    "Manifest": "kinema.data.video.manifest",
    "Model": "kinema.data.clips.reader",
    "Result": "kinema.core.results",
    "ask": "kinema.api.asking",
    "cluster": "kinema.api.searching",
    "dedupe": "kinema.api.searching",
    "dry_run": "kinema.estimating",
    "embed": "kinema.api.searching",
    "evaluate": "kinema.api",
    "evolve": "kinema.api.evolution",
    "export": "kinema.api",
    "features": "kinema.api.features",
    "load": "kinema.api",
    "pretrain": "kinema.api",
    "report": "kinema.api",
    "scan": "kinema.api",
    "search": "kinema.api.searching",
    "segment": "kinema.api.segmenting",
}

__all__ = [
    "ClipSpec",
    "KinemaError",
    "Manifest",
    "Model",
    "Result",
    "ask",
    "cluster",
    "dedupe",
    "dry_run",
    "embed",
    "evaluate",
    "evolve",
    "export",
    "features",
    "load",
    "pretrain",
    "report",
    "scan",
    "search",
    "segment",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for, so that ``import kinema`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kinema' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

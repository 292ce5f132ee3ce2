"""Learns what moves, from video that nobody labelled."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kinema.api import evaluate, export, load, pretrain, report, scan
    from kinema.api_evolve import evolve
    from kinema.api_search import cluster, dedupe, embed, search
    from kinema.core.errors import KinemaError
    from kinema.core.records import ClipSpec, Result
    from kinema.data.manifest import Manifest
    from kinema.estimating import dry_run
    from kinema.model import Model

_HOMES = {
    "ClipSpec": "kinema.core.records",
    "KinemaError": "kinema.core.errors",
    "Manifest": "kinema.data.manifest",
    "Model": "kinema.model",
    "Result": "kinema.core.records",
    "cluster": "kinema.api_search",
    "dedupe": "kinema.api_search",
    "dry_run": "kinema.estimating",
    "embed": "kinema.api_search",
    "evaluate": "kinema.api",
    "evolve": "kinema.api_evolve",
    "export": "kinema.api",
    "load": "kinema.api",
    "pretrain": "kinema.api",
    "report": "kinema.api",
    "scan": "kinema.api",
    "search": "kinema.api_search",
}

__all__ = [
    "ClipSpec",
    "KinemaError",
    "Manifest",
    "Model",
    "Result",
    "cluster",
    "dedupe",
    "dry_run",
    "embed",
    "evaluate",
    "evolve",
    "export",
    "load",
    "pretrain",
    "report",
    "scan",
    "search",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for, so that ``import kinema`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kinema' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

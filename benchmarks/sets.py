"""The data that several benchmarks share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from kinema.api.demonstration import demo_config, demo_data
from kinema.data import Manifest
from kinema.data.clips.config import ClipsConfig
from kinema.recipes.plan import Plan
from kinema.training.settings import Recipe


def clips_of(made: Plan | Recipe) -> ClipsConfig:
    """The settings of the clips that a plan or a recipe learns from."""
    assert isinstance(made.data, ClipsConfig)
    return made.data


def mocap(folder: Path, seed: int, console: Console) -> Manifest:
    """Mocap-15 as in the demonstration but with 60 training videos a class: 900, and 240 queries.

    Args:
        folder: where it is drawn, once.
        seed: of the set.
        console: where progress is shown.
    """
    return demo_data(folder, replace(demo_config(clips_per_class=60), seed=seed), console)

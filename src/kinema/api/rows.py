"""The rows that a training learns from: found in what a user names, made ready, and the meter of what it mines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kinema.api.opening import AnyData, cache_folder
from kinema.core.contracts import Table
from kinema.core.progress import Shown, Steps
from kinema.core.tables import training_rows
from kinema.evaluation import MiningMeter
from kinema.training.settings import Recipe


def opened(config: Any, data: AnyData, where: Mapping[str, str] | None) -> Any:
    """The rows that settings of data find in what a user names, and that are trained on.

    Raises:
        DataError: the place holds rows of another kind, or too few.
    """
    return training_rows(config.open(data), where, config.rows, config.scan, config.least)


def load_data(
    recipe: Recipe,
    table: Any,
    *,
    cache: str | Path | None = None,
    folder: Path | None = None,
    console: Shown = None,
    keep: bool = True,
) -> Any:
    """The rows as a recipe wants them, decoded or tokenised once.

    Args:
        recipe: says what its phases need.
        table: the rows.
        cache: where what is slow to make is kept; see :func:`cache_folder`.
        folder: the run's.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.
        keep: whether a cache is made; otherwise rows are read from the files.
    """
    with Steps(recipe.data.loading, console) as progress:
        place = cache_folder(cache) if keep else None
        loaded = recipe.data.load(table, recipe.needs, folder=folder, cache=place, progress=progress)
    recipe.encoder.fits(loaded)
    return loaded


def mining_meter(table: Table) -> MiningMeter | None:
    """The meter of what training mines, where there are labels; they are read for this measurement only."""
    labels, sources = torch.tensor(table.label_ids()), torch.tensor(table.source_ids())
    return MiningMeter(labels, sources, tuple(table.classes())) if (labels >= 0).any() else None

"""The way back to a run that was stopped: the command, what is recorded of going on, and what is said of it."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kinema.core.conditions import shown
from kinema.core.contracts import Table
from kinema.core.errors import CheckpointError, KinemaError, WorkerError
from kinema.core.processes import place
from kinema.data.layouts.opening import moved_manifest, named_data
from kinema.recipes.going_on import changes_of
from kinema.recipes.json import recipe_from_plain, recipe_to_plain
from kinema.recipes.table import METHODS
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Recipe

log = logging.getLogger(__name__)


def resume_command(
    name: str,
    data: Any,
    out: str | Path,
    *,
    where: Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    logger: str = "tensorboard",
    norms: str = "all",
    fast: Sequence[str] = (),
) -> str:
    """The command that goes on with a run, from any folder; empty where no command names its data or its method.

    The run knows its own settings, so the command has none.

    Args:
        name: the method's.
        data: as the user named it.
        out: the run's folder.
        where: which rows are trained on.
        cache: where decoded videos are kept.
        device: as it was asked for.
        logger: likewise.
        norms: likewise.
        fast: options that are on (:class:`kinema.training.fast.Fast`).
    """
    if not isinstance(data, str | Path) or name not in METHODS:
        return ""
    words = ["kinema", "pretrain", name, _absolute(data), "--out", os.path.abspath(out), "--resume"]
    words += ["--where", *shown(where)] if where else []
    words += ["--cache", os.path.abspath(cache)] if cache is not None else []
    words += ["--device", device] if device != "auto" else []
    words += ["--logger", logger] if logger != "tensorboard" else []
    words += ["--norms", norms] if norms != "all" else []
    words += fast
    words += ["--devices", str(place().local)] if place().by == "kinema" else []
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _absolute(data: str | Path) -> str:
    """Data as they are named from any folder."""
    moved = moved_manifest(data)
    if moved is not None:
        return ":".join(map(os.path.abspath, moved))
    try:
        found = named_data(data)
    except KinemaError:
        found = None
    if found is None:
        return os.path.abspath(data)
    return f"{str(data).partition(':')[0]}:{os.path.abspath(found.root)}"


def tell_way_back(error: KinemaError, command: str, recipe: Recipe) -> None:
    """Adds the command to what a person reads of a stop, where the run can go on.

    Args:
        error: what stopped it; changed.
        command: as :func:`resume_command` gave it.
        recipe: the run's.
    """
    if not error.resumable or not command:
        return
    workers = getattr(recipe.data, "workers", 0)
    fewer = f" --workers {workers // 2}" if isinstance(error, WorkerError) and workers else ""
    error.hint = f"{error.hint}\n{command}{fewer}"


def check_data(run: RunFolder, table: Table) -> None:
    """Refuses to go on with other data than the run was begun with.

    Raises:
        CheckpointError: the table's digest is another.
    """
    environment = run.read("environment.json")
    if environment.get("manifest_digest") != table.digest:
        raise CheckpointError(
            f"The data have changed since the run '{run.path}' was begun ({environment.get('videos')} rows then, "
            f"{len(table)} now, or other files, labels or sizes).",
            "Resume with the data as it was, or train into a new folder.",
        )


def record_going_on(run: RunFolder, recipe: Recipe, now: Mapping[str, Any]) -> None:
    """Records that a run goes on, and says where that may change what it comes to in the last bits.

    Args:
        run: the run, which this process holds.
        recipe: what it goes on with; recipe.json is made to say so.
        now: versions and machine, as :func:`kinema.training.run_folder.environment` gives them.
    """
    begun = run.read("environment.json")
    earlier = begun.get("resumed") or []
    last = {**begun, **(earlier[-1] if earlier else {})}
    other = {
        key: (last[key], now[key]) for key in ("device", "torch", "threads") if last.get(key, now[key]) != now[key]
    }
    if other:
        lines = ", ".join(f"{key} {before} before, {after} now" for key, (before, after) in other.items())
        log.warning(
            "The run '%s' goes on elsewhere (%s): it may differ in its last bits from one that was never stopped.",
            run.path,
            lines,
        )
    changes = changes_of(recipe_from_plain(run.read("recipe.json")), recipe)
    facts = {key: value for key, value in now.items() if key != "seed"}
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    step = {"at": at, **facts, "changed": changes, "command": sys.argv}
    run.write("environment.json", {**begun, "resumed": [*earlier, step]})
    if changes:
        run.write("recipe.json", recipe_to_plain(recipe))

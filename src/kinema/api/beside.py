"""What the other processes of a training do: they take the run as the first has begun it, and train with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kinema.api.opening import AnyData
from kinema.api.rows import load_data, mining_meter, opened
from kinema.core.errors import DataError, KinemaError, TrainingError
from kinema.core.processes import RankLostError
from kinema.recipes.json import phase_identity, recipe_from_plain
from kinema.recipes.resolve import context_of
from kinema.training.fast import Fast
from kinema.training.phase import InterruptedRunError
from kinema.training.run_folder import RunFolder
from kinema.training.team import Team
from kinema.training.trainer import Job, Trained, train


def train_beside(
    team: Team,
    data: AnyData,
    where: Mapping[str, str] | None,
    *,
    cache: str | Path | None,
    device: str,
    norms: str,
    fast: Fast,
) -> Trained:
    """Trains with the first process, which says when and what.

    Args:
        team: the processes.
        data: as for :func:`kinema.pretrain`.
        where: likewise.
        cache: likewise; the first process has filled it.
        device: likewise.
        norms: likewise.
        fast: what is compiled or computed again.

    Raises:
        DismissedError: the first process stopped before.
        DataError: this process sees other data than the first.
        KinemaError: whatever else stops it.
    """
    said = team.hear()
    run = RunFolder.open(Path(said["run"]))
    recipe = recipe_from_plain(run.read("recipe.json"))
    table, _ = recipe.data.usable(opened(recipe.data, data, where), recipe.needs)
    if table.digest != said["digest"]:
        raise DataError(
            f"Process {team.rank} of {team.size} sees other data than the first one.",
            "Name a folder that all machines share.",
        )
    loaded = load_data(recipe, table, cache=cache, folder=run.path, console=False)
    job = Job(
        recipe,
        loaded,
        run,
        context=context_of(recipe, table),
        digest=table.digest,
        meter=lambda: mining_meter(table),
        identity=lambda phase: phase_identity(recipe, phase),
        accelerator=device,
        console=False,
        logger="none",
        team=team,
        norms=norms,
        fast=fast,
    )
    try:
        return train(job)
    except KinemaError as error:
        if isinstance(error, InterruptedRunError | RankLostError | TrainingError):
            team.leave_after_first(run.path)
        raise

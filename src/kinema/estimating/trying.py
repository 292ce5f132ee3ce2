"""Tries out every phase of a pretraining on real clips, and says what the whole of it would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kinema.api.opening import AnyData, cache_folder, named
from kinema.api.pretraining import check_fast, choose
from kinema.api.rows import load_data, opened
from kinema.core.conditions import as_chosen
from kinema.core.contracts import Table
from kinema.core.devices import check_precision, chosen_device
from kinema.core.method import Method, TrainingContext
from kinema.core.progress import Shown, Steps
from kinema.core.threads import limit_message
from kinema.estimating.measuring import fill_memories
from kinema.estimating.records import Estimate, PhaseEstimate
from kinema.recipes.choice import AUTO, Choice
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import context_of, resolved
from kinema.recipes.table import method_name
from kinema.training.checkpoints import read_tower
from kinema.training.fast import Fast
from kinema.training.loggers import check_logger
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Phase, Recipe
from kinema.training.trainer import (
    build_method,
    check_memory,
    check_weights,
    phase_data,
    start_from_weights,
    tower_of,
)
from kinema.training.trial import STEPS, try_phase


def dry_run(
    method: str | Recipe | Plan,
    data: AnyData,
    out: str | Path | None = None,
    *,
    preset: str = "small",
    where: str | Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    logger: str = "tensorboard",
    compile: bool = False,
    checkpoint_activations: bool = False,
    console: Shown = None,
    **settings: Any,
) -> Estimate:
    """What :func:`kinema.pretrain` with the same arguments would take; no run, no cache and no file is written.

    The videos are scanned, or their manifest is read; then each phase makes two steps on one batch of real clips,
    read from the files. A tower that an earlier phase would have learnt is a random one, and memories are filled with
    random unit vectors, so that the steps learn. Phases of equal settings are tried once.

    Args:
        method: 'auto', a method's name, or a plan or recipe of your own.
        data: a folder of videos, a known data set as NAME:PATH, a manifest, or a manifest's file.
        out: the run's folder, which is refused where the run would be; it is not made.
        preset: the plan that a named method starts from.
        where: train only on videos with these values.
        cache: the folder of decoded videos; see :func:`kinema.api.cache_folder`.
        device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        logger: refused where the run would refuse it.
        compile: as for :func:`kinema.pretrain`; the step that is timed is compiled then.
        checkpoint_activations: likewise.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.
        **settings: as for :func:`kinema.pretrain`.

    Raises:
        KinemaError: whatever would stop the run before or in its first steps, with what to do.
    """
    check_logger(logger)
    where = as_chosen(where)
    chosen_device(device)
    fast = Fast(compile, checkpoint_activations)
    run = RunFolder(Path("run")) if out is None else RunFolder.free(Path(out))
    choice: Choice | None = None
    rows: Callable[[Any], Any] = partial(opened, data=data, where=where)
    if method == AUTO:
        choice, method, rows = choose(data, where, settings, preset, console)
    recipe = resolved(method, rows, preset, settings, console)
    check_precision(recipe.precision, device)
    check_fast(fast, device, recipe)
    table, _ = recipe.data.usable(rows(recipe.data), recipe.needs)
    context = context_of(recipe, table)
    check_weights(recipe, context)
    loaded = load_data(recipe, table, keep=False, console=console)
    for phase in recipe.phases:
        check_memory(phase, recipe, loaded)
    trying = _Trying(recipe, context, loaded, table, run, device, fast)
    with Steps("trying the phases", console) as shown:
        phases = trying.all(shown)
    cost = loaded.cost(cache_folder(cache))
    return Estimate(
        method=recipe.name,
        data=named(data),
        videos=loaded.readable,
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        phases=phases,
        cache=cost,
        rows=recipe.data.rows,
        limited=limit_message(),
        choice=choice,
    )


class _Trying:
    """Tries the phases of a recipe, one after the other.

    Args:
        recipe: the run's.
        context: what its methods may know of the videos.
        data: the rows, read from the files.
        table: the same rows as a table.
        run: the run that would be, from whose place the folders of other runs are found.
        device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        fast: what is compiled or computed again.
    """

    def __init__(
        self, recipe: Recipe, context: TrainingContext, data: Any, table: Table, run: RunFolder, device: str, fast: Fast
    ) -> None:
        self.recipe, self.context, self.data, self.table = recipe, context, data, table
        self.run, self.device, self.fast = run, device, fast

    def all(self, shown: Callable[[int, int], None]) -> tuple[PhaseEstimate, ...]:
        """Every phase; those with the settings of one before take over its figures."""
        found: list[PhaseEstimate] = []
        tried: list[Phase] = []
        different = [p for n, p in enumerate(self.recipe.phases) if not _same(p, self.recipe.phases[:n])]
        done, whole = 0, len(different) * (1 + STEPS)

        def step() -> None:
            nonlocal done
            done += 1
            shown(done, whole)

        shown(0, whole)
        for phase in self.recipe.phases:
            if like := _same(phase, tried):
                first = next(each for each in found if each.name == like.name)
                found.append(replace(first, name=phase.name, epochs=phase.epochs, same_as=like.name))
            else:
                tried.append(phase)
                found.append(self._phase(phase, step))
        return tuple(found)

    def _phase(self, phase: Phase, step: Callable[[], None]) -> PhaseEstimate:
        recipe = self.recipe
        method = build_method(recipe, phase, self.context)
        random = self._start(method, phase)
        filled = fill_memories(method, self.table, self.data.rows, recipe.seed)
        data = phase_data(recipe, phase, self.data, None)
        raw, read_seconds = data.sample()
        step()
        trial = try_phase(method, recipe, phase, raw, data=data, accelerator=self.device, fast=self.fast, progress=step)
        return PhaseEstimate(
            name=phase.name,
            method=method_name(phase.method),
            trains=tuple(method.trains),
            parameters=sum(p.numel() for p in method.parameters()),
            trained=sum(p.numel() for p in method.parameters() if p.requires_grad),
            epochs=phase.epochs,
            steps_per_epoch=data.batches,
            trial=trial,
            read_seconds=read_seconds,
            waits=data.workers == 0,
            readers=max(1, data.workers),
            random=random,
            filled=filled,
            refreshes=sum(method.refreshes(epoch) for epoch in range(phase.epochs)),
        )

    def _start(self, method: Method[Any], phase: Phase) -> tuple[str, ...]:
        """Loads what there is to start from; the views whose tower an earlier phase would have learnt stay random."""
        earlier = {each.name for each in self.recipe.phases}
        there = {view: source for view, source in phase.start.items() if source not in earlier}
        if there:
            recipe, run = self.recipe, self.run
            method.start({v: read_tower(tower_of(source, v, recipe, run)) for v, source in there.items()})
        start_from_weights(method, self.recipe, phase)
        return tuple(view for view in phase.start if view not in there)


def _same(phase: Phase, others: list[Phase] | tuple[Phase, ...]) -> Phase | None:
    """The first of the others with the same method and optimiser."""
    same = (each for each in others if (each.method, each.optimiser) == (phase.method, phase.optimiser))
    return next(same, None)

"""Trains an encoder without a label, into a run folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Unpack

from kinema.api.beside import train_beside
from kinema.api.going_on import check_data, record_going_on, resume_command, tell_way_back
from kinema.api.opening import AnyData, named
from kinema.api.rows import load_data, mining_meter, opened
from kinema.api.run import Run
from kinema.api.settings import PretrainSettings
from kinema.core.conditions import as_chosen
from kinema.core.contracts import Loaded, Table
from kinema.core.devices import check_precision, chosen_device
from kinema.core.errors import KinemaError
from kinema.core.printing import show
from kinema.core.progress import Shown, watched
from kinema.core.threads import limit_message
from kinema.data.clips.config import ClipsConfig
from kinema.networks import EncoderConfig
from kinema.recipes.choice import AUTO, Choice, check_shared, chosen, footage_of
from kinema.recipes.going_on import PLAN, continued, plan_to_plain
from kinema.recipes.json import phase_identity, recipe_to_plain
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import as_asked, context_of, planned
from kinema.training.fast import Fast
from kinema.training.loggers import check_logger
from kinema.training.run_folder import RunFolder, environment
from kinema.training.settings import Recipe
from kinema.training.team import Team, check_norms
from kinema.training.trainer import Job, check_memory, check_weights, train

log = logging.getLogger(__name__)


def pretrain(
    method: str | Recipe | Plan,
    data: AnyData,
    out: str | Path,
    *,
    preset: str | None = None,
    resume: bool = False,
    where: str | Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    logger: str = "tensorboard",
    norms: str = "all",
    compile: bool = False,
    checkpoint_activations: bool = False,
    console: Shown = None,
    **settings: Unpack[PretrainSettings],
) -> Run:
    """Trains an encoder without a label, into a run folder.

    Where torchrun or srun started several processes, each calls this with the same arguments and all train one run:
    the first one writes it, and ``batch_size`` is that of all together.

    Args:
        method: 'auto', which takes one by what the scan of the videos says (:mod:`kinema.recipes.choice`); a method's
            name ('cpr', 'moco', 'simclr', …); or a plan or recipe of your own.
        data: a folder of videos, a known data set as NAME:PATH, a manifest, or a manifest's file; for a method of text,
            documents, and for one of sequences a folder of features.
        out: the run's folder; must not exist yet, unless ``resume``.
        preset: the plan that a named method starts from: 'small' for CPUs, which is the default, or 'paper' for the
            paper's setting; where it cannot be had, a preset of another name.
        resume: go on with a run that was stopped, under its own recipe. What is given beside it must agree with the
            run, but for what changes no result: ``workers``, ``failure_budget``, ``cache_gib``,
            ``checkpoint_seconds``, ``collapse_rank``, and ``cache``, ``device``, ``logger``,
            ``compile`` and ``checkpoint_activations``.
        where: train only on rows with these values, for instance {'person': 'jack'}, or of which a condition is true,
            ``"take > '2'"`` (:mod:`kinema.core.conditions`). By default those of the split
            'train'; where none are, those without a split, and never those of 'val' or 'test'.
        cache: where decoded videos are kept; see :func:`cache_folder`.
        device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        logger: where curves go beside metrics.jsonl: 'tensorboard', 'wandb', 'mlflow' or 'none'; it changes no result.
        norms: of which clips BatchNorm takes its statistics where several processes train: 'all' of the batch, as one
            process would, or those of each 'process' alone.
        compile: compile the encoders (``torch.compile``), which pays for itself in long trainings on a GPU.
        checkpoint_activations: compute the encoders' blocks again in the backward pass, to save a GPU's memory.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.
        **settings: fields of :class:`kinema.recipes.plan.Plan` and of its data; of its parts, mappings of what changes:
            ``epochs=30, clip={"frames": 16}, method_settings={"queue": 2048}``. And by name, what is put on top of the
            method (:func:`kinema.recipes.compose.composed`): ``transforms=["be", "dsm"]``, ``base="be"`` under CPR,
            ``beside=["be-regulariser"]``.

    Returns:
        The run: ``run.model.encode(…)``, ``run.report()``, ``run.folder``.

    Raises:
        KinemaError: whatever stops it, with what to do.
    """
    check_logger(logger)
    where = as_chosen(where)
    chosen_device(device)
    check_norms(norms)
    fast = Fast(compile, checkpoint_activations)
    team = Team.met(device)
    if not team.first:
        return Run(Path(out), train_beside(team, data, where, cache=cache, device=device, norms=norms, fast=fast))
    with team.leading():
        run = RunFolder.begun(Path(out)) if resume else RunFolder.free(Path(out))
        choice: Choice | None = None
        rows = _once(lambda config: opened(config, data, where))
        if method == AUTO:
            found = (None, _begun_as(run, settings), rows) if resume else choose(data, where, settings, preset, console)
            choice, method, rows = found
        if resume:
            recipe = continued(run, method, settings, preset, rows)
        else:
            plan = planned(method, rows, preset or "small", settings, console)
            recipe = plan if isinstance(plan, Recipe) else plan.recipe()
        check_precision(recipe.precision, device)
        check_fast(fast, device, recipe)
        team.check_batch(recipe.batch_size)
        table, left_out = _usable(recipe, rows(recipe.data))
        context = context_of(recipe, table)
        if resume:
            check_data(run, table)
        else:
            check_weights(recipe, context)
        loaded = load_data(recipe, table, cache=cache, folder=run.path, console=console)
        for phase in recipe.phases:
            check_memory(phase, recipe, loaded)
        given: dict[str, Any] = {
            "where": where,
            "cache": cache,
            "device": device,
            "logger": logger,
            "norms": norms,
            "fast": fast.words,
        }
        again = resume_command(recipe.name, data, out, **given)
        _warn_of_limits()
        with run.held():
            now = environment(recipe.seed, device) | team.facts(norms)
            if resume:
                record_going_on(run, recipe, now)
            else:
                source = {"data": named(data), "where": dict(where or {}), **_kept(choice)}
                asked = None if isinstance(method, Recipe) else _asked(method, preset or "small", settings)
                with run.beginning():
                    _begin(run, recipe, table, now | source, left_out, loaded, asked)
            job = Job(
                recipe,
                loaded,
                run,
                context=context,
                digest=table.digest,
                meter=lambda: mining_meter(table),
                identity=lambda phase: phase_identity(recipe, phase),
                accelerator=device,
                console=console,
                logger=logger,
                again=again,
                team=team,
                norms=norms,
                fast=fast,
            )
            team.tell({"run": str(run.path), "digest": table.digest})
            try:
                return Run(run.path, train(job))
            except KinemaError as error:
                tell_way_back(error, again, recipe)
                raise


def _asked(method: str | Plan, preset: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The plan as it was asked for, as plain values."""
    return plan_to_plain(as_asked(method, preset, settings), preset)


def _warn_of_limits() -> None:
    if limited := limit_message():
        log.warning("%s", limited)


def check_fast(fast: Fast, device: str, recipe: Recipe) -> None:
    """Refuses to compile, or to compute again, what cannot be, before anything is read; see :meth:`Fast.check`."""
    fast.check(device, videos=isinstance(recipe.encoder, EncoderConfig))


def choose(
    data: AnyData,
    where: Mapping[str, str] | None,
    settings: Mapping[str, Any],
    preset: str | None = None,
    console: Shown = None,
) -> tuple[Choice, str, Callable[[Any], Any]]:
    """What 'auto' stands for on these videos: the choice, the method's name, and the rows, which are not read again.

    Args:
        data: a folder of videos, a known data set as NAME:PATH, a manifest, or a manifest's file.
        where: which of them are trained on.
        settings: of the pretraining; those of one method are refused.
        preset: the name of one that all methods have which may be chosen.
        console: shows what was chosen and why; None logs it.

    Raises:
        UsageError: a setting, or the preset, belongs to one method.
        DataError: there are no videos to learn from.
    """
    check_shared(settings, preset)
    manifest = opened(ClipsConfig(), data, where)
    choice = chosen(footage_of(manifest))
    log.info("%s", choice.words) if (seen := watched(console)) is None else show(seen, choice.words)
    return choice, choice.method, lambda _: manifest


def _kept(choice: Choice | None) -> dict[str, Any]:
    """What a run keeps of the choice, if one was made."""
    return {} if choice is None else {"choice": choice.plain()}


def _begun_as(run: RunFolder, settings: Mapping[str, Any]) -> str:
    """The method of a run that 'auto' goes on with."""
    check_shared(settings)
    return str(run.read("recipe.json").get("name"))


def _once(found: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same function, which is not called again for equal settings: its warnings are then said once."""
    held: list[Any] = []

    def answer(config: Any) -> Any:
        if not held or held[0] != config:
            held[:] = [config, found(config)]
        return held[1]

    return answer


def _usable(recipe: Recipe, rows: Any) -> tuple[Any, Mapping[str, str]]:
    """The rows that every phase can learn from, and why not the others, which is said."""
    table, left_out = recipe.data.usable(rows, recipe.needs)
    if left_out:
        log.warning("%s", recipe.data.left_out(left_out, len(table) + len(left_out)))
    return table, left_out


def _begin(
    run: RunFolder,
    recipe: Recipe,
    table: Table,
    record: dict[str, Any],
    left_out: Mapping[str, str],
    loaded: Loaded,
    asked: Mapping[str, Any] | None,
) -> None:
    """Writes what a run is; the recipe comes last, for a folder with a recipe is a run."""
    record |= {"manifest_digest": table.digest, "videos": len(table), "classes": len(table.classes())}
    run.create()
    run.write("environment.json", {**record, "command": sys.argv})
    table.write(run.manifest_path)
    if recipe.data.reports_left_out(recipe.needs):
        run.write(recipe.data.left_out_file, {"videos": len(left_out), "reasons": dict(left_out)})
    loaded.save(run.path)
    if asked is not None:
        run.write(PLAN, asked)
    run.write("recipe.json", recipe_to_plain(recipe))

"""Trains an encoder without a label, into a run folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from kinema.api.copies import duplicates as duplicates
from kinema.api.opening import Data, named, open_named, open_store
from kinema.core.method import Method, TrainingContext
from kinema.core.progress import Steps as Steps
from kinema.data import ClipStore, Manifest
from kinema.data.clips.reader import Model
from kinema.data.video.hearing import told_silent
from kinema.evaluation import MiningMeter
from kinema.protocols.fit import FitConfig as FitConfig
from kinema.protocols.parts import training_videos as training_videos
from kinema.recipes.json import phase_identity, recipe_from_plain, recipe_to_plain
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import audible, buildable, check_resume, settled
from kinema.training.loggers import check_logger
from kinema.training.run_folder import RunFolder, environment
from kinema.training.settings import Recipe
from kinema.training.trainer import Job, Trained, check_memory, train

log = logging.getLogger(__name__)


def pretrain(
    method: str | Recipe | Plan,
    data: Data,
    out: str | Path,
    *,
    preset: str = "small",
    resume: bool = False,
    where: Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    logger: str = "tensorboard",
    console: Console | None = None,
    **settings: Any,
) -> Trained:
    """Trains an encoder on videos, without a label, into a run folder.

    Args:
        method: a method's name ('cpr', 'moco', 'simclr', …); or a plan or recipe of your own.
        data: a folder of videos, a known data set as NAME:PATH, a manifest, or a manifest's file.
        out: the run's folder; must not exist yet, unless ``resume``.
        preset: the plan that a named method starts from: 'small' for CPUs, 'paper' for the paper's setting.
        resume: go on with a run that was stopped; its own recipe is used.
        where: train only on videos with these values, for instance {'person': 'jack'}. By default those of the split
            'train', where the data has one.
        cache: where decoded videos are kept; see :func:`cache_folder`.
        device: 'auto', 'cpu' or 'gpu'.
        logger: where curves go beside metrics.jsonl: 'tensorboard', 'wandb', 'mlflow' or 'none'; it changes no result.
        console: where progress is shown; None for silence.
        **settings: fields of :class:`kinema.recipes.plan.Plan`; of its parts, mappings of what changes:
            ``epochs=30, clip={"frames": 16}, method_settings={"queue": 2048}``. And by name, what is put on top of the
            method (:func:`kinema.recipes.compose.composed`): ``transforms=["be", "dsm"]``, ``base="be"`` under CPR,
            ``beside=["be-regulariser"]``.

    Raises:
        KinemaError: whatever stops it, with what to do.
    """
    check_logger(logger)
    manifest = training_videos(open_named(data), where)
    if resume:
        run = RunFolder.open(Path(out))
        recipe = recipe_from_plain(run.read("recipe.json"), f"'{run.path / 'recipe.json'}'")
        manifest, silent = audible(recipe, manifest)
        check_resume(run, manifest, method, settings)
        context = buildable(recipe, manifest)
    else:
        run = RunFolder.free(Path(out))
        recipe, context = settled(method, manifest, preset, settings, console)
        manifest, silent = audible(recipe, manifest)
    if silent:
        log.warning("%s", told_silent(silent, len(manifest) + len(silent)))
    store = open_store(manifest, recipe, cache=cache, console=console)
    for phase in recipe.phases:
        check_memory(phase, recipe, len(store.frames))
    with run.held():
        if not resume:
            _begin(run, recipe, manifest, device, {"data": named(data), "where": dict(where or {})}, silent)
        return train(replace(_job(recipe, store, run, manifest, context, device, console), logger=logger))


def _begin(
    run: RunFolder,
    recipe: Recipe,
    manifest: Manifest,
    device: str,
    told: dict[str, Any],
    silent: Mapping[str, str],
) -> None:
    """Writes what a run is, the recipe last: a folder with a recipe is a run.

    Raises:
        RunError: another process has made one there since it was looked at.
    """
    RunFolder.free(run.path)
    told |= {"manifest_digest": manifest.digest, "videos": len(manifest), "classes": len(manifest.classes())}
    run.create()
    run.write("environment.json", {**environment(recipe.seed, device), **told, "command": sys.argv})
    manifest.write(run.manifest_path)
    if recipe.hears:
        run.write("silent.json", {"videos": len(silent), "reasons": dict(silent)})
    run.write("recipe.json", recipe_to_plain(recipe))


def _job(
    recipe: Recipe,
    store: ClipStore,
    run: RunFolder,
    manifest: Manifest,
    context: TrainingContext,
    device: str,
    console: Console | None,
) -> Job:
    return Job(
        recipe,
        store,
        run,
        context=context,
        digest=manifest.digest,
        features=lambda trained: _training_features(trained, recipe, store),
        meter=lambda: _mining_meter(manifest),
        identity=lambda phase: phase_identity(recipe, phase),
        accelerator=device,
        console=console,
    )


def _mining_meter(manifest: Manifest) -> MiningMeter | None:
    """The meter of what training mines, where there are labels; they are read for this measurement only."""
    labels, sources = torch.tensor(manifest.label_ids()), torch.tensor(manifest.source_ids())
    return MiningMeter(labels, sources, manifest.classes()) if manifest.classes() else None


def _training_features(trained: Method, recipe: Recipe, store: ClipStore) -> Mapping[str, torch.Tensor]:
    """Features of all videos by view, in manifest order, NaN for those left out; for methods that refresh."""
    learnt = [p for p in trained.parameters() if p.requires_grad]
    found = {}
    for view in trained.trains:
        tower = trained.towers()[view]
        model = Model(tower, view, recipe.clip, name=recipe.name, sound=recipe.sound)  # type: ignore[arg-type]
        encoded = model.features(store, failures_allowed=recipe.failure_budget).encoded
        found[view] = encoded.new_full((len(store.manifest), model.dim), float("nan"))
        found[view][sorted(store.frames)] = encoded
    for parameter in learnt:
        parameter.requires_grad_(True)
    return found

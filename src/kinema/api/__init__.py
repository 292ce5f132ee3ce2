"""The Python face: what the command line does, as functions. The command line calls nothing else."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from kinema.api.copies import duplicates as duplicates
from kinema.core.errors import RunError, UsageError
from kinema.core.method import Method, TrainingContext
from kinema.core.progress import Steps as Steps
from kinema.core.results import Result
from kinema.data import ClipStore, Manifest, exports_motion, heard, open_data
from kinema.data.clips.reader import Model
from kinema.data.layouts import root_of, scan_data
from kinema.data.video.decoding import decode
from kinema.data.video.hearing import told_silent
from kinema.evaluation import MiningMeter
from kinema.exporting import Exported, check_request, export_model, is_export, load_export
from kinema.methods import CPRConfig
from kinema.protocols.fit import FitConfig as FitConfig
from kinema.protocols.parts import training_videos as training_videos
from kinema.protocols.request import Request
from kinema.protocols.run import MEASURES
from kinema.protocols.table import check, two_views
from kinema.recipes.json import phase_identity, recipe_from_plain, recipe_to_plain
from kinema.recipes.methods import method_name
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import audible, buildable, check_resume, settled
from kinema.reporting import Report, collect, with_strips, write_json, write_markdown, write_page
from kinema.training.checkpoints import read_tower
from kinema.training.loggers import check_logger
from kinema.training.phase import transform_of
from kinema.training.run_folder import RunFolder, environment
from kinema.training.settings import Phase, Recipe
from kinema.training.trainer import Job, Trained, build_method, check_memory, train

log = logging.getLogger(__name__)

Data = str | Path | Manifest
Progress = Callable[[int, int], None]


def scan(
    videos: str | Path, *, out: str | Path | None = None, workers: int = 2, progress: Progress | None = None
) -> Manifest:
    """Looks at every file of a folder that claims to be video.

    Args:
        videos: the folder, or a known data set as NAME:PATH (see :mod:`kinema.data.layouts`).
        out: where to write the manifest (.parquet or .json), for later verbs to read instead of scanning again; one
            that is there already saves looking again at files that have not changed.
        workers: processes.
        progress: is told (files done, files).

    Raises:
        DataError: there is no such folder, or no video in it.
    """
    previous = Manifest.read(Path(out)) if out is not None and Path(out).exists() else None
    journal = None if out is None else Path(out).with_name(f".{Path(out).name}.journal")
    manifest = scan_data(videos, workers=workers, progress=progress, previous=previous, journal=journal)
    if out is not None:
        manifest.write(Path(out))
    if journal is not None:
        journal.unlink(missing_ok=True)
    return manifest


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
    manifest = training_videos(_open(data), where)
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
            _begin(run, recipe, manifest, device, {"data": _told(data), "where": dict(where or {})}, silent)
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


def load(run: str | Path, *, view: str | None = None, untrained: bool = False) -> Model:
    """The encoder that a run trained.

    Args:
        run: the run's folder, or a folder of safetensors that :func:`export` wrote.
        view: which view's encoder; by default the one the run is for. The guide of CPR is kept too: 'motion'.
        untrained: the same encoder as it was before training, to compare with; an export has none.

    Raises:
        RunError: there is no run, or it has not finished a phase for that view.
        CheckpointError: the weights do not fit the recipe.
    """
    if is_export(Path(run)):
        if untrained:
            raise UsageError(f"'{run}' is an exported model, which holds no untrained encoder.", "Name its run.")
        return load_export(Path(run), view=view)
    folder = RunFolder.open(Path(run))
    recipe = recipe_from_plain(folder.read("recipe.json"), f"'{folder.path / 'recipe.json'}'")
    view = view or recipe.view
    phase = _phase_for(folder, recipe, view, finished=not untrained)
    videos = int(folder.read("environment.json").get("videos", 2))
    first = next(p for p in recipe.phases if view in build_method(recipe, p, TrainingContext(videos, 2)).trains)
    method = build_method(recipe, first if untrained else phase, TrainingContext(videos, 2))
    if not untrained:
        file = folder.phase(recipe.number(phase), phase.name) / f"tower-{view}.safetensors"
        method.start({view: read_tower(file)})
    tower = method.towers()[view]
    name = "random" if untrained else encoder_name(phase)
    told: dict[str, Any] = {"run": folder.path, "seed": recipe.seed, "sound": recipe.sound}
    told |= {} if untrained else {"together": folder.together}
    return Model(tower, view, recipe.clip, name=name, **told)  # type: ignore[arg-type]


def export(
    run: str | Path | Model,
    out: str | Path,
    *,
    format: Literal["safetensors", "onnx", "program"] = "safetensors",
    view: str | None = None,
    licence: str | None = None,
) -> Exported:
    """Writes a trained encoder for others; formats and further errors are those of :mod:`kinema.exporting`.

    Args:
        run: a run's folder, an exported folder, or a model.
        out: the folder ('safetensors') or the file to write; must not exist.
        format: 'safetensors' for :func:`load`, 'onnx' (needs the extra kinema[onnx]) or 'program'.
        view: which view's encoder of a run; by default the one it is for.
        licence: the licence of the weights, in your words.
    """
    check_request(format, Path(out))
    if isinstance(run, Model) and view not in (None, run.view):
        raise UsageError(
            f"The model sees '{run.view}', not '{view}'.", "Load the other view's: kinema.load(RUN, view=…)"
        )
    model = run if isinstance(run, Model) else load(run, view=view)
    return export_model(model, Path(out), format=format, licence=licence)


def evaluate(
    protocol: str,
    model: str | Path | Model,
    data: Data,
    *,
    preset: str | None = None,
    view: str | None = None,
    views: Sequence[str] | None = None,
    untrained: bool = False,
    query: Mapping[str, str] | None = None,
    gallery: Mapping[str, str] | None = None,
    shares: Sequence[float] | None = None,
    draws: int | None = None,
    fit: FitConfig | None = None,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    device: str | None = None,
    console: Console | None = None,
) -> list[Result]:
    """Measures an encoder by a protocol; results of a run are kept in its folder.

    Args:
        protocol: 'retrieval', 'knn', 'linear', 'few-label', 'finetune', 'mining', 'diagnostics' or 'cross-modal'.
        model: a run's folder, or a model.
        data: labelled videos: a folder, a known data set as NAME:PATH, a manifest, or a manifest's file.
        preset: the protocol's named settings (:mod:`kinema.protocols.table`); figures of two are not comparable.
        view: which view's encoder of a run; by default the one it is for.
        views: the two views of the run that 'cross-modal' compares.
        untrained: measure the run's encoder as it was before training.
        query: which videos ask or are tested; by default the split 'test', part by part. Where there is no split, all
            ask; 'linear', 'few-label' and 'finetune' hold a test out by source.
        gallery: which videos are ranked or trained on; by default the split 'train', or all.
        shares: of the labels, for 'few-label', 'finetune' and 'linear' end to end; by default the presets'.
        draws: of few labels; 5 by default.
        fit: how a classifier is trained on clips, for 'finetune' and 'linear' end to end.
        out: where such classifiers are trained, and gone on with; by default in the run's folder.
        cache: where decoded videos are kept.
        device: 'cpu', 'cuda', …; a GPU where there is one, by default.
        console: where progress is shown.

    Returns:
        A result for each selection of queries, the main one first; and for each share, or way across two views.

    Raises:
        UsageError: there is no such protocol or preset, or it has no such option.
        DataError: labels are missing, or a video cannot be read.
    """
    presets = check(protocol, preset, {"views": views, "shares": shares, "draws": draws, "fit": fit})
    models, home = _models(protocol, model, view, views, untrained), None if out is None else Path(out)
    store = functools.partial(model_store, cache=cache, console=console)
    manifest, silent = _heard_by(models, _open(data))
    asked = Request(models, manifest, _told(data), presets, store, query, gallery, tuple(shares or ()), draws)
    results = MEASURES[protocol](replace(asked, fit=fit, out=home, device=device, console=console))
    if silent:
        results = [replace(each, details={**each.details, "silent": dict(silent)}) for each in results]
    if (run := models[0].run) is not None:
        for result in results:
            RunFolder.open(run).add_result(result)
    return results


def _heard_by(models: Sequence[Model], manifest: Manifest) -> tuple[Manifest, Mapping[str, str]]:
    """The videos that models can be measured on, and why not the others: one that hears needs their sound."""
    if all(each.hears is None for each in models):
        return manifest, {}
    chosen, silent = heard(manifest.usable())
    if silent:
        log.warning("%s", told_silent(silent, len(chosen) + len(silent)))
    return chosen, silent


def _models(
    protocol: str, model: str | Path | Model, view: str | None, views: Sequence[str] | None, untrained: bool
) -> tuple[Model, ...]:
    """What is measured: the encoder of one view, or those of two."""
    if protocol != "cross-modal":
        first = model if isinstance(model, Model) else load(model, view=view, untrained=untrained)
        return (first, *_others(first, untrained)) if protocol == "diagnostics" else (first,)
    run = model.run if isinstance(model, Model) else model
    if run is None or view is not None:
        raise UsageError("cross-modal compares two views of one run.", "Name the run's folder, and views=('rgb', …).")
    return tuple(load(run, view=each, untrained=untrained) for each in two_views(views))


def _others(model: Model, untrained: bool) -> tuple[Model, ...]:
    """The encoder of another view that the model's run trained; none where there is none."""
    if model.run is None:
        return ()
    folder = RunFolder.open(model.run)
    recipe = recipe_from_plain(folder.read("recipe.json"))
    context = TrainingContext(int(folder.read("environment.json").get("videos", 2)), 2)
    views = {view for phase in recipe.phases for view in build_method(recipe, phase, context).trains} - {model.view}
    return (load(model.run, view=min(views), untrained=untrained),) if views else ()


def report(
    *runs: str | Path, out: str | Path | None = None, data: Data | None = None, title: str | None = None
) -> tuple[Path, Report]:
    """One page that says whether it helped, from one run or several side by side.

    Args:
        *runs: the runs' folders, evaluated before with :func:`evaluate`.
        out: the page; by default report.html in the first run's folder. Its content goes beside it as .json, and as
            Markdown (.md).
        data: where the videos are, for the pictures of nearest neighbours; by default what the runs were trained on.
        title: the page's title.

    Raises:
        RunError: a folder is not a run.
    """
    folders = [RunFolder.open(Path(run)) for run in runs]
    if not folders:
        raise UsageError("No run was named.", "kinema report RUN [RUN …]")
    told = folders[0].read("environment.json").get("data", "")
    root = _open(data).root if data is not None else root_of(told)
    page = Path(out) if out is not None else folders[0].path / "report.html"
    found = with_strips(collect(folders, title=title), lambda path: _strip(root / path))
    write_page(found, page)
    write_json(found, page.with_suffix(".json"))
    write_markdown(found, page.with_suffix(".md"))
    return page, found


def _strip(video: Path, frames: int = 5) -> list[Any]:
    """A few frames along a video, for a picture of it."""
    decoded = decode(video, short_side=72, motion=False)
    last = len(decoded.frames) - 1
    return [decoded.frames[round(last * i / (frames - 1))] for i in range(frames)]


def model_store(
    manifest: Manifest, model: Model, *, cache: str | Path | None = None, console: Console | None = None
) -> ClipStore:
    """The clips of a manifest as a model needs them, decoded once."""
    with Steps("decoding", console) as progress:
        return ClipStore(
            manifest,
            model.clip,
            motion=model.view == "motion" or _tells_motion(manifest),
            cache=cache_folder(cache),
            progress=progress,
            sound=model.hears,
        )


def encoder_name(phase: Phase) -> str:
    """What tables call the encoder that a phase trains: 'infonce' for MoCo, 'coclr' for CPR with one stage.

    Methods beside it follow after a plus sign.
    """
    first, *beside = getattr(phase.method, "parts", (phase.method,))
    name = method_name(first)
    if isinstance(first, CPRConfig) and len(first.resolved_sizes()) == 1:
        name = "coclr"
    return "+".join(["infonce" if name == "moco" else name, *(method_name(other) for other in beside)])


def cache_folder(named: str | Path | None = None) -> Path:
    """Where decoded videos are kept: what was named, $KINEMA_CACHE, or 'kinema' in the user's cache folder."""
    if named is None and not os.environ.get("KINEMA_CACHE"):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinema"
    return Path(named if named is not None else os.environ["KINEMA_CACHE"])


def open_store(
    manifest: Manifest,
    recipe: Recipe,
    *,
    cache: str | Path | None = None,
    console: Console | None = None,
    keep: bool = True,
) -> ClipStore:
    """The clips of a manifest as a recipe wants them, decoded once; with motion where a phase or the view needs it.

    Without ``keep`` no cache is made, and clips are read from the files.
    """
    context = TrainingContext(len(manifest), 2)
    transforms = [transform_of(build_method(recipe, p, context), recipe, p) for p in recipe.phases]
    motion = any(transform.needs_motion for transform in transforms)
    with Steps("decoding", console) as progress:
        return ClipStore(
            manifest,
            recipe.clip,
            motion=motion or _tells_motion(manifest),
            cache=cache_folder(cache) if keep else None,
            cache_bytes=int(recipe.cache_gib * 2**30),
            short_videos=recipe.short_videos,
            progress=progress,
            sound=recipe.sound if any(transform.needs_sound for transform in transforms) else None,
        )


def _tells_motion(manifest: Manifest) -> bool:
    """Whether every video's codec exports motion vectors; they are then kept beside the frames."""
    return all(exports_motion(video.codec) for video in manifest.videos)


def _open(data: Data) -> Manifest:
    return data if isinstance(data, Manifest) else open_data(data)


def _told(data: Data) -> str:
    return str(data.root) if isinstance(data, Manifest) else str(data)


def _phase_for(folder: RunFolder, recipe: Recipe, view: str, *, finished: bool) -> Phase:
    context = TrainingContext(int(folder.read("environment.json").get("videos", 2)), 2)
    training = [phase for phase in recipe.phases if view in build_method(recipe, phase, context).trains]
    if not training:
        views = sorted({v for phase in recipe.phases for v in build_method(recipe, phase, context).trains})
        raise RunError(f"The run '{folder.path}' trains no encoder of '{view}'; it trains: {', '.join(views)}.")
    for phase in reversed(training):
        file = folder.phase(recipe.number(phase), phase.name) / f"tower-{view}.safetensors"
        if not finished or file.exists():
            return phase
    raise RunError(
        f"The run '{folder.path}' has not finished a phase that trains '{view}'.",
        "Go on with it: the command that began it, with --resume.",
    )

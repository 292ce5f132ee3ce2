"""The Python face: what the command line does, as functions. The command line calls nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from kinema.core.errors import CheckpointError, DataError, RunError, UsageError
from kinema.core.protocols import Method
from kinema.core.records import Result, TrainingContext
from kinema.data import ClipStore, Manifest, exports_motion, open_data
from kinema.data.decoding import decode
from kinema.data.layouts import root_of, scan_data
from kinema.evaluation import MiningMeter
from kinema.exporting import Exported, check_request, export_model, is_export, load_export
from kinema.measure import extractor, measure_mining, measure_retrieval, split_parts
from kinema.methods import CPRConfig
from kinema.model import Model
from kinema.recipes.json import phase_identity, recipe_from_plain, recipe_to_plain
from kinema.recipes.methods import method_name
from kinema.recipes.plan import Plan
from kinema.recipes.presets import preset as preset_plan
from kinema.reporting import Report, collect, with_strips, write_json, write_page
from kinema.steps import Steps as Steps
from kinema.training.checkpoints import read_tower
from kinema.training.run_folder import RunFolder, environment
from kinema.training.settings import Phase, Recipe
from kinema.training.trainer import Job, Trained, build_method, check_memory, check_weights, tower_of, train

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
        console: where progress is shown; None for silence.
        **settings: fields of :class:`kinema.recipes.plan.Plan`; of its parts, mappings of what changes:
            ``epochs=30, clip={"frames": 16}, method_settings={"queue": 2048}``.

    Raises:
        KinemaError: whatever stops it, with what to do.
    """
    manifest = training_videos(_open(data), where)
    if resume:
        run = RunFolder.open(Path(out))
        recipe = recipe_from_plain(run.read("recipe.json"), f"'{run.path / 'recipe.json'}'")
        _check_resume(run, manifest, method, settings)
    else:
        run = RunFolder.free(Path(out))
        recipe = _recipe(method, preset, manifest, settings, console)
    context = TrainingContext(videos=len(manifest), classes=len(manifest.classes()))
    for phase in recipe.phases:
        build_method(recipe, phase, context)  # whatever cannot be built says so before anything is written
    if not resume:
        check_weights(recipe, context)
    store = open_store(manifest, recipe, cache=cache, console=console)
    for phase in recipe.phases:
        check_memory(phase, recipe, len(store.frames))
    if not resume:
        _begin(run, recipe, manifest, device, {"data": _told(data), "where": dict(where or {})})
    return train(_job(recipe, store, run, manifest, context, device, console))


def _begin(run: RunFolder, recipe: Recipe, manifest: Manifest, device: str, told: dict[str, Any]) -> None:
    """Writes what a run is, the recipe last: a folder with a recipe is a run."""
    told |= {"manifest_digest": manifest.digest, "videos": len(manifest), "classes": len(manifest.classes())}
    run.create()
    run.write("environment.json", {**environment(recipe.seed, device), **told, "command": sys.argv})
    manifest.write(run.manifest_path)
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
    """Features of all readable videos by view, for methods that refresh between epochs."""
    learnt = [p for p in trained.parameters() if p.requires_grad]
    found = {}
    for view in trained.trains:
        tower = trained.towers()[view]
        model = Model(tower, view, recipe.clip, name=recipe.name)  # type: ignore[arg-type]
        found[view] = model.features(store, failures_allowed=recipe.failure_budget).encoded.clone()
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
    return Model(tower, view, recipe.clip, name=name, run=folder.path, seed=recipe.seed)  # type: ignore[arg-type]


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
    protocol: Literal["retrieval", "mining"],
    model: str | Path | Model,
    data: Data,
    *,
    preset: Literal["coclr", "vcop"] = "coclr",
    view: str | None = None,
    untrained: bool = False,
    query: Mapping[str, str] | None = None,
    gallery: Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    device: str | None = None,
    console: Console | None = None,
) -> list[Result]:
    """Measures an encoder by a protocol; results of a run are kept in its folder.

    Args:
        protocol: 'retrieval' (is the nearest video of the same class?) or 'mining' (would the mined positives be?).
        model: a run's folder, or a model.
        data: labelled videos: a folder, a known data set as NAME:PATH, a manifest, or a manifest's file.
        preset: how retrieval is done, 'coclr' or 'vcop'; figures of the two are not comparable.
        view: which view's encoder of a run; by default the one it is for.
        untrained: measure the run's encoder as it was before training.
        query: which videos ask; by default the split 'test', part by part, or all.
        gallery: which videos are ranked; by default the split 'train', or all.
        cache: where decoded videos are kept.
        device: 'cpu', 'cuda', …; a GPU where there is one, by default.
        console: where progress is shown.

    Returns:
        One result for each selection of queries, the main one first.

    Raises:
        UsageError: there is no such protocol.
        DataError: labels are missing, or a video cannot be read.
    """
    if protocol not in ("retrieval", "mining"):
        raise UsageError(f"There is no protocol '{protocol}'.", "Choose one of: retrieval, mining.")
    loaded = model if isinstance(model, Model) else load(model, view=view, untrained=untrained)
    manifest, told = _open(data), _told(data)
    extract = extractor(
        windows=preset,
        open_store=lambda part, m: model_store(part, m, cache=cache, console=console),
        progress=lambda title: Steps(title, console),
        device=device,
    )
    if protocol == "retrieval":
        parts, ranked = split_parts(manifest, query, gallery)
        shared: dict[str, Any] = {"preset": preset, "data": told, "digest": manifest.digest}
        results = [
            measure_retrieval(loaded, part, ranked, extract, selection=name, **shared) for name, part in parts.items()
        ]
    else:
        results = [_evaluate_mining(loaded, training_videos(manifest, gallery), extract, told)]
    if loaded.run is not None:
        for result in results:
            RunFolder.open(loaded.run).add_result(result)
    return results


def report(
    *runs: str | Path, out: str | Path | None = None, data: Data | None = None, title: str | None = None
) -> tuple[Path, Report]:
    """One page that says whether it helped, from one run or several side by side.

    Args:
        *runs: the runs' folders, evaluated before with :func:`evaluate`.
        out: the page; by default report.html in the first run's folder. Its content goes beside it as .json.
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
    return page, found


def _strip(video: Path, frames: int = 5) -> list[Any]:
    """A few frames along a video, for a picture of it."""
    decoded = decode(video, short_side=72, motion=False)
    last = len(decoded.frames) - 1
    return [decoded.frames[round(last * i / (frames - 1))] for i in range(frames)]


def _evaluate_mining(model: Model, videos: Manifest, extract: Any, told: str) -> Result:
    stages, keep, k, guide = 1, 0.5, 5, None
    per_epoch: list[dict[str, Any]] = []
    if model.run is not None:
        folder = RunFolder.open(model.run)
        recipe = recipe_from_plain(folder.read("recipe.json"))
        phase = next((p for p in reversed(recipe.phases) if isinstance(p.method, CPRConfig)), None)
        if phase is not None and isinstance(phase.method, CPRConfig) and phase.method.view == model.view:
            sizes = phase.method.resolved_sizes()
            stages, keep, k = len(sizes), phase.method.keep, sizes[-1]
            guide = _guide(folder, recipe, phase, phase.method.guide)
        for path in folder.phases():
            per_epoch += [row for row in folder.metrics(path) if "mining_precision" in row]
    return measure_mining(model, guide, videos, extract, stages=stages, keep=keep, k=k, per_epoch=per_epoch, data=told)


def _guide(folder: RunFolder, recipe: Recipe, phase: Phase, view: str) -> Model:
    """The frozen tower that guided a phase of mining."""
    method = build_method(recipe, phase, TrainingContext(2, 2))
    method.start({view: read_tower(tower_of(phase.start[view], view, recipe, folder))})
    return Model(method.towers()[view], view, recipe.clip, name="guide", seed=recipe.seed)  # type: ignore[arg-type]


def model_store(
    manifest: Manifest, model: Model, *, cache: str | Path | None = None, console: Console | None = None
) -> ClipStore:
    """The clips of a manifest as a model needs them, decoded once."""
    with Steps("decoding", console) as progress:
        return ClipStore(
            manifest,
            model.clip,
            motion=model.view == "motion" or _tells_motion(manifest),
            cache=Path(cache) if cache is not None else cache_folder(),
            progress=progress,
        )


def encoder_name(phase: Phase) -> str:
    """What tables call the encoder that a phase trains: 'infonce' for MoCo, 'coclr' for CPR with one stage."""
    if isinstance(phase.method, CPRConfig):
        return "coclr" if len(phase.method.resolved_sizes()) == 1 else "cpr"
    name = method_name(phase.method)
    return "infonce" if name == "moco" else name


def training_videos(manifest: Manifest, where: Mapping[str, str] | None) -> Manifest:
    """The usable videos to train on: those of ``where``, or of the split 'train' where the data has one."""
    if where is None:
        where = {"split": "train"} if any(video.split == "train" for video in manifest.videos) else {}
    chosen = manifest.select(where).usable()
    if len(chosen) < 2:
        raise DataError(
            f"{len(chosen)} of {len(manifest)} videos can be trained on; telling videos apart needs at least 2.",
            "`kinema scan VIDEOS` names every file that cannot be read.",
        )
    return chosen


def cache_folder() -> Path:
    """Where decoded videos are kept: $KINEMA_CACHE, or 'kinema' in the user's cache folder."""
    named = os.environ.get("KINEMA_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "kinema"


def open_store(
    manifest: Manifest, recipe: Recipe, *, cache: str | Path | None = None, console: Console | None = None
) -> ClipStore:
    """The clips of a manifest as a recipe wants them, decoded once; with motion where a phase or the view needs it."""
    context = TrainingContext(len(manifest), 2)
    motion = any("motion" in build_method(recipe, phase, context).views for phase in recipe.phases)
    with Steps("decoding", console) as progress:
        return ClipStore(
            manifest,
            recipe.clip,
            motion=motion or _tells_motion(manifest),
            cache=Path(cache) if cache is not None else cache_folder(),
            cache_bytes=int(recipe.cache_gib * 2**30),
            short_videos=recipe.short_videos,
            progress=progress,
        )


def _tells_motion(manifest: Manifest) -> bool:
    """Whether every video's codec exports motion vectors; they are then kept beside the frames."""
    return all(exports_motion(video.codec) for video in manifest.videos)


def _open(data: Data) -> Manifest:
    return data if isinstance(data, Manifest) else open_data(data)


def _told(data: Data) -> str:
    return str(data.root) if isinstance(data, Manifest) else str(data)


def _recipe(
    method: str | Recipe | Plan, preset: str, manifest: Manifest, settings: Mapping[str, Any], console: Console | None
) -> Recipe:
    if isinstance(method, Recipe):
        if settings:
            raise UsageError(f"A recipe is used as it is; {', '.join(settings)} cannot be set beside it.")
        return method
    plan = changed(preset_plan(preset, method) if isinstance(method, str) else method, settings)
    chosen = settings.get("method_settings", {}).get("guide")
    if isinstance(plan.method, CPRConfig) and plan.method.guide == "motion" and chosen is None:
        silent = sorted({v.codec for v in manifest.videos if not exports_motion(v.codec)})
        if silent and isinstance(method, str):
            if console is not None:
                told = (
                    f"Motion vectors cannot be read from {', '.join(silent)}; the residual (frame difference) guides."
                )
                console.print(told, highlight=False)
            plan = replace(plan, method=replace(plan.method, guide="residual"))
    return plan.recipe()


def changed(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """A plan with some settings changed.

    Args:
        plan: where to start.
        settings: new values of fields; for a part of the plan, a mapping of what changes in it or a new part.

    Raises:
        UsageError: there is no such setting; the message lists those there are.
        ConfigError: a value that cannot be.
    """
    named = {"method" if name == "method_settings" else name: value for name, value in settings.items()}
    plan_with: Plan = _changed(plan, named)
    return plan_with


def _changed(part: Any, settings: Mapping[str, Any]) -> Any:
    """A settings dataclass with some fields changed; a mapping changes the fields of a part of it."""
    fields = type(part).__dataclass_fields__
    unknown = [name for name in settings if name not in fields]
    if unknown:
        told = f"{type(part).__name__} has no setting '{unknown[0]}'."
        raise UsageError(told, f"Set one of: {', '.join(fields)}.")
    values = {
        name: _changed(getattr(part, name), value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
    }
    return replace(part, **values)


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


def _check_resume(run: RunFolder, manifest: Manifest, method: str | Recipe | Plan, settings: Mapping[str, Any]) -> None:
    recipe, told = run.read("recipe.json"), run.read("environment.json")
    if isinstance(method, str) and recipe.get("name") != method:
        raise CheckpointError(
            f"The run '{run.path}' was begun with the method '{recipe.get('name')}', not '{method}'.",
            "Resume it with its own method, or train into a new folder.",
        )
    if settings:
        raise UsageError(
            f"A run goes on with its own settings; {', '.join(settings)} cannot be changed.",
            "Leave the settings out beside --resume, or train into a new folder.",
        )
    if told.get("manifest_digest") != manifest.digest:
        raise CheckpointError(
            f"The videos have changed since the run '{run.path}' was begun ({told.get('videos')} then, "
            f"{len(manifest)} now, or other files, labels or sizes).",
            "Resume with the data as it was, or train into a new folder.",
        )

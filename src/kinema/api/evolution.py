"""The Python face of the search for ELo's weights: what ``kinema evolve`` does, as a function."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from kinema import api
from kinema.api.opening import Data
from kinema.api.rows import load_data
from kinema.core.conditions import as_chosen
from kinema.core.devices import check_precision, chosen_device
from kinema.core.errors import ConfigError, UsageError
from kinema.core.files import write_json, write_text
from kinema.core.progress import Shown, Steps
from kinema.data import Manifest, open_data
from kinema.evolving.candidate import Job, subset_of
from kinema.evolving.engines import Engine, check_engine, mapped
from kinema.evolving.history import WORK, Candidate, SearchFolder
from kinema.evolving.run import EvolveConfig, best_of, evolved, kept_weights
from kinema.evolving.shown import as_csv, chart
from kinema.methods import ELoConfig
from kinema.recipes.changes import changed
from kinema.recipes.json import CONVERTER, recipe_from_plain, recipe_to_plain
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import context_of
from kinema.recipes.table import preset as preset_plan
from kinema.training.trainer import Trained


@dataclass(frozen=True)
class Evolved:
    """What a search came to.

    Args:
        out: its folder.
        best: the candidate with the least fitness.
        history: every candidate, in order.
        config: the file that ``kinema pretrain elo DATA --config`` takes.
        run: the run that was trained in full with the best weights; None where none was.
        trained: what that training came to.
    """

    out: Path
    best: Candidate
    history: tuple[Candidate, ...]
    config: Path
    run: Path | None = None
    trained: Trained | None = None

    @property
    def weights(self) -> dict[str, float]:
        """The best weights as they are trained with."""
        return kept_weights(self.best.weights)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        failed = sum(each.fitness is None for each in self.history)
        summary = {"out": str(self.out), "candidates": len(self.history), "failed": failed}
        best = {"candidate": self.best.number, "fitness": self.best.fitness, "weights": self.weights}
        done = {"run": None if self.run is None else str(self.run)}
        return {**summary, "best": best, "config": str(self.config), **done}


def evolve(
    data: Data,
    out: str | Path,
    *,
    config: EvolveConfig | None = None,
    workers: int = 2,
    engine: Engine = "processes",
    preset: str | Plan = "small",
    resume: bool = False,
    finish: bool = False,
    keep: bool = False,
    where: str | Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    console: Shown = None,
    **settings: Any,
) -> Evolved:
    """Searches for the weights of ELo's losses, without a label.

    Each candidate is trained briefly from the same start, and judged by :func:`kinema.evaluation.zipf_fitness`.
    Candidates that crash or collapse cannot win.

    Args:
        data: a folder of videos, a known data set as NAME:PATH, a manifest, or a manifest's file.
        out: the folder of the search; must not exist yet, unless ``resume``.
        config: how it is searched.
        workers: candidates at a time; it changes no result.
        engine: 'processes' of this machine, or 'ray' (needs the extra kinema[ray]).
        preset: what candidates are trained by: 'small', 'coclr', or a plan of your own.
        resume: go on with a search that was stopped, however it was, or try more candidates; its settings must be
            given again.
        finish: train the best weights in full, into RUN in the folder.
        keep: keep the run of every candidate.
        where: train only on videos with these values, as in :func:`kinema.api.pretrain`.
        cache: where decoded videos are kept.
        device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.
        **settings: fields of :class:`kinema.recipes.plan.Plan`, as in :func:`kinema.api.pretrain`; ``epochs`` are those
            of the training in full.

    Raises:
        RunError: the folder holds a search already, or something else.
        CheckpointError: the search to go on with was begun with other settings or videos.
        TrainingError: no candidate could be judged.
    """
    config = config or EvolveConfig()
    check_engine(engine, workers, config.threads)
    where = as_chosen(where)
    chosen_device(device)
    manifest = api.training_videos(data if isinstance(data, Manifest) else open_data(data), where)
    plan = changed(preset if isinstance(preset, Plan) else preset_plan(preset, "elo"), settings)
    check_precision(plan.precision, device)
    with _begun(Path(out), config, plan, manifest, resume) as folder:
        load_data(plan.recipe(), manifest, cache=cache, console=console)  # decoded once, for all candidates
        job = functools.partial(_job, plan, config, folder.path, api.cache_folder(cache), device, keep)
        engine_of = functools.partial(mapped, engine, workers=workers, threads=config.threads)
        with Steps("evolving", console) as progress:
            found = evolved(config, _names(plan), folder, job, engine_of, progress)
        made = Evolved(folder.path, best_of(found, folder.path), tuple(found), folder.path / "best.json")
        chosen = _with(plan, made.weights)
        _write(made, chosen, config)
    return _finished(made, chosen, manifest, cache, device, console) if finish else made


@contextlib.contextmanager
def _begun(out: Path, config: EvolveConfig, plan: Plan, manifest: Manifest, resume: bool) -> Iterator[SearchFolder]:
    """The folder of the search, for this process alone, once all is refused that can be before a video is decoded."""
    _names(plan)
    context_of(plan.recipe(), manifest)
    config.check_videos(sum(video.health != "unreadable" for video in manifest.videos))
    search = {name: value for name, value in config.plain().items() if name != "candidates"}  # more may be tried later
    recipe = plan.recipe()
    free = ["recipe.checkpoint_seconds", *(f"recipe.data.{name}" for name in recipe.data.changeable)]
    decide = ("recipe.data.failure_budget",)  # a candidate that fails by it is judged so, as is one that collapsed
    settings = {"search": search, "recipe": recipe_to_plain(recipe), "data": manifest.digest}
    folder = SearchFolder.begun(out, settings, resume=resume, changeable=set(free) - set(decide))
    with folder.held():
        manifest.write(folder.path / "manifest.parquet")
        yield folder


def _finished(
    made: Evolved,
    chosen: Plan,
    manifest: Manifest,
    cache: str | Path | None,
    device: str,
    console: Shown,
) -> Evolved:
    """The best weights trained in full, or gone on with."""
    run = made.out / "run"
    again = (run / "recipe.json").exists()
    plan = "elo" if again else chosen
    done = api.pretrain(plan, manifest, run, resume=again, cache=cache, device=device, console=console)
    return replace(made, run=run, trained=done.trained)


def _names(plan: Plan) -> tuple[str, ...]:
    """The parts whose weights are searched for: all that the modalities have."""
    assert isinstance(plan.method, ELoConfig)
    if plan.method.weights or plan.method.rest != ELoConfig.rest:
        raise UsageError(
            "The weights are what is searched for; method.weights and method.rest cannot be given.",
            "Leave them out, or name fewer modalities: method.others.",
        )
    return tuple(part.name for part in plan.method.every_part)


def _with(plan: Plan, weights: Mapping[str, float]) -> Plan:
    assert isinstance(plan.method, ELoConfig)
    return replace(plan, method=replace(plan.method, weights=dict(weights), rest=0.0))


def _job(
    plan: Plan,
    config: EvolveConfig,
    folder: Path,
    cache: Path,
    device: str,
    keep: bool,
    number: int,
    weights: Mapping[str, float],
) -> Job:
    """What an engine is asked of one candidate; plain values, absolute paths."""
    measured = ("k", "s", "temperature", "scaling", "clusterings", "seed", "subset", "threads")
    home, refused, recipe = folder.resolve(), "", {}
    try:
        recipe = recipe_to_plain(_with(replace(plan, epochs=config.epochs), weights).recipe())
    except ConfigError as error:  # of these weights alone: the candidate fails, and the search goes on
        refused = f"{error.kind}: {error.message}"
    return {
        **{name: getattr(config, name) for name in measured},
        "train": f"{__name__}:{train_candidate.__name__}",
        "recipe": recipe,
        "refused": refused,
        "manifest": str(home / "manifest.parquet"),
        "cache": str(cache.resolve()),
        "device": device,
        "folder": str(home / WORK),
        "keep": str(home / "runs" / f"{number:04d}") if keep else "",
    }


def train_candidate(job: Job, run: Path) -> tuple[Tensor, float | None]:
    """A candidate trained: the features of the videos that it is judged by, float [videos, dim], and its loss.

    Args:
        job: what :func:`_job` made.
        run: the folder of its run.
    """
    recipe, manifest = recipe_from_plain(job["recipe"]), Manifest.read(Path(job["manifest"]))
    done = api.pretrain(recipe, manifest, run, cache=job["cache"], device=job["device"], logger="none", console=False)
    loaded = load_data(recipe, manifest, cache=job["cache"], console=False)
    store = subset_of(loaded.store, job["subset"], job["seed"])
    features = done.model.features(store, device=job["device"], failures_allowed=loaded.config.failure_budget)
    return features.encoded, done.loss


def settings_file(plan: Plan) -> dict[str, Any]:
    """A plan as the file that ``kinema pretrain METHOD DATA --config`` takes.

    What is put on top of it is left out, and so is the schedule, for ELo has one phase.
    """
    plain: dict[str, Any] = CONVERTER.unstructure(plan)
    for name in ("base", "beside", "beside_weights", "schedule"):
        plain.pop(name)
    plain |= plain.pop("data")
    plain.pop("name")
    plain["method"].pop("name")
    plain["transform"].pop("disturb")
    return plain


def _write(made: Evolved, chosen: Plan, config: EvolveConfig) -> None:
    """The history, the chart, and the best weights as settings."""
    write_json(made.config, settings_file(chosen))
    history = {**made.plain(), "search": config.plain(), "history": [asdict(each) for each in made.history]}
    write_json(made.out / "history.json", history)
    write_text(made.out / "history.csv", as_csv(made.history))
    write_text(made.out / "chart.svg", chart(made.history, made.best))

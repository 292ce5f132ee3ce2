"""Trains the phases of a recipe into a run folder, one after the other, each resumable at any moment."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kinema.core.contracts import DataModule, Loaded
from kinema.core.errors import ConfigError, TrainingError
from kinema.core.files import storage_error, write_json
from kinema.core.method import Method, TrainingContext
from kinema.core.ops import world_size
from kinema.core.progress import Shown
from kinema.core.reading import reason_of
from kinema.core.seeds import seed_at
from kinema.training.checkpoints import read_tower, write_tower
from kinema.training.engine import make_fabric, quiet_lightning
from kinema.training.fast import Fast, fast_arithmetic
from kinema.training.loggers import open_logger
from kinema.training.phase import InterruptedRunError, Meter, PhaseRuntime
from kinema.training.progress import PhaseDisplay
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Phase, Recipe
from kinema.training.stopping import StopNow, failure_line, lost_worker, stop_on_signal, stopped_at_once
from kinema.training.team import Team, lost_rank

if TYPE_CHECKING:
    from kinema.training.loop import PhaseLoop


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Args:
        epochs: epochs of all phases.
        steps: batches of all phases.
        seconds: time in training steps, all phases.
        loss: the last phase's mean loss in its last epoch; None where nothing but a memory was filled.
    """

    epochs: int
    steps: int
    seconds: float
    loss: float | None


def build_method(recipe: Recipe, phase: Phase, context: TrainingContext) -> Method[Any]:
    """The phase's method, initialised by the recipe's seed; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_at(recipe.seed, "init", phase.name))
        try:
            return phase.method.build(recipe.encoder, context)
        except (MemoryError, RuntimeError) as error:
            raise ConfigError(
                f"The networks of the phase '{phase.name}' cannot be built: {reason_of(error)}.",
                "Are they larger than this machine's memory? Choose a smaller encoder, head or queue.",
            ) from error


@dataclass(frozen=True)
class Job:
    """A training and all it needs.

    Args:
        recipe: what to train.
        data: the rows, ready to be read.
        run: where it goes.
        context: what the methods may know of the data.
        digest: the table's digest; a checkpoint made on other data is refused.
        meter: makes the meter of what is mined, or None where there are no labels.
        identity: the settings of a phase that a checkpoint must agree with, as plain values.
        accelerator: the device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        console: where progress is shown; see :func:`kinema.core.progress.watched`.
        after_epoch: further figures of an epoch that has just ended; see :class:`PhaseRuntime`.
        logger: where the curves go beside metrics.jsonl; see :mod:`kinema.training.loggers`.
        again: the command that goes on with the training, for its status; empty where it is not known.
        team: the processes that train together.
        norms: of which clips BatchNorm takes its statistics where several train; 'all', or 'process' for its own.
        fast: what is compiled or computed again.
    """

    recipe: Recipe
    data: Loaded
    run: RunFolder
    context: TrainingContext
    digest: str
    meter: Callable[[], Meter | None]
    identity: Callable[[Phase], dict[str, Any]]
    accelerator: str = "auto"
    console: Shown = None
    after_epoch: Callable[[Method[Any], int], Mapping[str, float]] | None = None
    logger: str = "tensorboard"
    again: str = ""
    team: Team = field(default_factory=Team)
    norms: str = "all"
    fast: Fast = field(default_factory=Fast)

    def folder(self, phase: Phase) -> Path:
        """The phase's folder."""
        return self.run.phase(self.recipe.number(phase), phase.name)


def train(job: Job) -> Trained:
    """Trains every phase that is not finished yet.

    Raises:
        InterruptedRunError: the user stopped the run; it can be resumed.
        TrainingError: a loss that is not finite, or a collapse.
        StorageError: the disk is full.
        WorkerError: a process that read for the training was killed, or did nothing any more.
        RankLostError: another of the processes that train together ended.
    """
    run = job.run
    if not job.team.first:
        with stop_on_signal() as stop, _in_our_words(run.path):
            return _train_phases(job, stop)
    with stop_on_signal() as stop:
        run.update_status(state="running", error=None, **({"resume": job.again} if job.again else {}))
        began, earlier = time.monotonic(), float(run.read("status.json").get("seconds", 0.0))
        ending: dict[str, Any] = {"state": "failed", "error": None}
        try:
            with _in_our_words(run.path):
                trained = _train_phases(job, stop)
            ending["state"] = "done"
        except InterruptedRunError as stopped:
            ending = {"state": "interrupted", "error": stopped.message}
            raise
        except BaseException as failure:
            ending["error"] = failure_line(failure)
            raise
        finally:
            run.update_status(**ending, seconds=earlier + time.monotonic() - began)
    return trained


def _train_phases(job: Job, stop: Callable[[], bool]) -> Trained:
    run = job.run
    steps, seconds, loss = 0, 0.0, None
    for phase in job.recipe.phases:
        done = str((job.folder(phase) / "phase.json").relative_to(run.path))
        if run.read(done).get("state") != "done":
            if job.team.agreed_now(stop()):
                raise InterruptedRunError(
                    f"Stopped before the phase '{phase.name}'; everything is saved.",
                    "Run the same command with --resume to go on exactly there.",
                )
            if job.team.first:
                run.update_status(phase=phase.name)
            _train_phase(job, phase, stop)
            job.team.wait()
        record = run.read(done)
        steps, seconds, loss = steps + record["steps"], seconds + record["seconds"], record["loss"]
    return Trained(sum(phase.epochs for phase in job.recipe.phases), steps, seconds, loss)


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    """Says what others raise where a training in ``folder`` ends, as errors of ours."""
    try:
        yield
    except (StopNow, KeyboardInterrupt) as stopped:
        raise stopped_at_once() from stopped
    except torch.cuda.OutOfMemoryError as failure:
        raise out_of_memory(failure) from failure
    except RuntimeError as failure:
        lost = lost_worker(failure) or lost_rank(failure)
        if lost is None:
            raise
        raise lost from failure
    except OSError as failure:  # of a logger, for instance
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise storage_error(folder, failure) from failure


def out_of_memory(failure: torch.cuda.OutOfMemoryError) -> TrainingError:
    """The error for a GPU whose memory is full."""
    return TrainingError(
        f"The GPU's memory is full: {str(failure).splitlines()[0]}",
        "Try a smaller batch_size, clip.size or precision 16-mixed.",
    )


def _train_phase(job: Job, phase: Phase, stop: Callable[[], bool]) -> None:
    """Trains one phase from its beginning, or from its last checkpoint, to its end."""
    from kinema.training.loop import PhaseLoop

    recipe, folder = job.recipe, job.folder(phase)
    method = build_method(recipe, phase, job.context)
    method.start({view: read_tower(tower_of(name, view, recipe, job.run)) for view, name in phase.start.items()})
    if not (folder / "checkpoint.pt").exists():  # what is resumed has its weights, wherever the file is now
        start_from_weights(method, recipe, phase)
    data = phase_data(recipe, phase, job.data, job.run.path / "failures.jsonl")
    title = f"{recipe.number(phase)} of {len(recipe.phases)} · {phase.name}"
    with (
        PhaseDisplay(title, phase.epochs, job.console, recipe.data.unit) as display,
        quiet_lightning(),
        fast_arithmetic(job.accelerator, recipe.precision),
    ):
        runtime = PhaseRuntime(
            folder=folder,
            identity={**job.identity(phase), "data": job.digest},
            data=data,
            meter=job.meter(),
            display=display,
            stop=stop,
            after_epoch=job.after_epoch,
            team=job.team,
            fast=job.fast,
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        loop = PhaseLoop(make_fabric(job.accelerator, recipe.precision), method, recipe, phase, runtime, job.norms)
        loop.restore()
        if loop.progress.epoch < phase.epochs:
            _fit(job, phase, loop)
    if not job.team.first:
        return
    for name, part in method.parts().items():
        write_tower(folder / f"{name}.safetensors", part)
    write_json(folder / "phase.json", _phase_record(job, phase, loop))


def phase_data(recipe: Recipe, phase: Phase, data: Loaded, ledger: Path | None) -> DataModule:
    """The data of a phase.

    Args:
        recipe: gives the batch, of which each process has its part, and the seed.
        phase: one of its phases.
        data: the rows.
        ledger: where rows that cannot be read are listed; None for nowhere.
    """
    seed = seed_at(recipe.seed, "sample", phase.name)
    return data.module(phase.needs, batch_size=recipe.batch_size // world_size(), seed=seed, ledger=ledger)


def _fit(job: Job, phase: Phase, loop: PhaseLoop) -> None:
    """Runs the epochs that are left, with their curves."""
    curves = open_logger(job.logger, job.run.path, phase.name)
    with closing(curves) if curves is not None else nullcontext():
        loop.curves = curves
        loop.run()


def _phase_record(job: Job, phase: Phase, loop: PhaseLoop) -> dict[str, Any]:
    """What phase.json says of a finished phase."""
    method, progress = loop.method, loop.progress
    rows = [row for row in job.run.metrics(job.folder(phase)) if row["event"] == "epoch"]
    return {
        "name": phase.name,
        "method": type(method).__name__,
        "view": method.view,
        "guide": getattr(method, "guide", None),
        "trains": list(method.trains),
        "epochs": phase.epochs,
        "steps": progress.step,
        "clips": progress.clips,
        "seconds": progress.seconds,
        "data_wait": progress.waited / max(progress.seconds, 1e-9),
        "device_busy": loop.clock.share(),
        "loss": rows[-1]["loss"] if rows else None,
        "state": "done",
    }


def start_from_weights(method: Method[Any], recipe: Recipe, phase: Phase) -> bool:
    """Loads the recipe's file of weights into the encoders that the phase begins; says whether there was one.

    Args:
        method: the phase's, freshly built.
        recipe: names the file.
        phase: which views start from an earlier phase, and so not from the file.

    Raises:
        CheckpointError: the file cannot be read, or keys or shapes other than the channels taken in do not fit.
    """
    begun = False
    for view in method.trains if recipe.weights else ():
        if view in phase.start:
            continue
        begun |= recipe.encoder.load_weights(view, method.towers()[view], Path(recipe.weights))
    if begun:
        method.started()
    return begun


def check_weights(recipe: Recipe, context: TrainingContext) -> None:
    """Refuses a file of weights that does not fit, before anything is written.

    Raises:
        ConfigError: no encoder would start from it, or it is of a network that the recipe does not have.
        CheckpointError: it cannot be read, or keys or shapes do not fit; they are named.
    """
    if not recipe.weights:
        return
    used = [start_from_weights(build_method(recipe, phase, context), recipe, phase) for phase in recipe.phases]
    if not any(used):
        raise ConfigError(
            f"No encoder of the recipe starts from the weights '{recipe.weights}'.",
            "They are of another view (rgb and residual have 3 channels, motion 2), or every phase has a start.",
        )


def check_memory(phase: Phase, recipe: Recipe, data: Loaded) -> None:
    """Refuses a phase that would be over before its queue is full, and so learn nothing.

    Args:
        phase: the phase.
        recipe: gives the batch.
        data: the rows.

    Raises:
        ConfigError: names the clips that it would see and the size of its queue.
    """
    queue = getattr(phase.method, "warm_up_clips", 0)
    if not queue:
        return
    seen = phase.epochs * phase_data(recipe, phase, data, None).batches * recipe.batch_size
    if seen <= queue:
        largest = (seen - 1) // recipe.batch_size * recipe.batch_size
        smaller = (
            f"Set method.queue below {seen} (in batches of {recipe.batch_size}: {largest} at most), or leave it out, "
            "so that it follows the size of the set; or "
        )
        raise ConfigError(
            f"The phase '{phase.name}' sees {seen} {recipe.data.unit} in {phase.epochs} epochs, and its queue holds "
            f"{queue}: it would end before the queue is full, and nothing is learnt before that.",
            f"{smaller}set more epochs or clips_per_video." if largest else "Set more epochs or clips_per_video.",
        )


def tower_of(source: str, view: str, recipe: Recipe, run: RunFolder) -> Path:
    """The weights that a phase starts from.

    Args:
        source: an earlier phase's name, or a folder of a phase of another run, absolute or relative to this run.
        view: whose tower.
        recipe: names the phases.
        run: has their folders.

    Raises:
        ConfigError: there is no such phase or folder.
    """
    for phase in recipe.phases:
        if phase.name == source:
            return run.phase(recipe.number(phase), phase.name) / f"tower-{view}.safetensors"
    folder = run.path / source
    if not folder.is_dir():
        names = ", ".join(phase.name for phase in recipe.phases)
        raise ConfigError(
            f"A phase starts its view '{view}' from '{source}', which is neither a phase of the recipe ({names}) "
            "nor a folder.",
            "Name an earlier phase, or the folder RUN/phases/NN-NAME of another run.",
        )
    return folder / f"tower-{view}.safetensors"

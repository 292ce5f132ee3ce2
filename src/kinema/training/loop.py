"""One phase of a run, trained: augment, loss, backward, step, commit, in this order and nowhere else.

Lightning Fabric brings devices and precision. It is not asked to remember anything: ``checkpoints.Progress`` and the
checkpoint hold all of it. Importing it takes a while, so nothing that does not train imports this module.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kinema.core.errors import CheckpointError, ShapeError
from kinema.core.files import open_plain, storage_error
from kinema.core.method import Method, Refreshed
from kinema.core.ops import all_gather_rows, mean_over_ranks, world_size
from kinema.core.seeds import generator_at
from kinema.training.checkpoints import Checkpoint, Progress
from kinema.training.engine import Objective, as_wide
from kinema.training.loggers import Curves
from kinema.training.phase import InterruptedRunError, PhaseRuntime, make_optimiser
from kinema.training.prefetch import BusyClock, ahead
from kinema.training.settings import Phase, Recipe
from kinema.training.team import Team
from kinema.training.watch import CollapseWatch, FiniteWatch, WaitTimer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

LOG_EVERY = 10


class PhaseLoop:
    """Trains one method for one phase; all of its state goes into one checkpoint.

    Args:
        fabric: the device and the precision; see :func:`kinema.training.engine.make_fabric`.
        method: what is trained; moved to the device.
        recipe: gives seed and limits.
        phase: gives optimiser and epochs.
        runtime: what the trainer gives.
        norms: see :class:`kinema.training.engine.Objective`.
    """

    def __init__(
        self,
        fabric: Fabric,
        method: Method[Any],
        recipe: Recipe,
        phase: Phase,
        runtime: PhaseRuntime,
        norms: str = "all",
    ) -> None:
        self.fabric, self.method, self.recipe, self.phase, self.runtime = fabric, method, recipe, phase, runtime
        self.objective = Objective(fabric, method, norms)
        runtime.fast.prepare(method)
        self.optimiser = make_optimiser(method, phase.optimiser)
        self.stepping: Any = fabric.setup_optimizers(self.optimiser)
        self.clock = BusyClock(fabric.device)
        self.curves: Curves | None = None
        self.progress = Progress()
        self.finite = FiniteWatch(LOG_EVERY)
        self.collapse = CollapseWatch(recipe.collapse_rank)
        self._timer: WaitTimer[Any] = WaitTimer(())
        self._last = self._saved = time.perf_counter()
        self._waited = 0.0
        self._window_loss: float | None = None
        self._logger_failed = False

    def run(self) -> None:
        """Trains the epochs that are left."""
        self.begin()
        while self.progress.epoch < self.phase.epochs:
            with closing(self._batches()) as batches:
                for raw in batches:
                    self.step(raw)
            self.end_epoch()

    def step(self, raw: Any) -> None:
        """One step: augment, loss, backward, optimiser, commit."""
        p, seed, name = self.progress, self.recipe.seed, self.phase.name
        self.clock.begin()
        self.method.train()
        augment = generator_at(seed, "augment", name, p.step, 0)
        batch = self.runtime.data.batch(self.fabric.to_device(raw), augment, labels=self.method.needs.labels)
        with self.fabric.autocast():
            losses = self.objective(as_wide(batch, self.method), generator_at(seed, "loss", name, p.step))
            if losses.ready:
                self.learn(losses.total, p.epoch + (p.batch + 1) / self.runtime.data.batches)
                self.finite.add(p.step, mean_over_ranks(losses.total))
                if losses.embeddings is not None:
                    self.collapse.add(all_gather_rows(losses.embeddings))
            try:
                self.method.commit(losses)
            except ShapeError:
                self.finite.flush()  # a loss that is not finite says more than the features that it spoilt
                raise
        if losses.mined is not None and self.runtime.meter is not None:
            self.runtime.meter.update(all_gather_rows(batch.index), all_gather_rows(losses.mined))
        self.clock.end()
        p.step, p.batch, p.clips = p.step + 1, p.batch + 1, p.clips + len(batch) * world_size()
        self._after_step(losses.terms)

    def learn(self, total: Tensor, epoch: float) -> None:
        """Backward and the optimiser's step, at the learning rate of this moment.

        Args:
            total: the loss.
            epoch: where the training is, in epochs.
        """
        config = self.phase.optimiser
        rounds = [number for number in range(self.phase.epochs) if self.method.refreshes(number)]
        rate = config.rate(epoch, self.phase.epochs, rounds)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        if config.clip_norm:
            self.fabric.clip_gradients(self.method, self.stepping, max_norm=config.clip_norm, error_if_nonfinite=False)
        self.stepping.step()

    def _batches(self) -> Generator[Any, None, None]:
        """The rest of the epoch that is under way; time between epochs is not the training's."""
        raw = self.runtime.data.loader(self.progress.epoch, self.progress.batch)
        self._timer = WaitTimer(ahead(raw, self.fabric.device))
        self.clock.restart()
        self._last, self._waited = time.perf_counter(), 0.0
        return iter(self._timer)

    # What is kept

    @property
    def team(self) -> Team:
        """The processes that train together."""
        return self.runtime.team

    @property
    def checkpoint_path(self) -> Path:
        """The phase's checkpoint."""
        return self.runtime.folder / "checkpoint.pt"

    @property
    def metrics_path(self) -> Path:
        """The phase's metrics, a line of JSON each."""
        return self.runtime.folder / "metrics.jsonl"

    def restore(self) -> None:
        """Resumes from the phase's checkpoint, if there is one; removes metrics that were written after it."""
        if self.checkpoint_path.exists():
            checkpoint = Checkpoint.read(self.checkpoint_path, self.runtime.identity)
            self._check(checkpoint)
            checkpoint.restore(self.method, self.optimiser)
            self.progress = checkpoint.progress
            checkpoint.meter("collapse", self.collapse.restore)
            if self.runtime.meter is not None:
                checkpoint.meter("mining", self.runtime.meter.restore)
        if self.metrics_path.exists() and self.team.first:
            with open_plain(self.metrics_path, "r+b") as file:
                file.truncate(self.progress.metrics_bytes)

    def _check(self, checkpoint: Checkpoint) -> None:
        """Raises a CheckpointError where the counters cannot be those of this phase."""
        p, batches = checkpoint.progress, self.runtime.data.batches
        length = self.metrics_path.stat().st_size if self.metrics_path.exists() else 0
        if p.step != p.epoch * batches + p.batch or p.epoch > self.phase.epochs or p.metrics_bytes > length:
            raise CheckpointError(
                f"'{checkpoint.path}' does not fit its phase: {p.epoch} epochs, {p.batch} batches and {p.step} steps "
                f"of {self.phase.epochs} epochs of {batches} batches, and {p.metrics_bytes} bytes of metrics.jsonl, "
                f"which has {length}.",
                "One of the two files is damaged. Delete the phase's folder to train that phase again.",
            )

    def save(self) -> None:
        """Writes the checkpoint, atomically; of several processes the first does."""
        self._settle()
        self._saved = time.perf_counter()
        if not self.team.first:
            return
        meters: dict[str, Any] = {"collapse": self.collapse.state()}
        if self.runtime.meter is not None:
            meters["mining"] = self.runtime.meter.state()
        optimiser = self.optimiser.state_dict()
        Checkpoint(self.runtime.identity, self.progress, self.method.state_dict(), optimiser, meters).write(
            self.checkpoint_path
        )
        self._saved = time.perf_counter()

    # Before, between and after

    def begin(self) -> None:
        """Lets a method that refreshes begin with the features of untrained, or inherited, networks."""
        if self.progress.step == 0:
            self._refresh(0)

    def _after_step(self, terms: Mapping[str, Tensor]) -> None:
        now, p = time.perf_counter(), self.progress
        p.seconds, p.waited = p.seconds + now - self._last, p.waited + self._timer.waited - self._waited
        self._last, self._waited = now, self._timer.waited
        if p.step % LOG_EVERY == 0:
            self._log_step(terms)
        self.runtime.display.update(p, self.runtime.data.batches, self._window_loss)
        if p.batch >= self.runtime.data.batches:
            return  # the end of the epoch writes its own checkpoint
        stopping, due = self.team.agreed(self.runtime.stop(), now - self._saved >= self.recipe.checkpoint_seconds)
        if stopping or due:
            self.save()
        if stopping:
            raise InterruptedRunError(
                f"Stopped in epoch {p.epoch + 1}, batch {p.batch} of {self.runtime.data.batches}; everything is saved.",
                "Run the same command with --resume to go on exactly here.",
            )

    def end_epoch(self) -> None:
        """Writes the epoch's figures, lets the method refresh if there is another epoch, saves."""
        p = self.progress
        losses_seen = self._settle() or p.loss_count
        row = self._row("epoch", self._mean_loss() if losses_seen else None)
        if self.runtime.meter is not None:
            row |= self.runtime.meter.figures()
            self.runtime.meter.reset()
        rank = self.collapse.look(p.step, judge=p.epoch > 0)
        if rank is not None:
            row["effective_rank"] = rank
        if self.runtime.after_epoch is not None:
            row |= self.runtime.after_epoch(self.method, p.epoch)
        self._write(row)
        self._log(row)
        if p.epoch + 1 < self.phase.epochs:
            self._refresh(p.epoch + 1)
        p.epoch, p.batch, p.loss_sum, p.loss_count = p.epoch + 1, 0, 0.0, 0
        self.save()
        self.runtime.display.epoch(row)
        # where an epoch is one batch, nothing else asks
        if p.epoch < self.phase.epochs and self.team.agreed_now(self.runtime.stop()):
            raise InterruptedRunError(
                f"Stopped after epoch {p.epoch} of {self.phase.epochs}; everything is saved.",
                "Run the same command with --resume to go on exactly here.",
            )

    def _refresh(self, epoch: int) -> None:
        """Gives the method the features of all rows; drops the optimiser state of parameters that it drew again."""
        if not self.method.refreshes(epoch):
            return
        refreshed = self.method.refresh(self._features()) or Refreshed()
        self.team.share_state(self.method)
        for parameter in refreshed.renewed:
            self.optimiser.state.pop(parameter, None)
        if refreshed.figures:
            row = {"phase": self.phase.name, "event": "refresh", "epoch": epoch, "step": self.progress.step}
            self._write(row | dict(refreshed.figures))
            self._log(refreshed.figures)

    def _features(self) -> Mapping[str, Tensor]:
        """The features of all rows, which the first process makes for all."""
        data, method = self.runtime.data, self.method
        if self.team.size == 1:
            return data.features(method)
        made = {name: x.cpu() for name, x in data.features(method).items()} if self.team.first else None
        shared: Mapping[str, Tensor] = self.team.same(made)
        return shared

    # Figures

    def _settle(self) -> int:
        """Reads the losses since the last time into the epoch's sum."""
        losses = self.finite.flush()
        for loss in losses:
            self.progress.loss_sum += loss
        self.progress.loss_count += len(losses)
        if losses:
            self._window_loss = sum(losses) / len(losses)
        return len(losses)

    def _mean_loss(self) -> float:
        return self.progress.loss_sum / max(self.progress.loss_count, 1)

    def _row(self, event: str, loss: float | None) -> dict[str, Any]:
        p = self.progress
        return {
            "phase": self.phase.name,
            "event": event,
            "epoch": p.epoch,
            "step": p.step,
            "loss": loss,
            "lr": self.optimiser.param_groups[-1]["lr"],
            "clips_per_second": p.clips / p.seconds if p.seconds else None,
            "data_wait": p.waited / p.seconds if p.seconds else None,
            "device_busy": self.clock.share(),
        }

    def _log_step(self, terms: Mapping[str, Tensor]) -> None:
        self._settle()
        row = self._row("step", self._mean_loss() if self.progress.loss_count else None)
        names = sorted(terms)
        values = mean_over_ranks(torch.stack([terms[name].float() for name in names])).tolist() if names else []
        found = dict(zip(names, values, strict=True))
        row |= {name: found[name] for name in terms}
        self._write(row)
        self._log(row)

    def _write(self, row: Mapping[str, Any]) -> None:
        if not self.team.first:
            return
        plain = {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in row.items()}
        line = (json.dumps(plain, allow_nan=False) + "\n").encode()
        try:
            with open_plain(self.metrics_path, "ab") as file:
                file.write(line)
        except OSError as error:
            raise storage_error(self.metrics_path, error) from error
        self.progress.metrics_bytes += len(line)

    def _log(self, row: Mapping[str, Any]) -> None:
        numbers = {f"{self.phase.name}/{k}": v for k, v in row.items() if isinstance(v, int | float)}
        if self.curves is None or self._logger_failed:
            return
        try:
            self.curves.add(numbers, self.progress.step)
        except (
            Exception
        ) as error:  # a tracking server may fail in any way, and a training is worth more than its curves
            self._logger_failed = True
            log.warning("The logger failed and is left alone; metrics.jsonl has every figure: %s", error)

"""What is watched while a method trains: time, finite losses, and whether the representation still has directions."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from kinema.core.errors import TrainingError
from kinema.core.ops import effective_rank

T = TypeVar("T")


class WaitTimer(Generic[T]):
    """Wraps an iterable and counts the seconds spent waiting for its items."""

    def __init__(self, items: Iterable[T]) -> None:
        self.items = items
        self.waited = 0.0

    def __len__(self) -> int:
        return len(self.items)  # type: ignore[arg-type]

    def __iter__(self) -> Generator[T, None, None]:
        iterator = iter(self.items)
        while True:
            began = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.waited += time.perf_counter() - began
            yield item


class FiniteWatch:
    """Stops a run at a loss that is not finite, naming the step. Losses are read together, to spare a GPU the wait."""

    def __init__(self, every: int) -> None:
        self.every = every
        self._steps: list[int] = []
        self._losses: list[Tensor] = []
        self._read: list[float] = []

    def add(self, step: int, loss: Tensor) -> None:
        """Remembers a step's loss and looks at those so far when there are enough.

        Raises:
            TrainingError: a loss is NaN or infinite.
        """
        self._steps.append(step)
        self._losses.append(loss.detach())
        if len(self._losses) >= self.every:
            self._look()

    def flush(self) -> list[float]:
        """All losses since the last time that this was called.

        Raises:
            TrainingError: one of them is NaN or infinite.
        """
        self._look()
        read, self._read = self._read, []
        return read

    def _look(self) -> None:
        if not self._losses:
            return
        steps, losses = self._steps, torch.stack(self._losses).tolist()
        self._steps, self._losses = [], []
        for step, loss in zip(steps, losses, strict=True):
            if loss != loss or loss in (float("inf"), float("-inf")):
                raise TrainingError(
                    f"The loss is {loss} at step {step}.",
                    "Try a lower optimiser.lr, more optimiser.warmup_epochs, optimiser.clip_norm 1, "
                    "or precision 32-true.",
                )
        self._read += losses


class CollapseWatch:
    """Keeps the latest projections and stops a run whose projections all point one way.

    Each batch is judged by itself: a network that moves gives batches of different steps different directions, even
    where it maps everything in a batch to one point.

    Args:
        rows: projections that each check uses, of whole batches.
        least: effective rank below which the representation counts as collapsed.
        patience: looks in a row that must say so; a network's first steps may look like a collapse.
    """

    def __init__(self, least: float, rows: int = 512, patience: int = 3) -> None:
        self.least, self.rows, self.patience = least, rows, patience
        self._projections: list[Tensor] = []
        self.low = 0

    def add(self, embeddings: Tensor) -> None:
        """Remembers a batch of projections, [B, d]."""
        self._projections.append(embeddings.detach())
        while sum(len(z) for z in self._projections[1:]) >= self.rows:
            self._projections.pop(0)

    def state(self) -> dict[str, object]:
        """The state for a checkpoint."""
        return {"kept": [z.cpu() for z in self._projections], "low": self.low}

    def restore(self, state: dict[str, object]) -> None:
        """Restores what :meth:`state` returned.

        Raises:
            ValueError: it is something else.
        """
        kept, low = state["kept"], state["low"]
        if not isinstance(kept, list) or not all(isinstance(z, Tensor) and z.ndim == 2 for z in kept):
            raise ValueError("it holds no projections")
        if len({z.shape[1] for z in kept}) > 1 or not isinstance(low, int):
            raise ValueError("its projections are of several widths, or its count is no number")
        self._projections, self.low = list(kept), low

    def look(self, step: int, judge: bool) -> float | None:
        """The effective rank within a batch now, the mean of the latest; with ``judge``, it counts towards a verdict.

        Returns:
            The rank, at most the rows of a batch; None where no batch of two rows or more was seen.

        Raises:
            TrainingError: the rank has been too low too often.
        """
        ranks = [float(effective_rank(z)) for z in self._projections if len(z) > 1]
        if not ranks:
            return None
        rank = sum(ranks) / len(ranks)
        if not judge:
            return rank
        self.low = self.low + 1 if rank < self.least else 0
        if self.low >= self.patience:
            raise TrainingError(
                f"The representation has collapsed: at step {step} the effective rank of the projections of a batch "
                f"is {rank:.2f}, below {self.least}.",
                "Everything looks alike to the network. Try a lower optimiser.lr, a larger batch or queue, stronger "
                "augmentation, or lower collapse_rank if this is what you want.",
            )
        return rank

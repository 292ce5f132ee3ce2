"""How good the mined positives of an epoch were (Wu et al. 2022, the metrics of section 4).

Labels are used for this measurement only, never for mining.

    mining precision     of all mined entries, the fraction of their query's class; the paper's "positive mining
                         recall" (PMR), which is a precision
    mining R@1           of the queries that mined anything, the fraction whose best entry has their class
    class mining recall  for a class, the distinct source groups (recordings) of that class that queries of that class
                         mined over the epoch, ÷ all groups of that class; the median over classes is the headline

The method leaves out a query's own key and its siblings before it mines, so nothing of that is done here; a class of
a single recording therefore has a recall of 0. An entry of -1 says that there was nothing to mine. It counts in no
denominator, and neither does a pair of which one video has no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinema.core.errors import CheckpointError, DataError, ShapeError
from kinema.evaluation.labels import LABELS_HINT, Vector, whole_numbers

HELD = 10
"""Steps whose finds stay on a GPU until they are counted together."""


@dataclass(frozen=True)
class MiningFigures:
    """What an epoch mined; all figures are fractions of 1.

    Args:
        precision: mining precision over all counted entries (alias PMR).
        recall_at_1: mining R@1.
        class_recall_median: class mining recall, median over the classes (the mean of the middle two of an even
            number).
        class_recall_mean: its mean.
        class_recall_std: its standard deviation over the classes (of the population: divided by their number).
        per_class: by class name, 'precision' (None where the class mined nothing) and 'recall'.
        entries: how many mined entries were counted.
    """

    precision: float
    recall_at_1: float
    class_recall_median: float
    class_recall_mean: float
    class_recall_std: float
    per_class: Mapping[str, Mapping[str, float | None]]
    entries: int

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures by the names they have in a run's metrics."""
        return {
            "mining_precision": self.precision,
            "mining_r@1": self.recall_at_1,
            "class_mining_recall_median": self.class_recall_median,
            "class_mining_recall_mean": self.class_recall_mean,
            "class_mining_recall_std": self.class_recall_std,
            "mining_per_class": {name: dict(figures) for name, figures in self.per_class.items()},
        }


class MiningMeter:
    """Gathers what is mined over one epoch.

    Args:
        labels: whole numbers [N], the class of every row of the manifest; -1 leaves a row out, as if it were not there.
        sources: whole numbers [N], the recording of every row.
        names: the classes' names by label; the labels themselves where they are not given.

    Raises:
        DataError: no row has a label.
        ShapeError: labels and sources differ in number, or a label has no name.
    """

    def __init__(self, labels: Vector | None, sources: Vector, names: Sequence[str] | None = None) -> None:
        known = whole_numbers([] if labels is None else labels, "labels")
        recordings = whole_numbers(sources, "sources")
        used = (known >= 0).nonzero()[:, 0]
        if len(used) == 0:
            raise DataError("No video has a label; the mining figures compare classes and need them.", LABELS_HINT)
        if len(known) != len(recordings):
            raise ShapeError(f"There are {len(known)} labels and {len(recordings)} sources.")
        if names is not None and int(known.max()) >= len(names):
            raise ShapeError(f"Label {int(known.max())} has no name; there are {len(names)} names.")
        pairs = torch.stack([known[used], recordings[used]], dim=1)
        groups, group = torch.unique(pairs, dim=0, return_inverse=True)
        classes, self._group_class = torch.unique(groups[:, 0], return_inverse=True)
        self._names = [str(c) if names is None else names[c] for c in classes.tolist()]
        self._group = torch.full((len(known),), -1).index_put((used,), group)
        self._class = torch.full((len(known),), -1).index_put((used,), self._group_class[group])
        self.reset()

    def reset(self) -> None:
        """Forgets what was mined: a new epoch."""
        self._found = torch.zeros(len(self._group_class), dtype=torch.bool)
        self._right = torch.zeros(len(self._names), dtype=torch.int64)
        self._counted = torch.zeros(len(self._names), dtype=torch.int64)
        self._first = torch.zeros(2, dtype=torch.int64)
        self._held: list[tuple[Tensor, Tensor]] = []

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        self._settle()
        names = ("found", "right", "counted", "first")
        return {name: getattr(self, f"_{name}").clone() for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Restores a :meth:`state`.

        Raises:
            CheckpointError: the state is of other data.
        """
        for name, value in self.state().items():
            if name not in state or state[name].shape != value.shape:
                raise CheckpointError(
                    f"The checkpoint's mining figures ('{name}') are of other videos or classes than these.",
                    "Resume a run on the data that it was started with.",
                )
        for name in self.state():
            setattr(self, f"_{name}", state[name].cpu().clone())

    def update(self, index: Tensor, mined: Tensor) -> None:
        """Takes what one step mined.

        Args:
            index: int64 [B], the manifest rows of the queries.
            mined: int64 [B, k], the manifest rows of what they mined, best first; -1 for none.

        Raises:
            ShapeError: the shapes do not fit, or a row is not one of the manifest's.
        """
        if index.is_cuda:  # several steps are read together, to spare a GPU the wait
            self._held.append((index.detach(), mined.detach()))
            if len(self._held) >= HELD:
                self._settle()
            return
        self._count(index.detach(), mined.detach())

    def _settle(self) -> None:
        """Counts what is still on a GPU."""
        held, self._held = self._held, []
        for index, mined in held:
            self._count(index.cpu(), mined.cpu())

    def _count(self, index: Tensor, mined: Tensor) -> None:
        if index.dim() != 1 or mined.dim() != 2 or len(index) != len(mined):
            raise ShapeError(f"index is {tuple(index.shape)}, mined {tuple(mined.shape)}; expected [B] and [B, k].")
        n = len(self._class)
        for name, rows, lowest in (("index", index, 0), ("mined", mined, -1)):
            wrong = rows[(rows < lowest) | (rows >= n)]
            if len(wrong):
                raise ShapeError(f"{name} holds row {int(wrong[0])}, but the manifest has {n} rows.")
        ours = self._class[index][:, None].expand_as(mined)
        theirs = torch.where(mined >= 0, self._class[mined.clamp_min(0)], -1)
        there = (ours >= 0) & (theirs >= 0)
        right = there & (ours == theirs)
        self._right += torch.bincount(ours[right], minlength=len(self._names))
        self._counted += torch.bincount(ours[there], minlength=len(self._names))
        self._found[self._group[mined[right]]] = True
        self._first += torch.stack([right[:, :1].sum(), there[:, :1].sum()])

    def measure(self) -> MiningFigures | None:
        """The figures of all updates since the last reset; None where no entry could be counted."""
        self._settle()
        entries, firsts = int(self._counted.sum()), int(self._first[1])
        if not entries:
            return None
        number = len(self._names)
        found = torch.bincount(self._group_class[self._found], minlength=number)
        recall = (found.double() / torch.bincount(self._group_class, minlength=number)).numpy()
        per_class: dict[str, dict[str, float | None]] = {}
        for name, right, counted, share in zip(
            self._names, self._right.tolist(), self._counted.tolist(), recall.tolist(), strict=True
        ):
            per_class[name] = {"precision": right / counted if counted else None, "recall": share}
        return MiningFigures(
            precision=int(self._right.sum()) / entries,
            recall_at_1=int(self._first[0]) / firsts if firsts else 0.0,
            class_recall_median=float(np.median(recall)),
            class_recall_mean=float(recall.mean()),
            class_recall_std=float(recall.std()),
            per_class=per_class,
            entries=entries,
        )

    def figures(self) -> dict[str, Any]:
        """:meth:`measure` by the names of a run's metrics; empty where no entry could be counted."""
        measured = self.measure()
        return {} if measured is None else measured.metrics

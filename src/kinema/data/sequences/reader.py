"""A trained model of one activity in a user's hands: what ``kinema.load`` gives of a run on sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, UsageError
from kinema.core.reader import Reader
from kinema.data.sequences.config import Frames, SequencesConfig, normalised
from kinema.data.sequences.files import rows_at_once
from kinema.data.sequences.table import Sequences

NONE = -1
"""The step of a frame that belongs to none."""

Fitting = TypeVar("Fitting", NDArray[Any], Frames)

_TAKES = "A model of sequences takes features: encode(array [T, F]), or a list of such arrays."


@dataclass(frozen=True)
class Segmented:
    """The steps of one sequence.

    Args:
        steps: int64 [T], the step of each frame from 0; -1 for none.
        shares: float32 [T], how surely each frame is of its step, from 0 to 1.
    """

    steps: NDArray[np.int64]
    shares: NDArray[np.float32]


class SequenceReader(Reader):
    """A network of frames with the steps of an activity.

    Args:
        tower: a ``kinema.methods.tot.SegmentTower``.
        view: the activity.
        config: how features are read.
        name: what made it: 'tot' or 'asot'.
        run: the run's folder, None where there is none.
        seed: the run's seed.
        run_digest: gives the SHA-256 of the weights that the run keeps.
    """

    modality, unit = "sequence", "sequences"

    def __init__(
        self,
        tower: Any,
        view: str,
        config: SequencesConfig,
        *,
        name: str,
        run: Path | None = None,
        seed: int = 0,
        run_digest: Callable[[], str] | None = None,
    ) -> None:
        self.tower = tower.eval().requires_grad_(False)
        self.view, self.config, self.name, self.run, self.seed = view, config, name, run, seed
        self._digest = run_digest

    @property
    def activity(self) -> str:
        """The activity that it was trained on; empty for a model of all videos."""
        return str(self.tower.config.activity)

    @property
    def dim(self) -> int:
        """Dimensions of a frame's embedding."""
        return int(self.tower.encoder.dim)

    @property
    def features(self) -> int:
        """F, features of a frame that it takes."""
        return int(self.tower.encoder.channels)

    @property
    def clusters(self) -> int:
        """K, the steps of the activity."""
        return int(self.tower.config.clusters)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights that the run keeps; empty without a run."""
        return self._digest() if self._digest is not None else ""

    def __repr__(self) -> str:
        return f"SequenceReader({self.name!r}, {self.view!r}, clusters={self.clusters}, dim={self.dim})"

    def encode(self, items: Any, *, device: str | None = None) -> Any:
        """Embeddings of frames: float32 [T, dim] of one sequence [T, F], a list of them of several.

        Args:
            items: an array [T, F], or several.
            device: where to compute; a GPU where there is one, by default.

        Raises:
            UsageError: it is something else.
            DataError: the features are of another width, or not finite.
        """
        frames, alone = self._frames(items)
        where = self._start(device)
        found = [self._encoded(each, where).cpu().numpy() for each in frames]
        return found[0] if alone else found

    def segment(
        self, items: Any, *, device: str | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Any:
        """The steps of one sequence [T, F], or of each of several.

        Where the model leaves some frames to no step (``method.tot.background``), these are the worst of all sequences
        that are given together.

        Args:
            items: an array [T, F], several of them, or frames that were opened already.
            device: where to compute; a GPU where there is one, by default.
            progress: is called with (sequences done, sequences).

        Raises:
            UsageError: it is something else.
            DataError: the features are of another width, or not finite.
        """
        frames, alone = self._frames(items)
        where = self._start(device)
        found, fits = [], []
        background = self.tower.config.tot.background if self.tower.config.form == "tot" else 0.0
        for done, each in enumerate(frames, 1):
            z = self._encoded(each, where)
            found.append(Segmented(*self.tower.segment(z)))
            if background:
                fits.append(self.tower.fit_of(z))
            if progress is not None:
                progress(done, len(frames))
        if background:
            least = np.quantile(np.concatenate(fits), background)
            found = [
                Segmented(np.where(fit < least, NONE, each.steps), each.shares)
                for each, fit in zip(found, fits, strict=True)
            ]
        return found[0] if alone else found

    def _encoded(self, frames: Frames, device: str) -> Tensor:
        found = []
        with torch.no_grad():
            rows = rows_at_once(self.features)
            for first in range(0, len(frames), rows):
                x = torch.from_numpy(frames.at(slice(first, first + rows))).to(device)
                found.append(self.tower.encode(x).float())
        return torch.cat(found)

    def _frames(self, items: Any) -> tuple[Sequence[Frames], bool]:
        if isinstance(items, Sequences):
            found: Iterable[Any] = (items.features(row) for row in range(len(items)))
            return [self._normalised(each, f"'{items.rows[row].name}'") for row, each in enumerate(found)], False
        if isinstance(items, np.ndarray | Tensor):
            return [self._normalised(_array(items), "the array")], True
        if isinstance(items, str | bytes | Path | Mapping) or not isinstance(items, Iterable):
            raise UsageError(f"A value of type {type(items).__name__} was given; features were expected.", _TAKES)
        several = list(items)
        return [
            self._fitting(each, f"sequence {number}")
            if isinstance(each, Frames)
            else self._normalised(_array(each), f"array {number}")
            for number, each in enumerate(several)
        ], False

    def _normalised(self, features: NDArray[np.floating], where: str) -> Frames:
        return normalised(self._fitting(features, where), self.config.normalize, where)

    def _fitting(self, features: Fitting, where: str) -> Fitting:
        """The features, which are [T, F] with the F that the model takes."""
        if features.ndim != 2 or not len(features) or features.shape[1] != self.features:
            raise DataError(
                f"The features of {where} are {tuple(features.shape)}; the model of '{self.view}' takes "
                f"[T, {self.features}].",
                "Make them by the network that the model was trained on.",
            )
        return features

    def _start(self, device: str | None) -> str:
        """Moves the tower to the device, whose name is returned."""
        where = self._device_for(device)
        self.tower.to(where)
        return where


def _array(item: Any) -> NDArray[np.floating]:
    if isinstance(item, Tensor):
        item = item.detach().cpu().numpy()
    if not isinstance(item, np.ndarray) or item.dtype.kind not in "fiu":
        raise UsageError(f"A value of type {type(item).__name__} was given; features were expected.", _TAKES)
    return item

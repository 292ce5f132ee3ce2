"""A trained model of people in a user's hands: what ``kinema.load`` gives of a run on tracklets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, UsageError
from kinema.core.ops import cosine_matrix
from kinema.core.reader import Reader
from kinema.data.pictures import claims_picture, read_picture, resized
from kinema.data.tracklets.config import TrackletsConfig, holds_features
from kinema.data.tracklets.drafts import natural
from kinema.data.tracklets.encoding import descriptors
from kinema.data.tracklets.frozen import FrozenNetwork, FrozenSource
from kinema.data.tracklets.store import ArrayFeatures, FileCrops, FrameSource
from kinema.data.tracklets.table import Tracklets

_TAKES = (
    "A tracklet is a folder of pictures, a list of their paths, or an array uint8 [T, H, W, 3]; several are a list of "
    "such."
)


class TrackletReader(Reader):
    """A network that makes one descriptor of each tracklet.

    Args:
        tower: a ``kinema.methods.trl.TrackletTower``.
        view: its name.
        config: how crops are read.
        name: what made it: 'trl'.
        run: the run's folder, None where there is none.
        seed: the run's seed.
        run_digest: gives the SHA-256 of the weights that the run keeps.
    """

    modality, unit = "tracklet", "tracklets"

    def __init__(
        self,
        tower: Any,
        view: str,
        config: TrackletsConfig,
        *,
        name: str,
        run: Path | None = None,
        seed: int = 0,
        run_digest: Callable[[], str] | None = None,
    ) -> None:
        self.tower = tower.eval().requires_grad_(False)
        self.view, self.config, self.name, self.run, self.seed = view, config, name, run, seed
        self._digest = run_digest
        self._network: FrozenNetwork | None = None

    @property
    def dim(self) -> int:
        """Dimensions of a descriptor."""
        return int(self.tower.dim)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights that the run keeps; empty without a run."""
        return self._digest() if self._digest is not None else ""

    def __repr__(self) -> str:
        return f"TrackletReader({self.name!r}, {self.view!r}, dim={self.dim})"

    def encode(self, items: Any, *, device: str | None = None, batch_size: int = 64) -> NDArray[np.float32]:
        """Descriptors of unit length: float32 [dim] of one tracklet, [N, dim] of several.

        Args:
            items: a folder of pictures, a list of their paths, an array uint8 [T, H, W, 3], or, for a model of features
                without a network of its own, a float array [T, F]: one tracklet; a list of such, or a table of
                tracklets: several.
            device: where to compute; a GPU where there is one, by default.
            batch_size: stretches of tracklets that are embedded together.

        Raises:
            UsageError: it is something else.
            DataError: a picture cannot be read, or features are of another width.
        """
        if isinstance(items, Tracklets):
            return self.features(items, device=device, batch_size=batch_size)
        tracklets, alone = _tracklets(items)
        found = self._descriptors(self._given(tracklets), len(tracklets), device, batch_size)
        return found[0] if alone else found

    similarity = staticmethod(cosine_matrix)

    def features(
        self,
        table: Tracklets,
        *,
        device: str | None = None,
        progress: Callable[[int, int], None] | None = None,
        batch_size: int = 64,
        cache: Path | None = None,
    ) -> NDArray[np.float32]:
        """Descriptors of all rows of a table, float32 [N, dim], of unit length, in the table's order.

        Args:
            table: the tracklets.
            device: where to compute; a GPU where there is one, by default.
            progress: is called with (tracklets done, tracklets).
            batch_size: stretches of tracklets that are embedded together.
            cache: where crops, and frozen features of them, are kept for the next time; None reads them as needed.

        Raises:
            DataError: a row cannot be read; the message names it.
        """
        bad = [row for row in table.rows if row.health != "ok"]
        if bad:
            named = ", ".join(f"'{row.name}' ({row.reason or row.health})" for row in bad[:5])
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise DataError(
                f"{len(bad)} of {len(table)} tracklets cannot be read: {named}{more}.",
                "Leave them out: table.usable().",
            )
        return self._descriptors(self._source(table, cache), len(table), device, batch_size, progress)

    def _descriptors(
        self,
        source: FrameSource,
        count: int,
        device: str | None,
        batch_size: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float32]:
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
        if not count:
            return np.zeros((0, self.dim), np.float32)
        self._fits(source)
        where = self._device_for(device)
        self.tower.to(where)
        return descriptors(self.tower, source, range(count), device=where, batch_size=batch_size, progress=progress)

    def _source(self, table: Tracklets, cache: Path | None) -> FrameSource:
        """The frames of a table as the tower takes them."""
        if holds_features(table):
            return ArrayFeatures(table)
        if cache is not None:
            return self.config.source(table, run=self.run, cache=cache)
        return self._frozen(lambda height, width: FileCrops(table, height, width))

    def _given(self, tracklets: Sequence[Any]) -> FrameSource:
        """The frames of what a user gave, as the tower takes them."""
        arrays = [isinstance(each, np.ndarray) and each.ndim == 2 for each in tracklets]
        if any(arrays):
            if not all(arrays):
                raise UsageError("Some tracklets are features and some are pictures.", _TAKES)
            return _Given(tuple(tracklets), (tracklets[0].shape[1],))
        return self._frozen(lambda height, width: _Given(tuple(tracklets), (3, height, width)))

    def _frozen(self, crops: Callable[[int, int], FrameSource]) -> FrameSource:
        """Crops of the size that is wanted, or the frozen features of them."""
        if not self.config.features:
            return crops(self.config.height, self.config.width)
        self._network = self._network or self.config.network(self.run)
        return FrozenSource(crops(self._network.height, self._network.width), self._network)

    def _fits(self, source: FrameSource) -> None:
        """Refuses what the tower does not take."""
        takes, shape = self.tower.takes, source.shape
        if takes[0] == "features" and shape != (takes[1],):
            what = f"{shape[0]} features" if len(shape) == 1 else "pictures"
            raise DataError(
                f"The model takes {takes[1]} features of each frame, and was given {what}.",
                "Make the features by the network that the model was trained on.",
            )
        if takes[0] == "crops" and len(shape) == 1:
            raise DataError(f"The model takes pictures, and was given {shape[0]} features of each frame.", _TAKES)


@dataclass(frozen=True)
class _Given:
    """Tracklets as a user gives them: paths of pictures, arrays of pictures, or features."""

    tracklets: tuple[Any, ...]
    shape: tuple[int, ...]

    def length(self, row: int) -> int:
        return len(self.tracklets[row])

    def read(self, row: int, places: NDArray[np.int64]) -> NDArray[Any]:
        given = self.tracklets[row]
        if len(self.shape) == 1:
            found = np.asarray(given[places], np.float32)
            if found.shape[1:] != self.shape or not np.isfinite(found).all():
                raise DataError(f"Array {row} is {given.shape}; finite numbers [T, {self.shape[0]}] were expected.")
            return found
        pictures = (given[at] for at in places.tolist())
        return np.stack(
            [
                resized(each if isinstance(each, np.ndarray) else read_picture(each), self.shape[1], self.shape[2])
                for each in pictures
            ]
        )


def _tracklets(items: Any) -> tuple[list[Any], bool]:
    """Each tracklet as a list of paths or an array; and whether one was given by itself.

    Raises:
        UsageError: it is something else.
        DataError: a folder has no pictures, or an array no frames.
    """
    if isinstance(items, str | Path | np.ndarray | Tensor):
        return [_tracklet(items)], True
    if isinstance(items, bytes | Mapping) or not isinstance(items, Iterable):
        raise UsageError(f"A value of type {type(items).__name__} was given; tracklets were expected.", _TAKES)
    several = list(items)
    paths = [isinstance(each, str | Path) and not Path(each).is_dir() for each in several]
    if several and all(paths):
        return [[Path(each) for each in several]], True
    if any(paths):
        raise UsageError("A list holds pictures beside folders or arrays.", _TAKES)
    return [_tracklet(each) for each in several], False


def _tracklet(item: Any) -> Any:
    if isinstance(item, str | Path):
        return _pictures(Path(item))
    if isinstance(item, list | tuple) and item and all(isinstance(each, str | Path) for each in item):
        return [Path(each) for each in item]
    if isinstance(item, Tensor):
        item = item.detach().cpu().numpy()
    if isinstance(item, np.ndarray):
        pictures = item.ndim == 4 and item.shape[-1] == 3 and item.dtype == np.uint8
        features = item.ndim == 2 and item.dtype.kind == "f"
        if (pictures or features) and 0 not in item.shape:
            return item
        raise UsageError(f"An array {item.dtype} {list(item.shape)} was given.", _TAKES)
    raise UsageError(f"A value of type {type(item).__name__} was given; a tracklet was expected.", _TAKES)


def _pictures(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        (each for each in path.iterdir() if claims_picture(each.name) and not each.name.startswith(".")),
        key=lambda each: natural(each.name),
    )
    if not found:
        raise DataError(f"There is no picture in '{path}'.", _TAKES)
    return found

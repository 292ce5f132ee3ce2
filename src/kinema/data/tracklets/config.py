"""The settings of tracklets as data, and what they load: from folders of crops to batches."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kinema.core.cost import CacheEstimate
from kinema.core.errors import ConfigError, DataError
from kinema.core.files import write_atomic
from kinema.core.tracklets import TrackletNeeds
from kinema.data.stored import Put, stored, stored_bytes
from kinema.data.tracklets.frozen import FrozenNetwork, FrozenSource
from kinema.data.tracklets.reading import read_tracklets
from kinema.data.tracklets.store import (
    ArrayFeatures,
    FileCrops,
    FrameSource,
    StoredFrames,
    crops_of,
    key_of,
    list_rows,
    put_known,
    starts_of,
)
from kinema.data.tracklets.table import Tracklet, Tracklets

if TYPE_CHECKING:
    from kinema.data.tracklets.example import TrackletExample
    from kinema.data.tracklets.module import TrackletModule
    from kinema.data.tracklets.reader import TrackletReader

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

FROZEN = "features.onnx"
"""The network of frozen features, as a run keeps it."""


@dataclass(frozen=True)
class TrackletsConfig:
    """How tracklets are read and shown.

    Args:
        height: pixels of the crops that a network is given.
        width: pixels, as the height.
        features: an ONNX file that makes features of crops, once, and is not trained; batches are then of features.
        flip: whether every other tracklet is turned over, left for right, in training.
        shift: in training, crops are moved at random by up to this share of their height and width.
        erase: in training, the probability that a rectangle of a crop is erased.
        colours: in training, how much brightness, contrast and saturation vary; 0 leaves them as they are.
        held_out: the share of identities held out for measurement, where the data have no splits.
        split: which draw of them.
        gap: frames between two pictures of a tracklet at most, where pictures are named as Market-1501's.
        cache_gib: crops above this size are read from their files each time.
    """

    unit: ClassVar[str] = "tracklets"
    rows: ClassVar[str] = "tracklets"
    least: ClassVar[int] = 2
    scan: ClassVar[str] = "Each needs a frame that can be read, and who it shows; the log names those that have not."
    takes: ClassVar[str] = (
        "a folder IDENTITY/CAMERA/*.jpg, a tracklets.csv, recordings with boxes, or a known data set as NAME:PATH"
    )
    loading: ClassVar[str] = "reading crops"
    left_out_file: ClassVar[str] = "left_out.json"
    identity: ClassVar[tuple[str, ...]] = (
        *("height", "width", "features", "flip", "shift", "erase", "colours", "held_out", "split", "gap"),
    )
    changeable: ClassVar[tuple[str, ...]] = ("cache_gib",)

    height: int = 128
    width: int = 64
    features: str = ""
    flip: bool = True
    shift: float = 0.0
    erase: float = 0.0
    colours: float = 0.2
    held_out: float = 0.5
    split: int = 0
    gap: int = 250
    cache_gib: float = 20.0

    def __post_init__(self) -> None:
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise ConfigError(f"Crops are {self.height} x {self.width} pixels; each must be from 1 to 4096.")
        for name, most in (("shift", 1.0), ("erase", 1.0), ("colours", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from 0 to {most:g}.")
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held_out is {self.held_out}; it is a share of identities, from 0 to below 1.")
        if self.gap < 1:
            raise ConfigError(f"gap is {self.gap}; it must be at least 1.")
        if not self.cache_gib >= 0:
            raise ConfigError(f"cache_gib is {self.cache_gib}; it must not be negative.")

    def open(self, data: str | Path | Tracklets) -> Tracklets:
        """The tracklets of a folder, a table or a known data set, each with its split; a table is taken as it is.

        Raises:
            DataError: there are none; the message says what is there instead.
        """
        if isinstance(data, Tracklets):
            return data
        if not isinstance(data, str | Path):
            raise DataError(
                f"Tracklets are read from a folder or a table; a {type(data).__name__} was given.",
                "Give a folder IDENTITY/CAMERA/*.jpg, or a tracklets.csv.",
            )
        return read_tracklets(data, gap=self.gap, held_out=self.held_out, split=self.split)

    def check(self, needs: Any) -> None:
        """Refuses what is not ``TrackletNeeds``.

        Raises:
            ConfigError: says what the data are.
        """
        for one in needs if isinstance(needs, list | tuple) else [needs]:
            if not isinstance(one, TrackletNeeds):
                raise ConfigError(
                    f"The method needs {type(one).__name__}, and the data are tracklets of people.",
                    "Choose a method of tracklets, for instance trl.",
                )

    def usable(self, table: Tracklets, needs: Sequence[TrackletNeeds]) -> tuple[Tracklets, Mapping[str, str]]:
        """The tracklets that every phase can learn from, and why not the others, by name.

        Raises:
            DataError: fewer than two people are left where who is who is to be learnt, or none at all.
        """
        self.check(needs)
        labels = any(one.labels or one.instances for one in needs)
        left_out = {row.name: why for row in table.rows if (why := _why_not(row, labels))}
        kept = replace(table, rows=tuple(row for row in table.rows if row.name not in left_out))
        if not kept.rows:
            shown = next(iter(left_out.items()), ("", "there is none"))
            raise DataError(f"None of the {len(table)} tracklets can be learnt from; '{shown[0]}': {shown[1]}.")
        if labels and len(kept.classes()) < 2:
            raise DataError(
                f"All {len(kept)} tracklets to learn from are of one person, '{kept.classes()[0]}'; at least two "
                "people are needed.",
                "Add tracklets of others, or hold out fewer people with held_out.",
            )
        if table.split_from == "drawn" and self.held_out and {row.split for row in kept.rows} == {"train"}:
            log.warning(
                "The data have no splits: %d people are learnt from, and the others are held out for `kinema evaluate "
                "reid`. --held_out 0 learns from all, --split %d from others.",
                len(kept.classes()),
                self.split + 1,
            )
        partly = {row.name: row.reason for row in kept.rows if row.reason}
        if partly:
            name, reason = next(iter(partly.items()))
            log.warning("%d tracklets lack some of their frames, for instance '%s': %s.", len(partly), name, reason)
        return kept, left_out

    def reports_left_out(self, needs: Sequence[TrackletNeeds]) -> bool:  # noqa: ARG002 - the contract
        """Tracklets can always be left out."""
        return True

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the tracklets that :meth:`usable` left out."""
        named = ", ".join(f"'{name}' ({reason})" for name, reason in list(reasons.items())[:5])
        more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        return f"{len(reasons)} of {rows} tracklets are left out: {named}{more}."

    def with_weights(self, weights: str) -> TrackletsConfig:  # noqa: ARG002 - the contract
        """The settings as they are: weights say nothing of how crops are read."""
        return self

    def feature_width(self, table: Tracklets) -> int:
        """F, features of a frame that a network is given; 0 where it is given crops.

        Args:
            table: the tracklets.

        Raises:
            DataError: some rows are of pictures and some of features.
            ConfigError: the ONNX file cannot be used.
        """
        if holds_features(table):
            return int(ArrayFeatures(table).shape[0])
        if not self.features:
            return 0
        return FrozenNetwork(self.features, self.height, self.width).dim

    def load(
        self,
        table: Tracklets,
        needs: Sequence[TrackletNeeds],
        *,
        folder: Path | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> LoadedTracklets:
        """The crops of all tracklets decoded once, or features made of them once.

        Without a cache, or where they take more than ``cache_gib``, they are read and made each time they are asked
        for.

        Raises:
            DataError: a file cannot be read, or rows are of pictures and of features.
            ConfigError: the ONNX file cannot be used.
        """
        self.check(list(needs))
        lazy = self._as_asked(table, folder)
        return LoadedTracklets(self, table, self._stored(table, lazy, cache, progress), store_name(table, lazy))

    def source(
        self,
        table: Tracklets,
        *,
        run: Path | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> FrameSource:
        """The frames of tracklets as a network is given them; see :meth:`load`.

        Args:
            table: the tracklets.
            run: a run's folder, which may keep the network of frozen features.
            cache: where crops and features are kept; None for nowhere.
            progress: is called with (frames done, frames).
        """
        return self._stored(table, self._as_asked(table, run), cache, progress)

    def reader(self, tower: Any, view: str, **about: Any) -> TrackletReader:
        """A trained tower as a reader of tracklets.

        Args:
            tower: a ``kinema.methods.trl.TrackletTower``.
            view: its name.
            **about: name, run, seed and more; see :class:`kinema.data.tracklets.reader.TrackletReader`.
        """
        from kinema.data.tracklets.reader import TrackletReader

        return TrackletReader(tower, view, self, **about)

    def example(self) -> TrackletExample:
        """Made-up tracklets for trying a method; nothing is read."""
        from kinema.data.tracklets.example import TrackletExample

        return TrackletExample()

    def network(self, run: Path | None = None) -> FrozenNetwork:
        """The network of frozen features: the one that a run keeps, or the file that the settings name.

        Args:
            run: a run's folder.
        """
        kept = run is not None and (run / FROZEN).is_file()
        return FrozenNetwork(run / FROZEN if run is not None and kept else self.features, self.height, self.width)

    def _as_asked(self, table: Tracklets, run: Path | None) -> FrameSource:
        """The frames, read and made each time they are asked for."""
        if holds_features(table):
            if self.features:
                raise ConfigError(
                    "The data are features already, and 'features' names a network that would make them.",
                    "Leave features out.",
                )
            return ArrayFeatures(table)
        if not self.features:
            return FileCrops(table, self.height, self.width)
        network = self.network(run)
        return FrozenSource(FileCrops(table, network.height, network.width), network)

    def _stored(
        self, table: Tracklets, lazy: FrameSource, cache: Path | None, progress: Progress | None
    ) -> FrameSource:
        """The same frames from the cache, where there is one that has room for them."""
        starts = starts_of(table)
        count, shape = int(starts[-1]), lazy.shape
        kind = np.float32 if len(shape) == 1 else np.uint8
        if (
            cache is None
            or isinstance(lazy, ArrayFeatures)
            or stored_bytes(count, shape, kind) > self.cache_gib * 2**30
        ):
            return lazy

        def make(put: Put) -> None:
            if isinstance(lazy, FrozenSource):
                lazy.put_all(table, put_known(path, table, shape, kind, put), put, progress)
                return
            for place, crop in crops_of(table, self.height, self.width, progress):
                put(place, crop)

        path = cache / "tracklets" / store_name(table, lazy)
        array = stored(path, count, shape, kind, make)
        if isinstance(lazy, FrozenSource):
            list_rows(path, table)
        return StoredFrames(array, starts)


def store_name(table: Tracklets, frames: FrameSource) -> str:
    """The name of the file in the cache that frames have, or would have; empty for features that lie in arrays.

    Args:
        table: the tracklets.
        frames: as they are made.
    """
    if isinstance(frames, FrozenSource):
        network = frames.network
        kind = f"{network.digest[:16]}x{network.height}x{network.width}"
        return f"{kind}-{key_of(table)}.features"
    return f"{key_of(table, frames.height, frames.width)}.crops" if isinstance(frames, FileCrops) else ""


def holds_features(table: Tracklets) -> bool:
    """Whether the rows of a table are arrays of features, and not pictures.

    Raises:
        DataError: some are, and some are not.
    """
    arrays = [row for row in table.rows if row.files and row.files[0].lower().endswith(".npy")]
    if arrays and len(arrays) < len(table):
        other = next(row for row in table.rows if row not in arrays)
        raise DataError(
            f"'{arrays[0].name}' is an array of features, and '{other.name}' is of pictures.",
            "Give tracklets of one kind.",
        )
    return bool(arrays)


def _why_not(row: Tracklet, labels: bool) -> str:
    """Why a tracklet cannot be learnt from; empty where it can."""
    if row.health != "ok":
        return row.reason or row.health
    if labels and row.kind != "person":
        return f"it is of the kind '{row.kind}', and nobody's to be learnt"
    if labels and not row.identity:
        return "who it shows is not known"
    return ""


@dataclass(frozen=True)
class LoadedTracklets:
    """Tracklets that can be read, from which every phase takes its batches.

    Args:
        config: the settings.
        table: the tracklets.
        frames: of each.
        file: the name of their file in the cache; empty where they need none.
    """

    config: TrackletsConfig
    table: Tracklets
    frames: FrameSource
    file: str = ""

    @property
    def rows(self) -> list[int]:
        """All rows."""
        return list(range(len(self.table)))

    @property
    def readable(self) -> int:
        """How many that are."""
        return len(self.table)

    @property
    def features(self) -> int:
        """F, features of a frame; 0 of crops."""
        shape = self.frames.shape
        return shape[0] if len(shape) == 1 else 0

    def cost(self, cache: Path) -> CacheEstimate:
        """What the crops take in the cache.

        Args:
            cache: the folder of all caches; nothing is written.
        """
        count, shape = sum(len(row) for row in self.table.rows), self.frames.shape
        limit = int(self.config.cache_gib * 2**30)
        if isinstance(self.frames, ArrayFeatures):
            return CacheEstimate(cache / "tracklets", 0, limit, True, 0.0)
        kind = np.float32 if self.features else np.uint8
        path = cache / "tracklets" / self.file
        return CacheEstimate(path, stored_bytes(count, shape, kind), limit, path.is_file(), 0.0)

    def module(
        self,
        needs: TrackletNeeds,
        *,
        batch_size: int,
        seed: int,
        ledger: Path | None = None,  # noqa: ARG002 - all were looked at by now, and none can turn out broken
    ) -> TrackletModule:
        """The batches of one phase.

        Args:
            needs: what its method needs.
            batch_size: tracklets of a batch on each rank.
            seed: of the run.
            ledger: where broken rows would be listed.

        Raises:
            ConfigError: ``batch_size`` is no multiple of the tracklets that are shown of each identity.
        """
        from kinema.data.tracklets.module import TrackletModule

        return TrackletModule(self, needs, batch_size=batch_size, seed=seed)

    def save(self, folder: Path) -> None:
        """Keeps the network of frozen features, with which new tracklets are read.

        Args:
            folder: the run's.
        """
        source = Path(self.config.features).expanduser() if self.config.features else None
        if source is None or not source.is_file() or (folder / FROZEN).exists():
            return

        def copy(file: Any) -> None:
            with source.open("rb") as original:
                shutil.copyfileobj(original, file)

        write_atomic(folder / FROZEN, copy)

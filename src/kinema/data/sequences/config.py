"""The settings of sequences as data, and what they load: from a folder of features to batches of frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from kinema.core.cost import CacheEstimate
from kinema.core.errors import ConfigError, DataError
from kinema.core.files import write_atomic
from kinema.core.sequences import SequenceNeeds
from kinema.data.sequences.files import blocks, open_features
from kinema.data.sequences.layouts import ActivityFrom
from kinema.data.sequences.reading import read_sequences
from kinema.data.sequences.table import FeatureSequence, Sequences

if TYPE_CHECKING:
    from kinema.data.sequences.example import SequenceExample
    from kinema.data.sequences.module import SequenceModule
    from kinema.data.sequences.reader import SequenceReader

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SequencesConfig:
    """How features are read.

    Args:
        normalize: 'video' gives each feature mean 0 and variance 1 over the frames of each video, frames of nothing but
            zeros aside, which stay zero; 'none' leaves them as they are.
        activity: what tells the activity of a video, see :data:`kinema.data.sequences.layouts.ActivityFrom`.
        repeats: how often an epoch shows each video, every time with other frames; 0 for as many that an epoch has
            some 50 batches of its smallest activity.
    """

    unit: ClassVar[str] = "sequences"
    rows: ClassVar[str] = "sequences"
    least: ClassVar[int] = 1
    scan: ClassVar[str] = "Each needs a file of features with at least one frame; the log names those that have none."
    takes: ClassVar[str] = "a folder with features/NAME.npy [T, F], or a known data set as NAME:PATH"
    loading: ClassVar[str] = "reading features"
    left_out_file: ClassVar[str] = "left_out.json"
    identity: ClassVar[tuple[str, ...]] = ("normalize", "repeats")
    changeable: ClassVar[tuple[str, ...]] = ()

    normalize: Literal["video", "none"] = "video"
    activity: ActivityFrom = "auto"
    repeats: int = 1

    def __post_init__(self) -> None:
        if self.normalize not in ("video", "none"):
            raise ConfigError(f"normalize is '{self.normalize}'.", "Choose 'video' or 'none'.")
        if self.repeats < 0:
            raise ConfigError(f"repeats is {self.repeats}; it must not be negative.")

    def open(self, data: str | Path | Sequences) -> Sequences:
        """The sequences of a folder, or of a known data set as NAME:PATH; a table is taken as it is.

        Raises:
            DataError: there are none; the message says what is there instead.
        """
        if isinstance(data, Sequences):
            return data
        if not isinstance(data, str | Path):
            raise DataError(
                f"Sequences are read from a folder of features; a {type(data).__name__} was given.",
                "`kinema segment RUN VIDEOS` makes features of videos.",
            )
        return read_sequences(data, activity=self.activity)

    def check(self, needs: Any) -> None:
        """Refuses what is not ``SequenceNeeds``.

        Raises:
            ConfigError: says what the data are.
        """
        for one in needs if isinstance(needs, list | tuple) else [needs]:
            if not isinstance(one, SequenceNeeds):
                raise ConfigError(
                    f"The method needs {type(one).__name__}, and the data are sequences of features.",
                    "Choose a method of sequences, for instance tot.",
                )

    def usable(self, table: Sequences, needs: Sequence[SequenceNeeds]) -> tuple[Sequences, Mapping[str, str]]:
        """The sequences that have frames, and why not the others, by name.

        Raises:
            DataError: none is left, or none of an activity that is to be learnt.
        """
        self.check(needs)
        left_out = {row.name: row.reason for row in table.rows if row.health != "ok"}
        kept = table.usable()
        for one in needs:
            if not any(one.activity in ("", row.activity) for row in kept.rows):
                raise DataError(
                    f"None of the {len(kept)} sequences is of the activity '{one.activity}'.",
                    f"There are: {', '.join(kept.classes()) or 'none'}.",
                )
        return kept, left_out

    def reports_left_out(self, needs: Sequence[SequenceNeeds]) -> bool:  # noqa: ARG002 - the contract
        """Sequences can always be left out."""
        return True

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the sequences that :meth:`usable` left out."""
        named = ", ".join(f"'{name}' ({reason})" for name, reason in list(reasons.items())[:5])
        more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        return f"{len(reasons)} of {rows} sequences are left out: {named}{more}."

    def with_weights(self, weights: str) -> SequencesConfig:  # noqa: ARG002 - the contract
        """The settings as they are: weights say nothing of how features are read."""
        return self

    def load(
        self,
        table: Sequences,
        needs: Sequence[SequenceNeeds],
        *,
        folder: Path | None = None,  # noqa: ARG002 - the contract: a run keeps nothing that features are read with
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> LoadedSequences:
        """The features opened, and looked at once: what is not finite is refused, and means and deviations are kept.

        Arrays (.npy) stay where they are and are read frame by frame; text is made an array once, in ``cache``.

        Raises:
            DataError: features are not finite; the message names the file, the frame and the feature.
        """
        self.check(list(needs))
        rows = []
        for done, row in enumerate(table.rows, 1):
            array = self._array(table, row, cache)
            rows.append(Frames(array, *_moments(array, table.root / row.path, self.normalize == "video")))
            if progress is not None:
                progress(done, len(table))
        flat = [row.name for row, each in zip(table.rows, rows, strict=True) if each.constant and len(each) > 1]
        if flat:
            log.warning(
                "%d of %d sequences have the same features in every frame, for instance '%s': no step can be told "
                "from another there.",
                len(flat),
                len(rows),
                flat[0],
            )
        return LoadedSequences(self, table, tuple(rows))

    def reader(self, tower: Any, view: str, **about: Any) -> SequenceReader:
        """A trained tower as a reader of sequences.

        Args:
            tower: a ``kinema.methods.tot.SegmentTower``.
            view: its activity.
            **about: name, run, seed and more; see :class:`kinema.data.sequences.reader.SequenceReader`.
        """
        from kinema.data.sequences.reader import SequenceReader

        return SequenceReader(tower, view, self, **about)

    def example(self) -> SequenceExample:
        """Made-up sequences for trying a method; nothing is read."""
        from kinema.data.sequences.example import SequenceExample

        return SequenceExample()

    def _array(self, table: Sequences, row: FeatureSequence, cache: Path | None) -> NDArray[np.floating]:
        path = table.root / row.path
        if path.suffix == ".npy" or cache is None:
            return open_features(path)
        stored = cache / "sequences" / f"{row.digest}.npy"
        if not stored.is_file():
            features = np.asarray(open_features(path), np.float32)
            write_atomic(stored, lambda file: np.save(file, features))
        return open_features(stored)


@dataclass(frozen=True)
class Frames:
    """The frames of one sequence, read where they lie.

    Args:
        array: [T, F].
        mean: float32 [F], taken from each frame.
        scale: float32 [F], that each is then multiplied by.
        blank: bool [T], frames of nothing but zeros; they stay so. None where there are none.
        constant: whether all frames are equal.
    """

    array: NDArray[np.floating]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    blank: NDArray[np.bool_] | None
    constant: bool = False

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> tuple[int, int]:
        """(T, F)."""
        return self.array.shape[0], self.array.shape[1]

    @property
    def ndim(self) -> int:
        """2: some frames are taken as of an array, ``frames[first:last]``."""
        return 2

    def __getitem__(self, frames: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        return self.at(frames)

    def at(self, frames: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Some frames, normalised, float32 [n, F]."""
        found = (np.asarray(self.array[frames], np.float32) - self.mean) * self.scale
        if self.blank is not None:
            found[self.blank[frames]] = 0.0
        return found


def normalised(features: NDArray[np.floating], normalize: str, where: Path | str) -> Frames:
    """Features as a method sees them.

    Args:
        features: [T, F].
        normalize: as in :class:`SequencesConfig`.
        where: what they are, for messages.

    Raises:
        DataError: they are not finite.
    """
    return Frames(features, *_moments(features, where, normalize == "video"))


def _moments(
    array: NDArray[np.floating], where: Path | str, normalize: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_] | None, bool]:
    """What a sequence's frames are normalised by, and whether all are equal, in one pass through them.

    Raises:
        DataError: a feature is not finite, or too large for float32.
    """
    width = array.shape[1]
    count, total, squares = 0, np.zeros(width), np.zeros(width)
    blank, constant = np.zeros(len(array), np.bool_), True
    shift: NDArray[np.float64] | None = None
    for first, some in blocks(array):
        bad = ~(np.abs(some) <= 1e30)
        if bad.any():
            frame, feature = np.argwhere(bad)[0]
            raise DataError(
                f"{_quoted(where)} holds features that are no finite numbers: frame {first + frame} has "
                f"{some[frame, feature]} at feature {feature}, both counted from 0.",
                "Make the features again, or take the video out.",
            )
        constant = constant and bool((some == array[0]).all())
        if not normalize:
            continue
        empty = ~some.any(axis=1)
        blank[first : first + len(some)] = empty
        some = some[~empty]
        if len(some):
            shift = some[0].copy() if shift is None else shift  # sums of differences keep their digits
            count, total, squares = (
                count + len(some),
                total + (some - shift).sum(axis=0),
                squares + ((some - shift) ** 2).sum(axis=0),
            )
    if not normalize or shift is None:
        return np.zeros(width, np.float32), np.ones(width, np.float32), None, constant
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    flat = deviation <= 1e-6 * np.maximum(np.abs(mean + shift), 1e-12)
    scale = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, deviation))
    return (mean + shift).astype(np.float32), scale.astype(np.float32), blank if blank.any() else None, constant


def _quoted(where: Path | str) -> str:
    return f"'{where}'" if isinstance(where, Path) else where[:1].upper() + where[1:]


@dataclass(frozen=True)
class LoadedSequences:
    """Sequences that were opened, from which every phase takes its batches.

    Args:
        config: the settings.
        table: the sequences.
        frames: of each.
    """

    config: SequencesConfig
    table: Sequences
    frames: tuple[Frames, ...]

    @property
    def rows(self) -> list[int]:
        """All rows."""
        return list(range(len(self.table)))

    @property
    def readable(self) -> int:
        """How many that are."""
        return len(self.table)

    def cost(self, cache: Path) -> CacheEstimate:
        """What text takes as arrays; arrays are read where they lie.

        Args:
            cache: the folder of all caches.
        """
        texts = [row for row in self.table.rows if not row.path.endswith(".npy")]
        size = sum(row.frames * row.width * 4 for row in texts)
        return CacheEstimate(cache, size, size, False, 0.0)

    def module(
        self,
        needs: SequenceNeeds,
        *,
        batch_size: int,
        seed: int,
        ledger: Path | None = None,  # noqa: ARG002 - all were looked at by now, and none can turn out broken
    ) -> SequenceModule:
        """The batches of one phase.

        Args:
            needs: what its method needs.
            batch_size: sequences of a batch on each rank.
            seed: of the run.
            ledger: where broken rows would be listed.
        """
        from kinema.data.sequences.module import SequenceModule

        return SequenceModule(self, needs, batch_size=batch_size, seed=seed, repeats=max(1, self.config.repeats))

    def save(self, folder: Path) -> None:
        """Nothing: a run needs no file beside its weights to read new sequences."""

"""A trained model of pictures and texts in a user's hands: what ``kinema.load`` gives of a run on pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.codes import Codes, pack
from kinema.core.errors import DataError, RunError, UsageError
from kinema.core.ops import cosine_matrix
from kinema.core.pairs import IMAGE, TEXT, PairView
from kinema.core.reader import Reader
from kinema.data.pairs.config import PairsConfig, run_labels
from kinema.data.pairs.encoding import embedded
from kinema.data.pairs.store import PictureSource, StoredTexts, pictures_of
from kinema.data.pairs.table import Pairs
from kinema.data.pairs.texts import Coder, Texts, check_known
from kinema.data.pictures import read_picture, resized

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Source = PictureSource | Texts

_PICTURES = (
    "A picture is a path, or an array uint8 [H, W, 3]; of a run on stored vectors, a float array [F]. Several are a "
    "list of such."
)
_TEXTS = "A text is a str; of a run on stored vectors, a float array [V]. Several are a list of such."


class PairReader(Reader):
    """Networks that make a code of a picture and of a text; codes of both can be compared.

    Args:
        tower: a ``kinema.methods.dcvh.HashTower``, of ``view``.
        view: 'image' or 'text', for which :meth:`encode` takes what it is given.
        config: how pictures and texts are read.
        towers: those of all views that were trained; that of ``view`` by default.
        name: what made it: 'dcvh'.
        run: the run's folder, None where there is none.
        seed: the run's seed.
        run_digest: gives the SHA-256 of the weights that the run keeps.

    Attributes:
        views: those that were trained.
    """

    modality, unit = "pair", "pairs"

    def __init__(
        self,
        tower: Any,
        view: str,
        config: PairsConfig,
        *,
        towers: Mapping[str, Any] | None = None,
        name: str,
        run: Path | None = None,
        seed: int = 0,
        run_digest: Callable[[], str] | None = None,
    ) -> None:
        self.towers = {each: one.eval().requires_grad_(False) for each, one in (towers or {view: tower}).items()}
        self.tower, self.view, self.views = self.towers[view], view, tuple(self.towers)
        self.config, self.name, self.run, self.seed = config, name, run, seed
        self._digest = run_digest

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return int(self.tower.dim)

    @property
    def dim(self) -> int:
        """Dimensions of an embedding: the bits of a code."""
        return self.bits

    @property
    def digest(self) -> str:
        """SHA-256 of the weights that the run keeps; empty without a run."""
        return self._digest() if self._digest is not None else ""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels that the run learnt, in the order of the columns of :meth:`tags`; none without a run."""
        return run_labels(self.run) if self.run is not None else ()

    def _networks(self) -> Iterable[Any]:
        return self.towers.values()

    def __repr__(self) -> str:
        return f"PairReader({self.name!r}, {self.view!r}, bits={self.bits})"

    def encode(
        self, items: Any, *, view: str | None = None, device: str | None = None, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Vectors of unit length: float32 [bits] of one picture or text, [N, bits] of several.

        A value is above 0 where the code's bit is 1, so that :func:`kinema.core.codes.pack` gives the codes.

        Args:
            items: under the view 'text' a str, or a list of such; under 'image' a path or an array uint8 [H, W, 3], or
                a list of such; of a run on stored vectors, float arrays [F]. A table of pairs is read whole.
            view: what they are; the reader's own by default.
            device: where to compute; a GPU where there is one, by default.
            batch_size: how many are embedded together.

        Raises:
            UsageError: it is something else, or the run has no such view.
            DataError: a picture cannot be read, a vector has another width, or of a text no word is known.
        """
        which = self._view(view)
        if isinstance(items, Pairs):
            return self.features(items, which, device=device, batch_size=batch_size)
        given, alone = _several(items, which)
        found = self._vectors(self._given(given, which), len(given), which, device, batch_size)
        return found[0] if alone else found

    similarity = staticmethod(cosine_matrix)

    def codes(self, items: Any, *, view: str | None = None, device: str | None = None, batch_size: int = 64) -> Codes:
        """Packed codes: uint8 [bits / 8] of one picture or text, [N, bits / 8] of several; see :meth:`encode`.

        Args:
            items: as :meth:`encode` takes them.
            view: what they are; the reader's own by default.
            device: where to compute.
            batch_size: how many are embedded together.
        """
        found = self.encode(items, view=view, device=device, batch_size=batch_size)
        packed = pack(found.reshape(-1, self.bits))
        return packed[0] if found.ndim == 1 else packed

    def features(
        self,
        table: Pairs,
        view: str,
        *,
        device: str | None = None,
        progress: Progress | None = None,
        batch_size: int = 64,
        cache: Path | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of all rows of a table, float32 [N, bits], of unit length, in the table's order.

        Texts of no word that the run knows are counted in a warning, and embedded as such.

        Args:
            table: the pairs; each has what the view shows.
            view: 'image' or 'text'.
            device: where to compute; a GPU where there is one, by default.
            progress: is called with (rows done, rows).
            batch_size: rows that are embedded together.
            cache: where pictures are kept for the next time; None reads them as needed.

        Raises:
            UsageError: the run has no such view.
            DataError: a row cannot be read, or lacks the view; the message names it.
        """
        which = self._view(view)
        return self._vectors(self._source(table, which, cache), len(table), which, device, batch_size, progress)

    def tags(
        self,
        table: Pairs,
        view: str,
        *,
        device: str | None = None,
        progress: Progress | None = None,
        batch_size: int = 64,
        cache: Path | None = None,
    ) -> NDArray[np.float32]:
        """How much each label is that of each row, float32 [N, C], the classifier's logits; columns are `labels`.

        Args:
            table: the pairs.
            view: by which they are told: 'image' or 'text'.
            device: see :meth:`features`.
            progress: likewise.
            batch_size: likewise.
            cache: likewise.

        Raises:
            UsageError: as :meth:`features`.
            DataError: likewise.
        """
        which = self._view(view)
        source = self._source(table, which, cache)
        if not len(table):
            return np.zeros((0, len(self.labels)), np.float32)
        tower, where = self._start(which, source, device, batch_size)
        return embedded(
            tower.tags,
            source,
            len(table),
            dim=len(self.labels),
            device=where,
            batch_size=batch_size,
            progress=progress,
        )

    def _view(self, view: str | None) -> PairView:
        name = view or self.view
        if name not in self.views:
            raise UsageError(
                f"The run has no network of the view '{name}'; it has: {', '.join(self.views)}.",
                "Leave --method.views out to train both.",
            )
        return cast(PairView, name)

    def _vectors(
        self,
        source: Source,
        count: int,
        view: PairView,
        device: str | None,
        batch_size: int,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        if not count:
            return np.zeros((0, self.bits), np.float32)
        tower, where = self._start(view, source, device, batch_size)
        found = embedded(
            tower.embed, source, count, dim=self.bits, device=where, batch_size=batch_size, progress=progress
        )
        lengths = np.linalg.norm(found.astype(np.float64), axis=1, keepdims=True)
        unit: NDArray[np.float32] = (found / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit

    def _start(self, view: PairView, source: Source, device: str | None, batch_size: int) -> tuple[Any, str]:
        """The tower of a view on the device that is chosen."""
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
        tower = self.towers[view]
        self._fits(tower, view, source)
        where = self._device_for(device)
        tower.to(where)
        return tower, where

    def _fits(self, tower: Any, view: PairView, source: Source) -> None:
        """Refuses vectors of another width, pictures where vectors are taken, and the other way round."""
        kind, width = tower.takes
        given = getattr(source, "shape", None) or getattr(getattr(source, "vectors", None), "shape", None)
        if given is None:
            return
        wide, vectors = given[0] if len(given) == 1 else 0, kind in ("features", "vectors")
        if vectors != bool(wide) or (wide and wide != width):
            takes = f"vectors of {width} numbers" if vectors else "pictures" if view == IMAGE else "words"
            raise DataError(
                f"The run takes {takes} as '{view}', and was given {f'vectors of {wide}' if wide else 'pictures'}.",
                "Make the vectors by the network that the run was trained on." if wide and vectors else _PICTURES,
            )

    @cached_property
    def _coder(self) -> Coder | None:
        """What makes texts into what the tower takes; None of stored vectors."""
        if self.config.text == "vectors":
            return None
        if self.run is None:
            raise RunError("The model is of no run, so that its words are not known.", "Load it from its run's folder.")
        return self.config.kept_coder(self.run)

    def _source(self, table: Pairs, view: PairView, cache: Path | None) -> Source:
        """The pictures or the texts of a table, as the tower takes them."""
        bad = {row.name: why for row in table.rows if (why := row.why_not([view]))}
        if bad:
            named = ", ".join(f"'{name}' ({why})" for name, why in list(bad.items())[:5])
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise DataError(
                f"{len(bad)} of {len(table)} pairs cannot be read: {named}{more}.",
                f"Leave them out: table.usable(['{view}']).",
            )
        if view == IMAGE:
            return pictures_of(table, self.config, cache)
        self.config.check_form(table)
        if self._coder is None:
            return StoredTexts.of(table)
        coded = self._coder.coded([row.text for row in table.rows])
        count = int(coded.unknown.sum())
        if count:
            log.warning("%d of %d texts are of no word that the run knows.", count, len(table))
        return coded

    def _given(self, items: Sequence[Any], view: PairView) -> Source:
        """What a user gave, as the tower takes it."""
        arrays = [isinstance(each, np.ndarray) and each.ndim == 1 for each in items]
        if any(arrays):
            if not all(arrays):
                raise UsageError("Some are vectors and some are not.", _PICTURES if view == IMAGE else _TEXTS)
            if view == TEXT and self.config.text != "vectors":
                raise UsageError("The run takes words as texts, and was given vectors.", _TEXTS)
            return _vectors(items) if view == IMAGE else _VectorTexts(_vectors(items))
        if view == IMAGE:
            return _Pictures(tuple(items), (3, self.config.height, self.config.width))
        if self._coder is None:
            raise UsageError("The run takes stored vectors as texts, and was given words.", _TEXTS)
        coded = self._coder.coded(items)
        check_known(items, coded)
        return coded


@dataclass(frozen=True)
class _Pictures:
    """Pictures as a user gives them: paths or arrays; or vectors."""

    items: tuple[Any, ...]
    shape: tuple[int, ...]

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        given = [self.items[row] for row in rows.tolist()]
        if len(self.shape) == 1:
            return np.stack(given)
        return np.stack(
            [
                resized(each if isinstance(each, np.ndarray) else read_picture(Path(each)), *self.shape[1:])
                for each in given
            ]
        )


@dataclass(frozen=True)
class _VectorTexts:
    """Vectors of texts as a user gives them."""

    vectors: _Pictures

    @property
    def unknown(self) -> NDArray[np.bool_]:
        return np.zeros(len(self.vectors.items), np.bool_)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        import torch

        return torch.from_numpy(self.vectors.read(rows))


def _vectors(items: Sequence[NDArray[Any]]) -> _Pictures:
    widths = sorted({len(each) for each in items})
    if len(widths) > 1:
        raise DataError(f"The vectors have several widths: {', '.join(map(str, widths[:5]))}.")
    found = tuple(np.asarray(each, np.float32) for each in items)
    bad = next((place for place, each in enumerate(found) if not np.isfinite(each).all()), None)
    if bad is not None:
        raise DataError(f"Vector {bad} holds what is no finite number.")
    return _Pictures(found, (widths[0],))


def _several(items: Any, view: PairView) -> tuple[list[Any], bool]:
    """Each picture or text, and whether one was given by itself.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(items, Tensor):
        items = items.detach().cpu().numpy()
    if isinstance(items, np.ndarray) and view == TEXT and items.ndim == 2 and items.dtype.kind == "f":
        return list(items), False
    if isinstance(items, np.ndarray) and view == IMAGE and items.ndim in (2, 4) and items.dtype.kind in "fu":
        return [_one(each, view) for each in items], False
    if isinstance(items, str | Path | np.ndarray):
        return [_one(items, view)], True
    if isinstance(items, bytes | Mapping) or not isinstance(items, Iterable):
        what = "pictures" if view == IMAGE else "texts"
        raise UsageError(
            f"A value of type {type(items).__name__} was given; {what} were expected.",
            _PICTURES if view == IMAGE else _TEXTS,
        )
    return [_one(each, view) for each in items], False


def _one(item: Any, view: PairView) -> Any:
    if isinstance(item, Tensor):
        item = item.detach().cpu().numpy()
    if isinstance(item, np.ndarray):
        vector = item.ndim == 1 and item.dtype.kind == "f" and item.size > 0
        picture = item.ndim == 3 and item.shape[2] == 3 and item.dtype == np.uint8 and item.size > 0
        if vector or (picture and view == IMAGE):
            return item
        raise UsageError(f"An array {item.dtype} {list(item.shape)} was given.", _PICTURES if view == IMAGE else _TEXTS)
    if isinstance(item, str) or (isinstance(item, Path) and view == IMAGE):
        return item
    raise UsageError(f"A value of type {type(item).__name__} was given.", _PICTURES if view == IMAGE else _TEXTS)

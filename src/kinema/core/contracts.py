"""The contracts of data: how rows become batches, whatever the modality.

    data = config.open("videos/")                     a folder, a file, NAME:PATH → a table of rows
    table, left_out = config.usable(data, needs)      the rows that can be learnt from, and why not the others
    loaded = config.load(table, needs, …)             decoded or tokenised once, for all phases
    module = loaded.module(needs, …)                  one phase's data: raw batches, and batches on the device

Settings of data (:class:`DataConfig`) are a field of a recipe. The trainer knows a :class:`DataModule` and nothing else
of data; a method says what it needs as data on its settings (``ClipNeeds``, ``SpanNeeds``), and settings of data refuse
needs that are not their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from kinema.core.cost import CacheEstimate
from kinema.core.labelling import LabelReading


class Row(Protocol):
    """One row of a table: a video, a document."""

    @property
    def path(self) -> str:
        """What names the row, unique in its table."""
        ...

    @property
    def label(self) -> str | None:
        """Its class, or None."""
        ...

    @property
    def source(self) -> str:
        """Where it comes from; rows of one source are siblings and never count as each other's finds."""
        ...

    @property
    def split(self) -> str | None:
        """For instance 'train' or 'test', or None."""
        ...


class Table(Protocol):
    """Rows that can be selected; a list of videos (``Manifest``) and of documents (``Documents``) are tables."""

    @property
    def root(self) -> Path:
        """The folder or file that the rows lie in."""
        ...

    @property
    def rows(self) -> Sequence[Row]:
        """The rows; the number of a row is its index here."""
        ...

    @property
    def reading(self) -> LabelReading | None:
        """How the rows came by their labels; None where that is not known."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that learning depends on."""
        ...

    def __len__(self) -> int:
        """How many rows."""
        ...

    def select(self, where: Mapping[str, str]) -> Any:
        """The table of the rows for which every named key has the named value."""
        ...

    def usable(self) -> Any:
        """The table of the rows that can be read."""
        ...

    def classes(self) -> Sequence[str]:
        """The classes there are, sorted."""
        ...

    def label_ids(self) -> Sequence[int]:
        """Each row's class as its number in :meth:`classes`, -1 where it is not known."""
        ...

    def source_ids(self) -> Sequence[int]:
        """Each row's source as a number; equal numbers are siblings."""
        ...

    def write(self, path: Path) -> None:
        """Writes the table atomically."""
        ...


@runtime_checkable
class DataModule(Protocol):
    """The data of one phase, as Lightning's of that name, without Lightning."""

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        ...

    def loader(self, epoch: int, first: int) -> Iterable[Any]:
        """The raw batches of an epoch from batch ``first`` on; a pure function of the seed and the epoch."""
        ...

    def batch(self, raw: Any, generator: torch.Generator, *, labels: bool) -> Any:
        """What a method sees of a raw batch, on its device; draws come from ``generator``, which is on the CPU."""
        ...

    @property
    def workers(self) -> int:
        """Processes that read beside the training; 0 reads in the training process."""
        ...

    def sample(self) -> tuple[Any, float]:
        """The first raw batch, and the seconds that reading one takes; for a dry run."""
        ...

    def features(self, method: Any) -> Mapping[str, Tensor]:
        """Features of every row by view, float [rows, dim], NaN for rows left out; for methods that refresh."""
        ...


class Loaded(Protocol):
    """Rows that are ready to be read, for all phases of a run."""

    @property
    def readable(self) -> int:
        """How many rows can be read."""
        ...

    def module(self, needs: Any, *, batch_size: int, seed: int, ledger: Path | None = None) -> DataModule:
        """The data of a phase.

        Args:
            needs: what its method needs.
            batch_size: rows a batch.
            seed: of order and cuts, the phase's own.
            ledger: a file to which rows that cannot be read are added, or None.
        """
        ...

    @property
    def rows(self) -> Sequence[int]:
        """Their numbers in the table."""
        ...

    def cost(self, cache: Path) -> CacheEstimate:
        """What making them ready once takes, for a dry run; nothing is written."""
        ...

    def save(self, folder: Path) -> None:
        """Writes what a run must keep to read new data, for instance a tokenizer; most keep nothing."""
        ...


class Example(Protocol):
    """A small made-up set of rows: batches without a file, on which the conformance suite tries every method."""

    @property
    def rows(self) -> int:
        """Rows there are."""
        ...

    @property
    def classes(self) -> int:
        """Classes there are."""
        ...

    @property
    def size(self) -> int:
        """Rows of a batch."""
        ...

    def batch(self, needs: Any, step: int, *, rows: slice = slice(None)) -> Any:
        """What a method with these needs sees at a step, or some rows of it; equal steps give equal batches."""
        ...


class Reader(Protocol):
    """A trained model for a user: what ``kinema.load`` returns, whatever it reads."""

    @property
    def unit(self) -> str:
        """What it reads, as :class:`DataConfig` names it: 'clips', 'documents'."""
        ...

    @property
    def view(self) -> str:
        """The view that it reads."""
        ...

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        ...

    def encode(self, items: Any, **options: Any) -> Any:
        """Embeddings of items, float32 [N, dim], or [dim] of one that is given by itself."""
        ...


@runtime_checkable
class DataConfig(Protocol):
    """Settings of data: frozen, a field of a recipe, tagged in JSON by the name of their kind.

    ``unit`` is what a batch counts ('clips', 'documents') and ``rows`` what the table's rows are ('videos',
    'documents'), of which ``least`` are needed. ``takes`` says what a user may name as data, ``scan`` how to find what
    cannot be read, and ``loading`` is the title of the progress bar while rows are made ready. ``left_out_file`` is the
    file of a run that lists what was left out, ``identity`` names the fields that a checkpoint must agree with, and
    ``changeable`` those that change no result, so that a run may go on with others.
    """

    unit: ClassVar[str]
    rows: ClassVar[str]
    least: ClassVar[int]
    scan: ClassVar[str]
    takes: ClassVar[str]
    loading: ClassVar[str]
    left_out_file: ClassVar[str]
    identity: ClassVar[tuple[str, ...]]
    changeable: ClassVar[tuple[str, ...]]

    def open(self, data: Any) -> Table:
        """The rows of what a user names: a folder, a file, NAME:PATH.

        Raises:
            DataError: there is nothing there that can be read.
        """
        ...

    def check(self, needs: Any) -> None:
        """Refuses needs that these data cannot serve.

        Raises:
            ConfigError: they are another modality's, or contradict these settings.
        """
        ...

    def usable(self, table: Any, needs: Sequence[Any]) -> tuple[Any, Mapping[str, str]]:
        """The rows that every phase can learn from, and why not the others, by path.

        Raises:
            DataError: there are fewer than two.
        """
        ...

    def reports_left_out(self, needs: Sequence[Any]) -> bool:
        """Whether a run lists what was left out, even if nothing was."""
        ...

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the rows, of so many, that :meth:`usable` left out."""
        ...

    def with_weights(self, weights: str) -> DataConfig:
        """The settings where networks start from these weights, which may say how data are to be read."""
        ...

    def load(
        self,
        table: Any,
        needs: Sequence[Any],
        *,
        folder: Path | None = None,
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Loaded:
        """The rows decoded or tokenised, once for all phases.

        Args:
            table: the rows.
            needs: of every phase.
            folder: the run's, where it exists already and keeps something that data are read with.
            cache: folder for what is slow to make; None for no cache.
            progress: is called with (rows done, rows).
        """
        ...

    def reader(self, tower: Any, view: str, **about: Any) -> Any:
        """A trained tower as a :class:`Reader`.

        Args:
            tower: an encoder and its head.
            view: its name.
            **about: where it comes from: 'name', 'run', 'seed', 'together'.
        """
        ...

    def example(self) -> Example:
        """Made-up rows for trying a method; nothing is read."""
        ...


class NetworkConfig(Protocol):
    """Settings of a network: frozen, and plain values in JSON."""

    @property
    def name(self) -> Any:
        """Which network."""
        ...

    def check(self, data: Any, needs: Sequence[Any]) -> None:
        """Refuses data that the network cannot take.

        Raises:
            ConfigError: names what does not fit.
        """
        ...

    def replaced_by(self, weights: str) -> Any:
        """The network that weights describe by themselves, in place of a preset's; these settings otherwise."""
        ...

    def fits(self, loaded: Any) -> None:
        """Refuses rows that were made ready in a way the network cannot take, for instance by another tokenizer.

        Raises:
            ConfigError: names what does not fit.
        """
        ...

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:
        """Loads a file or folder of weights into a tower, strictly; False where it is of another kind of view.

        Raises:
            CheckpointError: it cannot be read, or keys or shapes do not fit; they are named.
        """
        ...

"""What the trainer knows of a batch, whatever its modality."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor


class Batch(Protocol):
    """A batch on the device: a typed record a modality, each with an index."""

    @property
    def index(self) -> Tensor:
        """int64 [B], rows of the table."""
        ...

    def __len__(self) -> int:
        """B."""
        ...


B = TypeVar("B", bound=Batch)

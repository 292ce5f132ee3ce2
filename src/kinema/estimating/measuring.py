"""Memories filled as if in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from kinema.core.contracts import Table
from kinema.core.method import Method
from kinema.core.seeds import generator_at
from kinema.mining import FeatureQueue, MemoryBank


def fill_memories(method: Method[Any], table: Table, readable: Sequence[int], seed: int) -> int:
    """Fills a method's queues and banks with random unit vectors under the rows of real data, so that a step learns.

    A method that refreshes is given random features of all rows.

    Args:
        method: the method; its memories are changed.
        table: all rows.
        readable: those that can be read.
        seed: of the vectors.

    Returns:
        How many vectors a view the largest holds; 0 where there is no memory.
    """
    rows = torch.tensor(sorted(readable))
    sources = torch.tensor(table.source_ids())
    draws, largest = generator_at(seed, "dry-run"), 0
    for memory in method.modules():
        if isinstance(memory, FeatureQueue):
            index = rows[torch.randint(len(rows), (memory.size,), generator=draws)]
            memory.push(_features(memory, memory.size, draws), sources[index], index)
            largest = max(largest, memory.size)
        elif isinstance(memory, MemoryBank):
            index = torch.arange(memory.videos)
            memory.update(index, _features(memory, memory.videos, draws), sources[index])
            largest = max(largest, memory.videos)
    if method.refreshes():
        dims = {view: int(tower.encoder.dim) for view, tower in method.towers().items()}  # type: ignore[arg-type]
        drawn = {view: torch.randn(len(sources), dim, generator=draws) for view, dim in dims.items()}
        method.refresh({view: F.normalize(each, dim=1) for view, each in drawn.items()})
        largest = max(largest, len(sources))
    return largest


def _features(memory: FeatureQueue | MemoryBank, number: int, draws: torch.Generator) -> dict[str, torch.Tensor]:
    return {name: F.normalize(torch.randn(number, memory.dim, generator=draws), dim=1) for name in memory.names}

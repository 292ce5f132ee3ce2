"""Dropout whose masks come from a generator, so that a loss is a function of the generator's state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kinema.core.ops.distributed import own_rank
from kinema.core.seeds import seed_at


@contextmanager
def dropout_from(generator: torch.Generator) -> Iterator[None]:
    """Within it, torch's global generators are seeded by a draw from ``generator``; afterwards they are as before.

    ``torch.nn.Dropout`` knows no other generator than the global one. Each rank has masks of its own.

    Args:
        generator: on the CPU; one number is drawn from it.
    """
    drawn = int(torch.randint(2**62, (), generator=generator))
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed_at(drawn, "dropout", own_rank()))
        yield

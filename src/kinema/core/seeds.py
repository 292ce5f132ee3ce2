"""Random numbers by address: every draw is a function of the seed and of where in the run it is made.

A generator is made anew from ``(seed, *address)``, for instance ``(seed, "augment", phase, step)``. Nothing has to be
saved or restored for a run to continue exactly, and the number of workers changes nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seed_at(seed: int, *address: int | str) -> int:
    """A 63-bit seed for one place of a run; equal addresses give equal seeds on any machine."""
    text = "/".join([str(seed), *(str(part) for part in address)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator_at(seed: int, *address: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on ``device``, seeded by :func:`seed_at`."""
    import torch

    return torch.Generator(device=device).manual_seed(seed_at(seed, *address))

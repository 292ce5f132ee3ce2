"""Weights as safetensors with a checksum of their own, so that damage is noticed when they are read."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from kinema.core.errors import CheckpointError
from kinema.core.files import write_atomic

CHECK = "kinema.crc32"
"""The key of the checksum in the file's own metadata."""


def write_weights(path: Path, state: Mapping[str, Tensor], notes: Mapping[str, str] | None = None) -> None:
    """Writes tensors by name, atomically, with their checksum.

    Args:
        path: the file.
        state: the tensors.
        notes: more for the file's own metadata; :func:`read_notes` gives it back.

    Raises:
        StorageError: the disk is full, or the place cannot be written.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    write_atomic(
        path, lambda file: file.write(save(plain, metadata={CHECK: f"{checksum(plain):08x}"} | dict(notes or {})))
    )


def read_weights(path: Path, hint: str) -> dict[str, Tensor]:
    """Tensors by name. Files that hold no checksum, of an older kinema or from elsewhere, are read without one.

    Args:
        path: the file.
        hint: what to do where it cannot be read.

    Raises:
        CheckpointError: the file is missing, no safetensors, or not as it was written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            check = (file.metadata() or {}).get(CHECK)
            state: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except Exception as error:  # safetensors raises its own type for damage and FileNotFoundError for absence
        raise CheckpointError(f"The weights '{path}' cannot be read: {error}.", hint) from error
    if check is not None and check != f"{checksum(state):08x}":
        raise CheckpointError(f"The weights '{path}' are damaged: they are not what was written.", hint)
    return state


def read_notes(path: Path) -> dict[str, str]:
    """The metadata of a file that :func:`read_weights` can read."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def checksum(state: Mapping[str, Tensor]) -> int:
    """CRC-32 of tensors on the CPU: of their names in order, and each one's type, shape and bytes."""
    check = 0
    for name in sorted(state):
        value = state[name].contiguous()
        check = zlib.crc32(f"{name} {value.dtype} {tuple(value.shape)}\n".encode(), check)
        if value.numel():
            check = zlib.crc32(value.reshape(-1).view(torch.uint8).numpy().data, check)
    return check

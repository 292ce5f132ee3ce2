"""One checkpoint for every method: modules, optimiser, counters and meters, written whole or not at all.

Since every draw of a run is a function of the seed and the step (``kinema.core.seeds``), the counters determine the
state of every generator and of the sampler. A training that was killed at any moment resumes from its last checkpoint
and gives, bit for bit on one CPU, what an uninterrupted one gives.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinema.core.errors import CheckpointError
from kinema.core.files import write_atomic
from kinema.core.method import load_strictly
from kinema.core.weights import read_weights, write_weights

FORMAT = 1


@dataclass
class Progress:
    """The counters of a phase.

    Args:
        epoch: finished epochs.
        batch: finished batches of the epoch that is under way.
        step: batches in all, those that only filled a memory included.
        seconds: time spent in training steps and waiting for data.
        waited: the share of it, in seconds, spent waiting for data.
        clips: clips seen.
        metrics_bytes: length of metrics.jsonl; what a killed process wrote after its last checkpoint is cut off.
        loss_sum: sum of the losses of this epoch's steps.
        loss_count: how many those are.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    clips: int = 0
    metrics_bytes: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0


@dataclass
class Checkpoint:
    """All that a phase needs to go on.

    Args:
        identity: what must be equal for the checkpoint to fit: method, encoder, clip, data.
        progress: the counters.
        method: the method's state, buffers included.
        optimiser: the optimiser's state.
        meters: state of what is measured over an epoch.
    """

    identity: dict[str, Any]
    progress: Progress
    method: dict[str, Tensor]
    optimiser: dict[str, Any]
    meters: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes the checkpoint atomically.

        Raises:
            StorageError: the disk is full or not writable; the checkpoint before is untouched.
        """
        content = {"format": FORMAT, "progress": asdict(self.progress)}
        content |= {name: getattr(self, name) for name in ("identity", "method", "optimiser", "meters")}
        write_atomic(path, lambda file: torch.save(content, file), size=_bytes_of(content))

    @classmethod
    def read(cls, path: Path, identity: dict[str, Any]) -> Checkpoint:
        """Reads a checkpoint that must fit ``identity``.

        Raises:
            CheckpointError: it is damaged, of another format, or made under other settings; the message names them.
        """
        try:
            _require_intact(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"'{path}' cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
                "The file is damaged. Delete the phase's folder to train that phase again.",
            ) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CheckpointError(f"'{path}' is not a checkpoint of this version of kinema (format {FORMAT}).")
        theirs = content["identity"]
        different = [key for key in identity if theirs.get(key) != identity[key]]
        if different:
            changes = "; ".join(f"{key}: made with {theirs.get(key)}, now {identity[key]}" for key in different)
            raise CheckpointError(
                f"'{path}' was made under other settings: {changes}.",
                "Resume with the settings of the run, or train into a new folder.",
            )
        return cls(
            identity, Progress(**content["progress"]), content["method"], content["optimiser"], content["meters"]
        )

    def restore(self, method: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Puts the state back, strictly.

        Raises:
            CheckpointError: keys or shapes differ.
        """
        load_strictly(method, self.method, type(method).__name__)
        optimiser.load_state_dict(self.optimiser)


def _bytes_of(value: Any) -> int:
    """What the tensors in a state take."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(_bytes_of, value.values()))
    return sum(map(_bytes_of, value)) if isinstance(value, list | tuple) else 0


def _require_intact(path: Path) -> None:
    """Compares every record of the archive with its checksum, which torch.load does not.

    Raises:
        BadZipFile: one differs, or it is no such archive.
    """
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"the part '{name}' is not what was written")


def write_tower(path: Path, tower: nn.Module) -> None:
    """Writes a tower's weights as safetensors, atomically."""
    write_weights(path, tower.state_dict())


def read_tower(path: Path) -> dict[str, Tensor]:
    """A tower's weights.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    return read_weights(path, "Has the phase that makes them been finished? Run it again with --resume.")

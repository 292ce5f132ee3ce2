"""One checkpoint for every method: modules, optimiser, counters and meters, written whole or not at all.

Since every draw of a run is a function of the seed and the step (``kinema.core.seeds``), the counters determine the
state of every generator and of the sampler. A training that was killed at any moment resumes from its last checkpoint
and gives, bit for bit on one CPU, what an uninterrupted one gives.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinema.core.errors import CheckpointError, KinemaError
from kinema.core.files import write_atomic
from kinema.core.method import load_strictly
from kinema.core.reading import reason_of, shaped, shortened
from kinema.core.weights import read_weights, write_weights

FORMAT = 1
_AGAIN = "The file is damaged. Delete the phase's folder to train that phase again."


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
        path: where it was read, for messages.
    """

    identity: dict[str, Any]
    progress: Progress
    method: dict[str, Tensor]
    optimiser: dict[str, Any]
    meters: dict[str, Any] = field(default_factory=dict)
    path: Path = Path("checkpoint.pt")

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
        except Exception as error:  # a damaged pickle can make its reader raise anything
            first = (str(error).strip().splitlines() or [""])[0].rstrip(".") or type(error).__name__
            raise CheckpointError(f"'{path}' cannot be read: {first}.", _AGAIN) from error
        if not isinstance(content, dict) or _differs(content.get("format"), FORMAT):
            raise CheckpointError(f"'{path}' is not a checkpoint of this version of kinema (format {FORMAT}).", _AGAIN)
        for name in ("identity", "progress", "method", "optimiser", "meters"):
            if not isinstance(content.get(name), dict):
                raise CheckpointError(f"'{path}' is damaged: '{name}' is no mapping.", _AGAIN)
        progress = shaped(content["progress"], Progress, f"'{path}'", error=CheckpointError, hint=_AGAIN)
        wrong = [name for name, value in asdict(progress).items() if name != "loss_sum" and not 0 <= value < math.inf]
        if wrong or not math.isfinite(progress.loss_sum):
            name = (wrong or ["loss_sum"])[0]
            raise CheckpointError(f"'{path}' is damaged: {name} is {getattr(progress, name)}.", _AGAIN)
        if not all(isinstance(key, str) and isinstance(item, Tensor) for key, item in content["method"].items()):
            raise CheckpointError(f"'{path}' is damaged: 'method' does not hold tensors by name.", _AGAIN)
        theirs = content["identity"]
        different = [key for key in identity if _differs(theirs.get(key), identity[key])]
        if different:
            changes = "; ".join(f"{key}: made with {theirs.get(key)}, now {identity[key]}" for key in different)
            raise CheckpointError(
                f"'{path}' was made under other settings: {changes}.",
                "Resume with the settings of the run, or train into a new folder.",
            )
        return cls(identity, progress, content["method"], content["optimiser"], content["meters"], path)

    def restore(self, method: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Puts the state back, strictly.

        Raises:
            CheckpointError: keys or shapes differ.
        """
        load_strictly(method, self.method, type(method).__name__)
        try:
            optimiser.load_state_dict(self.optimiser)
            _check_optimiser(optimiser)
        except Exception as error:  # torch checks little of it, and raises whatever it runs into
            raise CheckpointError(
                f"'{self.path}' is damaged: the optimiser's state does not fit it: {reason_of(error)}.", _AGAIN
            ) from error

    def meter(self, name: str, restore: Callable[[dict[str, Any]], object]) -> None:
        """Gives a meter its state back.

        Raises:
            CheckpointError: it is not there, or no state of that meter.
        """
        try:
            restore(self.meters[name])
        except KinemaError:
            raise
        except Exception as error:  # a meter takes its own state apart, and this may be anything
            raise CheckpointError(
                f"'{self.path}' is damaged: the state of the meter '{name}' cannot be used: {reason_of(error)}.", _AGAIN
            ) from error


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
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise zipfile.BadZipFile("it is compressed, and kinema compresses none")
        if (name := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"the part '{name}' is not what was written")


def _differs(theirs: object, ours: object) -> bool:
    """Whether two plain values are different; what cannot be compared, such as a tensor, is."""
    try:
        return bool(theirs != ours)
    except RuntimeError:
        return True


def _check_optimiser(optimiser: torch.optim.Optimizer) -> None:
    """Raises a ValueError where what the optimiser remembers of a parameter cannot be of that parameter."""
    kept = {name for held in optimiser.state.values() for name in held}
    for group in optimiser.param_groups:
        for name, value in optimiser.defaults.items():
            if name not in group:
                raise ValueError(f"a group has no '{name}'")
            if isinstance(value, float) and not isinstance(group[name], int | float):
                raise ValueError(f"{name} is {shortened(repr(group[name]))}")
        for parameter in group["params"]:
            held = optimiser.state.get(parameter, {})
            for name, value in held.items():
                if not isinstance(value, Tensor) and value is not None:
                    raise ValueError(f"'{name}' is no tensor")
                if value is not None and value.ndim and value.shape != parameter.shape:
                    raise ValueError(f"'{name}' is {tuple(value.shape)} and should be {tuple(parameter.shape)}")
            if held and set(held) != kept:
                raise ValueError(f"a parameter has no '{sorted(kept - set(held))[0]}'")


def write_tower(path: Path, tower: nn.Module) -> None:
    """Writes a tower's weights as safetensors, atomically."""
    write_weights(path, tower.state_dict())


def read_tower(path: Path) -> dict[str, Tensor]:
    """A tower's weights.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    return read_weights(path, "Has the phase that makes them been finished? Run it again with --resume.")

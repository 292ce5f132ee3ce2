"""Frozen features: what a network in an ONNX file makes of crops, once for all."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, DataError, MissingExtraError
from kinema.data.pictures import MEAN, STD
from kinema.data.sequences.files import file_digest
from kinema.data.stored import Put
from kinema.data.tracklets.store import FrameSource, Progress, crops_of, starts_of
from kinema.data.tracklets.table import Tracklets

log = logging.getLogger(__name__)

_AT_ONCE = 64
_HINT = (
    "It must take one float input [N, 3, H, W], RGB with ImageNet's mean and deviation taken out, and give features "
    "[N, F]."
)


class FrozenNetwork:
    """A network of images in an ONNX file.

    Args:
        path: the file.
        height: H of the crops that it is given, where the file leaves it open.
        width: W, likewise.

    Attributes:
        height: H of the crops that it takes.
        width: W.
        dim: F, the features that it gives.
        digest: SHA-256 of the file.

    Raises:
        ConfigError: the file is not there, is no ONNX, or takes something else than crops.
        MissingExtraError: ONNX Runtime is not installed.
    """

    def __init__(self, path: str | Path, height: int, width: int) -> None:
        self.path = Path(path).expanduser()
        if not self.path.is_file():
            raise ConfigError(f"There is no file '{self.path}' to make features of crops.", "Name an ONNX file.")
        self._session = _opened(self.path)
        self.digest = file_digest(self.path)
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if inputs else []
        if len(shape) != 4 or len(inputs) != 1 or inputs[0].type != "tensor(float)" or shape[1] in (1, 2, 4):
            said = ", ".join(f"{each.name} {each.type} {list(each.shape)}" for each in inputs)
            raise ConfigError(f"'{self.path}' takes {said or 'nothing'}.", _HINT)
        self._name = inputs[0].name
        self._batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else _AT_ONCE
        self._fixed = isinstance(shape[0], int) and shape[0] > 0
        self.height = shape[2] if isinstance(shape[2], int) and shape[2] > 0 else height
        self.width = shape[3] if isinstance(shape[3], int) and shape[3] > 0 else width
        self._mean = np.asarray(MEAN, np.float32)[:, None, None]
        self._std = np.asarray(STD, np.float32)[:, None, None]
        self.dim = int(self(np.zeros((1, 3, self.height, self.width), np.uint8)).shape[1])

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of crops.

        Args:
            crops: uint8 [n, 3, H, W].

        Returns:
            float32 [n, F].

        Raises:
            ConfigError: the network fails, or gives no table of features.
            DataError: features are no finite numbers.
        """
        found = [self._run(crops[at : at + self._batch]) for at in range(0, len(crops), self._batch)]
        return np.concatenate(found) if found else np.zeros((0, self.dim), np.float32)

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = ((crops.astype(np.float32) / 255.0 - self._mean) / self._std).astype(np.float32)
        if self._fixed and len(x) < self._batch:
            x = np.concatenate([x, np.zeros((self._batch - len(x), *x.shape[1:]), np.float32)])
        try:
            found = np.asarray(self._session.run(None, {self._name: x})[0])
        except Exception as error:  # its errors share no base with Python's
            raise ConfigError(f"'{self.path}' cannot be run: {_first_line(error)}.", _HINT) from error
        found = found.reshape(len(found), -1) if found.ndim == 4 and found.shape[2:] == (1, 1) else found
        if found.ndim != 2 or len(found) != len(x) or found.dtype.kind != "f":
            raise ConfigError(f"'{self.path}' gives {found.dtype} {list(found.shape)} for {len(x)} crops.", _HINT)
        found = found[: len(crops)].astype(np.float32)
        if not np.isfinite(found).all():
            raise DataError(f"'{self.path}' gives features that are no finite numbers.", "Take another network.")
        return found


@dataclass(frozen=True)
class FrozenSource:
    """Features that are made of crops each time they are asked for.

    Args:
        crops: of the network's size.
        network: makes features of them.
    """

    crops: FrameSource
    network: FrozenNetwork

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.network.dim,)

    def length(self, row: int) -> int:
        """Frames of a tracklet."""
        return self.crops.length(row)

    def read(self, row: int, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some frames of a tracklet, float32 [n, F]."""
        return self.network(self.crops.read(row, places))

    def put_all(self, table: Tracklets, rows: Sequence[int], put: Put, progress: Progress | None = None) -> None:
        """Gives the features of all frames of some tracklets to a store; each picture is read once.

        Args:
            table: the tracklets.
            rows: which of them.
            put: takes the place of a frame among all, and its features.
            progress: is called with (frames done, frames).
        """
        some_rows = replace(table, rows=tuple(table.rows[row] for row in rows))
        starts, own = starts_of(table), starts_of(some_rows)
        crops = crops_of(some_rows, self.network.height, self.network.width, progress)
        while some := list(itertools.islice(crops, _AT_ONCE)):
            features = self.network(np.stack([crop for _, crop in some]))
            for (place, _), each in zip(some, features, strict=True):
                at = int(np.searchsorted(own, place, side="right")) - 1
                put(int(starts[rows[at]] + place - own[at]), each)


def _opened(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base with Python's
        raise ConfigError(f"'{path}' is no network that ONNX Runtime takes: {_first_line(error)}.", _HINT) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")

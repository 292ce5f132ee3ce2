"""The model as a program: a graph that PyTorch traced, with a batch of any size.

``program_of`` is what the ONNX file is made of too. What the tracer notes of the source files it came through is taken
out, so that no path of the machine leaves it.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from kinema.core.clips import SOUND, VIEWS
from kinema.core.errors import ExportError
from kinema.core.ops import unit_parts
from kinema.data.clips.reader import Model
from kinema.exporting.agreement import BATCHES, Difference, measure, noise


class Function(nn.Module):
    """What is exported: float [B, C, T, H, W] of the view to features [B, dim] and projections [B, d].

    Of the view 'sound' it takes [B, 1, bands, times].
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        tower = deepcopy(model.tower).cpu().float().eval().requires_grad_(False)
        self.encoder, self.head = tower.encoder, tower.head

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Features, not normalised, and projections of unit length."""
        features = self.encoder(clips)
        return features, self.head(features)


class JoinedFunction(nn.Module):
    """What is exported of several encoders: the clips in each view, in order, to features [B, dim] and projections.

    Both are those of the encoders side by side, each of one length, so that a row has length 1.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.each = nn.ModuleList(Function(reader) for reader in model.readers)
        self.parts = model.parts

    def forward(self, *clips: Tensor) -> tuple[Tensor, Tensor]:
        """Features and projections, rows of length 1."""
        found = [function(x) for function, x in zip(self.each, clips, strict=True)]
        features, projected = (torch.cat(both, dim=1) for both in zip(*found, strict=True))
        return unit_parts(features, self.parts), projected * math.sqrt(1 / len(found))


def function_of(model: Model) -> nn.Module:
    """What is exported of a model."""
    return Function(model) if len(model.readers) == 1 else JoinedFunction(model)


def clip_shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """C, T, H, W of each input by its name, and 1, bands, times of sound: 'clips', or of several encoders the views."""
    inputs = ["clips"] if len(model.readers) == 1 else model.views
    return {name: _shape(reader) for name, reader in zip(inputs, model.readers, strict=True)}


def _shape(model: Model) -> tuple[int, ...]:
    if model.view == SOUND:
        return (VIEWS[SOUND], model.sound.bands, model.sound.frames)
    return (VIEWS[model.view], model.clip.frames, model.clip.size, model.clip.size)


def program_of(function: nn.Module, shapes: Sequence[tuple[int, ...]]) -> torch.export.ExportedProgram:
    """The traced graph, with a batch of any size.

    Args:
        function: what is traced, of :func:`function_of`.
        shapes: of its inputs.

    Raises:
        ExportError: PyTorch cannot trace the encoder; its own first line is in the message.
    """
    try:
        with quiet(), torch.no_grad():
            batch = torch.export.Dim("batch")
            clips = tuple(noise(shape, BATCHES[0]) for shape in shapes)
            each: Any = tuple({0: batch} for _ in clips)
            program = torch.export.export(
                function,
                clips,
                dynamic_shapes={"clips": each if isinstance(function, JoinedFunction) else each[0]},
                strict=False,
            )
    except Exception as error:  # the tracer raises types of its own and of Python's
        raise ExportError(
            f"PyTorch {torch.__version__} cannot trace this encoder: {first_line(error)}.",
            "Export to safetensors, which needs no tracing.",
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def make_program(model: Model, about: str) -> tuple[bytes, Difference]:
    """The bytes of a file for ``torch.export.load``, reloaded once and compared with the model.

    Args:
        model: what is exported.
        about: written to the file as model.json.

    Raises:
        ExportError: it cannot be traced, or computes something else.
    """
    function, shapes, file = function_of(model), [*clip_shapes(model).values()], io.BytesIO()
    with quiet():
        torch.export.save(program_of(function, shapes), file, extra_files={"model.json": about})
        again = torch.export.load(io.BytesIO(file.getvalue())).module()
    with torch.no_grad():
        return file.getvalue(), measure(function, lambda *x: [value.numpy() for value in again(*x)], shapes)


def first_line(error: Exception) -> str:
    """What an error of a library says, in one line."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()  # torch colours some of its messages
    return (lines[0] if lines else type(error).__name__).rstrip(".")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the exporters' advice to their own developers off the user's terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch._export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

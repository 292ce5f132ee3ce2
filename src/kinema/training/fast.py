"""What makes a training fast on a GPU and nothing on a processor: its arithmetic, its optimisers, compiled networks.

Switches of the whole process are set for the length of a training and put back. What is not on by itself
(:class:`Fast`) changes no setting of a run, but the last bits of what it learns.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kinema.core.devices import chosen_device, full_precision
from kinema.core.encoder import Encoder
from kinema.core.errors import ConfigError, UsageError
from kinema.core.processes import place
from kinema.core.reading import reason_of


@dataclass(frozen=True)
class Fast:
    """What is asked for by name; neither is on by itself.

    Args:
        compile: the encoders' forward pass is compiled (``torch.compile``).
        checkpoint_activations: the blocks of the encoders keep their input alone and are computed again in the backward
            pass, which takes less memory and more time.

    Raises:
        UsageError: both, which were not tried together.
    """

    compile: bool = False
    checkpoint_activations: bool = False

    def __post_init__(self) -> None:
        if self.compile and self.checkpoint_activations:
            raise UsageError(
                "--compile and --checkpoint_activations do not go together: a compiled network plans its own memory.",
                "Leave one of them out.",
            )

    @property
    def words(self) -> list[str]:
        """The options of the command that ask for it."""
        return [f"--{name}" for name in ("compile", "checkpoint_activations") if getattr(self, name)]

    def check(self, device: str, *, videos: bool) -> None:
        """Refuses what cannot be done here, before anything is read or written.

        Args:
            device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
            videos: whether the recipe's networks are those of videos.

        Raises:
            UsageError: they are not, which alone can be compiled or checkpointed; or several processes train, whose
                shared norms would learn their statistics twice.
            ConfigError: nothing can be compiled on this machine.
        """
        if self.words and not videos:
            raise UsageError(f"{self.words[0]} is for encoders of videos, and this method has none.", "Leave it out.")
        if self.checkpoint_activations and place().world > 1:
            raise UsageError(
                "--checkpoint_activations is for one process; several share what their norms learn.",
                "Leave it out: each of several processes keeps the activations of its own part of a batch.",
            )
        if self.compile:
            check_compiler(chosen_device(device))

    def prepare(self, method: nn.Module) -> None:
        """Compiles, or checkpoints, the encoders of a method, in place; names and values stay as they are.

        Args:
            method: on its device.
        """
        for encoder in encoders_of(method) if self.words else ():
            if self.compile:
                encoder.compile(dynamic=False)
            else:
                checkpoint_blocks(encoder)


def encoders_of(method: nn.Module) -> list[nn.Module]:
    """The encoders in a method, momentum copies and frozen guides among them."""
    return [module for module in method.modules() if isinstance(module, Encoder)]


def check_compiler(device: str) -> None:
    """Compiles something small, to know before a training whether anything can be.

    Args:
        device: as torch calls it.

    Raises:
        ConfigError: says what is missing.
    """
    named = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]
    if not any(map(shutil.which, named)):
        raise ConfigError(
            f"--compile needs a C++ compiler, and there is none here ({', '.join(named)}).",
            "Install one (Debian: apt install g++), name it in CXX, or leave --compile out.",
        )
    try:
        torch.compile(_probe, dynamic=False)(torch.ones(8, device=device))
    except Exception as error:  # the compiler has many kinds of them
        raise ConfigError(
            f"--compile was asked for, and nothing can be compiled for '{device}' here: {reason_of(error)}.",
            "Leave --compile out, or see to it that torch.compile works.",
        ) from error


def _probe(x: Tensor) -> Tensor:
    return torch.relu(2 * x - 1).sum()


# Arithmetic


def fast_arithmetic(device: str, precision: str) -> AbstractContextManager[None]:
    """For the length of a training on a GPU: cudnn measures its algorithms, and products of fp32 may use TF32.

    Where the process was told to be deterministic, cudnn measures nothing; a choice of fp32's precision that torch does
    not tell by its older names is left alone. On a processor nothing is changed.

    Args:
        device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        precision: TF32 is used in 'tf32' and the mixed ones.
    """
    return switched(precision) if chosen_device(device).startswith("cuda") else nullcontext()


@contextmanager
def switched(precision: str) -> Iterator[None]:
    """Sets the switches of :func:`fast_arithmetic`, whatever the device, and puts them back."""
    cudnn: Any = torch.backends.cudnn
    measured = cudnn.benchmark
    named = full_precision(precision)
    tf32 = _tf32() if named == "tf32" or named.endswith("mixed") else None
    try:
        if not (cudnn.deterministic or torch.are_deterministic_algorithms_enabled()):
            cudnn.benchmark = True
        if tf32 is not None:
            torch.set_float32_matmul_precision("high")
            cudnn.allow_tf32 = True
        yield
    finally:
        cudnn.benchmark = measured
        if tf32 is not None:
            torch.set_float32_matmul_precision(tf32[0])
            cudnn.allow_tf32 = tf32[1]


def _tf32() -> tuple[str, bool] | None:
    """How products and convolutions of fp32 are computed now; None where torch tells it by newer names alone."""
    try:
        return torch.get_float32_matmul_precision(), bool(torch.backends.cudnn.allow_tf32)
    except RuntimeError:
        return None


# Optimisers


def fused(method: nn.Module, clipped: bool) -> dict[str, bool]:
    """The argument of torch's optimisers that makes a step one launch, where the learnt parameters are on a GPU.

    Args:
        method: on its device.
        clipped: whether gradients are clipped: Fabric cannot unscale the gradients of a fused optimiser.
    """
    learnt = [p for p in method.parameters() if p.requires_grad]
    return {"fused": True} if learnt and not clipped and all(p.is_cuda for p in learnt) else {}


def keep_kernels(optimiser: torch.optim.Optimizer) -> None:
    """Makes an optimiser stay fused, or not, whatever the one was whose state it is given."""

    def own(mine: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        groups = [
            {**theirs, **{name: ours[name] for name in ("fused", "foreach") if name in ours}}
            for theirs, ours in zip(state["param_groups"], mine.param_groups, strict=True)
        ]
        return {**state, "param_groups": groups}

    optimiser.register_load_state_dict_pre_hook(own)


# Activation checkpointing


def checkpoint_blocks(encoder: nn.Module) -> None:
    """Makes each block of an encoder one that keeps its input alone; norms learn their statistics once.

    Blocks are the parts that follow one another and are made of layers themselves. Their class becomes a subclass of
    it, so that their names, their state and a copy of them are what they were.

    Args:
        encoder: a network whose parts follow one another.
    """
    for child in encoder.children():
        for part in child if isinstance(child, nn.Sequential | nn.ModuleList) else (child,):
            if any(True for _ in part.children()) and any(True for _ in part.parameters()):
                part.__class__ = _checkpointed(type(part))  # type: ignore[arg-type]


class _Again:
    """The forward pass of a block that is computed again in the backward pass, in training."""

    training: bool

    def forward(self, *given: Any) -> Any:
        once: Any = super().forward  # type: ignore[misc]
        if not (self.training and torch.is_grad_enabled()):
            return once(*given)
        contexts = partial(_contexts, self)
        return checkpoint(once, *given, use_reentrant=False, context_fn=contexts)


@cache
def _checkpointed(kind: type[nn.Module]) -> type[nn.Module]:
    return kind if issubclass(kind, _Again) else type(kind.__name__, (_Again, kind), {"__module__": kind.__module__})


def _contexts(block: Any) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Within it the norms of a block normalise by the batch, as in training, and their running statistics stay."""
    norms: list[Any] = [m for m in block.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
    kept = [(norm.momentum, norm._buffers.get("num_batches_tracked")) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm._buffers["num_batches_tracked"] = None
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, kept, strict=True):
            norm.momentum = momentum
            norm._buffers["num_batches_tracked"] = tracked

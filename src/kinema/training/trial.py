"""A trial of a phase: two of its training steps, with their memory and time; nothing is saved.

The memory of parameters, gradients, optimiser and buffers is counted, tensor by tensor, after a step was made. What the
step itself takes is measured: on CUDA as the peak of what was allocated less what was counted; on a processor as the
tensors that autograd keeps from the forward to the backward pass, because an allocator there does not tell its peak.
Short-lived work space comes on top of the latter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kinema.core.contracts import DataModule
from kinema.core.errors import TrainingError
from kinema.core.method import Method
from kinema.core.room import free_memory
from kinema.training.checkpoints import Progress
from kinema.training.engine import as_wide, make_fabric, quiet_lightning
from kinema.training.fast import Fast, fast_arithmetic
from kinema.training.loop import PhaseLoop
from kinema.training.phase import PhaseRuntime
from kinema.training.settings import Phase, Recipe
from kinema.training.trainer import out_of_memory

if TYPE_CHECKING:
    from lightning_fabric import Fabric

STEPS = 2
"""The first warms up, the second is timed."""

WORK_SPACE = 1.5
"""What a step on a processor takes at its peak, by what it keeps for the backward pass: 1.6 was seen with S3D."""

PEAK = "the peak of what was allocated on the GPU"
SAVED = "tensors kept from the forward to the backward pass; short-lived work space comes on top"


@dataclass(frozen=True)
class Memory:
    """What a phase takes while it is trained, in bytes.

    Args:
        parameters: all that the method has, frozen networks and momentum copies among them.
        gradients: of those that are learnt.
        optimiser: its state.
        buffers: queues, banks and the statistics of norms.
        activations: what a step takes beside; see the module.
    """

    parameters: int
    gradients: int
    optimiser: int
    buffers: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.gradients + self.optimiser + self.buffers + self.activations

    def plain(self) -> dict[str, int]:
        """As JSON values."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Trial:
    """What came of trying a phase.

    Args:
        memory: what it takes.
        seconds: of a step, reading apart.
        device: where it ran: 'cpu', 'cuda:0'.
        learnt: whether the optimiser made a step; otherwise the steps did no more than fill a memory.
    """

    memory: Memory
    seconds: float
    device: str
    learnt: bool


def try_phase(
    method: Method[Any],
    recipe: Recipe,
    phase: Phase,
    raw: Any,
    *,
    data: DataModule,
    accelerator: str = "auto",
    fast: Fast | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Trial:
    """Makes two steps of a phase, both on the same batch.

    Args:
        method: the phase's, its memories filled; it is changed.
        recipe: gives augmentations, precision and seed.
        phase: gives the optimiser.
        raw: a batch.
        data: the phase's data.
        accelerator: the device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        fast: what is compiled or computed again.
        progress: is called after each step.

    Raises:
        TrainingError: the memory does not suffice, or the loss is not finite.
        ConfigError: there is no such device or precision here.
    """
    runtime = PhaseRuntime(
        folder=Path(),
        identity={},
        data=_OneBatch(data, raw),
        meter=None,
        display=_Display(progress),
        stop=lambda: False,
        fast=fast or Fast(),
    )
    with quiet_lightning(), fast_arithmetic(accelerator, recipe.precision):
        try:
            loop = _TrialLoop(make_fabric(accelerator, recipe.precision), method, recipe, phase, runtime)
            loop.run()
        except torch.cuda.OutOfMemoryError as failure:
            raise out_of_memory(failure) from failure
    loop.finite.flush()
    return loop.trial()


class _OneBatch:
    """The data of a phase, whose every epoch is one batch, twice."""

    def __init__(self, data: DataModule, raw: Any) -> None:
        self._data, self._raw = data, raw
        self.batches, self.workers = data.batches, 0

    def sample(self) -> tuple[Any, float]:
        return self._raw, 0.0

    def loader(self, epoch: int, first: int) -> list[Any]:  # noqa: ARG002 - the contract
        return [self._raw] * STEPS

    def batch(self, raw: Any, generator: torch.Generator, *, labels: bool) -> Any:
        return self._data.batch(raw, generator, labels=labels)

    def features(self, method: Any) -> Mapping[str, Tensor]:  # noqa: ARG002 - refreshed before the trial
        return {}


class _Display:
    """Counts steps."""

    def __init__(self, progress: Callable[[], None]) -> None:
        self._progress = progress

    def update(self, progress: Progress, batches: int, loss: float | None) -> None:  # noqa: ARG002 - the signature
        self._progress()

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Does nothing."""


class _TrialLoop(PhaseLoop):
    """A phase whose steps are measured, and which writes nothing."""

    def __init__(
        self, fabric: Fabric, method: Method[Any], recipe: Recipe, phase: Phase, runtime: PhaseRuntime
    ) -> None:
        self._before = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
        super().__init__(fabric, method, recipe, phase, runtime)
        self._seconds: list[float] = []
        self._activations = 0
        self._learnt = False

    def step(self, raw: Any) -> None:
        """A step as it always is, with a clock and a measure of memory beside it."""
        cuda, first = self.fabric.device.type == "cuda", not self._seconds
        if cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        elif first:
            self._check_room(raw)
        saved = _Saved([*self.method.parameters(), *self.method.buffers()])
        began = time.perf_counter()
        with saved if first and not cuda else nullcontext():
            super().step(raw)
        if cuda:
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() - self._before
            self._activations = max(0, peak - sum(counted(self.method, self.optimiser).values()))
        elif first:
            self._activations = saved.bytes
        self._seconds.append(time.perf_counter() - began)

    def learn(self, total: Tensor, epoch: float) -> None:
        """Backward and step, remembered."""
        self._learnt = True
        super().learn(total, epoch)

    def _check_room(self, raw: Any) -> None:
        """Refuses a step that would take more memory than the machine has free, by what two of its clips take."""
        free = free_memory()
        if free is None or len(raw.index) <= 2:
            return
        saved = _Saved([*self.method.parameters(), *self.method.buffers()])
        draws = torch.Generator().manual_seed(0)
        batch = self.runtime.data.batch(raw.first(2), draws, labels=self.method.needs.labels)
        self.method.train()
        with saved, self.fabric.autocast():
            self.method.loss(as_wide(batch, self.method), draws)
        needed = int(WORK_SPACE * saved.bytes * len(raw.index) / 2)
        if needed > free:
            raise TrainingError(
                f"A step of the phase '{self.phase.name}' needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB "
                "of memory are free.",
                f"Try a batch_size below {max(2, len(raw.index) * free // max(needed, 1))}, a smaller clip.size or a "
                "smaller encoder.",
            )

    def save(self) -> None:
        """A trial saves nothing."""

    def begin(self) -> None:
        """The memories are filled before a trial."""

    def end_epoch(self) -> None:
        """An epoch of a trial has no figures, and is the last."""
        self.progress.epoch = self.phase.epochs

    def trial(self) -> Trial:
        """The measurements."""
        learnt = [p for group in self.optimiser.param_groups for p in group["params"]]
        if self._learnt and not self.optimiser.state:  # mixed precision left the first steps out, as it may
            for parameter in learnt:
                parameter.grad = torch.zeros_like(parameter)
            self.optimiser.step()
        sizes = counted(self.method, self.optimiser)
        return Trial(
            Memory(**sizes, activations=self._activations), self._seconds[-1], str(self.fabric.device), self._learnt
        )


def counted(method: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, int]:
    """Bytes of parameters, gradients, optimiser and buffers, as they are now."""
    states = [value for state in optimiser.state.values() for value in state.values() if isinstance(value, Tensor)]
    return {
        "parameters": _bytes(method.parameters()),
        "gradients": _bytes(p.grad for p in method.parameters() if p.grad is not None),
        "optimiser": _bytes(states),
        "buffers": _bytes(method.buffers()),
    }


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class _Saved:
    """Counts the bytes that autograd keeps for the backward pass, each storage once, while it is entered.

    Args:
        known: tensors that are there anyway.
    """

    def __init__(self, known: Iterable[Tensor]) -> None:
        self._known = {tensor.untyped_storage().data_ptr() for tensor in known}
        self._storages: dict[int, int] = {}
        self._hooks: Any = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    @property
    def bytes(self) -> int:
        """Bytes saved so far."""
        return sum(self._storages.values())

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._known:
            self._storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    def __enter__(self) -> _Saved:
        self._hooks.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hooks.__exit__(kind, error, trace)

"""What a phase is trained by: Lightning Fabric's device and precision, and the call of a method's loss through it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kinema.core.devices import accelerator_of, check_precision, chosen_device, fabric_precision
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method
from kinema.core.ops import world_size
from kinema.core.processes import Place, place
from kinema.core.records import mapped
from kinema.training.norms import share_norms

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(accelerator: str, precision: str) -> Fabric:
    """Fabric with a device and a precision; where several processes were started together, one with all of them.

    Args:
        accelerator: the device: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
        precision: Lightning's name.

    Raises:
        UsageError: this machine has no such device, or there is no such precision.
        ConfigError: Fabric cannot do with them, or several processes would share one device.
    """
    from lightning_fabric import Fabric

    check_precision(precision, accelerator)
    kind, devices = accelerator_of(accelerator)
    here = place()
    if here.world > 1 and isinstance(devices, list):
        raise ConfigError(
            f"The device '{accelerator}' is one, and {here.world} processes train together.",
            "Leave the number out (--device cuda); CUDA_VISIBLE_DEVICES says which GPUs they take.",
        )
    named = fabric_precision(precision)
    try:
        how: dict[str, Any] = {} if "mixed" in named else {"precision": named}
        plugins: list[Any] = [_mixed(named, accelerator)] if "mixed" in named else []
        how |= _together(here) if here.world > 1 else {"devices": devices}
        if here.world == 1:
            plugins.append(_alone())
        fabric = Fabric(accelerator=kind, plugins=plugins, **how)
        fabric.launch()
    except Exception as error:  # Fabric has several kinds of them
        reason = " ".join(str(error).split()).rstrip(".!")
        raise ConfigError(
            f"Nothing can be trained with device '{accelerator}' and precision '{precision}' here: {reason}.",
            "Choose device 'auto' or 'cpu', and precision '32-true', '16-mixed' or 'bf16-mixed'.",
        ) from error
    return fabric


def _alone() -> Any:
    """Surroundings of one process, which may be in a job of SLURM that was given room for several."""
    from lightning_fabric.plugins.environments import LightningEnvironment

    return LightningEnvironment()


def _together(here: Place) -> dict[str, Any]:
    """What Fabric must know of several processes; it reads the rest from what started them."""
    from lightning_fabric.strategies import DDPStrategy

    strategy = DDPStrategy(broadcast_buffers=False, timeout=timedelta(hours=24))
    return {"strategy": strategy, "devices": here.local, "num_nodes": here.world // here.local}


def _mixed(precision: str, accelerator: str) -> Any:
    """Fabric's mixed precision, which keeps no casts of weights.

    Kept, the cast that a momentum network's pass without gradients made would serve a pass that needs them, and what
    two passes through one network learn would be added up in half precision.
    """
    from lightning_fabric.plugins import MixedPrecision

    class Uncached(MixedPrecision):  # type: ignore[misc]
        def forward_context(self) -> torch.autocast:
            return torch.autocast(self.device, dtype=self._desired_input_dtype, cache_enabled=False)

    return Uncached(precision, device=chosen_device(accelerator).partition(":")[0])


class Objective:
    """A method's loss, called where Fabric, and what it wraps a network in, expect the forward pass.

    Args:
        fabric: has device and precision.
        method: moved to the device.
        norms: of which clips BatchNorm takes its statistics where several processes train: of 'all', or of its own
            'process'.
    """

    def __init__(self, fabric: Fabric, method: Method[Any], norms: str = "all") -> None:
        if norms == "all" and world_size() > 1:
            share_norms(method, fabric.device.type)
        self._pass = _Pass(method)
        self._wrapped = fabric.setup_module(self._pass)

    def __call__(self, batch: Any, generator: torch.Generator) -> Losses:
        """What :meth:`kinema.core.method.Method.loss` makes of a batch.

        Args:
            batch: on the device.
            generator: on the CPU.
        """
        self._pass.given = (batch, generator)
        total = self._wrapped()
        losses, self._pass.found = self._pass.found, None
        assert losses is not None, "the pass was made"
        return replace(losses, total=total)


class _Pass(nn.Module):
    """Takes and gives by attribute what is no tensor: Fabric looks into arguments and results, and knows no records."""

    def __init__(self, method: Method[Any]) -> None:
        super().__init__()
        self.method = method
        self.given: tuple[Any, torch.Generator] | None = None
        self.found: Losses | None = None

    def forward(self) -> Tensor:
        assert self.given is not None, "there is a batch"
        (batch, generator), self.given = self.given, None
        self.found = self.method.loss(batch, generator)
        return self.found.total


def as_wide(batch: Any, method: nn.Module) -> Any:
    """A batch whose numbers are of the type that the method's are of, which '64-true' and the like make another.

    Args:
        batch: a record of tensors.
        method: a network.
    """
    wanted = next(method.parameters()).dtype
    if wanted == torch.float32:
        return batch
    return mapped(batch, lambda x: x.to(wanted) if x.is_floating_point() else x)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keeps Lightning's advice about settings that are deliberate here off the user's terminal."""
    import lightning_fabric  # noqa: F401 - which sets the level that is changed here

    levels = {name: logging.getLogger(name).level for name in ("lightning_fabric", "lightning.fabric")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning")
            warnings.filterwarnings("ignore", message=r"Grad strides do not match bucket view strides")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

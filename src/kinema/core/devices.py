"""The names of devices and precisions, checked before anything is read or written.

A device has one name everywhere, on the command line and in Python: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'. Here
alone it is decided what 'auto' is, and what this machine has. 'auto' never is 'mps': nothing was ever measured on one.
"""

from __future__ import annotations

import logging
import re
from functools import cache

from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from

log = logging.getLogger(__name__)

NAMES = ("auto", "cpu", "cuda", "cuda:1", "mps")
"""What a device may be called; 'cuda:1' stands for any number."""
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true", "tf32")
"""Lightning's names of those that are trained in; 'tf32' is 32-true whose products a GPU may take in TF32."""
_SHORT = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed", "64": "64-true"}
"""Short names that Lightning takes too."""


def possible() -> list[str]:
    """The devices of this machine, as torch calls them, such as 'cpu', 'cuda' and 'cuda:0'."""
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def named_device(name: str | None) -> str:
    """The name of a device as it is written everywhere, without a look at the machine, which loads torch.

    Args:
        name: one of :data:`NAMES`, or None for 'auto'; 'gpu', as 'cuda' was called before.

    Raises:
        UsageError: no device has such a name.
    """
    wanted = "auto" if name is None else str(name).strip().lower()
    if wanted == "gpu":
        _tell_of_gpu()
        return "cuda"
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", wanted):
        raise UsageError(f"The device '{name}' is no device.", f"Choose one of: {', '.join(NAMES)}.")
    return wanted


@cache
def _tell_of_gpu() -> None:
    """Once a process."""
    log.warning("The device 'gpu' is called 'cuda' now.")


def chosen_device(name: str | None) -> str:
    """The device of a name, as torch calls it.

    Args:
        name: see :func:`named_device`; None or 'auto' for a GPU of CUDA where there is one, or else the processor.

    Raises:
        UsageError: this machine has no such device; the message says which it has.
    """
    wanted, found = named_device(name), possible()
    if wanted == "auto":
        return "cuda" if "cuda" in found else "cpu"
    if wanted not in found:
        raise UsageError(f"The device '{name}' is not on this machine.", f"Choose one of: auto, {', '.join(found)}.")
    return wanted


def accelerator_of(name: str) -> tuple[str, int | list[int]]:
    """What Lightning calls a device: its accelerator, and which ones or how many of it.

    Args:
        name: see :func:`chosen_device`.

    Raises:
        UsageError: this machine has no such device.
    """
    kind, _, number = chosen_device(name).partition(":")
    return {"cuda": "gpu"}.get(kind, kind), [int(number)] if number else 1


def full_precision(name: str) -> str:
    """Lightning's full name of a precision, which may have been given by its short one."""
    return _SHORT.get(name, name)


def check_precision(precision: str, device: str | None) -> None:
    """Raises a UsageError where nothing can be trained in a precision on a device; the message says what can be.

    Args:
        precision: Lightning's name.
        device: see :func:`chosen_device`.
    """
    where = chosen_device(device)
    named = full_precision(precision)
    if named not in PRECISIONS:
        raise UsageError(f"There is no precision '{precision}'.", choose_from(precision, PRECISIONS))
    lacking = _lacking(named, where)
    if lacking:
        others = [each for each in PRECISIONS if not _lacking(each, where)]
        raise UsageError(
            f"Nothing can be trained in the precision '{precision}' on the device '{where}': {lacking}.",
            f"Set --precision to one of: {', '.join(others)}; or choose another --device.",
        )


def _lacking(precision: str, where: str) -> str:
    """Why nothing can be trained in a precision on a device; empty where it can."""
    import torch

    if where == "mps":
        return "" if precision in ("32-true", "16-mixed") else "it is not possible on Apple's GPUs"
    if where == "cpu" and precision.startswith("16-"):
        return "processors do not compute in float16"
    if where == "cpu" and precision == "tf32":
        return "TF32 is a format of NVIDIA's GPUs, and processors compute in float32"
    if where.startswith("cuda") and precision.startswith("bf16") and not torch.cuda.is_bf16_supported():
        return "this GPU does not compute in bfloat16"
    if where.startswith("cuda") and precision == "tf32" and torch.cuda.get_device_capability(where) < (8, 0):
        return "this GPU is older than TF32"
    return ""


def fabric_precision(name: str) -> str:
    """What Lightning calls a precision: 'tf32' is its '32-true', with switches of torch beside it."""
    named = full_precision(name)
    return "32-true" if named == "tf32" else named

"""Bounds of the numbers in settings: what is not finite, or larger than anything could be, is refused with its range.

The bounds are far above what anybody trains; they keep a slip of the hand, or a file from somebody else, from asking
for terabytes. What must be above zero, or less than another setting, the settings themselves say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kinema.core.errors import ConfigError

MOST: Mapping[str, float] = {
    "epochs": 10**6,
    "batch_size": 10**6,
    "queue": 10**8,
    "frames": 10**4,
    "stride": 10**4,
    "size": 2**13,
    "short_side": 2**13,
    "rate": 768_000,
    "seconds": 3600,
    "bands": 2**12,
    "width": 2**14,
    "dim": 2**14,
    "hidden": 2**16,
    "out": 2**16,
    "depth": 1000,
    "layers": 1000,
    "stages": 1000,
    "turns": 1000,
    "heads": 2**12,
    "mlp_ratio": 1000,
    "patch": 2**12,
    "tubelet": 2**12,
    "workers": 1024,
    "clips_per_video": 10**6,
    "cache_gib": 10**7,
    "vocabulary": 10**8,
    "positions": 10**7,
    "max_length": 10**7,
    "seed": 2**64,
    "checkpoint_seconds": 10**9,
}
"""The largest value of settings by their name, in any part."""
USUAL = 10**8
"""That of every other whole number."""


def check_numbers(settings: Any, where: str = "") -> None:
    """Looks at every number in settings, those of their parts too.

    Args:
        settings: a dataclass.
        where: its name, for the message: 'clip'.

    Raises:
        ConfigError: one is not finite, or too large; the message has its name, its value and the range.
    """
    for item in fields(settings):
        _check(getattr(settings, item.name), item.name, f"{where}.{item.name}" if where else item.name)


def _check(value: Any, name: str, path: str) -> None:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int | float):
        most = MOST.get(name, USUAL if isinstance(value, int) else math.inf)
        if not math.isfinite(value):
            raise ConfigError(f"{path} is {value}; it must be a finite number.")
        if abs(value) > most:
            raise ConfigError(f"{path} is {value}; it must be at most {most:,}.")
    elif is_dataclass(value) and not isinstance(value, type):
        check_numbers(value, path)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            _check(each, name, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            _check(each, name, f"{path}[{number}]")

"""What every reader has that ``kinema.load`` gives: a device to stay on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, Self

from kinema.core.devices import chosen_device


class Reader:
    """A trained network in a user's hands."""

    tower: Any
    _stays: str | None = None
    _again: Callable[..., Any] | None = None

    def to(self, device: Any) -> Self:
        """Moves the model to a device, on which it stays; this model itself is returned, as torch does it.

        Args:
            device: 'auto', 'cpu', 'cuda', 'cuda:1', 'mps', or a ``torch.device``; what a call's own ``device`` says
                holds for that call.

        Raises:
            UsageError: this machine has no such device; the message says which it has.
        """
        where = chosen_device(str(device))
        for reader in self._members():
            reader._stays = where
            for part in reader._networks():
                part.to(where)
        return self

    @property
    def device(self) -> str:
        """Where it computes if a call does not say: 'cpu', 'cuda', 'cuda:1' or 'mps'."""
        return chosen_device(self._members()[0]._stays)

    def _device_for(self, asked: str | None) -> str:
        """The device of one call: the one that is asked for, or the model's own."""
        return self.device if asked is None else chosen_device(asked)

    def _members(self) -> tuple[Reader, ...]:
        """The readers that this one is made of."""
        return (self,)

    def _networks(self) -> Iterable[Any]:
        """The networks that it computes with."""
        return (self.tower,)

    def __call__(self, *items: Any, **which: Any) -> Any:
        """What ``run.model(view=…)`` was, until ``run.model`` became the model itself."""
        if items or self._again is None:
            raise TypeError(f"A {type(self).__name__} is no function; it has a method encode.")
        warnings.warn(
            "run.model is the model itself, without parentheses; another view's is kinema.load(run, view=…).",
            FutureWarning,
            stacklevel=2,
        )
        return self._again(**which)

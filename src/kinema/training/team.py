"""The processes that train together: what the first tells the others, and what they agree on. One alone agrees at once.

They meet by Lightning Fabric, over NCCL on GPUs and over gloo on processors. What is said here goes over gloo beside
that, on processors, so that no GPU is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kinema.core.errors import ConfigError, UsageError
from kinema.core.lock import is_held
from kinema.core.processes import DismissedError, RankLostError, place
from kinema.training.engine import make_fabric, quiet_lightning

PATIENCE = timedelta(hours=24)
"""How long the others wait for the first, which may be decoding a large set of videos."""

_LOST = ("gloo", "nccl", "connection closed by peer", "connection reset", "broken pipe", "process group")


class Team:
    """The processes of a training; one that is alone needs no other and waits for none.

    Args:
        group: their group over gloo; None for one alone.
    """

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self._told = False
        self._asked: tuple[Tensor, Any] | None = None

    @classmethod
    def met(cls, device: str) -> Team:
        """All processes that were started together, once every one of them is here.

        Args:
            device: 'auto', 'cpu', 'cuda' or 'mps'.

        Raises:
            ConfigError: there are fewer GPUs than processes on this machine.
        """
        if place().world == 1:
            return cls()
        with quiet_lightning():
            make_fabric(device, "32-true")
        return cls(dist.new_group(backend="gloo", timeout=PATIENCE))

    @property
    def size(self) -> int:
        """How many they are."""
        return 1 if self._group is None else int(dist.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    @property
    def rank(self) -> int:
        """Which of them this is."""
        return 0 if self._group is None else int(dist.get_rank())

    def facts(self, norms: str) -> dict[str, Any]:
        """What a run records of them; nothing where there is one."""
        return {} if self._group is None else {"processes": self.size, "norms": norms}

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Within it the first process prepares; if it stops before it told the others anything, they are let go."""
        try:
            yield
        except BaseException:
            self.dismiss()
            raise

    def same(self, value: Any = None) -> Any:
        """What the first process gave, on all of them."""
        if self._group is None:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0, group=self._group)
        return held[0]

    def tell(self, orders: Mapping[str, Any]) -> None:
        """The first tells the others what is to be trained."""
        self._told = True
        self.same(dict(orders))

    def dismiss(self) -> None:
        """The first lets the others go, if it did not tell them anything yet."""
        if not self._told:
            self._told = True
            self.same(None)

    def hear(self) -> dict[str, Any]:
        """What the first tells this one.

        Raises:
            DismissedError: nothing is to be done.
        """
        try:
            orders: dict[str, Any] | None = self.same()
        except RuntimeError as failure:
            raise lost_rank(failure) or failure from failure
        if orders is None:
            raise DismissedError("The first process stopped before the training began.")
        return orders

    def wait(self) -> None:
        """Until every process is here."""
        if self._group is not None:
            dist.barrier(group=self._group)

    def agreed(self, *wishes: bool) -> tuple[bool, ...]:
        """What any process wished when they were asked last, and the wishes of now for the next time.

        Nobody waits: the answer of one step arrives while the next one is made. One process alone has its wish at once.
        """
        if self._group is None:
            return wishes
        before = self._answer()
        asked = torch.tensor([float(wish) for wish in wishes])
        self._asked = asked, dist.all_reduce(asked, op=dist.ReduceOp.MAX, group=self._group, async_op=True)
        return before or tuple(False for _ in wishes)

    def agreed_now(self, wish: bool) -> bool:
        """Whether any process wishes it, or wished the first thing when they were asked last."""
        if self._group is None:
            return wish
        before = self._answer()
        asked = torch.tensor([float(wish or bool(before and before[0]))])
        dist.all_reduce(asked, op=dist.ReduceOp.MAX, group=self._group)
        return bool(asked.item())

    def _answer(self) -> tuple[bool, ...]:
        """What came of the last question; empty where there was none."""
        if self._asked is None:
            return ()
        (answer, work), self._asked = self._asked, None
        work.wait()
        return tuple(value > 0 for value in answer.tolist())

    def share_state(self, module: nn.Module) -> None:
        """Gives a network on all processes the state that it has on the first."""
        if self._group is None:
            return
        for value in module.state_dict().values():
            dist.broadcast(value, src=0)

    def check_batch(self, size: int) -> None:
        """Refuses a batch that cannot be shared out equally.

        Raises:
            ConfigError: names what can.
        """
        if size % self.size:
            below, above = size - size % self.size, size + -size % self.size
            raise ConfigError(
                f"batch_size is {size}, and {self.size} processes share each batch out in equal parts.",
                f"Choose a multiple of {self.size}, for instance {f'{below} or {above}' if below else above}.",
            )

    @staticmethod
    def leave_after_first(run: Path, seconds: float = 10.0) -> None:
        """Waits until the first process has said what it has to say: whoever started them ends all when one ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and is_held(run):
            time.sleep(0.05)
        time.sleep(0.5)


def check_norms(norms: str) -> None:
    """Refuses another word than those that say of which clips BatchNorm takes its statistics.

    Raises:
        UsageError: says which there are.
    """
    if norms not in ("all", "process"):
        raise UsageError(f"There are no norms '{norms}'.", "Choose 'all' or 'process'.")


def lost_rank(failure: BaseException) -> RankLostError | None:
    """The error for another process of the training that ended; None for another failure.

    Args:
        failure: what torch.distributed raised, wherever the training was.
    """
    if place().world == 1 or not isinstance(failure, RuntimeError):
        return None
    if not any(word in str(failure).lower() for word in _LOST):
        return None
    return RankLostError(
        "Another of the processes that train together ended, so all have stopped; the last checkpoint is kept.",
        "See what it said, or what the system says of it (memory). Run the same command with --resume to go on, on as "
        "many processes as there are then.",
    )

"""Sizes that follow the set: a queue that a small set fills, and a cascade that such a memory can feed.

A preset's queue is made for a thousand videos. Where a phase would be over before it is full, the queue, and after it
k and the stages of the cascade, are what the set allows. What a person set is left as it is, and refused where it
cannot be; a set that is large enough has the preset's sizes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields, replace
from fractions import Fraction
from typing import Any

from kinema.core.errors import ConfigError
from kinema.core.method import MethodConfig
from kinema.recipes.choice import MINED
from kinema.recipes.plan import Plan

FOLLOWING = ("queue", "stages", "k")
"""The settings of methods that follow the set."""


def set_by_hand(method: Any, settings: Mapping[str, Any], *, named: bool) -> frozenset[str]:
    """The names of a method's settings that a person set.

    Args:
        method: the settings as they are.
        settings: what was set beside a preset or a plan: its ``method_settings``.
        named: whether the method was named, so that all else is a preset's. Of a plan of one's own every setting counts
            that has another value than the class has by default.
    """
    given = settings.get("method_settings", {})
    if named and isinstance(given, Mapping):
        return frozenset(given)
    usual = {f.name: _usual(f) for f in fields(method)}
    own = {name for name, value in usual.items() if getattr(method, name) != value}
    return frozenset(own | set(given if isinstance(given, Mapping) else ()))


def _usual(setting: Field[Any]) -> Any:
    """What a setting has by default; MISSING where it must be given."""
    return setting.default_factory() if setting.default_factory is not MISSING else setting.default


def queue_followed(plan: Plan, rows: int, by_hand: Collection[str]) -> Plan:
    """A plan whose queue fills on so many videos; see :func:`with_cascade` for what is mined of it.

    The queue is the preset's where it fills. Otherwise it holds no more than an epoch shows, and no more than half of
    what the phase sees, in whole batches. One that no batch divides is rounded down.

    Args:
        plan: as it would be.
        rows: videos to learn from.
        by_hand: settings of the method that stay.
    """
    method: Any = plan.method
    if "queue" in by_hand or getattr(method, "form", "contrast") != "contrast":
        return plan
    batch = plan.batch_size
    whole = _with_queue(plan, _batches(method.queue, batch))
    return _with_queue(plan, _batches(_room(whole, rows), batch))


def _batches(size: int, batch: int) -> int:
    """The size in whole batches, at least one."""
    return max(size - size % batch, batch)


def _with_queue(plan: Plan, size: int, method: MethodConfig | None = None) -> Plan:
    """The plan with another queue, its base's too where that is the same; and with another method."""
    own: Any = plan.method
    base: Any = plan.base
    if size == own.queue:
        return plan
    if base is not None and getattr(base, "queue", None) == own.queue:
        plan = replace(plan, base=replace(base, queue=size))
    return replace(plan, method=method or replace(own, queue=size))


def cascade_followed(plan: Plan, rows: int, by_hand: Collection[str]) -> Plan:
    """The same of a method that mines its queue: k, then the stages, are what the queue leaves for the last stage.

    Raises:
        ConfigError: there are fewer videos than a batch; or the settings that a person gave cannot be had, with those
            that can.
    """
    method: Any = plan.method
    one_stage = replace(plan, method=replace(method, sizes=None, stages=1, k=1))
    size = queue_followed(one_stage, rows, by_hand).method.queue  # type: ignore[attr-defined]
    if size == method.queue or "sizes" in by_hand:
        return _with_queue(plan, size)
    if rows < plan.batch_size:
        raise too_few("cpr", rows, plan.batch_size)
    return _with_queue(plan, size, with_cascade(method, size, rows, by_hand, queue=size))


def bank_followed(plan: Plan, rows: int, by_hand: Collection[str]) -> Plan:
    """A plan whose cascade a memory of all videos can feed.

    Raises:
        ConfigError: as :func:`cascade_followed`.
    """
    method: Any = plan.method
    if "sizes" in by_hand:
        return plan
    if method.sizes is not None:
        if method.sizes[0] <= rows:
            return plan
        method = replace(method, sizes=None, stages=len(method.sizes), k=method.sizes[-1])
    elif _left(rows, method.keep, method.stages) >= method.k:
        return plan
    if rows < plan.batch_size and not {"stages", "k"} <= set(by_hand):
        raise too_few("cpr-bank", rows, plan.batch_size)
    return replace(plan, method=with_cascade(method, rows, rows, by_hand))


def with_cascade(method: Any, candidates: int, rows: int, by_hand: Collection[str], **more: Any) -> MethodConfig:
    """A method whose cascade so many candidates can feed.

    k falls first: it is a share of the memory. Where nothing is left for one, the stages fall, not below two: a cascade
    of one is another method.

    Args:
        method: gives stages, keep and k.
        candidates: K.
        rows: videos, for the message.
        by_hand: settings that stay.
        **more: other settings that change with them.

    Raises:
        ConfigError: none can be had; the message says which can.
    """
    fixed = "stages" in by_hand
    stages = [method.stages] if fixed else range(method.stages, min(2, method.stages) - 1, -1)
    least = method.k if "k" in by_hand else 1
    for number in stages:
        left = _left(candidates, method.keep, number)
        if left >= least:
            changed: MethodConfig = replace(method, stages=number, k=min(method.k, left), **more)
            return changed
    most = max((n for n in range(1, method.stages + 1) if _left(candidates, method.keep, n) >= least), default=0)
    left = _left(candidates, method.keep, stages[-1])
    ways = [f"method.stages to {most} at most"] if most else []
    ways += [f"method.k to {left} at most"] if left else []
    raise ConfigError(
        f"A cascade of {stages[-1]} stages that keep {method.keep:g} of {candidates} candidates leaves {left} for the "
        f"last stage, which has to take {method.k}; {rows} videos fill no larger memory.",
        f"Set {', or '.join(ways) or 'a higher method.keep'}, or leave out what follows the size of the set by itself "
        "(method.stages, method.k); or add videos.",
    )


def sizes_line(before: Any, after: Any, rows: int) -> str:
    """The line that says which sizes follow the set, with both values; empty where none does."""
    names = [name for name in ("queue", "sizes", "stages", "k") if _of(before, name) != _of(after, name)]
    if not names:
        return ""
    changes = ", ".join(f"method.{name} {_of(before, name)} → {_of(after, name)}" for name in names)
    line = f"Sizes of the preset that do not fit {rows} videos follow the set: {changes}."
    mines = hasattr(after, "stages") and rows < MINED
    return f"{line} On fewer than {MINED} recordings mining was not seen to gain." if mines else line


def too_few(method: str, rows: int, batch: int) -> ConfigError:
    """The error of a set on which mining cannot work at all."""
    return ConfigError(
        f"'{method}' mines among other videos, and {rows} are fewer than a batch of {batch}.",
        f"cpr and cpr-bank work from {batch} videos on (a batch), moco, simclr, be and dsm from 2. Pretrain simclr, "
        "lower batch_size, or cut long videos into several files.",
    )


def _room(plan: Plan, rows: int) -> int:
    """How many clips the queue may hold: as many as it does, where every phase that waits for them goes on after."""
    preset: int = plan.method.queue  # type: ignore[attr-defined]
    waiting = [phase.epochs for phase in plan.recipe().phases if getattr(phase.method, "warm_up_clips", 0)]
    if not waiting:
        return preset
    clips, batch = rows * getattr(plan.data, "clips_per_video", 1), plan.batch_size
    epoch = math.ceil(clips / batch) * batch
    seen = min(waiting) * epoch
    return preset if preset < seen else min(clips, seen // 2)


def _left(candidates: int, keep: float, stages: int) -> int:
    """How many candidates the last stage chooses from."""
    return int(candidates * Fraction(str(keep)) ** (stages - 1))


def _of(method: Any, name: str) -> Any:
    value = getattr(method, name, None)
    return list(value) if isinstance(value, tuple) else value

"""Records of tensors: frozen dataclasses of tensors, other such records, tuples and mappings of them, and None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from torch import Tensor

R = TypeVar("R")


def mapped(record: R, change: Callable[[Tensor], Tensor]) -> R:
    """A record with each of its tensors changed, those of the records in it too; what is no tensor stays as it is.

    Args:
        record: a record, a tensor, or None.
        change: what becomes of a tensor.
    """
    if isinstance(record, Tensor):
        return cast(R, change(record))
    if type(record) is tuple:
        return cast(R, tuple(mapped(each, change) for each in cast(tuple[Any, ...], record)))
    if isinstance(record, dict):
        return cast(R, {key: mapped(each, change) for key, each in record.items()})
    if not is_dataclass(record) or isinstance(record, type):
        return record
    moved: dict[str, Any] = {field.name: mapped(getattr(record, field.name), change) for field in fields(record)}
    return cast(R, replace(record, **moved))

"""Asks rows in memory whether a condition holds, as an engine of SQL would.

What is unknown makes a condition neither true nor false.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from kinema.core.conditions import Node

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: int(a / b) if isinstance(a, int) and isinstance(b, int) else a / b,
    "%": lambda a, b: a - b * int(a / b),
}
_CALLS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "char_length": len,
    "contains": lambda text, part: part in text,
    "ends_with": str.endswith,
    "length": len,
    "lower": str.lower,
    "round": lambda number: math.copysign(math.floor(abs(number) + 0.5), number),
    "starts_with": str.startswith,
    "upper": str.upper,
}
_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}


def holds(node: Node, value: Callable[[str], Any]) -> bool:
    """Whether a condition is true of a row.

    Args:
        node: as :func:`kinema.core.conditions.parse` reads it; its kinds were checked.
        value: the row's value of a column, None where it has none.
    """
    return _of(node, value) is True


def _of(node: Node, value: Callable[[str], Any]) -> Any:
    """The value of a part of a condition; None where it is unknown."""
    if node.kind == "column":
        return value(node.text)
    if node.kind == "text":
        return node.text
    if node.kind == "number":
        return int(node.text) if node.text.isdecimal() else float(node.text)
    if node.kind in _CONSTANTS:
        return _CONSTANTS[node.kind]
    if node.kind in ("AND", "OR"):
        return _joined([_of(part, value) for part in node.parts], node.kind == "OR")
    return _made(node, [_of(part, value) for part in node.parts])


def _joined(parts: list[Any], decides: bool) -> bool | None:
    """AND, which one that is false decides, or OR, which one that is true decides."""
    if decides in parts:
        return decides
    return None if None in parts else not decides


def _made(node: Node, parts: list[Any]) -> Any:
    """What an operator makes of its parts."""
    denied = node.text.startswith("NOT")
    if node.kind == "IS":
        return (parts[0] is _CONSTANTS[node.text.removeprefix("NOT ")]) != denied
    if node.kind == "IN":
        found = _joined([_compared("=", parts[0], each) for each in parts[1:]], True)
        return None if found is None else found != denied
    if None in parts:
        return None
    if node.kind == "NOT":
        return not parts[0]
    if node.kind == "compare":
        return _compared(node.text, *parts)
    if node.kind == "LIKE":
        return _like(parts[1], parts[0], node.text.endswith("ILIKE")) != denied
    if node.kind == "BETWEEN":
        return (parts[1] <= parts[0] <= parts[2]) != denied
    if node.kind == "call":
        return _CALLS[node.text](*parts)
    if len(parts) == 1:
        return -parts[0] if node.text == "-" else parts[0]
    return None if node.text in "/%" and parts[1] == 0 else _ARITHMETIC[node.text](*parts)


def _compared(sign: str, a: Any, b: Any) -> bool | None:
    return None if a is None or b is None else _COMPARE[sign](a, b)


def _like(pattern: str, text: str, any_case: bool) -> bool:
    """SQL's LIKE: '%' is any text, '_' any letter."""
    found = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(found, text, re.DOTALL | (re.IGNORECASE if any_case else 0)) is not None

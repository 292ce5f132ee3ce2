"""Reading back what kinema wrote, strictly and within bounds: JSON, lines of JSON, and values of a known shape.

A file may have been cut short, damaged, changed by hand, or come from somebody else. Whatever it holds, reading it
gives values of the shape that was asked for, or one error that names the file, the key and what to do; never more
memory than :data:`LARGEST`, and never a depth at which Python itself would give up.
"""

from __future__ import annotations

import json
import math
import os
import types
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, is_typeddict

import cattrs
from cattrs.cols import homogenous_tuple_structure_factory, list_structure_factory, mapping_structure_factory
from cattrs.gen.typeddicts import make_dict_structure_fn as typeddict_structure
from cattrs.preconf.json import make_converter
from cattrs.v import format_exception

from kinema.core.errors import KinemaError, RunError

T = TypeVar("T")

LARGEST = 1 << 28
"""Bytes of the largest JSON file that is read: a manifest of half a million videos."""
DEEPEST = 100
"""Levels of lists and objects within one another."""
_DIGITS = 40
"""Of the longest whole number."""
_SHOWN = 80
"""Characters of a value in a message."""


def parse_json(text: str | bytes) -> Any:
    """JSON from somewhere else, within bounds.

    Args:
        text: all of it, bytes in UTF-8.

    Raises:
        ValueError: it is no JSON, is nested more than :data:`DEEPEST` levels deep, or holds a number without end.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    _check_depth(value)
    return value


def load_json(path: Path, largest: int = LARGEST) -> Any:
    """The JSON of a file, within bounds.

    Args:
        path: the file.
        largest: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger, or :func:`parse_json` refuses it.
    """
    return parse_json(_content(path, largest))


def read_bounded(path: Path, *, error: type[KinemaError] = RunError, hint: str = "") -> bytes:
    """The bytes of a file that is not larger than :data:`LARGEST`.

    Raises:
        KinemaError: ``error``: it cannot be read, or is larger.
    """
    try:
        return _content(path, LARGEST)
    except (OSError, ValueError) as failure:
        raise error(f"'{path}' cannot be read: {reason_of(failure)}.", hint) from failure


def _content(path: Path, largest: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest / 2**20:g} MiB")
    return content


def read_object(path: Path, *, error: type[KinemaError] = RunError, hint: str = "") -> dict[str, Any]:
    """The JSON object of a file.

    Args:
        path: the file.
        error: what is raised where it cannot be read.
        hint: what to do then.

    Raises:
        KinemaError: ``error``: the file is missing, no JSON within bounds, or something else than an object.
    """
    try:
        value = load_json(path)
        if not isinstance(value, dict):
            raise ValueError(f"it holds {_kind_of(value)} in place of an object")
    except (OSError, ValueError) as failure:
        raise error(f"'{path}' cannot be read: {reason_of(failure)}.", hint) from failure
    return value


def read_shape(path: Path, kind: type[T], *, error: type[KinemaError] = RunError, hint: str = "") -> T:
    """The JSON object of a file, as ``kind``; see :func:`shaped`.

    Raises:
        KinemaError: ``error``: the message names the file, the key and what is wrong with it.
    """
    return shaped(read_object(path, error=error, hint=hint), kind, f"'{path}'", error=error, hint=hint)


def shaped(value: Any, kind: type[T], where: str, *, error: type[KinemaError] = RunError, hint: str = "") -> T:
    """JSON values as ``kind``: a dataclass, whose fields they must be, or a TypedDict, which may hold more keys.

    Values are checked and not changed: 3 stays 3 where a float is expected. Lists become tuples where the fields are.

    Args:
        value: what was read.
        kind: a dataclass or a TypedDict of text, numbers, lists and objects.
        where: the file's name, for the message.
        error: what is raised where it does not fit.
        hint: what to do then.

    Raises:
        KinemaError: ``error``: the message names every key that is unknown, missing or of the wrong type.
    """
    if not isinstance(value, Mapping):
        raise error(f"{where} is {_kind_of(value)} in place of an object.", hint)
    try:
        return _shapes().structure(value, kind)
    except Exception as failure:  # cattrs wraps what a constructor raises, and constructors may raise anything
        problems, hints = problems_of(failure)
        raise error(f"{where} is damaged: {problems}.", hint or " ".join(hints)) from failure


def problems_of(failure: BaseException) -> tuple[str, list[str]]:
    """What cattrs could not make of some values, in our words.

    Returns:
        One clause a problem, with the path of its key; and the hints of errors of ours among them.
    """
    hints: list[str] = []

    def in_our_words(error: BaseException, kind: type | None) -> str:
        if isinstance(error, KinemaError):
            hints.append(error.hint)
            return error.message.rstrip(".")
        if isinstance(error, cattrs.StructureHandlerNotFoundError | RecursionError):
            return "it cannot be what it says"
        if type(error) in (TypeError, ValueError, OverflowError, ZeroDivisionError, AttributeError):
            return str(error)
        return format_exception(error, kind)

    lines = cattrs.transform_error(failure, format_exception=in_our_words)
    reasons = [line.replace("$.", "").replace("@ $", "").strip() for line in lines]
    more = f"; and {len(reasons) - 8} more" if len(reasons) > 8 else ""
    return shortened("; ".join(reasons[:8]) + more, 2000), hints


def strict_hooks(converter: cattrs.Converter, *, keep: bool) -> None:
    """Has a converter take text for text, numbers for numbers, lists for lists and objects for objects.

    Args:
        converter: gets the hooks.
        keep: whether a whole number stays one where a float is expected; else it becomes a float, which must be finite.
    """
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(float, _number if keep else _finite)
    converter.register_structure_hook_factory(_is_tuple, _of_lists(homogenous_tuple_structure_factory))
    converter.register_structure_hook_factory(_is_record, _of_records)
    converter.register_structure_hook_factory(_is_list, _of_lists(list_structure_factory))
    converter.register_structure_hook_factory(_is_mapping, _of_objects)


def reason_of(error: Exception) -> str:
    """Why a file could not be read, without its name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: {error}"
    return shortened(" ".join(str(error).split()).rstrip(".")) or type(error).__name__


def unwritable(text: str) -> bool:
    """Whether a text cannot be written in UTF-8: a file's name in another encoding, or half a character in JSON."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def legible(name: str) -> str:
    """A file's name as it can be written and shown: bytes that are not UTF-8 by their number, all else as it is."""
    if not unwritable(name):
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace") if _of_bytes(name) else ascii(name)[1:-1]


def _of_bytes(name: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in name)


def shortened(text: str, most: int = 4 * _SHOWN) -> str:
    """A text for a message: its first ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _shapes() -> cattrs.Converter:
    converter = make_converter(forbid_extra_keys=True)
    strict_hooks(converter, keep=True)
    converter.register_structure_hook_factory(
        is_typeddict, lambda kind: typeddict_structure(kind, converter, _cattrs_forbid_extra_keys=False)
    )
    # A number or a text or …: cattrs asks for rules of its own for such a field, and one of plain values needs none.
    converter.register_structure_hook_factory(_is_plain_union, _of_plain_union)
    return converter


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ValueError(_too_deep())


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} levels deep"


def _kind_of(value: Any) -> str:
    named = {type(None): "nothing", list: "a list", tuple: "a list", str: "a text", bool: "true or false"}
    return named.get(type(value), "a number")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else shortened(repr(value), _SHOWN)


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise TypeError(f"expected {kind.__name__}, got {_shown(value)}")
        return value

    return structure


def _number(value: Any, _: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected float, got {_shown(value)}")
    return value


def _finite(value: Any, _: Any) -> float:
    number = float(_number(value, _))
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {value}")
    return number


def _is_tuple(kind: Any) -> bool:
    arguments = get_args(kind)
    return get_origin(kind) is tuple and len(arguments) == 2 and arguments[1] is ...


def _is_record(kind: Any) -> bool:
    return get_origin(kind) is tuple and not _is_tuple(kind) and bool(get_args(kind))


def _of_records(kind: Any, converter: cattrs.BaseConverter) -> Callable[[Any, Any], Any]:
    """Tuples of a known length."""
    parts = [(part, converter.get_structure_hook(part)) for part in get_args(kind)]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(parts):
            raise TypeError(f"expected a list of {len(parts)}, got {_shown(value)}")
        return tuple(hook(each, part) for each, (part, hook) in zip(value, parts, strict=True))

    return structure


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _is_mapping(kind: Any) -> bool:
    return cattrs.cols.is_mapping(kind) and not is_typeddict(kind)


def _is_plain_union(kind: Any) -> bool:
    plain = (str, int, float, bool, type(None))
    parts = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()
    return len(parts) > 1 and all(part in plain or part is dict for part in parts)


def _of_plain_union(kind: Any) -> Callable[[Any, Any], Any]:
    parts = get_args(kind)
    takes = {*parts, *((int,) if float in parts else ())}
    named = {type(None): "null", dict: "an object"}
    names = " or ".join(named.get(part, part.__name__) for part in parts)

    def structure(value: Any, _: Any) -> Any:
        if type(value) not in takes:
            raise TypeError(f"expected {names}, got {_shown(value)}")
        return value

    return structure


def _of_lists(make: Callable[..., Any]) -> Callable[[Any, cattrs.BaseConverter], Any]:
    def factory(kind: Any, converter: cattrs.BaseConverter) -> Any:
        inner = make(kind, converter)

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise TypeError(f"expected a list, got {_shown(value)}")
            return inner(value, kind)

        return structure

    return factory


def _of_objects(kind: Any, converter: cattrs.BaseConverter) -> Callable[[Any, Any], Any]:
    inner = mapping_structure_factory(kind, converter)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected an object, got {_shown(value)}")
        return inner(value, kind)

    return structure

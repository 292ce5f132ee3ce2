"""Settings as data: frozen dataclasses to plain JSON values and back, strictly.

Reading is strict: an unknown key, a missing one or a value of the wrong type is a :class:`ConfigError` that names the
key's path and what was expected. The work is done by ``cattrs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar

import cattrs
from cattrs.preconf.json import make_converter

from kinema.core.errors import ConfigError
from kinema.core.reading import problems_of, strict_hooks

T = TypeVar("T")

_OTHER = "If another version of kinema wrote it, read it with that."


def make_strict_converter() -> cattrs.Converter:
    """A JSON converter that refuses unknown keys and numbers that are not finite, and does not coerce silently."""
    converter = make_converter(forbid_extra_keys=True)
    strict_hooks(converter, keep=False)
    return converter


def to_plain(value: Any, converter: cattrs.Converter) -> Any:
    """A dataclass as JSON values."""
    return converter.unstructure(value)


def from_plain(value: Any, kind: type[T], converter: cattrs.Converter, where: str) -> T:
    """JSON values as the dataclass ``kind``.

    Args:
        value: what was read.
        kind: the dataclass.
        converter: from :func:`make_strict_converter`.
        where: the file's name, for the message.

    Raises:
        ConfigError: names every key that is unknown, missing or of the wrong type.
    """
    name = getattr(kind, "__name__", str(kind))
    if is_dataclass(kind) and not isinstance(value, Mapping):
        raise ConfigError(f"{where} does not describe a {name}: it is no object.", _OTHER)
    try:
        return converter.structure(value, kind)
    except Exception as error:  # cattrs wraps what a constructor raises, and constructors may raise anything
        problems, hints = problems_of(error)
        hint = " ".join(dict.fromkeys([*filter(None, hints), _OTHER]))
        raise ConfigError(f"{where} does not describe a {name}: {problems}.", hint) from error


def differences(one: Any, other: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two settings, as plain values, differ: the dotted name of each, and both values.

    Args:
        one: plain values, as JSON has them; a tuple counts as a list.
        other: likewise.
        name: what stands before each name.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            yield from differences(one.get(key), other.get(key), f"{name}.{key}" if name else key)
    elif _listed(one) != _listed(other):
        yield name, one, other


def _listed(value: Any) -> Any:
    """The value with lists for tuples: JSON has none."""
    if isinstance(value, list | tuple):
        return [_listed(each) for each in value]
    return {key: _listed(each) for key, each in value.items()} if isinstance(value, dict) else value

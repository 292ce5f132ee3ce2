"""Settings as data: frozen dataclasses to plain JSON values and back, strictly.

Reading is strict: an unknown key, a missing one or a value of the wrong type is a :class:`ConfigError` that names the
key's path and what was expected. The work is done by ``cattrs``.
"""

from __future__ import annotations

from typing import Any, TypeVar

import cattrs
from cattrs.preconf.json import make_converter
from cattrs.v import format_exception

from kinema.core.errors import ConfigError, KinemaError

T = TypeVar("T")


def make_strict_converter() -> cattrs.Converter:
    """A JSON converter that refuses unknown keys and does not coerce silently."""
    converter = make_converter(forbid_extra_keys=True)
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    return converter


def _exactly(kind: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise TypeError(f"expected {kind.__name__}, got {value!r}")
        return value

    return structure


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
    try:
        return converter.structure(value, kind)
    except cattrs.BaseValidationError as error:
        hints: list[str] = []

        def in_our_words(error: BaseException, kind: type | None) -> str:
            """What a settings class says of a value it refuses; what ``cattrs`` says of all else."""
            if not isinstance(error, KinemaError):
                return format_exception(error, kind)
            hints.append(error.hint)
            return error.message.rstrip(".")

        lines = cattrs.transform_error(error, format_exception=in_our_words)
        problems = "; ".join(line.replace("$.", "").replace("@ $", "").strip() for line in lines)
        hint = " ".join(
            dict.fromkeys([*filter(None, hints), "If another version of kinema wrote it, read it with that."])
        )
        raise ConfigError(f"{where} does not describe a {kind.__name__}: {problems}.", hint) from error

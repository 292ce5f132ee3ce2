"""The settings of a table, in its metadata: those of a table and of an encoder must agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar

from kinema.core.errors import DataError, StorageError
from kinema.core.reading import parse_json, reason_of, shaped
from kinema.searching.layout import ELSEWHERE, Layout, check_layout


class AnySettings(Protocol):
    """The settings of any table."""

    @property
    def digest(self) -> str:
        """SHA-256 of the encoder's weights."""
        ...

    def differences(self, other: Any) -> list[str]:
        """The differences from other settings of the same kind."""
        ...


Settings = TypeVar("Settings", bound=AnySettings)


@dataclass(frozen=True)
class EncoderSettings:
    """The settings of a table, which must be equal for embeddings to be comparable: a base of dataclasses.

    Args:
        encoder: the encoder's name; it may differ.
        digest: SHA-256 of its weights.
    """

    encoder: str
    digest: str
    digests: ClassVar[Mapping[str, str]] = {"digest": "its encoder's weights are"}
    """The fields that are a SHA-256, and how a message about them begins."""

    @property
    def model_id(self) -> str:
        """A short digest of the encoder."""
        return self.digest[:16]

    @property
    def settings_id(self) -> str:
        """A short digest of all settings."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def differences(self, other: EncoderSettings) -> list[str]:
        """The differences, for instance 'words is 100 there and 50 here', the encoder first; empty for none."""
        found = []
        for item in fields(self):
            theirs, ours = getattr(self, item.name), getattr(other, item.name)
            if item.name == "encoder" or theirs == ours:
                continue
            if item.name in self.digests:
                whose = self.digests[item.name]
                found.append(f"{whose} {theirs[:12] or 'none'} there and {ours[:12] or 'none'} here")
            else:
                found.append(f"{item.name} is {theirs} there and {ours} here")
        return found


def settings_of(table: Any, kind: type[Settings], layout: Layout, uri: str, *, reader: str, known: int = 1) -> Settings:
    """Reads the settings in a table's metadata.

    Args:
        table: of LanceDB.
        kind: the class of the settings.
        layout: of the table.
        uri: where it is, for messages.
        reader: what reads it, for the message: 'An encoder of text'.
        known: the format that is read.

    Raises:
        DataError: the table has another layout.
        StorageError: it is not a table of kinema, or of a later version.
    """
    check_layout(table, layout, uri, reader)
    try:
        plain = _plain(table, known)
    except ValueError as error:
        raise not_ours(uri, error) from error
    return shaped(plain, kind, f"The table in '{uri}'", error=StorageError, hint=ELSEWHERE)


def _plain(table: Any, known: int) -> Any:
    """The settings in a table's metadata, as they were read."""
    found = (table.schema.metadata or {}).get(b"kinema")
    if found is None:
        raise ValueError("it has no settings")
    settings = parse_json(found)
    if not isinstance(settings, dict):
        raise ValueError("its settings are no object")
    if settings.get("format") != known:
        raise ValueError(f"its format is {settings.get('format')}, and this kinema knows {known}")
    return settings


def not_ours(uri: str, error: Exception) -> StorageError:
    """The error for a table that cannot be read."""
    return StorageError(f"The table in '{uri}' is not one that this kinema made: {reason_of(error)}.", ELSEWHERE)


def check_settings(existing: AnySettings, ours: AnySettings, uri: str) -> None:
    """Raises a DataError that names the differences, where a table was made with another encoder or other settings."""
    found = existing.differences(ours)
    if not found:
        return
    by = "another encoder" if existing.digest != ours.digest else "the same encoder under other settings"
    raise DataError(
        f"The table in '{uri}' was made by {by}: {'; '.join(found)}.",
        "Replace it with `kinema embed --replace`, or keep another one elsewhere with -o.",
    )

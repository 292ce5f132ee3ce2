"""``questions.jsonl``: an object a line; see :data:`kinema.data.questions.drafts.FORM` for its keys."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.reading import parse_json, reason_of
from kinema.data.questions.drafts import FORM, Draft, few
from kinema.data.written import read_written

log = logging.getLogger(__name__)

LISTING = "questions.jsonl"
_ABOUT = ("split", "type", "difficulty", "group", "show")
_KEYS = ("id", "video", "question", "options", "answer", "start", "end", *_ABOUT)


def read_listing(file: Path) -> Draft:
    """The questions of a ``questions.jsonl``; no file beside it was opened.

    Args:
        file: the table.

    Raises:
        DataError: it cannot be read, holds no question, or a value is none that its key holds; the message gives the
            line.
    """
    draft = Draft(file.parent.resolve())
    unknown: dict[str, int] = {}
    for number, line in enumerate(read_written(file).text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"'{file.name}', line {number}"
        record = _record(where, line)
        for key in set(record) - set(_KEYS):
            unknown.setdefault(key, number)
        options = record.get("options")
        if not isinstance(options, list):
            raise DataError(f"{where}: 'options' is {'missing' if options is None else 'no list'}.", FORM)
        for key in _ABOUT:
            if isinstance(record.get(key), dict | list | bool):
                raise DataError(f"{where}: '{key}' is no text.", FORM)
        draft.add(
            where,
            id=record.get("id"),
            video=record.get("video"),
            question=record.get("question"),
            options=options,
            answer=record.get("answer"),
            span=(record.get("start"), record.get("end")),
            **{key: record.get(key) for key in _ABOUT},
        )
    if unknown:
        named = few([f"'{key}' (line {line})" for key, line in sorted(unknown.items())])
        log.warning("Keys of '%s' that are not known are passed over: %s.", file, named)
    draft.finish()
    return draft


def _record(where: str, line: str) -> dict[str, Any]:
    try:
        record = parse_json(line)
    except ValueError as error:
        raise DataError(f"{where}: {reason_of(error)}.", FORM) from error
    if not isinstance(record, dict):
        raise DataError(f"{where}: it is a {type(record).__name__}, and no object.", FORM)
    return record

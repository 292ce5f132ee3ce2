"""A report as it is passed on: where its folders lie on the machine that made it is nobody else's business.

Runs go by their names and data by their folder's name; of any other absolute path its last part is left. What is
printed on the terminal keeps the paths, for there its commands are to be typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from kinema.core.vocabulary import Vocabulary
from kinema.reporting.report import Report

_QUOTED = re.compile(r"(?P<quote>['\"])(?:file://)?/(?!/)[^'\"\n]*?(?P<last>[^/'\"\n]+)/*(?P=quote)")
_BARE = re.compile(
    r"(?:^|(?<=[\s'\"=:(\[,`]))(?:file://)?/(?![/\s])(?:[^\s'\",;:()<>\[\]]*/)?(?P<last>[^\s'\",;:()<>\[\]/]+)/*"
)
_DRIVE = re.compile(r"\b[A-Za-z]:\\(?:[^\s'\"]*\\)?(?P<last>[^\s'\"\\]+)")


def without_places(report: Report) -> Report:
    """The report without absolute paths, in its sentences, its commands, its settings and its records."""
    known: dict[str, str] = {}
    for run in report.runs:
        data = [str(run.environment.get("data") or ""), *(f.data for row in report.rows for f in row.figures)]
        for place in (each.partition(":")[2] if ":/" in each else each for each in data):
            known |= {place: Path(place).name} if Path(place).is_absolute() and Path(place).name else {}
    for run in report.runs:
        known |= {str(place): run.name for place in (Path(run.path).resolve(), run.path) if Path(place).is_absolute()}
    found: Report = _walk(report, sorted(known.items(), key=lambda each: -len(each[0])))
    return found


def _walk(value: Any, known: list[tuple[str, str]]) -> Any:
    """The same value with every text in it rewritten, however deep."""
    if isinstance(value, str):
        return _rewritten(value, known)
    if isinstance(value, Vocabulary):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: _walk(getattr(value, item.name), known) for item in fields(value)})
    if isinstance(value, Mapping):
        return {_walk(key, known): _walk(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_walk(item, known) for item in value)
    return value


def _rewritten(text: str, known: list[tuple[str, str]]) -> str:
    if text.startswith("data:image/") or not ("/" in text or "\\" in text):
        return text
    for place, name in known:
        if place in text:
            begins, ends = r"(?<![\w./~<-])", r"(?![\w-])"
            text = re.sub(begins + re.escape(place) + ends, name.replace("\\", "\\\\"), text)
    text = _QUOTED.sub(lambda found: f"{found['quote']}{found['last']}{found['quote']}", text)
    text = _BARE.sub(lambda found: found["last"], text)
    return _DRIVE.sub(lambda found: found["last"], text)

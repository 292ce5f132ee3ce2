"""NExT-QA (Xiao, Shang, Yao, Chua 2021), multiple choice: ``train.csv``, ``val.csv`` and ``test.csv``.

Captions of every second are read as subtitles where they are there: a ``.zip`` or folders of ``VIDEO_cap.json``, each
an object {second: caption}, of which the caption of second t is a line from t to t + 1. A zip is read as it is.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kinema.core.errors import DataError
from kinema.core.reading import LARGEST, parse_json, reason_of
from kinema.core.splits import tidy
from kinema.data.questions.drafts import Draft
from kinema.data.questions.lines import ordered
from kinema.data.questions.published import below, json_of, whole
from kinema.data.questions.table import TimedLine
from kinema.data.written import read_table

_HINT = (
    "NExT-QA is a folder with train.csv, val.csv or test.csv (video, question, answer, qid, type, a0 to a4), and "
    "captions a second as VIDEO_cap.json, in a folder or a .zip."
)
_OPTIONS = ("a0", "a1", "a2", "a3", "a4")
_CAPTIONS = "_cap.json"


def nextqa(root: Path) -> Draft:
    """The questions of NExT-QA; a question's type is the set's own (CW, CH, TN, TC, TP, DC, DL, DO).

    Args:
        root: its folder.

    Raises:
        DataError: there is no list of questions, or a file is damaged.
    """
    draft = Draft(root, "nextqa", hint=_HINT)
    files = {split: below(root, f"{split}.csv") for split in ("train", "val", "test")}
    if not any(files.values()):
        raise DataError(f"There is no train.csv, val.csv or test.csv in '{root}'.", _HINT)
    for split, found in files.items():
        for row in read_table(found[0], ("video", "question", "qid", *_OPTIONS), hint=_HINT).rows if found else ():
            values = row.values
            draft.add(
                f"'{found[0].name}', line {row.line}",
                id=f"{values['video']}_{values['qid']}",
                video=values["video"],
                question=values["question"],
                options=[values[key] for key in _OPTIONS],
                answer=whole(values.get("answer")) if values.get("answer") else None,
                split=split,
                type=values.get("type"),
            )
    wanted = {row.video for row in draft.rows}
    draft.lines = {video: _lines(video, held) for video, held in _captions(root) if video in wanted}
    return draft


def _captions(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each video with its captions by second: of the files below the folder, and of those in archives."""
    for path in below(root, f"*{_CAPTIONS}"):
        yield path.name.removesuffix(_CAPTIONS), json_of(path, dict, _HINT)
    for path in below(root, "*.zip"):
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    name = PurePosixPath(entry.filename).name
                    if not name.endswith(_CAPTIONS) or name.startswith("."):
                        continue
                    if entry.file_size > LARGEST:
                        raise DataError(f"'{name}' in '{path}' has {entry.file_size:,} bytes.", _HINT)
                    found = parse_json(archive.read(entry))
                    if not isinstance(found, dict):
                        raise DataError(f"'{name}' in '{path}' holds no object.", _HINT)
                    yield name.removesuffix(_CAPTIONS), found
        except (OSError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError, json.JSONDecodeError) as error:
            raise DataError(f"The captions in '{path}' cannot be read: {reason_of(error)}.", _HINT) from error


def _lines(video: str, held: Mapping[str, Any]) -> tuple[TimedLine, ...]:
    found = []
    for second, caption in held.items():
        if not second.strip().isdigit() or not isinstance(caption, str):
            raise DataError(f"The captions of '{video}' are no texts by second: '{second[:40]}'.", _HINT)
        text = " ".join(tidy(caption).split())
        if text:
            found.append(TimedLine(int(second), int(second) + 1, text))
    return ordered(found)

"""PororoQA (Kim, Heo, Choi, Zhang 2017): questions about a cartoon, with descriptions of its scenes.

``qa.json`` has the questions and ``descriptions.csv``, without a head, rows of episode, scene and sentence. There are
no times: the number of a scene is its time, so scene s is the second from s to s + 1, and the stretch of a question is
its supporting scene. Descriptions are read as subtitles.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import defaultdict
from pathlib import Path

from kinema.core.errors import DataError
from kinema.core.splits import tidy
from kinema.data.questions.drafts import Draft
from kinema.data.questions.lines import ordered
from kinema.data.questions.published import asked, json_of, whole
from kinema.data.questions.table import TimedLine
from kinema.data.written import long_fields, read_written

log = logging.getLogger(__name__)

_HINT = "PororoQA is a folder with qa.json and descriptions.csv (episode,scene,sentence; without a head)."


def pororoqa(root: Path) -> Draft:
    """The questions of PororoQA; the set has no splits.

    Args:
        root: its folder.

    Raises:
        DataError: a file is missing or damaged.
    """
    file = root / "qa.json"
    if not file.is_file():
        raise DataError(f"There is no qa.json in '{root}'.", _HINT)
    draft = Draft(root, "pororoqa", hint=_HINT)
    records = json_of(file, dict, _HINT).get("PororoQA")
    if not isinstance(records, list):
        raise DataError(f"'{file}' holds no list 'PororoQA'.", _HINT)
    for number, found in enumerate(records):
        where = f"'{file.name}', question {number}"
        record = asked(found, where, _HINT)
        scene = whole(record.get("supporting_num"))
        known = isinstance(scene, int) and not isinstance(scene, bool)
        draft.add(
            where,
            id=record.get("qid"),
            video=record.get("video_name"),
            question=record.get("question"),
            options=[record.get(f"answer{place}") for place in range(5)],
            answer=record.get("correct_idx"),
            span=(scene, scene + 1) if known else (None, None),
        )
    lines = _descriptions(root / "descriptions.csv", draft)
    draft.lines = {video: ordered(held) for video, held in lines.items()}
    draft.durations = {video: max(line.end for line in held) for video, held in lines.items()}
    return draft


@long_fields()
def _descriptions(file: Path, draft: Draft) -> dict[str, list[TimedLine]]:
    found: dict[str, list[TimedLine]] = defaultdict(list)
    if not file.is_file():
        log.warning("There is no '%s': the questions are read without descriptions of scenes.", file)
        return found
    reader = csv.reader(io.StringIO(read_written(file).text, newline=""), strict=True)
    try:
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != 3 or not cells[1].strip().isdigit():
                raise DataError(f"'{file}', line {reader.line_num}: it is no episode,scene,sentence.", _HINT)
            text = " ".join(tidy(cells[2]).split())
            if text:
                scene = int(cells[1])
                found[draft.name(cells[0])].append(TimedLine(scene, scene + 1, text))
    except csv.Error as error:
        raise DataError(f"'{file}', line {reader.line_num}: {error}.", _HINT) from error
    return found

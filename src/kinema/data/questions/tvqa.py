"""TVQA (Lei, Yu, Bansal, Berg 2018) and TVQA+ (Lei, Yu, Berg, Bansal 2020), as published.

TVQA: ``tvqa_train.jsonl``, ``tvqa_val.jsonl`` and ``tvqa_test_public.jsonl``. TVQA+: ``tvqa_plus_train.json``,
``tvqa_plus_val.json``, or the same ``_preprocessed``. Subtitles are ``VIDEO.srt`` in ``tvqa_subtitles`` or
``subtitles``; or ``tvqa_preprocessed_subtitles.jsonl`` (vid_name, sub: text, start, end); or
``tvqa_plus_subtitles.json``, which says when each sentence begins: it ends where the next begins.

The boxes of TVQA+ are not read. People drew them around what the question and its true answer name, in the stretch
that answers it, so their labels would tell both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.splits import tidy
from kinema.data.questions.drafts import Draft
from kinema.data.questions.lines import ordered, read_subtitle_files
from kinema.data.questions.published import asked, below, json_of, lines_of, whole
from kinema.data.questions.table import TimedLine

_HINT = (
    "TVQA is a folder with tvqa_train.jsonl, tvqa_val.jsonl or tvqa_test_public.jsonl, TVQA+ one with "
    "tvqa_plus_train.json or tvqa_plus_val.json; subtitles are VIDEO.srt in tvqa_subtitles, "
    "tvqa_preprocessed_subtitles.jsonl or tvqa_plus_subtitles.json."
)
_EPISODE = re.compile(r"(.*?s\d+e\d+)_")
_SHOWS = {"friends": "Friends", "met": "How I Met You Mother", "grey": "Grey's Anatomy", "house": "House M.D."}
_SHOWS |= {"castle": "Castle"}
_LAST = 3.0
"""Seconds of the last sentence, where only beginnings are known."""

Record = tuple[str, str, Mapping[str, Any]]


def tvqa(root: Path) -> Draft:
    """The questions of TVQA; groups are episodes.

    Args:
        root: its folder.

    Raises:
        DataError: there is no list of questions, or a file is damaged.
    """
    return _draft(root, "tvqa", _tvqa_records)


def tvqa_plus(root: Path) -> Draft:
    """The questions of TVQA+; groups are episodes. Boxes are not read.

    Args:
        root: its folder.

    Raises:
        DataError: there is no list of questions, or a file is damaged.
    """
    return _draft(root, "tvqa+", _plus_records)


def _draft(root: Path, layout: str, records: Callable[[Path], Iterator[Record]]) -> Draft:
    draft = Draft(root, layout, hint=_HINT)
    for split, where, record in records(root):
        video = record.get("vid_name")
        name = video if isinstance(video, str) else ""
        episode = _EPISODE.match(name)
        show = record.get("show_name") or _SHOWS.get(name.partition("_")[0], "The Big Bang Theory" if name else None)
        draft.add(
            where,
            id=record.get("qid"),
            video=video,
            question=record.get("q"),
            options=[record.get(f"a{place}") for place in range(5)],
            answer=whole(record.get("answer_idx")),
            span=_span(where, record.get("ts")),
            split=split,
            group=episode[1] if episode else None,
            show=show,
        )
    if not draft.rows and not draft.lost:
        raise DataError(f"There is no list of questions of {layout.upper()} in '{root}'.", _HINT)
    draft.lines = _subtitles(root, sorted({row.video for row in draft.rows}))
    return draft


def _tvqa_records(root: Path) -> Iterator[Record]:
    for split, pattern in (("train", "tvqa_train.jsonl"), ("val", "tvqa_val.jsonl"), ("test", "tvqa_test*.jsonl")):
        for path in below(root, pattern)[:1]:
            for number, record in lines_of(path, _HINT):
                yield split, f"'{path.name}', line {number}", record


def _plus_records(root: Path) -> Iterator[Record]:
    for split, words in (("train", ("train",)), ("val", ("val", "valid")), ("test", ("test",))):
        for path in below(root, *(f"tvqa_plus_{word}{end}" for word in words for end in (".json", "_*.json")))[:1]:
            for number, record in enumerate(json_of(path, list, _HINT)):
                where = f"'{path.name}', question {number}"
                yield split, where, asked(record, where, _HINT)


def _span(where: str, written: Any) -> tuple[float | None, float | None]:
    """The stretch that 'ts' says: '76.01-84.2', or a list of two; none where it is 'nan'."""
    values = written.split("-") if isinstance(written, str) else written
    if values is None:
        return None, None
    try:
        start, end = (float(each) for each in values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: 'ts' is {written!r}; two times were expected.", _HINT) from error
    return (None, None) if math.isnan(start) or math.isnan(end) else (min(start, end), max(start, end))


def _subtitles(root: Path, videos: list[str]) -> dict[str, tuple[TimedLine, ...]]:
    """The subtitles of the videos, in whichever form they are there."""
    wanted = set(videos)
    for path in below(root, "tvqa_preprocessed_subtitles.jsonl", "tvqa_subtitles*.jsonl")[:1]:
        found = {}
        for number, record in lines_of(path, _HINT):
            if record.get("vid_name") in wanted:
                found[record["vid_name"]] = _sentences(f"'{path.name}', line {number}", record.get("sub"))
        return found
    for path in below(root, "tvqa_plus_subtitles.json")[:1]:
        held = json_of(path, dict, _HINT)
        return {video: _begun(f"'{path.name}', '{video}'", held[video]) for video in videos if video in held}
    folder = next((each for name in ("tvqa_subtitles",) for each in sorted(root.rglob(name)) if each.is_dir()), None)
    return {} if folder is None else read_subtitle_files(folder, videos)


def _sentences(where: str, held: Any) -> tuple[TimedLine, ...]:
    """Sentences with the times at which they begin and end."""
    found = []
    for each in held if isinstance(held, list) else [held]:
        record = asked(each, where, _HINT)
        text, start, end = record.get("text"), record.get("start"), record.get("end")
        if not isinstance(text, str) or not isinstance(start, int | float) or not isinstance(end, int | float):
            raise DataError(f"{where}: it holds no text with start and end.", _HINT)
        if text.strip():
            found.append(TimedLine(float(start), float(max(start, end)), " ".join(tidy(text).split())))
    return ordered(found)


def _begun(where: str, held: Any) -> tuple[TimedLine, ...]:
    """Sentences with '<eos>' between, and when each begins, or begins and ends."""
    record = asked(held, where, _HINT)
    texts, times = record.get("sub_text"), record.get("sub_time")
    if not isinstance(texts, str) or not isinstance(times, list):
        raise DataError(f"{where}: it holds no 'sub_text' and 'sub_time'.", _HINT)
    sentences = [tidy(text) for text in texts.split("<eos>")]
    if len(sentences) != len(times):
        raise DataError(f"{where}: it has {len(sentences)} sentences and {len(times)} times.", _HINT)
    found = []
    for place, (text, time) in enumerate(zip(sentences, times, strict=True)):
        after = times[place + 1] if place + 1 < len(times) else None
        try:
            start, end = (time, after) if not isinstance(time, list) else (time[0], time[1])
            start, end = float(start), float(start) + _LAST if end is None else float(end)
        except (TypeError, ValueError, IndexError) as error:
            raise DataError(f"{where}: 'sub_time' holds what is no time: {time!r}.", _HINT) from error
        if text:
            found.append(TimedLine(start, max(start, end), " ".join(text.split())))
    return ordered(found)

"""DramaQA (Choi et al. 2021), as published: ``AnotherMissOhQA_train_set.json``, and the same of val and test.

Subtitles are ``AnotherMissOh_script.json``: for each shot when it begins and ends, and who says what when, in seconds
of the episode; here times are seconds from the beginning of the question's own clip, a shot or a scene. The stretch of
a question about a scene is from its first to its last shot of ``shot_contained``, where the script has both. The
difficulty is the memory's level and the logic's, 'q_level_mem' and 'q_level_logic', as one number where they are equal
and as '3-4' where not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.splits import tidy
from kinema.data.questions.drafts import Draft
from kinema.data.questions.lines import ordered
from kinema.data.questions.published import asked, below, json_of, whole
from kinema.data.questions.table import TimedLine

_HINT = (
    "DramaQA is a folder with AnotherMissOhQA_train_set.json, …_val_set.json or …_test_set.json, and "
    "AnotherMissOh_script.json."
)
_SCENE = "_0000"


def dramaqa(root: Path) -> Draft:
    """The questions of DramaQA; groups are episodes.

    Args:
        root: its folder.

    Raises:
        DataError: there is no list of questions, or a file is damaged.
    """
    draft = Draft(root, "dramaqa", hint=_HINT)
    script = _script(root)
    for split in ("train", "val", "test"):
        for path in below(root, f"AnotherMissOhQA_{split}_set.json")[:1]:
            for number, found in enumerate(json_of(path, list, _HINT)):
                where = f"'{path.name}', question {number}"
                record = asked(found, where, _HINT)
                options = record.get("answers")
                if not isinstance(options, list):
                    raise DataError(f"{where}: 'answers' is no list.", _HINT)
                video = record.get("vid")
                draft.add(
                    where,
                    id=record.get("qid"),
                    video=video,
                    question=record.get("que"),
                    options=options,
                    answer=whole(record.get("correct_idx")),
                    span=_span(script, video, record.get("shot_contained")),
                    split=split,
                    type=record.get("videoType"),
                    difficulty=_difficulty(record),
                    group=video.partition("_")[0] if isinstance(video, str) else None,
                )
    if not draft.rows and not draft.lost:
        raise DataError(f"There is no AnotherMissOhQA_train_set.json or the like in '{root}'.", _HINT)
    lines, durations = {}, {}
    for video in sorted({row.video for row in draft.rows}):
        shots = script.of(video)
        if shots:
            begin = min(shot.start for shot in shots)
            lines[video] = ordered(_said(shots, begin))
            durations[video] = max(shot.end for shot in shots) - begin
    draft.lines, draft.durations = lines, durations
    return draft


class _Shot:
    """A shot of the script: when it begins and ends, and what is said in it, in seconds of the episode."""

    def __init__(self, where: str, held: Any) -> None:
        record = asked(held, where, _HINT)
        self.start, self.end = _time(where, record, "st"), _time(where, record, "et")
        said = record.get("contained_subs", [])
        if not isinstance(said, list):
            raise DataError(f"{where}: 'contained_subs' is no list.", _HINT)
        self.said = []
        for each in said:
            line = asked(each, where, _HINT)
            words, speaker = tidy(str(line.get("utter", ""))), tidy(str(line.get("speaker") or ""))
            text = " ".join((f"{speaker}: {words}" if speaker and speaker != "None" else words).split())
            if words:
                start, end = _time(where, line, "st"), _time(where, line, "et")
                self.said.append(TimedLine(start, max(start, end), text))


class _Script:
    """The shots of the episodes by their names, and those of each scene.

    Args:
        shots: by name.
    """

    def __init__(self, shots: Mapping[str, _Shot]) -> None:
        self.shots = shots
        self._scenes: dict[str, list[_Shot]] = defaultdict(list)
        for name, shot in shots.items():
            self._scenes[name.rpartition("_")[0]].append(shot)

    def of(self, video: str) -> list[_Shot]:
        """The shots of a clip: itself, or those of a scene."""
        if video in self.shots or not video.endswith(_SCENE):
            return [self.shots[video]] if video in self.shots else []
        return self._scenes.get(video.removesuffix(_SCENE), [])


def _script(root: Path) -> _Script:
    for path in below(root, "AnotherMissOh_script.json")[:1]:
        held = json_of(path, dict, _HINT)
        return _Script({shot: _Shot(f"'{path.name}', '{shot}'", found) for shot, found in held.items()})
    return _Script({})


def _said(shots: list[_Shot], begin: float) -> list[TimedLine]:
    """What is said in some shots, each once, in seconds from a beginning."""
    lines = dict.fromkeys(line for shot in shots for line in shot.said)
    return [TimedLine(max(0.0, line.start - begin), max(0.0, line.end - begin), line.text) for line in lines]


def _span(script: _Script, video: Any, contained: Any) -> tuple[float | None, float | None]:
    """The stretch of a question about a scene, in seconds of the scene; none where it is not known."""
    shots = [shot for shot in contained or () if isinstance(shot, int)] if isinstance(contained, list) else []
    if not shots or not isinstance(video, str) or not video.endswith(_SCENE):
        return None, None
    scene = video.removesuffix(_SCENE)
    first, last = (script.shots.get(f"{scene}_{number:04d}") for number in (min(shots), max(shots)))
    held = script.of(video)
    if first is None or last is None or not held:
        return None, None
    begin = min(shot.start for shot in held)
    return max(0.0, first.start - begin), max(0.0, last.end - begin)


def _difficulty(record: Mapping[str, Any]) -> str | None:
    levels = [str(level) for key in ("q_level_mem", "q_level_logic") if (level := record.get(key)) is not None]
    return "-".join(dict.fromkeys(levels)) or None


def _time(where: str, record: Mapping[str, Any], key: str) -> float:
    try:
        found = float(record[key])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: '{key}' is no time in seconds.", _HINT) from error
    if not 0 <= found < math.inf:
        raise DataError(f"{where}: '{key}' is {found:g} s.", _HINT)
    return found

"""What of a set fits together: questions, lines, features and videos; what is missing is counted and named."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from kinema.core.errors import DataError
from kinema.data.questions.drafts import Draft, few
from kinema.data.questions.frames import FEATURES, feature_files, features_about, rate_of
from kinema.data.questions.lines import OBJECTS, SUBTITLES, indexed, ordered, read_object_files, read_subtitle_files
from kinema.data.questions.table import Clip, Question, Questions, TimedLine
from kinema.data.video.files import claims_video
from kinema.data.video.hearing import frame_times

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

VIDEOS = "videos"
COVERED = 0.1
"""Subtitles that end before this share of the clip do not cover it."""
_SLACK = 1.0
"""Seconds by which what is timed may go beyond the end of a video: ends are rounded, and so are counts of frames."""


def checked(draft: Draft, rate: float = 0.0, progress: Progress | None = None) -> Questions:
    """A set of questions with what there is of each video.

    Args:
        draft: as a reader collected it; ``finish`` was called.
        rate: frames of the features a second, where features.json does not say it; 0 for not known.
        progress: is called with (videos done, videos).

    Raises:
        DataError: a file is damaged or empty, subtitles do not cover their clip, or times lie beyond the video; the
            message gives the clip's name.
    """
    videos = sorted({row.video for row in draft.rows})
    subtitles = {video: tuple(draft.lines[video]) for video in videos if draft.lines.get(video)}
    subtitles |= read_subtitle_files(draft.root / SUBTITLES, videos)
    objects = read_object_files(draft.root / OBJECTS, videos)
    folder = draft.root / FEATURES
    features = feature_files(folder, videos)
    about = features_about(folder)
    if features:
        rate = rate_of(about, rate, folder)
    lengths = _lengths(draft.root / VIDEOS, videos, progress)
    asked: dict[str, list[Question]] = defaultdict(list)
    for row in draft.rows:
        asked[row.video].append(row)
    clips = {}
    for video in videos:
        path, count, width, digest = features.get(video, (None, 0, 0, ""))
        known = lengths.get(video, draft.durations.get(video))
        duration = known if known is not None else count / rate if path is not None else None
        lines = ordered([*subtitles.get(video, ()), *objects.get(video, ())])
        guessed = known is None and path is not None
        by = f" It was counted: {count} frames at {rate:g} a second." if guessed else ""
        _check_times(video, lines, asked[video], duration, max(_SLACK, 1 / rate) if guessed else _SLACK, by)
        _check_cover(video, subtitles.get(video, ()), asked[video], duration, by)
        clips[video] = Clip(lines, path, count, width, duration, digest)
    for what, there in (("subtitles", subtitles), ("objects", objects), ("features of frames", features)):
        _warn_of_missing(what, there, asked)
    root, about = draft.root, about if features else {}
    rows, lost = tuple(draft.rows), tuple(draft.lost)
    return Questions(root, rows, draft.layout, clips, rate if features else 1.0, "none", lost, about)


def _lengths(folder: Path, videos: list[str], progress: Progress | None) -> dict[str, float]:
    """How many seconds the videos have that lie in a folder."""
    files = indexed(folder, tuple({path.suffix.lower() for path in folder.rglob("*")} if folder.is_dir() else ()))
    found = {}
    for done, video in enumerate(videos, 1):
        for path in files.get(video, ()):
            times = frame_times(path) if claims_video(path.name) else ()
            if times:
                found[video] = times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.0)
                break
        if progress is not None:
            progress(done, len(videos))
    return found


def _check_times(
    video: str, lines: tuple[TimedLine, ...], rows: list[Question], duration: float | None, slack: float, by: str = ""
) -> None:
    """Refuses times beyond a video's end."""
    if duration is None:
        return
    hint = f"Times are seconds from the video's beginning; are these of another cut of it?{by}"
    late = next((line for line in lines if line.start > duration + slack), None)
    if late is not None:
        raise DataError(
            f"The clip '{video}' has {duration:.2f} s, and a line of it begins at {late.start:.2f} s: "
            f"'{late.text[:60]}'.",
            hint,
        )
    beyond = next((row for row in rows if row.timed and (row.end > duration + slack or row.start > duration)), None)
    if beyond is not None:
        raise DataError(
            f"The clip '{video}' has {duration:.2f} s, and the stretch of '{beyond.id}' is from {beyond.start:.2f} to "
            f"{beyond.end:.2f} s ({beyond.where}).",
            hint,
        )


def _check_cover(
    video: str, subtitles: tuple[TimedLine, ...], rows: list[Question], duration: float | None, by: str = ""
) -> None:
    """Refuses subtitles that are of another clip, or of a small part of this one."""
    known = duration if duration is not None else max((row.end for row in rows if row.timed), default=math.nan)
    if not subtitles or math.isnan(known):
        return
    last = max(line.end for line in subtitles)
    hint = f"Are they of this clip, in seconds from its beginning? Leave the file away where there are none.{by}"
    if min(line.start for line in subtitles) >= known:
        raise DataError(f"The subtitles of the clip '{video}' do not overlap its {known:.2f} s.", hint)
    if last < COVERED * known:
        raise DataError(
            f"The subtitles of the clip '{video}' end at {last:.2f} s, and the clip has {known:.2f} s: they do not "
            "cover it.",
            hint,
        )


def _warn_of_missing(what: str, there: Mapping[str, object], asked: Mapping[str, list[Question]]) -> None:
    """Says which clips of a set have none of what others have."""
    without = [video for video in asked if video not in there]
    if there and without:
        log.warning(
            "%d of %d clips have no %s, and %d questions are about them: %s.",
            len(without),
            len(asked),
            what,
            sum(len(asked[video]) for video in without),
            few([f"'{video}'" for video in without]),
        )

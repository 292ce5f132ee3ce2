"""Videos with subtitles as pairs: of each cue, the frame at its middle and what is said.

The subtitles of ``talk.mp4`` are ``talk.srt``, ``talk.vtt``, ``talk.mp4.srt``, or with a language ``talk.en.srt``, in
the same folder. Where there are several, one is used: without a language, else English, else the first by name; and of
two forms SubRip.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.data.documents.walking import files_below
from kinema.data.labels import Labelled, read_labels
from kinema.data.pairs.listing import labels_in
from kinema.data.pairs.table import Pair
from kinema.data.subtitles import Cue, Subtitles, claims_subtitles
from kinema.data.video.files import claims_video
from kinema.data.video.manifest import Video
from kinema.data.video.scanning import read_videos

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_LANGUAGE = re.compile(r"[\w-]{2,20}(?:\.[\w-]{2,20})?")
"""What stands between a video's name and the ending: a language, and what it is for: 'en', 'pt-BR.forced'."""

_ENGLISH = re.compile(r"en(?:g|glish)?(?:[-_.].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Matched:
    """Which subtitles are of which video; all paths with forward slashes.

    Args:
        subtitles: by the video.
        more: further subtitles of such a video, which are not used.
        without: videos without subtitles.
        alone: subtitles without a video.
    """

    subtitles: Mapping[str, str]
    more: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


def read_footage(folder: str | Path, *, progress: Progress | None = None) -> Sequence[Pair]:
    """A pair a cue, of every video below a folder that has subtitles.

    The picture is the frame at the middle of the cue: :attr:`Pair.image` is the video, :attr:`Pair.at` its second.
    Labels, sources and splits are the videos', from ``labels.csv`` or class folders; a source is its video where
    nothing is said. Cues after a video's end, and those of a video that cannot be decoded, are 'unreadable' with the
    reason; the folder's other gaps are named in a warning.

    Args:
        folder: where to look, in all depths.
        progress: is called with (videos done, videos).

    Returns:
        The pairs, video by video and in the order of time.

    Raises:
        DataError: no video has subtitles that can be read; the message says what is there.
    """
    root = Path(folder).resolve()
    below, closed = files_below(root)
    if "." in closed:
        raise DataError(f"'{folder}' cannot be listed: {closed['.']}.")
    matched = match_subtitles(below)
    read, broken = _read(root, matched.subtitles)
    _warn(root, matched, read, broken)
    if not read:
        raise _nothing(root, matched, broken)
    videos = {video.path: video for video in read_videos(root, list(read), progress=progress)}
    all_videos = [*matched.subtitles, *matched.without]
    said, _ = read_labels(root, all_videos, noun="video", claims=claims_video, strict=False)
    return tuple(pair for path in read for pair in _pairs(videos[path], read[path], said[path]))


def match_subtitles(paths: Iterable[str]) -> Matched:
    """Gives videos their subtitles, by their names.

    Args:
        paths: of files below one folder, with forward slashes; others than videos and subtitles are passed over.
    """
    paths = list(paths)
    videos = sorted(path for path in paths if claims_video(path))
    stems: dict[str, str] = {}
    for video in videos:
        stems.setdefault(str(PurePosixPath(video).with_suffix("")), video)
    stems |= {video: video for video in videos}
    candidates: dict[str, list[tuple[tuple[int, str, str], str]]] = {}
    alone = []
    for path in sorted(path for path in paths if claims_subtitles(path)):
        stem, language = _stem(path, stems)
        if stem is None:
            alone.append(path)
        else:
            candidates.setdefault(stems[stem], []).append((_rank(path, language), path))
    ordered = {video: [path for _, path in sorted(candidates[video])] for video in videos if video in candidates}
    return Matched(
        {video: each[0] for video, each in ordered.items()},
        tuple(path for each in ordered.values() for path in each[1:]),
        tuple(video for video in videos if video not in ordered),
        tuple(alone),
    )


def _stem(path: str, stems: Mapping[str, str]) -> tuple[str | None, str]:
    """The longest name of a video that subtitles begin with, None for no such; and the language that follows."""
    whole = str(PurePosixPath(path).with_suffix(""))
    name = whole
    while name.rpartition("/")[2]:
        rest = whole[len(name) + 1 :]
        if name in stems and (not rest or _LANGUAGE.fullmatch(rest)):
            return name, rest
        head, dot, _ = name.rpartition(".")
        if not dot or "/" in name[len(head) :]:
            break
        name = head
    return None, ""


def _rank(path: str, language: str) -> tuple[int, str, str]:
    return (
        (0 if not language else 1 if _ENGLISH.fullmatch(language) else 2),
        language,
        PurePosixPath(path).suffix.lower(),
    )


def _read(root: Path, subtitles: Mapping[str, str]) -> tuple[dict[str, Subtitles], dict[str, str]]:
    """The subtitles that can be read, by their video; and why not the others, by their own path."""
    read, broken = {}, {}
    for video, path in subtitles.items():
        try:
            read[video] = Subtitles.read(root / path)
        except DataError as error:
            broken[path] = error.message.replace(f"'{root / path}' ", "").rstrip(".")
    return read, broken


def _pairs(video: Video, subtitles: Subtitles, said: Labelled) -> list[Pair]:
    more = dict(said.attributes)
    labels = labels_in(said.label or "") or labels_in(more.pop("labels", ""))
    names: dict[str, int] = {}
    rows = []
    for cue in subtitles.cues:
        at = round((cue.start + cue.end) / 2, 3)
        name = f"{video.path}@{at:.3f}"
        names[name] = count = names.get(name, 0) + 1
        why = _why(video, cue, at)
        rows.append(
            Pair(
                name if count == 1 else f"{name} ({count})",
                video.path,
                at,
                cue.text,
                cue.start,
                cue.end,
                labels,
                said.source or video.path,
                said.split,
                more,
                "unreadable" if why else "ok",
                why,
                broken={"image": why} if why else {},
            )
        )
    return rows


def _why(video: Video, cue: Cue, at: float) -> str:
    """Why a cue has no frame; empty where it has."""
    if video.health == "unreadable":
        return f"a broken video: {video.reason}"
    if at >= video.duration:
        return f"a cue after the video's end: {cue.start:.3f} s of {video.duration:.3f} s"
    return ""


def _warn(root: Path, matched: Matched, read: Mapping[str, Subtitles], broken: Mapping[str, str]) -> None:
    """Names what a folder lacks, and what of its subtitles is not as it should be."""
    said = []
    if matched.without:
        said.append(f"{len(matched.without)} videos without subtitles: {_few(matched.without)}")
    if matched.alone:
        said.append(f"{len(matched.alone)} subtitles without a video of their name: {_few(matched.alone)}")
    if matched.more:
        said.append(f"{len(matched.more)} further subtitles of a video that has others: {_few(matched.more)}")
    if broken:
        shown = [f"{path}' ({why})" for path, why in broken.items()]
        said.append(f"{len(broken)} subtitles that cannot be used: {_few(shown, end='')}")
    if said:
        log.warning("'%s' holds %s. None of these is used.", root, "; ".join(said))
    remarks = [(matched.subtitles[video], words) for video, each in read.items() if (words := each.remarks())]
    if remarks:
        named = "; ".join(f"'{path}': {words}" for path, words in remarks[:5])
        log.warning("Of %d subtitles not all is as it should be. %s%s.", len(remarks), named, _more(remarks))


def _nothing(root: Path, matched: Matched, broken: Mapping[str, str]) -> DataError:
    hint = "The subtitles of talk.mp4 are talk.srt, talk.vtt or talk.en.srt, in the same folder."
    if broken:
        path, why = next(iter(broken.items()))
        return DataError(f"No subtitles in '{root}' can be used; '{path}': {why}.", hint)
    videos, subtitles = len(matched.without), len(matched.alone)
    return DataError(f"No video in '{root}' has subtitles: there are {videos} videos and {subtitles} subtitles.", hint)


def _few(paths: Sequence[str], end: str = "'") -> str:
    return ", ".join(f"'{path}{end}" for path in paths[:5]) + _more(paths)


def _more(values: Sequence[object]) -> str:
    return f" and {len(values) - 5} more" if len(values) > 5 else ""

"""What lies beside a video that a question is asked about: subtitles, labels of objects, features of frames.

They are found by the video's name without its ending, in three places, the first that has it:

    FOLDER/STEM.srt                 beside FOLDER/STEM.mp4
    FOLDER/subtitles/STEM.srt       in folders of their own below it
    FOLDER/../subtitles/STEM.srt    as in a set of questions, whose videos lie in videos/

A video deeper in a folder ``videos`` is looked for by its path below that folder too: ``subtitles/show/STEM.srt`` of
``videos/show/STEM.mp4``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kinema.core.errors import DataError
from kinema.data.questions.frames import FEATURES
from kinema.data.questions.lines import OBJECTS, SUBTITLES
from kinema.data.subtitles import ENDINGS

Input = Literal["frames", "subtitles", "objects"]
"""What may be known of a video beside a question."""

INPUTS: tuple[Input, ...] = get_args(Input)

VIDEOS = "videos"


@dataclass(frozen=True)
class Beside:
    """The files that lie beside a video.

    Args:
        subtitles: a .srt, .vtt or .json; None where there is none.
        objects: a .json of the labels of objects.
        frames: a .npy of the features of frames.
    """

    subtitles: Path | None = None
    objects: Path | None = None
    frames: Path | None = None

    @property
    def there(self) -> tuple[Input, ...]:
        """Which of them there are."""
        found: tuple[tuple[Input, Path | None], ...] = (
            ("frames", self.frames),
            ("subtitles", self.subtitles),
            ("objects", self.objects),
        )
        return tuple(name for name, path in found if path is not None)


def beside(video: Path, subtitles: Path | None = None) -> Beside:
    """What lies beside a video; nothing is read.

    Args:
        video: the file.
        subtitles: those that a user names, in place of what lies there.

    Raises:
        DataError: there are several files of subtitles in one folder.
    """
    return Beside(
        subtitles or _first(video, SUBTITLES, (*ENDINGS, ".json"), loose=True),
        _first(video, OBJECTS, (".json",)),
        _first(video, FEATURES, (".npy",)),
    )


def _first(video: Path, folder: str, endings: Sequence[str], *, loose: bool = False) -> Path | None:
    """The first file of a kind; None where there is none.

    Args:
        video: the file.
        folder: the name of the folders of the kind.
        endings: of the names of the kind, in lower case.
        loose: whether a file in the video's own folder counts too.
    """
    for stem in _stems(video, folder, loose):
        found = [stem.with_name(stem.name + ending) for ending in endings]
        there = [
            path for path in (*found, *(path.with_suffix(path.suffix.upper()) for path in found)) if path.is_file()
        ]
        distinct = list({path.resolve(): path for path in there}.values())
        if len(distinct) > 1:
            named = ", ".join(f"'{path.name}'" for path in distinct)
            raise DataError(f"'{video.name}' has {len(distinct)} files of {folder}: {named}.", "Name one, or keep one.")
        if distinct:
            return distinct[0]
    return None


def _stems(video: Path, folder: str, loose: bool) -> Iterator[Path]:
    """Paths without ending at which a file of a kind may lie, in the order in which they are looked at."""
    home, stem = video.absolute().parent, video.stem
    if loose:
        yield home / stem
    yield home / folder / stem
    yield home.parent / folder / stem
    for above in home.parents:
        if above.name == VIDEOS:
            yield above.parent / folder / home.relative_to(above) / stem

"""What is there and what is broken: a folder of files, or a list of them, as a typed manifest.

Every file whose name ends like a video's gets its row, whatever becomes of it. Files are opened in processes of their
own, so that one that crashes the decoder is named and the scan goes on.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from kinema.core.errors import DataError, RunError
from kinema.core.files import open_plain, storage_error
from kinema.core.reading import legible, parse_json, shaped, unwritable
from kinema.data.labels import LABELS
from kinema.data.layouts.folder import labelled_videos
from kinema.data.video.files import EXTENSIONS, is_passing, status
from kinema.data.video.finding import counted, misnamed, unlisted, videos_below
from kinema.data.video.manifest import PROBED, Manifest, Overlooked, Video
from kinema.data.walking import reason_of
from kinema.data.workers import Job, may_pass, run_jobs

log = logging.getLogger(__name__)


def scan(
    root: str | Path | Sequence[str | Path],
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    previous: Manifest | None = None,
    journal: Path | None = None,
) -> Manifest:
    """Reads all videos below a folder, or those of a list.

    Args:
        root: a folder, searched in all depths without hidden files and folders; or a list of files, whose common
            folder becomes the root.
        workers: processes that read.
        progress: is called with (files done, files).
        previous: an earlier manifest of the same folder; files of equal size and time are taken from it, but for those
            that could not be read for a reason that may pass.
        journal: a file to which rows are added as they are found; a scan that was stopped resumes from it. The
            caller that saves the result deletes it.

    Returns:
        A manifest with the videos in order of their paths, labelled as :mod:`kinema.data.labels` says, and with what
        was not looked at. Folders that cannot be listed are named in a warning too. Rows of ``labels.csv`` whose files
        are not there are named in its ``reading``.

    Raises:
        DataError: the folder is missing or cannot be listed, nothing in it claims to be video, or its ``labels.csv``
            cannot be used.
        StorageError: the journal could not be written.
    """
    folder, paths, missed = _found(root)
    videos = read_videos(folder, paths, workers=workers, progress=progress, previous=previous, journal=journal)
    described, reading = labelled_videos(folder, videos, overlooked=missed)
    return warn_of_unlisted(Manifest(root=folder, videos=described, overlooked=missed, reading=reading))


def video_files(folder: Path) -> list[Path]:
    """The videos below a folder, in order of their paths, as :func:`scan` finds them; none is opened.

    Raises:
        DataError: there is no such folder, it cannot be listed, or nothing in it claims to be video.
    """
    root, paths, missed = _found(folder)
    warn_of_unlisted(Manifest(root=root, videos=(), overlooked=missed))
    return [root / path for path in paths]


def warn_of_unlisted(manifest: Manifest) -> Manifest:
    """The manifest; folders that its scan could not list are named in a warning."""
    missed = manifest.overlooked
    closed = unlisted(replace(missed, misnamed=()))
    if closed:
        log.warning("'%s': %s. Videos in them are missing here; they may be there all the same.", manifest.root, closed)
    if missed.misnamed:
        log.warning("'%s': %s. Rename them, for instance with convmv.", manifest.root, misnamed(missed))
    return manifest


def read_videos(
    folder: Path,
    paths: Sequence[str],
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    previous: Manifest | None = None,
    journal: Path | None = None,
) -> list[Video]:
    """What the files themselves say, without labels.

    Args:
        folder: the root.
        paths: below it, with forward slashes; a folder of pictures by its pattern.
        workers: processes that read.
        progress: is called with (files done, files).
        previous: an earlier manifest of the same folder; files of equal size and time are taken from it.
        journal: see :func:`scan`.

    Returns:
        One a path, in their order.
    """
    known = {video.path: video for video in previous.videos} if previous is not None else {}
    known |= _read_journal(journal)
    videos: dict[str, Video] = {}
    jobs: list[Job] = []
    for path in paths:
        try:
            size, mtime_ns = status(folder / path)
        except OSError as error:
            passing = is_passing(error, folder / path)
            videos[path] = Video(path, health="unreadable", reason=reason_of(error), transient=passing)
            continue
        old = known.get(path)
        if old is not None and _holds(old) and (old.size, old.mtime_ns) == (size, mtime_ns):
            videos[path] = old
        else:
            jobs.append({"path": path, "file": str(folder / path), "size": size, "mtime_ns": mtime_ns})
    if progress is not None:
        progress(len(videos), len(paths))
    arguments: list[list[str]] = [[] for _ in range(max(1, workers))]
    found = _Journal(journal)
    for number, answer in run_jobs("kinema.data.video.probe", arguments, jobs, _crashed):
        job = jobs[number]
        facts = {"path": job["path"], "size": job["size"], "mtime_ns": job["mtime_ns"], **answer}
        found.note(facts)
        videos[job["path"]] = _video(facts)
        if progress is not None:
            progress(len(videos), len(paths))
    return [videos[path] for path in paths]


def _holds(old: Video) -> bool:
    """Whether what a scan found of a file can be taken from it, if the file has not changed."""
    return not old.transient and old.probed >= PROBED


def _video(facts: Job) -> Video:
    return Video(**{**facts, "keyframes": tuple(facts.get("keyframes", ()))})


def _read_journal(journal: Path | None) -> dict[str, Video]:
    """What a scan that was stopped had found; a last line that it could not finish is passed over."""
    found: dict[str, Video] = {}
    if journal is not None and journal.is_file():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                video = shaped(parse_json(line), Video, "a line")
            except (ValueError, RunError):
                continue
            found[video.path] = video
    return found


class _Journal:
    """Keeps facts as they are found, a line of JSON a file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._write("\n")  # ends what a scan that was killed may have left unfinished

    def note(self, facts: Job) -> None:
        self._write(json.dumps(facts) + "\n")

    def _write(self, text: str) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open_plain(self._path, "ab") as file:
                file.write(text.encode())
        except OSError as error:
            raise storage_error(self._path, error) from error


def _found(root: str | Path | Sequence[str | Path]) -> tuple[Path, list[str], Overlooked]:
    missed = Overlooked()
    if isinstance(root, (str, os.PathLike)):
        folder = Path(root)
        _check_folder(folder)
        folder = folder.resolve()
        paths, missed = videos_below(folder, (LABELS,))
        if "." in missed.unlisted:
            raise _closed(folder, missed.unlisted["."])
    else:
        files = [Path(os.path.abspath(path)) for path in root]
        folder = Path(os.path.commonpath([path.parent for path in files])) if files else Path.cwd()
        for path in files:
            if unwritable(str(path)):
                raise DataError(
                    f"The name of the file '{legible(str(path))}' is not UTF-8, so no table could hold it.",
                    "Rename it, for instance with convmv.",
                )
        paths = sorted({path.relative_to(folder).as_posix() for path in files})
    if not paths:
        others = "".join(f"; {words}" for words in (unlisted(missed), counted(missed)) if words)
        raise DataError(
            f"There are no videos in '{folder}': no file ends in {', '.join(sorted(EXTENSIONS))}{others}.",
            "Give the folder that holds the videos; folders inside it are searched too. A folder of 8 or more numbered "
            "pictures (00001.jpg, img_0001.png, …) is a video too.",
        )
    return folder, paths, missed


def _check_folder(folder: Path) -> None:
    """Raises a DataError where there is no such folder, or where it cannot be told."""
    try:
        found = os.stat(folder)
    except OSError as error:
        if is_passing(error, folder):
            raise _closed(folder, reason_of(error)) from error
        found = None
    if found is not None and unwritable(str(folder.resolve())):
        raise DataError(
            f"The name of the folder '{legible(str(folder.resolve()))}' is not UTF-8, so no table could hold it.",
            "Rename it, for instance with convmv.",
        )
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise DataError(f"There is no folder '{folder}'.", "Give the folder that holds the videos.")


def _closed(folder: Path, reason: str) -> DataError:
    return DataError(
        f"The folder '{folder}' could not be listed: {reason}.",
        "Check its rights, and that the disk or share that it is on is there; then try again.",
    )


def _crashed(_: Job, reason: str) -> Job:
    """The answer for a file at which its process died. What ran out of memory or time may pass; a crash does not."""
    return {"health": "unreadable", "reason": reason, "transient": may_pass(reason)}

"""What is there and what is broken: a folder of files, or a list of them, as a typed manifest.

Every file whose name ends like a video's gets its row, whatever becomes of it. Files are opened in processes of their
own, so that one that crashes the decoder is named and the scan goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from kinema.core.errors import DataError
from kinema.core.files import open_plain, storage_error
from kinema.data.layouts.folder import apply_labels
from kinema.data.video.files import EXTENSIONS, claims_video, status
from kinema.data.video.manifest import Manifest, Video
from kinema.data.workers import Job, run_jobs


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
        previous: an earlier manifest of the same folder; files of equal size and time are taken from it.
        journal: a file to which rows are added as they are found; a scan that was stopped resumes from it. The
            caller that saves the result deletes it.

    Returns:
        A manifest with the videos in order of their paths, labelled as :mod:`kinema.data.layouts.folder` says.

    Raises:
        DataError: the folder is missing, or nothing in it claims to be video.
        StorageError: the journal could not be written.
    """
    folder, paths = _found(root)
    videos = read_videos(folder, paths, workers=workers, progress=progress, previous=previous, journal=journal)
    return Manifest(root=folder, videos=apply_labels(folder, videos))


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
        size, mtime_ns = _status(folder / path)
        old = known.get(path)
        if old is not None and (old.size, old.mtime_ns) == (size, mtime_ns):
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


def _video(facts: Job) -> Video:
    return Video(**{**facts, "keyframes": tuple(facts.get("keyframes", ()))})


def _read_journal(journal: Path | None) -> dict[str, Video]:
    """What a scan that was stopped had found; a last line that it could not finish is passed over."""
    found: dict[str, Video] = {}
    if journal is not None and journal.is_file():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                video = _video(json.loads(line))
            except (ValueError, TypeError):
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


def _found(root: str | Path | Sequence[str | Path]) -> tuple[Path, list[str]]:
    if isinstance(root, (str, os.PathLike)):
        folder = Path(root)
        if not folder.is_dir():
            raise DataError(f"There is no folder '{folder}'.", "Give the folder that holds the videos.")
        folder = folder.resolve()
        paths = sorted(_below(folder))
    else:
        files = [Path(os.path.abspath(path)) for path in root]
        folder = Path(os.path.commonpath([path.parent for path in files])) if files else Path.cwd()
        paths = sorted({path.relative_to(folder).as_posix() for path in files})
    if not paths:
        raise DataError(
            f"There are no videos in '{folder}': no file ends in {', '.join(sorted(EXTENSIONS))}.",
            "Give the folder that holds the videos; folders inside it are searched too.",
        )
    return folder, paths


def _below(folder: Path) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(place) / name).relative_to(folder).as_posix()
            for name in files
            if not name.startswith(".") and claims_video(name)
        ]
    return found


def _status(file: Path) -> tuple[int, int]:
    try:
        return status(file)
    except OSError:
        return 0, 0


def _crashed(_: Job, reason: str) -> Job:
    return {"health": "unreadable", "reason": reason}

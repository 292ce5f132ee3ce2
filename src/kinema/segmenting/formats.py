"""Segments for others: CSV, JSON, WebVTT and ELAN's EAF, by the ending of the file's name.

=========  =====================================================================================================
``.csv``   a line a segment, of all videos: ``video,start,end,step,name``; seconds with three decimals
``.json``  one object: ``steps`` (number, name, seconds, typical clips), ``videos`` (video, duration, and segments
           with start, end, step and name), ``left_out`` and ``settings``; seconds as they were found
``.vtt``   WebVTT, a cue a segment whose text is the step's title; one video a file
``.eaf``   EAF 3.0 of ELAN, an annotation a segment in the tier ``steps``; one video a file
=========  =====================================================================================================

Where a file holds one video and there are several, they go to a folder that is called like the file without its ending:
``-o steps.vtt`` writes ``steps/a.vtt`` for ``a.mp4``, and ``steps/day1/a.vtt`` for ``day1/a.mp4``. A name that ends in
a slash, or that a folder has already, is taken for the folder itself, for one video too. Where two would get one name,
as ``a.mp4`` and ``a.mkv``, all are called by their whole names: ``a.mp4.vtt``. Files that are there already are
replaced, others are left alone.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from kinema.core.errors import StorageError, UsageError
from kinema.core.files import csv_cell, write_json, write_text
from kinema.data.video.files import is_pictures
from kinema.segmenting.segmentation import Segmentation, SegmentedVideo, milliseconds

WHOLE = (".csv", ".json")
"""Formats of which one file holds all videos."""

MIME = {
    ".3gp": "video/3gpp",
    ".avi": "video/x-msvideo",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".ogv": "video/ogg",
    ".webm": "video/webm",
    ".wmv": "video/x-ms-wmv",
}
"""Types of videos, for ELAN; it calls every other video 'unknown'."""

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_DAY = "1970-01-01T00:00:00+00:00"
"""EAF wants a date; one that is always the same keeps equal segments equal files."""
_NO_XML = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_NO_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


def format_of(out: str | Path) -> str:
    """The format that a file's name asks for: '.csv', '.json', '.vtt' or '.eaf'.

    Args:
        out: the name; capitals do not matter.

    Raises:
        UsageError: it ends otherwise.
    """
    ending = os.path.splitext(os.path.basename(os.path.normpath(out)))[1].lower()
    if ending not in (*WHOLE, *_ONE):
        raise UsageError(
            f"'{out}' does not end like a file of segments.",
            "Choose .csv for a table, .json, .vtt for subtitles of players and browsers, or .eaf for ELAN.",
        )
    return ending


def write_segments(segmentation: Segmentation, out: str | Path) -> tuple[Path, ...]:
    """Writes segments in the format that the name ends in, as the module says; each file atomically.

    Args:
        segmentation: the segments.
        out: the file, or the folder of several.

    Returns:
        The files that were written, in order of the videos.

    Raises:
        UsageError: the name ends otherwise.
        StorageError: a file could not be written, or there is a folder in its place; the message names it.
    """
    ending = format_of(out)
    is_folder = os.path.isdir(out) or str(out).endswith(("/", os.sep))
    out = Path(out)
    if ending in WHOLE:
        if is_folder:
            raise StorageError(f"'{out}' is a folder, so no file was written there.", "Choose another name.")
        if ending == ".csv":
            write_text(out, as_csv(segmentation))
        else:
            write_json(out, as_object(segmentation))
        return (out,)
    make = _ONE[ending]
    if not is_folder and len(segmentation.videos) < 2:
        video = segmentation.videos[0] if segmentation.videos else SegmentedVideo("", 0.0, ())
        write_text(out, make(segmentation, video, out))
        return (out,)
    folder = out if is_folder else out.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise StorageError(
            f"'{folder}' is a file, so the {len(segmentation.videos)} files of '{out}' were not written into it.",
            "Choose another name: a file of this format holds one video, so several go to a folder.",
        )
    files = [folder / name for name in _names(segmentation, ending)]
    for video, file in zip(segmentation.videos, files, strict=True):
        write_text(file, make(segmentation, video, file))
    return tuple(files)


def as_csv(segmentation: Segmentation) -> str:
    """A line a segment. No cell is one that a spreadsheet would run (:func:`kinema.core.files.csv_cell`)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["video", "start", "end", "step", "name"])
    names = {step.number: step.name for step in segmentation.steps}
    for video in segmentation.videos:
        for each in video.segments:
            times = [f"{milliseconds(time) / 1000:.3f}" for time in (each.start, each.end)]
            writer.writerow([csv_cell(video.path), *times, each.step, csv_cell(names[each.step])])
    return text.getvalue()


def as_object(segmentation: Segmentation) -> dict[str, Any]:
    """All of it as JSON values; names of steps are empty where nobody gave them."""
    names = {step.number: step.name for step in segmentation.steps}
    videos = [
        {
            "video": video.path,
            "duration": video.duration,
            "segments": [asdict(each) | {"name": names[each.step]} for each in video.segments],
        }
        for video in segmentation.videos
    ]
    return {
        "steps": [asdict(step) for step in segmentation.steps],
        "videos": videos,
        "left_out": dict(segmentation.left_out),
        "settings": dict(segmentation.settings),
    }


def as_vtt(segmentation: Segmentation, video: SegmentedVideo) -> str:
    """One video as WebVTT, a cue a segment."""
    cues = [
        f"{_clock(each.start)} --> {_clock(each.end)}\n{_cue_text(segmentation.titles[each.step])}\n"
        for each in video.segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


def as_eaf(segmentation: Segmentation, video: SegmentedVideo, file: Path) -> str:
    """One video as EAF 3.0: an annotation a segment in one tier, whose text is the step's title.

    Args:
        segmentation: it is of.
        video: the video; with an empty path, no media are named.
        file: where it will lie, from which the video is named.
    """
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {"AUTHOR": "kinema", "DATE": _DAY, "FORMAT": "3.0", "VERSION": "3.0"}
        | {f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA},
    )
    header = ElementTree.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if video.path:
        way = _relative(segmentation.root / video.path, file)
        mime = MIME.get(PurePosixPath(video.path).suffix.lower(), "unknown")
        media = {"MEDIA_URL": way, "MIME_TYPE": mime, "RELATIVE_MEDIA_URL": way}
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", media)
    last = ElementTree.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    last.text = str(len(video.segments))
    order = ElementTree.SubElement(root, "TIME_ORDER")
    tier = ElementTree.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": "step", "TIER_ID": "steps"})
    slots = 0
    for number, each in enumerate(video.segments, 1):
        for time in (each.start, each.end):
            slots += 1
            slot = {"TIME_SLOT_ID": f"ts{slots}", "TIME_VALUE": str(milliseconds(time))}
            ElementTree.SubElement(order, "TIME_SLOT", slot)
        ends = {"TIME_SLOT_REF1": f"ts{slots - 1}", "TIME_SLOT_REF2": f"ts{slots}"}
        annotation = ElementTree.SubElement(tier, "ANNOTATION")
        alignable = ElementTree.SubElement(annotation, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}"} | ends)
        ElementTree.SubElement(alignable, "ANNOTATION_VALUE").text = segmentation.titles[each.step]
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "step", "TIME_ALIGNABLE": "true"}
    ElementTree.SubElement(root, "LINGUISTIC_TYPE", kind)
    for name, text in _CONSTRAINTS.items():
        ElementTree.SubElement(root, "CONSTRAINT", {"DESCRIPTION": text, "STEREOTYPE": name})
    ElementTree.indent(root, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


_ONE: dict[str, Callable[[Segmentation, SegmentedVideo, Path], str]] = {
    ".vtt": lambda segmentation, video, _: as_vtt(segmentation, video),
    ".eaf": as_eaf,
}
"""Formats of which a file holds one video."""

_CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
"""What ELAN itself writes into every file, to the letter; the tier follows none of them."""


def _names(segmentation: Segmentation, ending: str) -> list[PurePosixPath]:
    """A file's name a video, below the folder."""
    paths = [PurePosixPath(video.path) for video in segmentation.videos]
    # A folder of pictures is named by its pattern, a/%05d.jpg: its files are called by the folder.
    plain = [path.parent if is_pictures(Path(path)) and path.parent.name else path.with_suffix("") for path in paths]
    names = [path.with_name(f"{path.name}{ending}") for path in plain]
    if len({str(name).casefold() for name in names}) < len(names):
        names = [path.with_name(f"{path.name}{ending}") for path in paths]
    return names


def _clock(seconds: float) -> str:
    """A time of WebVTT: 01:02:03.456."""
    whole, thousandths = divmod(milliseconds(seconds), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}.{thousandths:03d}"


def _cue_text(text: str) -> str:
    """A text as a cue shows it, on one line; '>' is escaped, so that no '-->' is in it."""
    return escape(_NO_CONTROL.sub(" ", text), quote=False)


def _relative(video: Path, file: Path) -> str:
    """Where a video lies, seen from a file, or from the root of the disk where there is no way.

    ELAN takes what it reads here for a path, letter by letter, so nothing is escaped but what no XML holds.
    """
    try:
        way = os.path.relpath(video.resolve(), file.resolve().parent).replace(os.sep, "/")
        way = way if way.startswith("../") else f"./{way}"
    except ValueError:  # another drive
        way = f"file:///{video.resolve().as_posix()}"
    return _NO_XML.sub(lambda found: quote(found[0]), way)

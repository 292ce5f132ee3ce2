"""A folder of features as a table: what is there, what is broken, and which activity each video shows."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import get_args

from kinema.core.errors import ConfigError, DataError
from kinema.core.labelling import LabelReading
from kinema.core.splits import read_split, tidy
from kinema.data.documents.walking import files_below
from kinema.data.labels import LABELS, Labelled, class_folders, read_labels
from kinema.data.sequences.files import claims_features, file_digest, open_features, stem_of
from kinema.data.sequences.layouts import ActivityFrom, SequenceLayout, named_layout
from kinema.data.sequences.table import ALL, FeatureSequence, Sequences
from kinema.data.written import read_written

log = logging.getLogger(__name__)

FEATURES, TRUTHS, SPLITS = "features", ("groundTruth", "ground_truth", "groundtruth"), "splits"
_BESIDE = ("mapping", SPLITS, *TRUTHS)
_BUNDLE = re.compile(r"(train|test|val)\.(split\d+)\.bundle$")
_UNSAFE = re.compile(r"[^\w.+-]+")

Progress = Callable[[int, int], None]


def read_sequences(data: str | Path, *, activity: ActivityFrom = "auto", progress: Progress | None = None) -> Sequences:
    """Reads the features of all videos of a folder.

    Args:
        data: a folder with ``features/NAME.npy`` (or .npz, .txt, .csv, gzipped text), and where frames are labelled
            ``groundTruth/NAME.txt`` and ``mapping.txt``; or a known data set as NAME:PATH. A folder of arrays without
            ``features/`` will do.
        activity: what tells the activity; 'auto' takes what is there: a column, folders, or names.
        progress: is called with (files done, files).

    Raises:
        DataError: nothing is there, nothing there is a file of features, or widths differ.
        UsageError: there is no data set of that name.
        ConfigError: activities cannot be told so.
    """
    if activity not in get_args(ActivityFrom):
        raise ConfigError(f"activity is '{activity}'.", f"Choose one of: {', '.join(get_args(ActivityFrom))}.")
    layout, place = named_layout(data)
    if not place.is_dir():
        what = "no folder" if not place.exists() else "a file, and no folder"
        raise DataError(
            f"'{place}' is {what}.", "Give a folder with features/NAME.npy, an array [T, F] a video, a row a frame."
        )
    root = place.resolve()
    below, closed = files_below(root)
    closed = {path: why for path, why in closed.items() if claims_features(path) or (root / path).is_dir()}
    paths = _feature_paths(sorted([*below, *closed]), frozenset(closed))
    if not paths:
        raise DataError(
            f"There are no features in '{place}'.",
            "They lie in features/: NAME.npy, .npz, .txt or .csv, a video each, a row a frame. "
            "`kinema segment RUN VIDEOS` makes them of videos.",
        )
    said, reading = _said(root, paths)
    activities, told_by = _activities(paths, said, layout.activity if activity == "auto" else activity)
    rows = []
    for done, path in enumerate(paths, 1):
        row = _probed(root, path, closed)
        rows.append(_described(row, activities[path], said.get(path)))
        if progress is not None:
            progress(done, len(paths))
    rows = _with_splits(root, below, _with_truths(rows, below, layout))
    _check_names(rows)
    _check_axes(root, rows)
    _check_widths(rows)
    mapping = next((name for name in layout.mappings if name in below), "")
    return Sequences(root, tuple(rows), mapping, layout.background, told_by, reading)


def _feature_paths(below: Sequence[str], closed: Set[str]) -> list[str]:
    """The files of features, and what cannot be looked into where they lie."""
    claimed = [path for path in below if path in closed or claims_features(path)]
    own = [path for path in claimed if path.startswith(f"{FEATURES}/") or path == FEATURES]
    if own:
        return own
    beside = [path for path in claimed if PurePosixPath(path).parts[0] not in _BESIDE]
    return [path for path in beside if PurePosixPath(path).name not in (LABELS, "mapping.txt", "segments.csv")]


def _below_features(path: str) -> str:
    return path.removeprefix(f"{FEATURES}/")


def _said(root: Path, paths: Sequence[str]) -> tuple[Mapping[str, Labelled], LabelReading | None]:
    """What a table beside the features says of them; nothing where there is none."""
    if not (root / LABELS).is_file():
        return {}, None
    found, reading = read_labels(root, paths, noun="sequence", claims=claims_features)
    return found, reading if reading.origin == "table" else replace(reading, origin="none")


def _activities(paths: Sequence[str], said: Mapping[str, Labelled], rule: ActivityFrom) -> tuple[dict[str, str], str]:
    """The activity of each file, and what told it."""
    column = {path: each.attributes.get("activity") or (each.label or "") for path, each in said.items()}
    if rule == "auto":
        rule = _rule(paths, column)
    if rule == "column" and not any(column.values()):
        raise ConfigError(
            f"The activity is to be told by a column, and {LABELS} has no value for it.",
            f"Write {LABELS} beside features/, with the columns path and activity.",
        )
    tell: dict[str, Callable[[str], str]] = {
        "column": lambda path: column.get(path, ""),
        "folder": lambda path: "/".join(PurePosixPath(_below_features(path)).parts[:-1]),
        "name": lambda path: PurePosixPath(stem_of(path)).name.rpartition("_")[2],
        "name-before-number": lambda path: re.sub(r"_?\d+$", "", PurePosixPath(stem_of(path)).name),
        "none": lambda path: ALL,  # noqa: ARG005 - the same for each
    }
    found = {path: tidy(tell[rule](path)) for path in paths}
    safe = {name: _UNSAFE.sub("-", name).strip("-.") for name in set(found.values())}
    nameless = [path for path, name in found.items() if not safe[name]]
    if nameless:
        raise DataError(
            f"{len(nameless)} of {len(paths)} files have no activity by their {rule}, for instance '{nameless[0]}'.",
            "Give each one, or take all for one activity: --activity none.",
        )
    if len(safe) > 1 and ALL in safe.values():
        raise DataError(
            f"An activity is called '{ALL}', which is the name of all of them together.", "Give it another name."
        )
    twice = [name for name, count in Counter(safe.values()).items() if count > 1]
    if twice:
        raise DataError(f"Two activities would both be called '{twice[0]}'.", "Rename one of them.")
    return {path: safe[name] for path, name in found.items()}, rule


def _rule(paths: Sequence[str], column: Mapping[str, str]) -> ActivityFrom:
    """What tells the activity of files whose layout is not known."""
    if any(column.values()):
        return "column"
    below = [_below_features(path) for path in paths]
    if class_folders(below)[0] and not class_folders(below)[1]:
        return "folder"
    names = [PurePosixPath(stem_of(path)).name for path in paths]
    last = [name.rpartition("_")[2] for name in names if "_" in name]
    return "name" if len(last) == len(names) and all(each.isalpha() for each in last) else "none"


def _probed(root: Path, path: str, closed: Mapping[str, str]) -> FeatureSequence:
    name = stem_of(_below_features(path))
    if path in closed:
        return FeatureSequence(name, path, health="unreadable", reason=closed[path])
    try:
        features = open_features(root / path)
        digest = file_digest(root / path)
    except DataError as error:
        return FeatureSequence(name, path, health="unreadable", reason=error.message)
    except OSError as error:
        return FeatureSequence(name, path, health="unreadable", reason=error.strerror or str(error))
    frames, width = features.shape
    row = FeatureSequence(name, path, frames, width, digest=digest)
    return row if frames else replace(row, health="empty", reason="there is no frame in it")


def _described(row: FeatureSequence, activity: str, said: Labelled | None) -> FeatureSequence:
    if said is None:
        return replace(row, activity=activity)
    attributes = {key: value for key, value in said.attributes.items() if key != "activity"}
    source, split = said.source or row.source, read_split(said.split)
    return replace(row, activity=activity, source=source, split=split, attributes=attributes)


def _with_truths(
    rows: Sequence[FeatureSequence], below: Sequence[str], layout: SequenceLayout
) -> list[FeatureSequence]:
    """The rows with the file of their frames' labels: of the same path below its folder, or of the same name.

    The name alone counts where one file of features and one of labels have it: of two, which is whose cannot be told.
    """
    by_path: dict[str, str] = {}
    by_name: dict[str, list[str]] = {}
    for path in below:
        parts = PurePosixPath(path).parts
        if parts[0] in TRUTHS and len(parts) > 1:
            stem = stem_of("/".join(parts[1:])) if claims_features(path) else "/".join(parts[1:])
            if not stem.endswith(layout.skip or ("\0",)):
                by_path[tidy(stem)] = path
                by_name.setdefault(_last(stem), []).append(path)
    last = Counter(_last(row.name) for row in rows)
    alone = {name: paths[0] for name, paths in by_name.items() if len(paths) == 1 and last[name] == 1}
    return [replace(row, truth=by_path.get(tidy(row.name)) or alone.get(_last(row.name), "")) for row in rows]


def _last(name: str) -> str:
    """The last part of a path, in Unicode's composed form: file systems differ in how they write 'é'."""
    return tidy(PurePosixPath(name).name)


def _with_splits(root: Path, below: Sequence[str], rows: Sequence[FeatureSequence]) -> list[FeatureSequence]:
    """The rows with their part in each split as attributes split1, split2, …; all of them are learnt from by default.

    The papers learn from all videos, for no label is used: the lists are those of methods that learn from labels.
    """
    parts: dict[str, dict[str, str]] = {}
    bundles = {path: found for path in below if path.startswith(f"{SPLITS}/") and (found := _BUNDLE.search(path))}
    for path, (part, split) in ((path, found.groups()) for path, found in bundles.items()):
        for line in filter(None, map(tidy, read_written(root / path).text.splitlines())):
            for name in {_last(line), _last(stem_of(line))}:
                parts.setdefault(name, {})[split] = part
    return [replace(row, attributes={**row.attributes, **parts.get(_last(row.name), {})}) for row in rows]


def _check_names(rows: Sequence[FeatureSequence]) -> None:
    twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
    if twice:
        those = ", ".join(f"'{row.path}'" for row in rows if row.name == twice[0])
        raise DataError(f"The features of '{twice[0]}' are there more than once: {those}.", "Keep one of them.")


def _check_widths(rows: Sequence[FeatureSequence]) -> None:
    """Refuses features of several widths: no network reads both, and which of them are right cannot be told."""
    widths: dict[int, list[str]] = {}
    for row in rows:
        if row.health == "ok":
            widths.setdefault(row.width, []).append(row.path)
    if len(widths) > 1:
        shown = sorted(widths.items())[:5]
        named = "; ".join(f"{width} in {len(paths)} files (for instance '{paths[0]}')" for width, paths in shown)
        more = f"; and {len(widths) - 5} other widths" if len(widths) > 5 else ""
        heights = {row.frames for row in rows if row.health == "ok"}
        hint = "Make all of them by one network, or take some out."
        if len(heights) == 1:
            hint = f"All have {heights.pop()} rows: where the columns are the frames, write a row a frame, features.T."
        raise DataError(f"Frames have features of several widths: {named}{more}.", hint)


def _check_axes(root: Path, rows: Sequence[FeatureSequence]) -> None:
    """Refuses arrays [F, T]: all have as many columns as their file of labels has lines, and other numbers of rows."""
    labelled = [row for row in rows if row.truth and row.health == "ok"]
    lines = 0
    for row in labelled:
        with (root / row.truth).open("rb") as file:  # what is no text is refused where labels are used
            lines = sum(1 for line in file if line.strip())
        if row.width < 2 or not lines == row.width != row.frames:
            return
    if labelled:
        row = labelled[-1]
        raise DataError(
            f"'{row.path}' is [{row.frames}, {row.width}], and '{row.truth}' labels {lines} frames: the array has "
            "frames as columns.",
            "Write a row a frame: numpy.save(file, features.T).",
        )

"""Classes and recordings as numbers that several manifests share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.data import Manifest
from kinema.data.labels import in_class_folder
from kinema.evaluation import class_columns, require_labels

Numbers = NDArray[np.int64]


def class_names(*parts: Manifest) -> list[str]:
    """The classes of all parts together, sorted."""
    return sorted({name for part in parts for name in part.classes()})


def label_numbers(videos: Manifest, names: Sequence[str]) -> Numbers:
    """Each video's class as its number among the names, -1 where it is not known."""
    ids = {name: number for number, name in enumerate(names)}
    return np.array([-1 if v.label is None else ids[v.label] for v in videos.videos], dtype=np.int64)


def source_numbers(*parts: Manifest) -> list[Numbers]:
    """Each video's recording as a number, equal for siblings in whichever part."""
    recordings = sorted({v.source for part in parts for v in part.videos})
    number = {source: i for i, source in enumerate(recordings)}
    return [np.array([number[v.source] for v in part.videos], dtype=np.int64) for part in parts]


def check_classes(training: Manifest, test: Iterable[Manifest], protocol: str) -> None:
    """Refuses, before any features are computed, what no classifier could answer.

    Raises:
        DataError: a label is missing, training shows one class only, or a test has a class that training has not.
    """
    parts = list(test)
    check_labels([("training", training), *(("test", part) for part in parts)], protocol)
    names = class_names(training, *parts)
    known = torch.from_numpy(label_numbers(training, names))
    for part in parts:
        class_columns(known, torch.from_numpy(label_numbers(part, names)), names)


def check_labels(parts: Iterable[tuple[str, Manifest]], protocol: str) -> None:
    """Refuses unlabelled videos before their features are computed.

    Args:
        parts: what videos are called in the message, and the videos.
        protocol: what needs the labels.

    Raises:
        DataError: a label is missing.
    """
    for name, part in parts:
        names = part.classes()
        try:
            require_labels(label_numbers(part, names) if names else None, name, protocol)
        except DataError as error:
            raise DataError(f"{error.message}{_why(part)}", error.hint) from error


def _why(part: Manifest) -> str:
    """Why labels are missing, as far as that is known, to be put behind a sentence."""
    if part.reading is None:
        return ""
    return "".join(f" {sentence}" for sentence in ([part.reading.why] if part.reading.why else part.reading.warnings()))


def with_classes(manifest: Manifest) -> Manifest:
    """The videos without the few that lie beside the class folders: those have no class, and ask for none.

    Args:
        manifest: all of them.
    """
    if manifest.reading is None or manifest.reading.origin != "folders" or not manifest.reading.beside.count:
        return manifest
    kept = tuple(v for v in manifest.videos if v.label is not None or in_class_folder(v.path))
    return replace(manifest, videos=kept)

"""Which videos are queries and which the gallery; which are trained on and which are tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from kinema.core.errors import DataError
from kinema.core.splits import check_splits, part_of, training_part
from kinema.core.tables import training_rows, training_selection, warn_of
from kinema.data import Manifest
from kinema.evaluation import hold_out
from kinema.protocols.labels import check_classes, check_labels, with_classes
from kinema.protocols.request import Where

HELD_OUT = "held out by source"
"""The selection's name where the test was made by holding recordings out."""

TEST_SHARE = 0.25
"""The share of each class that is held out for a test where the data has no split."""

SPLIT_SEED = 0
"""The seed of what is held out and drawn: never a run's, so that all encoders meet the same videos."""


def split_parts(manifest: Manifest, query: Where | None, gallery: Where | None) -> tuple[dict[str, Manifest], Manifest]:
    """Queries and gallery.

    Args:
        manifest: the whole data.
        query: selects the queries; by default those of the split 'test', or 'val' where there is no test, each of its
            parts by itself where they have an attribute 'part', or all videos where there is no split.
        gallery: selects the videos that are ranked; by default what may be trained on, or all videos.

    Returns:
        The queries by the name of their selection, the main one first; and the gallery.

    Raises:
        DataError: something is left to the default, and splits whose names are not known do not allow one.
    """
    warn_of(manifest)
    usable = manifest.usable()
    split = has_split(manifest)
    if not split and (query is None or gallery is None):
        check_splits(usable.videos, "videos")
    usual = training_selection(usable.videos, manifest.reading, "videos") if split and gallery is None else {}
    ranked = usable.select(gallery if gallery is not None else usual)
    if query is not None:
        return {_named(query): usable.select(query)}, ranked
    if not split:
        return {"all": usable}, ranked
    held = _tested(usable)
    test = usable.select({"split": held})
    parts = [
        part
        for part in ("unbiased", "matched", "swapped")
        if any(v.attributes.get("part") == part for v in test.videos)
    ]
    if not parts:
        return {f"split={held}": test}, ranked
    return {f"part={part}": replace(test, videos=test.select({"part": part}).videos) for part in parts}, ranked


def has_split(manifest: Manifest) -> bool:
    """Whether usable videos are there that are held out ('test' or 'val') and others that may be trained on."""
    usable = manifest.usable()
    return bool(_tested(usable)) and bool(training_part(usable.videos))


def _tested(usable: Manifest) -> str:
    """The part that is tested by default: 'test', or 'val' where there is none; empty where there is neither."""
    parts = {part_of(v.split) for v in usable.videos}
    return next((part for part in ("test", "val") if part in parts), "")


def gallery_name(manifest: Manifest, gallery: Where | None) -> str:
    """What is ranked or trained on, by name."""
    if gallery is not None:
        return _named(gallery)
    if not has_split(manifest):
        return "all other recordings"
    return _named(training_part(manifest.usable().videos) or {})


def chosen_gallery(manifest: Manifest, gallery: Where | None) -> str:
    """The name of what is ranked or trained on where it was chosen and is not the usual; empty otherwise."""
    name = gallery_name(manifest, gallery)
    return "" if name == gallery_name(manifest, None) else name


def _named(where: Where) -> str:
    return ",".join(f"{key}={value}" if value else f"no {key}" for key, value in where.items())


@dataclass(frozen=True)
class Sides:
    """Training and test, without a video on both sides.

    Args:
        test: the videos that are tested, by the name of their selection, the main one first.
        training: the videos that are trained on.
        trained_on: what the training videos are, by name.
    """

    test: Mapping[str, Manifest]
    training: Manifest
    trained_on: str

    def siblings(self, part: str) -> int:
        """How many videos of a test part are of a recording that is trained on too."""
        known = {v.source for v in self.training.videos}
        return sum(v.source in known for v in self.test[part].videos)


def trained_and_tested(manifest: Manifest, query: Where | None, gallery: Where | None, protocol: str) -> Sides:
    """Training and test videos, all of them labelled.

    Args:
        manifest: the whole data.
        query: selects the test; by default the split 'test', part by part. Where the data has no split and nothing is
            selected, a quarter of each class is held out, whole recordings, the same for every run.
        gallery: selects the training videos; by default the split 'train'.
        protocol: its name, for messages.

    Raises:
        DataError: a label is missing, a video is on both sides, or nothing can be held out; or the splits do not say
            what may be trained on.
    """
    manifest = with_classes(manifest)
    if query is None and gallery is None and not has_split(manifest):
        warn_of(manifest)
        usable = manifest.usable()
        return _held_out(usable.select(training_selection(usable.videos, manifest.reading, "videos")), protocol)
    test, training = split_parts(manifest, query, gallery)
    known = {v.path for v in training.videos}
    for name, part in test.items():
        both = sum(v.path in known for v in part.videos)
        if both:
            raise DataError(
                f"{both} of the {len(part)} test videos ({name}) are training videos too.",
                "Select both sides, without a video in common: --query split=test --gallery split=train.",
            )
    check_classes(training, test.values(), protocol)
    return Sides(test, training, gallery_name(manifest, gallery))


def _held_out(videos: Manifest, protocol: str) -> Sides:
    check_labels([("training and test", videos)], protocol)
    held = hold_out(torch.tensor(videos.label_ids()), torch.tensor(videos.source_ids()), TEST_SHARE, SPLIT_SEED)
    if not held.any():
        raise DataError(
            f"No test can be held out of {len(videos)} videos: no recording can be spared, each class being shown by "
            "one alone.",
            "Mark the videos with a split, 'train' or 'test', in labels.csv; or choose them: --query and --gallery.",
        )
    sides = [
        replace(videos, videos=tuple(v for v, out in zip(videos.videos, held.tolist(), strict=True) if out is side))
        for side in (True, False)
    ]
    check_classes(sides[1], sides[:1], protocol)
    return Sides({HELD_OUT: sides[0]}, sides[1], "the other recordings")


def training_videos(manifest: Manifest, where: Where | None) -> Manifest:
    """The usable videos to train on: those of ``where``, or what may be trained on by default."""
    return training_rows(manifest, where, "videos", "`kinema scan VIDEOS` names every file that cannot be read.")

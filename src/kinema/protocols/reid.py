"""Re-identification: is a tracklet's person found again in another camera?"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinema.core.errors import DataError
from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result
from kinema.core.splits import check_splits, part_of
from kinema.core.version import source_version
from kinema.protocols.selection import digest_of, selection_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kinema.data.tracklets.table import Tracklet, Tracklets
    from kinema.evaluation.reid import ReidFigures
    from kinema.protocols.request import Request

log = logging.getLogger(__name__)

COLOUR_FRAMES = 8
"""Frames of a tracklet that the floor of colours looks at, spread evenly."""

COLOUR_SIZE = (128, 64)
"""Height and width of the crops that it looks at."""

SHOWN_FLOORS = ("mean", "hsv")
"""What stands beside every result by name: the mean of the frames' features, and colours."""

ONE_CAMERA = "the first camera of each person"
"""The selection's name where one tracklet a person is a query."""

_CAMERAS = "Folders are IDENTITY/CAMERA/*.jpg; a tracklets.csv has a column 'camera'."


def measure(request: Request) -> list[Result]:
    """One result: CMC and mAP of the queries, and of what needs no learning.

    Raises:
        DataError: cameras are not known, nobody was seen by two, or no query has a match in the gallery.
    """
    from kinema.core.progress import Steps

    began = time.monotonic()
    sides = _sides(request)
    rows, model = sides.rows, request.model
    with Steps("embedding", request.console) as progress:
        features = model.features(rows, device=request.device, progress=progress, cache=request.cache)
    figures = _figures(features, sides, request.preset)
    floors = {name: _figures(x, sides, request.preset) for name, x in _floors(request, rows).items()}
    beside = {
        f"{floor}_{name}": floors[floor].metrics[name]
        for floor in SHOWN_FLOORS
        if floor in floors
        for name in ("rank-1", "map")
    }
    return [
        Result(
            protocol=REID.name,
            preset=request.preset,
            metrics={**figures.metrics, **beside},
            encoder=model.name,
            view=model.view,
            data=request.data,
            digest=sides.digest,
            queries=figures.measured,
            gallery=figures.gallery,
            seed=model.seed,
            commit=source_version(),
            seconds=time.monotonic() - began,
            details=_details(request, sides, figures, floors),
        )
    ]


@dataclass(frozen=True)
class _Sides:
    """Who is looked for, and among whom.

    Args:
        rows: all tracklets that are embedded, the gallery first.
        gallery: how many of them are the gallery.
        queries: rows of ``rows``.
        own: each query's row in the gallery, -1 where it is not in it.
        unknown: tracklets that are left out since nobody knows who they show.
        seen: tracklets that are left out since their person was trained on, by person.
        selection: the queries by name; empty for the usual ones.
        all_seen: whether every query's person was trained on, and they were measured all the same.
    """

    rows: Tracklets
    gallery: int
    queries: tuple[int, ...]
    own: tuple[int, ...]
    unknown: int
    seen: Mapping[str, int]
    selection: str
    all_seen: bool

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all tracklets and of which of them are queries and gallery."""
        names = [row.name for row in self.rows.rows]
        return digest_of(
            [self.rows.digest, *sorted(names[: self.gallery]), "", *sorted(names[q] for q in self.queries)]
        )

    def asked(self) -> list[Tracklet]:
        """The queries."""
        return [self.rows.rows[query] for query in self.queries]


def _sides(request: Request) -> _Sides:
    table = _usable(request)
    known = replace(table, rows=tuple(row for row in table.rows if row.identity or row.kind != "person"))
    unknown = len(table) - len(known)
    if unknown:
        log.warning("%d of %d tracklets do not say who they show; they are left out.", unknown, len(table))
    trained = _trained_on(request.model.run, known)
    tested = _tested(request, known)
    asked = _queries(known.select(request.query) if request.query else tested)
    if not asked:
        raise DataError(
            f"None of {len(tested)} tracklets shows a person who can be looked for.",
            "Give tracklets whose person is known: IDENTITY/CAMERA/*.jpg, or a column 'identity'.",
        )
    ranked = known.select(request.gallery) if request.gallery else tested
    all_seen = all(row.identity in trained for row in asked)
    either = {row.name: row for row in (*asked, *ranked.rows)}.values()
    seen = {} if all_seen else Counter(row.identity for row in either if _label(row) in trained)
    if all_seen:
        log.warning(
            "THE RUN WAS TRAINED ON ALL %d people who are looked for: the figures say how well they were learnt, and "
            "nothing of other people.",
            len({row.identity for row in asked}),
        )
    elif seen:
        log.log(
            logging.INFO if table.split_from == "drawn" else logging.WARNING,
            "%d tracklets of %d people are left out, since the run was trained on these people.",
            sum(seen.values()),
            len(seen),
        )
    asked = [row for row in asked if row.identity not in seen]
    gallery = [row for row in ranked.rows if _label(row) not in seen]
    _check_cameras(asked, gallery)
    selection = selection_name(request.query)
    if request.preset == "torchreid" and _nobody_left(asked, gallery):
        asked, selection = _of_one_camera(request, asked), selection or ONE_CAMERA
    place = {row.name: number for number, row in enumerate(gallery)}
    rows = [*gallery, *(row for row in asked if row.name not in place)]
    number = {row.name: n for n, row in enumerate(rows)}
    return _Sides(
        replace(table, rows=tuple(rows)),
        len(gallery),
        tuple(number[row.name] for row in asked),
        tuple(place.get(row.name, -1) for row in asked),
        unknown,
        dict(seen),
        selection,
        all_seen,
    )


def _label(row: Tracklet) -> str:
    """A person's identity; empty of distractors and junk, who are nobody in particular."""
    return row.label or ""


def _usable(request: Request) -> Tracklets:
    table: Tracklets = request.model.config.open(request.source)
    left = {row.name: row.reason for row in table.rows if row.health != "ok"}
    if left:
        log.warning("%s", request.model.config.left_out(left, len(table)))
    kept = table.usable()
    if not len(kept):
        raise DataError(f"None of the {len(table)} tracklets can be read.", "The log says why.")
    return kept


def _tested(request: Request, known: Tracklets) -> Tracklets:
    """The tracklets of the test where the data say which they are, or all of them.

    Where identities were held out by a draw, it is the run itself that says who was trained on (:func:`_trained_on`),
    for of data that it never saw none has to be left out.
    """
    if known.split_from != "data" and request.model.run is not None:
        return known
    parts = {part_of(row.split) for row in known.rows}
    part = next((each for each in ("test", "val") if each in parts), None)
    if part is None:
        if not (request.query and request.gallery):
            check_splits(known.rows, "tracklets")
        return known
    return replace(known, rows=tuple(row for row in known.rows if part_of(row.split) == part))


def _trained_on(run: Path | None, known: Tracklets) -> frozenset[str]:
    """The people of a table of whom the run was trained on a tracklet of the same content."""
    from kinema.data.listing import trained_digests

    if run is None:
        return frozenset()
    digests = trained_digests(Path(run) / "manifest.parquet", "tracklets")
    return frozenset(row.identity for row in known.rows if row.digest in digests and row.label is not None)


def _queries(chosen: Tracklets) -> list[Tracklet]:
    """Those that the data call queries; else the longest tracklet of each person and camera, the first of equals."""
    people = [row for row in chosen.rows if row.label is not None]
    named = [row for row in people if row.role == "query"]
    if named or any(row.role for row in people):
        return named
    longest: dict[tuple[str, str], Tracklet] = {}
    for row in people:
        best = longest.setdefault((row.identity, row.camera), row)
        if len(row) > len(best):
            longest[row.identity, row.camera] = row
    return sorted(longest.values(), key=lambda row: row.name)


def _check_cameras(asked: Sequence[Tracklet], gallery: Sequence[Tracklet]) -> None:
    people = [row for row in (*asked, *gallery) if row.label is not None]
    without = [row.name for row in people if not row.camera]
    if without:
        raise DataError(
            f"{len(set(without))} of {len({row.name for row in people})} tracklets do not say which camera saw them, "
            f"for instance '{without[0]}'; a match is the same person in another camera.",
            _CAMERAS,
        )
    seen_by: dict[str, set[str]] = {}
    for row in people:
        seen_by.setdefault(row.identity, set()).add(row.camera)
    if all(len(cameras) < 2 for cameras in seen_by.values()):
        raise DataError(
            f"None of {len(seen_by)} people was seen by two cameras, and a match is the same person in another camera.",
            f"Give tracklets of the same people by several cameras. {_CAMERAS}",
        )


def _nobody_left(asked: Sequence[Tracklet], gallery: Sequence[Tracklet]) -> bool:
    """Whether queries are all that there is, as of one tracklet a person and camera, so that nobody can be found."""
    names = {row.name for row in asked}
    return all(row.name in names for row in gallery if row.label is not None)


def _of_one_camera(request: Request, asked: Sequence[Tracklet]) -> list[Tracklet]:
    """The queries of each person's first camera, as PRID 2011 and iLIDS-VID are measured."""
    if request.query or any(row.role for row in asked):
        raise DataError(
            f"All {len(asked)} tracklets of people are queries, and 'torchreid' takes queries out of the gallery: none "
            "of them has a match.",
            f"Ask from one camera: --query camera={min(row.camera for row in asked)}; or measure by --preset official.",
        )
    first: dict[str, str] = {}
    for row in asked:
        first[row.identity] = min(first.get(row.identity, row.camera), row.camera)
    chosen = [row for row in asked if row.camera == first[row.identity]]
    log.warning(
        "There is one tracklet a person and camera, and 'torchreid' takes queries out of the gallery: only the %d of "
        "each person's first camera are queries. --query chooses others.",
        len(chosen),
    )
    return chosen


def _figures(features: NDArray[np.floating], sides: _Sides, preset: str) -> ReidFigures:
    import numpy as np

    from kinema.evaluation.reid import reid_figures

    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    x = (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    gallery, asked = sides.rows.rows[: sides.gallery], sides.asked()
    return reid_figures(
        1 - x[list(sides.queries)] @ x[: sides.gallery].T,
        [row.identity for row in asked],
        [row.identity for row in gallery],
        [row.camera for row in asked],
        [row.camera for row in gallery],
        preset="torchreid" if preset == "torchreid" else "official",
        own=sides.own,
        kinds=[row.kind for row in gallery],
    )


def _floors(request: Request, rows: Tracklets) -> dict[str, NDArray[np.floating]]:
    """What needs no learning: the mean of the frames' features that the model is given, and the colours of crops."""
    import numpy as np

    from kinema.core.progress import Steps
    from kinema.data.tracklets.config import holds_features
    from kinema.data.tracklets.store import FileCrops
    from kinema.evaluation.colours import colours_of

    config = request.model.config
    found: dict[str, NDArray[np.floating]] = {}
    if holds_features(rows) or config.features:
        source = config.source(rows, run=request.model.run, cache=request.cache)
        found["mean"] = np.stack([_mean(source, row) for row in range(len(rows))])
    if holds_features(rows):
        return found
    crops, plain, roots = FileCrops(rows, *COLOUR_SIZE), [], []
    with Steps("colours", request.console) as progress:
        for row in range(len(rows)):
            places = np.unique(np.linspace(0, crops.length(row) - 1, COLOUR_FRAMES).round().astype(np.int64))
            pictures = np.moveaxis(crops.read(row, places), 1, -1)
            plain.append(colours_of(pictures))
            roots.append(colours_of(pictures, root=True))
            progress(row + 1, len(rows))
    return {**found, "hsv": np.stack(plain), "hsv_root": np.stack(roots)}


def _mean(source: Any, row: int, at_once: int = 4096) -> NDArray[np.float64]:
    """The mean of a tracklet's features as they are, float64 [F]; a long one is read part by part."""
    import numpy as np

    length = source.length(row)
    parts = (
        source.read(row, np.arange(first, min(first + at_once, length))).sum(axis=0, dtype=np.float64)
        for first in range(0, length, at_once)
    )
    mean: NDArray[np.float64] = np.sum(list(parts), axis=0) / length
    return mean


def _details(
    request: Request, sides: _Sides, figures: ReidFigures, floors: Mapping[str, ReidFigures]
) -> dict[str, Any]:
    import torch

    from kinema.evaluation import bootstrap_interval

    asked = sides.asked()
    order = sorted((n for n in range(len(asked)) if figures.first[n]), key=lambda n: asked[n].name)
    right = [bool(figures.first[n] == 1) for n in order]
    if figures.unmatched:
        log.warning(
            "%d of %d queries have no match in the gallery (the same person in another camera%s); they are in no "
            "figure.",
            figures.unmatched,
            figures.queries,
            ", no query" if request.preset == "torchreid" else "",
        )
    against = selection_name(request.gallery)
    return {
        "selection": sides.selection,
        **({"against": against} if against else {}),
        "interval": list(bootstrap_interval(torch.tensor(right), request.model.seed)),
        "asked_of": figures.queries,
        "measured": figures.measured,
        "unmatched": figures.unmatched,
        "junk": figures.junk,
        "distractors": figures.distractors,
        "fewest_candidates": figures.fewest,
        "identities": len({row.identity for row in asked}),
        "unknown": sides.unknown,
        "trained_on": {"people": len(sides.seen), "tracklets": sum(sides.seen.values()), "all": sides.all_seen},
        "splits": {
            "halves": len(figures.splits),
            "mean": dict(figures.mean),
            "deviation": dict(figures.deviation),
            "each": [dict(each) for each in figures.splits],
        },
        "per_camera": _per_camera(sides, figures),
        "floors": {
            name: {**each.metrics, "splits": {"mean": dict(each.mean), "deviation": dict(each.deviation)}}
            for name, each in floors.items()
        },
        "asked": digest_of([sides.digest, request.preset])[:16],
        "right": ["".join("01"[each] for each in right)],
        "first": [int(figures.first[n]) for n in order],
    }


def _per_camera(sides: _Sides, figures: ReidFigures) -> dict[str, dict[str, Any]]:
    """By the camera of the query: its queries, those without a match, and the share found first."""
    found: dict[str, dict[str, Any]] = {}
    asked = sides.asked()
    for camera in sorted({row.camera for row in asked}):
        first = [int(figures.first[n]) for n, row in enumerate(asked) if row.camera == camera]
        reached = [each for each in first if each]
        found[camera] = {
            "queries": len(first),
            "unmatched": len(first) - len(reached),
            "gallery": sum(row.camera == camera for row in sides.rows.rows[: sides.gallery]),
            "rank-1": sum(each == 1 for each in reached) / len(reached) if reached else None,
        }
    return found


REID: Protocol[Request] = Protocol(
    name="reid",
    title="Re-identification",
    question="is a person found again in another camera?",
    explains="Each query ranks the gallery; a match is the same person in another camera, and the person’s tracklets "
    "in the query’s own camera are passed over. R1 is the share of queries whose first is a match, mAP the mean area "
    "under the curves of precision over recall. The two presets are the two evaluators of MARS, which differ by ten "
    "points: under 'official' other queries stay in the gallery, under 'torchreid' none does, and the areas differ. "
    "Their figures are never comparable. Queries without a match are counted apart. Beside each stand the mean of the "
    "frames’ features, where the model is given features, and the colours of the crops, background and all. The "
    "whisker is the 95 % interval of R1 (bootstrap over the queries).",
    presets={
        "official": "the MARS evaluator: queries stay in the gallery, AP by trapezia",
        "torchreid": "torchreid's: queries are removed from the gallery, AP by rectangles",
    },
    metrics={
        "rank-1": Metric("R1"),
        "rank-5": Metric("R5"),
        "rank-10": Metric("R10"),
        "rank-20": Metric("R20"),
        "map": Metric("mAP"),
        "mean_rank-1": Metric("R1, mean of frames"),
        "mean_map": Metric("mAP, mean of frames"),
        "hsv_rank-1": Metric("R1, colours"),
        "hsv_map": Metric("mAP, colours"),
    },
    main="rank-1",
    measure=measure,
    judged=True,
    headline=True,
    heading="Does it find people again?",
    finding="ranks the same person in another camera first for {} of the queries",
    needs=("identities and cameras",),
    modality="tracklet",
    unit="tracklets",
    floors={"mean_rank-1": "the mean of the frames’ features", "hsv_rank-1": "colours of crops"},
)
"""The protocol."""

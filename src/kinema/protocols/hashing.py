"""Hashing: does the code of a picture find the texts of its labels, and the code of a text the pictures?"""

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

    from kinema.data.pairs.table import Pair, Pairs
    from kinema.evaluation.hashing import HashingFigures, HashingPreset
    from kinema.evaluation.tagging import TaggingFigures
    from kinema.protocols.request import Request

log = logging.getLogger(__name__)

WAYS = (("image", "text"), ("text", "image"), ("image", "image"), ("text", "text"))
"""What asks and what is found, across the views first."""

PLACES = (10, 50, 100, 500, 1000, 5000)
"""Where mAP and precision are taken for the curves in the details."""

AT_K, AT_N, RADIUS = 50, 100, 2
"""The places that have a figure of their own, and the Hamming radius."""


def measure(request: Request) -> list[Result]:
    """One result: mAP and precision of every way between the views that the run has, and of its real-valued vectors.

    Raises:
        DataError: labels are not known, there is nobody to ask, or no query shares a label with the gallery.
    """
    from kinema.core.progress import Steps

    began = time.monotonic()
    sides = _sides(request)
    rows, model = sides.rows, request.model
    vectors = {}
    for view in model.views:
        with Steps(f"embedding ({view})", request.console) as progress:
            vectors[view] = model.features(rows, view, device=request.device, progress=progress, cache=request.cache)
    ways = [way for way in WAYS if set(way) <= set(vectors)]
    labels = rows.label_matrix()
    found = {way: _figures(vectors, labels, sides, way, request.preset) for way in ways}
    tags = {view: each for view in model.views if (each := _tags(request, sides, view)) is not None}
    first = found[ways[0]].codes
    _warn(first, sides)
    _warn_of_labels(model.labels, rows, bool(tags))
    return [
        Result(
            protocol=HASHING.name,
            preset=request.preset,
            metrics=_metrics(found, tags),
            encoder=model.name,
            view=model.view,
            data=request.data,
            digest=sides.digest,
            queries=first.measured if request.preset == "tie-averaged" else first.queries,
            gallery=sides.gallery,
            seed=model.seed,
            commit=source_version(),
            seconds=time.monotonic() - began,
            details=_details(request, sides, found, tags, vectors),
        )
    ]


@dataclass(frozen=True)
class _Sides:
    """Who asks, and what is ranked.

    Args:
        rows: all pairs that are embedded, the gallery first.
        gallery: how many of them are the gallery.
        queries: rows of ``rows``.
        own: each query's row in the gallery, -1 where it is not in it.
        selection: the queries by name; empty for the usual ones.
        seen: pairs that are no queries since the run was trained on them.
        all_seen: whether the run was trained on every query, and they were measured all the same.
        gallery_seen: pairs of the gallery that the run was trained on.
    """

    rows: Pairs
    gallery: int
    queries: tuple[int, ...]
    own: tuple[int, ...]
    selection: str
    seen: int
    all_seen: bool
    gallery_seen: int

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all pairs and of which of them are queries and gallery."""
        names = [row.name for row in self.rows.rows]
        return digest_of(
            [self.rows.digest, *sorted(names[: self.gallery]), "", *sorted(names[q] for q in self.queries)]
        )

    @property
    def twins(self) -> int:
        """How many queries have another row of the gallery with their content, or with their picture."""
        counts = Counter(each for row in self.rows.rows[: self.gallery] for each in _contents(row))
        return sum(
            any(counts[each] > (own >= 0) for each in _contents(self.rows.rows[query]))
            for query, own in zip(self.queries, self.own, strict=True)
        )

    def asked(self) -> Pairs:
        """The queries."""
        return replace(self.rows, rows=tuple(self.rows.rows[query] for query in self.queries))


@dataclass(frozen=True)
class _Way:
    """The figures of one way: of the codes, and of the vectors that the codes are of."""

    codes: HashingFigures
    real: HashingFigures


def _contents(row: Pair) -> set[tuple[str, float | None]]:
    """What a pair is known by under any name: its content, and its picture."""
    return {(row.digest, None), *([(row.image, row.at)] if row.image else [])}


def _sides(request: Request) -> _Sides:
    table = _usable(request)
    trained = _trained_on(request.model.run)
    asked = table.select(request.query).rows if request.query else _tested(table)
    # A query with the content of a pair that does not ask is no pair that was trained on: sets have such twins, as of
    # equal tags without a picture; they are warned of below.
    twins = {row.digest for row in _others(table, asked)} if len(asked) < len(table) else set()
    all_seen = all(row.digest in trained - twins for row in asked)
    seen = [] if all_seen else [row for row in asked if row.digest in trained - twins]
    if all_seen:
        log.warning(
            "THE RUN WAS TRAINED ON ALL %d pairs that ask: the figures say how well they were learnt, and nothing of "
            "other pairs.",
            len(asked),
        )
    elif seen:
        log.warning("%d of %d pairs do not ask, since the run was trained on them.", len(seen), len(asked))
    out = {row.name for row in seen}
    asked = tuple(row for row in asked if row.name not in out)
    gallery = table.select(request.gallery).rows if request.gallery else _others(table, asked)
    place = {row.name: number for number, row in enumerate(gallery)}
    rows = [*gallery, *(row for row in asked if row.name not in place)]
    number = {row.name: n for n, row in enumerate(rows)}
    return _Sides(
        replace(table, rows=tuple(rows)),
        len(gallery),
        tuple(number[row.name] for row in asked),
        tuple(place.get(row.name, -1) for row in asked),
        selection_name(request.query),
        len(seen),
        all_seen,
        sum(row.digest in trained for row in gallery),
    )


def _usable(request: Request) -> Pairs:
    """The pairs that have all views of the run and can be read; those without a label stay, and match nothing."""
    model = request.model
    table: Pairs = model.config.labelled(model.config.open(request.source), model.labels)
    left = {row.name: why for row in table.rows if (why := row.why_not(model.views))}
    if left:
        log.warning("%s", model.config.left_out(left, len(table)))
    kept = replace(table, rows=tuple(row for row in table.rows if row.name not in left))
    if not len(kept):
        raise DataError(f"None of the {len(table)} pairs can be read.", "The log says why.")
    without = sum(not row.labels for row in kept.rows)
    if without == len(kept):
        raise DataError(
            f"None of the {len(kept)} pairs has a label, and a match is a pair that shares one.",
            "Labels stand in the column 'labels' of pairs.csv, ';' between them.",
        )
    if without:
        log.warning("%d of %d pairs have no label: they match nothing.", without, len(kept))
    return kept


def _tested(table: Pairs) -> tuple[Pair, ...]:
    """The pairs of the test where there is one; all of them where nothing was split."""
    parts = {part_of(row.split) for row in table.rows}
    part = next((each for each in ("test", "val") if each in parts), None)
    if part is not None:
        return tuple(row for row in table.rows if part_of(row.split) == part)
    check_splits(table.rows, "pairs")
    if "train" in parts:
        raise DataError(
            "All pairs with a split are of 'train', and none is left to ask.",
            "Call some 'test', or name the queries: --query split=train.",
        )
    return table.rows


def _others(table: Pairs, asked: Sequence[Pair]) -> tuple[Pair, ...]:
    """What does not ask; or everything, where all ask one another."""
    names = {row.name for row in asked}
    return tuple(row for row in table.rows if row.name not in names) or table.rows


def _trained_on(run: Path | None) -> frozenset[str]:
    """The digests of the pairs that the run was trained on."""
    from kinema.data.listing import trained_digests

    return frozenset() if run is None else trained_digests(Path(run) / "manifest.parquet", "pairs")


def _figures(
    vectors: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.bool_],
    sides: _Sides,
    way: tuple[str, str],
    preset: str,
) -> _Way:
    from kinema.core.codes import pack
    from kinema.evaluation.hashing import HASHING_PRESETS, hashing_figures

    rule: HashingPreset = next(each for each in HASHING_PRESETS if each == preset)
    asks, found = vectors[way[0]][list(sides.queries)], vectors[way[1]][: sides.gallery]
    sets = labels[list(sides.queries)], labels[: sides.gallery]
    return _Way(
        hashing_figures(
            pack(asks), pack(found), *sets, preset=rule, own=sides.own, ks=PLACES, ns=PLACES, radius=RADIUS
        ),
        hashing_figures(asks, found, *sets, preset=rule, own=sides.own, ks=(), ns=()),
    )


def _tags(request: Request, sides: _Sides, view: str) -> tuple[TaggingFigures, TaggingFigures] | None:
    """Of the labels that a view gives the queries, and of the gallery's most frequent labels given to all."""
    import numpy as np

    from kinema.core.progress import Steps
    from kinema.evaluation.tagging import tagging_figures

    model, asked = request.model, sides.asked()
    if not model.labels:
        return None
    labels = asked.label_matrix(model.labels)
    if not labels.any():
        return None  # :func:`_warn_of_labels` says so, once for all views
    with Steps(f"tagging ({view})", request.console) as progress:
        scores = model.tags(asked, view, device=request.device, progress=progress, cache=request.cache)
    frequent = sides.rows.label_matrix(model.labels)[: sides.gallery].mean(axis=0)
    return tagging_figures(scores, labels), tagging_figures(np.tile(frequent, (len(labels), 1)), labels)


def _metrics(
    found: Mapping[tuple[str, str], _Way], tags: Mapping[str, tuple[TaggingFigures, TaggingFigures]]
) -> dict[str, float]:
    """The figures of all ways: the codes' mAP, chance, the vectors' mAP, places, radius; and tags of each view."""
    import numpy as np

    ways = {f"{asks}_to_{finds}": each for (asks, finds), each in found.items()}
    metrics = {"map": float(np.mean([each.codes.metrics["map"] for each in _main(found)]))}
    metrics |= {f"map_{way}": each.codes.metrics["map"] for way, each in ways.items()}
    metrics["chance_map"] = next(iter(ways.values())).codes.chance
    metrics |= {f"real_map_{way}": each.real.metrics["map"] for way, each in ways.items()}
    for head, name in (
        (f"map_at_{AT_K}", f"map@{AT_K}"),
        (f"precision_at_{AT_N}", f"precision@{AT_N}"),
        (f"precision_radius_{RADIUS}", f"precision_radius_{RADIUS}"),
    ):
        metrics |= {
            f"{head}_{way}": each.codes.metrics[name] for way, each in ways.items() if name in each.codes.metrics
        }
    return metrics | {f"tag_f1_{view}": own.metrics["f1"] for view, (own, _) in tags.items()}


def _main(found: Mapping[tuple[str, str], _Way]) -> list[_Way]:
    """The ways that the main figure is the mean of: across the views, or of one view its own."""
    return [each for (asks, finds), each in found.items() if asks != finds] or list(found.values())


def _warn(figures: HashingFigures, sides: _Sides) -> None:
    if figures.unmatched:
        log.warning(
            "%d of %d queries share no label with the gallery; %s.",
            figures.unmatched,
            figures.queries,
            "they are in no figure" if figures.preset == "tie-averaged" else "this preset's mAP counts them as 0",
        )
    if figures.chance == 1:
        log.warning("Every query shares a label with all of the gallery, so that mAP is 1 whatever the codes are.")
    twins = sides.twins
    if twins:
        log.warning(
            "%d of %d pairs that ask stand in the gallery a second time, as a whole or with the same picture: that "
            "these are found tells little. A column 'source' keeps what belongs together on one side.",
            twins,
            len(sides.queries),
        )
    if sides.gallery_seen and not sides.all_seen:
        log.info(
            "The run was trained on %d of %d pairs of the gallery, as is customary; on none that asks.",
            sides.gallery_seen,
            sides.gallery,
        )


def _warn_of_labels(learnt: Sequence[str], rows: Pairs, tagged: bool) -> None:
    """Names labels of the data that the run did not learn; their pairs are ranked by them all the same."""
    other = [label for label in rows.classes() if label not in set(learnt)]
    if not learnt or not other:
        return
    of = f"{len(other)} of {len(rows.classes())} labels of the data are none that the run learnt"
    named = ", ".join(f"'{label}'" for label in other[:5]) + (f" and {len(other) - 5} more" if other[5:] else "")
    tags = "" if tagged else " No query has one that it learnt, so that its tags are not measured."
    log.warning("%s: %s. What shares them is relevant all the same.%s", of, named, tags)


def _details(
    request: Request,
    sides: _Sides,
    found: Mapping[tuple[str, str], _Way],
    tags: Mapping[str, tuple[TaggingFigures, TaggingFigures]],
    vectors: Mapping[str, NDArray[np.float32]],
) -> dict[str, Any]:
    import numpy as np

    from kinema.evaluation.interval import mean_interval

    first = next(iter(found.values())).codes
    against, matched = selection_name(request.gallery), first.relevant > 0
    each = np.mean([way.codes.ap for way in _main(found)], axis=0)
    ap = each[matched] if request.preset == "tie-averaged" else np.nan_to_num(each)
    return {
        "selection": sides.selection,
        **({"against": against} if against else {}),
        "interval": list(mean_interval(ap, request.model.seed)),
        "asked_of": first.queries,
        "measured": first.measured,
        "unmatched": first.unmatched,
        "bits": request.model.bits,
        "relevant": float(first.relevant[matched].mean() / sides.gallery),
        "omitted_places": list(first.omitted),
        "trained_on": {"queries_left_out": sides.seen, "all": sides.all_seen, "gallery": sides.gallery_seen},
        "ways": {f"{asks}_to_{finds}": _curves(each) for (asks, finds), each in found.items()},
        "codes": {view: _fill(x) for view, x in vectors.items()},
        "tags": {view: _tagged(own, frequent, request.model.labels) for view, (own, frequent) in tags.items()},
    }


def _curves(way: _Way) -> dict[str, Any]:
    """Over places mAP and precision, and how many queries find anything within the radius."""
    import numpy as np

    metrics, matched = way.codes.metrics, way.codes.relevant > 0
    return {
        "map_at": {str(k): metrics[f"map@{k}"] for k in PLACES if f"map@{k}" in metrics},
        "precision_at": {str(n): metrics[f"precision@{n}"] for n in PLACES if f"precision@{n}" in metrics},
        "found_within_radius": float((~np.isnan(way.codes.within[matched])).mean()),
        "real_map": way.real.metrics["map"],
    }


def _fill(vectors: NDArray[np.float32]) -> dict[str, float]:
    """How well codes use their bits: imbalance (0 best, 1 where all are equal), entropy a bit, and distinct codes."""
    import numpy as np

    from kinema.core.codes import pack

    ones = (vectors > 0).mean(axis=0)
    inner = np.clip(ones, 1e-12, 1 - 1e-12)
    entropy = -(inner * np.log2(inner) + (1 - inner) * np.log2(1 - inner))
    return {
        "bit_imbalance": float(2 * np.abs(ones - 0.5).mean()),
        "bit_entropy": float(np.where((ones > 0) & (ones < 1), entropy, 0).mean()),
        "distinct": len(np.unique(pack(vectors), axis=0)),
        "rows": len(vectors),
    }


def _tagged(own: TaggingFigures, frequent: TaggingFigures, labels: Sequence[str]) -> dict[str, Any]:
    return {
        **own.metrics,
        "top": own.top,
        "rows": own.rows,
        "unlabelled": own.unlabelled,
        "classes": own.classes,
        "untested": [labels[column] for column in own.untested],
        "never": own.never,
        "frequent": dict(frequent.metrics),
    }


_ARROWS = {f"{asks}_to_{finds}": f"{asks[0]}→{finds[0]}" for asks, finds in WAYS}

HASHING: Protocol[Request] = Protocol(
    name="hashing",
    title="Hashing",
    question="does the code of a picture or text find what shares a label?",
    explains="Queries (the test) rank all other pairs by the Hamming distance of codes; what shares a label with the "
    "query is relevant, and mAP is the mean area under the curves of precision over recall. Codes of few bits tie most "
    "of a gallery: figures are the expected value over all orders of equal distances, whatever a machine's sort does. "
    "The two other presets give what two functions give that most papers’ figures come from, for comparison with "
    "these alone. i→t is a picture’s code that seeks texts; mAP itself is the mean of i→t and t→i, or of one view its "
    "own. Beside it stand the same by the real-valued vectors, which is what the bits cost, and chance, the mAP of a "
    "random order. P≤2 is the precision within two bits, 0 where nothing lies there; tags the overall F1 of three "
    "labels a query. Queries that share no label with the gallery are counted apart. The whisker is the 95 % interval "
    "of mAP (bootstrap over the queries).",
    presets={
        "tie-averaged": "the expected value over all orders of equal distances",
        "calc-map-k": "DCMH-style calc_map_k: at k, hits anywhere; no hit counts as 0",
        "calc-top-map": "DeepHash-style CalcTopMap: at k, over the hits found; all is all but the last place",
    },
    metrics={
        "map": Metric("mAP"),
        **{f"map_{way}": Metric(f"mAP {arrow}") for way, arrow in _ARROWS.items()},
        "chance_map": Metric("chance"),
        **{f"real_map_{way}": Metric(f"vectors {arrow}") for way, arrow in _ARROWS.items()},
        **{f"map_at_{AT_K}_{way}": Metric(f"mAP@{AT_K} {arrow}") for way, arrow in _ARROWS.items()},
        **{f"precision_at_{AT_N}_{way}": Metric(f"P@{AT_N} {arrow}") for way, arrow in _ARROWS.items()},
        **{f"precision_radius_{RADIUS}_{way}": Metric(f"P≤{RADIUS} {arrow}") for way, arrow in _ARROWS.items()},
        "tag_f1_image": Metric("tags i"),
        "tag_f1_text": Metric("tags t"),
    },
    main="map",
    measure=measure,
    judged=True,
    headline=True,
    heading="Do codes find what shares a label?",
    finding="ranks what shares a label with an mAP of {}",
    needs=("labels",),
    modality="pair",
    unit="pairs",
    floors={"chance_map": "a random order"},
)
"""The protocol."""

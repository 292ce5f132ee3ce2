"""Activity segmentation: do the steps that were found agree with those that people marked, frame by frame?"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinema.core.errors import ConfigError, DataError
from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result
from kinema.core.version import source_version

if TYPE_CHECKING:
    from kinema.data.sequences.reader import SequenceReader
    from kinema.data.sequences.table import Sequences
    from kinema.data.sequences.truth import FrameLabels
    from kinema.evaluation.segmentation import SegmentationFigures
    from kinema.protocols.request import Request

log = logging.getLogger(__name__)

FLOORS = ("uniform", "kmeans", "kmeans_time")
"""What stands beside every result: K equal parts of each video, k-means on the features, and with the time beside."""


def measure(request: Request) -> list[Result]:
    """One result over all activities, which the run has a model of each, and one for each where there are several.

    Raises:
        DataError: no video is of an activity that the run has learnt, labels of frames are missing, or features are
            not those that the models take.
        ConfigError: what is named as background is no label.
    """
    from kinema.data.sequences.truth import read_truth

    table = _rows(request)
    parts = {}
    for model in request.models:
        rows = _of(table, model)
        if rows is None:
            log.warning("No video is of the activity '%s', which the run has learnt; it is not measured.", model.view)
            continue
        _check_width(rows, model)
        parts[model.view] = (model, rows, read_truth(rows))
    if not parts:
        raise DataError(
            f"None of the {len(table)} videos is of an activity that the run has learnt: "
            f"{', '.join(model.view for model in request.models)}.",
            f"The data have: {', '.join(table.classes())}.",
        )
    other = [name for name in table.classes() if not any(model.activity in ("", name) for model in request.models)]
    if other:
        log.warning("Videos of %s are not measured: no model here is of them.", ", ".join(map(repr, other)))
    _check_background(request.background, [truth for _, _, truth in parts.values()])
    results, measured = [], {}
    for view, (model, rows, truth) in parts.items():
        began = time.monotonic()
        measured[view] = _measured(request, model, rows, truth)
        results.append(_result(request, model, view, rows, measured[view], began))
    if len(results) == 1:
        return results
    return [_pooled(results, measured), *results]


def _rows(request: Request) -> Sequences:
    table: Sequences = request.model.config.open(request.source)
    chosen = table.select(request.query) if request.query else table
    left = {row.name: row.reason for row in chosen.rows if row.health != "ok"}
    if left:
        log.warning("%s", request.model.config.left_out(left, len(chosen)))
    kept = chosen.usable()
    if not len(kept):
        raise DataError(
            f"None of the {len(chosen)} sequences can be measured.", "Each needs a file of features with a frame."
        )
    return kept


def _of(table: Sequences, model: SequenceReader) -> Sequences | None:
    """The videos of a model's activity; all of them of a model of all."""
    if not model.activity:
        return table
    return table.select({"activity": model.activity}) if model.activity in table.classes() else None


def _check_width(rows: Sequences, model: SequenceReader) -> None:
    """Refuses features that the model cannot read, before any are."""
    row = rows.rows[0]
    if row.width != model.features:
        raise DataError(
            f"'{rows.root / row.path}' has {row.width} features a frame; the model of '{model.view}' takes "
            f"{model.features}.",
            "Measure it on features of the network that it was trained on.",
        )


def _check_background(names: Sequence[str], truths: Sequence[FrameLabels]) -> None:
    """Refuses a name that is no label of any activity."""
    known = sorted({label for truth in truths for label in truth.ids})
    unknown = [name for name in names if not any(truth.numbers([name]) for truth in truths)]
    if unknown:
        shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        raise ConfigError(f"There is no label '{unknown[0]}' to be left out.", f"The labels are: {shown}.")


class _Measured:
    """The figures of one activity, and of what stands beside them.

    Args:
        figures: of the model.
        floors: by name, of what stands beside.
        details: what the page shows beside.
        digest: SHA-256 of the features, of the labels and of which of them are left out, in hexadecimal: what differs
            in one of them is not compared.
    """

    def __init__(
        self,
        figures: SegmentationFigures,
        floors: Mapping[str, SegmentationFigures],
        details: Mapping[str, Any],
        digest: str,
    ) -> None:
        self.figures, self.floors, self.details, self.digest = figures, floors, details, digest


def _measured(request: Request, model: SequenceReader, rows: Sequences, truth: FrameLabels) -> _Measured:
    from kinema.core.progress import Steps
    from kinema.data.sequences.config import normalised

    if truth.scaled:
        shown = ", ".join(f"'{name}' ({lines})" for name, lines in list(truth.scaled.items())[:3])
        log.warning(
            "%d of %d files of labels have another number of lines than there are frames, for instance %s: their "
            "labels were scaled to the frames' times.",
            len(truth.scaled),
            len(rows),
            shown,
        )
    names = request.background or rows.background
    background = truth.numbers(names)
    frames = [
        normalised(rows.features(n), model.config.normalize, rows.root / row.path) for n, row in enumerate(rows.rows)
    ]
    with Steps("segmenting", request.console) as progress:
        segmented = model.segment(frames, device=request.device, progress=progress)
    figures = _figures(request, model, [each.steps for each in segmented], truth.labels, background, rows)
    floors = {
        name: _figures(request, model, steps, truth.labels, background, rows)
        for name, steps in _floors(frames, model.clusters).items()
    }
    if model.clusters > 1 and figures.largest_share > COLLAPSED:
        log.warning(
            "The steps of '%s' have collapsed: one of %d has %.0f %% of all frames.",
            model.view,
            model.clusters,
            100 * figures.largest_share,
        )
    details = {
        "clusters": model.clusters,
        "clusters_used": figures.clusters_used,
        "largest_share": figures.largest_share,
        "collapsed": model.clusters > 1 and figures.largest_share > COLLAPSED,
        "frames": figures.frames,
        "background": list(names),
        "scaled": dict(truth.scaled),
        "match": {int(cluster) + 1: truth.names[label] for cluster, label in figures.match.items()},
        "per_class": {
            truth.names[label]: {"frames": each.frames, "accuracy": each.accuracy, "iou": each.iou}
            for label, each in figures.per_class.items()
        },
        "floors": {name: dict(each.metrics) for name, each in floors.items()},
    }
    labels = hashlib.sha256(b"".join(each.tobytes() for each in truth.labels)).hexdigest()
    return _Measured(figures, floors, details, _hash([rows.digest, *truth.names, labels, *map(str, background)]))


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


COLLAPSED = 0.95
"""Share of all frames that one step may have before the steps count as collapsed."""


def _figures(
    request: Request, model: SequenceReader, steps: Any, labels: Any, background: Any, rows: Sequences
) -> SegmentationFigures:
    from kinema.evaluation.segmentation import segmentation_figures

    preset, _, scope = request.preset.partition("-")
    return segmentation_figures(
        steps,
        labels,
        clusters=model.clusters,
        scope="video" if scope == "video" else "full",
        preset="asot" if preset == "asot" else "cte",
        background=background,
        names=[row.name for row in rows.rows],
        seed=model.seed,
    )


def _floors(frames: Sequence[Any], clusters: int) -> dict[str, Any]:
    """What needs no learning: K equal parts; k-means on the features, alone and with the time beside."""
    from kinema.evaluation.segmentation_floors import kmeans_segments, uniform_split

    found: dict[str, Any] = {"uniform": uniform_split([len(each) for each in frames], clusters)}
    if sum(map(len, frames)) >= clusters:
        found["kmeans"] = kmeans_segments(frames, clusters)
        found["kmeans_time"] = kmeans_segments(frames, clusters, time_weight=1.0)
    return found


def _metrics(figures: Mapping[str, float], floors: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The model's figures, then MOF and F1 of what stands beside them."""
    beside = {f"{floor}_{name}": floors[floor][name] for floor in FLOORS if floor in floors for name in ("mof", "f1")}
    return {**figures, **beside}


def _result(
    request: Request, model: SequenceReader, view: str, rows: Sequences, measured: _Measured, began: float
) -> Result:
    metrics = _metrics(measured.figures.metrics, {name: each.metrics for name, each in measured.floors.items()})
    return Result(
        protocol=SEGMENTATION.name,
        preset=request.preset,
        metrics=metrics,
        encoder=model.name,
        view=view,
        data=request.data,
        digest=measured.digest,
        queries=len(rows),
        gallery=0,
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details={"selection": "" if len(request.models) == 1 else view, **measured.details},
    )


def _pooled(results: Sequence[Result], measured: Mapping[str, _Measured]) -> Result:
    """One result of all activities, by ``pooled_figures``."""
    from kinema.evaluation.segmentation import pooled_figures

    whole = pooled_figures({view: each.figures for view, each in measured.items()})
    floors = {
        name: pooled_figures({view: each.floors[name] for view, each in measured.items()}).metrics
        for name in FLOORS
        if all(name in each.floors for each in measured.values())
    }
    first = results[0]
    return Result(
        protocol=first.protocol,
        preset=first.preset,
        metrics=_metrics(whole.metrics, floors),
        encoder=first.encoder,
        view="every activity",
        data=first.data,
        digest=_hash([each.digest for each in results]),
        queries=sum(each.queries for each in results),
        gallery=0,
        seed=first.seed,
        commit=first.commit,
        seconds=sum(each.seconds for each in results),
        details={
            "selection": "",
            "activities": list(measured),
            "means": dict(whole.means),
            "frames": whole.frames,
            "collapsed": [view for view, each in measured.items() if each.details["collapsed"]],
            "floors": {name: dict(each) for name, each in floors.items()},
        },
    )


SEGMENTATION: Protocol[Request] = Protocol(
    name="segmentation",
    title="Activity segmentation",
    question="do the steps that were found agree with those that people marked?",
    explains="Each cluster is matched with one class at most (Hungarian), so that most frames agree: one over all "
    "videos of an activity, or in the presets '-video' one a video, which is easier and never comparable. MOF is the "
    "share of frames that agree; F1 is drawn from 15 frames a segment, in two ways that differ (CTE and TOT; ASOT); "
    "edit and F1@k compare segments. Beside them stand K equal parts of each video (uniform) and k-means on the "
    "features, without and with the time: a method that is not above them has found nothing.",
    presets={
        "cte": "one match an activity; F1 as CTE and TOT draw it",
        "asot": "one match an activity; F1 as ASOT draws it",
        "cte-video": "a match a video; F1 as CTE and TOT draw it",
        "asot-video": "a match a video; F1 as ASOT draws it",
    },
    metrics={
        "mof": Metric("MOF", inline="MOF"),
        "f1": Metric("F1"),
        "edit": Metric("Edit"),
        "f1@": Metric("F1@"),
        "miou": Metric("mIoU"),
        "uniform_mof": Metric("MOF, uniform"),
        "kmeans_mof": Metric("MOF, k-means"),
        "kmeans_time_mof": Metric("MOF, k-means and time"),
        "uniform_f1": Metric("F1, uniform"),
        "kmeans_f1": Metric("F1, k-means"),
        "kmeans_time_f1": Metric("F1, k-means and time"),
    },
    main="mof",
    measure=measure,
    judged=True,
    headline=True,
    heading="Does it find the steps?",
    finding="gives {} of the frames the step that people marked",
    takes=("background",),
    needs=("labels of frames",),
    models="every view",
    modality="sequence",
    unit="frames",
    floors={
        "uniform_mof": "equal parts of each video",
        "kmeans_mof": "k-means",
        "kmeans_time_mof": "k-means with time",
    },
)

"""Puts together what differs in nothing but the seed."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from kinema.core.protocol import Metric
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.estimates import Estimate, estimate
from kinema.reporting.pooled import Group, Pooled
from kinema.reporting.report import Row, RunRecord


def grouped(runs: Sequence[RunRecord], rows: Sequence[Row], vocabulary: Vocabulary) -> tuple[Group, ...]:
    """The rows by encoder, view, settings and recipe, each group where its first row stands.

    Args:
        runs: the runs.
        rows: what was measured in them, each row's main selection first.
        vocabulary: what encoders and protocols are.
    """
    records = {run.name: run for run in runs}
    found: dict[tuple[Any, ...], list[int]] = {}
    for number, row in enumerate(rows):
        recipe = recipe_of(records[row.runs[0]], untrained=vocabulary.is_untrained(row.encoder))
        found.setdefault((*row.settings, row.encoder, row.view, recipe), []).append(number)
    return tuple(
        _group(numbers, [rows[n] for n in numbers], key[-1], records[rows[numbers[0]].runs[0]], vocabulary)
        for key, numbers in found.items()
    )


def recipe_of(run: RunRecord, *, untrained: bool = False) -> str:
    """A digest of all that a run was made of but the seed; of its untrained encoder, of the shape alone."""
    recipe = run.recipe
    settings: dict[str, Any] = {key: recipe.get(key) for key in ("encoder", "clip")}
    if not untrained:
        phases = [
            {**phase, "start": {view: PurePath(str(start)).name for view, start in (phase.get("start") or {}).items()}}
            for phase in recipe.get("phases") or ()
        ]
        settings = {**recipe, "seed": None, "phases": phases, "videos": run.environment.get("manifest_digest")}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _group(numbers: list[int], rows: list[Row], recipe: str, run: RunRecord, vocabulary: Vocabulary) -> Group:
    first = rows[0]
    learnt_from = "" if vocabulary.is_untrained(first.encoder) else str(run.environment.get("manifest_digest") or "")
    selections = list(dict.fromkeys(figure.selection for row in rows for figure in row.figures))
    return Group(
        protocol=first.protocol,
        preset=first.preset,
        windows=first.windows,
        digest=first.digest,
        encoder=first.encoder,
        variant=first.variant,
        view=first.view,
        recipe=recipe,
        runs=tuple(dict.fromkeys(name for row in rows for name in row.runs)),
        seeds=tuple(row.seed for row in rows),
        commits=tuple(sorted({row.commit for row in rows})),
        epochs=first.epochs,
        rows=tuple(numbers),
        figures=tuple(_pooled(rows, selection, vocabulary) for selection in selections),
        learnt_from=learnt_from,
    )


def _pooled(rows: list[Row], selection: str, vocabulary: Vocabulary) -> Pooled:
    held = [(row.seed, figure) for row in rows if (figure := row.at(selection)) is not None]
    seeds, figures = tuple(seed for seed, _ in held), [figure for _, figure in held]
    names = dict.fromkeys(name for figure in figures for name in figure.metrics)
    each = {name: tuple(figure.metrics.get(name) for figure in figures) for name in names}
    classes = dict.fromkeys(name for figure in figures for name in figure.per_class)
    whole, first = estimate(rows[0], figures, vocabulary), figures[0]
    main = vocabulary.main(rows[0].protocol, first.metrics)
    return Pooled(
        selection=selection,
        data=first.data,
        queries=first.queries,
        gallery=first.gallery,
        labelled=first.labelled,
        seeds=seeds,
        metrics={name: _mean(values) for name, values in each.items()},
        deviation={name: _deviation(values) for name, values in each.items()},
        each=each,
        interval=_within(whole, vocabulary.metric(main or "", rows[0].protocol)),
        chance=first.chance,
        per_class={name: _mean([figure.per_class.get(name) for figure in figures]) for name in classes},
    )


def _within(whole: Estimate | None, metric: Metric) -> tuple[float, float] | None:
    """The bounds of an interval, which the spread of two or three seeds may carry beyond what a share can be."""
    if whole is None or whole.low is None or whole.high is None:
        return None
    return (max(0.0, whole.low), min(1.0, whole.high)) if metric.share else (whole.low, whole.high)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 and len(known) == len(values) else None


def estimate_of(group: Group, rows: Sequence[Row], selection: str, vocabulary: Vocabulary) -> Estimate | None:
    """The main figure of a group on one selection of queries; None where it was not measured on it."""
    held = [(rows[number].seed, figure) for number in group.rows if (figure := rows[number].at(selection)) is not None]
    seeds, figures = [seed for seed, _ in held], [figure for _, figure in held]
    return estimate(group, figures, vocabulary, group.epochs, seeds, group.learnt_from)


def compared(
    runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group], selection: str, vocabulary: Vocabulary
) -> dict[str, tuple[Group, Estimate]]:
    """One group an encoder: of a baseline the strongest, otherwise of the recipe that comes first.

    Of several baselines of one name the strongest counts, so that nothing is won by a weak one.

    Args:
        runs: the runs, in the order that the user gave.
        rows: all rows.
        groups: those of one block and one view.
        selection: the queries.
        vocabulary: what encoders and protocols are.
    """
    order = {run.name: number for number, run in enumerate(runs)}
    found: dict[str, tuple[Group, Estimate]] = {}
    for group in sorted(groups, key=lambda group: order[group.runs[0]]):
        mean, name = estimate_of(group, rows, selection, vocabulary), group.encoder
        strongest = not vocabulary.is_method(name)
        if mean is not None and (name not in found or (strongest and mean.score > found[name][1].score)):
            found[name] = (group, mean)
    return found

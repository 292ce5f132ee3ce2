"""The same figures class by class: where an encoder gains and where it loses."""

from __future__ import annotations

from dataclasses import dataclass

from kinema.core.protocol import Metric
from kinema.reporting.pooled import Pooled, main_selection
from kinema.reporting.report import Report
from kinema.reporting.seeds import compared
from kinema.reporting.wording import metric_value, natural

CLASSES = 30
"""Classes shown before the rest is folded away."""


@dataclass(frozen=True)
class ClassBar:
    """One encoder's figure on one class: its length is in per cent of the whole."""

    encoder: str
    length: float
    value: str
    chosen: bool


@dataclass(frozen=True)
class Classes:
    """The section of classes, each with a bar for each encoder.

    Args:
        metric: the figure's title.
        rule: the order, in words.
        pooled: whether a figure may be the mean of several seeds.
        shown: the classes shown.
        rest: those that are folded away.
    """

    metric: str
    rule: str
    pooled: bool
    shown: dict[str, list[ClassBar]]
    rest: dict[str, list[ClassBar]]


def by_class(report: Report) -> Classes | None:
    """The main figure of every encoder in the headline's view, class by class; None where there is none."""
    answer, vocabulary, leading = report.headline, report.vocabulary, report.leading
    block = [group for group in report.groups if group.settings == answer.settings]
    if not block or leading is None:
        return None
    seen, selection = [group for group in block if group.view == answer.view], main_selection(block)
    judged = compared(report.runs, report.rows, seen, selection, vocabulary)
    rows: dict[str, Pooled] = {}
    for group in seen:
        figure = group.at(selection)
        if figure is not None and figure.per_class and judged.get(group.encoder, (group,))[0] is group:
            rows.setdefault(group.encoder, figure)
    if not rows:
        return None
    names = sorted({name for row in rows.values() for name in row.per_class}, key=natural)
    sign = 1 if leading.higher_is_better else -1
    lead = {name: sign * _lead(rows, answer.candidate, answer.baseline, name) for name in names}
    rule = "by name"
    if answer.candidate in rows and answer.baseline in rows:
        names.sort(key=lambda name: -lead[name])
        rule = f"by the lead over {vocabulary.title(answer.baseline)}, the largest first"
    shown = names
    if len(names) > CLASSES:
        largest = set(sorted(names, key=lambda name: -abs(lead[name]))[:CLASSES])
        shown = [name for name in names if name in largest]
        rule += f"; the {CLASSES} with the largest difference, the others below"
    metric = vocabulary.metric(leading.main, leading.name)
    return Classes(
        metric.title,
        rule,
        any(len(row.seeds) > 1 for row in rows.values()),
        {name: _bars(name, rows, metric, report) for name in shown},
        {name: _bars(name, rows, metric, report) for name in names if name not in shown},
    )


def _lead(rows: dict[str, Pooled], candidate: str, baseline: str, name: str) -> float:
    one, other = (rows[e].per_class.get(name) if e in rows else None for e in (candidate, baseline))
    return 0.0 if one is None or other is None else one - other


def _bars(name: str, rows: dict[str, Pooled], metric: Metric, report: Report) -> list[ClassBar]:
    bars = []
    for encoder, row in rows.items():
        value = row.per_class.get(name)
        length = 100 * min(max(value or 0.0, 0.0), 1.0)
        title, chosen = report.vocabulary.short(encoder), encoder == report.headline.candidate
        bars.append(ClassBar(title, length, metric_value(metric, value, 0), chosen))
    return bars

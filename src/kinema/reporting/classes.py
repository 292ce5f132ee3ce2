"""The same figures class by class: where an encoder gains and where it loses."""

from __future__ import annotations

from collections.abc import Sequence

from kinema.core.protocol import Metric
from kinema.reporting.markup import Markup, tag
from kinema.reporting.pooled import Group
from kinema.reporting.report import Report
from kinema.reporting.wording import metric_value, natural, view_name

CLASSES = 30
"""Classes shown before the rest is folded away."""


def by_class(report: Report) -> Markup:
    """The section of classes: the main figure of every encoder in the headline's view, class by class."""
    answer, vocabulary, leading = report.headline, report.vocabulary, report.leading
    rows: dict[str, Group] = {}
    for group in report.groups:
        if group.settings == answer.settings and group.view == answer.view and group.main.per_class:
            rows.setdefault(group.encoder, group)
    if not rows or leading is None:
        return Markup("")
    names = sorted({name for row in rows.values() for name in row.main.per_class}, key=natural)
    lead = {name: _lead(rows, answer.candidate, answer.baseline, name) for name in names}
    rule = "by name"
    if answer.candidate in rows and answer.baseline in rows:
        names.sort(key=lambda name: -lead[name])
        against = vocabulary.title(answer.baseline)
        rule = f"from the class that gains most over {against} to the one that loses most"
    shown = names
    if len(names) > CLASSES:
        largest = set(sorted(names, key=lambda name: -abs(lead[name]))[:CLASSES])
        shown = [name for name in names if name in largest]
        rule += f"; the {CLASSES} with the largest difference, the others below"
    metric = vocabulary.metric(leading.main, leading.name)
    about = f"{metric.title} by class, in the view {view_name(answer.view)}, {rule}."
    about += " Of several seeds it is the mean." if any(len(row.seeds) > 1 for row in rows.values()) else ""
    parts = [tag("h2", "Class by class"), tag("p", about), _classes(shown, rows, metric, report)]
    rest = [name for name in names if name not in shown]
    if rest:
        more = _classes(rest, rows, metric, report)
        parts.append(tag("details", tag("summary", f"{len(rest)} more classes"), more))
    return tag("section", parts)


def _lead(rows: dict[str, Group], candidate: str, baseline: str, name: str) -> float:
    one, other = (rows[e].main.per_class.get(name) if e in rows else None for e in (candidate, baseline))
    return 0.0 if one is None or other is None else one - other


def _classes(names: Sequence[str], rows: dict[str, Group], metric: Metric, report: Report) -> Markup:
    return tag(
        "ul",
        [tag("li", tag("strong", name, class_="long"), _bars(name, rows, metric, report)) for name in names],
        class_="classes",
    )


def _bars(name: str, rows: dict[str, Group], metric: Metric, report: Report) -> Markup:
    bars = []
    for encoder, row in rows.items():
        value = row.main.per_class.get(name)
        width = f"width:{100 * min(max(value or 0.0, 0.0), 1.0):.1f}%"
        bar = tag(
            "span",
            tag("span", style=width, class_="chosen" if encoder == report.headline.candidate else None),
            class_="bar",
            aria_hidden="true",
        )
        number = tag("span", metric_value(metric, value, 0), class_="number")
        bars.append(tag("li", tag("span", report.vocabulary.short(encoder)), bar, number))
    return tag("ul", bars)

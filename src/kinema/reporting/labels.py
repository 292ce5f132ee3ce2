"""Accuracy over the number of labels: what pretraining is worth when labels are few, and when they are not."""

from __future__ import annotations

import statistics

from kinema.reporting.charts import LINES, Across, Series, factor_axis, line_chart
from kinema.reporting.markup import Markup, tag
from kinema.reporting.report import Report, Row
from kinema.reporting.wording import encoder_name, encoder_order, protocol_name, view_name

LABELLED = Across("labelled videos", factor_axis)
ABOUT = (
    "A classifier is trained on so many labelled videos, once from each encoder. Where the lines of a pretrained and "
    "of an untrained encoder meet, labels have made pretraining needless."
)


def label_curves(report: Report) -> Markup:
    """The section of learning curves; nothing where no protocol was measured at two numbers of labels."""
    charts = []
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in report.rows:
        if row.main.labelled is not None and row.main.metrics.get("accuracy") is not None:
            groups.setdefault((_family(row), row.digest, row.main.selection, row.view), []).append(row)
    for (family, _, selection, view), rows in groups.items():
        if len({row.main.labelled for row in rows}) < 2:
            continue
        title = f"{family}, {view_name(view)}" + (f", {selection}" if selection else "")
        lines = _lines(rows)
        for start in range(0, len(lines), LINES):
            part = lines[start : start + LINES]
            charts.append(line_chart(title, part, "accuracy over videos", across=LABELLED, percents=True, zero=True))
    if not charts:
        return Markup("")
    return tag(
        "section", tag("h2", "How many labels does it take?"), tag("p", ABOUT), tag("div", charts, class_="panels")
    )


def _family(row: Row) -> str:
    """What belongs on one curve: the probe on few labels is the linear probe on fewer of them, and so on."""
    if row.protocol == "few-label" or (row.protocol, row.preset) == ("linear", "features"):
        return "Linear probe on stored features"
    if row.protocol == "linear":
        return "Linear probe, end to end"
    return protocol_name(row.protocol)


def _lines(rows: list[Row]) -> list[Series]:
    """One line an encoder; of several seeds the mean."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        value = row.main.metrics["accuracy"]
        if value is not None and row.main.labelled is not None:
            found.setdefault(row.encoder, {}).setdefault(row.main.labelled, []).append(value)
    return [
        Series(
            encoder_name(name), tuple((number, statistics.mean(found[name][number])) for number in sorted(found[name]))
        )
        for name in sorted(found, key=encoder_order)
    ]

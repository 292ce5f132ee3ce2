"""Accuracy over the number of labels: what pretraining is worth when labels are few, and when they are not."""

from __future__ import annotations

from kinema.reporting.charts import LINES, Across, Series, factor_axis, line_chart
from kinema.reporting.markup import Markup, tag
from kinema.reporting.pooled import Group
from kinema.reporting.report import Report
from kinema.reporting.wording import encoder_name, encoder_order, protocol_name, view_name

LABELLED = Across("labelled videos", factor_axis)
ABOUT = (
    "A classifier is trained on so many labelled videos, once from each encoder. Where the lines of a pretrained and "
    "of an untrained encoder meet, labels have made pretraining needless."
)
SCRATCH = " Supervised from scratch learns the whole network from those labels alone, without pretraining."
SPREAD = " Where there are several seeds a point is their mean, the bar their standard deviation."


def label_curves(report: Report) -> Markup:
    """The section of learning curves; nothing where no protocol was measured at two numbers of labels."""
    charts = []
    found: dict[tuple[str, str, str, str], list[Group]] = {}
    for group in report.groups:
        if group.main.labelled is not None and group.main.metrics.get("accuracy") is not None:
            found.setdefault((_family(group), group.digest, group.main.selection, group.view), []).append(group)
    for (family, digest, selection, view), groups in found.items():
        if len({group.main.labelled for group in groups}) < 2:
            continue
        title = f"{family}, {view_name(view)}" + (f", {selection}" if selection else "")
        tuned = found.get((protocol_name("finetune"), digest, selection, view), [])
        reference = [group for group in tuned if group.encoder == "random" and group.protocol != groups[0].protocol]
        lines = _lines([*groups, *(reference if family != protocol_name("finetune") else [])])
        for start in range(0, len(lines), LINES):
            part = lines[start : start + LINES]
            charts.append(line_chart(title, part, "accuracy over videos", across=LABELLED, percents=True, zero=True))
    if not charts:
        return Markup("")
    scratch = any((group.encoder, group.protocol) == ("random", "finetune") for group in report.groups)
    about = ABOUT + (SCRATCH if scratch else "") + (SPREAD if report.several_seeds() else "")
    return tag(
        "section", tag("h2", "How many labels does it take?"), tag("p", about), tag("div", charts, class_="panels")
    )


def _family(group: Group) -> str:
    """What belongs on one curve: the probe on few labels is the linear probe on fewer of them, and so on."""
    if group.protocol == "few-label" or (group.protocol, group.preset) == ("linear", "features"):
        return "Linear probe on stored features"
    if group.protocol == "linear":
        return "Linear probe, end to end"
    return protocol_name(group.protocol)


def _lines(groups: list[Group]) -> list[Series]:
    """One line an encoder of one recipe; of several seeds the mean and the spread."""
    lines: dict[tuple[str, str], dict[int, Group]] = {}
    for group in sorted(groups, key=lambda group: encoder_order(group.encoder)):
        key = (encoder_name(group.encoder, group.protocol), group.recipe)
        if group.main.labelled is not None:
            lines.setdefault(key, {}).setdefault(group.main.labelled, group)
    names = [name for name, _ in lines]
    return [_series(name, lines[name, recipe], names.count(name) > 1) for name, recipe in lines]


def _series(name: str, points: dict[int, Group], ambiguous: bool) -> Series:
    first = next(iter(points.values()))
    return Series(
        f"{name} ({', '.join(first.runs)})" if ambiguous else name,
        tuple((number, points[number].main.metrics["accuracy"]) for number in sorted(points)),
        tuple(points[number].main.deviation.get("accuracy") for number in sorted(points)),
    )

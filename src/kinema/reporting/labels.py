"""The main figure over the number of labels: what pretraining is worth when labels are few, and when they are not."""

from __future__ import annotations

from dataclasses import dataclass

from kinema.core.vocabulary import Vocabulary
from kinema.reporting.charts import LINES, Across, Chart, Series, factor_axis, line_chart
from kinema.reporting.pooled import Group
from kinema.reporting.report import Report
from kinema.reporting.wording import view_name

LABELLED = Across("labelled videos", factor_axis)


@dataclass(frozen=True)
class LabelCurves:
    """The section of learning curves: its charts, and what an encoder is called that learnt from the labels alone."""

    charts: tuple[Chart, ...]
    scratch: tuple[str, ...]


def label_curves(report: Report) -> LabelCurves:
    """The learning curves; no chart where no protocol was measured at two numbers of labels."""
    vocabulary = report.vocabulary
    found: dict[tuple[str, tuple[str, str, str]], list[Group]] = {}
    for group in report.groups:
        if group.main.labelled is not None and _main(group, vocabulary) is not None:
            found.setdefault((_family(group, vocabulary), _setting(group)), []).append(group)
    scratch = [
        group
        for group in report.groups
        if vocabulary.is_untrained(group.encoder) and vocabulary.protocol(group.protocol).from_scratch
    ]
    charts = []
    for (family, setting), groups in found.items():
        if len({group.main.labelled for group in groups}) < 2:
            continue
        _, selection, view = setting
        title = f"{family}, {view_name(view)}" + (f", {selection}" if selection else "")
        others = [group for group in scratch if _setting(group) == setting and _family(group, vocabulary) != family]
        reference = [group for group in others if _main(group, vocabulary) is not None]
        protocol = vocabulary.protocol(groups[0].protocol)
        metric = vocabulary.metric(protocol.main, protocol.name)
        over = f"{metric.name} over {protocol.unit}"
        lines = _lines([*groups, *reference], vocabulary)
        for start in range(0, len(lines), LINES):
            part = lines[start : start + LINES]
            charts.append(line_chart(title, part, over, across=LABELLED, percents=metric.share, zero=True))
    names = dict.fromkeys(vocabulary.protocol(group.protocol).from_scratch for group in scratch)
    return LabelCurves(tuple(chart for chart in charts if chart is not None), tuple(names))


def _setting(group: Group) -> tuple[str, str, str]:
    return (group.digest, group.main.selection, group.view)


def _main(group: Group, vocabulary: Vocabulary) -> float | None:
    return group.main.metrics.get(vocabulary.protocol(group.protocol).main)


def _family(group: Group, vocabulary: Vocabulary) -> str:
    """What belongs on one curve: the probe on few labels is the linear probe on fewer of them, and so on."""
    return vocabulary.protocol(group.protocol).family(group.preset)


def _lines(groups: list[Group], vocabulary: Vocabulary) -> list[Series]:
    """One line an encoder of one recipe; of several seeds the mean and the spread."""
    lines: dict[tuple[str, str], dict[int, Group]] = {}
    for group in sorted(groups, key=lambda group: vocabulary.encoder_place(group.encoder)):
        key = (vocabulary.title(group.encoder, group.protocol), group.recipe)
        if group.main.labelled is not None:
            lines.setdefault(key, {}).setdefault(group.main.labelled, group)
    names = [name for name, _ in lines]
    return [_series(name, lines[name, recipe], names.count(name) > 1, vocabulary) for name, recipe in lines]


def _series(name: str, points: dict[int, Group], ambiguous: bool, vocabulary: Vocabulary) -> Series:
    first = next(iter(points.values()))
    main = vocabulary.protocol(first.protocol).main
    return Series(
        f"{name} ({', '.join(first.runs)})" if ambiguous else name,
        tuple((number, _main(points[number], vocabulary)) for number in sorted(points)),
        tuple(points[number].main.deviation.get(main) for number in sorted(points)),
    )

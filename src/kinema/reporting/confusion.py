"""Which classes a classifier takes for which: the whole table of few classes, the commonest mistakes of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kinema.core.vocabulary import Vocabulary
from kinema.reporting.markup import Markup, join, tag
from kinema.reporting.pooled import Group
from kinema.reporting.report import Figure, Report, blocks
from kinema.reporting.wording import natural, percent, protocol_heading, view_name

CLASSES = 24
"""Classes of which the whole table is shown."""

MISTAKES = 12
"""Mistakes that are named where there are more."""

ABOUT = (
    "A row is the true class, a column the class that was named, a cell the share of the row’s videos. The diagonal is "
    "what was right."
)


def confusion(report: Report) -> Markup:
    """The section of confusions: for each protocol that names classes, the encoder that is judged, or the best."""
    tables = []
    for block in blocks(report.groups):
        groups = [group for group in block if any(report.rows[n].main.confusion for n in group.rows)]
        if not groups:
            continue
        judged = [g for g in groups if (g.encoder, g.view) == (report.headline.candidate, report.headline.view)]
        main = report.vocabulary.protocol(groups[0].protocol).main
        group = judged[0] if judged else max(groups, key=lambda each: each.main.metrics.get(main) or 0.0)
        figures = [report.rows[n].at(group.main.selection) for n in group.rows]
        tables.append(_shown(group, figures, report.vocabulary))
    if not tables:
        return Markup("")
    return tag("section", tag("h2", "What is taken for what"), tag("p", ABOUT), tables)


def _shown(group: Group, figures: Sequence[Figure | None], vocabulary: Vocabulary) -> Markup:
    """One table; the counts of several seeds are added up."""
    counts: dict[str, dict[str, int]] = {}
    counted = [figure.confusion for figure in figures if figure is not None and figure.confusion]
    for true, name, count in ((t, n, c) for seed in counted for t, named in seed.items() for n, c in named.items()):
        row = counts.setdefault(true, {})
        row[name] = row.get(name, 0) + count
    names = sorted({*counts, *(name for named in counts.values() for name in named)}, key=natural)
    title = f"{vocabulary.title(group.encoder, group.protocol)}, {view_name(group.view)}: "
    title += protocol_heading(vocabulary.protocol(group.protocol), group.preset)
    title += f" ({len(counted)} seeds together)" if len(counted) > 1 else ""
    inside = _matrix(counts, names, title) if len(names) <= CLASSES else _mistakes(counts)
    return tag("details", tag("summary", tag("span", title, class_="long")), inside)


def _matrix(counts: Mapping[str, Mapping[str, int]], names: list[str], title: str) -> Markup:
    head = tag("tr", tag("td"), [tag("th", tag("span", name), scope="col") for name in names])
    body = []
    for true in names:
        named = counts.get(true, {})
        total = sum(named.values())
        cells = [_cell(named.get(name, 0), total, true, name) for name in names]
        body.append(tag("tr", tag("th", true, scope="row"), cells))
    table = tag("table", tag("thead", head), tag("tbody", body), class_="confusion")
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=title)


def _cell(count: int, total: int, true: str, named: str) -> Markup:
    if not count:
        return tag("td")
    share = count / total
    meaning = f"{count} of {total} videos of {true} are taken for {named}"
    shown = f"{100 * share:.0f}"
    return tag("td", shown, title=meaning, style=f"--share:{share:.2f}", class_="right" if true == named else "wrong")


def _mistakes(counts: Mapping[str, Mapping[str, int]]) -> Markup:
    found = [
        (count, true, named) for true, row in counts.items() for named, count in row.items() if named != true and count
    ]
    found.sort(key=lambda each: (-each[0], natural(each[1]), natural(each[2])))
    if not found:
        return tag("p", "There was no mistake.")
    lines = [
        tag("li", f"{true} taken for {named}: {count} of {sum(counts[true].values())} ({_share(count, counts[true])})")
        for count, true, named in found[:MISTAKES]
    ]
    right = sum(row.get(true, 0) for true, row in counts.items())
    total = sum(sum(row.values()) for row in counts.values())
    lead = tag("p", f"{right:,} of {total:,} are right. The commonest mistakes of {len(found)} kinds:")
    return join([lead, tag("ul", lines, class_="mistakes")])


def _share(count: int, row: Mapping[str, int]) -> str:
    return percent(count / sum(row.values()), 0)

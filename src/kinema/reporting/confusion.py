"""Which classes a classifier takes for which: the whole table of few classes, the commonest mistakes of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinema.core.vocabulary import Vocabulary
from kinema.reporting.pooled import Group
from kinema.reporting.report import Figure, Report, blocks
from kinema.reporting.wording import natural, protocol_heading, view_name

CLASSES = 24
"""Classes of which the whole table is shown."""

MISTAKES = 12
"""Mistakes that are named where there are more."""


@dataclass(frozen=True)
class Share:
    """How many of ``total`` videos of the class ``true`` were taken for the class ``named``."""

    true: str
    named: str
    count: int
    total: int

    @property
    def part(self) -> float:
        """The same as a fraction of 1."""
        return self.count / self.total


@dataclass(frozen=True)
class Confusion:
    """What one encoder takes for what.

    Args:
        title: the encoder, its view and the protocol.
        matrix: of few classes, by true class what its videos were taken for, in the same order; empty of many.
        mistakes: of all, the commonest first.
        right: how many videos were named rightly.
        total: of how many.
        named: how many of the mistakes to name.
    """

    title: str
    matrix: dict[str, tuple[Share | None, ...]]
    mistakes: tuple[Share, ...]
    right: int
    total: int
    named: int = MISTAKES


def confusions(report: Report) -> tuple[Confusion, ...]:
    """For each protocol that names classes the confusions of the encoder that is judged, or of the best."""
    found = []
    for block in blocks(report.groups):
        groups = [group for group in block if any(report.rows[n].main.confusion for n in group.rows)]
        if not groups:
            continue
        judged = [g for g in groups if (g.encoder, g.view) == (report.headline.candidate, report.headline.view)]
        main = report.vocabulary.protocol(groups[0].protocol).main
        group = judged[0] if judged else max(groups, key=lambda each: each.main.metrics.get(main) or 0.0)
        figures = [report.rows[n].at(group.main.selection) for n in group.rows]
        found.append(_confusion(group, figures, report.vocabulary))
    return tuple(found)


def _confusion(group: Group, figures: Sequence[Figure | None], vocabulary: Vocabulary) -> Confusion:
    """One encoder's; the counts of several seeds are added up."""
    counts: dict[str, dict[str, int]] = {}
    counted = [figure.confusion for figure in figures if figure is not None and figure.confusion]
    for true, name, count in ((t, n, c) for seed in counted for t, named in seed.items() for n, c in named.items()):
        row = counts.setdefault(true, {})
        row[name] = row.get(name, 0) + count
    names = sorted({*counts, *(name for named in counts.values() for name in named)}, key=natural)
    title = f"{vocabulary.title(group.encoder, group.protocol)}, {view_name(group.view)}: "
    title += protocol_heading(vocabulary.protocol(group.protocol), group.preset)
    title += f" ({len(counted)} seeds together)" if len(counted) > 1 else ""
    totals = {true: sum(row.values()) for true, row in counts.items()}
    shares = {
        (true, name): Share(true, name, count, totals[true])
        for true, row in counts.items()
        for name, count in row.items()
        if count
    }
    mistakes = [share for share in shares.values() if share.named != share.true]
    mistakes.sort(key=lambda share: (-share.count, natural(share.true), natural(share.named)))
    few = names if len(names) <= CLASSES else []
    return Confusion(
        title,
        {true: tuple(shares.get((true, name)) for name in few) for true in few},
        tuple(mistakes),
        sum(share.count for share in shares.values() if share.named == share.true),
        sum(totals.values()),
    )

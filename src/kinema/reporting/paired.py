"""The differences of encoders that were trained with the same seeds, seed by seed: what one may call ahead.

How the interval is taken is the matter of :mod:`kinema.reporting.estimates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from kinema.core.protocol import Metric
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.estimates import FEWEST, Difference, Estimate
from kinema.reporting.pooled import Group, main_selection
from kinema.reporting.ranking import headings, names_of
from kinema.reporting.report import Report, Row, SeedDifference, blocks
from kinema.reporting.seeds import estimate_of
from kinema.reporting.wording import DASH, seed_list, signed_difference
from kinema.reporting.wording import of_one_seed as one_seed

HEADING = "Differences, paired by seed"
HOW = (
    "Each line compares two encoders that were trained with the same seeds on the same data. The difference is the "
    "mean of the differences of each seed; above zero the first is ahead. The 95 % interval covers other seeds "
    "(Student’s t) and other queries. An encoder is ahead or behind where the interval leaves out zero and, where "
    f"every answer was kept, at least {FEWEST} queries were answered differently; otherwise these seeds and queries "
    "do not decide which is better."
)


def differences(rows: Sequence[Row], groups: Sequence[Group], vocabulary: Vocabulary) -> tuple[SeedDifference, ...]:
    """Every two encoders of a table that share two seeds or more, by each selection of queries, the main one first.

    Of two views, the same encoder alone is compared, and no untrained network.

    Args:
        rows: what was measured.
        groups: the same by recipe.
        vocabulary: what encoders and protocols are.
    """
    found: list[SeedDifference] = []
    judged = [block for block in blocks(groups) if vocabulary.protocol(block[0].protocol).judged]
    named = headings(judged, vocabulary)
    for block in judged:
        names = names_of([group.identity for group in block], block, vocabulary, block[0].protocol)
        selections = dict.fromkeys([main_selection(block), *(f.selection for group in block for f in group.figures)])
        views = [*dict.fromkeys(group.view for group in block)]
        for selection in selections:
            known = [(group, mean) for group in block if (mean := estimate_of(group, rows, selection, vocabulary))]
            pairs = sorted(
                combinations(known, 2), key=lambda pair: [views.index(group.view) for group, _ in pair][::-1]
            )
            for one, other in pairs:
                (first, ours), (against, theirs) = _in_order(one, other, vocabulary)
                seeds = ours.shared_seeds(theirs)
                if not seeds or not _comparable(first, against, vocabulary):
                    continue
                lead = ours.minus(theirs)
                each = _each(ours, theirs, seeds)
                found.append(
                    SeedDifference(
                        table=named[first.settings],
                        protocol=first.protocol,
                        preset=first.preset,
                        selection=selection,
                        metric=vocabulary.protocol(first.protocol).main,
                        encoder=names[first.identity],
                        against=names[against.identity],
                        view=first.view,
                        against_view=against.view,
                        value=sum(each) / len(each),
                        interval=None if lead is None else lead.lead_bounds,
                        each=each,
                        seeds=seeds,
                        verdict=_verdict(lead),
                    )
                )
    return tuple(found)


def _in_order(
    one: tuple[Group, Estimate], other: tuple[Group, Estimate], vocabulary: Vocabulary
) -> tuple[tuple[Group, Estimate], tuple[Group, Estimate]]:
    """The two, what is judged before what it is held against: untrained networks, references, then baselines."""

    def place(each: tuple[Group, Estimate]) -> tuple[bool, bool, bool, float]:
        name = each[0].encoder
        return (
            not vocabulary.is_untrained(name),
            not vocabulary.is_labelled(name),
            not vocabulary.is_baseline(name),
            each[1].score,
        )

    return (one, other) if place(one) >= place(other) else (other, one)


def _comparable(one: Group, other: Group, vocabulary: Vocabulary) -> bool:
    """Whether two are of one view, or the same encoder in two."""
    return one.view == other.view or (one.encoder == other.encoder and not vocabulary.is_untrained(one.encoder))


def _each(one: Estimate, other: Estimate, seeds: Sequence[int]) -> tuple[float, ...]:
    """How far the one is ahead with each seed."""
    sign = 1 if one.higher_is_better else -1
    pairs = zip(one.at(seeds).each, other.at(seeds).each, strict=True)
    return tuple(sign * (ours.value - theirs.value) for ours, theirs in pairs)


def _verdict(lead: Difference | None) -> Literal["ahead", "behind", "not decided"]:
    if lead is None or not lead.larger:
        return "not decided"
    return "ahead" if lead.better else "behind"


@dataclass(frozen=True)
class PairedLine:
    """One line of a table, as it is written: the figures in percentage points where they are shares."""

    encoder: str
    against: str
    views: tuple[str, str]
    value: str
    interval: str
    each: tuple[tuple[int, str], ...]
    seeds: str
    verdict: str


@dataclass(frozen=True)
class PairedTable:
    """The differences under one setting of one protocol.

    Args:
        title: what the setting is called.
        protocol: its protocol.
        selection: the queries of the table's figures; empty where there are no others.
        heads: of the columns.
        lines: the differences.
        further: the same on other selections of queries.
    """

    title: str
    protocol: str
    selection: str
    heads: tuple[str, ...]
    lines: tuple[PairedLine, ...]
    further: tuple[tuple[str, tuple[PairedLine, ...]], ...]


@dataclass(frozen=True)
class Paired:
    """The section of differences: its heading, how they were taken, its tables, and what has one seed."""

    heading: str
    how: str
    tables: tuple[PairedTable, ...]
    of_one_seed: str


def paired(report: Report) -> Paired:
    """The differences, a table for each setting of each protocol."""
    by_table: dict[str, list[SeedDifference]] = {}
    for each in report.differences:
        by_table.setdefault(each.table, []).append(each)
    tables = tuple(_table(title, lines, report.vocabulary) for title, lines in by_table.items())
    return Paired(HEADING, HOW, tables, of_one_seed(report))


def _table(title: str, found: Sequence[SeedDifference], vocabulary: Vocabulary) -> PairedTable:
    metric = vocabulary.metric(found[0].metric, found[0].protocol)
    lead = f"{metric.title}, {'points ahead' if metric.share else 'ahead by'}"
    by_selection: dict[str, list[PairedLine]] = {}
    for each in found:
        by_selection.setdefault(each.selection or "all queries", []).append(_line(each, metric))
    (selection, lines), *further = by_selection.items()
    return PairedTable(
        title,
        found[0].protocol,
        selection if further else "",
        ("Encoder", "Against", lead, "95 % interval", "Each seed", "Seeds", "Verdict"),
        tuple(lines),
        tuple((name, tuple(others)) for name, others in further),
    )


def _line(each: SeedDifference, metric: Metric) -> PairedLine:
    return PairedLine(
        each.encoder,
        each.against,
        (each.view, each.against_view),
        signed_difference(metric, each.value),
        DASH if each.interval is None else " to ".join(signed_difference(metric, bound) for bound in each.interval),
        tuple((seed, signed_difference(metric, lead)) for seed, lead in zip(each.seeds, each.each, strict=True)),
        seed_list(each.seeds),
        each.verdict,
    )


def of_one_seed(report: Report) -> str:
    """Names the encoders whose figures are of one seed, and what that decides; empty where there is none.

    Only of tables that hold two encoders or more: what stands alone is not compared.
    """
    vocabulary = report.vocabulary
    trained = [
        (group.encoder, group.view)
        for block in blocks(report.groups)
        if vocabulary.protocol(block[0].protocol).judged and len({group.identity for group in block}) > 1
        for group in block
        if len(set(group.seeds)) == 1 and not vocabulary.is_untrained(group.encoder)
    ]
    names = dict.fromkeys(vocabulary.title(encoder) for encoder, _ in trained)
    return one_seed(names) if names else ""

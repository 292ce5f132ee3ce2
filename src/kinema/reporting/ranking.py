"""The ranking of encoders under each protocol: which one leads, and which are level with it.

Under each protocol the encoder with the best main figure leads. Another one is level with it where their difference
is not larger than the uncertainty (:mod:`kinema.reporting.estimates`). Untrained networks and those that learnt from
labels are what others are held against; they are not ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kinema.core.protocol import Metric, Protocol
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.estimates import Estimate
from kinema.reporting.pooled import Group, main_selection
from kinema.reporting.report import Row, RunRecord, blocks
from kinema.reporting.seeds import estimate_of
from kinema.reporting.supervised import reference_of
from kinema.reporting.wording import join, protocol_short, view_name

Identity: TypeAlias = tuple[str, str, str]
"""What could be used further: encoder, view and recipe."""


@dataclass(frozen=True)
class Ranking:
    """The encoders of one table, on its main selection of queries.

    Args:
        heading: protocol and preset in words, the data where there are several.
        protocol: by which they were measured.
        metric: its main figure.
        settings: of the table.
        data: the data set as the user named it.
        estimates: the encoders' main figures, the best first.
        level: the best, and those that are not behind it by more than the uncertainty.
        references: untrained or supervised encoders, by the view of those that are held against them.
    """

    heading: str
    protocol: Protocol[Any]
    metric: Metric
    settings: tuple[str, ...]
    data: str
    estimates: dict[Identity, Estimate]
    level: tuple[Identity, ...]
    references: dict[str, Estimate]

    @property
    def best(self) -> Identity:
        """The encoder with the best figure."""
        return next(iter(self.estimates))

    @property
    def decisive(self) -> bool:
        """Whether there is a choice, and the best has an interval of its difference to each of the others."""
        others = [each for name, each in self.estimates.items() if name != self.best]
        return bool(others) and all(self.estimates[self.best].minus(each) is not None for each in others)

    def above_reference(self, name: Identity) -> bool | None:
        """Whether an encoder is above its reference by more than the uncertainty; None where that is not known."""
        reference, own = self.references.get(name[1]), self.estimates.get(name)
        difference = None if reference is None or own is None else own.minus(reference)
        return None if difference is None else difference.better


def rankings(
    runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group], vocabulary: Vocabulary
) -> list[Ranking]:
    """The ranking of each table of a protocol that compares encoders."""
    judged = [block for block in blocks(groups) if vocabulary.protocol(block[0].protocol).judged]
    named = headings(judged, vocabulary)
    found = (_ranking(block, runs, rows, vocabulary, named[block[0].settings]) for block in judged)
    return [each for each in found if each is not None]


def headings(tables: Sequence[Sequence[Group]], vocabulary: Vocabulary) -> dict[tuple[str, str, str, str], str]:
    """What each table is called within a sentence: its protocol and preset, and as much more as tells it from others.

    Args:
        tables: the groups of each.
        vocabulary: what protocols are.
    """
    first = {block[0].settings: block[0] for block in tables}
    several = len({group.digest for group in first.values()}) > 1
    named = {
        settings: protocol_short(vocabulary.protocol(group.protocol), group.preset)
        + (f" on {group.main.data}" if several else "")
        for settings, group in first.items()
    }
    for more in (lambda group: group.windows, lambda group: f"manifest {group.digest[:12]}"):
        doubled = {settings for settings in named if list(named.values()).count(named[settings]) > 1}
        named |= {key: f"{named[key]}, {more(first[key])}" for key in doubled if more(first[key])}
    return named


def _ranking(
    block: Sequence[Group], runs: Sequence[RunRecord], rows: Sequence[Row], vocabulary: Vocabulary, heading: str
) -> Ranking | None:
    """The ranking of a table's encoders; None where there is nothing to rank."""
    selection = main_selection(block)
    found = {
        group.identity: known
        for group in block
        if vocabulary.is_candidate(group.encoder)
        and (known := estimate_of(group, rows, selection, vocabulary)) is not None
    }
    if not found:
        return None
    found = dict(sorted(found.items(), key=lambda each: -each[1].score))
    best = next(iter(found.values()))
    level = tuple(name for name, each in found.items() if not _behind(best, each))
    references: dict[str, Estimate] = {}
    for view in {group.view for group in block}:
        reference = reference_of(block, view, selection, runs, rows, vocabulary)
        reference = reference or _untrained(block, view, selection, rows, vocabulary)
        references |= {view: reference} if reference is not None else {}
    protocol = vocabulary.protocol(block[0].protocol)
    metric = vocabulary.metric(protocol.main, protocol.name)
    return Ranking(heading, protocol, metric, block[0].settings, block[0].main.data, found, level, references)


def _behind(best: Estimate, other: Estimate) -> bool:
    difference = None if other is best else best.minus(other)
    return difference is not None and difference.better


def _untrained(
    block: Sequence[Group], view: str, selection: str, rows: Sequence[Row], vocabulary: Vocabulary
) -> Estimate | None:
    groups = [group for group in block if group.view == view and vocabulary.is_untrained(group.encoder)]
    known = [estimate_of(group, rows, selection, vocabulary) for group in groups]
    return max((each for each in known if each is not None), key=lambda each: each.score, default=None)


def distinct_names(rankings: Sequence[Ranking], groups: Sequence[Group], vocabulary: Vocabulary) -> dict[Identity, str]:
    """The ranked encoders by as much as tells each from the others."""
    return names_of([name for each in rankings for name in each.estimates], groups, vocabulary)


def names_of(
    identities: Sequence[Identity], groups: Sequence[Group], vocabulary: Vocabulary, protocol: str = ""
) -> dict[Identity, str]:
    """Each encoder by as much as tells it from the others: its name, its view, its settings, its runs."""
    shown = {group.identity: group for group in reversed(groups)}
    every = list(dict.fromkeys(identities))
    views = len({view for _, view, _ in every}) > 1
    names = {
        name: vocabulary.title(name[0], protocol) + (f" on {view_name(name[1])}" if views else "") for name in every
    }
    for more in (lambda group: group.variant, lambda group: join(group.runs)):
        doubled = {name for name in every if list(names.values()).count(names[name]) > 1}
        names |= {name: f"{names[name]} ({more(shown[name])})" for name in doubled if more(shown[name])}
    return names

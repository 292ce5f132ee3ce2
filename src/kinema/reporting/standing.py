"""Where the encoders stand under each protocol: which one leads, and which are level with it.

Under each protocol the encoder with the highest main figure leads. Another one is level with it where their difference
is not larger than the uncertainty (:mod:`kinema.reporting.estimates`). Untrained networks and those that were told the
labels are what others are held against; they are not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinema.reporting.estimates import Estimate
from kinema.reporting.pooled import Group
from kinema.reporting.report import Row, RunRecord, blocks
from kinema.reporting.seeds import estimate_of
from kinema.reporting.supervised import reference_of
from kinema.reporting.wording import JUDGED, encoder_name, join, protocol_short, view_name

Identity = tuple[str, str, str]


@dataclass(frozen=True)
class Standing:
    """Where the encoders stand in one table, on its main selection of queries.

    Args:
        heading: protocol and preset in words, the data where there are several.
        settings: of the table.
        data: the data set as the user named it.
        found: the encoders' main figures, the highest first.
        level: the highest, and those that are not behind it by more than the uncertainty.
        references: untrained or supervised encoders, by the view of those that are held against them.
    """

    heading: str
    settings: tuple[str, ...]
    data: str
    found: dict[Identity, Estimate]
    level: tuple[Identity, ...]
    references: dict[str, Estimate]

    @property
    def best(self) -> Identity:
        """The encoder with the highest figure."""
        return next(iter(self.found))

    @property
    def told(self) -> bool:
        """Whether there is a choice, and the highest can be told from luck against each of the others."""
        others = [each for name, each in self.found.items() if name != self.best]
        return bool(others) and all(self.found[self.best].minus(each) is not None for each in others)

    def clear(self, name: Identity) -> bool | None:
        """Whether an encoder is above its reference by more than the uncertainty; None where that cannot be told."""
        reference, own = self.references.get(name[1]), self.found.get(name)
        difference = None if reference is None or own is None else own.minus(reference)
        return None if difference is None else difference.larger and difference.value > 0


def standings(runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group]) -> list[Standing]:
    """Where the encoders stand in each table of a protocol that compares them."""
    judged = [block for block in blocks(groups) if block[0].protocol in JUDGED]
    several = len({block[0].digest for block in judged}) > 1
    return [each for block in judged if (each := _standing(block, runs, rows, several)) is not None]


def _standing(block: Sequence[Group], runs: Sequence[RunRecord], rows: Sequence[Row], several: bool) -> Standing | None:
    """Where a table's encoders stand; None where none of them could be kept."""
    selections = [group.main.selection for group in block]
    selection = max(selections, key=selections.count)
    found = {
        group.identity: known
        for group in block
        if group.encoder not in ("random", "supervised") and (known := estimate_of(group, rows, selection)) is not None
    }
    if not found:
        return None
    found = dict(sorted(found.items(), key=lambda each: -each[1].value))
    best = next(iter(found.values()))
    level = tuple(name for name, each in found.items() if not _behind(best, each))
    references: dict[str, Estimate] = {}
    for view in {group.view for group in block}:
        held = reference_of(block, view, selection, runs, rows) or _untrained(block, view, selection, rows)
        references |= {view: held} if held is not None else {}
    heading = protocol_short(block[0].protocol, block[0].preset) + (f" on {block[0].main.data}" if several else "")
    return Standing(heading, block[0].settings, block[0].main.data, found, level, references)


def _behind(best: Estimate, other: Estimate) -> bool:
    difference = None if other is best else best.minus(other)
    return difference is not None and difference.larger


def _untrained(block: Sequence[Group], view: str, selection: str, rows: Sequence[Row]) -> Estimate | None:
    known = [estimate_of(g, rows, selection) for g in block if g.view == view and g.encoder == "random"]
    return max((each for each in known if each is not None), key=lambda each: each.value, default=None)


def told_apart(standings: Sequence[Standing], groups: Sequence[Group]) -> dict[Identity, str]:
    """Each encoder by as much as tells it from the others: its name, its view, its settings, its runs."""
    shown = {group.identity: group for group in reversed(groups)}
    every = list(dict.fromkeys(name for each in standings for name in each.found))
    views = len({view for _, view, _ in every}) > 1
    named = {name: encoder_name(name[0]) + (f" on {view_name(name[1])}" if views else "") for name in every}
    for more in (lambda group: group.variant, lambda group: join(group.runs)):
        doubled = {name for name in every if list(named.values()).count(named[name]) > 1}
        named |= {name: f"{named[name]} ({more(shown[name])})" for name in doubled if more(shown[name])}
    return named

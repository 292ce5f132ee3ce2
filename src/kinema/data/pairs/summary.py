"""What was read of pairs, as plain values and as a table that a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.text import Text

from kinema.core.pairs import IMAGE, TEXT, VIEWS, PairNeeds, PairView
from kinema.core.printing import Table
from kinema.data.pairs.checking import vector_width
from kinema.data.pairs.choosing import Chosen, chosen, kinds_of
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.table import Pairs

_FIRST, _SHOWN = 20, 5


@dataclass(frozen=True)
class PairsSummary:
    """What there is of pairs, and what a run on all their views and labels would leave out of them.

    Args:
        table: the pairs.
        chosen: those that are left, and why not the others.
        counts: of pairs: how many there are, have a picture, a text, labels; are 'unreadable' in a view; and are left.
        views: those that any pair has.
        widths: numbers of the stored vectors of each view; 0 of pictures and of words.
        labels: how many pairs have each label, the most frequent first.
        splits: how many pairs each split has.
    """

    table: Pairs
    chosen: Chosen
    counts: Mapping[str, int]
    views: tuple[PairView, ...]
    widths: Mapping[PairView, int]
    labels: Mapping[str, int]
    splits: Mapping[str, int]

    @classmethod
    def of(cls, table: Pairs) -> PairsSummary:
        """That of a table.

        Raises:
            DataError: in one view some rows have stored vectors and some have none, or vectors have several widths.
        """
        views = tuple(view for view in VIEWS if any(view in row.broken or row.has(view) for row in table.rows))
        widths = {view: vector_width(table, view) for view in VIEWS}
        found = chosen(table, [PairNeeds(views)], PairsConfig(text="vectors" if widths[TEXT] else "bag"))
        counts = {
            "pairs": len(table),
            "pictures": sum(not row.why_not([IMAGE]) for row in table.rows),
            "texts": sum(not row.why_not([TEXT]) for row in table.rows),
            "labelled": sum(bool(row.labels) for row in table.rows),
            "unreadable": sum(row.health != "ok" for row in table.rows),
            "usable": len(found.table),
        }
        splits = Counter(row.split or "none" for row in table.rows)
        return cls(table, found, counts, views, widths, dict(table.counts().most_common()), dict(splits.most_common()))

    def plain(self, seconds: float) -> dict[str, Any]:
        """As one JSON object.

        Args:
            seconds: how long the reading took.

        Returns:
            The ``counts``, each by its name; ``vectors``, the ``widths``; ``labels`` and ``splits`` with their counts,
            'none' of pairs without; ``left_out``, for each kind of reason its ``count`` and the ``first`` twenty with
            name and reason; ``rare_labels``, with their counts; the number of ``sources``, ``digest``, ``seconds``.
        """
        return {
            **self.counts,
            "vectors": dict(self.widths),
            "labels": dict(self.labels),
            "splits": dict(self.splits),
            "left_out": {
                kind: {
                    "count": len(names),
                    "first": [{"name": name, "reason": self.chosen.left_out[name]} for name in names[:_FIRST]],
                }
                for kind, names in kinds_of(self.chosen.left_out).items()
            },
            "rare_labels": dict(self.chosen.rare),
            "sources": len(set(self.table.source_ids())),
            "digest": self.table.digest,
            "seconds": seconds,
        }

    def shown(self) -> Group:
        """A summary, and below it the pairs that are left out, for each kind of reason the first five."""
        counts, title = self.counts, Text(f"{len(self.table)} pairs in {self.table.root}")
        summary = Table(title=title, title_justify="left", show_header=False)
        for view, noun in ((IMAGE, "pictures"), (TEXT, "texts")):
            width = self.widths[view]
            summary.add_row(noun, f"{counts[noun]:,}" + (f", stored vectors of {width} numbers" if width else ""))
        summary.add_row("sources", f"{len(set(self.table.source_ids())):,}")
        bare = counts["pairs"] - counts["labelled"]
        summary.add_row("labels", Text(_named(self.labels) + (f"; {bare:,} pairs without" if bare else "")))
        if self.chosen.rare:
            summary.add_row("of one pair", Text(_named(self.chosen.rare)))
        drawn = "none; training holds out a share of the sources (--held_out)"
        summary.add_row("splits", Text(drawn if set(self.splits) == {"none"} else _named(self.splits)))
        left_out = self.chosen.left_out
        by = " and ".join([*self.views, "label"]) if len(self.views) == 1 else "image, text and label"
        summary.add_row("to learn from", f"{counts['usable']:,} by {by}")
        if not left_out:
            return Group(summary)
        listed = Table("reason", "pairs", "the first", title=f"Left out: {len(left_out):,} pairs", title_justify="left")
        for kind, names in kinds_of(left_out).items():
            first = [f"{name}{left_out[name].removeprefix(kind)}" for name in names[:_SHOWN]]
            more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
            listed.add_row(Text(kind), f"{len(names):,}", Text("\n".join([*first, *more])))
        return Group(summary, listed)


def _named(values: Mapping[str, int], most: int = 12) -> str:
    named = ", ".join(f"{name} ({count})" for name, count in list(values.items())[:most])
    return named + (f" and {len(values) - most} others" if len(values) > most else "") if named else "none"

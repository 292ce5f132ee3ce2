"""Which pairs can be learnt from, by which labels; and what is said of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kinema.core.errors import DataError
from kinema.core.pairs import TEXT, VIEWS, PairNeeds, PairView
from kinema.data.pairs.table import Pair, Pairs, stored_row
from kinema.data.pairs.texts import words_of

if TYPE_CHECKING:
    from kinema.data.pairs.config import PairsConfig

_UNLABELLED = "Labels stand in the column 'labels', ';' between them; --labels words makes labels of the words."
_PLACES = "Paths are absolute, or relative to the folder of the table."
_HINTS = {
    "no picture": "Pictures stand in the column 'image'; --method.views '[\"text\"]' learns from texts alone.",
    "an empty text": "Texts stand in the column 'text'; --method.views '[\"image\"]' learns from pictures alone.",
    **dict.fromkeys(("a missing picture", "a missing vector", "a missing video"), _PLACES),
    **dict.fromkeys(("a broken picture", "a broken vector", "a broken video"), "Write them anew."),
}
"""What to do about the reasons of :class:`Chosen`; the others are of labels."""


@dataclass(frozen=True)
class Chosen:
    """The pairs that can be learnt from.

    Args:
        table: they, with the labels that are kept.
        left_out: why not the others, by name; what stands before a colon is one of a few kinds of reasons.
        rare: the labels that are left out, with how many pairs have each.
    """

    table: Pairs
    left_out: Mapping[str, str]
    rare: Mapping[str, int]


def chosen(table: Pairs, needs: Sequence[PairNeeds], config: PairsConfig) -> Chosen:
    """The pairs that every phase can learn from; nothing is refused and nothing logged.

    Args:
        table: all.
        needs: of every phase.
        config: says how texts are read, where labels come from, and which are kept.
    """
    views = {view for one in needs for view in one.views}
    labelled = any(one.labels for one in needs)
    bare = config.text in ("bag", "words")
    left_out = {row.name: why for row in (*table.lost, *table.rows) if (why := _why_not(row, views, bare))}
    rows = [row for row in table.rows if row.name not in left_out]
    if not labelled:
        return Chosen(replace(table, rows=tuple(rows), lost=()), left_out, {})
    if config.labels == "words":
        rows = [with_words(row) for row in rows]
    counts = Counter(label for row in rows for label in row.labels)
    most = len(rows) // 2 if config.labels == "words" else len(rows)
    kept = {label for label, count in counts.items() if config.min_count <= count <= most}
    rare = {label: counts[label] for label in sorted(counts) if label not in kept and config.labels == "given"}
    rows_kept = []
    for row in rows:
        labels = tuple(label for label in row.labels if label in kept)
        if labels:
            rows_kept.append(replace(row, labels=labels))
        elif row.labels and config.labels == "given":
            left_out[row.name] = f"labels that are too rare only: {', '.join(row.labels[:5])}"
        else:
            left_out[row.name] = "no word that is a label" if config.labels == "words" else "no label"
    return Chosen(replace(table, rows=tuple(rows_kept), lost=()), left_out, rare)


def with_words(row: Pair, among: Iterable[str] | None = None) -> Pair:
    """A pair whose labels are the words of its text.

    Args:
        row: the pair.
        among: the words that are labels; all by default.
    """
    found = set() if stored_row(row.text) else set(words_of(row.text))
    return replace(row, labels=tuple(sorted(found if among is None else found & set(among))))


def check_labels(found: Chosen) -> None:
    """Refuses pairs of which nothing can be learnt by labels.

    Args:
        found: those that are left.

    Raises:
        DataError: fewer than two are left, or all have the same labels.
    """
    table = found.table
    if len(table) < 2:
        raise DataError(
            f"{len(table)} of {len(table) + len(found.left_out)} pairs can be learnt from, and at least 2 are needed"
            f"{': ' * bool(found.left_out)}{described(found.left_out)}.",
            _what_to_do(found.left_out),
        )
    if len({row.labels for row in table.rows}) == 1:
        labels = table.classes()
        which = f"of one class only, '{labels[0]}'" if len(labels) == 1 else f"the same, {', '.join(labels[:5])}"
        raise DataError(
            f"The labels of all {len(table)} pairs to learn from are {which}: nothing can be told apart.",
            "Add pairs with other labels; labels of fewer than min_count pairs are left out.",
        )


def _what_to_do(left_out: Mapping[str, str]) -> str:
    """A hint for the reason that most of what is left out has."""
    kinds = kinds_of(left_out)
    return _HINTS.get(max(kinds, key=lambda kind: len(kinds[kind]), default=""), _UNLABELLED)


def described(left_out: Mapping[str, str]) -> str:
    """What is left out: each kind of reason with how many and the first five of them."""
    if not left_out:
        return ""
    parts = [
        f"{len(names)} with {kind}: {', '.join(_shown(name, left_out[name]) for name in names[:5])}"
        + (f" and {len(names) - 5} more" * (len(names) > 5))
        for kind, names in kinds_of(left_out).items()
    ]
    return "; ".join(parts)


def kinds_of(left_out: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """The names of what is left out, by the kind of reason: what stands before its colon.

    Args:
        left_out: reasons by name.
    """
    kinds: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        kinds.setdefault(reason.partition(": ")[0], []).append(name)
    return kinds


def _shown(name: str, reason: str) -> str:
    more = reason.partition(": ")[2]
    return f"'{name}' ({more})" if more and more not in (f"'{name}'", f"'{name}' is not there") else f"'{name}'"


def _why_not(row: Pair, views: set[PairView], bare: bool) -> str:
    """Why a pair cannot be learnt from, its labels aside; empty where it can."""
    why = row.why_not(view for view in VIEWS if view in views)
    if why:
        return why
    if TEXT in views and bare and stored_row(row.text) is None and not words_of(row.text):
        return f"a text without a word: {row.text[:40]}"
    return ""

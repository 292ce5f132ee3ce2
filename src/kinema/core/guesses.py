"""The name that was meant by one that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def guess(name: str, names: Iterable[str]) -> str | None:
    """Of names that there are, the one that a mistyped name is nearest to; None where none is near.

    Args:
        name: as it was typed; capitals, and '-' for '_', make no difference.
        names: those there are.
    """
    known = {_plain(each): each for each in names}
    found = get_close_matches(_plain(name), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """'Did you mean 'x'? ', to stand before a hint; empty where no name is near."""
    found = guess(name, names)
    return f"Did you mean '{found}'? " if found is not None and found != name else ""


def choose_from(name: str, names: Iterable[str]) -> str:
    """The hint where a name is not there: the one that was meant, if one is near, and those there are.

    Args:
        name: as it was typed.
        names: those there are.
    """
    known = list(names)
    return f"{did_you_mean(name, known)}Choose one of: {', '.join(known)}."


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")

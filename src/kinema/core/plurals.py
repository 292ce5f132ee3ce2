"""So many of something, in words."""

from __future__ import annotations


def counted(count: int, plural: str) -> str:
    """So many of something, which is named in the plural: '1 video', '1,200 videos', '1 query'."""
    return f"{count:,} {plural if count != 1 else singular(plural)}"


def singular(plural: str) -> str:
    """One of what is named in the plural: 'video', 'query', 'class', 'labelled video'."""
    for ending, one in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if plural.endswith(ending):
            return plural.removesuffix(ending) + one
    return plural

"""Queries and their nearest clips, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from kinema.reporting.report import Query, Report


@dataclass(frozen=True)
class Shown:
    """A query as one encoder sees it: the encoder's title, the nearest clips, and how many of those were judged."""

    encoder: str
    query: Query
    judged: int
    right: int


@dataclass(frozen=True)
class Gallery:
    """The section of strips: how the queries were chosen, and each query under every encoder."""

    rule: str
    queries: tuple[tuple[Shown, ...], ...]


def gallery(report: Report) -> Gallery:
    """The strips, query by query; none where there are none."""
    queries: dict[str, list[Shown]] = {}
    for strip in report.strips:
        judged = [hit.same for hit in strip.query.hits if hit.same is not None]
        title = report.vocabulary.title(strip.encoder)
        queries.setdefault(strip.query.query, []).append(Shown(title, strip.query, len(judged), sum(judged)))
    return Gallery(report.strip_rule, tuple(tuple(shown) for shown in queries.values()))

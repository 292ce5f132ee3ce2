"""Runs of one recipe that differ in nothing but the seed, as one: means, spread, and each seed's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pooled:
    """The figures of one recipe on one selection of queries, over its seeds.

    Args:
        selection: which queries, for instance 'part=matched'; empty for all.
        data: the data set as the user named it.
        queries: how many.
        gallery: how many items they were ranked against.
        labelled: labelled videos that a classifier was trained on; None where there was none.
        seeds: of the runs that were measured on this selection.
        metrics: the means; None where a seed's figure was not finite or is missing.
        deviation: their standard deviations over the seeds (divided by seeds - 1); None of a single one.
        each: every seed's figure, in the order of ``seeds``.
        interval: 95 % interval of the main metric, over queries and, of several, over seeds; None where there is none.
        chance: the main metric of guessing, or None.
        per_class: the class's main figure, mean over the seeds.
    """

    selection: str
    data: str
    queries: int
    gallery: int
    labelled: int | None
    seeds: tuple[int, ...]
    metrics: dict[str, float | None]
    deviation: dict[str, float | None]
    each: dict[str, tuple[float | None, ...]]
    interval: tuple[float, float] | None
    chance: float | None
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class Group:
    """One encoder of one recipe in one view under one protocol and preset, over its seeds.

    Args:
        protocol: its name.
        preset: the protocol's named settings.
        windows: what else belongs to the settings, in words.
        digest: of the manifest that was evaluated.
        encoder: its name in the vocabulary.
        variant: settings that tell it from others of its name.
        view: the view that the encoder sees.
        recipe: a digest of every setting but the seed, and of the training data; of an untrained encoder, of its shape.
        runs: the runs that it was measured in.
        seeds: one a measurement, in the order of ``rows``.
        commits: versions of kinema's source, each once.
        epochs: epochs in which this view was trained; None where nothing says.
        rows: the measurements, as numbers of the report's rows.
        figures: one for each selection of queries, the main one first.
        learnt_from: a digest of the training data; empty of an untrained encoder, or where the run does not say.
    """

    protocol: str
    preset: str
    windows: str
    digest: str
    encoder: str
    variant: str
    view: str
    recipe: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    commits: tuple[str, ...]
    epochs: int | None
    rows: tuple[int, ...]
    figures: tuple[Pooled, ...]
    learnt_from: str = ""

    @property
    def settings(self) -> tuple[str, str, str, str]:
        """Protocol, preset, windows and digest: only what agrees in them may share a column."""
        return (self.protocol, self.preset, self.windows, self.digest)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What could be kept: encoder, view and recipe, whatever the protocol."""
        return (self.encoder, self.view, self.recipe)

    @property
    def main(self) -> Pooled:
        """The figures on the main selection of queries."""
        return self.figures[0]

    def at(self, selection: str) -> Pooled | None:
        """The figures on that selection of queries, if they were measured."""
        return next((figure for figure in self.figures if figure.selection == selection), None)


def main_selection(block: Sequence[Group]) -> str:
    """The selection of queries that a table's encoders are compared on: the one that most groups have first."""
    selections = [group.main.selection for group in block]
    return max(selections, key=selections.count)

"""What a report holds: plain records that go to JSON and come back unchanged. No figure in it is NaN or infinite.

A figure that was not finite is None, on the page a dash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from kinema.core.protocol import Protocol
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.budget import trained_in
from kinema.reporting.pooled import Group


@dataclass(frozen=True)
class PhaseRecord:
    """One phase of a run.

    Args:
        name: the phase's name.
        method: the name of what was trained.
        view: the view that was trained.
        guide: the view that guided the mining, or None.
        epochs: epochs that were planned; 0 where nothing says.
        state: 'done', or 'unfinished' where the phase has not come to its end.
        seconds: time in training steps, or None while unfinished.
        clips: clips seen, or None while unfinished.
        epochs_done: epochs whose figures are there.
        curve: one mapping an epoch: 'epoch' from 1, 'loss', 'effective_rank', 'clips_per_second', 'data_wait' and the
            mining figures, as far as they were measured.
    """

    name: str
    method: str
    view: str
    guide: str | None
    epochs: int
    state: str
    seconds: float | None
    clips: int | None
    epochs_done: int
    curve: tuple[dict[str, float | None], ...]


@dataclass(frozen=True)
class RunRecord:
    """One run: what was asked, where it ran, and how far it came.

    Args:
        name: the folder's name, with as many of its parents as tell it from the others.
        path: the folder.
        recipe: recipe.json.
        environment: environment.json.
        status: status.json.
        phases: the phases that were begun.
    """

    name: str
    path: str
    recipe: dict[str, Any]
    environment: dict[str, Any]
    status: dict[str, Any]
    phases: tuple[PhaseRecord, ...]

    @property
    def state(self) -> str:
        """'done', 'running', 'failed', 'interrupted' or 'unknown'."""
        return str(self.status.get("state") or "unknown")

    @property
    def unlabelled(self) -> bool:
        """Whether the run says of its data that it has no classes."""
        return self.environment.get("classes") == 0


@dataclass(frozen=True)
class Neighbour:
    """One clip among the nearest of a query."""

    path: str
    label: str | None
    score: float | None
    same: bool | None


@dataclass(frozen=True)
class Query:
    """One query and its nearest clips, nearest first."""

    query: str
    label: str | None
    hits: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Placed:
    """One video in a layout: its place, each of x and y from 0 to 1, its file and its class."""

    x: float
    y: float
    path: str
    label: str | None


@dataclass(frozen=True)
class Figure:
    """The figures of one encoder on one selection of queries.

    Args:
        selection: which queries, for instance 'part=matched'; empty for all.
        data: the data set as the user named it.
        queries: how many.
        gallery: how many items they were ranked against.
        metrics: figures by name; None where one was not finite.
        interval: 95 % bootstrap interval of the main figure; None where there is none.
        chance: the main figure of guessing, or None.
        per_class: the class's main figure.
        seconds: how long it took.
        neighbours: queries and their nearest clips, as far as they were kept.
        labelled: labelled videos that a classifier was trained on; None where there was none.
        confusion: by true class, how many of its videos were taken for which.
        layout: the queries in the plane, as far as they were laid out.
        layout_method: how.
        asked: a digest of the queries; empty where it was not kept which of them were answered rightly.
        right: a text of ones and zeros, a digit a query; several where labels were drawn several times.
        fit_epochs: for how many epochs a classifier was trained on clips; None where none was.
    """

    selection: str
    data: str
    queries: int
    gallery: int
    metrics: dict[str, float | None]
    interval: tuple[float, float] | None
    chance: float | None
    per_class: dict[str, float | None]
    seconds: float
    neighbours: tuple[Query, ...] = ()
    labelled: int | None = None
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    layout: tuple[Placed, ...] = ()
    layout_method: str = ""
    asked: str = ""
    right: tuple[str, ...] = ()
    fit_epochs: int | None = None


@dataclass(frozen=True)
class Row:
    """One encoder in one view under one protocol and preset; the main selection of queries comes first.

    Args:
        protocol: its name.
        preset: the protocol's named settings.
        windows: how many windows of a video made its embedding, in words; part of the settings.
        digest: of the manifest that was evaluated.
        encoder: its name in the vocabulary.
        variant: settings that tell it from others of its name, for instance '4 stages, guided by motion'.
        view: the view that the encoder sees.
        runs: the runs it was measured in; several where they gave the very same figures.
        seed: the run's seed.
        commit: the version of kinema's source.
        epochs: epochs in which this view was trained; None where nothing says.
        figures: one for each selection of queries.
    """

    protocol: str
    preset: str
    windows: str
    digest: str
    encoder: str
    variant: str
    view: str
    runs: tuple[str, ...]
    seed: int
    commit: str
    epochs: int | None
    figures: tuple[Figure, ...]

    @property
    def settings(self) -> tuple[str, str, str, str]:
        """Protocol, preset, windows and digest: only rows that agree in them may share a column."""
        return (self.protocol, self.preset, self.windows, self.digest)

    @property
    def main(self) -> Figure:
        """The figures on the main selection of queries."""
        return self.figures[0]

    def at(self, selection: str) -> Figure | None:
        """The figures on that selection of queries, if they were measured."""
        return next((figure for figure in self.figures if figure.selection == selection), None)


@dataclass(frozen=True)
class Headline:
    """The answer in words.

    Args:
        verdict: 'helped', 'unclear' (the difference is not larger than the uncertainty), 'hurt', 'no baseline',
            'not compared' (measured, but by no protocol that a headline may rest on), 'unlabelled' or 'not evaluated'.
        short: a few words.
        sentence: the figures behind them.
        basis: what was measured, and on what.
        notes: what one must know to read them rightly.
        candidate: the encoder that is judged, and
        baseline: the one it is held against; empty where there is none.
        view: the view in which both are compared.
        settings: protocol, preset, windows and digest of the figures that were compared; empty where there are none.
        lead: how far the candidate is ahead of the baseline, in the unit of the figure; None where it is not known.
        lead_interval: both ends of its 95 % interval; empty where it has none.
    """

    verdict: str
    short: str
    sentence: str
    basis: str = ""
    notes: tuple[str, ...] = ()
    candidate: str = ""
    baseline: str = ""
    view: str = ""
    settings: tuple[str, ...] = ()
    lead: float | None = None
    lead_interval: tuple[float, ...] = ()


@dataclass(frozen=True)
class Advice:
    """Which encoder to keep, in words.

    Args:
        sentence: the answer; empty where nothing was measured that could give one.
        lines: what each protocol says, with its figures and how they were compared.
        steps: what to do next, commands included.
    """

    sentence: str
    lines: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeedDifference:
    """How far one encoder is ahead of another, seed by seed, on one selection of queries.

    Args:
        table: the protocol, its preset and what else tells the setting from others, in words.
        protocol: its name.
        preset: its named settings.
        selection: which queries; empty for all.
        metric: the figure that is compared, by its name.
        encoder: the one, by as much as tells it from the others of its table.
        against: the other.
        view: that the one sees.
        against_view: that the other sees.
        value: the mean lead over the seeds, in the figure's own unit; below zero the first is behind.
        interval: its 95 % interval over seeds and queries; None where a figure has none over its queries.
        each: the lead of each seed.
        seeds: that both were trained with, two or more.
        verdict: 'ahead' or 'behind' where the interval says so, or 'not decided'.
    """

    table: str
    protocol: str
    preset: str
    selection: str
    metric: str
    encoder: str
    against: str
    view: str
    against_view: str
    value: float
    interval: tuple[float, float] | None
    each: tuple[float, ...]
    seeds: tuple[int, ...]
    verdict: Literal["ahead", "behind", "not decided"]


@dataclass(frozen=True)
class Strip:
    """One query and its nearest clips under one encoder, to be shown as frames from ``Report.images``."""

    encoder: str
    view: str
    query: Query


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    Args:
        title: the page's title.
        made: when, ISO 8601 in UTC.
        version: the kinema that made the report.
        headline: the answer.
        runs: what was run.
        rows: what was measured, seed by seed.
        groups: the same, what differs in nothing but the seed put together.
        advice: which encoder to keep.
        differences: every two encoders that share seeds, compared seed by seed.
        strips: queries and their nearest clips, filled by :func:`kinema.reporting.with_strips`.
        strip_rule: how the queries were chosen.
        images: path of a video to a JPEG of some of its frames side by side, as a data URI.
        undrawn: videos that could not be drawn, and why.
        vocabulary: what the report calls encoders and protocols; it does not go to JSON.
    """

    title: str
    made: str
    version: str
    headline: Headline
    runs: tuple[RunRecord, ...]
    rows: tuple[Row, ...]
    groups: tuple[Group, ...] = ()
    advice: Advice = field(default_factory=lambda: Advice(""))
    differences: tuple[SeedDifference, ...] = ()
    strips: tuple[Strip, ...] = ()
    strip_rule: str = ""
    images: dict[str, str] = field(default_factory=dict)
    undrawn: dict[str, str] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary, repr=False)

    def several_seeds(self) -> bool:
        """Whether anything was measured with more than one seed."""
        return any(len(group.rows) > 1 for group in self.groups)

    @property
    def leading(self) -> Protocol[Any] | None:
        """The protocol that the headline rests on, or would rest on if it were measured."""
        return leading_protocol(self.runs, self.rows, self.vocabulary)

    def leading_rows(self) -> tuple[Row, ...]:
        """The rows of the protocol that the headline rests on."""
        name = self.leading.name if self.leading else None
        return tuple(row for row in self.rows if row.protocol == name)

    def run(self, name: str) -> RunRecord | None:
        """The run of that name."""
        return next((run for run in self.runs if run.name == name), None)


Measured = TypeVar("Measured", Row, Group)


def blocks(rows: Sequence[Measured]) -> list[tuple[Measured, ...]]:
    """The rows or groups cut into those that may share columns: same protocol, preset, windows and data."""
    found: dict[tuple[str, ...], list[Measured]] = {}
    for row in rows:
        found.setdefault(row.settings, []).append(row)
    return [tuple(block) for block in found.values()]


def leading_protocol(runs: Sequence[RunRecord], rows: Sequence[Row], vocabulary: Vocabulary) -> Protocol[Any] | None:
    """The protocol that a headline rests on: the first that was measured, and otherwise the first that could be.

    Protocols of the first run's modality come first. None where the vocabulary has no protocol for a headline.
    """
    leading = vocabulary.leading(trained_in(runs[0].recipe, vocabulary).modality if runs else "")
    measured = {
        row.protocol for row in rows if row.main.metrics.get(vocabulary.protocol(row.protocol).main) is not None
    }
    return next((each for each in leading if each.name in measured), next(iter(leading), None))

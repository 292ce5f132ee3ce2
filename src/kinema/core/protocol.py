"""The contract of a protocol: one question about an encoder, how it is measured, and how its figures are read.

All fields but ``measure`` are data. The command line lists them, and the report writes by them. A protocol's file
therefore imports nothing heavy at the top; ``measure`` imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from kinema.core.errors import ConfigError
from kinema.core.results import Result

Request = TypeVar("Request")

Models = Literal["one", "one and two streams", "one and another view", "two views", "every view"]
"""Which encoders of a run are measured: the one of a view; that one and, where none is named and the run has
encoders of RGB and of motion vectors, these two side by side; that one and, where the run trained another view, its
encoder too; those of the two views that the user names; or those of all views that the run trained, unless one is
named."""


@dataclass(frozen=True)
class Metric:
    """How a figure is written.

    Args:
        title: its name as the head of a column.
        share: whether it is a fraction of 1, written as per cent; otherwise it is written as a number.
        inline: its name within a sentence, where that is not the title.
    """

    title: str
    share: bool = True
    inline: str = ""

    @property
    def name(self) -> str:
        """The name within a sentence."""
        return self.inline or self.title


@dataclass(frozen=True)
class Tracked:
    """A figure of a protocol that training measures too, epoch by epoch, and a report draws as a curve.

    Args:
        metric: its name.
        title: the chart's title.
        unit: what the y axis counts.
    """

    metric: str
    title: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Protocol(Generic[Request]):
    """One way of measuring an encoder.

    Args:
        name: what a user types.
        title: its name as a reader sees it.
        question: the question it answers, for the command line.
        explains: what it measures and what its figures mean, for a reader of the report.
        presets: its named settings and what they mean, the default first.
        metrics: its figures by name, in the order of a table's columns, the main one first. A name that ends in '@'
            is the prefix of all that end in a number: 'r@' for 'r@1', 'r@5', …; one that ends in '*' that of all that
            are not listed themselves: 'accuracy_*' for 'accuracy_why'; the longest such prefix counts.
        main: the figure that encoders are compared by.
        measure: from a request to results, the one on the main selection of queries first.
        higher_is_better: whether a higher main figure is the better one.
        judged: whether encoders are compared by it in the report's advice.
        headline: whether the report's first sentence may rest on it. Of several that were measured the first in the
            table of protocols counts.
        heading: the title of the report's section of figures, where the headline rests on it.
        finding: what the main figure says, with {} for the figure: '{} of the queries find …'. It follows the encoder's
            name; the headline uses it.
        each: whether all presets are measured, a result each, where none is named.
        takes: options that only some protocols have: 'views', 'shares', 'draws', 'fit', 'background'.
        needs: what the data must have: 'labels', 'two views', 'sentences', ….
        models: which encoders of a run are measured.
        joins: whether it measures encoders side by side, as the view 'rgb+motion': it takes embeddings as they are.
        modality: of the encoders that it can measure: 'video', 'text', ….
        unit: what it measures them on, in the plural: 'videos', 'sentences', ….
        floors: figures of what needs no learning, measured beside each result under the main figure's scale: the
            figure's name, and what a sentence calls it. An encoder that is not above them has learnt nothing.
        data: what stands for the data in a command that the report suggests; empty for the run's own data.
        from_scratch: what an untrained encoder is called where the protocol trains the whole encoder: a reference that
            learnt from the same labels alone. Empty where the encoder stays as it is.
        families: the name of the curve over the number of labels that a preset belongs to; '' for all other presets.
            By default that is the title.
        tracked: figures that training measures too.
        untracked: what the report says where training measured none of them.
    """

    name: str
    title: str
    question: str
    explains: str
    presets: Mapping[str, str]
    metrics: Mapping[str, Metric]
    main: str
    measure: Callable[[Request], list[Result]]
    higher_is_better: bool = True
    judged: bool = False
    headline: bool = False
    heading: str = "What was measured"
    finding: str = "has {}"
    each: bool = False
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    models: Models = "one"
    joins: bool = False
    modality: str = "video"
    unit: str = "videos"
    floors: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    from_scratch: str = ""
    families: Mapping[str, str] = field(default_factory=dict)
    tracked: tuple[Tracked, ...] = ()
    untracked: str = ""

    def __post_init__(self) -> None:
        if self.metrics and self.metric(self.main) is None:
            raise ConfigError(
                f"The main figure of the protocol '{self.name}' is '{self.main}'; its metrics are: "
                f"{', '.join(self.metrics)}.",
                "Name one of them.",
            )

    def metric(self, name: str) -> Metric | None:
        """How one of its figures is written; None where it is none of its figures."""
        key = self._key(name)
        if key == name or key is None:
            return self.metrics.get(name)
        family, rest = self.metrics[key], name.removeprefix(key.rstrip("*"))
        return Metric(family.title + rest, family.share, family.inline and family.inline + rest)

    def place(self, name: str) -> int:
        """The place of one of its figures among a table's columns; those it does not list come last."""
        key = self._key(name)
        return list(self.metrics).index(key) if key is not None else len(self.metrics)

    def _key(self, name: str) -> str | None:
        """The name or prefix that a figure is listed by; None where it is none of its figures."""
        if name in self.metrics:
            return name
        stem = name.rstrip("0123456789")
        if stem.endswith("@") and stem in self.metrics:
            return stem
        starts = [
            key for key in self.metrics if key.endswith("*") and len(name) >= len(key) and name.startswith(key[:-1])
        ]
        return max(starts, key=len, default=None)

    def family(self, preset: str) -> str:
        """The curve over the number of labels that a preset belongs to."""
        return self.families.get(preset) or self.families.get("", self.title)

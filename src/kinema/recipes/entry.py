"""What a row of the table of methods holds: one method as a user sees it, and how its plans become phases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinema.core.vocabulary import Contrast, EncoderEntry, Role

if TYPE_CHECKING:
    from kinema.recipes.plan import Plan
    from kinema.training.settings import Phase

VIDEO = ("rgb", "residual", "motion")
"""The views of a clip that are seen."""

_UNITS: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("text",): ("text", "documents"),
    ("sequence",): ("sequence", "sequences"),
    ("tracklet",): ("tracklet", "tracklets"),
    ("image", "text"): ("pair", "pairs"),
    ("question",): ("question", "questions"),
}
"""Modality and unit of methods that do not learn from clips, by the views that they learn from."""


@dataclass(frozen=True)
class MethodEntry:
    """One method, with all words about it.

    Args:
        config: the class of its settings.
        paper: where it comes from.
        modalities: the views it can learn from.
        summary: one line.
        title: what a reader of a report sees.
        short: the same for a narrow column; the title where empty.
        presets: plans by name; the first is the usual one.
        alone: whether it learns anything by itself; a method that does not is added to another one.
        base: whether it can be the first phase of a method that is trained on top of another.
        beside: whether its loss can be added to another's.
        takes_base: whether it can be trained on top of another.
        phases: works out the phases of a plan; None for one phase.
        scheduled: whether ``phases`` goes by the plan's schedule.
        adapt: changes a preset's plan to fit the data, and says so: (plan, table) → (plan, sentence or '').
        fit: fills in what only the data know, in a plan of one's own too: (plan, table) → plan.
        follow: makes sizes that nobody set small enough for a small set: (plan, rows, what was set) → plan.
        reported: what tables call the encoder of a run with these settings; None for the method's name.
        learns_from: what is learnt beside the rows, for instance 'their answers'; empty for methods without labels.
        next_step: what to type after a pretraining, with {run} and {data}.
        role: 'method', or 'baseline' and 'reference' for what methods are compared with.
        aliases: encoders of this method that tables call by another name than the method's, by that name; reports list
            them before the method's own.
        priority: of several methods a report's headline judges the one of the highest priority, then the first.
        settings: settings that distinguish encoders of this method, in the order in which they are written.
        contrast: a simpler form that a report compares it with.
    """

    config: type
    paper: str
    modalities: tuple[str, ...]
    summary: str
    title: str
    presets: Mapping[str, Callable[[], Plan]]
    short: str = ""
    alone: bool = True
    base: bool = True
    beside: bool = True
    takes_base: bool = False
    phases: Callable[[Plan], tuple[Phase, ...]] | None = None
    scheduled: bool = False
    adapt: Callable[[Plan, Any], tuple[Plan, str]] | None = None
    fit: Callable[[Plan, Any], Plan] | None = None
    follow: Callable[[Plan, int, Collection[str]], Plan] | None = None
    reported: Callable[[Any], str] | None = None
    role: Role = "method"
    aliases: Mapping[str, EncoderEntry] = field(default_factory=dict)
    priority: int = 0
    settings: tuple[str, ...] = ()
    contrast: Contrast | None = None
    learns_from: str = ""
    next_step: str = "kinema evaluate retrieval {run} {data}"

    @property
    def encoder(self) -> EncoderEntry:
        """What a report knows of the encoders that it trains."""
        modality, unit = _UNITS.get(self.modalities, ("video", "videos"))
        return EncoderEntry(
            self.title,
            self.short,
            role=self.role,
            priority=self.priority,
            settings=self.settings,
            contrast=self.contrast,
            modality=modality,
            unit=unit,
            learns_from=self.learns_from,
        )

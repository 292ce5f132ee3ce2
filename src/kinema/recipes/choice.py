"""Which method to start with: rules over what a scan says, each with its reason and where that was measured.

``kinema pretrain auto`` takes the first rule that holds. The rules stand on what was measured here and on nothing else,
so they choose between two methods; what a scan cannot know is said with the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from kinema.core.errors import UsageError
from kinema.data.video.manifest import Manifest
from kinema.data.video.motion import exports_motion

AUTO = "auto"
"""In place of a method's name: one is chosen."""

SUMMARY = "picks a method by what the scan says (motion vectors, number and length of the videos), and says why"
"""One line, for lists of methods."""

PRESETS = ("small", "paper")
"""The presets that all methods have which may be chosen."""

MINED = 800
"""Recordings from which on mining is chosen: the sets on which it was ahead had 900, and with one seed of two 810."""

FEW = 100
"""Below that many recordings a note says how little is to be expected."""

LONG = 60.0
"""Seconds of a video from which on one clip an epoch is little of it."""

OWN = ("method_settings", "schedule", "base", "beside", "beside_weights", "transforms")
"""Settings of :func:`kinema.pretrain` that are one method's own."""


@dataclass(frozen=True)
class Footage:
    """What a choice goes by, of the videos that are trained on.

    Args:
        videos: how many there are.
        recordings: how many of them are of different recordings.
        moving: how many have motion vectors that can be read.
        sounding: how many have a sound that is not silent, as far as was listened to.
        seconds: the median length.
        still_codecs: the codecs of those without motion vectors, sorted.
    """

    videos: int
    recordings: int
    moving: int
    sounding: int = 0
    seconds: float = 0.0
    still_codecs: tuple[str, ...] = ()


def footage_of(manifest: Manifest) -> Footage:
    """What a manifest says of its videos."""
    videos = manifest.videos
    return Footage(
        videos=len(videos),
        recordings=len({video.source for video in videos}),
        moving=sum(exports_motion(video.codec) for video in videos),
        sounding=sum(video.audio_codec is not None and video.audio_silent is not True for video in videos),
        seconds=median(video.duration for video in videos) if videos else 0.0,
        still_codecs=tuple(sorted({video.codec or "unknown" for video in videos if not exports_motion(video.codec)})),
    )


@dataclass(frozen=True)
class Rule:
    """One line of the table.

    Args:
        method: what it chooses.
        holds: when.
        because: the reason, as sentences.
        source: where the figures of the reason stand, from the top of the repository.
    """

    method: str
    holds: Callable[[Footage], bool]
    because: Callable[[Footage], str]
    source: str


@dataclass(frozen=True)
class Note:
    """What is said beside a choice.

    Args:
        method: beside which; empty for any.
        holds: when.
        words: the sentences.
        source: as of :class:`Rule`.
    """

    method: str
    holds: Callable[[Footage], bool]
    words: Callable[[Footage], str]
    source: str


WITHOUT = "Without mining SimCLR was above MoCo with ten of twelve seeds, on people in motion and on hand signs."


def _without_motion(footage: Footage) -> str:
    left, codecs = footage.videos - footage.moving, ", ".join(footage.still_codecs)
    return (
        f"{left} of {footage.videos} videos have no motion vectors that can be read ({codecs}), so mining (cpr) would "
        f"be guided by frame differences, which gained half as much as motion vectors. {WITHOUT}"
    )


def _too_few(footage: Footage) -> str:
    few = f"{footage.recordings} recordings are fewer than the {MINED} from which on mining (cpr) was seen to gain."
    return f"{few} {WITHOUT}"


def _mining(footage: Footage) -> str:
    return (
        f"all {footage.videos} videos have motion vectors, and are enough to mine among. On 900 videos of people in "
        "motion mining was 14 points of R@1 above InfoNCE on average, with each of three seeds."
    )


_SIMCLR = "benchmarks/mocap-first-edition.md#who-learns-the-motion-when-the-scene-gives-the-class-away"
_MINING = "benchmarks/pages/mining.md"
_GUIDES = "benchmarks/mocap-first-edition.md#what-motion-for-free-is-worth-the-residual-as-the-guide"
_LETTERS = "benchmarks/pages/hand-signs.md"
_FOOTAGE = "benchmarks/pages/footage-to-steps.md"
_LONG = "docs/how-to/your-own-data.md#when-the-videos-are-short-long-or-many"
_SOUND = "benchmarks/mocap-first-edition.md#sound-and-clusters"

RULES: tuple[Rule, ...] = (
    Rule("simclr", lambda f: f.moving < f.videos, _without_motion, _GUIDES),
    Rule("simclr", lambda f: f.recordings < MINED, _too_few, _SIMCLR),
    Rule("cpr", lambda _: True, _mining, _MINING),
)
"""The first that holds decides; the last one always does."""

NOTES: tuple[Note, ...] = (
    Note(
        "cpr",
        lambda _: True,
        lambda _: (
            "A scan cannot know whether motion tells your videos apart: it did not tell hand signs apart, and mining "
            "was below InfoNCE. So train simclr too, and compare them (docs/diagnostics.md: without labels)."
        ),
        _LETTERS,
    ),
    Note(
        "simclr",
        lambda f: f.recordings < FEW,
        lambda _: (
            "So few may teach nothing: with 21 and 24 videos pretraining on RGB did not help. Compare with --untrained."
        ),
        _FOOTAGE,
    ),
    Note(
        "",
        lambda f: f.seconds >= LONG,
        lambda f: (
            f"Half of the videos last {f.seconds:.0f} s or more, and an epoch takes one clip of each: take more with "
            "--clips_per_video 10."
        ),
        _LONG,
    ),
    Note(
        "",
        lambda f: f.sounding >= 0.9 * f.videos > 0,
        lambda _: (
            "Their sound is not used. xdc learns from it: that taught the network to see where each sound belongs to "
            "what is done, and nothing with one speaker's sentences."
        ),
        _SOUND,
    ),
)
"""What is said beside a choice where it holds."""


@dataclass(frozen=True)
class Choice:
    """The method to start with.

    Args:
        method: its name.
        because: why, as sentences.
        notes: what a scan cannot know, or what else to look at.
        sources: where the figures stand, from the top of the repository.
    """

    method: str
    because: str
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """All of it for a person, with how to take another."""
        other = "Another method: its name in place of 'auto' (`kinema pretrain --list`)."
        return " ".join((f"auto takes {self.method}: {self.because}", *self.notes, other))

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "method": self.method,
            "because": self.because,
            "notes": list(self.notes),
            "sources": list(self.sources),
        }


def chosen(footage: Footage) -> Choice:
    """The method that the rules choose for such footage."""
    rule = next(rule for rule in RULES if rule.holds(footage))
    notes = [note for note in NOTES if note.method in ("", rule.method) and note.holds(footage)]
    return Choice(
        rule.method,
        rule.because(footage),
        tuple(note.words(footage) for note in notes),
        tuple(dict.fromkeys((rule.source, *(note.source for note in notes)))),
    )


def check_shared(settings: Mapping[str, Any], preset: str | None = None) -> None:
    """Refuses settings, and a preset, that belong to one method.

    Args:
        settings: by name, as :func:`kinema.pretrain` takes them.
        preset: the preset's name, where one is named.

    Raises:
        UsageError: names the first.
    """
    own = ["method" if name == "method_settings" else name for name in OWN if settings.get(name)]
    own += [f"preset {preset}"] if preset is not None and preset not in PRESETS else []
    if own:
        raise UsageError(
            f"'{own[0]}' belongs to one method, and '{AUTO}' takes one by what the scan says.",
            f"Leave it out, or name the method in place of '{AUTO}'; with --dry_run '{AUTO}' says which one it takes.",
        )

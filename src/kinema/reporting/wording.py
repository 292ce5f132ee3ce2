"""How figures, times and commands are written for a person. Names come from the report's vocabulary."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from typing import Any

from kinema.core.protocol import Metric, Protocol

HOW_COMPARED = (
    "In brackets is the 95 % interval of the lead, and how it was taken: seed by seed, where both were trained with "
    "the same seeds on the same data; by the same queries, where both were asked the same ones and every answer was "
    "kept; or else by the two figures’ own intervals. Where the interval includes zero, the lead may be chance."
)
LEVEL = 1e-9
"""Figures that differ by less are equal: means of the same values may differ in the last digit."""
VIEWS = {"rgb": "RGB", "residual": "residual", "motion": "motion vectors", "sound": "sound"}
DASH = "–"
SPACE = "\u00a0"


def view_name(view: str) -> str:
    """The view's name as a reader sees it; 'a+b' are two encoders side by side."""
    return " + ".join(VIEWS.get(each, each) for each in view.split("+"))


def natural(text: str) -> list[tuple[int, int | str]]:
    """Sorts 'r@5' before 'r@10'."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part]


def percent(value: float | None, decimals: int = 1) -> str:
    """A fraction of 1 as per cent."""
    return DASH if value is None else f"{100 * value:.{decimals}f}{SPACE}%"


def number(value: float | None) -> str:
    """A figure with four significant digits."""
    return DASH if value is None else f"{value:.4g}"


def points(difference: float, decimals: int = 0) -> str:
    """A difference of two fractions in percentage points, unsigned."""
    text = f"{100 * abs(difference):.{decimals}f}"
    return f"{text}{SPACE}point" + ("" if float(text) == 1 else "s")


def signed_points(low: float, high: float) -> str:
    """An interval of differences in percentage points."""
    return f"{100 * low:+.1f} to {100 * high:+.1f}{SPACE}points".replace("-", "−")


def commit_of(version: str) -> str:
    """The commit of what a run calls its version of kinema's source; empty where that is a release's number."""
    return "" if re.fullmatch(r"\d+(\.\d+)+\S*", version) else version


def source(versions: Iterable[str]) -> str:
    """Versions of kinema's source in words: 'commit 1a2b3c', 'kinema 0.1.0'."""
    every = sorted(set(filter(None, versions)))
    commits = [version for version in every if commit_of(version)]
    words = [f"commit {', '.join(commits)}"] if commits else []
    return join([*words, *(f"kinema {version}" for version in every if version not in commits)])


def of_one_seed(names: Iterable[str]) -> str:
    """What figures of one seed decide."""
    each = list(names)
    figures = "The figure of {} is" if len(each) == 1 else "The figures of {} are"
    return (
        f"{figures.format(join(each))} of one seed. One seed decides nothing about the method, only about this run: "
        "the intervals tell what other queries would change, not what another seed would."
    )


def seed_list(seeds: Iterable[int]) -> str:
    """Which seeds, and how many where there are several: '3 (0, 1, 2)'."""
    numbers = list(seeds)
    return str(numbers[0]) if len(numbers) == 1 else f"{len(numbers)} ({', '.join(map(str, numbers))})"


def duration(seconds: float | None) -> str:
    """A time in words: '42 s', '3 min 20 s', '2 h 5 min'."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}{SPACE}s" if seconds < 9.95 else f"{whole}{SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{SPACE}min {whole % 60}{SPACE}s"
    return f"{whole // 3600}{SPACE}h {whole % 3600 // 60}{SPACE}min"


def evaluate_command(protocol: Protocol[Any], run: str, data: object) -> str:
    """What to type to measure a run by a protocol; DATA stands for data that the run does not name."""
    return shlex.join(["kinema", "evaluate", protocol.name, run, protocol.data or str(data or "DATA")])


def preset_options(preset: str) -> list[str]:
    """The options of 'kinema evaluate' that give a preset: a share of the labels, a name, or both."""
    found = re.fullmatch(r"(?:(.+)-)?(\d+(?:\.\d+)?)%", preset)
    if found is None:
        return ["--preset", preset] if preset else []
    named = ["--preset", found[1]] if found[1] else []
    return [*named, "--shares", f"{float(found[2]) / 100:g}"]


def metric_value(metric: Metric, value: float | None, decimals: int = 1) -> str:
    """A figure: a share as per cent, anything else as a number."""
    return percent(value, decimals) if metric.share else number(value)


def metric_with_spread(metric: Metric, value: float | None, deviation: float | None) -> str:
    """A mean over seeds with its standard deviation, where there is one."""
    if value is None or deviation is None:
        return metric_value(metric, value)
    if metric.share:
        return f"{100 * value:.1f}{SPACE}±{SPACE}{100 * deviation:.1f}{SPACE}%"
    return f"{number(value)}{SPACE}±{SPACE}{deviation:.2g}"


def difference(metric: Metric, value: float) -> str:
    """A difference of two figures, unsigned: of shares in percentage points."""
    if LEVEL < abs(value) < 0.0005:
        return f"less than 0.1{SPACE}points" if metric.share else "less than 0.001"
    return points(value, 1) if metric.share else f"{abs(value):.3f}"


def signed_difference(metric: Metric, value: float) -> str:
    """A difference of two figures for a table's cell: of shares in percentage points."""
    return (f"{100 * value:+.1f}" if metric.share else f"{value:+.3f}").replace("-", "−")


def side(metric: Metric, lead: float) -> str:
    """Where something stands beside another: '3.0 points ahead', '0.120 behind', 'level'."""
    if abs(lead) <= LEVEL:
        return "level"
    return f"{difference(metric, lead)} {'ahead' if lead > 0 else 'behind'}"


def lead_over(metric: Metric, lead: float, other: str) -> str:
    """The same with the other's name: '3.0 points ahead of another'."""
    told = side(metric, lead)
    joint = {"ahead": " of", "level": " with"}.get(told.rpartition(" ")[2], "")
    return f"{told}{joint} {other}"


def difference_bounds(metric: Metric, low: float, high: float) -> str:
    """An interval of differences."""
    return signed_points(low, high) if metric.share else f"{low:+.3f} to {high:+.3f}".replace("-", "−")


def figure_bounds(metric: Metric, low: float, high: float) -> str:
    """An interval of a figure, for a table's narrow cell."""
    return f"{100 * low:.1f}{DASH}{100 * high:.1f}" if metric.share else f"{low:.3f}{DASH}{high:.3f}"


def in_sentence(title: str) -> str:
    """A title within a sentence."""
    return title[:1].lower() + title[1:]


def protocol_short(protocol: Protocol[Any], preset: str) -> str:
    """A protocol and its preset within a sentence."""
    setting = f"{preset} of the labels" if preset.endswith("%") else preset
    return protocol.title + (f" ({setting})" if setting else "")


def protocol_heading(protocol: Protocol[Any], preset: str) -> str:
    """A protocol and its preset as a table's head."""
    if preset.endswith("%"):
        return f"{protocol.title}, {preset} of the labels"
    return protocol.title + (f", preset {preset}" if preset else "")


def join(words: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last

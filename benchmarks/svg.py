"""Charts as SVG, of plain strings: bars with a mark for each seed, differences with an interval, times on a log scale.

A chart is 480 units wide and its text 14, so that it can be read on a telephone too; nothing is fetched, the background
is white, and every figure is written beside its bar.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from paired import Difference, signed

WIDTH, SIDE, ROW, LETTER = 480, 12, 30, 8.3
GREEN, GREY, BLUE, RED = "#00796b", "#8a979c", "#3d6fa5", "#b5532a"
INK, SOFT, FAINT = "#1c2529", "#55636a", "#d9dfe1"
TOP = 66.0
"""Where the first row begins."""


@dataclass(frozen=True)
class Bar:
    """One row of a chart of bars or of a log scale.

    Args:
        label: at its left.
        values: a figure a seed; the bar is their mean.
        colour: of the bar.
        told: what stands at its right; the mean and its deviation where empty.
    """

    label: str
    values: Sequence[float]
    colour: str = GREY
    told: str = ""


@dataclass(frozen=True)
class Group:
    """Rows of a chart under a heading, which may be empty."""

    title: str
    bars: Sequence[Bar]


@dataclass
class Sheet:
    """What is drawn, from top to bottom.

    Args:
        title: of the chart.
        unit: the line below it.
        parts: what has been drawn.
        above: what lies over all that has been drawn.
        y: where the next row begins.
    """

    title: str
    unit: str
    parts: list[str] = field(default_factory=list)
    above: list[str] = field(default_factory=list)
    y: float = TOP

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", size: int = 14, colour: str = INK) -> None:
        """Writes a line."""
        end = "" if anchor == "start" else f' text-anchor="{anchor}"'
        tall = "" if size == 14 else f' font-size="{size}"'
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{end}{tall} fill="{colour}">{escape(text)}</text>')

    def heading(self, text: str) -> None:
        """The name of the rows below, with room above it and a white rim, so that no line crosses it."""
        if text:
            self.y += 4 if self.y > TOP else 0
            rim = 'stroke="#fff" stroke-width="5" paint-order="stroke"'
            self.above.append(f'<text x="{SIDE}" y="{self.y + 10:.1f}" {rim} fill="{SOFT}">{escape(text)}</text>')
            self.y += 22

    def line(self, x: float, top: float, bottom: float, *, colour: str = FAINT, dash: str = "") -> None:
        """A vertical line, below all that is drawn later."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="{colour}"{dashed}/>')

    def done(self) -> str:
        """The whole file."""
        height = self.y + 8
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'font-family="Helvetica, Arial, sans-serif" font-size="14" role="img">',
            f"<title>{escape(self.title)}: {escape(self.unit)}</title>",
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>',
            f'<text x="{SIDE}" y="24" font-size="16" font-weight="bold" fill="{INK}">{escape(self.title)}</text>',
            f'<text x="{SIDE}" y="45" fill="{SOFT}">{escape(self.unit)}</text>',
        ]
        return "\n".join([*head, *self.parts, *self.above, "</svg>"]) + "\n"


def spread(values: Sequence[float]) -> str:
    """'75.6 ± 2.7'."""
    mean = f"{statistics.mean(values):.1f}"
    return mean + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def columns(bars: Sequence[Bar], told: Sequence[str]) -> tuple[float, float]:
    """Where the plot begins and ends: after the longest label, before the longest figure."""
    left = SIDE + LETTER * max(len(bar.label) for bar in bars) + 8
    return left, WIDTH - SIDE - LETTER * max(map(len, told)) - 6


def bars(
    title: str,
    unit: str,
    groups: Sequence[Group],
    *,
    most: float | None = None,
    reference: tuple[str, float] | None = None,
) -> str:
    """Bars from zero to the mean, a white-rimmed dot for each seed.

    Args:
        title: the claim.
        unit: of the figures, and of what.
        groups: rows under their headings.
        most: the end of the axis; the largest figure where None.
        reference: a name and a figure, drawn as a dashed line: chance.
    """
    sheet, rows = Sheet(title, unit), [bar for group in groups for bar in group.bars]
    told = [bar.told or spread(bar.values) for bar in rows]
    left, right = columns(rows, told)
    top = most or max(max(bar.values) for bar in rows)
    written = iter(told)
    drawn: list[str] = []
    begin = sheet.y - 8

    def x(value: float) -> float:
        return left + (right - left) * value / top

    behind, sheet.parts = sheet.parts, drawn
    for group in groups:
        sheet.heading(group.title)
        for bar in group.bars:
            y = sheet.y
            sheet.text(left - 8, y + 15, bar.label, anchor="end")
            drawn.append(
                f'<rect x="{left:.1f}" y="{y:.1f}" width="{x(statistics.mean(bar.values)) - left:.1f}" height="20" '
                f'fill="{bar.colour}"/>'
            )
            if len(bar.values) > 1:
                drawn += [
                    f'<circle cx="{x(value):.1f}" cy="{y + 10:.1f}" r="3.5" fill="{INK}" stroke="#fff"/>'
                    for value in bar.values
                ]
            sheet.text(WIDTH - SIDE, y + 15, next(written), anchor="end")
            sheet.y += ROW
    end = sheet.y - 4
    sheet.parts = behind
    for tick in ticks(top):
        sheet.line(x(tick), begin, end)
    sheet.parts += drawn
    for tick in ticks(top):
        sheet.text(x(tick), end + 15, f"{tick:g}", anchor="middle", size=12, colour=SOFT)
    sheet.y = end + 20
    if reference:
        name, value = reference
        sheet.line(x(value), begin, end, colour=RED, dash="5 4")
        sheet.text(left, sheet.y + 14, f"dashed: {name}, {value:.1f}", size=13, colour=RED)
        sheet.y += 20
    return sheet.done()


def ticks(most: float) -> list[float]:
    """Four or so round figures from zero to the end of an axis."""
    rough = most / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * round_ for round_ in (1, 2, 2.5, 5, 10) if unit * round_ >= rough)
    return [number * step for number in range(int(most / step) + 1)]


def differences(title: str, unit: str, groups: Sequence[tuple[str, Sequence[tuple[str, Difference]]]]) -> str:
    """Differences with their interval beside a line at zero; what the interval does not decide is grey and hollow.

    An interval that leaves the axis ends in an arrow, so that one of two seeds does not make all others points.

    Args:
        title: the claim.
        unit: of the differences.
        groups: a heading, then label and difference of each row, in the unit of 1.
    """
    sheet = Sheet(title, unit)
    rows = [row for _, group in groups for row in group]
    told = [signed(100 * difference.mean) for _, difference in rows]
    left, right = columns([Bar(label, ()) for label, _ in rows], told)
    sure = [abs(100 * end) for _, each in rows if each.seeds > 2 for end in (each.low, each.high)]
    reach = min(1.05 * max([*sure, *(abs(100 * each.mean) for _, each in rows)]), 60)
    low, high = -reach, reach
    if all(each.seeds > 2 and each.low > -0.1 * reach / 100 for _, each in rows):
        low = -0.15 * reach

    def x(value: float) -> float:
        return left + (right - left) * (min(max(value, low), high) - low) / (high - low)

    begin, drawn = sheet.y - 8, list[str]()
    behind, sheet.parts = sheet.parts, drawn
    for heading, group in groups:
        sheet.heading(heading)
        for label, each in group:
            sheet.text(left - 8, sheet.y + 15, label, anchor="end")
            drawn += interval(each, x, (low, high), sheet.y + 10)
            sheet.text(WIDTH - SIDE, sheet.y + 15, signed(100 * each.mean), anchor="end")
            sheet.y += ROW - 4
    end = sheet.y - 2
    sheet.parts = behind
    marks = [tick for step in ticks(2 * reach) for tick in ({step, -step} if step else {0.0}) if low <= tick <= high]
    for tick in sorted(marks):
        sheet.line(x(tick), begin, end, colour=INK if tick == 0 else FAINT)
    sheet.parts += drawn
    for tick in sorted(marks):
        name = f"{tick:+g}".replace("-", "−") if tick else "0"
        sheet.text(x(tick), end + 15, name, anchor="middle", size=12, colour=SOFT)
    sheet.text(SIDE, end + 36, "filled: decided by the seeds; hollow: not", size=13, colour=SOFT)
    sheet.y = end + 42
    return sheet.done()


def interval(each: Difference, x: object, ends: tuple[float, float], y: float) -> list[str]:
    """One difference: a line from end to end and a dot at the mean."""
    assert callable(x)
    decided = each.reading in ("ahead", "behind")
    colour = (GREEN if each.mean > 0 else RED) if decided else GREY
    out = []
    if each.seeds > 1:
        low, high = 100 * each.low, 100 * each.high
        out.append(f'<path d="M{x(low):.1f} {y:.1f}H{x(high):.1f}" stroke="{colour}" stroke-width="3"/>')
        for end, beyond, way in ((low, low < ends[0], 1), (high, high > ends[1], -1)):
            if beyond:
                tip = x(end)
                arrow = f"M{tip + 7 * way:.1f} {y - 6:.1f}L{tip:.1f} {y:.1f}L{tip + 7 * way:.1f} {y + 6:.1f}"
                out.append(f'<path d="{arrow}" fill="none" stroke="{colour}" stroke-width="2"/>')
    fill = colour if decided else "#fff"
    out.append(
        f'<circle cx="{x(100 * each.mean):.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
    )
    return out


def logarithmic(title: str, unit: str, groups: Sequence[Group]) -> str:
    """Dots on a scale whose steps are tenfold, for times that lie far apart; every row has one figure and its words."""
    sheet, rows = Sheet(title, unit), [bar for group in groups for bar in group.bars]
    left, right = columns(rows, [bar.told for bar in rows])
    figures = [bar.values[0] for bar in rows]
    first, last = math.floor(math.log10(min(figures))), math.ceil(math.log10(max(figures)))

    def x(value: float) -> float:
        return left + 6 + (right - left - 12) * (math.log10(value) - first) / (last - first)

    begin, drawn = sheet.y - 8, list[str]()
    behind, sheet.parts = sheet.parts, drawn
    for group in groups:
        sheet.heading(group.title)
        for bar in group.bars:
            y = sheet.y + 10
            sheet.text(left - 8, y + 5, bar.label, anchor="end")
            drawn.append(f'<circle cx="{x(bar.values[0]):.1f}" cy="{y:.1f}" r="6" fill="{bar.colour}"/>')
            sheet.text(WIDTH - SIDE, y + 5, bar.told, anchor="end")
            sheet.y += ROW - 4
    end = sheet.y - 2
    sheet.parts = behind
    for power in range(first, last + 1):
        sheet.line(x(10.0**power), begin, end)
    sheet.parts += drawn
    for power in range(first, last + 1, 1 if x(10.0) - x(1.0) > 40 else 2):
        name = f"{10**power:,}" if power >= 0 else f"{10.0**power:g}".removeprefix("0")
        sheet.text(x(10.0**power), end + 15, name, anchor="middle", size=12, colour=SOFT)
    sheet.y = end + 20
    return sheet.done()

"""Charts as static SVG, drawn here: they need no script, scale with the page and take their colours from its styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kinema.reporting.markup import Markup, tag
from kinema.reporting.wording import DASH, number, percent

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 36
LINES = 6
"""Kinds of line that the page's styles tell apart."""
Point = tuple[float, float | None]


@dataclass(frozen=True)
class Series:
    """One line of a chart: its name, its points (x, y) and, of means, the spread of each y.

    A y of None interrupts the line; a spread of None is none.
    """

    name: str
    points: tuple[Point, ...]
    spread: tuple[float | None, ...] = ()

    def around(self, number: int) -> float:
        """The spread of a point, 0 where there is none."""
        return (self.spread[number] or 0.0) if self.spread else 0.0


@dataclass(frozen=True)
class Axis:
    """One axis: its lowest and highest value, where its ticks stand, and whether equal steps are equal factors."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def place(self, value: float, start: float, end: float) -> float:
        """The position of ``value`` between the positions of the axis' two ends."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return start + (value - low) / (high - low) * (end - start)


@dataclass(frozen=True)
class Across:
    """What a chart's x counts: its name, one of it, and the axis over its values."""

    name: str
    axis: Callable[[Sequence[float]], Axis]


def axis(low: float, high: float, count: int = 5, whole: bool = False) -> Axis:
    """An axis over [low, high], widened to round values, with about ``count`` ticks (whole numbers if so asked)."""
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    if whole:
        step = max(1.0, float(math.ceil(step)))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(n * step, 12) for n in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def epoch_axis(values: Sequence[float]) -> Axis:
    """The axis of epochs, from 1."""
    last = max(values)
    whole = axis(1.0, last, whole=True) if last > 1 else Axis(0.0, 2.0, (1.0,))
    ticks = sorted({1.0, *(tick for tick in whole.ticks if 1 < tick <= last)})
    if len(ticks) > 2 and ticks[1] - ticks[0] < (ticks[2] - ticks[1]) / 2:
        del ticks[1]
    return Axis(1.0, last, tuple(ticks)) if last > 1 else whole


def factor_axis(values: Sequence[float]) -> Axis:
    """An axis of numbers above zero on which equal steps are equal factors, with a tick at every value."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low / 2, high * 2
    return Axis(low, high, tuple(sorted(set(values))), logarithmic=True)


EPOCHS = Across("epoch", epoch_axis)


def line_chart(
    title: str,
    series: Sequence[Series],
    y_label: str,
    *,
    across: Across = EPOCHS,
    percents: bool = False,
    zero: bool = False,
) -> Markup:
    """A figure with one line a series, a legend, values on hover, and the same values as a table.

    Args:
        title: what is shown.
        series: the lines; those without a point are left out.
        y_label: the unit of y.
        across: what x counts.
        percents: y is a fraction of 1, shown as per cent.
        zero: the y axis starts at 0.
    """
    drawn = [each for each in series if any(y is not None for _, y in each.points)]
    if not drawn:
        return Markup("")
    xs = [x for each in drawn for x, _ in each.points]
    ys = [
        bound
        for each in drawn
        for n, (_, y) in enumerate(each.points)
        if y is not None
        for bound in (y - each.around(n), y + each.around(n))
    ]
    x_axis = across.axis(xs)
    y_axis = axis(min(0.0, *ys) if zero else min(ys), max(ys))
    write: Callable[[float | None], str] = percent if percents else number
    lines = [_line(each, n, x_axis, y_axis, write, across.name) for n, each in enumerate(drawn)]
    legend = [tag("li", _key(n), each.name) for n, each in enumerate(drawn)]
    drawing = tag(
        "svg",
        *_grid(x_axis, y_axis, percents, across.name),
        *lines,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title}, by {across.name}. The values are in the table below the chart.",
        class_="chart",
    )
    heading = tag("figcaption", tag("strong", title), " ", tag("span", y_label, class_="unit"))
    return tag(
        "figure",
        heading,
        drawing,
        tag("ul", legend, class_="legend"),
        _table(drawn, write, across.name),
        class_="panel",
    )


def _x(x_axis: Axis, value: float) -> float:
    return x_axis.place(value, LEFT + 6, WIDTH - RIGHT - 6)


def _y(y_axis: Axis, value: float) -> float:
    return y_axis.place(value, HEIGHT - BOTTOM, TOP)


def _grid(x_axis: Axis, y_axis: Axis, percents: bool, below: str) -> list[Markup]:
    parts = []
    for tick in y_axis.ticks:
        y = _y(y_axis, tick)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        label = f"{100 * tick:.6g} %" if percents else f"{tick:.6g}"
        parts.append(tag("text", label, x=LEFT - 6, y=y + 3.5, text_anchor="end"))
    low = HEIGHT - BOTTOM + 15
    parts += [tag("text", f"{tick:g}", x=_x(x_axis, tick), y=low, text_anchor="middle") for tick in x_axis.ticks]
    parts.append(tag("text", below, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 4, text_anchor="middle"))
    return parts


def _line(
    series: Series, kind: int, x_axis: Axis, y_axis: Axis, write: Callable[[float | None], str], across: str
) -> Markup:
    """The line in its unbroken pieces, its spread, and a mark with its value at every point."""
    pieces: list[list[str]] = [[]]
    marks, spread = [], []
    for n, (x, y) in enumerate(series.points):
        if y is None:
            pieces.append([])
            continue
        left, top, around = _x(x_axis, x), _y(y_axis, y), series.around(n)
        pieces[-1].append(f"{left:.1f},{top:.1f}")
        label = tag("title", f"{series.name}, {across} {x:g}: {_value(series, n, write)}")
        dot = tag("circle", cx=left, cy=top, r=2.2, class_="dot")
        marks.append(tag("g", label, tag("circle", cx=left, cy=top, r=7, class_="reach"), dot, class_="mark"))
        if around:
            low, high = _y(y_axis, y - around), _y(y_axis, y + around)
            ends = "".join(f"M{left - 3:.1f} {end:.1f}h6" for end in (low, high))
            spread.append(tag("path", d=f"M{left:.1f} {low:.1f}V{high:.1f}{ends}", class_="spread"))
    lines = [tag("polyline", points=" ".join(piece)) for piece in pieces if len(piece) > 1]
    return tag("g", spread, lines, marks, class_=f"line kind{kind % LINES}")


def _value(series: Series, number: int, write: Callable[[float | None], str]) -> str:
    """A point's value, of a mean with its spread."""
    y, around = series.points[number][1], series.around(number)
    return write(y) + (f" ± {write(around)}" if around else "")


def _key(kind: int) -> Markup:
    stroke = tag("g", tag("polyline", points="1,6 25,6"), class_=f"line kind{kind % LINES}")
    return tag("svg", stroke, viewBox="0 0 26 12", class_="key", aria_hidden="true")


def _table(series: Sequence[Series], write: Callable[[float | None], str], across: str) -> Markup:
    """The chart's values for those who read rather than see."""
    values = [{x: _value(each, n, write) for n, (x, _) in enumerate(each.points)} for each in series]
    head = [
        tag("th", across[:1].upper() + across[1:], scope="col"),
        *(tag("th", each.name, scope="col") for each in series),
    ]
    body = [
        tag("tr", tag("th", f"{x:g}", scope="row"), [tag("td", points.get(x, DASH)) for points in values])
        for x in sorted({x for points in values for x in points})
    ]
    inside = tag("div", tag("table", tag("thead", tag("tr", head)), tag("tbody", body)), class_="scroll", tabindex=0)
    return tag("details", tag("summary", "Values"), inside)


def interval_bar(
    value: float | None,
    interval: tuple[float, float] | None,
    chance: float | None,
    top: float,
    each: Sequence[float | None] = (),
) -> Markup:
    """A small bar from 0 to ``top``: the value, its interval as a whisker, chance as a tick, each seed as a dot."""
    if value is None:
        return Markup("")
    scale = 120 / top
    parts = [
        tag("rect", x=0, y=3, width=120, height=10, class_="track"),
        tag("rect", x=0, y=3, width=max(0.5, value * scale), height=10, class_="fill"),
    ]
    if chance is not None:
        parts.append(tag("line", x1=chance * scale, x2=chance * scale, y1=0, y2=16, class_="chance"))
    if interval:
        low, high = (bound * scale for bound in interval)
        parts.append(tag("path", d=f"M{low:.1f} 8H{high:.1f}M{low:.1f} 5V11M{high:.1f} 5V11", class_="whisker"))
    seeds = [seed for seed in each if seed is not None] if len(each) > 1 else []
    parts += [tag("circle", cx=seed * scale, cy=8, r=2, class_="seed") for seed in seeds]
    return tag("svg", *parts, viewBox="0 0 120 16", class_="interval", aria_hidden="true")

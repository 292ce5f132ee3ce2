"""Where everything of a chart stands; ``chart.html.jinja`` draws it as static SVG, which needs no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kinema.reporting.wording import number, percent

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 44, WIDTH - 10, 10, HEIGHT - 36
"""A chart's size, and the edges of the field that its lines stand in."""
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


@dataclass(frozen=True)
class Tick:
    """A tick of an axis: its place in the drawing, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A point of a line: its place in the drawing, the ends of its spread (None: it has none), and its words."""

    x: float
    y: float
    spread: tuple[float, float] | None
    title: str


@dataclass(frozen=True)
class Line:
    """One line of a drawing.

    Args:
        name: for the legend.
        marks: its points.
        pieces: the same, cut where the line is interrupted.
        values: what is written in the table below the chart, by x.
    """

    name: str
    marks: tuple[Mark, ...]
    pieces: tuple[tuple[Mark, ...], ...]
    values: dict[float, str]


@dataclass(frozen=True)
class Chart:
    """A chart with everything in its place.

    Args:
        title: what is shown.
        unit: of y.
        across: what x counts.
        x_ticks: of the axis below.
        y_ticks: of the axis at the left.
        lines: one a series that has a point.
    """

    title: str
    unit: str
    across: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]

    @property
    def rows(self) -> list[float]:
        """Every x that a line has a value at, ascending."""
        return sorted({x for line in self.lines for x in line.values})


def line_chart(
    title: str,
    series: Sequence[Series],
    y_label: str,
    *,
    across: Across = EPOCHS,
    percents: bool = False,
    zero: bool = False,
) -> Chart | None:
    """A chart with one line a series; None where no series has a point.

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
        return None
    reach = [
        bound
        for each in drawn
        for n, (_, y) in enumerate(each.points)
        if y is not None
        for bound in (y - each.around(n), y + each.around(n))
    ]
    x_axis = across.axis([x for each in drawn for x, _ in each.points])
    y_axis = axis(min(0.0, *reach) if zero else min(reach), max(reach))
    write: Callable[[float | None], str] = percent if percents else number
    return Chart(
        title,
        y_label,
        across.name,
        tuple(Tick(_x(x_axis, tick), f"{tick:g}") for tick in x_axis.ticks),
        tuple(Tick(_y(y_axis, tick), f"{100 * tick:.6g} %" if percents else f"{tick:.6g}") for tick in y_axis.ticks),
        tuple(_line(each, x_axis, y_axis, write, across.name) for each in drawn),
    )


def _x(x_axis: Axis, value: float) -> float:
    return x_axis.place(value, LEFT + 6, RIGHT - 6)


def _y(y_axis: Axis, value: float) -> float:
    return y_axis.place(value, BOTTOM, TOP)


def _line(series: Series, x_axis: Axis, y_axis: Axis, write: Callable[[float | None], str], across: str) -> Line:
    pieces: list[list[Mark]] = [[]]
    values = {}
    for n, (x, y) in enumerate(series.points):
        around = series.around(n)
        values[x] = write(y) + (f" ± {write(around)}" if around else "")
        if y is None:
            pieces.append([])
            continue
        spread = (_y(y_axis, y - around), _y(y_axis, y + around)) if around else None
        title = f"{series.name}, {across} {x:g}: {values[x]}"
        pieces[-1].append(Mark(_x(x_axis, x), _y(y_axis, y), spread, title))
    marks = tuple(mark for piece in pieces for mark in piece)
    return Line(series.name, marks, tuple(tuple(piece) for piece in pieces), values)


@dataclass(frozen=True)
class Bar:
    """A small bar from 0: its places in a drawing 120 wide.

    Args:
        width: of the bar.
        interval: the ends of its whisker, or None.
        chance: where guessing would be, or None.
        seeds: a dot each.
    """

    width: float
    interval: tuple[float, float] | None
    chance: float | None
    seeds: tuple[float, ...]


def interval_bar(
    value: float,
    interval: tuple[float, float] | None,
    chance: float | None,
    top: float,
    each: Sequence[float | None] = (),
) -> Bar:
    """A bar from 0 to ``top``: the value, its interval, chance, and each seed's value where there are several."""
    scale = 120 / top
    return Bar(
        max(0.5, value * scale),
        (interval[0] * scale, interval[1] * scale) if interval else None,
        None if chance is None else chance * scale,
        tuple(seed * scale for seed in each if seed is not None) if len(each) > 1 else (),
    )

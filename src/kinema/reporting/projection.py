"""The queries laid out in the plane, for the encoder that is judged and for the one that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinema.reporting.report import Placed, Report, Row
from kinema.reporting.wording import natural

SIDE, EDGE = 400, 8


@dataclass(frozen=True)
class Dot:
    """A video: its place in the drawing, its name, and the number of its class, None where that is not known."""

    x: float
    y: float
    title: str
    class_number: int | None


@dataclass(frozen=True)
class Projection:
    """The section of layouts.

    Args:
        layouts: each encoder's title and the dots as it sees them.
        classes: by number, the class's name.
        hues: by number, the class's colour in degrees.
        method: how the queries were laid out.
        seed: that is shown of several; None where there is one alone.
        side: the width and height of each drawing.
    """

    layouts: tuple[tuple[str, list[Dot]], ...]
    classes: tuple[str, ...]
    hues: tuple[float, ...]
    method: str
    seed: int | None
    side: int = SIDE


def projection(report: Report) -> Projection | None:
    """The layouts of the encoders that are compared; None where none was stored."""
    answer = report.headline
    rows: dict[str, Row] = {}
    for row in report.leading_rows():
        if row.settings == answer.settings and row.view == answer.view and row.main.layout:
            rows.setdefault(row.encoder, row)
    untrained = [name for name in rows if report.vocabulary.is_untrained(name)]
    chosen = [rows[name] for name in (*untrained, answer.baseline, answer.candidate) if name in rows]
    chosen = list({id(row): row for row in chosen or list(rows.values())[:2]}.values())
    if not chosen:
        return None
    classes = sorted({dot.label for row in chosen for dot in row.main.layout if dot.label is not None}, key=natural)
    return Projection(
        tuple(
            (report.vocabulary.title(row.encoder), [_dot(dot, classes) for dot in row.main.layout]) for row in chosen
        ),
        tuple(classes),
        tuple(_hue(number, len(classes)) for number in range(len(classes))),
        chosen[0].main.layout_method,
        chosen[0].seed if report.several_seeds() else None,
    )


def _hue(number: int, classes: int) -> float:
    """A colour of its own for each class: hues evenly spaced, neighbours in the list far apart."""
    step = next((s for s in (7, 5, 3, 2) if classes % s), 1)
    return 360 * (number * step % classes) / classes


def _dot(dot: Placed, classes: Sequence[str]) -> Dot:
    x, y = (EDGE + (SIDE - 2 * EDGE) * value for value in (dot.x, 1 - dot.y))
    if dot.label is None:
        return Dot(x, y, dot.path, None)
    return Dot(x, y, f"{dot.label}: {dot.path}", classes.index(dot.label))

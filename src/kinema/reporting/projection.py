"""The queries laid out in the plane, for the encoder that is judged and for the one that it is held against."""

from __future__ import annotations

from collections.abc import Sequence

from kinema.core.vocabulary import Vocabulary
from kinema.reporting.markup import Markup, tag
from kinema.reporting.report import Placed, Report, Row
from kinema.reporting.wording import natural

SIDE, EDGE = 400, 8
ABOUT = (
    "Every dot is a video of the queries, its colour the class; what lies together is alike to the encoder. Point at a "
    "dot to see which video it is, or at a class’s name to see that class alone. A picture, not a measure: distances "
    "between far dots say nothing."
)


def projection(report: Report) -> Markup:
    """The section of layouts; nothing where none was stored."""
    answer = report.headline
    rows: dict[str, Row] = {}
    for row in report.leading_rows():
        if row.settings == answer.settings and row.view == answer.view and row.main.layout:
            rows.setdefault(row.encoder, row)
    untrained = [name for name in rows if report.vocabulary.is_untrained(name)]
    chosen = [rows[name] for name in (*untrained, answer.baseline, answer.candidate) if name in rows]
    chosen = list({id(row): row for row in chosen or list(rows.values())[:2]}.values())
    if not chosen:
        return Markup("")
    classes = sorted({dot.label for row in chosen for dot in row.main.layout if dot.label is not None}, key=natural)
    panels = [_panel(row, classes, report.vocabulary) for row in chosen]
    method = chosen[0].main.layout_method
    legend = [
        tag("li", tag("span", "●", class_="dot", aria_hidden="true"), name, style=_hue(n, classes), data_class=n)
        for n, name in enumerate(classes)
    ]
    parts = [tag("h2", "What lies together"), tag("p", ABOUT), tag("div", panels, class_="panels")]
    parts.append(tag("ul", legend, class_="legend hues") if legend else Markup(""))
    seeds = f" Of several seeds, seed {chosen[0].seed} is shown." if report.several_seeds() else ""
    return tag("section", parts, tag("p", f"{method}.{seeds}", class_="caption"), class_="layouts")


def _hue(number: int, classes: Sequence[str]) -> str:
    """A colour of its own for each class: hues evenly spaced, neighbours in the list far apart."""
    step = next((s for s in (7, 5, 3, 2) if len(classes) % s), 1)
    return f"--hue:{360 * (number * step % len(classes)) / len(classes):.0f}"


def _panel(row: Row, classes: Sequence[str], vocabulary: Vocabulary) -> Markup:
    dots = [_dot(dot, classes) for dot in row.main.layout]
    title = vocabulary.title(row.encoder)
    drawing = tag(
        "svg",
        *dots,
        viewBox=f"0 0 {SIDE} {SIDE}",
        role="img",
        aria_label=f"{len(dots)} videos as {title} sees them, laid out in the plane by likeness.",
        class_="chart layout",
    )
    heading = tag("figcaption", tag("strong", title))
    return tag("figure", heading, drawing, class_="panel")


def _dot(dot: Placed, classes: Sequence[str]) -> Markup:
    x, y = (EDGE + (SIDE - 2 * EDGE) * value for value in (dot.x, 1 - dot.y))
    number = classes.index(dot.label) if dot.label is not None else None
    name = dot.path if dot.label is None else f"{dot.label}: {dot.path}"
    mark = tag("circle", cx=x, cy=y, r=3.2, class_="dot")
    style = None if number is None else _hue(number, classes)
    return tag("g", tag("title", name), mark, class_="mark", style=style, data_class=number)

"""The results of a search: a table, CSV, and a chart as SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from kinema.core.files import csv_cell
from kinema.core.printing import Table
from kinema.evolving.history import Candidate

WIDTH, LEFT, TOP, HEIGHT, ROW = 760, 210, 40, 240, 20
COLUMNS = ("number", "generation", "fitness", "hard", "rank", "spread", "loss", "seconds", "reason")
GENERATIONS = ("#00796b", "#c2703d")
"""Colours of the dots, by turns."""


def table(found: Sequence[Candidate], best: Candidate, rows: int = 12) -> Table:
    """The best candidates, the failed ones after them."""
    made = Table("candidate", "generation", "fitness", "rank", "spread", "heaviest parts, or why it failed")
    ordered = sorted(found, key=lambda each: (each.fitness is None, each.fitness, each.number))
    for each in ordered[:rows]:
        heavy = sorted(each.weights, key=lambda name: -each.weights[name])[:2]
        note = each.reason or ", ".join(f"{name} {each.weights[name]:.2f}" for name in heavy)
        figures = ["–" if x is None else f"{x:.{digits}f}" for x, digits in zip(_figures(each), (4, 1, 3), strict=True)]
        style = "bold" if each.number == best.number else None
        made.add_row(str(each.number), str(each.generation), *figures, note, style=style)
    if len(ordered) > rows:
        made.caption = f"{len(ordered) - rows} more in history.csv"
    return made


def _figures(each: Candidate) -> tuple[float | None, float | None, float | None]:
    return each.fitness, each.rank, each.spread


def as_csv(found: Sequence[Candidate]) -> str:
    """A line a candidate: its figures, then its weights, a column a part."""
    names = list(found[0].weights)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*COLUMNS, *names])
    for each in found:
        values: list[Any] = ["" if getattr(each, name) is None else getattr(each, name) for name in COLUMNS]
        writer.writerow([*(csv_cell(value) for value in values), *each.weights.values()])
    return file.getvalue()


def chart(found: Sequence[Candidate], best: Candidate) -> str:
    """Fitness of every candidate with the best so far, and the weights of the best, as one SVG file."""
    names = list(best.weights)
    height = TOP + HEIGHT + 70 + ROW * len(names)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>Search for the weights of ELo</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *_course(found),
        *_weights(best, TOP + HEIGHT + 60),
    ]
    return "\n".join([*out, "</svg>"]) + "\n"


def _course(found: Sequence[Candidate]) -> list[str]:
    """Dots by candidate, crosses for those that failed, a line for the best so far."""
    values = [each.fitness for each in found if each.fitness is not None]
    low, high = min(values), max(values)
    margin = (high - low or abs(high) or 1.0) * 0.1
    low, high, left, right = low - margin, high + margin, 70, WIDTH - 20

    def y(value: float) -> float:
        return TOP + HEIGHT * (1 - (value - low) / (high - low))

    def x(number: int) -> float:
        return left + (right - left) * (number + 0.5) / len(found)

    out = [f'<text x="{left}" y="{TOP - 18}">fitness, nats: less is nearer to Zipf\'s law; × failed</text>']
    for step in range(5):
        value = low + (high - low) * step / 4
        out.append(f'<path d="M{left} {y(value):.1f}H{right}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    path, so_far = "", float("inf")
    for each in found:
        if each.fitness is None:
            reason = escape(f"candidate {each.number}: {each.reason}")
            out.append(
                f'<text x="{x(each.number):.1f}" y="{TOP + 6}" text-anchor="middle">×<title>{reason}</title></text>'
            )
        else:
            so_far = min(so_far, each.fitness)
            colour = GENERATIONS[each.generation % 2]
            out.append(
                f'<circle cx="{x(each.number):.1f}" cy="{y(each.fitness):.1f}" r="4" fill="{colour}">'
                f"<title>candidate {each.number}, generation {each.generation}: {each.fitness:.4f}</title></circle>"
            )
        if so_far < float("inf"):
            path += f"{'L' if path else 'M'}{x(each.number):.1f} {y(so_far):.1f}"
    out.append(f'<path d="{path}" fill="none" stroke="#333" stroke-dasharray="4 3"/>')
    label = f"candidates 0 to {len(found) - 1}, the colour changes with the generation; dashed: the best so far"
    return [*out, f'<text x="{left}" y="{TOP + HEIGHT + 20}">{label}</text>']


def _weights(best: Candidate, top: float) -> list[str]:
    """A bar a part of the best candidate."""
    out = [f'<text x="{LEFT}" y="{top - 8}">λ of candidate {best.number}, the best ({best.fitness:.4f})</text>']
    for place, (name, weight) in enumerate(best.weights.items()):
        y, length = top + ROW * place, (WIDTH - LEFT - 80) * weight
        out.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        out.append(f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="{ROW - 6}" fill="#00796b"/>')
        out.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 13}">{weight:.2f}</text>')
    return out

"""The table of claims as Markdown and its charts as SVG."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PARTS = ("matched", "unbiased", "swapped")
COLOURS = {"matched": "#8fb7c9", "unbiased": "#00796b", "swapped": "#c2703d"}
Cells = Mapping[str, Mapping[str, Any]]


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, in the points of a hundred."""
    if not values:
        return ""
    mean = f"{100 * statistics.mean(values):.1f}"
    return mean + (f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else "")


def of(cells: Cells, name: str, row: str, figure: str, part: str) -> list[float]:
    """One figure of a row over the seeds that are there."""
    keys = [key for key in cells if key.split()[0] == name and key.split()[2] == row]
    return [cells[key][figure][part] for key in sorted(keys) if part in cells[key][figure]]


def reliance(cells: Cells, name: str, row: str) -> list[float]:
    """Linear accuracy matched minus swapped, seed by seed."""
    pairs = (of(cells, name, row, "linear", part) for part in ("matched", "swapped"))
    return [a - b for a, b in zip(*pairs, strict=True)]


def names_of(cells: Cells) -> list[str]:
    """The sets that have cells, in order."""
    return sorted({key.split()[0] for key in cells})


def rows_of(cells: Cells, name: str) -> list[str]:
    """The rows of a set, in the order in which they were filled."""
    found: dict[str, None] = {}
    for key in cells:
        if key.split()[0] == name:
            found.setdefault(key.split()[2])
    return sorted(found, key=lambda row: (row != "random", row.startswith("cpr"), list(found).index(row)))


def tables(cells: Cells) -> str:
    """A table a set: R@1 and linear accuracy a part, and scene reliance."""
    text = []
    for name in names_of(cells):
        parts = [
            part for part in (*PARTS, "tom") if any(of(cells, name, row, "r@1", part) for row in rows_of(cells, name))
        ]
        scenes = {"matched", "swapped"} <= set(parts)
        head = [f"{name}", "seeds", *(f"R@1 {p}" for p in parts), *(f"linear {p}" for p in parts)]
        head += ["scene reliance"] if scenes else []
        text += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for row in rows_of(cells, name):
            figures = [spread(of(cells, name, row, figure, part)) for figure in ("r@1", "linear") for part in parts]
            line = [row, str(len(of(cells, name, row, "r@1", parts[0]))), *figures]
            line += [spread(reliance(cells, name, row))] if scenes else []
            text.append("| " + " | ".join(line) + " |")
        text.append("")
    return "\n".join(text)


def charts(cells: Cells, folder: Path) -> None:
    """R@1 on each part, a group of bars a row; a file a set: claims-video-SET.svg."""
    for name in names_of(cells):
        parts = [part for part in PARTS if any(of(cells, name, row, "r@1", part) for row in rows_of(cells, name))]
        if parts:
            folder.mkdir(exist_ok=True)
            (folder / f"claims-video-{name}.svg").write_text(bars(cells, name, parts), encoding="utf-8")


def bars(cells: Cells, name: str, parts: Sequence[str]) -> str:
    """The chart of one set: a bar the mean over seeds, a line from the lowest to the highest seed."""
    rows, height, left, top, step = rows_of(cells, name), 260, 40, 30, 22
    group = step * len(parts) + 18
    width = left + group * len(rows) + 10
    base = top + height

    def y(value: float) -> float:
        return base - value * height

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {base + 40}" font-family="sans-serif" '
        f'font-size="11" role="img"><title>Retrieval R@1, {name}</title>',
        f'<rect width="{width}" height="{base + 40}" fill="#fff"/>',
    ]
    told = "asl_letters24" if name == "asl" else f"Mocap-15, bias {name.removeprefix('bias')}"
    out.append(f'<text x="{width - 10}" y="17" text-anchor="end">R@1 in %, {told}</text>')
    for tick in range(0, 101, 20):
        out.append(f'<path d="M{left} {y(tick / 100):.1f}H{width - 10}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y(tick / 100) + 4:.1f}" text-anchor="end">{tick}</text>')
    for number, part in enumerate(parts):
        x = left + 90 * number
        out.append(f'<rect x="{x}" y="8" width="11" height="11" fill="{COLOURS[part]}"/>')
        out.append(f'<text x="{x + 16}" y="17">{part}</text>')
    for place, row in enumerate(rows):
        start = left + 9 + group * place
        for number, part in enumerate(parts):
            values = of(cells, name, row, "r@1", part)
            if not values:
                continue
            mean, x = statistics.mean(values), start + step * number
            out.append(
                f'<rect x="{x}" y="{y(mean):.1f}" width="{step - 4}" height="{mean * height:.1f}" '
                f'fill="{COLOURS[part]}">'
                f"<title>{row}, {part}: {spread(values)}</title></rect>"
            )
            if len(values) > 1:
                middle = x + (step - 4) / 2
                out.append(f'<path d="M{middle} {y(min(values)):.1f}V{y(max(values)):.1f}" stroke="#222"/>')
        out.append(
            f'<text x="{start + step * len(parts) / 2 - 2:.0f}" y="{base + 18}" text-anchor="middle">{row}</text>'
        )
    return "\n".join([*out, "</svg>"]) + "\n"

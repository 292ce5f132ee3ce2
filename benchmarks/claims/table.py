"""The table of claims as Markdown and its charts as SVG."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import paired

PARTS = ("matched", "unbiased", "swapped")
KINDS = {
    "bias": "",
    "rest": "camera at rest, ",
    "room": "camera at rest, videos twice as long, ",
    "long": "three times the epochs, ",
    "more": "four times the training videos, ",
}
"""How the sets of Mocap-15 are told apart: four letters, then the bias; and as people say it."""
UNKNOWN = ("R@1, mean of the parts unbiased", "R@1, worst part", "linear, mean", "linear, worst part")
ROWS = {
    "random": "untrained",
    "moco": "MoCo",
    "moco-one-window": "MoCo, one window",
    "moco-with-frame": "MoCo, with still frame",
    "simclr": "SimCLR",
    "be": "BE",
    "be-two-windows": "BE, two windows",
    "be-foreign-frame": "BE, foreign frame",
    "be-without-negative": "BE, without negative",
    "be-without-frame": "BE, without frame",
    "be-far": "BE, negative a third away",
    "be-unweighed": "BE, own negative as one of the batch",
    "dsm": "DSM",
    "dsm-two-windows": "DSM, two windows",
    "dsm-unweighed": "DSM, own negative as one of the batch",
    "dsm-elsewhere": "DSM, the released negative",
    "cmd": "CMD",
    "cmd-context": "CMD, the context alone",
    "cmd-motion": "CMD, the motion alone",
    "cmd-low-temperature": "CMD, temperature .1 at once",
    "cmd-clip-geometry": "CMD, keyframe in the clip's crop",
    "cmd-context-clip-geometry": "CMD, the context alone in the clip's crop",
    "cpr": "CPR",
    "cpr+be": "CPR on BE",
    "cpr+dsm": "CPR on DSM",
    "cpr+cmd": "CPR on CMD",
}
"""The rows in their order, as people call them."""
AGAINST = {
    "be": ("be-without-frame", "moco", "be-unweighed", "be-far"),
    "be-far": ("be-without-frame", "moco"),
    "dsm": ("be-without-frame", "moco", "dsm-elsewhere", "dsm-unweighed"),
    "cmd": ("moco", "cmd-context", "cmd-motion", "cmd-clip-geometry"),
    "cmd-context": ("cmd-context-clip-geometry",),
    "simclr": ("moco",),
    "be-without-frame": ("moco",),
    "cpr": ("moco", "simclr"),
    "cpr+be": ("be", "cpr"),
    "cpr+dsm": ("dsm", "cpr"),
    "cpr+cmd": ("cmd", "cpr"),
}
"""What each row is held against, seed by seed: what its authors held it against, and what it is built on."""
FIGURES = {
    "r@1": "R@1",
    "linear": "linear",
    "finetune": "fine-tuned, all labels",
    "finetune10": "fine-tuned, a tenth of the labels",
}
"""The figures of a cell, as people call them."""
COLOURS = {"matched": "#8fb7c9", "unbiased": "#00796b", "swapped": "#c2703d", "tom": "#00796b"}
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
    """The sets that have rows to compare, in order."""
    return [name for name in sorted({key.split()[0] for key in cells}) if len(rows_of(cells, name)) > 1]


def rows_of(cells: Cells, name: str) -> list[str]:
    """The rows of a set, in a fixed order."""
    return sorted({key.split()[2] for key in cells if key.split()[0] == name}, key=[*ROWS].index)


def parts_of(cells: Cells, name: str) -> list[str]:
    """The parts of the test that a set has, in order: of Mocap-15 three, of asl_letters24 the other person."""
    return [part for part in COLOURS if any(of(cells, name, row, "r@1", part) for row in rows_of(cells, name))]


def without_changes(cells: Cells) -> dict[str, Mapping[str, Any]]:
    """The cells of methods as they are."""
    return {key: figures for key, figures in cells.items() if "-" not in key.split()[2]}


def with_changes(cells: Cells) -> dict[str, Mapping[str, Any]]:
    """The cells of methods of which one thing was changed, and of the same unchanged with the same set and seed."""
    changed = [key for key in cells if "-" in key.split()[2]]
    wanted = {*changed, *(" ".join([*key.split()[:2], key.split()[2].partition("-")[0]]) for key in changed)}
    return {key: figures for key, figures in cells.items() if key in wanted}


def tables(cells: Cells) -> str:
    """A table a set: R@1 and linear accuracy a part, and scene reliance; then those in which one thing was changed."""
    made = [table(some, name) for some in (without_changes(cells), with_changes(cells)) for name in names_of(some)]
    for name in names_of(cells):
        tuned = after_fine_tuning(cells, name)
        made += [tuned, *paired_tables(cells, name)] if tuned else []
    return "\n\n".join(each for each in [*made, unknown_bias(without_changes(cells))] if each)


def table(cells: Cells, name: str) -> str:
    """The table of one set, the best mean of a column in bold; scene reliance where the scene tells something."""
    rows, biased = rows_of(cells, name), name[:4] in KINDS and bias_of(name) != "0"
    parts = parts_of(cells, name)
    columns = [[of(cells, name, row, figure, part) for row in rows] for figure in ("r@1", "linear") for part in parts]
    columns += [[reliance(cells, name, row) for row in rows]] if biased else []
    seeds = [str(len(of(cells, name, row, "r@1", parts[0]))) for row in rows]
    told = [written(column, max) for column in columns[: 2 * len(parts)]]
    told += [written(column, min) for column in columns[2 * len(parts) :]]
    head = [set_title(name), "seeds"]
    for figure in ("R@1", "linear"):
        head += [f"{figure} {part}" if number == 0 else part for number, part in enumerate(parts)]
    head += ["scene reliance"] if biased else []
    lines = ["| " + " | ".join(line) + " |" for line in zip((ROWS[row] for row in rows), seeds, *told, strict=True)]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines])


def after_fine_tuning(cells: Cells, name: str) -> str:
    """The accuracy on each part after fine-tuning, with all labels and with a tenth; of the rows that have it."""
    cells = {key: figures for key, figures in cells.items() if key.split()[0] == name and "finetune" in figures}
    if not cells:
        return ""
    rows, parts = rows_of(cells, name), parts_of(cells, name)
    columns = [
        [of(cells, name, row, figure, part) for row in rows] for figure in ("finetune", "finetune10") for part in parts
    ]
    seeds = [str(len(of(cells, name, row, "finetune", parts[0]))) for row in rows]
    head = [f"{set_title(name)}, after fine-tuning", "seeds"]
    for labels in ("all labels", "a tenth"):
        head += [f"{labels}: {part}" if number == 0 else part for number, part in enumerate(parts)]
    told = [written(column, max) for column in columns]
    lines = ["| " + " | ".join(line) + " |" for line in zip((ROWS[row] for row in rows), seeds, *told, strict=True)]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines])


def comparisons(cells: Cells, name: str, figure: str, part: str) -> list[paired.Comparison]:
    """The rows of a set held against others on one part of the test, over the seeds that both have."""
    made = [
        paired.Comparison(
            f"{ROWS[row]} − {ROWS[other]}", *(by_seed(cells, name, each, figure, part) for each in (row, other))
        )
        for row, others in AGAINST.items()
        for other in others
    ]
    return [each for each in made if each.each]


def paired_tables(cells: Cells, name: str) -> list[str]:
    """How far apart the rows of a set are: a table a figure, of the parts that mislead."""
    made = []
    for figure, told in FIGURES.items():
        for part in ("swapped", "unbiased"):
            rows = comparisons(cells, name, figure, part)
            made += [paired.table(rows, f"{told}, {set_title(name)}, `{part}`")] if rows else []
    return made


def by_seed(cells: Cells, name: str, row: str, figure: str, part: str) -> dict[int, float]:
    """One figure of a row, by its seed."""
    found = {}
    for key, figures in cells.items():
        where, seed, which = key.split()
        if (where, which) == (name, row) and part in figures.get(figure, {}):
            found[int(seed.removeprefix("seed"))] = figures[figure][part]
    return found


def unknown_bias(cells: Cells) -> str:
    """What to expect of a method where nobody knows the bias: over all biases of which no row is missing."""
    there = {name: rows_of(cells, name) for name in names_of(cells) if name.startswith("bias")}
    rows = [row for row in ROWS if any(row in some for some in there.values())]
    names = [name for name, some in there.items() if len(some) == len(rows)]
    if not names:
        return ""
    lines = ["| " + " | ".join(["bias " + ", ".join(map(bias_of, names)), *UNKNOWN]) + " |"]
    columns: list[list[list[float]]] = []
    for figure in ("r@1", "linear"):
        means = {
            (row, name, part): statistics.mean(of(cells, name, row, figure, part))
            for row in rows
            for name in names
            for part in PARTS
        }
        columns += [[[statistics.mean(means[row, name, "unbiased"] for name in names)] for row in rows]]
        columns += [[[min(means[row, name, part] for name in names for part in PARTS)] for row in rows]]
    told = [written(column, max) for column in columns]
    lines += ["|" + "---|" * (1 + len(UNKNOWN))]
    return "\n".join(
        lines + ["| " + " | ".join(line) + " |" for line in zip((ROWS[row] for row in rows), *told, strict=True)]
    )


def written(column: Sequence[Sequence[float]], best: Callable[[Sequence[float]], float]) -> list[str]:
    """Mean ± standard deviation of each row, that with the best mean in bold."""
    means = [round(statistics.mean(values), 4) for values in column]
    return [
        f"**{spread(values)}**" if mean == best(means) else spread(values)
        for mean, values in zip(means, column, strict=True)
    ]


def set_title(name: str) -> str:
    """A set as people call it."""
    return f"{KINDS[name[:4]]}bias {bias_of(name)}" if name[:4] in KINDS else "asl_letters24"


def bias_of(name: str) -> str:
    """The bias in a set's name, as it is written: '.95'."""
    return name[4:].removeprefix("0") or "0"


def charts(cells: Cells, folder: Path) -> None:
    """R@1 on each part, a group of bars a method; a file a set: claims-video-SET.svg."""
    cells = without_changes(cells)
    for name in names_of(cells):
        folder.mkdir(exist_ok=True)
        chart = bars(cells, name, parts_of(cells, name))
        (folder / f"claims-video-{name}.svg").write_text(chart, encoding="utf-8")


def bars(cells: Cells, name: str, parts: Sequence[str]) -> str:
    """The chart of one set: a bar the mean over seeds, a line from the lowest to the highest seed."""
    rows, height, left, top, step = rows_of(cells, name), 260, 40, 48, 22
    group = max(step * len(parts) + 18, 80)
    width = max(left + group * len(rows) + 10, 320)
    base = top + height

    def y(value: float) -> float:
        return base - value * height

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {base + 40}" font-family="sans-serif" '
        f'font-size="11" role="img"><title>Retrieval R@1, {set_title(name)}</title>',
        f'<rect width="{width}" height="{base + 40}" fill="#fff"/>',
    ]
    told = set_title(name) if name == "asl" else f"Mocap-15, {set_title(name)}"
    out.append(f'<text x="{left}" y="15">R@1 in %, {told}</text>')
    for tick in range(0, 101, 20):
        out.append(f'<path d="M{left} {y(tick / 100):.1f}H{width - 10}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y(tick / 100) + 4:.1f}" text-anchor="end">{tick}</text>')
    for number, part in enumerate(parts):
        key = left + 90 * number
        out.append(f'<rect x="{key}" y="24" width="11" height="11" fill="{COLOURS[part]}"/>')
        out.append(f'<text x="{key + 16}" y="33">{part}</text>')
    for place, row in enumerate(rows):
        middle = left + group * (place + 0.5)
        start = middle + 2 - step * len(parts) / 2
        for number, part in enumerate(parts):
            values = of(cells, name, row, "r@1", part)
            if not values:
                continue
            mean, x = statistics.mean(values), start + step * number
            out.append(
                f'<rect x="{x:g}" y="{y(mean):.1f}" width="{step - 4}" height="{mean * height:.1f}" '
                f'fill="{COLOURS[part]}">'
                f"<title>{ROWS[row]}, {part}: {spread(values)}</title></rect>"
            )
            if len(values) > 1:
                across = x + (step - 4) / 2
                out.append(f'<path d="M{across:g} {y(min(values)):.1f}V{y(max(values)):.1f}" stroke="#222"/>')
        out.append(f'<text x="{middle:.0f}" y="{base + 18}" text-anchor="middle">{ROWS[row]}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"

"""Does the demonstration decide? The same demonstration with one seed after another, and what each page said.

    python benchmarks/demo_seeds.py OUT                  seeds 0 to 9, one after the other; each is one `kinema demo`
    python benchmarks/demo_seeds.py OUT --seeds 0 1 2    fewer; --minutes stops by itself between two
    python benchmarks/demo_seeds.py OUT --table          trains nothing: prints the table of what is there

A cell is a page: R@1 of each encoder, the verdict, and CPR's lead over InfoNCE with its 95 % interval over the queries,
as the page has them. Beside them stands what two views come to: CPR's RGB with its guide, InfoNCE's RGB with the same
guide, and the difference, query by query. All seeds share the data set. A command that was stopped goes on where it
was; the figures are in results/demo-seeds.json.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import record
from numpy.typing import NDArray
from rich.console import Console

from kinema import api
from kinema.api.demonstration import PART, demo_config, demo_data, run_demo
from kinema.api.evaluation import model_store
from kinema.data import Manifest
from kinema.data.clips.joined import JoinedModel
from kinema.evaluation import retrieve
from kinema.evaluation.interval import mean_interval
from kinema.protocols.labels import class_names, label_numbers, source_numbers, with_classes
from kinema.protocols.parts import split_parts

console = Console(stderr=True)
NAME = "demo-seeds"
ROWS = {
    ("random", "rgb"): "untrained",
    ("infonce", "rgb"): "InfoNCE",
    ("cpr", "rgb"): "CPR",
    ("infonce", "motion"): "the guide",
    ("cpr", "rgb+motion"): "CPR, both views",
}
"""What a page has of each encoder and view, and its column."""


def cell(name: str, seed: int, row: str, out: Path) -> dict[str, Any]:  # noqa: ARG001 - the table has one set and row
    """One demonstration."""
    data = out / "mocap-15"
    done = run_demo(out / f"seed{seed}", seed=seed, data=data, console=console)
    told = json.loads(done.page.with_suffix(".json").read_text(encoding="utf-8"))
    head = told["headline"]
    found: dict[str, Any] = {key: head[key] for key in ("verdict", "short", "lead", "lead_interval")}
    found["r@1"] = {
        title: figure["metrics"]["r@1"]
        for each in told["rows"]
        if each["protocol"] == "retrieval" and (title := ROWS.get((each["encoder"], each["view"])))
        for figure in each["figures"][:1]
    }
    manifest = demo_data(data, demo_config(), console)
    hits = {run: both(done.page.parent / "runs", run, manifest, out / "cache") for run in ("cpr-motion", "infonce")}
    found["r@1"]["InfoNCE with the guide"] = float(hits["infonce"].mean())
    lead = hits["cpr-motion"] - hits["infonce"]
    found |= {"both_lead": float(lead.mean()), "both_interval": list(mean_interval(lead, seed))}
    runs = (done.page.parent / "runs").glob("*/phases/*/phase.json")
    return {**found, "train_seconds": sum(json.loads(each.read_text())["seconds"] for each in runs)}


def both(runs: Path, run: str, manifest: Manifest, cache: Path) -> NDArray[np.float64]:
    """Whether each query finds its class first by a run's RGB beside CPR's guide."""
    guide = api.load(runs / "cpr-motion", view="motion")
    model = JoinedModel([api.load(runs / run, view="rgb"), guide])
    parts, gallery = split_parts(with_classes(manifest), {"part": PART}, None)
    asked = next(iter(parts.values()))
    names, sources = class_names(asked, gallery), source_numbers(asked, gallery)
    query, rows = (model.features(model_store(each, model, cache=cache)).encoded for each in (asked, gallery))
    figures = retrieve(
        query,
        rows,
        label_numbers(asked, names),
        label_numbers(gallery, names),
        query_sources=sources[0],
        gallery_sources=sources[1],
        parts=model.parts,
        seed=model.seed,
    )
    return np.asarray(figures.first == 1, dtype=np.float64)


def points(value: float) -> str:
    """A difference in points of a hundred."""
    return f"{'−' if value < 0 else '+'}{abs(100 * value):.1f}"


def table(cells: Mapping[str, Mapping[str, Any]]) -> str:
    """The pages as Markdown, a line a seed, then how many decided."""
    columns = [*ROWS.values(), "InfoNCE with the guide"]
    head = ["seed", *columns, "CPR − InfoNCE, RGB [95 %]", "the page says", "with the guide: CPR − InfoNCE [95 %]"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * len(columns) + "---|" * 3]
    for key, each in sorted(cells.items(), key=lambda item: int(item[0].split()[1].removeprefix("seed"))):
        told = [f"{100 * each['r@1'][column]:.1f}" for column in columns]
        told += [interval(each["lead"], each["lead_interval"]), each["short"]]
        told += [interval(each["both_lead"], each["both_interval"])]
        lines.append("| " + " | ".join([key.split()[1].removeprefix("seed"), *told]) + " |")
    return "\n".join(lines)


def interval(value: float, bounds: list[float]) -> str:
    """'+9.6 [+2.1, +17.0]'."""
    return f"{points(value)} [{', '.join(map(points, bounds))}]"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(10)])
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--table", action="store_true", help="train nothing: print the table")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    found = record.filled(
        NAME,
        "python benchmarks/demo_seeds.py OUT",
        [] if arguments.table else [("demo", seed, "page") for seed in arguments.seeds],
        functools.partial(cell, out=arguments.out),
        minutes=arguments.minutes,
        tell=lambda key, figures: console.print(f"{key}: {figures['short']}", highlight=False),
    )
    print(table(found))


if __name__ == "__main__":
    main()

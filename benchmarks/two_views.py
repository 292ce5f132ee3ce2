"""R@1 of each view of finished runs, and of the views side by side; runs that differ in the seed are averaged.

    python benchmarks/two_views.py RUN [RUN …] DATA [--view rgb+motion] [--query part=unbiased]

Side by side is what ``view="rgb+motion"`` gives: the cosine of such embeddings is the mean of the cosines of the views,
so ranks are those of the sum of their scores. Beside it stands what the features as the encoders give them come to, put
side by side without a common length. Nothing is written into the runs. Writes
benchmarks/results/two-views.json (--name for another).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from rich.console import Console
from rich.table import Table

from kinema import api
from kinema.api.evaluation import model_store
from kinema.data import Manifest
from kinema.data.clips.joined import JoinedModel
from kinema.evaluation import bootstrap_interval, retrieve
from kinema.protocols.labels import class_names, label_numbers, source_numbers, with_classes
from kinema.protocols.parts import split_parts

UNSCALED = "side by side, unscaled"


def measured(run: Path, manifest: Manifest, view: str, query: dict[str, str] | None, cache: Path) -> dict[str, Any]:
    """R@1 of a run by each of the views, by both, and by both unscaled, with a 95 % interval over the queries."""
    model: JoinedModel = api.load(run, view=view)
    parts, gallery = split_parts(with_classes(manifest), query, None)
    selection, asked = next(iter(parts.items()))
    names, sources = class_names(asked, gallery), source_numbers(asked, gallery)
    found = [model.features(model_store(each, model, cache=cache)).encoded for each in (asked, gallery)]
    cuts = {view: (found, model.parts), UNSCALED: (found, (model.dim,))}
    apart = [torch.split(each, list(model.parts), dim=1) for each in found]
    cuts |= {own: ([each[at] for each in apart], (model.parts[at],)) for at, own in enumerate(model.views)}
    rows: dict[str, Any] = {}
    for name, ((q, g), widths) in cuts.items():
        figures = retrieve(
            q,
            g,
            label_numbers(asked, names),
            label_numbers(gallery, names),
            query_sources=sources[0],
            gallery_sources=sources[1],
            parts=widths,
            seed=model.seed,
        )
        hit = torch.from_numpy(figures.first == 1)
        rows[name] = {"r@1": figures.metrics["r@1"], "interval": list(bootstrap_interval(hit, model.seed))}
    about = {"encoder": model.name, "seed": model.seed, "queries": len(asked), "gallery": len(gallery)}
    return {**about, "selection": selection, "views": rows}


def main() -> int:
    """Measures the runs and prints a row a view."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("data", type=Path)
    parser.add_argument("--view", default="rgb+motion")
    parser.add_argument("--query", nargs="+", default=None)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--name", default="two-views", help="of the file of results")
    asked = parser.parse_args()
    query = None if asked.query is None else dict(each.split("=", 1) for each in asked.query)
    manifest = api.open_named(asked.data)
    runs = [measured(run, manifest, asked.view, query, api.cache_folder(asked.cache)) for run in asked.runs]
    views = [*asked.view.split("+"), asked.view, UNSCALED]
    table = Table("view", *(f"seed {run['seed']}" for run in runs), "mean ± std")
    for name in views:
        values = [run["views"][name]["r@1"] for run in runs]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        table.add_row(name, *(f"{value:.3f}" for value in values), f"{np.mean(values):.3f}{spread}")
    Console().print(table)
    where = "" if query is None else f" --query {' '.join(asked.query)}"
    command = f"python benchmarks/two_views.py {'RUN ' * len(runs)}DATA --view {asked.view}{where}"
    record.write(asked.name, command, data=asked.data.name, runs=runs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

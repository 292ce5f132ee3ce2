"""k-means over the features of a whole training set: scikit-learn's mini-batches against faiss, in time and memory.

    python benchmarks/clustering.py [--rows 200000] [--dim 512] [--clusters 64 256] [--share VIDEOS]

Features are noise about ten times as many middles as there are clusters, L2-normalised, as XDC hands them over. Each
cell is a process of its own; extra memory is what its resident set grows by during the call (Linux only), and the
figure of quality is the mean squared distance to the own cluster's middle, so that time is not bought with it.

--share VIDEOS also trains XDC on these videos for two epochs and tells what part of its time a refresh is: features of
all videos in both views, and their clusters.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import record
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import normalize

from kinema.mining import Engine, cluster

ENGINES: tuple[Engine, ...] = ("sklearn", "faiss")


def features(rows: int, dim: int, clusters: int, seed: int) -> torch.Tensor:
    """Noise about middles, float [rows, dim], L2-normalised."""
    draw = torch.Generator().manual_seed(seed)
    middles = normalize(torch.randn(10 * clusters, dim, generator=draw), dim=1)
    x = middles[torch.randint(len(middles), (rows,), generator=draw)]
    return normalize(x + 0.7 / dim**0.5 * torch.randn(rows, dim, generator=draw), dim=1)


def peak(*, forget: bool = False) -> int:
    """The largest resident set of this process so far, in bytes; after ``forget``, since then."""
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def cell(rows: int, dim: int, clusters: int, engine: Engine, seed: int, answer: Any) -> None:
    """Clusters once, and puts what that took into a queue."""
    x = features(rows, dim, clusters, seed)
    cluster(x[: 20 * clusters], clusters, seed=0, engine=engine)  # imports and warms up
    before = peak(forget=True)
    began = time.perf_counter()
    found = cluster(x, clusters, seed=seed, engine=engine)
    seconds = time.perf_counter() - began
    grown = peak() - before
    sums = torch.zeros(clusters, dim).index_add_(0, found.labels, x)
    middles = sums / torch.bincount(found.labels, minlength=clusters)[:, None]
    distance = float((x - middles[found.labels]).square().sum(dim=1).mean())
    smallest = int(torch.bincount(found.labels, minlength=clusters).min())
    answer.put({"seconds": seconds, "extra_bytes": grown, "distance": distance, "smallest": smallest})


def measured(rows: int, dim: int, clusters: int, engine: Engine, seed: int) -> dict[str, Any]:
    """A cell in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer: Any = context.Queue()
    process = context.Process(target=cell, args=(rows, dim, clusters, engine, seed, answer))
    process.start()
    found: dict[str, Any] = answer.get()
    process.join()
    return {"rows": rows, "dim": dim, "clusters": clusters, "engine": engine, "seed": seed, **found}


def share(videos: Path) -> dict[str, float]:
    """What a refresh takes of an epoch of XDC, by the clock, if there is one before every epoch."""
    from dataclasses import replace

    from kinema import api
    from kinema.recipes.changes import changed
    from kinema.recipes.table import preset
    from kinema.training.loop import PhaseLoop

    spent: list[float] = []
    refresh = PhaseLoop._refresh

    def timed(self: PhaseLoop, epoch: int) -> None:
        began = time.perf_counter()
        refresh(self, epoch)
        spent.append(time.perf_counter() - began)

    PhaseLoop._refresh = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        plan = preset("small", "xdc")
        plan = changed(replace(plan, epochs=2), {"method": {"every": 1}})
        done = api.pretrain(plan, videos, Path(folder) / "run", cache=Path(folder) / "cache", logger="none")
    epoch = done.seconds / done.epochs
    return {"epoch_seconds": epoch, "refresh_seconds": spent[-1], "share": spent[-1] / (spent[-1] + epoch)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--clusters", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--share", type=Path, help="videos with sound")
    parser.add_argument("--name", default="clustering", help="of the file in results, for trials")
    asked = parser.parse_args()
    cells = [
        measured(asked.rows, asked.dim, clusters, engine, seed)
        for seed in asked.seeds
        for clusters in asked.clusters
        for engine in ENGINES
    ]
    told = {} if asked.share is None else {"refresh": share(asked.share)}
    command = f"python benchmarks/clustering.py --rows {asked.rows} --dim {asked.dim}"
    record.write(asked.name, command, ("scikit-learn", "faiss-cpu"), cells=cells, **told)
    table = Table("rows", "dim", "clusters", "engine", "seed", "seconds", "extra MB", "distance", "smallest")
    for each in cells:
        figures = [f"{each['seconds']:.2f}", f"{each['extra_bytes'] / 1e6:.0f}", f"{each['distance']:.4f}"]
        names = [str(each[name]) for name in ("rows", "dim", "clusters", "engine", "seed")]
        table.add_row(*names, *figures, str(each["smallest"]))
    Console().print(table)
    if told:
        Console().print({name: round(value, 3) for name, value in told["refresh"].items()})


if __name__ == "__main__":
    main()

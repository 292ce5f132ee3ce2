"""How long the cascade takes, against the two matrix products it starts from.

Three ways to mine the same entries, each timed with its products: kinema's selection by threshold; a top-k and a gather
on the score matrices at every stage; a loop over the samples that gathers features at every stage, which is how the
authors' released code goes about it. The goal is at most three times the time of the products alone.

    python benchmarks/cascade.py [--repeats 21] [--threads 2] [--candidates 65536] ...

Repeats of the rows are interleaved, so that whatever else the machine does falls on all of them alike. Peak extra
memory is what a fresh process's resident set grows by during one call, products included (Linux only).
"""

from __future__ import annotations

import argparse
import multiprocessing
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import record
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import normalize

from kinema.mining import cascade, cascade_sizes, stage_views

GOAL = 3.0
SLOW = "loop over samples"


@dataclass(frozen=True)
class Setting:
    """One problem: B queries, K candidates, d dimensions, n stages that keep a share r, k mined entries."""

    batch: int = 64
    candidates: int = 65536
    dim: int = 128
    stages: int = 7
    keep: float = 0.5
    k: int = 5
    threads: int = 2
    seed: int = 0

    @property
    def sizes(self) -> tuple[int, ...]:
        return cascade_sizes(self.candidates, self.keep, self.stages, self.k)

    def features(self) -> tuple[list[Tensor], list[Tensor]]:
        """Queries [B, d] and candidates [K, d] of the guide and of the trained view."""
        generator = torch.Generator().manual_seed(self.seed)
        queries = [normalize(torch.randn(self.batch, self.dim, generator=generator)) for _ in range(2)]
        memory = [normalize(torch.randn(self.candidates, self.dim, generator=generator)) for _ in range(2)]
        return queries, memory


def products(queries: list[Tensor], memory: list[Tensor], _: object = None) -> list[Tensor]:
    """The two matrix products alone."""
    return [q @ m.T for q, m in zip(queries, memory, strict=True)]


def by_threshold(queries: list[Tensor], memory: list[Tensor], sizes: tuple[int, ...]) -> Tensor:
    """What kinema does."""
    return cascade(products(queries, memory), sizes)


def by_topk(queries: list[Tensor], memory: list[Tensor], sizes: tuple[int, ...]) -> Tensor:
    """A top-k over the survivors' scores at every stage, and a gather of what it kept."""
    scores = products(queries, memory)
    survivors: Tensor | None = None
    for size, view in zip(sizes, stage_views(len(sizes)), strict=True):
        values = scores[view] if survivors is None else scores[view].gather(1, survivors)
        kept = values.topk(size, dim=1).indices
        survivors = kept if survivors is None else survivors.gather(1, kept)
    assert survivors is not None
    return survivors


def by_sample(queries: list[Tensor], memory: list[Tensor], sizes: tuple[int, ...]) -> Tensor:
    """Sample by sample: gather the survivors' features, multiply, take the top-k."""
    rows = []
    for i in range(queries[0].shape[0]):
        survivors = torch.arange(memory[0].shape[0])
        for size, view in zip(sizes, stage_views(len(sizes)), strict=True):
            scores = memory[view][survivors] @ queries[view][i]
            survivors = survivors[scores.topk(size).indices]
        rows.append(survivors)
    return torch.stack(rows)


WAYS: dict[str, Callable[..., Any]] = {
    "products alone": products,
    "kinema": by_threshold,
    "top-k and gather": by_topk,
    SLOW: by_sample,
}


def peak_extra_bytes(name: str, setting: Setting) -> int | None:
    """By how much one call raises the resident set of this process; None where the system does not tell."""
    torch.set_num_threads(setting.threads)
    small = Setting(batch=2, candidates=256, dim=setting.dim, stages=2, k=setting.k)
    WAYS[name](*small.features(), small.sizes)
    inputs = setting.features()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident now
        before = _peak()
        WAYS[name](*inputs, setting.sizes)
        return _peak() - before
    except OSError:
        return None


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(setting: Setting, repeats: int) -> list[dict[str, Any]]:
    """Times every way, interleaved; the first round is not counted, and the loop over samples runs once."""
    torch.set_num_threads(setting.threads)
    queries, memory = setting.features()
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    mined: dict[str, Any] = {}
    for repeat in range(repeats + 1):
        for name, way in WAYS.items():
            if name == SLOW and repeat != 1:
                continue
            start = time.perf_counter()
            mined[name] = way(queries, memory, setting.sizes)
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["products alone"])
    rows = []
    for name, taken in seconds.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            extra = pool.apply(peak_extra_bytes, (name, setting))
        rows.append(
            {
                "way": name,
                "seconds_median": statistics.median(taken),
                "seconds_min": min(taken),
                "ratio_to_products": statistics.median(taken) / base,
                "peak_extra_bytes": extra,
                "repeats": len(taken),
                "agrees_with_kinema": None
                if name == "products alone"
                else float((mined[name] == mined["kinema"]).float().mean()),
            }
        )
    return rows


def show(rows: list[dict[str, Any]], setting: Setting) -> None:
    table = Table(title=f"B={setting.batch} K={setting.candidates} d={setting.dim} stages={setting.sizes}")
    for column in ("way", "median ms", "× products", "peak extra MB", "entries that agree"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for row in rows:
        extra, agrees = row["peak_extra_bytes"], row["agrees_with_kinema"]
        table.add_row(
            row["way"],
            f"{row['seconds_median'] * 1e3:.1f}",
            f"{row['ratio_to_products']:.2f}",
            "?" if extra is None else f"{extra / 1e6:.0f}",
            "" if agrees is None else f"{agrees:.2%}",
        )
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in asdict(Setting()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--repeats", type=int, default=21)
    chosen = vars(parser.parse_args())
    repeats = chosen.pop("repeats")
    setting = Setting(**chosen)
    rows = measure(setting, max(repeats, 1))
    show(rows, setting)
    reached = next(row["ratio_to_products"] for row in rows if row["way"] == "kinema") <= GOAL
    print(f"Goal, at most {GOAL:g} times the products: {'reached' if reached else 'missed'}.")
    record.write(
        "cascade",
        shlex.join(["python", "benchmarks/cascade.py", *sys.argv[1:]]),
        setting={**asdict(setting), "sizes": list(setting.sizes)},
        goal_ratio=GOAL,
        goal_reached=reached,
        rows=rows,
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())

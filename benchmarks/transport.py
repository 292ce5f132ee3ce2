"""ASOT's mirror descent by the length of a video: kinema's, a dense version of it, and POT's solver.

    OMP_NUM_THREADS=1 python benchmarks/transport.py [--frames 1000 3000 ...] [--repeats 3] [--quick]

Two problems of 25 steps, float32, one thread. `asot` is the whole one, with entropy and with clusters that are drawn to
one size, which POT has no solver for. `free` is without both, which POT calls semirelaxed: there all three take the
same steps. What keeps the frames' neighbours, a matrix of N x N in the dense version and in POT, is built within the
time, since no video comes with it.

Each call is a process of its own, and contenders take turns, so that whatever else the machine does falls on all alike.
Extra memory is what the resident set grows by during the call (Linux only). A contender stops at a length where it
takes over a minute or over 4 GiB. What an earlier run measured is not measured again. --quick is a trial that writes
nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ot
import record
import torch
from torch import Tensor

from kinema.objectives import segment_transport

CLUSTERS, STEPS, ALPHA, RADIUS = 20, 25, 0.6, 0.04
PROBLEMS: dict[str, dict[str, float | None]] = {
    "asot": {"epsilon": 0.04, "balance": 0.1, "step": None},
    "free": {"epsilon": 1e-9, "balance": 0.0, "step": 2.0},
}
FRAMES = (1_000, 3_000, 10_000, 30_000, 100_000)
MOST_SECONDS, MOST_BYTES = 60.0, 4 * 2**30


def costs(frames: int) -> Tensor:
    """Of twenty steps in their order, each frame drawn to its own, with noise; float [1, N, K]."""
    noise = torch.rand(1, frames, CLUSTERS, generator=torch.Generator().manual_seed(0))
    own = torch.arange(frames) * CLUSTERS // frames
    return noise - 0.3 * torch.nn.functional.one_hot(own, CLUSTERS)


def neighbours(frames: int) -> Tensor:
    """C_v [N, N], filled row by row so that nothing larger than itself is ever held."""
    matrix, reach = torch.zeros(frames, frames), int(frames * RADIUS)
    for i in range(frames):
        matrix[i, max(i - reach, 0) : i + reach + 1] = 1 / RADIUS
    return matrix.fill_diagonal_(0)


def by_kinema(cost: Tensor, how: dict[str, Any]) -> Tensor:
    return segment_transport(cost, alpha=ALPHA, radius=RADIUS, iterations=STEPS, **how)[0]


def by_matrices(cost: Tensor, how: dict[str, Any]) -> Tensor:
    """The same with C_v and C_a as matrices; logarithms, too, so that all else is equal."""
    (x,) = cost
    n, k = x.shape
    c_v, c_a, step = neighbours(n), 1 - torch.eye(k), how["step"]
    log_t = torch.full_like(x, -float(np.log(n * k)))
    for _ in range(STEPS):
        t = log_t.exp()
        g = ALPHA * (c_v @ t @ c_a) + (1 - ALPHA) * x + how["epsilon"] * log_t
        g += how["balance"] * (t.sum(dim=0).mul(k).log() + 1)
        step = 4 / g.max() if step is None else step
        log_t = (log_t - step * g).log_softmax(dim=1) - float(np.log(n))
    plan: Tensor = log_t.exp() * n
    return plan


def by_pot(cost: Tensor, how: dict[str, Any]) -> Tensor:
    """Of C_v / 8 and 2 I - 1 the product is C_v T C_a but for a constant of each frame, and the squares change nothing.

    They are scaled so that POT, which has no logarithms here, stays within float32.
    """
    (x,) = cost
    structure = 2 * torch.eye(CLUSTERS) - 1
    plan: Tensor = ot.gromov.entropic_semirelaxed_fused_gromov_wasserstein(
        x,
        neighbours(len(x)).div_(8),
        structure,
        symmetric=True,
        epsilon=1 / how["step"],
        alpha=ALPHA,
        max_iter=STEPS,
        tol=0,
    )
    return plan * len(x)


WAYS: dict[str, Callable[[Tensor, dict[str, Any]], Tensor]] = {
    "kinema": by_kinema,
    "dense": by_matrices,
    "POT": by_pot,
}


def resident(name: str, process: int | str = "self") -> int:
    """A figure of a process's memory, in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def call(way: str, problem: str, frames: int, answer: Any) -> None:
    """One call, in a process of its own."""
    torch.set_num_threads(1)
    WAYS[way](costs(100), PROBLEMS[problem])  # warms up
    cost = costs(frames)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident now
    before, began = resident("VmHWM"), time.perf_counter()
    plan = WAYS[way](cost, PROBLEMS[problem])
    seconds, grown = time.perf_counter() - began, resident("VmHWM") - before
    apart = float((plan - by_kinema(cost, PROBLEMS[problem])).abs().max())
    answer.send({"seconds": seconds, "extra_bytes": grown, "apart": apart})


def watched(way: str, problem: str, frames: int) -> dict[str, Any]:
    """The figures of one call, or why it was stopped."""
    if way != "kinema" and 4 * frames**2 > MOST_BYTES:
        return {"stopped": f"needs {4 * frames**2 / 2**30:.0f} GiB for one matrix"}
    context = multiprocessing.get_context("fork")
    mouth, ear = context.Pipe()
    process = context.Process(target=call, args=(way, problem, frames, ear))
    process.start()
    ear.close()
    began, stopped = time.monotonic(), ""
    while not mouth.poll(0.02) and not stopped:
        if time.monotonic() - began > MOST_SECONDS:
            stopped = f"over {MOST_SECONDS:.0f} s"
        elif resident("VmRSS", process.pid or "self") > MOST_BYTES:
            stopped = f"over {MOST_BYTES / 2**30:.0f} GiB"
    if stopped:
        process.kill()
    try:
        figures: dict[str, Any] = {"stopped": stopped} if stopped else mouth.recv()
    except EOFError:
        figures = {"stopped": "ended by the system"}
    process.join()
    return figures


def measured(problem: str, frames: int, repeats: int) -> dict[str, Any]:
    """All contenders in turns: medians, and the median of the ratios to kinema's time in the same round."""
    rounds: list[dict[str, dict[str, Any]]] = []
    stopped: dict[str, dict[str, Any]] = {}
    for _ in range(repeats):
        rounds.append({})
        for way in WAYS:
            if way in stopped or (way == "POT" and problem != "free"):
                continue
            figures = watched(way, problem, frames)
            (stopped if "stopped" in figures else rounds[-1])[way] = figures
    rows: dict[str, Any] = dict(stopped)
    for way in (way for way in WAYS if way in rounds[0] and way not in stopped):
        taken = [each[way]["seconds"] for each in rounds]
        rows[way] = {
            "seconds": statistics.median(taken),
            "seconds_min": min(taken),
            "times_kinema": statistics.median(each[way]["seconds"] / each["kinema"]["seconds"] for each in rounds),
            "extra_bytes": statistics.median(each[way]["extra_bytes"] for each in rounds),
            "apart": max(each[way]["apart"] for each in rounds),
            "repeats": repeats,
        }
    return rows


def table(cells: dict[str, Any]) -> str:
    """The figures as the results' page has them."""
    lines = [
        "| problem | frames | contender | seconds | × kinema | extra MiB | furthest from kinema |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, rows in cells.items():
        problem, frames = key.split()
        for way in (way for way in WAYS if way in rows):
            each = rows[way]
            told = (
                f"{each['seconds']:.3f} | {each['times_kinema']:.1f} | {each['extra_bytes'] / 2**20:.0f} | "
                f"{each['apart']:.0e}"
                if "seconds" in each
                else f"{each['stopped']} | | |"
            )
            lines.append(f"| {problem} | {int(frames):,} | {way} | {told} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=list(FRAMES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two short lengths, once; writes nothing")
    asked = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    cells: dict[str, Any] = {} if asked.quick else record.read("transport").get("cells", {})
    command = f"OMP_NUM_THREADS=1 python benchmarks/transport.py --repeats {asked.repeats}"
    for problem in PROBLEMS:
        for frames in (100, 300) if asked.quick else asked.frames:
            key = f"{problem} {frames}"
            if key in cells:
                continue
            cells[key] = measured(problem, frames, 1 if asked.quick else asked.repeats)
            if not asked.quick:
                how = {"clusters": CLUSTERS, "steps": STEPS, "alpha": ALPHA, "radius": RADIUS, **PROBLEMS}
                record.write("transport", command, ("POT",), setting=how, cells=cells)
    print(table(cells))
    return cells


if __name__ == "__main__":
    main()

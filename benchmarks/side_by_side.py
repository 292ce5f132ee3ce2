"""Two trainings on one machine: threads that spin or sleep while they wait, one thread or two, alone and two at once.

    python benchmarks/side_by_side.py [--rounds 5] [--seconds 4]

Each training takes MoCo's steps of the preset small, on clips of noise in memory: no checkpoints, no evaluation. Six
processes are started once: two that spin (libgomp's own 300,000 turns), two that spin briefly (what kinema sets), and
two whose threads sleep at once. They take turns, so that a noisy machine disturbs all alike; who waits for
its turn does nothing. In every round each setting has a few seconds alone and a few with its twin, and begins no step
after them; what is not done after 30 s does not count. Figures are medians over the rounds; ratios are medians of the
ratios within a round. Ends within six minutes; writes results/side-by-side.json.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from kinema.core.threads import POLICY, SPINCOUNT, SPINNING, THREADS, WAITING, available_cpus

POLICIES = {
    "spinning": {SPINCOUNT: "300000"},
    "spinning briefly": WAITING,
    "sleeping at once": {POLICY: "PASSIVE"},
}
COUNTS = (2, 1)
CAP = 30.0
"""Seconds after which a turn is over, whatever is under way."""
WHOLE = 270.0
"""Seconds after which no further turn is begun."""
Speeds = dict[str, dict[str, list[float]]]
"""Clips a second of every round, by setting, as 'spinning, 2 threads', and by 'alone' or 'two'; of two the slower."""


def train() -> None:
    """A training: for every line 'THREADS SECONDS' it takes steps for so long, and writes the time after each."""
    import torch
    from training import bare, batches

    from kinema.recipes.table import preset

    torch.set_num_threads(1)  # until a turn begins: the four get ready beside each other
    recipe = preset("small", "moco").recipe()
    steps = bare(recipe, batches(recipe, 2))
    next(steps)
    print(recipe.batch_size, flush=True)
    for line in sys.stdin:
        threads, seconds = line.split()
        torch.set_num_threads(int(threads))
        began = time.perf_counter()
        while time.perf_counter() - began < float(seconds):
            next(steps)
            print(time.perf_counter() - began, flush=True)
        print("end", flush=True)


class Training:
    """A process that trains when it is told to."""

    def __init__(self, policy: Mapping[str, str]) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in (*SPINNING, *THREADS)}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--train"],
            env={**environment, **policy},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # as in a terminal of its own: Linux shares processors among these first
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.batch = 0

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def wait_ready(self) -> None:
        """Waits until a first step is made."""
        self.batch = int(self.lines.get(timeout=200))

    def begin(self, threads: int, seconds: float) -> None:
        """Lets it train for so long."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{threads} {seconds}\n")
        self.process.stdin.flush()

    def clips_per_second(self) -> float:
        """Of the turn that was begun: 0 where no step was done within the cap."""
        steps, last, until = 0, CAP, time.monotonic() + CAP
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                while self.lines.get(timeout=120) != "end":  # so that the next turn begins with nothing under way
                    pass
                return steps * self.batch / CAP
            if line == "end":
                return steps * self.batch / last
            steps, last = steps + 1, float(line)


def setting(policy: str, threads: int) -> str:
    """Its name in the results: 'spinning, 2 threads'."""
    return f"{policy}, {threads} thread{'s' if threads > 1 else ''}"


def turn(trainings: Iterable[Training], threads: int, seconds: float) -> float:
    """Clips a second of trainings that run at once: that of the slowest."""
    going = list(trainings)
    for each in going:
        each.begin(threads, seconds)
    return min(each.clips_per_second() for each in going)


def measured(rounds: int, seconds: float) -> tuple[Speeds, list[float]]:
    """Speeds of every round, and the machine's load before each."""
    began = time.monotonic()
    pairs = {name: [Training(policy) for _ in range(2)] for name, policy in POLICIES.items()}
    everyone = [each for pair in pairs.values() for each in pair]
    speeds: Speeds = {setting(name, count): {"alone": [], "two": []} for name, count in product(POLICIES, COUNTS)}
    loads: list[float] = []
    try:
        for each in everyone:
            each.wait_ready()
        while len(loads) < rounds:
            loads.append(os.getloadavg()[0])
            order = list(product(COUNTS, ("alone", "two"), POLICIES))
            for count, company, name in order[:: 1 if len(loads) % 2 else -1]:
                if time.monotonic() - began > WHOLE:
                    return speeds, loads
                of = pairs[name][: 1 if company == "alone" else 2]
                speeds[setting(name, count)][company].append(turn(of, count, seconds))
    finally:
        for each in everyone:
            each.process.kill()
    return speeds, loads


def ratio(above: list[float], below: list[float]) -> float | None:
    """The median of the ratios within a round; None where there was nothing to compare with."""
    found = [a / b for a, b in zip(above, below, strict=False) if b]  # the last round may not be whole
    return statistics.median(found) if found else None


def summary(found: dict[str, list[float]], spinning: dict[str, list[float]]) -> dict[str, Any]:
    """Medians and ratios of a setting, beside the same number of threads that spin."""
    return {
        "alone": statistics.median(found["alone"] or [0.0]),
        "two": statistics.median(found["two"] or [0.0]),
        "two_of_alone": ratio(found["two"], found["alone"]),
        "alone_of_spinning": ratio(found["alone"], spinning["alone"]),
        "two_of_spinning": ratio(found["two"], spinning["two"]),
        "rounds": found,
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = ["| threads | alone | two at once, each | of alone | of spinning, alone | of spinning, two at once |"]
    lines.append("|---|---|---|---|---|---|")
    for name, row in rows.items():
        ratios = [row[key] for key in ("two_of_alone", "alone_of_spinning", "two_of_spinning")]
        cells = [name, *(f"{row[key]:.0f}" for key in ("alone", "two"))]
        cells += ["–" if each is None else f"{each:.2f}".removeprefix("0") for each in ratios]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train:
        train()
        return
    import record

    speeds, loads = measured(asked.rounds, asked.seconds)
    rows = {
        setting(name, count): summary(speeds[setting(name, count)], speeds[setting("spinning", count)])
        for name, count in product(POLICIES, COUNTS)
    }
    print(table(rows))
    record.write(
        "side-by-side",
        f"python benchmarks/side_by_side.py --rounds {asked.rounds} --seconds {asked.seconds:g}",
        cpus=available_cpus(),
        load_before_each_round=loads,
        note="The load counts other work on the machine, and in later rounds this measurement too.",
        rows=rows,
    )


if __name__ == "__main__":
    main()

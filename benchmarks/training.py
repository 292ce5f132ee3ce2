"""What the trainer costs: a step of kinema against a bare PyTorch loop over the same network and batches.

    python benchmarks/training.py

Both loops train MoCo on the small preset's clips, held in memory, with the same transforms, loss, optimiser and order;
they take turns in blocks, so that a noisy machine disturbs both alike. The bare loop has no checkpoints, no metrics,
no progress bar and no Lightning Fabric. Writes benchmarks/results/training.json.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import record
import torch
from rich.console import Console
from rich.table import Table
from sets import clips_of
from torch import Tensor

from kinema.core.clips import ClipBatch, RawClips
from kinema.core.method import TrainingContext
from kinema.core.seeds import generator_at
from kinema.data.clips.transforms import ViewTransform
from kinema.recipes.table import preset
from kinema.training.checkpoints import Progress
from kinema.training.engine import make_fabric
from kinema.training.loop import PhaseLoop
from kinema.training.phase import PhaseRuntime, make_optimiser
from kinema.training.progress import PhaseDisplay
from kinema.training.settings import Recipe
from kinema.training.trainer import build_method


def batches(recipe: Recipe, count: int) -> list[RawClips]:
    """Clips of noise; the time of a step does not depend on what they show."""
    generator, clip = generator_at(0, "benchmark"), clips_of(recipe).clip
    made = []
    for _ in range(count):
        shape = (recipe.batch_size, 2, clip.frames + 1, clip.short_side, clip.short_side, 3)
        frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        ids = torch.arange(recipe.batch_size)
        extent = torch.full((recipe.batch_size, 2), clip.short_side)
        made.append(RawClips(frames, extent, index=ids, source=ids, label=ids * 0 - 1))
    return made


def bare(recipe: Recipe, data: list[RawClips]) -> Iterator[float]:
    """Seconds of each step of a loop that a researcher would write."""
    phase = recipe.phases[0]
    method = build_method(recipe, phase, TrainingContext(recipe.batch_size)).train()
    optimiser = make_optimiser(method, phase.optimiser)
    clips = clips_of(recipe)
    transform = ViewTransform(clips.clip, method.needs.views, clips.transform)
    step = 0
    while True:
        began = time.perf_counter()
        batch = transform.train(data[step % len(data)], generator_at(0, "augment", step))
        losses = method.loss(batch, generator_at(0, "loss", step))
        if losses.ready:
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(losses.total)
            optimiser.step()
        method.commit(losses)
        step += 1
        yield time.perf_counter() - began


class Clock:
    """Hands over to the other loop after every block of steps, and keeps the time of each of ours."""

    def __init__(self, block: int, other: Iterator[float], steps: int) -> None:
        self.block, self.other, self.steps = block, other, steps
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.last = time.perf_counter()

    def tick(self) -> None:
        """The trainer has finished a step, everything around it included."""
        self.ours.append(time.perf_counter() - self.last)
        if len(self.ours) % self.block == 0:
            self.theirs += [next(self.other) for _ in range(self.block)]
        self.last = time.perf_counter()


class InMemory:
    """Clips in memory as the data of a phase: an epoch of so many steps takes them by turns."""

    def __init__(self, recipe: Recipe, data: list[RawClips], steps: int) -> None:
        clips = clips_of(recipe)
        self.data, self.batches, self.workers = data, steps, 0
        self.transform = ViewTransform(clips.clip, recipe.phases[0].needs.views, clips.transform)

    def loader(self, epoch: int, first: int) -> list[RawClips]:  # noqa: ARG002 - the contract
        """From batch ``first`` on."""
        return [self.data[i % len(self.data)] for i in range(first, self.batches)]

    def sample(self) -> tuple[RawClips, float]:
        """The first batch, which takes no time to read."""
        return self.data[0], 0.0

    def batch(self, raw: RawClips, generator: torch.Generator, *, labels: bool) -> ClipBatch:
        """Augmented views."""
        return self.transform.train(raw, generator, labels=labels)

    def features(self, method: Any) -> dict[str, Tensor]:  # noqa: ARG002 - the contract
        """MoCo asks for none."""
        return {}


def kinema_steps(recipe: Recipe, data: list[RawClips], clock: Clock, folder: Path) -> None:
    """The same steps by the trainer, with its metrics, its bar and its checkpoints."""
    phase = recipe.phases[0]
    method = build_method(recipe, phase, TrainingContext(recipe.batch_size))
    runtime = PhaseRuntime(
        folder=folder,
        identity={},
        data=InMemory(recipe, data, clock.steps),
        meter=None,
        display=_Clocked(clock),
        stop=lambda: False,
    )
    PhaseLoop(make_fabric("cpu", recipe.precision), method, recipe, phase, runtime).run()


class _Clocked(PhaseDisplay):
    """A display that nobody sees, and that is told of every step when it is over."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("benchmark", 1, None)
        self._clock = clock

    def update(self, progress: Progress, batches: int, loss: float | None) -> None:
        """A step is done."""
        super().update(progress, batches, loss)
        self._clock.tick()


def main() -> None:
    """Prints the table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--block", type=int, default=5)
    arguments = parser.parse_args()
    recipe = preset("small", "moco").recipe()
    data = batches(recipe, 4)
    clock = Clock(arguments.block, bare(recipe, data), arguments.steps)
    with tempfile.TemporaryDirectory() as folder:
        kinema_steps(recipe, data, clock, Path(folder))
    filling = recipe.phases[0].method.warm_up_clips // recipe.batch_size + arguments.block  # type: ignore[attr-defined]
    ours, theirs = clock.ours[filling:], clock.theirs[filling:]
    pairs = [a / b for a, b in zip(ours, theirs, strict=False)]
    mine, bare_loop = statistics.median(ours), statistics.median(theirs)
    table = Table("loop", "median step", "clips/s", "ratio")
    for name, seconds in (("bare PyTorch", bare_loop), ("kinema", mine)):
        table.add_row(
            name, f"{seconds * 1e3:.1f} ms", f"{recipe.batch_size / seconds:.1f}", f"{seconds / bare_loop:.3f}"
        )
    Console().print(table)
    record.write(
        "training",
        f"python benchmarks/training.py --steps {arguments.steps} --block {arguments.block}",
        batch=recipe.batch_size,
        steps=len(pairs),
        kinema_seconds=mine,
        bare_seconds=bare_loop,
        ratio_of_medians=mine / bare_loop,
        median_of_ratios=statistics.median(pairs),
    )


if __name__ == "__main__":
    main()

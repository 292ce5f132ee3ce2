"""What a step is made of: reading, augmentation, disturbances, the method's own arithmetic, and the networks.

    python benchmarks/steps.py VIDEOS [--steps 12]

What disturbances cost is what the transforms take beyond the same without them, and without the views that only they
see.

VIDEOS is a folder or a manifest (Mocap-15, for instance). Each method takes steps of the preset small on the same data,
all methods in turns, round by round, so that a noisy machine disturbs them alike. The method's own arithmetic is timed
by itself: the same loss and backward pass with every network replaced by what it has just given. What is left of the
step is the networks'. Medians over the rounds; writes results/steps.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import record
import torch
from rich.console import Console
from rich.table import Table
from sets import clips_of
from torch import Tensor, nn

from kinema import api
from kinema.api.rows import load_data
from kinema.core.clips import MotionField, RawClips
from kinema.core.method import Method, TrainingContext
from kinema.core.seeds import generator_at, seed_at
from kinema.data import ClipStore, Manifest, collate
from kinema.data.clips.module import LoadedClips
from kinema.data.clips.transforms import ViewTransform
from kinema.networks import Predictor, ResNet10, VideoEncoder
from kinema.recipes.compose import composed
from kinema.recipes.table import preset
from kinema.training.phase import make_optimiser
from kinema.training.trainer import build_method

console = Console(stderr=True)
ROWS = ("supervised", "moco", "simclr", "be", "dsm", "cmd", "cpr", "cpr+be", "cpr+dsm")
NETWORKS = (VideoEncoder, ResNet10, Predictor)
CALLS = ("forward", "feature_map", "levels")


@dataclass
class Subject:
    """A method with all that its steps need, and what they took, in seconds."""

    method: Method[Any]
    read: Callable[[int], Any]
    change: Callable[[Any, torch.Generator], Any]
    plainly: Callable[[Any, torch.Generator], Any] | None
    optimiser: torch.optim.Optimizer
    taken: dict[str, list[float]] = field(
        default_factory=lambda: {"read": [], "transform": [], "disturbances": [], "method": [], "step": []}
    )


def subject(row: str, data: Manifest, store: ClipStore) -> Subject:
    """The method of a row in the phase that trains last, its memory full."""
    name, _, base = row.partition("+")
    plan = preset("small", name)
    recipe = (composed(plan, "small", base=base) if base else plan).recipe()
    phase = recipe.phases[-1]
    method = build_method(recipe, phase, TrainingContext(len(data), max(2, len(data.classes()))))
    method.train()
    seed = seed_at(recipe.seed, "sample", phase.name)
    loaded = LoadedClips(clips_of(recipe), store)
    module = loaded.module(phase.needs, batch_size=recipe.batch_size, seed=seed)
    transform, clips = module.transform, module.dataset
    requests = list(module.sampler.batches(0))
    made = Subject(
        method,
        lambda number: collate([clips[request] for request in requests[number % len(requests)]]),
        lambda raw, draw: transform.train(raw, draw, labels=method.needs.labels),
        undisturbed(transform, method) if transform.config.disturb else None,
        make_optimiser(method, phase.optimiser),
    )
    number = 0
    while not (losses := loss_of(made, number)).ready:
        method.commit(losses)
        number += 1
    return made


def undisturbed(transform: ViewTransform, method: Method[Any]) -> Callable[[Any, torch.Generator], Any]:
    """The same without the disturbances, the views that only they see, and the window elsewhere."""
    plain = ViewTransform(
        transform.spec, method.needs.views, replace(transform.config, disturb=()), method.needs.companions
    )

    def change(raw: RawClips, draw: torch.Generator) -> Any:
        if transform.elsewhere:
            motion = raw.motion
            if motion is not None:
                motion = MotionField(motion.values[:, :-1], motion.valid[:, :-1], motion.extent)
            raw = replace(raw, frames=raw.frames[:, :-1], elsewhere=None, motion=motion)
        return plain.train(raw, draw, labels=method.needs.labels)

    return change


def loss_of(made: Subject, number: int) -> Any:
    """The loss of one batch."""
    batch = made.change(made.read(number), generator_at(0, "augment", number))
    return made.method.loss(batch, generator_at(0, "loss", number))


def step(made: Subject, number: int) -> None:
    """One step, its parts timed."""
    marks = [time.perf_counter()]
    raw = made.read(number)
    marks.append(time.perf_counter())
    batch = made.change(raw, generator_at(0, "augment", number))
    marks.append(time.perf_counter())
    with recorded(made.method) as calls:
        losses = made.method.loss(batch, generator_at(0, "loss", number))
        made.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses.total)
    made.optimiser.step()
    marks.append(time.perf_counter())
    with replayed(made.method, calls):
        began = time.perf_counter()
        torch.autograd.backward(made.method.loss(batch, generator_at(0, "loss", number)).total)
        own = time.perf_counter() - began
    began = time.perf_counter()
    made.method.commit(losses)
    own += time.perf_counter() - began
    whole = marks[3] - marks[0] + time.perf_counter() - began
    changing = plain = marks[2] - marks[1]
    if made.plainly is not None:
        began = time.perf_counter()
        made.plainly(raw, generator_at(0, "augment", number))
        plain = time.perf_counter() - began
    parts = {"read": marks[1] - marks[0], "transform": plain, "disturbances": changing - plain, "method": own}
    for name, seconds in {**parts, "step": whole}.items():
        made.taken[name].append(seconds)


def networks(method: Method[Any]) -> list[nn.Module]:
    """The networks of a method, the outermost of each."""
    return [module for module in method.modules() if isinstance(module, NETWORKS)]


@contextmanager
def recorded(method: Method[Any]) -> Iterator[list[Any]]:
    """Writes down what every network gives, call by call; of calls within a call the outer one."""
    calls: list[Any] = []
    inside = [False]

    def watched(own: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if inside[0]:
                return own(*given, **named)
            inside[0] = True
            try:
                found = own(*given, **named)
            finally:
                inside[0] = False
            calls.append(tuple(x.detach() for x in found) if isinstance(found, tuple) else found.detach())
            return found

        return call

    with patched(method, watched):
        yield calls


@contextmanager
def replayed(method: Method[Any], calls: list[Any]) -> Iterator[None]:
    """Gives what was written down, as leaves that a gradient may reach, in the same order."""
    left = iter(calls)

    def leaf(x: Tensor) -> Tensor:
        return x.clone().requires_grad_(torch.is_grad_enabled())

    def given(own: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ARG001 - what it takes the place of
        def call(*_: Any, **__: Any) -> Any:
            found = next(left)
            return tuple(map(leaf, found)) if isinstance(found, tuple) else leaf(found)

        return call

    with patched(method, given):
        yield


@contextmanager
def patched(method: Method[Any], change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Changes the calls of every network, on the instances, and takes that back."""
    places = [(net, name) for net in networks(method) for name in CALLS if hasattr(net, name)]
    for net, name in places:
        net.__dict__[name] = change(getattr(net, name))
    try:
        yield
    finally:
        for net, name in places:
            del net.__dict__[name]


def table(found: dict[str, dict[str, float]]) -> Table:
    """Milliseconds of a step and the shares of its parts."""
    told = Table("method", "step, ms", "reading", "augmentation", "disturbances", "the method's own", "networks")
    for row, parts in found.items():
        shares = [parts[name] / parts["step"] for name in ("read", "transform", "disturbances", "method")]
        told.add_row(row, f"{1000 * parts['step']:.0f}", *(f"{100 * s:.1f} %" for s in (*shares, 1 - sum(shares))))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--cache", type=Path, default=Path("kinema-bench/cache"))
    asked = parser.parse_args()
    data = api.scan(asked.videos) if asked.videos.is_dir() else Manifest.read(asked.videos)
    if any(video.split == "train" for video in data.videos):
        data = data.select({"split": "train"})
    loaded = load_data(preset("small", "dsm").recipe(), data, cache=asked.cache, console=console)
    subjects = {row: subject(row, data, loaded.store) for row in asked.rows}
    for number in range(asked.steps + 1):
        for row, made in subjects.items():
            step(made, 100 + number)
            if number == 0:  # the first warms up
                made.taken = {name: [] for name in made.taken}
            console.print(f"round {number} of {asked.steps}: {row}", highlight=False)
    found = {row: {name: statistics.median(s) for name, s in made.taken.items()} for row, made in subjects.items()}
    record.write("steps", "python benchmarks/steps.py MOCAP", videos=len(data), steps=asked.steps, rows=found)
    Console().print(table(found))


if __name__ == "__main__":
    main()

"""What of a GPU a training uses: kinema's loop and its whole run beside the bare PyTorch step of the same method.

    python benchmarks/gpu.py

MoCo in bf16-mixed. Every row is clips a second of one network and size:

    heuristics  the bare step (loss, backward, optimiser, commit) on one batch that is on the GPU, as torch comes
    measured    the same with cudnn.benchmark and TF32, as kinema trains
    compiled    the same with torch.compile
    loop        kinema's loop with augmentation, metrics and checkpoints, on batches held in the processor's memory
    compiled loop   the same with --compile
    run         ``kinema.pretrain`` on files, from the second epoch on

Beside them: the share of the time in which the GPU computes (kernels, by torch's profiler), the use of its FLOPs
(MFU: those of a bare step by torch's counter, against the card's dense peak in bf16; None for a card that is not in the
table), and the peak of memory. It ends within six minutes: what does not fit is left out and named. Writes
results/gpu.json. Without a GPU it says so and does nothing; ``--device cpu --toy`` goes every way at a size for a
processor, and writes only where ``--name`` says.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import record
import torch
from film import film
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode
from training import InMemory, batches

from kinema import api
from kinema.core.errors import KinemaError
from kinema.core.method import TrainingContext
from kinema.core.seeds import generator_at
from kinema.networks import EncoderConfig
from kinema.recipes.changes import changed
from kinema.recipes.table import preset
from kinema.training.engine import Objective, make_fabric, quiet_lightning
from kinema.training.fast import Fast, check_compiler, encoders_of, switched
from kinema.training.loop import PhaseLoop
from kinema.training.phase import PhaseRuntime, make_optimiser
from kinema.training.progress import PhaseDisplay
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Recipe
from kinema.training.trainer import build_method

LIMIT = 330.0
"""Seconds after which nothing more is begun that may take long; six minutes less what the last may take."""

COMPILING = 75.0
"""Seconds that a row with torch.compile may take."""

PEAKS = {
    "B200": 2250.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10G": 70.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}
"""Dense TFLOP/s in bf16 by the maker's data sheets; the first name that is in the card's counts."""


@dataclass(frozen=True)
class Size:
    """A network at a size."""

    network: str
    batch: int
    frames: int
    size: int
    width: int = 16

    @property
    def name(self) -> str:
        return f"{self.network} {self.batch}x{self.frames}x{self.size}x{self.size}"

    def recipe(self, precision: str) -> Recipe:
        slim = self.network == "slim"
        encoder: Any = EncoderConfig("slim", width=self.width) if slim else {"name": self.network}
        plan = changed(
            preset("small", "moco"),
            {
                "encoder": encoder,
                "batch_size": self.batch,
                "precision": precision,
                "epochs": 3,
                "clip": {
                    "frames": self.frames,
                    "size": self.size,
                    "short_side": self.size + self.size // 8,
                    "stride": 1,
                },
                "method_settings": {"queue": 4 * self.batch, "negatives_from": "batch"},
                "collapse_rank": 0.0,
            },
        )
        return plan.recipe()


LARGE = tuple(Size(network, 64, 16, 112) for network in ("r2plus1d18", "r3d18", "s3d"))
SMALL = tuple(Size("slim", batch, 8, 64) for batch in (64, 256))
TOY = (Size("slim", 4, 4, 32, width=4),)


class Measuring:
    """Measures rows as long as there is time, on one device."""

    def __init__(self, device: str, *, toy: bool, console: Console) -> None:
        self.device, self.toy, self.console = device, toy, console
        self.cuda = device.startswith("cuda")
        self.precision = "bf16-mixed" if self.cuda and torch.cuda.is_bf16_supported() else "32-true"
        self.began = time.monotonic()
        self.skipped: list[str] = []
        self.rows: dict[str, dict[str, Any]] = {}
        self.steps, self.warm = (2, 1) if toy else (20, 5)

    def left(self) -> float:
        """Seconds."""
        return float("inf") if self.toy else LIMIT - (time.monotonic() - self.began)

    def row(self, size: Size, name: str, measure: Callable[[], dict[str, Any]], needs: float = 20.0) -> None:
        """One figure of a size, unless the time is over or it fails; the reason is kept."""
        label = f"{size.name}: {name}"
        if self.left() < needs:
            self.skipped.append(f"{label} (no time)")
            return
        try:
            found = measure()
        except (KinemaError, RuntimeError) as error:  # of memory, for instance
            self.skipped.append(f"{label} ({str(error).splitlines()[0]})")
            found = {}
        self.rows.setdefault(size.name, {}).update(found)
        torch._dynamo.reset()
        if self.cuda:
            torch.cuda.empty_cache()
        self.console.print(label, found)

    def finish(self) -> None:
        """Waits for the device."""
        if self.cuda:
            torch.cuda.synchronize()

    def bare(self, size: Size, *, quick: bool, compiled: bool = False, more: bool = False) -> dict[str, Any]:
        """Clips a second of the bare step; with ``more``, what else there is to know of it."""
        recipe = size.recipe(self.precision)
        with quiet_lightning(), switched(self.precision) if quick else nullcontext():
            step = self._step(recipe, size, compiled)
            for _ in range(self.warm):
                step()
            seconds = self._seconds(step)
            found: dict[str, Any] = {
                "compiled" if compiled else "measured" if quick else "heuristics": size.batch / seconds
            }
            if more:
                found |= self._more(step, seconds)
        return found

    def _step(self, recipe: Recipe, size: Size, compiled: bool) -> Callable[[], None]:
        phase = recipe.phases[0]
        method = build_method(recipe, phase, TrainingContext(size.batch)).train()
        fabric = make_fabric(self.device, recipe.precision)
        objective = Objective(fabric, method)
        if compiled:
            self._compile(method)
        optimiser = make_optimiser(method, phase.optimiser)
        fabric.setup_optimizers(optimiser)
        raw = fabric.to_device(batches(recipe, 1)[0])
        batch = InMemory(recipe, [raw], 1).batch(raw, generator_at(0, "augment", 0), labels=False)

        def step() -> None:
            with fabric.autocast():
                losses = objective(batch, generator_at(0, "loss", 0))
                optimiser.zero_grad(set_to_none=True)
                fabric.backward(losses.total)
                optimiser.step()
                method.commit(losses)

        return step

    def _compile(self, method: torch.nn.Module) -> None:
        if not self.toy:
            Fast(compile=True).prepare(method)
            return
        for encoder in encoders_of(method):
            encoder.compile(backend="eager")

    def _seconds(self, step: Callable[[], None]) -> float:
        """Of a step, the mean of several."""
        self.finish()
        began = time.perf_counter()
        for _ in range(self.steps):
            step()
        self.finish()
        return (time.perf_counter() - began) / self.steps

    def _more(self, step: Callable[[], None], seconds: float) -> dict[str, Any]:
        with FlopCounterMode(display=False) as counter:
            step()
        flops = counter.get_total_flops()
        peak = peak_of(torch.cuda.get_device_name(self.device)) if self.cuda else None
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        share = self.computing(step)
        return {
            "step_seconds": seconds,
            "tflop_a_step": flops / 1e12,
            "tflops": flops / seconds / 1e12,
            "mfu": flops / seconds / 1e12 / peak if peak and self.precision == "bf16-mixed" else None,
            "computing_bare": share,
            "peak_gib": torch.cuda.max_memory_allocated(self.device) / 2**30 if self.cuda else None,
        }

    def computing(self, step: Callable[[], Any]) -> float | None:
        """The share of the time in which kernels run, over some steps; None on a processor."""
        if not self.cuda:
            step()
            return None
        from torch.profiler import ProfilerActivity, profile

        self.finish()
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            began = time.perf_counter()
            for _ in range(5):
                step()
            self.finish()
            whole = time.perf_counter() - began
        return min(1.0, float(sum(event.self_device_time_total for event in seen.key_averages())) / 1e6 / whole)

    def loop(self, size: Size, *, compiled: bool = False) -> dict[str, Any]:
        """Clips a second of kinema's loop on batches in memory."""
        recipe = size.recipe(self.precision)
        data = [raw.pin_memory() for raw in batches(recipe, 2)] if self.cuda else batches(recipe, 2)
        phase = replace(recipe.phases[0], epochs=1)
        recipe = replace(recipe, phases=(phase,))
        watch = _Watch(self.warm, self.finish)
        steps = InMemory(recipe, data, self.warm + self.steps)
        method = build_method(recipe, phase, TrainingContext(size.batch))
        with tempfile.TemporaryDirectory() as folder, quiet_lightning(), self._switches():
            runtime = PhaseRuntime(Path(folder), {}, steps, None, watch, lambda: False)
            loop = PhaseLoop(make_fabric(self.device, recipe.precision), method, recipe, phase, runtime)
            if compiled:
                self._compile(method)
            loop.run()
        rate = size.batch * self.steps / (watch.ended - watch.began)
        return {"compiled_loop": rate} if compiled else {"loop": rate, "loop_busy": loop.clock.share()}

    def _switches(self) -> Any:
        return switched(self.precision) if self.cuda else nullcontext()

    def run(self, size: Size, films: Path, folder: Path) -> dict[str, Any]:
        """Clips a second of a whole run on files, by its own figures, without its first epoch."""
        recipe = size.recipe(self.precision)
        count = len(list(films.iterdir()))
        data: Any = replace(
            recipe.data,  # type: ignore[type-var]
            clips_per_video=max(1, size.batch * (2 if self.toy else 8) // count),
            workers=0 if self.toy else 8,
        )
        recipe = replace(recipe, data=data)
        out = folder / size.name.replace(" ", "-")
        api.pretrain(recipe, films, out, device=self.device, cache=folder / "cache", logger="none")
        run = RunFolder.open(out)
        rows = [row for row in run.metrics(run.phases()[0]) if row["event"] == "epoch"]
        clips = [(row["step"] * size.batch, row["step"] * size.batch / row["clips_per_second"]) for row in rows]
        (before, early), (after, late) = clips[0], clips[-1]
        last = rows[-1]
        return {
            "run": (after - before) / (late - early),
            "run_waits": last["data_wait"],
            "run_busy": last["device_busy"],
        }


class _Watch(PhaseDisplay):
    """A display that nobody sees; takes the time of all steps but the first ones."""

    def __init__(self, warm: int, finish: Callable[[], None]) -> None:
        super().__init__("benchmark", 1, None)
        self.warm, self.finish = warm, finish
        self.began = self.ended = 0.0

    def update(self, progress: Any, batches: int, loss: float | None) -> None:
        super().update(progress, batches, loss)
        if progress.step == self.warm:
            self.finish()
            self.began = time.perf_counter()
        if progress.step == batches:
            self.finish()
            self.ended = time.perf_counter()


def peak_of(card: str) -> float | None:
    """The card's dense TFLOP/s in bf16; None for one that is not known."""
    return next((peak for name, peak in PEAKS.items() if all(word in card.split() for word in name.split())), None)


def all_rows(measuring: Measuring, folder: Path) -> None:
    """The cheap rows first, those with a compiler last."""
    films = folder / "films"
    films.mkdir()
    for number in range(4 if measuring.toy else 64):
        film(films / f"{number}.mp4", 40 if measuring.toy else 60, number)
    sizes = TOY if measuring.toy else (*LARGE, *SMALL)
    for size in sizes:
        measuring.row(size, "heuristics", partial(measuring.bare, size, quick=False))
        measuring.row(size, "measured", partial(measuring.bare, size, quick=True, more=True))
        measuring.row(size, "loop", partial(measuring.loop, size))
        measuring.row(size, "run", partial(measuring.run, size, films, folder), 30.0)
    try:
        if not measuring.toy:
            check_compiler(measuring.device)
    except KinemaError as error:
        measuring.skipped.append(f"all compiled rows ({error.message})")
        return
    needs = 0.0 if measuring.toy else COMPILING
    for size in sizes:
        measuring.row(size, "compiled", partial(measuring.bare, size, quick=True, compiled=True), needs)
        measuring.row(size, "compiled loop", partial(measuring.loop, size, compiled=True), needs)


def summary(rows: dict[str, dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """Of each size, kinema's loop by the bare step of the same kind; the goal is .95 of the compiled one."""
    for name, row in rows.items():
        for ours, theirs in (("loop", "measured"), ("compiled_loop", "compiled"), ("run", "compiled")):
            if row.get(ours) and row.get(theirs):
                yield f"{name}: {ours} / {theirs}", row[ours] / row[theirs]


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="a GPU, or cpu with --toy")
    parser.add_argument("--toy", action="store_true", help="every way at a size for a processor")
    parser.add_argument("--name", default="", help="of the file in results/; by default gpu, and none with --toy")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        console.print("There is no GPU here, so nothing was measured and nothing written.")
        return
    if arguments.device == "cpu" and not arguments.toy:
        parser.error("on a processor, add --toy")
    measuring = Measuring(arguments.device, toy=arguments.toy, console=console)
    with tempfile.TemporaryDirectory() as folder:
        all_rows(measuring, Path(folder))
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name(measuring.device) if measuring.cuda else "cpu",
        "precision": measuring.precision,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if measuring.cuda else None,  # type: ignore[no-untyped-call]
        "rows": measuring.rows,
        "ratios": dict(summary(measuring.rows)),
        "skipped": measuring.skipped,
        "seconds": time.monotonic() - measuring.began,
    }
    print(json.dumps(figures, indent=2))
    name = arguments.name or ("" if arguments.toy else "gpu")
    if name:
        record.write(name, "python benchmarks/gpu.py" + (" --device cpu --toy" if arguments.toy else ""), **figures)


if __name__ == "__main__":
    main()

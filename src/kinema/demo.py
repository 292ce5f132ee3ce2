"""The demonstration: the whole job on the data set that ships, and an honest page about it.

Four encoders of RGB at one budget of epochs: untrained, InfoNCE, CPR with one stage (CoCLR) and CPR. The first half of
the epochs, InfoNCE, is shared; from there InfoNCE simply goes on, and the other two mine with the guide that was
trained on motion vectors. Everything is resumable: the same command goes on where it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from kinema import api
from kinema.data import Manifest
from kinema.data.mocap import MocapConfig, write_mocap
from kinema.methods import CPRConfig
from kinema.recipes.plan import Plan, infonce_of
from kinema.recipes.presets import small
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Phase, Recipe


@dataclass(frozen=True)
class DemoOutcome:
    """What the demonstration leaves.

    Args:
        page: the report.
        report: its content.
        run: CPR's run folder.
        seconds: all of it.
    """

    page: Path
    report: Any
    run: Path
    seconds: float


def demo_plan(epochs: int = 24, seed: int = 0) -> Plan:
    """The plan of CPR in the demonstration; its baselines derive from it."""
    return replace(small("cpr"), epochs=epochs, seed=seed)


def side_by_side(plan: Plan, run: str) -> Iterator[tuple[str, Recipe]]:
    """CPR and its two baselines at one budget, by name.

    Args:
        plan: CPR's plan.
        run: the name of CPR's run folder, beside which the others lie; they start from its InfoNCE phases.
    """
    cpr = plan.recipe()
    assert isinstance(plan.method, CPRConfig)
    method, mining = plan.method, cpr.phases[2]
    start = {view: f"../{run}/phases/{n:02d}-infonce-{view}" for n, view in enumerate((method.view, method.guide), 1)}
    more = Phase("infonce-more", infonce_of(method, method.view), mining.epochs, plan.optimiser, {"rgb": start["rgb"]})
    one_stage = Phase("coclr-rgb", replace(method, stages=1, sizes=None), mining.epochs, plan.optimiser, start)
    yield "cpr", cpr
    yield "infonce", replace(cpr, name="moco", phases=(more,))
    yield "coclr", replace(cpr, name="cpr", phases=(one_stage,))


def run_demo(
    folder: str | Path,
    *,
    epochs: int | None = None,
    clips_per_class: int | None = None,
    console: Console | None = None,
) -> DemoOutcome:
    """Builds, scans, pretrains, evaluates and reports.

    Args:
        folder: where everything goes; one that was begun is completed.
        epochs: of each encoder; the demonstration's own by default.
        clips_per_class: training videos a class; the data set's own by default.
        console: where progress is shown.

    Raises:
        KinemaError: whatever stops it; run again to go on.
    """
    began, folder = time.monotonic(), Path(folder)
    plan = demo_plan() if epochs is None else demo_plan(epochs)
    config = MocapConfig() if clips_per_class is None else MocapConfig(clips_per_class=clips_per_class)
    manifest = demo_data(folder / "mocap-15", config, console)
    runs = []
    for name, recipe in side_by_side(plan, "cpr"):
        out = folder / "runs" / name
        resume = (out / "recipe.json").exists()
        chosen: Any = recipe.name if resume else recipe
        api.pretrain(chosen, manifest, out, resume=resume, cache=folder / "cache", console=console)
        api.evaluate("retrieval", out, manifest, cache=folder / "cache", console=console)
        if name == "cpr":
            api.evaluate("retrieval", out, manifest, untrained=True, cache=folder / "cache", console=console)
            api.evaluate("retrieval", out, manifest, view="motion", cache=folder / "cache", console=console)
        runs.append(out)
    page, report = api.report(*runs, out=folder / "report.html", data=manifest)
    return DemoOutcome(page, report, RunFolder.open(runs[0]).path, time.monotonic() - began)


def demo_data(folder: Path, config: MocapConfig, console: Console | None) -> Manifest:
    """The data set, drawn and scanned once."""
    index = folder.parent / f"{folder.name}.parquet"
    with api.Steps("drawing", console) as progress:
        write_mocap(folder, config, progress=progress)
    with api.Steps("scanning", console) as progress:
        return api.scan(folder, out=index, progress=progress)

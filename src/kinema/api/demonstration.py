"""The demonstration: the whole job on the data set that ships, and an honest page about it.

Three encoders of RGB at one budget of epochs: untrained, InfoNCE and CPR. The first epochs, InfoNCE, are shared; from
there InfoNCE simply goes on, and CPR mines with the guide that was trained on motion vectors. What CPR is worth rests
on its guide and on the epochs in which it mines, so it mines early, and the guide learns for longer. Everything is
resumable: the same command goes on where it was stopped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinema import api
from kinema.core.errors import CheckpointError, UsageError
from kinema.core.progress import Shown
from kinema.data import Manifest
from kinema.data.mocap import MocapConfig, write_mocap
from kinema.recipes.comparison import side_by_side
from kinema.recipes.cpr import small
from kinema.recipes.plan import Plan
from kinema.reporting import Report
from kinema.training.settings import Recipe
from kinema.training.stopping import going_on_by_itself

PART = "unbiased"
"""The test videos that ask: without bias, the parts differ in their scenes' names only, so one is enough."""

EPOCHS, ALONE, GUIDE = 22, 4, 16
"""Epochs of each encoder of RGB, those of InfoNCE before CPR mines, and those of the guide."""


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
    report: Report
    run: Path
    seconds: float


def demo_plan(epochs: int = EPOCHS, seed: int = 0) -> Plan:
    """The plan of CPR in the demonstration; its baseline derives from it.

    Clips are smaller than the preset's: mining needs epochs to show what it is worth, and they cost half as much.
    """
    plan = small()
    clip = replace(plan.data.clip, size=48, short_side=54)  # type: ignore[attr-defined]
    schedule = replace(plan.schedule, infonce=max(ALONE / EPOCHS, 1 / max(epochs, 2)), guide=GUIDE / EPOCHS)
    return replace(plan.with_data(clip=clip), epochs=epochs, seed=seed, schedule=schedule)


def run_demo(
    folder: str | Path,
    *,
    epochs: int | None = None,
    clips_per_class: int | None = None,
    seed: int = 0,
    data: str | Path | None = None,
    console: Shown = None,
) -> DemoOutcome:
    """Builds, scans, pretrains, evaluates and reports.

    Args:
        folder: where everything goes; one that was begun is completed.
        epochs: of each encoder; the demonstration's own by default.
        clips_per_class: training videos a class; the data set's own by default.
        seed: of the networks and of the order in which they see the clips; the data set is the same for all.
        data: where the data set is, or is drawn; in ``folder`` by default. Several demonstrations may share it.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        KinemaError: whatever stops it; run again to go on.
    """
    began, folder = time.monotonic(), Path(folder)
    plan = demo_plan(EPOCHS if epochs is None else epochs, seed)
    config = demo_config() if clips_per_class is None else demo_config(clips_per_class)
    drawn = folder / "mocap-15" if data is None else Path(data)
    manifest, cache = demo_data(drawn, config, console), drawn.parent / "cache"
    runs = []
    for name, recipe in side_by_side(plan, one_stage=False).items():
        out = folder / "runs" / name
        _trained(recipe, manifest, out, cache, console)
        measured: list[dict[str, Any]] = [{}, {"untrained": True}, {"view": "motion"}] if name == "cpr-motion" else [{}]
        for which in measured:
            api.evaluate("retrieval", out, manifest, query={"part": PART}, cache=cache, console=console, **which)
        runs.append(out)
    page, report = api.report(*runs, out=folder / "report.html", data=manifest)
    return DemoOutcome(page, report, runs[0], time.monotonic() - began)


def _trained(recipe: Recipe, manifest: Manifest, out: Path, cache: Path, console: Shown) -> None:
    """Trains one of the encoders, or goes on with it.

    Raises:
        KinemaError: whatever stops it; a run that is there was begun with other epochs or videos.
    """
    again = (out / "recipe.json").exists()
    try:
        with going_on_by_itself():
            api.pretrain(recipe, manifest, out, resume=again, cache=cache, console=console)
    except (CheckpointError, UsageError) as error:
        if again:
            error.hint = "Give the settings that the folder was begun with, or the name of another folder."
        raise


def demo_data(folder: Path, config: MocapConfig, console: Shown) -> Manifest:
    """The data set, drawn and scanned once."""
    index = folder.parent / f"{folder.name}.parquet"
    with api.Steps("drawing", console) as progress:
        write_mocap(folder, config, progress=progress)
    with api.Steps("scanning", console) as progress:
        return api.scan(folder, out=index, progress=progress)


def demo_config(clips_per_class: int = 54, test_per_class: int = 32) -> MocapConfig:
    """The data set of the demonstration: smaller than the default, of the same difficulty, without bias."""
    return MocapConfig(clips_per_class=clips_per_class, test_per_class=test_per_class, parts=(PART,))

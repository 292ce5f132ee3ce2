"""Runs of a few seconds, and what is compared of two of them."""

from dataclasses import fields, replace
from pathlib import Path

import torch
from debug_size import CLIP

from kinema.data.clips.config import ClipsConfig
from kinema.networks import EncoderConfig, HeadConfig
from kinema.recipes.changes import fields_of_data
from kinema.recipes.plan import Plan, Schedule
from kinema.recipes.table import METHODS
from kinema.training.checkpoints import read_tower
from kinema.training.run_folder import RunFolder
from kinema.training.settings import OptimiserConfig

TIMING = ("clips_per_second", "data_wait", "device_busy")

VIDEO_METHODS = [name for name, entry in METHODS.items() if entry.encoder.modality == "video"]
"""The methods that learn from videos."""


def tiny_plan(name="moco", *, method=None, **changes):
    """A plan for the tiny videos: 3 batches of 4 an epoch for every clip of a video, a queue of 8."""
    kind = METHODS[name].config
    small = {"queue": 8, "head": HeadConfig(out=16), "stages": 3, "k": 2, "keep": 0.5, "clusters": 3}
    small |= {"guide": "motion"} if name == "xdc" else {}  # the tiny videos have no sound
    small |= method or {}
    plan = Plan(
        kind(**{key: value for key, value in small.items() if key in {item.name for item in fields(kind)}}),
        epochs=3,
        schedule=Schedule(infonce=0.34),
        optimiser=OptimiserConfig(lr=1e-3, warmup_epochs=0),
        data=ClipsConfig(clip=CLIP),
        encoder=EncoderConfig("slim", width=4),
        batch_size=4,
        collapse_rank=0.0,
    )
    return changed(plan, changes)


def changed(plan, changes):
    """The plan with fields of its own, or of its data, changed."""
    of_data = {name: value for name, value in changes.items() if name in fields_of_data(plan)}
    own = {name: value for name, value in changes.items() if name not in of_data}
    return replace(plan.with_data(**of_data), **own)


def towers(run: Path):
    """Every tower that a run keeps, by its file's name."""
    return {str(path.relative_to(run)): read_tower(path) for path in sorted(run.glob("phases/*/tower-*.safetensors"))}


def rows(run: Path):
    """All metrics, but for what a clock says."""
    folder = RunFolder.open(run)
    return [
        {key: value for key, value in row.items() if key not in TIMING}
        for phase in folder.phases()
        for row in folder.metrics(phase)
    ]


def assert_same_run(one: Path, other: Path):
    """Bit for bit the same weights and figures."""
    ours, theirs = towers(one), towers(other)
    assert ours
    assert ours.keys() == theirs.keys()
    different = [
        f"{file}: {key}" for file in ours for key in ours[file] if not torch.equal(ours[file][key], theirs[file][key])
    ]
    assert different == []
    assert rows(one) == rows(other)
    told = [[run_phase(run, p) for p in RunFolder.open(run).phases()] for run in (one, other)]
    assert told[0] == told[1]


def run_phase(run: Path, phase: Path):
    told = RunFolder.open(run).read(str((phase / "phase.json").relative_to(run)))
    return {key: value for key, value in told.items() if key not in ("seconds", "data_wait", "device_busy")}

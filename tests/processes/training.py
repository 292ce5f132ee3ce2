"""Trains a tiny run of each named method, alone or as one of several processes, as ``torchrun`` starts them.

Run as ``python training.py DATA OUT METHOD …``; mostly in float64, so that rounding is far below what is compared.
"""

import sys
from dataclasses import replace
from pathlib import Path

import kinema
from kinema.networks import EncoderConfig
from kinema.recipes.table import preset
from kinema.training.settings import OptimiserConfig

XDC = {"view": "rgb", "guide": "motion", "clusters": 3, "every": 1}


def plan_of(name):
    """A plan of a few steps; without dropout, of which each process draws masks of its own."""
    from tiny_runs import tiny_plan

    shared = {"precision": "64-true", "checkpoint_seconds": 0.0, "collapse_rank": 0.0}
    if name == "declutr":
        plan = preset("small", name)
        encoder = replace(plan.encoder, width=32, vocabulary=128, dropout=0.0)
        return replace(plan, encoder=encoder, epochs=2, batch_size=4, **shared).with_data(vocabulary=128)
    if name == "dcvh":
        plan = preset("small", name)
        encoder = replace(plan.encoder, text=replace(plan.encoder.text, dropout=0.0))
        plan = replace(plan, encoder=encoder, epochs=2, batch_size=8, **shared)
        return plan.with_data(held_out=0.25, height=12, width=12)
    if name == "xdc":  # features of a refresh are float32: nothing here makes much of rounding
        plain = {"encoder": EncoderConfig("slim", width=4, norm="group"), "optimiser": OptimiserConfig("sgd", lr=0.01)}
        return tiny_plan(name, method=XDC, **{**shared, **plain, "precision": "32-true"})
    return tiny_plan(name, **{**shared, "epochs": 4 if name == "cpr" else 3})


def main(data, out, *names):
    sources = {"declutr": "documents", "dcvh": "pairs"}
    for name in names:
        source = Path(data) / sources.get(name, "videos")
        options = {"cache": Path(data) / "cache", "device": "cpu", "logger": "none"}
        kinema.pretrain(plan_of(name), source, Path(out) / name, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])

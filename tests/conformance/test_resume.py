"""Save, load and go on, at every point of a training: bit for bit what nobody had interrupted."""

import pytest
import torch
from debug_size import EVERY, make_method, snapshot, train_step

from kinema.training.checkpoints import Checkpoint, Progress
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

STEPS = 6
IDENTITY = {"encoder": "slim"}


@pytest.mark.parametrize("stopped", [1, 2, 4])
@pytest.mark.parametrize("name", EVERY)
def test_resumed_equals_uninterrupted(name, stopped, tmp_path):
    method = make_method(name, norm="batch")
    optimiser = make_optimiser(method, OptimiserConfig("adamw", lr=1e-2))
    for step in range(stopped):
        train_step(method, optimiser, step)
    path = tmp_path / "checkpoint.pt"
    Checkpoint(IDENTITY, Progress(step=stopped), method.state_dict(), optimiser.state_dict()).write(path)
    losses = [train_step(method, optimiser, step).total for step in range(stopped, STEPS)]

    again = make_method(name, norm="batch", seed=1)
    new_optimiser = make_optimiser(again, OptimiserConfig("adamw", lr=1e-2))
    checkpoint = Checkpoint.read(path, IDENTITY)
    assert checkpoint.progress.step == stopped
    checkpoint.restore(again, new_optimiser)
    new_losses = [train_step(again, new_optimiser, step).total for step in range(stopped, STEPS)]

    assert torch.equal(torch.stack(losses), torch.stack(new_losses))
    expected, got = snapshot(method), snapshot(again)
    assert expected.keys() == got.keys()
    assert not [key for key in expected if not torch.equal(expected[key], got[key])]
    moments = [s["exp_avg"] for s in optimiser.state_dict()["state"].values()]
    again_moments = [s["exp_avg"] for s in new_optimiser.state_dict()["state"].values()]
    assert moments
    assert all(torch.equal(a, b) for a, b in zip(moments, again_moments, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_training_changes_what_is_learnt(name):
    """Else the comparison above could not fail."""
    method = make_method(name)
    before = snapshot(method)
    optimiser = make_optimiser(method, OptimiserConfig("adamw", lr=1e-2))
    for step in range(STEPS):
        train_step(method, optimiser, step)
    after = snapshot(method)
    for view, tower in method.towers().items():
        weight = next(tower.encoder.parameters())
        key = next(k for k, p in method.named_parameters() if p is weight)
        assert torch.equal(before[key], after[key]) == (view not in method.trains)

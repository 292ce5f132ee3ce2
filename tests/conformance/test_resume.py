"""Save, load and go on, at every point of a training: bit for bit what nobody had interrupted."""

import pytest
import torch
from debug_size import EVERY, make_method, snapshot, train_step

from kinema.training.checkpoints import Checkpoint, Progress
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

STEPS = 6
STOPS = (1, 2, 4)
IDENTITY = {"encoder": "slim"}


def fresh(name, seed=0):
    method = make_method(name, norm="batch", seed=seed)
    return method, make_optimiser(method, OptimiserConfig("adamw", lr=1e-2))


def trained(method, optimiser, first, before=lambda step: None):
    """The losses of the steps from ``first`` on."""
    losses = []
    for step in range(first, STEPS):
        before(step)
        losses.append(train_step(method, optimiser, step).total.detach())
    return losses


def moments(optimiser):
    return [state["exp_avg"] for state in optimiser.state_dict()["state"].values()]


@pytest.mark.parametrize("name", EVERY)
def test_resumed_equals_uninterrupted(name, tmp_path):
    method, optimiser = fresh(name)
    begun = snapshot(method)

    def save(step):
        if step in STOPS:
            state, progress = method.state_dict(), Progress(step=step)
            Checkpoint(IDENTITY, progress, state, optimiser.state_dict()).write(tmp_path / f"{step}.pt")

    losses, expected = trained(method, optimiser, 0, save), snapshot(method)
    assert moments(optimiser)
    for view, tower in method.towers().items():  # else the comparison below could not fail
        weight = next(tower.encoder.parameters())
        key = next(k for k, p in method.named_parameters() if p is weight)
        assert torch.equal(begun[key], expected[key]) == (view not in method.trains)

    for stopped in STOPS:
        again, new_optimiser = fresh(name, seed=1)
        checkpoint = Checkpoint.read(tmp_path / f"{stopped}.pt", IDENTITY)
        assert checkpoint.progress.step == stopped
        checkpoint.restore(again, new_optimiser)
        new_losses = trained(again, new_optimiser, stopped)
        assert torch.equal(torch.stack(losses[stopped:]), torch.stack(new_losses)), f"stopped at {stopped}"
        got = snapshot(again)
        assert expected.keys() == got.keys()
        assert not [key for key in expected if not torch.equal(expected[key], got[key])], f"stopped at {stopped}"
        assert all(torch.equal(a, b) for a, b in zip(moments(optimiser), moments(new_optimiser), strict=True))

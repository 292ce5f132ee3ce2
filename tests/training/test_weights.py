"""A run that starts from a file of weights: who takes them, and what is refused before anything is written."""

from dataclasses import replace

import pytest
import torch
from debug_size import CONTEXT
from lived_towers import lived_tower
from safetensors.torch import save_file
from tiny_runs import tiny_plan, towers

from kinema import api
from kinema.core.errors import CheckpointError, ConfigError
from kinema.training.settings import OptimiserConfig
from kinema.training.trainer import build_method, check_weights, start_from_weights


@pytest.fixture
def weights(tmp_path):
    """Weights of the tiny plan's encoder, for three channels, and the tower that they are of."""
    tower = lived_tower("slim", "rgb", seed=4)
    save_file(
        {key: value.contiguous() for key, value in tower.encoder.state_dict().items()}, tmp_path / "w.safetensors"
    )
    return tmp_path / "w.safetensors", tower.encoder


def same(encoder, other):
    return all(torch.equal(value, other.state_dict()[key]) for key, value in encoder.state_dict().items())


def test_every_begun_encoder_of_three_channels_takes_them(weights):
    """The guide sees motion and starts at random; the third phase goes on from the first; the key network follows."""
    recipe = tiny_plan("cpr", weights=str(weights[0])).recipe()
    used = []
    for phase in recipe.phases:
        method, fresh = build_method(recipe, phase, CONTEXT), build_method(recipe, phase, CONTEXT)
        used.append(start_from_weights(method, recipe, phase))
        view = method.trains[0]
        assert same(method.towers()[view].encoder, weights[1] if used[-1] else fresh.towers()[view].encoder)
        if used[-1]:
            assert same(method.f_k.encoder, weights[1])
            assert same(method.towers()[view].head, fresh.towers()[view].head)
    assert used == [True, False, False]
    plain = replace(recipe, weights="")
    assert not start_from_weights(build_method(plain, plain.phases[0], CONTEXT), plain, plain.phases[0])


def test_a_run_starts_from_them_and_is_loaded_without_them(weights, tiny_manifest, tiny_cache, tmp_path):
    """At a rate of nearly nothing the trained encoder is the file's, but for the statistics of its norms."""
    plan = tiny_plan("simclr", epochs=1, optimiser=OptimiserConfig(lr=1e-12, weight_decay=0.0, warmup_epochs=0))
    plan = replace(plan, weights=str(weights[0]))
    api.pretrain(plan, tiny_manifest, tmp_path / "run", cache=tiny_cache, device="cpu")
    weights[0].unlink()
    learnt = api.load(tmp_path / "run").tower.encoder
    for key, value in weights[1].named_parameters():
        torch.testing.assert_close(dict(learnt.named_parameters())[key], value, rtol=0, atol=1e-6)
    assert towers(tmp_path / "run")


def test_what_does_not_fit_is_said_before_anything_is_written(weights, tiny_manifest, tiny_cache, tmp_path):
    def refused(plan, kind, message):
        with pytest.raises(kind, match=message):
            api.pretrain(plan, tiny_manifest, tmp_path / "run", cache=tiny_cache, device="cpu")
        assert not (tmp_path / "run").exists()

    refused(tiny_plan("moco", weights=str(tmp_path / "none.pth")), CheckpointError, r"none\.pth' cannot be read")
    motion = tiny_plan("moco", method={"view": "motion"}, weights=str(weights[0]))
    refused(motion, ConfigError, "No encoder of the recipe starts from the weights")
    wider = tiny_plan("moco", weights=str(weights[0]))
    wider = replace(wider, encoder=replace(wider.encoder, width=8))
    refused(wider, CheckpointError, r"stem\.0\.weight is \(4, 3, .* and should be \(8, 3, ")


def test_two_channels_take_those_of_two_channels(tmp_path):
    encoder = lived_tower("slim", "motion", seed=5).encoder
    save_file({key: value.contiguous() for key, value in encoder.state_dict().items()}, tmp_path / "w.safetensors")
    recipe = tiny_plan("moco", method={"view": "motion"}, weights=str(tmp_path / "w.safetensors")).recipe()
    method = build_method(recipe, recipe.phases[0], CONTEXT)
    assert start_from_weights(method, recipe, recipe.phases[0])
    assert same(method.f_q.encoder, encoder)
    check_weights(recipe, CONTEXT)

"""Context matching is no puzzle of pixels: without learning, a clip's keyframe is hardly found by its grey values."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d, normalize

import kinema
from kinema.core.seeds import generator_at
from kinema.data.mocap import MocapConfig, write_mocap
from kinema.recipes.table import preset

SET = {"clips_per_class": 2, "test_per_class": 1, "parts": ("unbiased",), "scenes_train": 3, "scenes_test": 1}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The share of clips whose keyframe a descriptor finds among sixteen, by the geometry of keyframes."""
    root = tmp_path_factory.mktemp("mocap")
    write_mocap(root / "set", MocapConfig(**SET, size=72, frames=48), workers=1)
    manifest = kinema.scan(root / "set", workers=1)
    return {geometry: share_found(geometry, manifest, root / "cache") for geometry in ("own", "clip")}


def share_found(geometry, manifest, cache):
    plan = preset("small", "cmd")
    recipe = replace(plan, method=replace(plan.method, geometry=geometry, motion_weight=0.0)).recipe()
    assert recipe.batch_size == 16
    module = recipe.data.load(manifest, recipe.needs, cache=cache).module(recipe.needs[0], batch_size=16, seed=0)
    right = []
    for epoch in range(8):
        for step, raw in enumerate(module.loader(epoch, 0)):
            batch = module.batch(raw, generator_at(0, "probe", epoch, step), labels=False)
            v, c = descriptor(batch.view(0, "rgb").mean(dim=2)), descriptor(batch.keyframe())
            right.append((v @ c.T).argmax(dim=1) == torch.arange(len(v)))
    return float(torch.cat(right).float().mean())


def descriptor(x):
    """16 grey pixels of [B, 3, S, S], without their mean, of length one."""
    grey = adaptive_avg_pool2d(x.mean(dim=1), 4).flatten(1)
    return normalize(grey - grey.mean(dim=1, keepdim=True), dim=1)


def test_sixteen_grey_pixels_find_no_more_than_a_third_of_the_keyframes(found):
    assert found["own"] < 1 / 3


def test_with_the_geometry_of_the_clip_they_find_most(found):
    """What it was before: the probe does see the shortcut."""
    assert found["clip"] > 0.6

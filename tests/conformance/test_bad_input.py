"""What does not fit a method is refused in our own words: the value, and what to do."""

import json
from dataclasses import replace

import pytest
import torch
from debug_size import (
    BATCH,
    CLIPS,
    PAIRS,
    QUESTIONS,
    SEQUENCES,
    TEXTS,
    TRACKLETS,
    fill,
    generator,
    make_batch,
    make_config,
    make_method,
    make_plan,
)

from kinema.core.clips import VIEWS, ClipCompanions
from kinema.core.errors import CheckpointError, ConfigError, ShapeError, UsageError
from kinema.recipes.json import recipe_from_plain, recipe_to_plain
from kinema.recipes.table import METHODS, method_entry
from kinema.training.checkpoints import Checkpoint, Progress
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

every_method = pytest.mark.parametrize("name", METHODS)
clip_methods = pytest.mark.parametrize("name", [name for name in METHODS if name in CLIPS])


@clip_methods
def test_a_missing_view_is_named(name):
    method = make_method(name)
    step = fill(method)
    for view in method.needs.views:
        batch = make_batch(method, step)
        short = replace(batch, variants=tuple({v: x for v, x in each.items() if v != view} for each in batch.variants))
        with pytest.raises(
            ShapeError, match=f"view '{view}'.* holds: {'none' if len(method.needs.views) == 1 else ''}"
        ):
            method.loss(short, generator(step))


@clip_methods
def test_a_missing_variant_is_counted(name):
    method = make_method(name)
    step = fill(method)
    if method.needs.variants == 1:
        assert torch.isfinite(method.loss(make_batch(method, step, variants=1), generator(step)).total)
        return
    with pytest.raises(ShapeError, match=r"variant 1 .* holds 1") as caught:
        method.loss(make_batch(method, step, variants=1), generator(step))
    assert "needs.variants" in caught.value.hint


@clip_methods
def test_missing_companions_are_named(name):
    method = make_method(name)
    step = fill(method)
    batch = make_batch(method, step)
    assert (batch.companions is not None) == (method.needs.companions is not None)
    if batch.companions is None:
        return
    still, motion = batch.companions.keyframe, batch.companions.motion
    assert still is not None
    assert motion is not None
    for key, kept in (
        ("motion_clips", ClipCompanions(still)),
        ("keyframe", ClipCompanions(motion=motion)),
        ("keyframe", None),
    ):
        with pytest.raises(ShapeError, match=f"asks for '{key}'") as caught:
            method.loss(replace(batch, companions=kept), generator(step))
        assert "needs.companions" in caught.value.hint


@clip_methods
def test_a_clip_of_other_channels_is_refused(name):
    method = make_method(name)
    step = fill(method)
    batch = make_batch(method, step)
    wide = tuple({v: torch.cat([x, x], dim=1) for v, x in each.items()} for each in batch.variants)
    with pytest.raises(ShapeError, match=rf"\(8, {2 * VIEWS[method.view]}, 4, 16, 16\)|\(8, 4, 4, 16, 16\)"):
        method.loss(replace(batch, variants=wide), generator(step))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("part", ["positives", "masked"])
def test_missing_positives_and_masks_are_named(name, part):
    method = make_method(name)
    batch = make_batch(method, 0)
    assert (getattr(batch, part) is None) == (not getattr(method.needs, part))
    if getattr(batch, part) is None:
        assert method.loss(batch, generator(0)).ready
        return
    with pytest.raises(ShapeError, match=f"asks for '{part}'") as caught:
        method.loss(replace(batch, **{part: None}), generator(0))
    assert f"needs.{part}" in caught.value.hint


@pytest.mark.parametrize("name", TEXTS)
def test_spans_longer_than_the_networks_positions_are_refused(name):
    method = make_method(name, max_length=15)
    with pytest.raises(ShapeError, match=r"17 tokens.* 16 positions"):
        method.loss(make_batch(method, 0), generator(0))
    with pytest.raises(ConfigError, match=r"17.*16"):
        make_plan(name, max_length=15).recipe()
    assert make_plan(name, max_length=14).recipe().phases


@pytest.mark.parametrize("name", TEXTS)
def test_tokens_of_another_tokenizer_are_refused(name):
    method = make_method(name)
    batch = make_batch(method, 0)
    ids = batch.anchors.ids.clone()
    ids[0, 1] = 64
    anchors = replace(batch.anchors, ids=ids)
    masked = None if batch.masked is None else replace(batch.masked, tokens=anchors)
    with pytest.raises(ShapeError, match=r"to 64.* 64 rows"):
        method.loss(replace(batch, anchors=anchors, masked=masked), generator(0))


@pytest.mark.parametrize("name", SEQUENCES)
def test_frames_of_another_width_are_refused(name):
    method = make_method(name)
    batch = make_batch(method, 0)
    wide = replace(batch, features=torch.cat([batch.features, batch.features], dim=2))
    with pytest.raises(ShapeError, match=r"Frames of 12 features.* takes 6"):
        method.loss(wide, generator(0))


@pytest.mark.parametrize("name", TRACKLETS)
def test_crops_of_other_channels_and_missing_identities_are_refused(name):
    method = make_method(name)
    batch = make_batch(method, 0)
    with pytest.raises(ShapeError, match=r"\(8, 3, 6, 16, 8\)"):
        method.loss(replace(batch, frames=torch.cat([batch.frames, batch.frames], dim=2)), generator(0))
    with pytest.raises(ShapeError, match="asks for 'labels'"):
        method.loss(replace(batch, labels=None), generator(0))


@pytest.mark.parametrize("name", PAIRS)
def test_a_missing_view_of_a_pair_other_widths_and_missing_labels_are_refused(name):
    method = make_method(name)
    batch = make_batch(method, 0)
    for view in method.needs.views:
        field = {"image": "images", "text": "texts"}[view]
        with pytest.raises(ShapeError, match=f"asks for the view '{view}'"):
            method.loss(replace(batch, **{field: None}), generator(0))
        x = getattr(batch, field)
        with pytest.raises(ShapeError, match=rf"view '{view}' was given \(8, {2 * x.shape[1]}"):
            method.loss(replace(batch, **{field: torch.cat([x, x], dim=1)}), generator(0))
    with pytest.raises(ShapeError, match="asks for 'labels'"):
        method.loss(replace(batch, labels=None), generator(0))


@every_method
def test_towers_of_another_shape_are_refused(name):
    method = make_method(name)
    view = method.view
    state = dict(method.towers()[view].state_dict())
    key = next(iter(state))
    with pytest.raises(CheckpointError, match=rf"view '{view}'.*{key} is \(1, 2\) and should be"):
        method.start({view: {**state, key: torch.zeros(1, 2)}})
    with pytest.raises(CheckpointError, match=f"missing: {key}"):
        method.start({view: {k: v for k, v in state.items() if k != key}})
    with pytest.raises(CheckpointError, match=r"unexpected: extra\.weight"):
        method.start({view: {**state, "extra.weight": torch.zeros(1)}})
    absent = next(v for v in [*VIEWS, "sound"] if v not in method.towers())
    with pytest.raises(CheckpointError, match=f"no tower for the view '{absent}'.* has: .*{view}"):
        method.start({absent: state})


@every_method
def test_a_start_copies_the_towers(name):
    method, other = make_method(name), make_method(name, seed=1)
    method.start({view: other.towers()[view].state_dict() for view in other.towers()})
    for view, tower in method.towers().items():
        state = other.towers()[view].state_dict()
        assert all(torch.equal(value, state[key]) for key, value in tower.state_dict().items())


@every_method
def test_the_checkpoint_of_another_method_is_refused(name, tmp_path):
    other = next(candidate for candidate in METHODS if candidate != name)
    path = tmp_path / "checkpoint.pt"
    method, stranger = make_method(name), make_method(other)
    optimiser = make_optimiser(method, OptimiserConfig())
    theirs = make_optimiser(stranger, OptimiserConfig()).state_dict()
    Checkpoint({"method": other}, Progress(), stranger.state_dict(), theirs).write(path)
    with pytest.raises(CheckpointError, match=f"made with {other}, now {name}"):
        Checkpoint.read(path, {"method": name})
    before = {key: value.clone() for key, value in method.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"does not fit {type(method).__name__}: .*(missing|unexpected)"):
        Checkpoint.read(path, {"method": other}).restore(method, optimiser)
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())


@every_method
def test_a_queue_that_the_batch_does_not_divide_is_refused(name):
    config = make_config(name, queue=20)
    if not hasattr(config, "queue"):
        assert make_plan(name, queue=20).recipe().batch_size == BATCH
        return
    with pytest.raises(ConfigError, match=f"queue of 20.* batch of {BATCH}") as caught:
        make_plan(name, queue=20).recipe()
    assert "16 or 24" in caught.value.hint


OUT_OF_RANGE = {"temperature": 0.0, "momentum": 1.0, "queue": 0, "dropout": 1.0, "negatives": -1, "bank_momentum": 1.0}


@pytest.mark.parametrize(
    ("name", "key"),
    [(n, k) for n, entry in METHODS.items() for k in OUT_OF_RANGE if k in entry.config.__dataclass_fields__],
)
def test_settings_out_of_range_are_named(name, key):
    value = OUT_OF_RANGE[key]
    with pytest.raises(ConfigError, match=f"{key}.*{value:g}"):
        make_config(name, **{key: value})


@every_method
def test_json_that_is_no_recipe_is_refused(name):
    plain = json.loads(json.dumps(recipe_to_plain(make_plan(name).recipe())))
    method = plain["phases"][0]["method"]
    method["velocity"] = 3
    with pytest.raises(ConfigError, match="velocity"):
        recipe_from_plain(plain)
    del method["velocity"]
    key, wrong, kind = ("view", 3, "str") if name in CLIPS else ("max_length", "many", "int")
    key = "clusters" if name in SEQUENCES else "frames" if name in TRACKLETS else "bits" if name in PAIRS else key
    key = "candidates" if name in QUESTIONS else key
    right, method[key] = method[key], wrong
    with pytest.raises(ConfigError, match=rf"expected {kind}, got .* @ phases\[0\]\.method\.{key}"):
        recipe_from_plain(plain)
    method[key], method["name"] = right, "mocco"
    with pytest.raises((ConfigError, UsageError), match="mocco"):
        recipe_from_plain(plain)
    del method["name"]
    with pytest.raises(ConfigError, match=r"settings of a method, with its 'name' @ phases\[0\]\.method"):
        recipe_from_plain(plain)


def test_an_unknown_method_lists_those_there_are():
    with pytest.raises(UsageError, match="no method 'cprr'") as caught:
        method_entry("cprr")
    assert all(name in caught.value.hint for name in METHODS)

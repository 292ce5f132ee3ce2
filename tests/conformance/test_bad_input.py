"""What does not fit a method is refused in our own words: the value, and what to do."""

import json
from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, fill, generator, make_batch, make_config, make_method

from kinema.core.clips import VIEWS
from kinema.core.errors import CheckpointError, ConfigError, ShapeError, UsageError
from kinema.recipes.json import recipe_from_plain, recipe_to_plain
from kinema.recipes.plan import Plan
from kinema.recipes.table import METHODS, method_entry
from kinema.training.checkpoints import Checkpoint, Progress
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

every_method = pytest.mark.parametrize("name", METHODS)


@every_method
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


@every_method
def test_a_missing_variant_is_counted(name):
    method = make_method(name)
    step = fill(method)
    if method.needs.variants == 1:
        assert torch.isfinite(method.loss(make_batch(method, step, variants=1), generator(step)).total)
        return
    with pytest.raises(ShapeError, match=r"variant 1 .* holds 1") as caught:
        method.loss(make_batch(method, step, variants=1), generator(step))
    assert "needs.variants" in caught.value.hint


@every_method
def test_missing_companions_are_named(name):
    method = make_method(name)
    step = fill(method)
    batch = make_batch(method, step)
    held = [key for key in ("keyframe", "motion_clips", "motion_clips_valid") if getattr(batch, key) is not None]
    assert bool(held) == (method.needs.companions is not None)
    for key in held:
        with pytest.raises(ShapeError, match=f"asks for '{key}'") as caught:
            method.loss(replace(batch, **{key: None}), generator(step))
        assert "needs.companions" in caught.value.hint


@every_method
def test_a_clip_of_other_channels_is_refused(name):
    method = make_method(name)
    step = fill(method)
    batch = make_batch(method, step)
    wide = tuple({v: torch.cat([x, x], dim=1) for v, x in each.items()} for each in batch.variants)
    with pytest.raises(ShapeError, match=rf"\(8, {2 * VIEWS[method.view]}, 4, 16, 16\)|\(8, 4, 4, 16, 16\)"):
        method.loss(replace(batch, variants=wide), generator(step))


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
        assert Plan(config, epochs=2, batch_size=BATCH).recipe().batch_size == BATCH
        return
    with pytest.raises(ConfigError, match=f"queue of 20.* batch of {BATCH}") as caught:
        Plan(config, epochs=2, batch_size=BATCH).recipe()
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
    plain = json.loads(json.dumps(recipe_to_plain(Plan(make_config(name), epochs=2, batch_size=BATCH).recipe())))
    method = plain["phases"][0]["method"]
    method["velocity"] = 3
    with pytest.raises(ConfigError, match="velocity"):
        recipe_from_plain(plain)
    del method["velocity"]
    method["view"] = 3
    with pytest.raises(ConfigError, match=r"expected str @ phases\[0\]\.method\.view"):
        recipe_from_plain(plain)
    method["view"], method["name"] = "rgb", "mocco"
    with pytest.raises((ConfigError, UsageError), match="mocco"):
        recipe_from_plain(plain)
    del method["name"]
    with pytest.raises(ConfigError, match=r"MethodConfig @ phases\[0\]\.method"):
        recipe_from_plain(plain)


def test_an_unknown_method_lists_those_there_are():
    with pytest.raises(UsageError, match="no method 'cprr'") as caught:
        method_entry("cprr")
    assert all(name in caught.value.hint for name in METHODS)

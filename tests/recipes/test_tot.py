"""The presets of TOT, and what a plan learns from the data."""

from pathlib import Path

import pytest

from kinema.core.errors import ConfigError, DataError
from kinema.data.sequences.table import FeatureSequence, Sequences
from kinema.recipes.resolve import planned
from kinema.recipes.table import METHODS
from kinema.recipes.tot import BREAKFAST, YTI

PRESETS = METHODS["tot"].presets


def table(*activities, frames=200, width=8, told_by="name"):
    rows = [FeatureSequence(f"P{n}_{name}", "x", frames, width, name) for n, name in enumerate(activities)]
    return Sequences(Path("data"), tuple(rows), activity_from=told_by)


def plan(data, preset="small", **settings):
    return planned("tot", lambda config: data, preset, settings)


@pytest.mark.parametrize(
    ("preset", "activities", "expected"),
    [
        ("breakfast", ("coffee", "coffee", "pancake"), {"coffee": 7, "pancake": 14}),
        ("yti", ("changing_tire", "cpr"), {"changing_tire": 11, "cpr": 7}),
        ("50salads-mid", ("all", "all"), {"": 19}),
        ("50salads-eval", ("all", "all"), {"": 12}),
        ("desktop-assembly", ("all",), {"": 22}),
    ],
)
def test_a_preset_has_the_steps_of_its_activities(preset, activities, expected):
    recipe = plan(table(*activities, told_by="none" if "all" in activities else "name"), preset).recipe()
    assert {phase.method.activity: phase.method.clusters for phase in recipe.phases} == expected
    assert {phase.method.tot.freeze_steps for phase in recipe.phases} == {4000}
    assert recipe.encoder.features == 8
    assert recipe.encoder.dim == {"breakfast": 40, "yti": 200}.get(preset, 30)
    assert recipe.encoder.hidden == 2 * recipe.encoder.dim
    assert recipe.data.normalize == ("video" if preset == "breakfast" else "none")
    assert {phase.optimiser.lr for phase in recipe.phases} == {1e-2 if preset == "desktop-assembly" else 1e-3}


def test_there_are_the_presets_that_were_tried():
    assert PRESETS.keys() == {"small", "breakfast", "yti", "50salads-mid", "50salads-eval", "desktop-assembly"}
    assert (len(BREAKFAST), len(YTI)) == (10, 5)


@pytest.mark.parametrize(("epochs", "rest"), [(60, 300), (4, 20), (1, 5)])
def test_prototypes_rest_for_a_tenth_of_a_small_run(epochs, rest):
    found = plan(table("tea", "tea"), epochs=epochs, method_settings={"clusters": 3})
    assert (found.data.repeats, found.method.tot.freeze_steps) == (50, rest)
    own = plan(table("tea", "tea"), epochs=epochs, method_settings={"clusters": 3, "tot": {"freeze_steps": 2}})
    assert own.method.tot.freeze_steps == 2


def test_activities_are_learnt_one_after_the_other_or_alone():
    data = table("tea", "coffee", "tea")
    both = plan(data, method_settings={"clusters": 3, "activities": {"tea": 4}}).recipe()
    assert [(phase.name, phase.method.clusters) for phase in both.phases] == [("tot-coffee", 3), ("tot-tea", 4)]
    alone = plan(data, method_settings={"clusters": 3, "form": "asot", "activity": "tea"}).recipe()
    assert [phase.name for phase in alone.phases] == ["asot-tea"]
    assert (alone.encoder.hidden, alone.encoder.dim, alone.encoder.activation) == (128, 40, "relu")
    whole = plan(table("all", "all", told_by="none"), method_settings={"clusters": 3}).recipe()
    assert [(phase.name, phase.method.activity) for phase in whole.phases] == [("tot-all", "")]


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({}, ConfigError, "how many steps the activity of 'coffee', 'tea' has"),
        ({"activities": {"tea": 3}}, ConfigError, "how many steps the activity of 'coffee' has"),
        ({"clusters": 3, "activity": "te"}, DataError, "of the activity 'te'"),
        ({"clusters": 201}, DataError, "longest video of 'coffee' has 200 frames"),
    ],
)
def test_what_the_data_do_not_bear_is_refused(settings, kind, message):
    with pytest.raises(kind, match=message) as caught:
        plan(table("tea", "coffee"), method_settings=settings)
    assert caught.value.hint


def test_steps_of_an_activity_that_is_not_there_are_told(caplog):
    plan(table("tea", "coffee"), method_settings={"clusters": 3, "activities": {"cofee": 4}})
    assert "has the steps of 'cofee'" in caplog.text
    caplog.clear()
    plan(table("tea", "coffee"), "breakfast")
    assert "method.activities" not in caplog.text

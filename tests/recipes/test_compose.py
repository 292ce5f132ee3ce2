"""What is put on top of a method: transforms, a base under CPR, losses beside; by name and as objects."""

import json
from dataclasses import replace

import pytest

from kinema.core.errors import ConfigError, UsageError
from kinema.data.clips.transforms import BrokenMotion, Elsewhere, LocalWarp, StaticFrame, TransformConfig
from kinema.methods import BEConfig, BERegulariserConfig, CPRConfig, DSMConfig, JoinedConfig, MoCoConfig, SimCLRConfig
from kinema.networks import HeadConfig
from kinema.recipes.compose import composed
from kinema.recipes.disturbances import KINDS, TRANSFORMS, disturbance_name, transforms_named
from kinema.recipes.json import recipe_from_plain, recipe_to_plain
from kinema.recipes.plan import Plan, Schedule
from kinema.recipes.table import leading, preset

NEAR, SHIFTED = Elsewhere(4), LocalWarp(around="shifted")
"""As the authors' code has them."""


def survives_json(recipe):
    plain = json.loads(json.dumps(recipe_to_plain(recipe)))
    return recipe_from_plain(plain) == recipe


def test_transforms_by_name():
    assert transforms_named(["be", "dsm"]) == (StaticFrame(), NEAR, SHIFTED, BrokenMotion())
    assert transforms_named(["be", "static-frame"]) == (StaticFrame(), NEAR)
    assert transforms_named(["dsm-released"]) == (SHIFTED, NEAR)
    assert TRANSFORMS["iic"] == (BrokenMotion(kinds=("shuffle", "repeat")),)
    assert {disturbance_name(each) for named in TRANSFORMS.values() for each in named} == set(KINDS)
    with pytest.raises(UsageError, match="no transform 'bee'") as caught:
        transforms_named(["be", "bee"])
    assert all(name in caught.value.hint for name in TRANSFORMS)


def test_transforms_on_top_of_a_plan_survive_json():
    own = LocalWarp("thin-plate", 0.5, variant=0)
    plan = preset("small", "moco").with_data(transform=TransformConfig(disturb=(own,)))
    recipe = composed(plan, "small", transforms=["dsm", "be"]).recipe()
    assert recipe.data.transform.disturb == (own, SHIFTED, BrokenMotion(), StaticFrame(), NEAR)
    assert survives_json(recipe)


def test_a_setting_that_came_later_is_not_written_where_a_run_of_before_did_the_same():
    """So what was trained before, and its checkpoints, say what new ones say, and go on."""
    before = Plan(MoCoConfig()).with_data(transform=TransformConfig(disturb=(Elsewhere(), LocalWarp())))
    plain = recipe_to_plain(before.recipe())
    assert "own_among" not in plain["phases"][0]["method"]
    assert [set(each) for each in plain["data"]["transform"]["disturb"]] == [
        {"name"},
        {"name", "kind", "strength", "variant"},
    ]
    assert recipe_from_plain(plain).phases[0].method.own_among == 0
    after = replace(before, method=MoCoConfig(own_among=3569)).with_data(
        transform=TransformConfig(disturb=(NEAR, SHIFTED))
    )
    plain = recipe_to_plain(after.recipe())
    assert plain["phases"][0]["method"]["own_among"] == 3569
    assert [each.get("apart", each.get("around")) for each in plain["data"]["transform"]["disturb"]] == [4, "shifted"]
    assert survives_json(after.recipe())
    dsm = recipe_to_plain(Plan(DSMConfig()).recipe())["phases"][0]["method"]
    assert not {"negative", "apart", "own_among"} & dsm.keys()
    assert dsm["warp"].keys() == {"kind", "strength", "variant"}


@pytest.mark.parametrize("name", ["moco", "simclr", "be", "dsm", "cpr", "cpr-bank"])
def test_the_preset_small_weighs_a_clips_own_negative_as_the_papers_do(name):
    assert preset("small", name).method.own_among == 3569
    assert getattr(preset("small", name).method, "apart", 4) == 4
    assert preset("small", "dsm").method.warp == SHIFTED
    based = composed(preset("small", "cpr"), "small", base="be").recipe()
    assert {phase.method.own_among for phase in based.phases} == {3569}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(strenth=1), "strenth"),
        (lambda d: d.update(strength="much"), r"expected float.*data\.transform\.disturb\[0\]\.strength"),
        (lambda d: d.update(strength=3.0), r"strength is 3\.0; it must lie in .* @ data\.transform\.disturb\[0\]"),
        (lambda d: d.update(name="still"), "no disturbance 'still'"),
        (lambda d: d.pop("name"), r"disturbance, with its 'name' @ data\.transform\.disturb\[0\]"),
    ],
)
def test_json_that_is_no_disturbance_is_refused(change, named):
    plain = recipe_to_plain(composed(preset("small", "moco"), "small", transforms=["be"]).recipe())
    plain = json.loads(json.dumps(plain))
    change(plain["data"]["transform"]["disturb"][0])
    with pytest.raises((ConfigError, UsageError), match=named):
        recipe_from_plain(plain)


@pytest.mark.parametrize(("name", "kind"), [("be", BEConfig), ("dsm", DSMConfig)])
def test_a_base_under_cpr(name, kind):
    """It comes first in the run's view; its disturbances stay on while CPR mines, and the guide's phase has none."""
    plan = composed(preset("small", "cpr"), "small", base=name)
    assert plan.data.temporal == 0.0
    recipe = plan.recipe()
    assert [phase.name for phase in recipe.phases] == [f"{name}-rgb", "infonce-motion", "cpr-rgb"]
    first, guide, mining = recipe.phases
    assert isinstance(first.method, kind)
    for field in ("view", "queue", "temperature", "momentum", "head"):
        assert getattr(first.method, field) == getattr(mining.method, field)
    assert first.method.negatives_from == guide.method.negatives_from == "batch"
    assert mining.start == {"rgb": f"{name}-rgb", "motion": "infonce-motion"}
    assert [phase.disturb for phase in recipe.phases] == [(), (), first.method.needs.disturbances]
    assert survives_json(recipe)


def test_the_bases_disturbances_stay_with_its_view():
    plan = composed(preset("small", "cpr"), "small", base="be")
    plan = replace(plan, schedule=Schedule(turns=2, progressive=(1, 3)))
    told = {phase.name: phase.disturb for phase in plan.recipe().phases[2:]}
    kept = plan.base.needs.disturbances
    assert told == {"cpr-rgb-k1": kept, "cpr-rgb-k3": kept, "cpr-motion-k1": (), "cpr-motion-k3": ()}


def test_windows_are_left_as_the_user_set_them_and_moco_changes_nothing():
    cpr = preset("small", "cpr")
    assert composed(cpr, "small", base="be", keep_temporal=True).data.temporal == cpr.data.temporal == 0.5
    default, named = cpr.recipe(), composed(cpr, "small", base="moco").recipe()
    assert named.phases[0].method == default.phases[0].method
    assert named.data.temporal == default.data.temporal


def test_a_base_that_does_not_fit_is_refused():
    cpr = Plan(CPRConfig(), epochs=4)
    with pytest.raises(ConfigError, match="base has the view residual, and CPR the view rgb"):
        replace(cpr, base=BEConfig("residual")).recipe()
    with pytest.raises(ConfigError, match="base has the head"):
        replace(cpr, base=BEConfig(head=HeadConfig(norm=True))).recipe()
    with pytest.raises(ConfigError, match=r"\(MoCo\) is not trained on top of a base"):
        Plan(MoCoConfig(), base=BEConfig()).recipe()
    with pytest.raises(UsageError, match="Only cpr"):
        composed(preset("small", "moco"), "small", base="be")
    for name in ("cpr", "supervised", "be-regulariser", "bee"):
        with pytest.raises(UsageError, match=f"'{name}' cannot be the base") as caught:
            composed(preset("small", "cpr"), "small", base=name)
        assert {"moco", "simclr", "be", "dsm"} <= set(caught.value.hint.removesuffix(".").split(": ")[1].split(", "))


def test_a_loss_beside_every_phase_of_the_runs_view():
    plan = composed(preset("small", "cpr"), "small", base="dsm", beside=["be-regulariser"])
    plan = replace(plan, beside_weights=(0.5,))
    recipe = plan.recipe()
    kinds = [type(phase.method) for phase in recipe.phases]
    assert kinds == [JoinedConfig, MoCoConfig, JoinedConfig]
    expected = BERegulariserConfig("rgb", head=plan.method.head)
    assert [phase.method.beside for phase in recipe.phases if phase.method.view == "rgb"] == [(expected,)] * 2
    assert recipe.phases[0].method.weights == (0.5,)
    assert (recipe.name, recipe.view) == ("cpr", "rgb")
    assert survives_json(recipe)
    simple = composed(preset("small", "supervised"), "small", beside=["be-regulariser", "simclr"]).recipe()
    assert [phase.name for phase in simple.phases] == ["supervised-rgb"]
    assert simple.name == "supervised"
    assert leading(simple.phases[0].method) == preset("small", "supervised").method


def test_beside_takes_names_and_settings():
    own = SimCLRConfig(temperature=0.7)
    plan = composed(Plan(MoCoConfig()), "small", beside=[own, "be-regulariser"])
    assert plan.beside == (own, BERegulariserConfig())
    for name in ("cpr", "cpr-bank", "regulariser"):
        with pytest.raises(UsageError, match=f"'{name}' cannot stand beside"):
            composed(Plan(MoCoConfig()), "small", beside=[name])
    with pytest.raises(ConfigError, match=r"Plan\.beside"):
        Plan(JoinedConfig(CPRConfig(), (own,))).recipe()


def test_the_batch_must_divide_every_queue_of_joined_methods():
    with pytest.raises(ConfigError, match="queue of 1020"):
        Plan(SimCLRConfig(), beside=(MoCoConfig(queue=1020),)).recipe()


def test_a_method_without_the_preset_gives_its_largest():
    """'supervised' has no preset 'paper', and the regulariser of BE none but 'small'."""
    plan = composed(preset("paper", "moco"), "paper", beside=["supervised", "be-regulariser"])
    assert [each.head for each in plan.beside] == [plan.method.head] * 2
    on_cmd = composed(preset("paper", "cpr"), "paper", base="cmd")
    assert (on_cmd.base.width, on_cmd.base.siblings) == (64, "negatives")
    assert on_cmd.base.head == on_cmd.method.head
    assert on_cmd.recipe().phases[0].optimiser.drops == (250, 280)

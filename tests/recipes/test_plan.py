"""From what a user sets to the phases that are trained."""

from dataclasses import replace

import pytest
from debug_size import ENCODERS

from kinema.core.errors import ConfigError, UsageError
from kinema.core.method import TrainingContext
from kinema.data.clips.config import ClipsConfig
from kinema.methods import CPRBankConfig, CPRConfig, MoCoConfig, SimCLRConfig
from kinema.networks import EncoderConfig, HeadConfig
from kinema.recipes.plan import Plan, Schedule
from kinema.recipes.table import METHODS, method_name, preset
from kinema.training.settings import OptimiserConfig, Phase, Recipe


def told(recipe):
    return [(p.name, p.epochs, dict(p.start)) for p in recipe.phases]


def test_cpr_is_infonce_on_each_view_and_then_mining():
    recipe = Plan(CPRConfig(temperature=0.1, momentum=0.9), epochs=10, schedule=Schedule(infonce=0.3)).recipe()
    start = {"rgb": "infonce-rgb", "motion": "infonce-motion"}
    assert told(recipe) == [("infonce-rgb", 3, {}), ("infonce-motion", 3, {}), ("cpr-rgb", 7, start)]
    first, second, mining = (phase.method for phase in recipe.phases)
    assert first == MoCoConfig("rgb", 1024, 0.1, 0.9)
    assert second == MoCoConfig("motion", 1024, 0.1, 0.9)
    assert (mining.view, mining.guide) == ("rgb", "motion")
    assert (recipe.name, recipe.view) == ("cpr", "rgb")
    schedule = Schedule(infonce_negatives_from="batch")
    others = Plan(CPRConfig(head=HeadConfig(norm=True)), epochs=2, schedule=schedule).recipe().phases
    assert [phase.method.negatives_from for phase in others] == ["batch", "batch", "queue"]
    assert all(phase.method.head.norm for phase in others)


def test_turns_swap_the_views_and_start_from_the_latest_towers():
    recipe = Plan(CPRConfig(), epochs=8, schedule=Schedule(turns=4)).recipe()
    assert told(recipe)[2:] == [
        ("cpr-rgb-1", 4, {"rgb": "infonce-rgb", "motion": "infonce-motion"}),
        ("cpr-motion-1", 4, {"rgb": "cpr-rgb-1", "motion": "infonce-motion"}),
        ("cpr-rgb-2", 4, {"rgb": "cpr-rgb-1", "motion": "cpr-motion-1"}),
        ("cpr-motion-2", 4, {"rgb": "cpr-rgb-2", "motion": "cpr-motion-1"}),
    ]
    views = [(p.method.view, p.method.guide) for p in recipe.phases[2:]]
    assert views == [("rgb", "motion"), ("motion", "rgb")] * 2
    two = Plan(CPRConfig(), epochs=8, schedule=Schedule(turns=2)).recipe()
    assert [p.name for p in two.phases[2:]] == ["cpr-rgb", "cpr-motion"]


def test_progressive_training_grows_k_and_inherits_the_weights():
    recipe = Plan(CPRConfig(), epochs=15, schedule=Schedule(infonce=1 / 3, progressive=(1, 3, 5), turns=2)).recipe()
    assert told(recipe)[2:] == [
        ("cpr-rgb-k1", 3, {"rgb": "infonce-rgb", "motion": "infonce-motion"}),
        ("cpr-rgb-k3", 3, {"rgb": "cpr-rgb-k1", "motion": "infonce-motion"}),
        ("cpr-rgb-k5", 4, {"rgb": "cpr-rgb-k3", "motion": "infonce-motion"}),
        ("cpr-motion-k1", 3, {"rgb": "cpr-rgb-k5", "motion": "infonce-motion"}),
        ("cpr-motion-k3", 3, {"rgb": "cpr-rgb-k5", "motion": "cpr-motion-k1"}),
        ("cpr-motion-k5", 4, {"rgb": "cpr-rgb-k5", "motion": "cpr-motion-k3"}),
    ]
    assert [p.method.k for p in recipe.phases[2:]] == [1, 3, 5, 1, 3, 5]
    assert sum(p.epochs for p in recipe.phases[2:5]) == 10


@pytest.mark.parametrize(("guide", "epochs"), [(None, 3), (0.6, 6), (0.01, 1), (2.0, 20)])
def test_a_guide_may_learn_longer_than_the_view_before_it_mines(guide, epochs):
    recipe = Plan(CPRConfig(), epochs=10, schedule=Schedule(infonce=0.3, guide=guide)).recipe()
    assert [phase.epochs for phase in recipe.phases] == [3, epochs, 7]


def test_progressive_training_of_the_bank_inherits_both_views():
    recipe = Plan(CPRBankConfig(), epochs=4, schedule=Schedule(progressive=(1, 3))).recipe()
    first = "cpr-bank-rgb-k1"
    assert told(recipe) == [(first, 2, {}), ("cpr-bank-rgb-k3", 2, {"rgb": first, "residual": first})]


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("cpr", "video-qa")])
def test_other_methods_have_one_phase(name):
    plan = replace(preset("small", name), epochs=7)
    recipe = plan.recipe()
    assert told(recipe) == [(f"{name}-{plan.view}", 7, {})]
    assert recipe.name == name == method_name(recipe.phases[0].method)


def test_what_a_plan_shares_reaches_the_recipe():
    data = ClipsConfig(workers=3, temporal=0.25)
    plan = Plan(SimCLRConfig(), seed=9, batch_size=6, data=data, precision="bf16-mixed")
    recipe = plan.recipe()
    assert recipe.data == data
    for name in Plan.__dataclass_fields__.keys() & Recipe.__dataclass_fields__.keys():
        assert getattr(recipe, name) == getattr(plan, name)


@pytest.mark.parametrize(("epochs", "infonce"), [(1, 0.5), (10, 0.01), (10, 0.99)])
def test_cpr_needs_an_epoch_of_each(epochs, infonce):
    with pytest.raises(ConfigError, match=f"epochs is {epochs} and schedule.infonce {infonce}"):
        Plan(CPRConfig(), epochs=epochs, schedule=Schedule(infonce=infonce)).recipe()


def test_schedules_that_cannot_be():
    for infonce in (0.0, 1.0, -1):
        with pytest.raises(ConfigError, match=f"infonce is {infonce}"):
            Schedule(infonce=infonce)
    for guide in (0.0, -0.5, 11):
        with pytest.raises(ConfigError, match=f"guide is {guide}"):
            Schedule(guide=guide)
    with pytest.raises(ConfigError, match="turns is 0"):
        Schedule(turns=0)
    for progressive in ((3, 1), (0, 1)):
        with pytest.raises(ConfigError, match="progressive is"):
            Schedule(progressive=progressive)
    with pytest.raises(ConfigError, match="3 steps for a turn of 2 epochs"):
        Plan(CPRConfig(), epochs=4, schedule=Schedule(progressive=(1, 2, 3))).recipe()


def test_recipes_that_cannot_be():
    phase, parts = Phase("one", MoCoConfig(queue=8), 1), {"data": ClipsConfig(), "encoder": EncoderConfig()}
    with pytest.raises(ConfigError, match="no phase"):
        Recipe("r", (), **parts)
    with pytest.raises(ConfigError, match="two phases of one name"):
        Recipe("r", (phase, phase), **parts, batch_size=4)
    with pytest.raises(ConfigError, match="batch_size is 1"):
        Recipe("r", (phase,), **parts, batch_size=1)
    with pytest.raises(ConfigError, match="workers=-1"):
        ClipsConfig(workers=-1)
    with pytest.raises(ConfigError, match="temporal=2"):
        ClipsConfig(temporal=2)
    with pytest.raises(ConfigError, match="0 epochs"):
        replace(phase, epochs=0)
    with pytest.raises(ConfigError, match="named 'a b'"):
        replace(phase, name="a b")


def test_the_learning_rate():
    cosine = OptimiserConfig(lr=2.0, warmup_epochs=2)
    assert [cosine.rate(e, 10) for e in (0.5, 1, 2, 6, 10)] == pytest.approx([0.5, 1.0, 2.0, 1.0, 0.0])
    steps = OptimiserConfig(lr=1.0, schedule="steps", drops=(3, 5), warmup_epochs=0)
    assert [steps.rate(e, 6) for e in (0, 2.9, 3, 5)] == pytest.approx([1, 1, 0.1, 0.01])
    assert OptimiserConfig(lr=3.0, schedule="constant", warmup_epochs=0).rate(99, 100) == 3.0
    with pytest.raises(ConfigError, match="lr is 0"):
        OptimiserConfig(lr=0)


PRESETS = ("small", "paper", "paper-kinetics", "coclr", "reconstruction")
NAMED = {
    "cpr": "paper",
    "cpr-bank": "paper",
    "moco": "paper coclr",
    "simclr": "paper",
    "be": "paper paper-kinetics",
    "be-regulariser": "",
    "dsm": "paper paper-kinetics",
    "cmd": "paper paper-kinetics",
    "elo": "coclr",
    "xdc": "reconstruction",
    "declutr": "paper",
    "simcse": "paper",
    "trl": "reconstruction",
    "dcvh": "reconstruction",
    "video-qa": "reconstruction",
    "supervised": "coclr",
}
"""The presets of each method beside 'small'; one is called 'paper' where it is the paper's."""


def test_every_method_has_a_preset_for_two_cores_and_others_by_the_names_that_they_deserve():
    assert NAMED.keys() == METHODS.keys() - {"tot"}
    for method, names in NAMED.items():
        assert list(METHODS[method].presets) == ["small", *names.split()]
    assert {name for names in NAMED.values() for name in names.split()} | {"small"} == set(PRESETS)
    assert next(iter(METHODS["tot"].presets)) == "small"


@pytest.mark.parametrize("method", [method for method in METHODS if method != "tot"])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_its_method_a_recipe(name, method):
    presets = METHODS[method].presets
    if name not in presets:
        with pytest.raises(UsageError, match=f"no preset '{name}' of '{method}'") as caught:
            preset(name, method)
        assert caught.value.hint == f"Choose one of: {', '.join(presets)}."
        return
    recipe = preset(name, method).recipe()
    assert recipe.name == method
    assert recipe.phases
    for phase in recipe.phases:
        built = phase.method.build(ENCODERS[recipe.data.unit], TrainingContext(4096, 2))
        assert (built.needs, built.trains) == (phase.method.needs, phase.method.trains)
        recipe.data.check(phase.needs)


@pytest.mark.parametrize("name", ["small", "paper", "paper-kinetics"])
def test_query_and_key_of_be_and_dsm_are_one_window(name):
    assert [preset(name, method).data.temporal for method in ("be", "dsm")] == [0.0, 0.0]
    assert preset("small", "moco").data.temporal == 0.5


def test_the_small_preset_of_be():
    small = preset("small", "be").method
    assert (small.negatives_from, small.momentum, small.head.norm) == ("batch", 0.5, True)


def test_the_paper_of_cpr_has_300_epochs_of_infonce_a_view_and_four_turns_of_100():
    plan = preset("paper", "cpr")
    assert plan.method.resolved_sizes() == (1024, 512, 256, 128, 64, 32, 5)
    phases = plan.recipe().phases
    assert [(p.name, p.epochs, p.optimiser.drops) for p in phases] == [
        ("infonce-rgb", 300, (250, 280)),
        ("infonce-motion", 300, (250, 280)),
        *((f"cpr-{view}-{cycle}", 100, (80,)) for cycle in (1, 2) for view in ("rgb", "motion")),
    ]
    assert all(p.method.siblings == "negatives" for p in phases[:2])
    with pytest.raises(UsageError, match="no preset 'huge'"):
        preset("huge", "cpr")

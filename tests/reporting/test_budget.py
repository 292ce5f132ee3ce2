"""Epochs are counted along the chain of phases, across runs."""

from __future__ import annotations

from reports import VOCABULARY, collect

from kinema.reporting import budget
from kinema.training.run_folder import RunFolder


def epochs_of(run, recipe, encoder, view):
    return budget.epochs_of(run, recipe, encoder, view, vocabulary=VOCABULARY, open_run=RunFolder.open)


def continued(maker, name, encoder, method, source, seed=0):
    """A run of 5 epochs that goes on from another run's phase."""
    run = maker.run(name, phases=("more",), seed=seed, epochs=5)
    phase = {"name": "more", "method": {"view": "rgb", **method}, "epochs": 5, "start": {"rgb": source}}
    run.write("recipe.json", {"name": name.partition("/")[2], "view": "rgb", "seed": seed, "phases": [phase]})
    maker.result(run, encoder, 0.3)
    return run


def test_a_run_that_goes_on_from_another_counts_both(maker):
    cpr = maker.run("demo/cpr", epochs=5)
    more = continued(maker, "demo/infonce", "infonce", {"name": "moco"}, "../cpr/phases/01-infonce-rgb")
    assert epochs_of(more.path, more.read("recipe.json"), "infonce", "rgb") == 10
    maker.result(cpr, "cpr", 0.5)
    report = collect([cpr, more])
    assert {row.encoder: row.epochs for row in report.rows} == {"infonce": 10, "cpr": 10}
    assert not any("budgets differ" in note for note in report.headline.notes)


def test_a_chain_inside_one_recipe_is_followed(maker):
    run = maker.run(phases=("infonce-rgb", "infonce-motion", "cpr-rgb"), epochs=4)
    recipe = run.read("recipe.json")
    assert epochs_of(run.path, recipe, "cpr", "rgb") == 8
    assert epochs_of(run.path, recipe, "infonce", "rgb") == 4
    assert epochs_of(run.path, recipe, "infonce", "motion") == 4
    assert epochs_of(run.path, recipe, "random", "rgb") == 0


def test_encoders_side_by_side_cost_what_each_of_them_cost(maker):
    run = maker.run(phases=("infonce-rgb", "infonce-motion", "cpr-rgb"), epochs=4)
    recipe = run.read("recipe.json")
    assert epochs_of(run.path, recipe, "cpr", "rgb+motion") == 8 + 4
    assert epochs_of(run.path, recipe, "cpr", "rgb+residual") is None
    for view, value in (("rgb", 0.6), ("rgb+motion", 0.8)):
        maker.result(run, "cpr", value, view=view)
    report = collect([run])
    assert [(row.view, row.epochs) for row in report.rows] == [("rgb", 8), ("rgb+motion", 12)]
    assert any("RGB + motion vectors" in line for line in (report.advice.sentence, *report.advice.lines))


def test_methods_beside_one_another_are_counted_as_the_first(maker):
    run = maker.run(phases=("infonce-rgb", "cpr-rgb"), epochs=4)
    recipe = run.read("recipe.json")
    joined = [
        {**phase, "method": {"name": "joined", "method": phase["method"], "beside": [{"name": "be-regulariser"}]}}
        for phase in recipe["phases"]
    ]
    assert epochs_of(run.path, {**recipe, "phases": joined}, "cpr+be-regulariser", "rgb") == 8
    assert epochs_of(run.path, {**recipe, "phases": joined}, "infonce", "rgb") == 4


def test_what_cannot_be_followed_is_not_known(maker):
    gone = continued(maker, "demo/infonce", "infonce", {"name": "moco"}, "../gone/phases/01-infonce-rgb")
    assert epochs_of(gone.path, gone.read("recipe.json"), "infonce", "rgb") is None
    circle = {"phases": [{"name": "a", "method": {"view": "rgb"}, "epochs": 1, "start": {"rgb": "a"}}]}
    assert epochs_of(gone.path, circle, "moco", "rgb") is None
    assert epochs_of(gone.path, {}, "moco", "rgb") is None


def test_seeds_that_start_from_their_own_runs_are_one_setting(maker):
    runs = []
    for seed in range(2):
        base = maker.run(f"s/cpr-{seed}", seed=seed)
        maker.result(base, "cpr", 0.5)
        source = f"../cpr-{seed}/phases/01-infonce-rgb"
        runs += [base, continued(maker, f"s/infonce-{seed}", "infonce", {"name": "moco"}, source, seed)]
        recipe = runs[-1].read("recipe.json")
        runs[-1].write("recipe.json", {**recipe, "name": "moco"})
    assert any("CPR and InfoNCE are compared seed by seed (0, 1)" in note for note in collect(runs).headline.notes)

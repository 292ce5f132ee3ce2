"""The sentence at the top says what the figures say, in every case."""

from __future__ import annotations

import math

import pytest
from reports import collect

from kinema.reporting.estimates import Estimate


def told(maker, **figures):
    run = maker.run()
    for encoder, r1 in figures.items():
        maker.result(run, encoder, r1)
    return collect([run]).headline


def test_it_says_that_it_helped(maker):
    head = told(maker, random=0.12, infonce=0.38, cpr=0.46)
    assert head.verdict == "helped"
    assert head.short == "CPR helped, with one seed"
    figures = "CPR finds a clip of the same class first for 46 % of the queries; InfoNCE 38 %; "
    figures += "an untrained network 12 %; chance 7 %."
    assert head.sentence.replace("\u00a0", " ").startswith(figures)
    assert "8.0\u00a0points ahead of InfoNCE, and the difference is larger" in head.sentence
    assert (head.candidate, head.baseline, head.view) == ("cpr", "infonce", "rgb")
    assert "300 queries (split=test) against 1,200; seed 0; commit abc123" in head.basis


def test_a_small_lead_is_not_help(maker):
    head = told(maker, infonce=0.38, cpr=0.42)
    assert head.verdict == "unclear"
    assert head.short == "CPR did not measurably help"
    assert "4.0\u00a0points ahead of InfoNCE, but the difference is not larger than the uncertainty" in head.sentence


def test_being_level_is_not_said_to_be_of_no_help(maker):
    assert told(maker, infonce=0.38, cpr=0.38).short == "CPR did not measurably help"


@pytest.mark.parametrize(("cpr", "verdict", "words"), [(0.37, "unclear", "not larger"), (0.25, "hurt", "is larger")])
def test_being_behind_is_told_plainly(maker, cpr, verdict, words):
    head = told(maker, infonce=0.38, cpr=cpr)
    assert head.verdict == verdict
    assert head.short == "CPR did not help"
    assert "behind InfoNCE" in head.sentence
    assert words in head.sentence


def test_without_a_baseline_it_is_held_against_the_untrained_network(maker):
    head = told(maker, random=0.12, cpr=0.46)
    assert head.verdict == "helped"
    assert head.short == "CPR beats an untrained network"
    assert "InfoNCE, the usual baseline, was not measured" in head.sentence


def test_alone_it_claims_nothing(maker):
    head = told(maker, cpr=0.46)
    assert head.verdict == "no baseline"
    assert "cannot be said" in head.sentence


@pytest.mark.parametrize("largest", ["a", "b"])
def test_of_several_data_sets_it_speaks_of_the_one_with_most_queries(maker, largest):
    run = maker.run()
    for data, digest in (("a", "a" * 64), ("b", "b" * 64)):
        queries = 900 if data == largest else 3
        maker.result(run, "cpr", 0.46, data=data, digest=digest, queries=queries)
    assert f"on {largest}: 900 queries" in collect([run]).headline.basis


def test_infonce_alone_is_judged_against_the_untrained_network_and_not_called_missing(maker):
    head = told(maker, random=0.12, infonce=0.38)
    assert (head.candidate, head.baseline) == ("infonce", "random")
    assert "was not measured" not in head.sentence


def test_without_intervals_nothing_is_decided(maker):
    run = maker.run()
    maker.result(run, "infonce", 0.3, details={"interval": None})
    maker.result(run, "cpr", 0.5)
    head = collect([run]).headline
    assert head.verdict == "unclear"
    assert head.short == "Not decided"


def test_not_beating_an_untrained_network_is_told(maker):
    head = told(maker, random=0.40, infonce=0.20, cpr=0.42)
    assert head.verdict == "helped"
    assert any("not ahead of an untrained network" in note for note in head.notes)


def test_the_cascade_is_held_against_one_stage_and_a_better_one_is_named(maker):
    head = told(maker, infonce=0.20, coclr=0.47, cpr=0.46)
    assert any("CoCLR, 47.0\u00a0%" in note and "behind, not more than" in note for note in head.notes)
    assert any("highest R@1" in note and "CPR, 1 stage" in note for note in head.notes)


def test_unequal_budgets_are_told(maker):
    head = told(maker, infonce=0.20, cpr=0.46)
    assert "The budgets differ: CPR trained for 8 epochs, InfoNCE for 4." in head.notes


def test_seeds_are_averaged_and_their_spread_widens_the_interval(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(3)]
    for run, cpr in zip(runs, (0.30, 0.46, 0.62), strict=True):
        maker.result(run, "infonce", 0.38)
        maker.result(run, "cpr", cpr)
    head = collect(runs).headline
    assert "46\u00a0%" in head.sentence
    assert head.verdict == "unclear"
    spread = 4.30 * 0.16 / math.sqrt(3)
    low = 100 * (0.08 - math.hypot(math.hypot(0.04, spread), 0.04))
    assert f"{low:+.1f}".replace("-", "−") in head.sentence
    assert any("CPR and InfoNCE are compared seed by seed (0, 1, 2)" in note for note in head.notes)


def test_with_several_seeds_the_verdict_is_plain(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(3)]
    for run, more in zip(runs, (0.0, 0.01, 0.02), strict=True):
        maker.result(run, "infonce", 0.30 + more)
        maker.result(run, "cpr", 0.46 + more)
    assert collect(runs).headline.short == "CPR helped"


def test_runs_of_other_settings_are_not_averaged(maker):
    first, other = maker.run("first", stages=3), maker.run("other", stages=5)
    maker.result(first, "cpr", 0.30)
    maker.result(other, "cpr", 0.90)
    maker.result(first, "infonce", 0.20)
    maker.result(other, "infonce", 0.28)
    head = collect([first, other]).headline
    assert "30\u00a0%" in head.sentence
    assert "InfoNCE 28\u00a0%" in head.sentence, "the strongest baseline counts"
    assert any("also run with other settings" in note for note in head.notes)


def test_the_difference_squares_and_adds_the_distances_to_the_bounds():
    a, b = Estimate("a", 0.5, 0.47, 0.56, 1, None), Estimate("b", 0.4, 0.32, 0.44, 1, None)
    d = a.minus(b)
    assert (d.value, d.low, d.high) == pytest.approx((0.1, 0.1 - math.hypot(0.03, 0.04), 0.1 + math.hypot(0.06, 0.08)))
    assert not d.paired


def test_without_evaluations_it_says_what_to_run(maker):
    run = maker.run()
    head = collect([run]).headline
    assert head.verdict == "not evaluated"
    assert any(f"kinema evaluate retrieval {run.path} videos" in note for note in head.notes)


def test_measured_by_neighbours_alone_it_says_what_they_found(maker):
    run = maker.run(classes=0)
    for encoder, accuracy in (("random", 0.2), ("infonce", 0.7), ("cpr", 0.625)):
        told = {"protocol": "knn", "preset": "k20-t0.07", "metrics": {"accuracy": accuracy}}
        maker.result(run, encoder, accuracy, **told)
    maker.mining(run)
    head = collect([run]).headline
    assert (head.verdict, head.short) == ("not compared", "Evaluated, but not by retrieval")
    finding = "CPR names the right class for 62.5\u00a0% of the videos."
    rest = "The verdict of this page rests on retrieval, which was not measured."
    assert head.sentence == f"Nearest-neighbour classifier (k20-t0.07): {finding} {rest}"
    assert any(f"kinema evaluate retrieval {run.path} videos" in note for note in head.notes)
    baseline = maker.run("baseline", phases=("infonce-rgb",))
    for encoder, accuracy in (("random", 0.8), ("infonce", 0.7)):
        maker.result(baseline, encoder, accuracy, protocol="knn", metrics={"accuracy": accuracy})
    assert "InfoNCE names the right class for 70.0" in collect([baseline]).headline.sentence


def test_without_labels_it_shows_loss_and_rank_and_says_so(maker):
    head = collect([maker.run(classes=0, phases=("infonce-rgb",))]).headline
    assert head.verdict == "unlabelled"
    assert "carry no labels" in head.sentence
    assert "infonce-rgb from 6.00 to 3.36" in head.sentence
    assert "ended at 11.0" in head.sentence


@pytest.mark.parametrize(
    ("state", "words"),
    [("failed", "failed in phase"), ("interrupted", "was interrupted"), ("running", "still running")],
)
def test_a_run_that_is_not_done_is_named(maker, state, words):
    run = maker.run(state=state)
    run.update_status(error="The loss is nan at step 7.")
    maker.result(run, "cpr", 0.4)
    assert any(words in note and "nan at step 7" in note for note in collect([run]).headline.notes)


def test_a_figure_that_is_no_number_is_named_and_not_counted(maker):
    run = maker.run()
    maker.result(run, "infonce", 0.3)
    maker.result(run, "cpr", math.nan, metrics={"r@1": math.nan})
    head = collect([run]).headline
    assert head.candidate == "infonce"
    assert any("R@1 of CPR" in note and "not a number" in note for note in head.notes)

"""Which encoder to keep: the sentence says what the figures and their intervals say, and no more."""

import numpy as np
import pytest
from reports import collect

from kinema.reporting import markdown, page
from kinema.reporting.estimates import FEWEST, Estimate

N = 200


def answers(share, shift=0):
    """Answers of which a share is right: the first queries, from ``shift`` on."""
    right = np.roll(np.arange(N) < round(share * N), shift)
    return "".join("01"[int(x)] for x in right)


def measured(maker, run, encoder, share, *, right=None, protocol="retrieval", preset="coclr", asked="q" * 16, **more):
    kept = {} if right is None else {"asked": asked, "right": [right]}
    metrics = {"r@1" if protocol == "retrieval" else "accuracy": share}
    details = {"interval": [share - 0.06, share + 0.06], **kept, **more}
    maker.result(run, encoder, share, protocol=protocol, preset=preset, metrics=metrics, queries=N, details=details)


def two(maker, a=0.5, b=0.44, untrained=0.1, **how):
    """CPR and a single stage of it, and an untrained network."""
    runs = [maker.run("cpr"), maker.run("coclr", stages=1)]
    for run, encoder, share in ((runs[0], "cpr", a), (runs[1], "coclr", b), (runs[0], "random", untrained)):
        measured(maker, run, encoder, share, right=answers(share) if how.get("paired", True) else None)
    return runs


def plain(text):
    return text.replace("\u00a0", " ")


def test_the_same_queries_tell_what_two_intervals_cannot(maker):
    told = collect(two(maker)).advice
    assert told.sentence.startswith(
        "Keep CPR: by Retrieval (coclr), it is ahead of every other by more than the noise."
    )
    assert "6.0 points behind, more than the noise (by the same queries: +3.0 to +9.5 points)" in plain(told.lines[0])
    assert "kinema export" in told.steps[0]


def test_without_the_answers_the_intervals_decide(maker):
    told = collect(two(maker, paired=False)).advice
    assert told.sentence.startswith("Keep any of CPR and CPR, 1 stage (CoCLR): by Retrieval (coclr), each leads or is")
    assert "6.0 points behind, within the noise (by the two intervals: −2.5 to +14.5 points)" in plain(told.lines[0])
    assert "let the cost decide" in told.sentence


def test_answers_to_other_queries_are_not_paired(maker):
    runs = two(maker)
    measured(maker, runs[1], "coclr", 0.44, right=answers(0.44), asked="other queries")
    assert "by the two intervals" in collect(runs).advice.lines[0]


def test_answers_that_are_not_whole_are_not_used(maker):
    runs = two(maker)
    measured(maker, runs[1], "coclr", 0.44, right=answers(0.44)[:-1])
    assert "by the two intervals" in collect(runs).advice.lines[0]


def test_the_paired_interval_is_that_of_drawing_the_queries():
    generator = np.random.default_rng(0)
    a, b = (generator.random(N) < share for share in (0.6, 0.5))
    one, other = (Estimate("x", e.mean(), 0.0, 1.0, 1, None, 0.0, "q", tuple(e.astype(float))) for e in (a, b))
    rows = generator.integers(N, size=(10_000, N))
    drawn = a[rows].mean(1) - b[rows].mean(1)
    found = one.minus(other)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.008)
    assert (found.paired, found.apart) == (True, int((a != b).sum()))
    assert found.value == pytest.approx(a.mean() - b.mean())
    back = other.minus(one)
    assert (back.value, back.low) == (pytest.approx(-found.value), pytest.approx(-found.high, abs=0.006))


def test_the_spread_of_seeds_widens_a_paired_interval():
    right = tuple(float(n < 100) for n in range(N)), tuple(float(n < 80) for n in range(N))
    one, other = (Estimate("x", sum(e) / N, 0.0, 1.0, 1, None, 0.0, "q", e) for e in right)
    wide = Estimate("x", 0.5, 0.0, 1.0, 3, None, 0.2, "q", right[0])
    assert one.minus(other).larger
    assert wide.minus(other).low < one.minus(other).low - 0.1
    assert not wide.minus(other).larger


@pytest.mark.parametrize(("apart", "larger"), [(FEWEST - 1, False), (FEWEST, True)])
def test_a_handful_of_answers_is_luck(apart, larger):
    """The bootstrap alone would call five of five a difference; a coin gives that one time in sixteen."""
    right = tuple(float(n < 100) for n in range(N)), tuple(float(n < 100 - apart) for n in range(N))
    one, other = (Estimate("x", sum(e) / N, 0.0, 1.0, 1, None, 0.0, "q", e) for e in right)
    assert one.minus(other).low > 0
    assert one.minus(other).larger is larger


def test_the_verdict_and_the_advice_compare_alike(maker):
    run = maker.run()
    for encoder, share in (("infonce", 0.44), ("cpr", 0.5)):
        measured(maker, run, encoder, share, right=answers(share))
    head = collect([run]).headline
    assert head.verdict == "helped"
    assert "by the same queries: +3.0 to +9.5" in head.sentence
    measured(maker, run, "cpr", 0.46, right=answers(0.46))
    head = collect([run]).headline
    assert head.verdict == "unclear"
    assert "they answer 4 queries differently, too few" in head.sentence


def test_no_protocol_decides_alone(maker):
    runs = two(maker)
    for run, encoder, share in ((runs[0], "cpr", 0.5), (runs[1], "coclr", 0.7)):
        measured(maker, run, encoder, share, right=answers(share), protocol="linear", preset="features")
    told = collect(runs).advice.sentence
    assert told.startswith("It depends on the use")
    assert "CPR leads by Retrieval (coclr); CPR, 1 stage (CoCLR) leads by Linear probe (features)" in told
    for run, encoder, share in ((runs[0], "cpr", 0.5), (runs[1], "coclr", 0.51)):
        measured(maker, run, encoder, share, right=answers(share), protocol="linear", preset="features")
    told = collect(runs).advice.sentence
    assert told.startswith("Keep CPR: by both measurements that compare them, it alone leads or is within the noise")


def test_what_is_no_better_than_random_weights_is_not_kept(maker):
    told = collect(two(maker, a=0.5, b=0.44, untrained=0.495)).advice
    assert told.sentence.startswith("Keep none yet: no encoder is better than an untrained one by more than the noise.")
    assert not any("kinema export" in step for step in told.steps)


def test_what_is_level_with_the_best_and_with_random_weights_too_is_not_kept(maker):
    """CPR leads clearly above the untrained network; one stage is within the noise of both."""
    told = collect(two(maker, a=0.5, b=0.44, untrained=0.36, paired=False)).advice
    assert told.sentence.startswith(
        "Keep CPR: by Retrieval (coclr), it leads or is within the noise of what leads. CPR, 1 stage (CoCLR) leads or "
        "is within the noise of what leads too, but is no better than an untrained one by more than the noise."
    )


def test_one_encoder_is_no_choice_and_supervised_ones_are_not_kept(maker):
    run = maker.run()
    measured(maker, run, "cpr", 0.5)
    measured(maker, run, "supervised", 0.9)
    told = collect([run]).advice
    assert told.sentence == "There is nothing to choose between: CPR is all that could be kept."
    assert any("Train another method" in step for step in told.steps)
    assert any("--untrained" in step and "not measured by Retrieval" in step for step in told.steps)


def test_without_intervals_nothing_is_preferred(maker):
    runs = two(maker, paired=False)
    for run, encoder in ((runs[0], "cpr"), (runs[1], "coclr")):
        measured(maker, run, encoder, 0.9 if encoder == "cpr" else 0.1, interval=None)
    told = collect(runs).advice
    assert "none can be preferred" in told.sentence
    assert "luck cannot be told from a difference" in told.lines[0]


def test_one_seed_is_told_and_more_are_asked_for(maker):
    told = collect(two(maker)).advice
    assert "another seed might turn the order" in told.sentence
    assert any("--seed 1" in step for step in told.steps)
    runs = [maker.run(f"{name}-{seed}", stages=s, seed=seed) for name, s in (("a", 3), ("b", 1)) for seed in range(3)]
    for run in runs:
        one = run.path.name.startswith("a")
        measured(maker, run, "cpr" if one else "coclr", 0.7 if one else 0.4, right=answers(0.7 if one else 0.4))
    told = collect(runs).advice
    assert told.sentence == "Keep CPR: by Retrieval (coclr), it is ahead of every other by more than the noise."
    assert "CPR has 70.0 % over 3 seeds" in plain(told.lines[0])
    assert not any("--seed 1" in step for step in told.steps)


def test_what_was_not_measured_everywhere_is_named_with_its_command(maker):
    runs = two(maker, b=0.3)
    third = maker.run("moco", phases=("infonce-rgb",))
    measured(maker, third, "infonce", 0.6, right=answers(0.6))
    for run, encoder, share in ((runs[0], "cpr", 0.5), (runs[1], "coclr", 0.3)):
        measured(maker, run, encoder, share, right=answers(share), protocol="few-label", preset="10%")
    told = collect([*runs, third]).advice
    assert "InfoNCE does as well where it was measured, which is not everywhere." in told.sentence
    command = f"kinema evaluate few-label {third.path} videos --shares 0.1"
    assert f"InfoNCE was not measured by Linear probe (10% of the labels): {command}" in told.steps


def test_encoders_of_one_name_are_told_apart(maker):
    runs = [maker.run("first", stages=3), maker.run("second", stages=5)]
    for run, share in zip(runs, (0.3, 0.6), strict=True):
        measured(maker, run, "cpr", share, right=answers(share))
    assert "Keep CPR (5 stages, guided by motion vectors, 8 epochs)" in collect(runs).advice.sentence
    alike = maker.run("third", stages=5, manifest_digest="e" * 64)
    measured(maker, alike, "cpr", 0.9, right=answers(0.9))
    assert "8 epochs) (third): by Retrieval" in collect([*runs, alike]).advice.sentence


def test_page_and_markdown_begin_with_it(maker):
    report = collect(two(maker))
    text = page(report)
    assert (
        text.index("Keep CPR") < text.index("<h2>Which one should I keep?</h2>") < text.index("<h2>What was run</h2>")
    )
    assert "<code>kinema export" in text
    told = markdown(report)
    assert told.index("## Which one should I keep?") < told.index("## Retrieval, preset coclr")
    assert "Next:" in told


def test_without_evaluations_there_is_no_advice(maker):
    report = collect([maker.run()])
    assert report.advice.sentence == ""
    assert "Which one should I keep?" not in page(report)

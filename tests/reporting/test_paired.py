"""Differences seed by seed: the interval covers the truth, and every form of the report says the same."""

import io
import json
import math
import re

import numpy as np
import pytest
from reports import collect, read_json, section
from rich.console import Console
from scipy.special import stdtrit

from kinema.cli import report as cli
from kinema.core.ops import bootstrap_of_mean
from kinema.reporting import differences, markdown, write_json
from kinema.reporting.estimates import Estimate, OfSeed, half_interval
from kinema.reporting.paired import HEADING

SEEDS, QUERIES, TRUTH = 3, 150, 0.08


def simulated(generator, *, of_seeds, of_queries, stored=True):
    """Two encoders over three seeds whose true difference is known.

    A seed moves both encoders together and each by itself; a query is hard for both, and favours one of them in all
    seeds alike.
    """
    hard = generator.uniform(-0.15, 0.15, QUERIES)
    favours = generator.normal(0, of_queries, QUERIES)
    together = generator.normal(0, 0.02, SEEDS)
    found = []
    for side in (1, -1):
        own = generator.normal(0, of_seeds, SEEDS)[:, None] + together[:, None]
        chance = 0.5 + hard + side * (TRUTH / 2 + favours) + own
        answers = generator.random((SEEDS, QUERIES)) < chance
        each = []
        for seed, right in enumerate(answers.astype(float)):
            half = 1.96 * math.sqrt(right.var() / QUERIES)
            known = ("q", tuple(right)) if stored else ("", ())
            each.append(OfSeed(seed, right.mean(), half, half, *known))
        found.append(Estimate("x", answers.mean(), 0.0, 1.0, SEEDS, None, each=tuple(each)))
    return found


@pytest.fixture
def quick(monkeypatch):
    """A bootstrap of fewer draws: it is called a thousand times."""
    monkeypatch.setattr("kinema.reporting.estimates.bootstrap_of_mean", lambda d, s: bootstrap_of_mean(d, s, 500))


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(("of_seeds", "of_queries"), [(0.04, 0.0), (0.0, 0.1), (0.03, 0.1)])
def test_the_interval_covers_the_true_difference(quick, of_seeds, of_queries, stored):
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        one, other = simulated(generator, of_seeds=of_seeds, of_queries=of_queries, stored=stored)
        found = one.minus(other)
        assert found.seeds == (0, 1, 2)
        assert found.paired is stored
        covered.append(found.low <= TRUTH <= found.high)
    assert np.mean(covered) >= 0.93


def test_a_bootstrap_over_three_seeds_and_student_s_t_without_the_queries_do_not():
    """Why the interval is what it is: each part alone misses the truth too often."""
    generator = np.random.default_rng(0)
    boot, student = [], []
    for _ in range(300):
        one, other = simulated(generator, of_seeds=0.03, of_queries=0.1)
        each = np.array([a.value - b.value for a, b in zip(one.each, other.each, strict=True)])
        low, high = np.quantile(each[generator.integers(3, size=(500, 3))].mean(1), [0.025, 0.975])
        boot.append(low <= TRUTH <= high)
        one, other = simulated(generator, of_seeds=0.0, of_queries=0.3)
        each = [a.value - b.value for a, b in zip(one.each, other.each, strict=True)]
        student.append(abs(np.mean(each) - TRUTH) <= half_interval(each))
    assert np.mean(boot) < 0.8
    assert np.mean(student) < 0.9


def test_it_is_never_narrower_than_over_queries_alone():
    generator = np.random.default_rng(0)
    for of_seeds in (0.0, 0.05):
        one, other = simulated(generator, of_seeds=of_seeds, of_queries=0.1)
        low, high = bootstrap_of_mean(
            np.subtract(*(np.mean([s.right for s in e.each], axis=0) for e in (one, other))), 0
        )
        found = one.minus(other)
        assert found.low < low < high < found.high


def seeds_of(maker, cpr, infonce, numbers=(0, 1, 2), **more):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in numbers]
    for run, ours, theirs in zip(runs, cpr, infonce, strict=True):
        for encoder, share in (("cpr", ours), ("infonce", theirs)):
            right = "".join("01"[n < round(share * 200)] for n in range(200))
            details = {"interval": [share - 0.07, share + 0.07], "asked": "q", "right": [right]}
            maker.result(run, encoder, share, queries=200, metrics={"r@1": share}, details=details | more)
    return runs


CPR, INFONCE = (0.50, 0.60, 0.70), (0.40, 0.51, 0.60)
"""The seeds lie far apart; the difference is 10, 9 and 10 points."""


def test_what_seeds_have_in_common_cancels(maker):
    report = collect(seeds_of(maker, CPR, INFONCE))
    (line,) = report.differences
    assert (line.encoder, line.against, line.seeds, line.verdict) == ("CPR", "InfoNCE", (0, 1, 2), "ahead")
    assert line.each == pytest.approx((0.10, 0.09, 0.10))
    assert line.value == pytest.approx(0.29 / 3)
    low, high = line.interval
    assert high - low < 0.2, "the seeds' own spread of 20 points does not count"
    assert report.headline.short == "CPR helped"
    assert "seed by seed and by the same queries" in report.headline.sentence


def test_three_seeds_that_disagree_do_not_decide(maker):
    report = collect(seeds_of(maker, (0.50, 0.60, 0.55), (0.40, 0.61, 0.50)))
    (line,) = report.differences
    t = float(stdtrit(2, 0.975)) * np.std([0.10, -0.01, 0.05], ddof=1) / math.sqrt(3)
    assert line.verdict == "not decided"
    assert line.interval[0] < line.value - t
    assert report.headline.verdict == "unclear"


def test_only_shared_seeds_of_the_same_data_are_paired(maker):
    first = seeds_of(maker, CPR, INFONCE)
    fourth = maker.run("seed3", seed=3)
    maker.result(fourth, "cpr", 0.9, queries=200, metrics={"r@1": 0.9})
    report = collect([*first, fourth])
    assert report.differences[0].seeds == (0, 1, 2)
    assert report.differences[0].value == pytest.approx(0.29 / 3), "the fourth does not enter"
    assert "9.7\u00a0points ahead of InfoNCE" in report.headline.sentence
    assert "seed by seed over the seeds 0, 1 and 2" in report.headline.sentence
    other = [maker.run(f"other{seed}", seed=seed, stages=5, manifest_digest="e" * 64) for seed in range(2)]
    for run in other:
        maker.result(run, "cpr", 0.5)
    assert not any("other0" in str(each) for each in collect([*first, *other]).differences)
    assert len(collect([*first, *other]).differences) == 1


def test_every_form_of_the_report_has_the_differences(maker, tmp_path, capsys):
    runs = seeds_of(maker, CPR, INFONCE)
    for run, share in zip(runs, (0.3, 0.4, 0.5), strict=True):
        maker.result(run, "random", share, queries=200, metrics={"r@1": share}, details={"interval": None})
    report = collect(runs)
    assert [(each.encoder, each.against, each.verdict) for each in report.differences] == [
        ("InfoNCE", "Untrained network", "not decided"),
        ("CPR", "Untrained network", "not decided"),
        ("CPR", "InfoNCE", "ahead"),
    ]
    told = section(report, HEADING)
    assert "<h3>Retrieval (coclr)</h3>" in told
    cells = [text for text in re.split(r"<[^>]+>|\n", told.split("<tr>")[-1]) if text.strip(", ")]
    assert cells[:4] == ["CPR", "InfoNCE", "+9.7", "ahead"]
    assert cells[5:] == ["+10.0", "+9.0", "+10.0", "3 (0, 1, 2)"]
    assert 'class="decided ahead">ahead<' in told
    text = markdown(report)
    assert f"## {HEADING}" in text
    assert re.search(
        r"\| CPR \| InfoNCE \| \+9\.7 \| \+[\d.]+ to \+[\d.]+ \| \+10\.0, \+9\.0, \+10\.0 \| 3 \(0, 1, 2\) \| ahead \|",
        text,
    )
    console = Console(width=80, file=io.StringIO())
    console.print(differences(report))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert any(line[:3] == ["CPR", "InfoNCE", "+9.7"] and line[-2:] == ["3", "ahead"] for line in lines)
    write_json(report, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json").differences == report.differences
    cli.run(["--json", *(str(run.path) for run in runs)])
    shown = json.loads(capsys.readouterr().out)["differences"][-1]
    assert (shown["encoder"], shown["seeds"], shown["verdict"]) == ("CPR", [0, 1, 2], "ahead")


def test_one_seed_decides_nothing_about_the_method(maker):
    report = collect(seeds_of(maker, CPR[:1], INFONCE[:1], (0,)))
    assert report.differences == ()
    assert differences(report) is None
    says = (
        "The figures of CPR and InfoNCE are of one seed. One seed decides nothing about the method, only about this run"
    )
    assert any(note.startswith(says) for note in report.headline.notes)
    assert report.headline.short == "CPR helped, with one seed"
    assert "One seed decides nothing about the method" in section(report, HEADING)
    assert "One seed decides nothing about the method" in markdown(report)
    alone = maker.run("alone")
    maker.result(alone, "cpr", 0.5)
    assert section(collect([alone]), HEADING) == ""

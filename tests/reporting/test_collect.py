"""Run folders become rows and records; nothing is mixed that was measured differently."""

from __future__ import annotations

import json
import math

import pytest
from reports import collect, read_json

from kinema.core.errors import RunError, UsageError
from kinema.reporting import rows, write_json
from kinema.reporting.places import without_places
from kinema.reporting.report import blocks


def test_selections_become_one_row_and_the_largest_comes_first(maker):
    run = maker.run()
    for selection, r1, queries in (("part=matched", 0.5, 100), ("split=test", 0.4, 300), ("part=swapped", 0.2, 100)):
        maker.result(run, "cpr", r1, queries=queries, details={"selection": selection})
    (row,) = rows(collect([run]))
    assert row["encoder"] == "cpr"
    assert row["view"] == "rgb"
    assert row["metrics"]["r@1"] == 0.4
    assert set(row["metrics"]) == {"r@1", "r@5", "r@10", "r@20", "r@50"}
    assert {name: metrics["r@1"] for name, metrics in row["selections"].items()} == {
        "split=test": 0.4,
        "part=matched": 0.5,
        "part=swapped": 0.2,
    }


def test_the_main_selection_is_the_one_that_most_encoders_share(maker):
    run = maker.run()
    maker.result(run, "cpr", 0.9, queries=900, details={"selection": "alone"})
    for encoder, r1 in (("cpr", 0.4), ("infonce", 0.3)):
        maker.result(run, encoder, r1, details={"selection": "shared"})
    assert [(row["encoder"], row["selection"]) for row in rows(collect([run]))] == [
        ("infonce", "shared"),
        ("cpr", "shared"),
    ]


def test_rows_go_from_untrained_to_the_method(maker):
    run = maker.run()
    for encoder in ("supervised", "cpr", "random", "coclr", "infonce"):
        maker.result(run, encoder, 0.4)
    assert [row["encoder"] for row in rows(collect([run]))] == ["random", "infonce", "coclr", "cpr", "supervised"]


@pytest.mark.parametrize(
    "changes", [{"preset": "vcop"}, {"digest": "e" * 64}, {"protocol": "mining"}, {"details": {"windows": "1 window"}}]
)
def test_other_settings_share_no_table(maker, changes):
    first, second = maker.run("a"), maker.run("b")
    maker.result(first, "cpr", 0.4)
    maker.result(second, "cpr", 0.4, **changes)
    report = collect([first, second])
    assert [len(block) for block in blocks(report.rows)] == [1, 1]


def test_one_measurement_kept_in_two_runs_is_one_row_that_names_both(maker):
    first, second = maker.run("a"), maker.run("b", stages=1)
    for run in (first, second):
        maker.result(run, "random", 0.1, seconds=float(len(run.path.name)))
    maker.result(first, "infonce", 0.3)
    maker.result(second, "infonce", 0.31)
    assert [(row["encoder"], row["runs"]) for row in rows(collect([first, second]))] == [
        ("random", ["a", "b"]),
        ("infonce", ["a"]),
        ("infonce", ["b"]),
    ]


def test_names_tell_runs_apart_and_a_run_given_twice_counts_once(maker):
    first, second = maker.run("seed0/cpr"), maker.run("seed1/cpr", seed=1)
    assert [run.name for run in collect([first, second, first]).runs] == ["seed0/cpr", "seed1/cpr"]


def test_variants_and_epochs_come_from_the_recipe(maker):
    run = maker.run(stages=4, phases=("infonce-rgb", "infonce-motion", "cpr-rgb"), epochs=6)
    for encoder in ("random", "infonce", "coclr", "cpr"):
        maker.result(run, encoder, 0.4)
    told = {row.encoder: row.variant for row in collect([run]).rows}
    assert told == {
        "random": "",
        "infonce": "6 epochs",
        "coclr": "guided by motion vectors, 12 epochs",
        "cpr": "4 stages, guided by motion vectors, 12 epochs",
    }


def test_curves_hold_one_point_an_epoch(maker):
    phases = collect([maker.run(epochs=3)]).runs[0].phases
    assert [[row["epoch"] for row in phase.curve] for phase in phases] == [[1, 2, 3], [1, 2, 3]]
    assert "mining_precision" not in phases[0].curve[0]
    assert phases[1].curve[-1]["mining_precision"] == pytest.approx(0.35)


def test_a_phase_under_way_has_figures_and_no_end(maker):
    run = maker.run(state="running")
    (run.phases()[1] / "phase.json").unlink()
    phase = collect([run]).runs[0].phases[1]
    assert (phase.name, phase.method, phase.guide, phase.state, phase.seconds) == (
        "cpr-rgb",
        "cpr",
        "motion",
        "unfinished",
        None,
    )
    assert (phase.epochs_done, phase.epochs) == (4, 4)


def test_json_comes_back_as_the_same_report_and_is_strict(maker, tmp_path):
    run = maker.run()
    maker.result(run, "cpr", 0.4, metrics={"r@1": 0.4, "r@5": math.nan})
    maker.result(run, "infonce", 0.3, details={"per_class": {"walk": math.inf}, "chance": None})
    maker.mining(run)
    report = collect([run])
    write_json(report, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == without_places(report)
    text = (tmp_path / "report.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["rows"][1]["figures"][0]["metrics"] == {"r@1": 0.4, "r@5": None}


def test_bad_input_is_an_error_of_ours(maker, tmp_path):
    with pytest.raises(UsageError, match="at least one run"):
        collect([])
    (tmp_path / "report.json").write_text('{"title": 1}')
    with pytest.raises(RunError, match="cannot be read as a report"):
        read_json(tmp_path / "report.json")
    run = maker.run()
    (run.path / "status.json").write_text("{")
    with pytest.raises(RunError, match=r"status\.json"):
        collect([run])

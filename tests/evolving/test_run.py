"""The loop: resumed equals uninterrupted, the order of answers does not count, and what failed cannot win."""

import csv
import io
import json
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import quick_search as quick
from rich.console import Console

from kinema.core.errors import CheckpointError, ConfigError, MissingExtraError, RunError, TrainingError, UsageError
from kinema.evolving.engines import check_engine, mapped
from kinema.evolving.history import Candidate, SearchFolder
from kinema.evolving.run import best_of, evolved, kept_weights
from kinema.evolving.shown import as_csv, chart, table

ASKED = {"search": {"seed": 0}, "data": "abc"}


def run(folder, config, engine=quick.engine, resume=False):
    place = SearchFolder.begun(folder, ASKED, resume=resume)
    return evolved(config, quick.NAMES, place, quick.job, engine)


@pytest.mark.parametrize("search", ["cma", "tournament", "random"])
@pytest.mark.parametrize("stopped", [0, 3])
def test_resumed_equals_uninterrupted(search, stopped, tmp_path):
    if search == "cma":
        pytest.importorskip("cma", reason="CMA-ES needs the extra kinema[evolve]")
    config = quick.config(search)
    whole = run(tmp_path / "whole", config)
    assert len(whole) == 15
    assert [each.number for each in whole] == list(range(15))
    assert [each.generation for each in whole] == [n // 4 for n in range(15)]
    calls = []

    def interrupted(jobs):
        calls.append(len(jobs))
        return quick.engine(jobs, stop_after=stopped if len(calls) == 3 else None)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", config, interrupted)
    assert len(list((tmp_path / "parts/candidates").iterdir())) == 8 + stopped
    again = []

    def counted(jobs):
        again.append(len(jobs))
        return quick.engine(jobs, backwards=True)

    assert run(tmp_path / "parts", config, counted, resume=True) == whole
    assert sum(again) == 15 - 8 - stopped


def test_a_search_goes_on_with_more_candidates(tmp_path):
    whole = run(tmp_path / "whole", quick.config())
    assert run(tmp_path / "parts", quick.config(candidates=6)) == whole[:6]
    assert run(tmp_path / "parts", quick.config(), resume=True) == whole


def test_what_failed_cannot_win_and_says_why(tmp_path):
    found = run(tmp_path / "s", quick.config("random", candidates=40))
    failed = [each for each in found if each.fitness is None]
    assert failed
    assert all(each.reason == "collapsed: for the test" and each.rank == 1.0 for each in failed)
    worst = quick.config().worst
    assert {each.scored(worst) for each in failed} == {worst + 1}
    assert max(each.scored(worst) for each in found if each not in failed) < worst + 1
    best = best_of(found, tmp_path)
    assert best.fitness == min(each.fitness for each in found if each.fitness is not None)
    twins = [replace(best, number=7), replace(best, number=3), replace(failed[0], number=1)]
    assert best_of(twins, tmp_path).number == 3
    with pytest.raises(TrainingError, match=r"None of \d+ candidates .* collapsed: for the test"):
        best_of(failed, tmp_path)


def test_a_folder_is_gone_on_with_only_as_it_was_begun(tmp_path):
    SearchFolder.begun(tmp_path / "s", ASKED, resume=False)
    SearchFolder.begun(tmp_path / "s", ASKED, resume=True)
    with pytest.raises(RunError, match="holds a search already") as caught:
        SearchFolder.begun(tmp_path / "s", ASKED, resume=False)
    assert "--resume" in caught.value.hint
    with pytest.raises(CheckpointError, match="data was 'abc', and 'other' was asked"):
        SearchFolder.begun(tmp_path / "s", {**ASKED, "data": "other"}, resume=True)
    with pytest.raises(CheckpointError, match=r"search\.seed was 0, and 1 was asked"):
        SearchFolder.begun(tmp_path / "s", {**ASKED, "search": {"seed": 1}}, resume=True)
    one, other = ({**ASKED, "recipe": {"data": {"workers": workers}}} for workers in (1, 2))
    SearchFolder.begun(tmp_path / "y", one, resume=False)
    SearchFolder.begun(tmp_path / "y", other, resume=True, changeable={"recipe.data.workers"})
    (tmp_path / "x").mkdir()
    (tmp_path / "x/file").write_text("mine")
    with pytest.raises(RunError, match="is no search"):
        SearchFolder.begun(tmp_path / "x", ASKED, resume=True)
    damaged = SearchFolder(tmp_path / "s")
    damaged.add(Candidate(0, 0, {"a.order": 1.0}, 0.5))
    assert damaged.read(0) == Candidate(0, 0, {"a.order": 1.0}, 0.5)
    assert damaged.read(1) is None
    (tmp_path / "s/candidates/0000.json").write_text("{")
    with pytest.raises(RunError, match=r"0000\.json"):
        damaged.read(0)


def test_a_search_of_before_goes_on_as_it_was_judged(tmp_path):
    """It says neither the scaling of its fitness nor that there was one clustering; it goes on with these alone."""
    asked = quick.config().plain()
    before = {name: value for name, value in asked.items() if name not in ("scaling", "clusterings")}
    SearchFolder.begun(tmp_path / "s", {"search": before}, resume=False)
    with pytest.raises(CheckpointError, match=r"search\.scaling was None.*search\.clusterings was None"):
        SearchFolder.begun(tmp_path / "s", {"search": asked}, resume=True)
    as_then = quick.config(scaling="both", clusterings=1).plain()
    SearchFolder.begun(tmp_path / "s", {"search": as_then}, resume=True)


def test_small_weights_are_left_out():
    assert kept_weights({"a": 0.049, "b": 0.05, "c": 1.0}) == {"a": 0.0, "b": 0.05, "c": 1.0}


def test_settings_that_cannot_be_are_refused(monkeypatch):
    for changes, said in (
        ({"k": 1}, "k is 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"temperature": 0.0}, "temperature 0"),
        ({"scaling": "twice"}, "scaling is 'twice'"),
        ({"clusterings": 0}, "clusterings is 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            quick.config(**changes)
    with pytest.raises(ConfigError, match=r"12 videos .* k = 50") as caught:
        quick.config(k=50).check_videos(12)
    assert "Set k to 2" in caught.value.hint
    with pytest.raises(UsageError, match="no engine 'threads'"):
        check_engine("threads", 1, 1)
    with pytest.raises(ConfigError, match="workers is 0"):
        check_engine("processes", 0, 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match="'ray'") as missing:
        check_engine("ray", 1, 1)
    assert "kinema[ray]" in missing.value.hint


def test_a_process_that_dies_costs_its_candidate_alone():
    """The first job is none that a worker could answer; the second is refused in peace."""
    jobs = [{"refused": ""}, {"refused": "config: no part teaches the view"}]
    answers = dict(mapped("processes", jobs, 1, 1))
    assert answers[0]["reason"].startswith("crashed: its process ended early: KeyError")
    assert answers[1] == {"reason": "config: no part teaches the view", "seconds": 0.0}


def test_the_history_as_table_csv_and_chart(tmp_path):
    found = run(tmp_path / "s", quick.config("random", candidates=40))
    best = best_of(found, tmp_path)
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == 40
    assert float(rows[best.number]["fitness"]) == best.fitness
    assert float(rows[3]["b.order"]) == found[3].weights["b.order"]
    assert {row["reason"] for row in rows} == {"", "collapsed: for the test"}
    drawn = ElementTree.fromstring(chart(found, best))
    whole = [each for each in found if each.fitness is not None]
    assert len(drawn.findall("{*}circle")) == len(whole)
    assert sum((each.text or "") == "×" for each in drawn.findall("{*}text")) == 40 - len(whole)
    assert len([r for r in drawn.findall("{*}rect") if r.get("x") == "210"]) == len(quick.NAMES)
    console = Console(width=120, file=io.StringIO())
    console.print(table(found, best, rows=40))
    told = console.file.getvalue()
    assert told.splitlines()[3].split("│")[1].strip() == str(best.number)
    assert "collapsed: for the test" in told
    json.dumps([each.weights for each in found])

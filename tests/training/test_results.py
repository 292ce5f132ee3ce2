"""Where results lie in a run's folder: one file a measurement, named for a person."""

import pytest

from kinema.core.results import Result
from kinema.training.run_folder import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def result(value=0.5, data="videos", digest="d" * 64, **details):
    told = {"selection": "split=test"} | details
    return Result("knn", "k20-t0.07", {"accuracy": value}, "cpr", "rgb", data, digest, 3, 9, 0, "abc", 1.0, told)


def test_the_name_tells_what_was_measured(run):
    assert run.add_result(result()).name == "knn-k20-t0.07-cpr-rgb-split_test.json"
    chosen = run.add_result(result(against="half=b"))
    assert chosen.name == "knn-k20-t0.07-cpr-rgb-split_test-against-half_b.json"


def test_the_same_measurement_is_replaced_and_another_is_not(run):
    measured = [
        result(0.1),
        result(0.2, against="half=b"),
        result(0.3, selection="half=a"),
        result(0.4, selection="half a"),
        result(0.5, data="others", digest="e" * 64),
    ]
    for each in (*measured, *measured):
        run.add_result(each)
    assert sorted(r.metrics["accuracy"] for r in run.results()) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_data_that_has_changed_or_has_another_name_is_the_same_data(run):
    run.add_result(result(0.1))
    run.add_result(result(0.2, data="others", digest="e" * 64))
    for value, data, digest in ((0.3, "videos", "f" * 64), (0.4, "others", "a" * 64), (0.5, "moved", "f" * 64)):
        run.add_result(result(value, data=data, digest=digest))
    assert {(r.data, r.metrics["accuracy"]) for r in run.results()} == {("others", 0.4), ("moved", 0.5)}


def test_a_file_that_cannot_be_read_holds_nothing_up(run):
    path = run.add_result(result(0.1))
    path.write_text("{")
    assert run.add_result(result(0.2)) == path
    assert [r.metrics["accuracy"] for r in run.results()] == [0.2]

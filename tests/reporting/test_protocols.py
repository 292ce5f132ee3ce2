"""The figures of every protocol on the page: each in its own table, in words a reader knows."""

from __future__ import annotations

import re

import pytest
from reports import collect, read_json

from kinema.core.results import Result
from kinema.reporting import rows, table, write_json
from kinema.reporting.page import page
from kinema.reporting.places import without_places
from kinema.reporting.report import blocks

ACCURACY = {"accuracy": 0.625, "accuracy_top5": 0.75, "mean_class_accuracy": 0.5}
WINDOWS = {"selection": "split=test", "windows": "all along the video", "chance": 0.1}
MEASURED = (
    ("knn", "k20-t0.07", ACCURACY, "rgb", {"interval": [0.5, 0.7], "per_class": {"jump": 0.5}}),
    ("linear", "features", ACCURACY, "rgb", {"interval": [0.5, 0.7], "confusion": {"jump": {"jump": 3}}}),
    ("few-label", "1%", ACCURACY, "rgb", {"draws": [{"videos": 4}], "deviation": {"accuracy": 0.1}}),
    ("few-label", "10%", ACCURACY, "rgb", {"draws": [{"videos": 40}]}),
    ("cross-modal", "projected", {"r@1": 0.25, "median_rank": 3.5}, "rgb to motion", {"interval": [0.2, 0.3]}),
    ("cross-modal", "projected", {"r@1": 0.5, "median_rank": 2.0}, "motion to rgb", {"interval": [0.4, 0.6]}),
)


@pytest.fixture
def run(maker):
    folder = maker.run()
    for protocol, preset, metrics, view, more in MEASURED:
        told = ("videos", "d" * 64, 300, 1200, 0, "abc123", 3.0, WINDOWS | more)
        folder.add_result(Result(protocol, preset, metrics, "cpr", view, *told))
    return folder


def tables_of(text):
    """By head: the names of its columns, and its cells' texts."""
    found = {}
    for head, body in re.findall(r"<h3>(.*?)</h3>(.*?)</table>", text, re.DOTALL):
        cells = [re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", body, re.DOTALL)]
        found[head] = (re.findall(r'<th scope="col">(.*?)</th>', body), cells)
    return found


def test_no_two_protocols_share_a_table(run, maker):
    maker.result(run, "cpr", 0.4)
    maker.mining(run)
    report = collect([run])
    assert len(blocks(report.rows)) == 7
    assert report.rows[0].protocol == "retrieval"
    assert [row["protocol"] for row in rows(report)] == ["retrieval"]
    assert report.headline.basis.count("retrieval") == 1
    tables = tables_of(page(report))
    accuracy = ["Accuracy", "Top-5 accuracy", "Accuracy, mean of classes"]
    assert tables["Linear probe, preset features"][0] == ["Encoder", accuracy[0], "95 % interval", *accuracy[1:]]
    assert tables["Nearest-neighbour classifier, preset k20-t0.07"][0] == tables["Linear probe, preset features"][0]
    for share in ("1%", "10%"):
        assert tables[f"Linear probe, {share} of the labels"][0] == ["Encoder", *accuracy]
    heads, cells = tables["Retrieval across views, preset projected"]
    assert heads == ["Encoder", "View", "R@1", "95 % interval", "Median rank"]
    assert "3.5" in cells
    assert "rgb to motion" in cells


def test_a_run_without_retrieval_is_told_and_goes_to_json_and_back(run, tmp_path):
    report = collect([run])
    assert report.headline.verdict == "not compared"
    assert "Retrieval was not measured yet" in page(report)
    assert str(table(report).title) == "Evaluated, but not by retrieval"
    write_json(report, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == without_places(report)

"""The benchmark of ASOT's mirror descent: its contenders solve one problem, and its stored figures are of it."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def transport(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module("transport")
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from Linux")
def test_all_contenders_have_the_same_plan(transport, capsys):
    cells = transport.main(["--quick"])
    assert set(cells["free 300"]) == {"kinema", "dense", "POT"}
    assert set(cells["asot 300"]) == {"kinema", "dense"}
    assert all(row["apart"] < 1e-4 for rows in cells.values() for row in rows.values())
    assert transport.table(cells) in capsys.readouterr().out


def test_a_contender_that_is_too_slow_or_too_large_is_stopped(transport, monkeypatch):
    monkeypatch.setattr(transport, "MOST_SECONDS", 0.0)
    assert transport.watched("dense", "asot", 3000)["stopped"] == "over 0 s"
    monkeypatch.setattr(transport, "MOST_BYTES", 2**20)
    assert "GiB for one matrix" in transport.watched("dense", "asot", 3000)["stopped"]
    assert "over 0 " in transport.watched("kinema", "asot", 3000)["stopped"]


def test_the_stored_figures_are_of_all_lengths_and_agree(transport):
    cells = transport.record.read("transport")["cells"]
    assert set(cells) == {f"{problem} {frames}" for problem in transport.PROBLEMS for frames in transport.FRAMES}
    rows = [row for cell in cells.values() for row in cell.values()]
    assert all(row["apart"] < 1e-3 for row in rows if "stopped" not in row)
    assert all("stopped" not in cell["kinema"] for cell in cells.values())
    assert transport.table(cells) in (BENCHMARKS / "pages" / "segmentation-cost.md").read_text(encoding="utf-8")

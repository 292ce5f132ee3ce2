"""Tables that fill themselves in cell by cell: which cells there are, and cells that are measured side by side."""

import functools
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CELLS = """
import time

def cell(name, seed, row, folder):
    (folder / f"{row}{seed}.began").touch()
    if row == "child":
        assert (folder / f"parent{seed}.ended").exists(), "begun before what it builds on"
    if row == "broken":
        raise ValueError(f"broken {seed}")
    time.sleep(0.5)
    (folder / f"{row}{seed}.ended").touch()
    return {"value": seed}
"""


def test_every_row_and_kind_of_the_scenes_can_be_asked_for(benchmark_module, monkeypatch, tmp_path):
    video, table = benchmark_module("video"), benchmark_module("table")
    assert set(video.EVERY) <= table.ROWS.keys()
    assert {row for pair in table.AGAINST.items() for row in (pair[0], *pair[1])} <= set(video.EVERY)
    for row in video.EVERY:
        if row != "random":
            assert video.plan(row, 2, 1).recipe().seed == 1
    told = re.findall(r"OUT (--.*?)  ", video.__doc__)
    assert len(told) >= 5
    for options in told:
        monkeypatch.setattr(sys, "argv", ["video.py", str(tmp_path), *options.split()])
        arguments = video.parse()
        assert table.set_title(next(iter(video.cells(arguments)))[0])


def test_cells_side_by_side_wait_for_others_and_survive_an_error(benchmark_module, monkeypatch, tmp_path):
    (tmp_path / "made_cells.py").write_text(CELLS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    record = benchmark_module("record")
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    fill = functools.partial(
        record.filled,
        "made",
        "a command",
        measure=functools.partial(importlib.import_module("made_cells").cell, folder=tmp_path),
        minutes=1,
        tell=lambda *_: None,
        jobs=2,
        after={"child": "parent"},
    )
    rows = [("set", 0, "child"), ("set", 0, "parent"), ("set", 1, "parent")]
    found = fill(wanted=rows)
    assert {key: cell["value"] for key, cell in found.items()} == {
        "set seed0 child": 0,
        "set seed0 parent": 0,
        "set seed1 parent": 1,
    }
    assert all(cell["device"] and cell["commit"] for cell in found.values())
    with pytest.raises(ValueError, match="broken 2"):
        fill(wanted=[*rows, ("set", 2, "broken"), ("set", 2, "parent"), ("set", 3, "parent")])
    kept = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))["cells"]
    assert kept.keys() == {*found, "set seed2 parent"}
    assert not (tmp_path / "parent3.began").exists()

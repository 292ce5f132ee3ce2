"""Every test that the page of the first hour names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def faults(text):
    """Lines of a table without a test, and tests that are not there."""
    wrong = []
    for line in text.splitlines():
        if not line.startswith("| ") or line.startswith(("| promise", "|---")):
            continue
        named = NAMED.findall(line)
        wrong += [] if named else [f"no test: {line}"]
        wrong += [f"{file}::{test}" for file, test in named if test not in names_in(file)]
    return wrong


def names_in(file):
    path = ROOT / file
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_tests_that_are_there():
    text = (ROOT / "docs/first-hour.md").read_text(encoding="utf-8")
    assert len(NAMED.findall(text)) > 30
    assert faults(text) == []
    gone = "| x | `tests/docs/test_first_hour.py::test_nothing`, `tests/none.py::test_a` |\n| y | |\n"
    assert faults(gone) == ["tests/docs/test_first_hour.py::test_nothing", "tests/none.py::test_a", "no test: | y | |"]

"""The notebooks of docs/notebooks run as they are, and hold no outputs."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))

SHOWN = """
import sys

def show(value):
    if value is not None:
        print(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))

sys.displayhook = show
"""
"""What a notebook does with the value of a cell's last line."""


def code_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def script_of(cells):
    """The cells in one namespace; the last expression of each is shown."""
    return SHOWN + "".join(
        f"exec(compile({cell!r}, 'cell {n}', 'exec'))\n" for n, cell in enumerate(map(_shown, cells), 1)
    )


def _shown(cell):
    tree = ast.parse(cell)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.unparse(tree.body.pop().value)
        return f"{ast.unparse(tree)}\nsys.displayhook({last})"
    return ast.unparse(tree)


def run(cells, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", script_of(cells)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_plain_python_without_outputs(notebook):
    document = json.loads(notebook.read_text(encoding="utf-8"))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in document["cells"])
    for cell in code_of(notebook):
        ast.parse(cell)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, tmp_path):
    done = run(code_of(notebook), tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    expected = {"folder-to-report": "<table>", "search-an-archive": "3 rows of 4 videos, left out: video 3"}
    assert expected[notebook.stem] in done.stdout


def test_a_cell_that_fails_fails_and_its_last_value_is_shown(tmp_path):
    done = run(["x = 2", "x + 40"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert run(["1 / 0"], tmp_path).returncode == 1

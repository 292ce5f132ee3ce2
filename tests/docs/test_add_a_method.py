"""The page that adds a method, carried out in a copy of the repository: four files, and the rest comes by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from page_blocks import blocks_of, changed_by
from page_shop import Shop, commands, stock

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/how-to/add-a-method.md"
TOUCHED = {
    "src/kinema/methods/barlow_twins.py",
    "src/kinema/recipes/table.py",
    "tests/methods/test_barlow_twins.py",
    "docs/methods/barlow-twins.md",
}


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(folder):
    return git(folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")[:-1]


def page():
    return blocks_of((ROOT / PAGE).read_text(encoding="utf-8"), PAGE)


def test_the_page_names_exactly_the_files_that_a_method_needs():
    assert {block.file for block in page() if block.file} == TOUCHED
    assert not any(block.excuse for block in page())


def test_a_change_is_applied_where_its_context_is_and_nowhere_else():
    diff = "@@\n+import c\n\n\n class A:\n@@\n-    x = 1\n+    x = 2\n"
    text = "import b\n\n\nclass A:\n    x = 1\n"
    assert changed_by(text, diff) == "import b\nimport c\n\n\nclass A:\n    x = 2\n"
    with pytest.raises(AssertionError, match="2 times"):
        changed_by(text + "    x = 1\n", diff)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_adds_a_method(tmp_path, make_tiny_video):
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("This is not a git checkout, so it cannot be told which files belong to the project.")
    copy = tmp_path / "kinema"
    for name in listed(ROOT):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    stock(copy, make_tiny_video)
    git(copy, "init", "--quiet")
    git(copy, "add", "--all")
    environment = {
        "KINEMA_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(commands(tmp_path / "bin")), os.environ["PATH"]]),
        "PYTHONPATH": str(copy / "src"),
    }
    shop = Shop(copy, environment, own_process=True)
    for block in page():
        if block.file and block.language == "diff":
            file = copy / block.file
            file.write_text(changed_by(file.read_text(encoding="utf-8"), block.body), encoding="utf-8")
        elif block.file:
            assert not (copy / block.file).exists()
            (copy / block.file).write_text(block.body, encoding="utf-8")
        elif block.runs:
            shop.run(block)
    touched = {line[3:] for line in git(copy, "status", "--porcelain", "-uall").splitlines() if line[1] in "MD?"}
    assert touched == TOUCHED
    told = shop.told("kinema methods")
    assert "barlow-twins" in told
    shop.told("pytest -q -m 'not slow' tests/docs/test_links.py tests/docs/test_site.py tests/house tests/architecture")
    shop.told("pytest -q tests/cli -k 'help_of_every_method or test_methods'")
    shop.told("python -m ruff check src tests && python -m ruff format --check src tests")

"""A page that changes the repository, carried out in a copy of it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from page_blocks import blocks_of, changed_by
from page_shop import Shop, commands, stock

ROOT = Path(__file__).resolve().parents[1]


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def blocks(page):
    return blocks_of((ROOT / page).read_text(encoding="utf-8"), page)


def carry_out(page, folder, make_tiny_video):
    """Writes and runs a page's blocks in a stocked copy of the repository.

    Returns the shop that goes on running commands there, and the files that the page made or changed.
    """
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("This is not a git checkout, so it cannot be told which files belong to the project.")
    copy = folder / "kinema"
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")[:-1]:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    stock(copy, make_tiny_video)
    git(copy, "init", "--quiet")
    git(copy, "add", "--all")
    environment = {
        "KINEMA_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(commands(folder / "bin")), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]),
    }
    shop = Shop(copy, environment, own_process=True)
    for block in blocks(page):
        if block.file and block.language == "diff":
            file = copy / block.file
            file.write_text(changed_by(file.read_text(encoding="utf-8"), block.body), encoding="utf-8")
        elif block.file:
            assert not (copy / block.file).exists()
            (copy / block.file).write_text(block.body, encoding="utf-8")
        elif block.runs:
            shop.run(block)
    return shop, touched(copy)


def touched(copy):
    """The files that differ from what was copied; ignored ones aside."""
    lines = git(copy, "status", "--porcelain", "-uall").splitlines()
    return {line[3:] for line in lines if line[1] in "MD?"}

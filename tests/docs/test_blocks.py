"""Every code block of README and docs/ runs, in order, page by page, or says in its page why it does not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from page_blocks import blocks_of, faults_of, needs_a_run, pages
from page_shop import Shop, commands, stock

ROOT = Path(__file__).resolve().parents[2]
IN_REPOSITORY = {"docs/how-to/add-a-method.md", "docs/how-to/add-a-protocol.md"}
"""Pages that change the repository; their own tests run them."""


def all_blocks():
    return [block for page in pages(ROOT) for block in blocks_of((ROOT / page).read_text(encoding="utf-8"), page)]


EXCUSED = [block for block in all_blocks() if block.excuse]
RUNNING = [page for page in pages(ROOT) if any(b.runs and b.page == page for b in all_blocks())]


def test_every_block_is_run_or_excused():
    assert [fault for p in pages(ROOT) for fault in faults_of((ROOT / p).read_text(encoding="utf-8"), p)] == []
    assert {"README.md", *IN_REPOSITORY} <= set(RUNNING)


@pytest.mark.parametrize("block", EXCUSED, ids=lambda block: block.place)
def test_not_run(block):
    pytest.skip(f"{block.place}: {block.excuse}")


@pytest.fixture(scope="module")
def stocked(tmp_path_factory, make_tiny_video):
    folder = tmp_path_factory.mktemp("stock")
    stock(folder, make_tiny_video)
    return folder


@pytest.fixture(scope="module")
def trained(stocked, tmp_path_factory, tiny_cache):
    """The run of CPR that pages call runs/first: the preset's network and clips, few steps."""
    from kinema import api

    run = tmp_path_factory.mktemp("trained") / "first"
    settings = {
        "epochs": 2,
        "batch_size": 4,
        "method_settings": {"queue": 8, "stages": 2, "k": 2},
        "collapse_rank": 0.0,
    }
    api.pretrain("cpr", stocked / "labelled", run, cache=tiny_cache, device="cpu", **settings)
    return run


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in RUNNING if page not in IN_REPOSITORY])
def test_page_runs(page, stocked, tmp_path, tiny_cache, monkeypatch, request):
    blocks = blocks_of((ROOT / page).read_text(encoding="utf-8"), page)
    shutil.copytree(stocked, tmp_path / "here")
    if needs_a_run(blocks):
        shutil.copytree(request.getfixturevalue("trained"), tmp_path / "here/runs/first")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(tmp_path / "here")  # as in an interpreter that was started there
    environment = {
        "KINEMA_CACHE": str(tiny_cache),
        "PATH": os.pathsep.join([str(commands(tmp_path / "bin")), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shop = Shop(tmp_path / "here", environment, own_process=False)
    for block in blocks:
        if block.file and not block.excuse:
            (tmp_path / "here" / block.file).write_text(block.body, encoding="utf-8")
        elif block.runs:
            shop.run(block)


def test_the_checks_themselves_find_faults():
    text = (
        "```sh\nkinema scan x\n```\n\n<!-- not run: needs a GPU -->\n\n```sh\nmake demo\n```\n"
        "```\nkinema methods\n```\n<!-- not run -->\n```python\nx = 1\n```\n"
        "\n**`a/b.py`**, new:\n\n```python\ny = 1\n```\n"
    )
    one, two, three, four, five = blocks_of(text, "p.md")
    assert [b.runs for b in (one, two, three, four, five)] == [True, False, False, True, False]
    assert (two.excuse, two.line, five.file) == ("needs a GPU", 7, "a/b.py")
    faults = faults_of(text, "p.md")
    assert len(faults) == 2
    assert "p.md:10" in faults[0]
    assert "2 excuses, 1" in faults[1]


def test_a_run_is_given_to_pages_that_do_not_train_it():
    use, train = "kinema evaluate knn runs/first labelled/\n", "kinema pretrain cpr videos/ --out runs/first\n"
    python = '```python\nkinema.pretrain("moco", "videos/", out="runs/first")\n```\n'
    assert needs_a_run(blocks_of(f"```sh\n{use}```\n", "p.md"))
    assert not needs_a_run(blocks_of(f"```sh\n{train}{use}```\n", "p.md"))
    assert not needs_a_run(blocks_of(f"{python}```sh\n{use}```\n", "p.md"))
    assert not needs_a_run(blocks_of(f"```text\n{use}```\n", "p.md"))


def test_a_page_that_fails_is_named(tmp_path):
    shop = Shop(tmp_path, {}, own_process=False)
    good, bad, left = blocks_of("```sh\ntrue # x\n```\n```sh\ntrue\nfalse\n```\n```python\n1 / 0\n```\n", "p.md")
    shop.run(good)
    with pytest.raises(AssertionError, match=r"p\.md:4: false"):
        shop.run(bad)
    with pytest.raises(ZeroDivisionError) as caught:
        shop.run(left)
    assert str(caught.traceback[-1].path).endswith("p.md")

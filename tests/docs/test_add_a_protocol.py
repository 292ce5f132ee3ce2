"""The page that adds a protocol, carried out in a copy of the repository: one file, one row, and the figures' file."""

import json

import pytest
from page_copy import blocks, carry_out

PAGE = "docs/how-to/add-a-protocol.md"
BESIDE = {"class_means.py"}
"""The page's first part stands in files beside the data."""
LIBRARY = {
    "src/kinema/evaluation/class_means.py",
    "src/kinema/protocols/class_mean.py",
    "src/kinema/protocols/table.py",
    "tests/evaluation/test_class_means.py",
}


def test_the_page_names_exactly_the_files_that_a_protocol_needs():
    assert {block.file for block in blocks(PAGE) if block.file} == BESIDE | LIBRARY
    assert not any(block.excuse for block in blocks(PAGE))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_adds_a_protocol(tmp_path, make_tiny_video):
    shop, touched = carry_out(PAGE, tmp_path, make_tiny_video)
    assert touched == BESIDE | LIBRARY
    assert "which class's mean is nearest?" in shop.told("kinema evaluate --help")
    answer = json.loads(shop.told("kinema evaluate class-mean runs/first labelled/ --json").splitlines()[-1])
    assert answer["protocol"] == "class-mean"
    assert answer["metrics"].keys() == {"accuracy", "mean_class_accuracy"}
    page = (shop.folder / "runs/first/report.html").read_text(encoding="utf-8")
    assert "<h3>Nearest class mean, preset cosine</h3>\n<p>A test video gets the class whose mean feature" in page
    shop.told("pytest -q tests/architecture/test_names.py tests/docs/test_links.py")
    files = " ".join(sorted(LIBRARY))
    shop.told(f"python -m ruff check {files} && python -m ruff format --check {files}")

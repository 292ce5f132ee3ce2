"""The page that adds a method is carried out, file by file, in a copy of the repository."""

from __future__ import annotations

import pytest
from page_blocks import changed_by
from page_copy import blocks, carry_out

PAGE = "docs/how-to/add-a-method.md"
TOUCHED = {
    "src/kinema/methods/barlow_twins.py",
    "src/kinema/recipes/barlow_twins.py",
    "src/kinema/recipes/table.py",
    "tests/methods/test_barlow_twins.py",
    "docs/methods/barlow-twins.md",
}


def test_the_page_names_exactly_the_files_that_a_method_needs():
    assert {block.file for block in blocks(PAGE) if block.file} == TOUCHED
    assert not any(block.excuse for block in blocks(PAGE))


def test_a_change_is_applied_where_its_context_is_and_nowhere_else():
    diff = "@@\n+import c\n\n\n class A:\n@@\n-    x = 1\n+    x = 2\n"
    text = "import b\n\n\nclass A:\n    x = 1\n"
    assert changed_by(text, diff) == "import b\nimport c\n\n\nclass A:\n    x = 2\n"
    with pytest.raises(AssertionError, match="2 times"):
        changed_by(text + "    x = 1\n", diff)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_adds_a_method(tmp_path, make_tiny_video):
    shop, touched = carry_out(PAGE, tmp_path, make_tiny_video)
    assert touched == TOUCHED
    assert "barlow-twins" in shop.told("kinema pretrain --list")
    shop.told("pytest -q -m 'not slow' tests/docs/test_links.py tests/docs/test_site.py tests/house tests/architecture")
    shop.told("pytest -q tests/cli -k 'help_of_every_method or test_methods'")
    shop.told("python -m ruff check src tests && python -m ruff format --check src tests")

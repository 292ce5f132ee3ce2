"""What adding SimCSE beside DeCLUTR touched: method, export, recipe, row, test and card. Nothing else knows it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile("simcse", re.IGNORECASE)
ADDED = {"src/kinema/methods/simcse.py", "tests/methods/test_simcse.py", "docs/methods/simcse.md"}
"""Files that are about the method alone."""

LINES = {"src/kinema/methods/__init__.py": 3, "src/kinema/recipes/table.py": 2}
"""Files that have a line for every method, and how many of them name this one."""

RECIPES = "src/kinema/recipes/sentences.py"
"""The recipes of one modality: each method has presets and a row there."""

CITED = {"src/kinema/objectives/in_batch.py", "src/kinema/networks/text/tower.py", "src/kinema/evaluation/sts.py"}
"""Files whose docstrings name the paper as a source: of an objective, of a head, of an aggregate."""


def named(folder, *endings):
    """The files below a folder that hold the name, and the lines that do."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in endings:
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if NAME.search(line)]
            found |= {path.relative_to(ROOT).as_posix(): lines} if lines else {}
    return found


def in_code(text):
    """Names, attributes, arguments and strings of a module that hold the name; docstrings and comments do not count."""
    tree = ast.parse(text)
    docstrings = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for each in body if isinstance(body, list) else ():
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                docstrings.add(id(each.value))
    values = []
    for node in ast.walk(tree):
        if id(node) not in docstrings:
            values += [value for _, value in ast.iter_fields(node) if isinstance(value, str)]
    return [value for value in values if NAME.search(value)]


def test_the_source_knows_it_in_its_own_files_its_recipe_and_its_row():
    found = named("src", ".py", ".html", ".js", ".jinja")
    assert found.keys() == {RECIPES, *LINES, *(name for name in ADDED if name.startswith("src")), *CITED}
    assert {name: len(found[name]) for name in LINES} == LINES
    for name in CITED:
        assert in_code((ROOT / name).read_text(encoding="utf-8")) == [], f"{name} cites the paper, and knows no method"


def test_the_pages_know_it_in_its_card():
    found = named("docs", ".md")
    assert found.keys() == {*(name for name in ADDED if name.startswith("docs")), "docs/evaluation.md"}
    assert all("arxiv.org/abs/2104.08821" in line for line in found["docs/evaluation.md"]), "there it is a source"


def test_in_its_recipe_it_stands_beside_the_other_and_neither_names_the_other():
    tree = ast.parse((ROOT / RECIPES).read_text(encoding="utf-8"))
    of_method = [node for node in tree.body if any(NAME.search(value) for value in in_code(ast.unparse(node)))]
    assert not [node for node in of_method if "declutr" in ast.unparse(node).lower() and not is_import(node)]
    assert len([node for node in of_method if not is_import(node)]) == 3, "two presets and a row"


def is_import(node):
    return isinstance(node, ast.ImportFrom)


def test_what_was_added_is_there():
    assert all((ROOT / name).is_file() for name in ADDED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""SimCSE."""\n', []),
        ('def f():\n    """SimCSE."""\n    x = 1  # simcse\n', []),
        ("import kinema.methods.simcse as m\n", ["kinema.methods.simcse"]),
        ('x = {"simcse": 1}\n', ["simcse"]),
        ("x = y.SimCSE\nf(simcse=1)\n", ["SimCSE", "simcse"]),
    ],
)
def test_the_check_itself_finds_names(text, expected):
    assert sorted(in_code(text)) == sorted(expected)

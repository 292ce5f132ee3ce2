"""Every arrow points one way: the imports of the source, read and held to the plan of the house."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "kinema"
PEERS = {"data", "networks", "objectives", "mining"}
ALLOWED = {
    "core": set(),
    **{peer: {"core"} for peer in PEERS},
    "methods": {"core", *PEERS},
    "training": {"core", "data", "networks"},
    "evaluation": {"core", "data", "networks"},
    "reporting": {"core"},
    "exporting": {"core", "networks", "data", "training"},
    "searching": {"core", "data", "reporting"},
    "serving": {"api", "core", "data", "searching"},
}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    return [*module.split("."), ""][1]


def imports_of(path: Path):
    """The modules of kinema that a file imports, anywhere in it; a relative import counts as one of its own room."""
    package = ["kinema", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "kinema" else [module]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "kinema" and name != "kinema")


def edges():
    """Room to the rooms it imports; a file beside the rooms is a room of its own name."""
    found = {}
    for path in MODULES:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found.setdefault(parts[0], set()).update(room_of(name) for name in imports_of(path))
    return {room: targets - {room} for room, targets in found.items()}


def test_there_is_something_to_read():
    assert {"core", *PEERS, "methods"} <= edges().keys()
    assert "core" in edges()["methods"]


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_rooms_import_only_what_they_may(room):
    extra = edges().get(room, set()) - ALLOWED[room]
    assert not extra, f"{room} imports {sorted(extra)}; it may import {sorted(ALLOWED[room])}"


def test_recipes_import_neither_the_interfaces_nor_the_page():
    assert not edges().get("recipes", set()) & {"cli", "api", "reporting", "evaluation"}


def test_serving_is_seen_by_its_verb_alone():
    assert {room for room, targets in edges().items() if "serving" in targets} == {"cli"}


def test_no_two_rooms_import_each_other():
    graph, done = edges(), set()

    def visit(room, trail):
        assert room not in trail, f"a cycle of imports: {' -> '.join([*trail[trail.index(room) :], room])}"
        if room not in done:
            for target in sorted(graph.get(room, ())):
                visit(target, [*trail, room])
            done.add(room)

    for room in sorted(graph):
        visit(room, [])


def test_nothing_is_called_utils():
    bad = {"utils", "util", "helpers", "misc", "common"}
    assert not [path for path in MODULES if bad & set(path.relative_to(SOURCE).with_suffix("").parts)]


@pytest.mark.parametrize("module", ["kinema", "kinema.cli"])
def test_import_loads_no_torch(module):
    heavy = ("torch", "pytorch_lightning", "av", "sklearn", "pyarrow", "lancedb", "fastapi")
    code = f"import sys, {module}; print(*[m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [], f"import {module} loads {run.stdout}"

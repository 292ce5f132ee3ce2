"""Every arrow points one way: the imports of the source, read and held to the plan of the house."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from rooms import ALLOWED, SOURCE, parsed

MODULES = sorted(SOURCE.rglob("*.py"))
METHODS = re.compile(r"kinema\.methods(\.|$)")
MODULE = re.compile(r"kinema(\.[a-z_0-9]+)+")


def room_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def is_module(name: str) -> bool:
    place = SOURCE.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


@cache
def imports_of(path: Path):
    """The modules of kinema that a file imports, anywhere in it: by a statement, or by name as workers are."""
    found, package = [], ["kinema", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "kinema" else [module]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE.fullmatch(node.value):
            names = [node.value] if is_module(node.value) else []
        else:
            continue
        found += [name for name in names if name.split(".")[0] == "kinema"]
    return found


@cache
def edges():
    """Room to the rooms it imports; a file beside the rooms is a room of its own name."""
    found = {}
    for path in MODULES:
        room = path.relative_to(SOURCE).with_suffix("").parts[0]
        found.setdefault(room, set()).update(room_of(name) for name in imports_of(path))
    return {room: targets - {room} for room, targets in found.items()}


def test_every_kind_of_import_is_read():
    assert "core" in edges()["methods"]
    assert {"core", "networks"} <= set(map(room_of, imports_of(SOURCE / "methods/moco.py")))
    assert "api" in set(map(room_of, imports_of(SOURCE / "cli/pretrain.py"))), "one inside of a function"
    assert "kinema.data.video.probe" in set(imports_of(SOURCE / "data/video/scanning.py")), "one by a module's name"


def test_every_room_is_in_the_table():
    assert edges().keys() == ALLOWED.keys()


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_rooms_import_only_what_they_may(room):
    extra = edges()[room] - ALLOWED[room]
    assert not extra, f"{room} imports {sorted(extra)}; it may import {sorted(ALLOWED[room])}"


def test_the_table_has_no_arrow_back():
    """A room may import rooms of the table that stand before it; training knows nothing but the contracts."""
    assert ALLOWED["training"] == {"core"}
    for place, room in enumerate(ALLOWED):
        assert ALLOWED[room] <= set(list(ALLOWED)[:place]), room


def test_serving_is_seen_by_its_verb_alone():
    assert {room for room, targets in edges().items() if "serving" in targets} == {"cli"}


def test_methods_are_known_by_name_where_they_are_made_alone():
    """Beside their recipes: fine-tuning, which trains with labels, and the search for the weights of ELo's losses."""
    knowing = {
        path.relative_to(SOURCE).as_posix() for path in MODULES for name in imports_of(path) if METHODS.match(name)
    }
    outside = {name for name in knowing if name.split("/")[0] not in ("methods", "recipes")}
    assert outside == {"protocols/fit.py", "api/evolution.py"}


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
    heavy = ("torch", "lightning_fabric", "av", "sklearn", "pyarrow", "lancedb", "fastapi")
    code = f"import sys, {module}; print(*[m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [], f"import {module} loads {run.stdout}"


def test_processes_that_read_files_load_no_torch():
    """They answer jobs about files; a search's candidates, which train, import what they need when they are asked."""
    serving = {
        path for path in MODULES if re.search(r"^from kinema\.data\.workers import .*\bserve\b", path.read_text(), re.M)
    }
    modules = [".".join(("kinema", *path.relative_to(SOURCE).with_suffix("").parts)) for path in sorted(serving)]
    assert "kinema.data.clips.store_worker" in modules
    code = f"import sys, {', '.join(modules)}; print(*[m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout.split()) == (0, []), f"one of {modules}: {run.stdout}{run.stderr}"

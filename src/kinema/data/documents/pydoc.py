"""The installed Python's own documentation as documents: text that is on every machine.

There is one for each module of the standard library, its docstring with those of its classes and functions, and one for
each topic of the language reference that ``help()`` shows. Modules are read from their source and never imported, so
that none does anything; the few that are built into the interpreter have no source and are loaded already. Equal builds
of Python give equal documents.
"""

from __future__ import annotations

import ast
import csv
import importlib
import inspect
import io
import platform
import sys
import sysconfig
import time
import tokenize
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kinema.core.errors import DataError
from kinema.core.files import write_folder, write_new
from kinema.data.documents.reading import read_documents
from kinema.data.documents.splitting import count_words
from kinema.data.labels import LABELS

MIN_WORDS = 100
"""Modules whose documentation has fewer words are left out."""

_LEFT_OUT = frozenset({"test", "tests", "idlelib", "lib2to3", "turtledemo", "pydoc_data", "site-packages", "_bundled"})
_TOPICS = "topics"


@dataclass(frozen=True)
class PydocSummary:
    """What was written.

    Args:
        folder: where.
        documents: how many.
        words: of all of them.
        python: the version whose documentation it is.
        digest: of the table of documents.
        seconds: how long it took.
    """

    folder: Path
    documents: int
    words: int
    python: str
    digest: str
    seconds: float


def write_pydoc(folder: Path) -> PydocSummary:
    """Writes the documents, a ``.txt`` file each, and ``labels.csv``: its label is the package that it belongs to.

    Args:
        folder: a new folder.

    Raises:
        StorageError: the folder exists already, or cannot be written.
        DataError: this Python comes without the sources of its library.
    """
    start = time.perf_counter()
    library = Path(sysconfig.get_path("stdlib"))
    documents = dict(_documents(library))
    if len(documents) < 2:
        raise DataError(
            f"There is no documentation in '{library}': this Python comes without the sources of its library.",
            "Use a Python that has them, for instance one from python.org.",
        )
    write_folder(folder, lambda place: _write(place, documents))
    table = read_documents(folder)
    words = sum(row.words for row in table.rows)
    seconds = time.perf_counter() - start
    return PydocSummary(folder, len(table), words, platform.python_version(), table.digest, seconds)


def _write(place: Path, documents: dict[str, str]) -> None:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("path", "label", "source"))
    for name, text in documents.items():
        _write_text(place / f"{name}.txt", text)
        package = name.split(".")[0]
        writer.writerow((f"{name}.txt", package, name if package == _TOPICS else package))
    _write_text(place / LABELS, lines.getvalue())


def _write_text(file: Path, text: str) -> None:
    write_new(file, lambda out: out.write(text.encode()))


def _documents(library: Path) -> Iterator[tuple[str, str]]:
    """Names and texts, no text twice and none too short, in the order of the names."""
    found = dict(_sources(library))
    found |= {name: _of_module(sys.modules[name]) for name in _built_in()}
    found |= {f"{_TOPICS}.{name}": text for name, text in _topics(library / "pydoc_data" / "topics.py").items()}
    seen: set[str] = set()
    for name, text in sorted(found.items()):
        same = text.partition("\n")[2]
        if count_words(text) >= MIN_WORDS and same not in seen:
            seen.add(same)
            yield name, text


def _sources(library: Path) -> Iterator[tuple[str, str]]:
    paths = [library / f"{name}.py" for name in sys.stdlib_module_names]
    paths += [path for name in sys.stdlib_module_names - _LEFT_OUT for path in (library / name).rglob("*.py")]
    for path in sorted(paths):
        parts = path.relative_to(library).with_suffix("").parts
        if _LEFT_OUT & set(parts):
            continue
        tree = _parsed(path)
        if tree is not None:
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, _joined([name, ast.get_docstring(tree) or "", *_of_nodes(tree.body, "")])


def _parsed(path: Path) -> ast.Module | None:
    """The source as a tree; None for what is not Python of this version."""
    try:
        with tokenize.open(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _of_nodes(nodes: list[ast.stmt], within: str) -> Iterator[str]:
    for node in nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name, documentation = f"{within}{node.name}", ast.get_docstring(node)
        if documentation:
            head = f"class {name}" if isinstance(node, ast.ClassDef) else f"{name}({_arguments(node.args)})"
            yield f"{head}\n{documentation}"
        if isinstance(node, ast.ClassDef):
            yield from _of_nodes(node.body, f"{name}.")


def _arguments(arguments: ast.arguments) -> str:
    """The names of a function's arguments, as they are called, without ``self``."""
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    names += [each.arg for each in arguments.kwonlyargs]
    names += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return ", ".join(name for name in names if name not in ("self", "cls"))


def _built_in() -> list[str]:
    """Public modules without a source, loaded; nothing happens when one of these is."""
    names = [name for name in sys.builtin_module_names if not name.startswith("_")]
    for name in names:
        importlib.import_module(name)
    return names


def _of_module(module: types.ModuleType) -> str:
    pieces = [module.__name__, inspect.getdoc(module) or ""]
    for name, value in sorted(vars(module).items()):
        native = inspect.isbuiltin(value) or (inspect.isclass(value) and value.__module__ == module.__name__)
        if name.startswith("_") or name.endswith("hook") or not native:
            continue  # a program puts hooks and functions of its own there, and the text would depend on them
        pieces.append(_entry(name, value))
        if inspect.isclass(value):
            own = sorted((key, each) for key, each in vars(value).items() if not key.startswith("_"))
            pieces += [_entry(f"{name}.{key}", each) for key, each in own]
    return _joined(pieces)


def _entry(name: str, value: object) -> str:
    documentation = value.__doc__
    return f"{name}\n{inspect.cleandoc(documentation)}" if isinstance(documentation, str) and documentation else ""


def _topics(path: Path) -> dict[str, str]:
    """The topics of the language reference, which this module holds as one literal."""
    tree = _parsed(path) if path.is_file() else None
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            topics: dict[str, str] = ast.literal_eval(node.value)
            return {name: _joined([name, text]) for name, text in topics.items()}
    return {}


def _joined(pieces: list[str]) -> str:
    lines = "\n\n".join(piece.strip() for piece in pieces if piece.strip()).splitlines()
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()

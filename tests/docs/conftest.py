"""The modules of the benchmarks, which are no package."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark_module(monkeypatch):
    """Imports a module of the benchmarks by its name, and forgets it, and all that it imports of them, afterwards."""
    for folder in (BENCHMARKS / "data", BENCHMARKS / "claims", BENCHMARKS):
        monkeypatch.syspath_prepend(str(folder))
    path, before = list(sys.path), set(sys.modules)
    yield importlib.import_module
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]

"""``benchmarks/gpu.py``: every way of it at a size for a processor, and a word where there is no GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(*words, cwd):
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *words]
    alone = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**os.environ, **alone, "PYTHONPATH": str(BENCHMARKS.parent / "src")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=1500)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_row_is_measured_at_toy_size_and_nothing_is_written(tmp_path):
    before = sorted((BENCHMARKS / "results").iterdir())
    done = benchmark("--device", "cpu", "--toy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (row,) = told["rows"].values()
    rates = {"heuristics", "measured", "compiled", "loop", "compiled_loop", "run"}
    assert {name for name in rates if row.get(name, 0) > 0} == rates
    assert row["tflop_a_step"] > 0
    assert told["skipped"] == []
    assert sorted((BENCHMARKS / "results").iterdir()) == before


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(tmp_path):
    done = benchmark(cwd=tmp_path)
    assert done.returncode == 0
    assert "no GPU" in done.stderr

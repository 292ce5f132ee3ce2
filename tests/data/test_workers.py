import pytest

from kinema.data.workers import run_jobs

WORKER = """
import os, time
from kinema.data.workers import serve
def answer(job):
    if job["do"] == "crash": os.abort()
    if job["do"] == "raise": raise ValueError("a fault of ours")
    if job["do"] == "hang": time.sleep(60)
    print("noise on standard output")
    return {"did": job["do"]}
serve(answer)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "crashing_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "crashing_worker"


def answers(module, jobs, workers, limit=60.0):
    found = dict(
        run_jobs(module, [[]] * workers, [{"do": job} for job in jobs], lambda _, reason: {"lost": reason}, limit)
    )
    return [found[number] for number in range(len(jobs))]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_costs_one_job(module, workers):
    one, two, three, four, five = answers(module, ["a", "crash", "b", "raise", "c"], workers)
    assert (one, three, five) == ({"did": "a"}, {"did": "b"}, {"did": "c"})
    assert "SIGABRT" in two["lost"]
    assert "a fault of ours" in four["lost"]


def test_a_job_that_hangs_is_ended(module):
    one, two = answers(module, ["hang", "a"], 1, limit=2.0)
    assert "longer than 2 s" in one["lost"]
    assert two == {"did": "a"}


def test_nothing_to_do(module):
    assert answers(module, [], 2) == []


def test_stopping_early_ends_the_processes(module):
    results = run_jobs(module, [[], []], [{"do": "a"}, {"do": "hang"}], lambda _, reason: {"lost": reason})
    assert next(results) == (0, {"did": "a"})
    results.close()  # returns at once, though one job hangs

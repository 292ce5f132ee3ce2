import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kinema
from kinema.data.workers import clean_environment, run_jobs

HOME = str(Path(kinema.__file__).resolve().parents[1])

WORKER = """
import os, time
from kinema.data.workers import serve
def answer(job):
    if job["do"] == "crash": os.abort()
    if job["do"] == "raise": raise ValueError("a fault of ours")
    if job["do"] == "hang": time.sleep(60)
    if job["do"] == "told": print(os.getpid(), file=open("pid", "w"), flush=True); time.sleep(60)
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
    assert "no progress for 2 s" in one["lost"]
    assert two == {"did": "a"}


def test_nothing_to_do(module):
    assert answers(module, [], 2) == []


def test_stopping_early_ends_the_processes(module):
    results = run_jobs(module, [[], []], [{"do": "a"}, {"do": "hang"}], lambda _, reason: {"lost": reason})
    assert next(results) == (0, {"did": "a"})
    results.close()  # returns at once, though one job hangs


def gone(pid, within=20.0):
    """Whether the process ends in so many seconds; one that nobody has waited for yet has ended."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_does_not_outlive_who_asked(module, tmp_path, how):
    asking = f"from kinema.data.workers import run_jobs\nnext(run_jobs({module!r}, [[]], [{{'do': 'told'}}], None))"
    asker = subprocess.Popen([sys.executable, "-c", asking], cwd=tmp_path)
    end = time.monotonic() + 60
    while not (told := (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else "").endswith("\n"):
        assert time.monotonic() < end, "the worker never began"
        time.sleep(0.05)
    asker.send_signal(how)
    asker.wait()
    assert gone(int(told))


def test_files_of_the_working_folder_are_not_run_by_workers(tiny_folder, tmp_path):
    """A folder of footage may hold a csv.py."""
    for name in ("csv", "numpy", "json", "kinema"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n")
    code = f"from kinema.data.video.scanning import scan; print([v.health for v in scan({str(tiny_folder)!r}).videos])"
    told = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": HOME}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.count("'ok'") == 12, told.stderr
    assert not (tmp_path / "ran").exists()


def test_the_path_of_a_worker_has_no_working_folder_but_where_the_package_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"a{os.pathsep}{os.pathsep}b{os.pathsep}")
    assert clean_environment()["PYTHONPATH"] == f"a{os.pathsep}b"
    monkeypatch.setenv("PYTHONPATH", "")
    assert "PYTHONPATH" not in clean_environment()
    monkeypatch.chdir(HOME)
    assert clean_environment()["PYTHONPATH"] == HOME

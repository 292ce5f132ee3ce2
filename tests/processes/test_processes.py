"""Several processes train one run: what one would have trained, written by the first, gone on with on any number."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from made_pairs import write_pairs
from tiny_corpus import write_corpus
from tiny_runs import rows, towers

from kinema.cli.together import launched
from kinema.core.errors import ConfigError, UsageError
from kinema.core.processes import place
from kinema.training.team import Team

METHODS = ("moco", "cpr", "xdc", "declutr", "dcvh")
SMALL = {"epochs": 3, "batch_size": 4, "clip.frames": 4, "clip.size": 32, "clip.short_side": 36, "encoder.width": 4}
SMALL |= {"method.queue": 8, "logger": "none", "device": "cpu", "precision": "64-true"}
SMALL |= {"checkpoint_seconds": 0, "collapse_rank": 0}
SMALL = [word for name, value in SMALL.items() for word in (f"--{name}", value)]
STARTED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "TORCHELASTIC_RUN_ID")


def environment(**more):
    found = {key: value for key, value in os.environ.items() if key not in STARTED}
    tests = str(Path(__file__).parents[1])
    return {**found, "PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)]), "OMP_NUM_THREADS": "1", **more}


def torchrun(count, *words):
    """A command in so many processes."""
    own = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)] if count > 1 else []
    return subprocess.Popen(
        [sys.executable, *own, *map(str, words)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(job):
    out, errors = job.communicate(timeout=280)
    assert job.returncode == 0, errors[-3000:]
    return out


def assert_equal_runs(one, other, close=1e-6):
    """Up to rounding: what a wrong clip, draw or statistic changes is a thousand times as much."""
    ours, theirs = towers(one), towers(other)
    assert ours
    assert ours.keys() == theirs.keys()
    for file in ours:
        torch.testing.assert_close(ours[file], theirs[file], rtol=1e-5, atol=close, msg=lambda m, f=file: f"{f} {m}")
    told = [rows(each) for each in (one, other)]
    assert [row.keys() for row in told[0]] == [row.keys() for row in told[1]]
    for mine, yours in zip(*told, strict=True):
        assert_equal_figures(mine, yours, 10 * close)


def assert_equal_figures(one, other, close=1e-6):
    assert one.keys() == other.keys()
    for name, value in one.items():
        number = isinstance(value, int | float)
        assert value == (pytest.approx(other[name], rel=1e-4, abs=close, nan_ok=True) if number else other[name]), name


@pytest.fixture(scope="module")
def data(tiny_folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    (root / "videos").symlink_to(tiny_folder)
    write_corpus(root / "documents")
    write_pairs(root / "pairs", each=3)
    return root


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Runs of every method by one process, by two and, of MoCo, by four."""
    root = tmp_path_factory.mktemp("runs")
    script = Path(__file__).with_name("training.py")
    ended(torchrun(1, script, data, root / "1", *METHODS))
    ended(torchrun(2, script, data, root / "2", *METHODS))
    ended(torchrun(4, script, data, root / "4", "moco"))
    return root


@pytest.mark.slow
@pytest.mark.parametrize(("count", "name"), [*((2, name) for name in METHODS), (4, "moco")])
def test_several_processes_train_what_one_trains(trained, count, name):
    assert_equal_runs(trained / "1" / name, trained / str(count) / name, 1e-5 if name == "xdc" else 1e-6)


@pytest.mark.slow
def test_one_is_killed_and_the_run_goes_on_on_another_number(data, tmp_path):
    command = ["-m", "kinema", "pretrain", "moco", data / "videos", "--cache", data / "cache", *SMALL, "--json"]
    one = json.loads(ended(torchrun(1, *command, "--out", tmp_path / "one")))
    job = torchrun(1, *command, "--out", tmp_path / "run", "--devices", "2")
    checkpoint = tmp_path / "run/phases/01-moco-rgb/checkpoint.pt"
    end = time.monotonic() + 200
    while not checkpoint.exists() and job.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGKILL)
    out, errors = job.communicate(timeout=100)
    assert job.returncode == 1
    assert json.loads(out)["error"]["kind"] == "processes"
    assert "Traceback" not in errors
    assert "kinema: process 1 of 2 was ended by SIGKILL." in errors
    assert "--resume --cache" in errors
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "failed"
    two = json.loads(ended(torchrun(1, *command, "--out", tmp_path / "run", "--resume")))
    assert_equal_figures({**two, "run": 0, "seconds": 0}, {**one, "run": 0, "seconds": 0})
    assert_equal_runs(tmp_path / "one", tmp_path / "run")


@pytest.mark.slow
def test_torchrun_makes_one_run_and_what_it_prints_is_one_object(data, tmp_path):
    """A signal stops both after one step; then torchrun goes on, and the run can be loaded."""
    import kinema

    words = ["-m", "kinema", "pretrain", "moco", data / "videos", "--cache", data / "cache", *SMALL, "--json"]
    words += ["--out", tmp_path / "run"]
    job = torchrun(1, *words, "--devices", "2")
    checkpoint = tmp_path / "run/phases/01-moco-rgb/checkpoint.pt"
    while not checkpoint.exists() and job.poll() is None:
        time.sleep(0.02)
    job.send_signal(signal.SIGINT)
    out, errors = job.communicate(timeout=100)
    assert json.loads(out)["error"]["kind"] == "interrupted", errors
    assert errors.count("everything is saved") == 1
    told = json.loads(ended(torchrun(2, *words, "--resume")))
    assert told["steps"] == 9
    assert json.loads((tmp_path / "run/environment.json").read_text())["processes"] == 2
    assert kinema.load(tmp_path / "run").dim > 0


def test_a_batch_that_cannot_be_shared_out_is_refused(monkeypatch):
    monkeypatch.setattr(Team, "size", 4)
    with pytest.raises(ConfigError, match="batch_size is 6, and 4 processes") as caught:
        Team().check_batch(6)
    assert "for instance 4 or 8" in caught.value.hint
    Team().check_batch(8)


def test_where_a_process_stands_is_read_from_what_started_it(monkeypatch):
    for name in (*STARTED, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert place() == (0, 1, 1, "")
    monkeypatch.setenv("SLURM_NTASKS", "8")  # a job with room for eight, in which one is started
    assert place().world == 1
    for name, value in {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2"}.items():
        monkeypatch.setenv(name, value)
    assert place() == (5, 8, 4, "srun")
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert place().world == 1
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert place() == (1, 2, 2, "torchrun")


def test_no_process_is_no_number_of_devices():
    with pytest.raises(UsageError, match="--devices is 0"):
        launched(0, ["pretrain"])

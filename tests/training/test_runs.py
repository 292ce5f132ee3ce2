"""Whole trainings on tiny videos: what they leave, how they stop, and that they go on exactly."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from signalled import signalled
from tiny_runs import assert_same_run, rows, tiny_plan, towers

from kinema import api
from kinema.api import pretraining
from kinema.core.errors import CheckpointError, RunError, StorageError, TrainingError, UsageError
from kinema.data import Manifest
from kinema.methods import MoCo
from kinema.recipes.json import read_recipe
from kinema.training import checkpoints, loop
from kinema.training.phase import InterruptedRunError
from kinema.training.run_folder import RunFolder

SCRIPT = Path(__file__).with_name("killed_run.py")


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    """Trains a plan into a fresh folder."""

    def train(plan, out=None, **more):
        folder = tmp_path_factory.mktemp("run") / "run" if out is None else out
        api.pretrain(plan, tiny_manifest, folder, cache=tiny_cache, device="cpu", **more)
        return folder

    return train


CPR_PLAN = tiny_plan("cpr", clips_per_video=4, checkpoint_seconds=0.0)


@pytest.fixture(scope="module")
def cpr_run(run):
    """CPR without a break: 12 steps of InfoNCE in each view, 24 of mining."""
    return run(CPR_PLAN)


@pytest.fixture(scope="module")
def moco_run(run):
    return run(tiny_plan("moco", epochs=4))


def test_a_run_folder_is_complete(cpr_run, tiny_manifest):
    folder = RunFolder.open(cpr_run)
    assert read_recipe(cpr_run / "recipe.json") == CPR_PLAN.recipe()
    assert Manifest.read(cpr_run / "manifest.parquet").digest == tiny_manifest.digest
    told = folder.read("environment.json")
    assert told["manifest_digest"] == tiny_manifest.digest
    assert told["torch"] == str(torch.__version__)
    assert (told["seed"], told["videos"]) == (0, 12)
    assert {"wait_policy", "threads_by", "cpus"} <= told.keys()
    status = folder.read("status.json")
    assert status["state"] == "done"
    assert status["error"] is None
    assert status["seconds"] > 0
    assert [path.name for path in folder.phases()] == ["01-infonce-rgb", "02-infonce-motion", "03-cpr-rgb"]
    for path, method, steps, trains in zip(
        folder.phases(), ("MoCo", "MoCo", "CPR"), (12, 12, 24), ("rgb", "motion", "rgb"), strict=True
    ):
        assert {f.name for f in path.iterdir()} == {
            "checkpoint.pt", "metrics.jsonl", "phase.json", f"tower-{trains}.safetensors",
        }  # fmt: skip
        phase_told = json.loads((path / "phase.json").read_text())
        assert (phase_told["method"], phase_told["steps"], phase_told["clips"]) == (method, steps, 4 * steps)
        assert (phase_told["state"], phase_told["view"], phase_told["trains"]) == ("done", trains, [trains])
        assert 0 <= phase_told["data_wait"] <= 1
        epochs = [row for row in folder.metrics(path) if row["event"] == "epoch"]
        assert [row["epoch"] for row in epochs] == list(range(phase_told["epochs"]))
        assert phase_told["loss"] == epochs[-1]["loss"] > 0
        assert [row["step"] for row in folder.metrics(path) if row["event"] == "step"] == list(range(10, steps + 1, 10))
        assert all(row["clips_per_second"] > 0 and 1 <= row["effective_rank"] <= 16 for row in epochs)
    assert list((cpr_run / "tensorboard").rglob("events.out.tfevents.*"))
    mined = folder.metrics(folder.phases()[2])[-1]
    assert 0 <= mined["mining_precision"] <= 1
    assert set(mined["mining_per_class"]) == {"right", "left", "down"}


def test_the_phases_hand_their_towers_on(cpr_run):
    state = torch.load(cpr_run / "phases/03-cpr-rgb/checkpoint.pt", weights_only=True)["method"]
    guide = towers(cpr_run)["phases/02-infonce-motion/tower-motion.safetensors"]
    assert guide
    assert all(torch.equal(state[f"g_b.{key}"], value) for key, value in guide.items())
    trained = towers(cpr_run)["phases/03-cpr-rgb/tower-rgb.safetensors"]
    assert all(torch.equal(state[f"f_q.{key}"], value) for key, value in trained.items())
    before = towers(cpr_run)["phases/01-infonce-rgb/tower-rgb.safetensors"]
    assert any(not torch.equal(before[key], trained[key]) for key in before)


@pytest.mark.parametrize(("saves", "name"), [(7, "01-infonce-rgb"), (34, "03-cpr-rgb")])
def test_killed_in_a_write_and_resumed_equals_uninterrupted(
    saves, name, cpr_run, run, tiny_folder, tiny_cache, tmp_path
):
    """SIGKILL while a checkpoint is being written, after the step's metrics and in the middle of an epoch."""
    out = tmp_path / "run"
    threads = str(torch.get_num_threads())
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[1]), *filter(None, sys.path)]),
        "OMP_NUM_THREADS": threads,
    }
    command = [sys.executable, SCRIPT, tiny_folder, out, tiny_cache, str(saves)]
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert RunFolder.open(out).read("status.json")["state"] == "running"
    written = checkpoints.Checkpoint.read(out / "phases" / name / "checkpoint.pt", {}).progress
    assert written.step == (saves - 1) % 12 + (12 if saves > 36 else 0)
    assert 0 < written.batch < 12
    api.pretrain("cpr", tiny_folder, out, resume=True, cache=tiny_cache, device="cpu")
    assert_same_run(cpr_run, out)
    assert RunFolder.open(out).read("status.json")["state"] == "done"


def test_metrics_written_after_the_last_checkpoint_are_forgotten(run, tmp_path, monkeypatch):
    plan = tiny_plan("moco", clips_per_video=4, checkpoint_seconds=1e9)
    whole = run(plan)

    def stop(self, row):
        write(self, row)
        if row["step"] == 20:
            raise TrainingError("stopped by the test")

    write = loop.PhaseLoop._write
    monkeypatch.setattr(loop.PhaseLoop, "_write", stop)
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match="by the test"):
        run(plan, out)
    monkeypatch.undo()
    assert [row["step"] for row in rows(out)] == [10, 12, 20], "step 20 came after the checkpoint at step 12"
    run("moco", out, resume=True)
    assert_same_run(whole, out)


def signal_at(monkeypatch, step, number):
    """Sends the process a signal when the given step is over."""
    after = loop.PhaseLoop._after_step

    def send(self, terms):
        if self.progress.step == step:
            signalled(number)
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", send)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [4, 6])
def test_a_signal_stops_after_the_batch_and_the_run_goes_on(number, step, moco_run, run, tmp_path, monkeypatch):
    """In the middle of an epoch (step 4 of 3 a epoch) and at its end (step 6)."""
    before = signal.getsignal(number)
    out = tmp_path / "run"
    signal_at(monkeypatch, step, number)
    with pytest.raises(InterruptedRunError, match="Stopped") as caught:
        run(tiny_plan("moco", epochs=4), out)
    monkeypatch.undo()
    assert caught.value.exit_status == 1
    assert "--resume" in caught.value.hint
    assert signal.getsignal(number) is before
    status = RunFolder.open(out).read("status.json")
    assert status["state"] == "interrupted"
    assert status["error"] == caught.value.message
    run("moco", out, resume=True)
    assert_same_run(moco_run, out)


def test_workers_change_nothing(moco_run, run):
    assert_same_run(moco_run, run(tiny_plan("moco", epochs=4, workers=2)))


def test_the_seed_changes_everything(moco_run, run):
    other = run(tiny_plan("moco", epochs=4, seed=1))
    file = "phases/01-moco-rgb/tower-rgb.safetensors"
    assert not torch.equal(
        towers(moco_run)[file]["encoder.stem.0.weight"], towers(other)[file]["encoder.stem.0.weight"]
    )


def test_reading_from_the_files_changes_nothing(moco_run, run):
    assert_same_run(moco_run, run(tiny_plan("moco", epochs=4, cache_gib=0.0)))


@pytest.mark.parametrize("name", ["moco", "simclr"])
def test_a_loss_that_is_not_finite_stops_the_run(name, run, tmp_path):
    plan = tiny_plan(name, clips_per_video=4)
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"The loss is (nan|inf) at step \d+") as caught:
        run(replace(plan, optimiser=replace(plan.optimiser, lr=1e30)), out)
    assert "optimiser.lr" in caught.value.hint
    status = RunFolder.open(out).read("status.json")
    assert status["state"] == "failed"
    assert status["error"] == caught.value.message


def test_the_step_of_a_bad_loss_is_named(run, tmp_path, monkeypatch):
    loss = MoCo.loss

    def poisoned(self, batch, generator):
        losses = loss(self, batch, generator)
        poisoned.calls += 1
        return replace(losses, total=losses.total * float("inf")) if poisoned.calls == 8 else losses

    poisoned.calls = 0
    monkeypatch.setattr(MoCo, "loss", poisoned)
    with pytest.raises(TrainingError, match=r"The loss is (inf|nan) at step 7"):
        run(tiny_plan("moco", clips_per_video=4), tmp_path / "run")


def test_a_collapse_is_noticed(run, tmp_path, monkeypatch):
    loss = MoCo.loss

    def collapsed(self, batch, generator):
        losses = loss(self, batch, generator)
        return replace(losses, embeddings=torch.ones_like(losses.embeddings) / 4)

    monkeypatch.setattr(MoCo, "loss", collapsed)
    with pytest.raises(
        TrainingError, match=r"collapsed: at step 12 the effective rank .* is 1\.00, below 1\.2"
    ) as caught:
        run(tiny_plan("moco", epochs=9, collapse_rank=1.2), tmp_path / "run")
    assert "collapse_rank" in caught.value.hint


def test_a_method_without_embeddings_is_not_judged(run, tmp_path, monkeypatch):
    loss = MoCo.loss
    monkeypatch.setattr(MoCo, "loss", lambda *given: replace(loss(*given), embeddings=None))
    folder = RunFolder.open(run(tiny_plan("moco", epochs=6, collapse_rank=1.2), tmp_path / "run"))
    epochs = [row for row in folder.metrics(folder.phases()[0]) if row["event"] == "epoch"]
    assert len(epochs) == 6
    assert not any("effective_rank" in row for row in epochs)


def test_a_full_disk_leaves_the_last_checkpoint(moco_run, run, tmp_path, monkeypatch):
    out = tmp_path / "run"
    saved = out / "phases/01-moco-rgb/checkpoint.pt"
    fsync = os.fsync

    def full(descriptor):
        if saved.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="The disk is full") as caught:
        run(tiny_plan("moco", epochs=4), out)
    monkeypatch.undo()
    assert "Free some space" in caught.value.hint
    assert checkpoints.Checkpoint.read(saved, {}).progress.step == 3
    assert not list(out.rglob("*.part"))
    run("moco", out, resume=True)
    assert_same_run(moco_run, out)


def listing(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_a_run_that_exists_is_not_touched(moco_run, run):
    before = listing(moco_run)
    with pytest.raises(RunError, match="exists and is a run; nothing was changed") as caught:
        run(tiny_plan("moco"), moco_run)
    assert "--resume" in caught.value.hint
    assert listing(moco_run) == before


def test_a_folder_with_something_else_is_not_touched(run, tmp_path):
    (tmp_path / "diary.txt").write_text("private")
    with pytest.raises(RunError, match="not empty"):
        run(tiny_plan("moco"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_two_processes_do_not_train_in_one_folder(moco_run, run, tmp_path, monkeypatch):
    with RunFolder.open(moco_run).held():
        before = listing(moco_run)
        with pytest.raises(RunError, match=rf"Another process \(number {os.getpid()}\) is training in") as caught:
            run("moco", moco_run, resume=True)
        assert "--resume" in caught.value.hint
        assert listing(moco_run) == before
    loaded = pretraining.load_data

    def meanwhile(*args, **more):
        """Another process begins a run in the same place while the videos are decoded."""
        RunFolder(tmp_path / "run").create()
        (tmp_path / "run/recipe.json").write_text("another's")
        return loaded(*args, **more)

    monkeypatch.setattr(pretraining, "load_data", meanwhile)
    with pytest.raises(RunError, match="exists and is a run; nothing was changed"):
        run(tiny_plan("moco"), tmp_path / "run")
    assert (tmp_path / "run/recipe.json").read_text() == "another's"


def test_resuming_what_is_no_run(run, tmp_path):
    with pytest.raises(RunError, match="Nothing was begun") as caught:
        run("moco", tmp_path / "nowhere", resume=True)
    assert "without --resume" in caught.value.hint
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(RunError, match="Nothing was begun in"):
        run("moco", tmp_path, resume=True)


def test_resuming_with_another_method_settings_or_data(moco_run, run, tiny_manifest, tiny_cache):
    before = listing(moco_run)
    with pytest.raises(CheckpointError, match="begun with the method 'moco', not 'simclr'"):
        run("simclr", moco_run, resume=True)
    with pytest.raises(UsageError, match="epochs cannot be changed"):
        run("moco", moco_run, resume=True, epochs=9)
    fewer = replace(tiny_manifest, videos=tiny_manifest.videos[1:])
    with pytest.raises(CheckpointError, match="12 rows then, 11 now"):
        api.pretrain("moco", fewer, moco_run, resume=True, cache=tiny_cache)
    assert listing(moco_run) == before


def test_resuming_a_finished_run_trains_no_more(moco_run, run):
    before = {file: {key: value.clone() for key, value in state.items()} for file, state in towers(moco_run).items()}
    run("moco", moco_run, resume=True)
    assert all(
        torch.equal(value, before[f][key]) for f, state in towers(moco_run).items() for key, value in state.items()
    )
    assert RunFolder.open(moco_run).read("status.json")["state"] == "done"


def test_a_checkpoint_that_does_not_fit_is_refused(moco_run, run, tmp_path):
    """One put in from another run, and one cut short."""
    out = tmp_path / "run"
    other = run(tiny_plan("moco", epochs=4, seed=3))
    phase_folder = out / "phases/01-moco-rgb"
    for content, problem in (
        ((moco_run / "phases/01-moco-rgb/checkpoint.pt").read_bytes(), "seed: made with 0, now 3"),
        ((moco_run / "phases/01-moco-rgb/checkpoint.pt").read_bytes()[:5000], "cannot be read"),
        (b"", "cannot be read"),
    ):
        phase_folder.mkdir(parents=True, exist_ok=True)
        for name in ("recipe.json", "environment.json", "status.json"):
            (out / name).write_bytes((other / name).read_bytes())
        (phase_folder / "checkpoint.pt").write_bytes(content)
        with pytest.raises(CheckpointError, match=problem):
            run("moco", out, resume=True)
        assert RunFolder.open(out).read("status.json")["state"] == "failed"

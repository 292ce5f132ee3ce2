"""Every stop leaves a status that is true, a command that works when it is pasted, and no litter."""

import errno
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import fields, is_dataclass, replace
from itertools import chain

import pytest
import torch
from signalled import signalled
from tiny_commands import SMALL
from tiny_runs import assert_same_run, tiny_plan

from kinema import api, cli
from kinema.api.going_on import resume_command
from kinema.cli import pretrain as pretrain_verb
from kinema.core import files, leftovers
from kinema.core.errors import KinemaError, RunError, StorageError, UsageError, WorkerError
from kinema.core.lock import LOCK, alone
from kinema.data.clips import loading
from kinema.data.clips.transforms import BrokenMotion, Elsewhere, LocalWarp, StaticFrame, TransformConfig
from kinema.methods import BEConfig
from kinema.recipes.going_on import PLAN, continued, plan_to_plain
from kinema.recipes.json import recipe_to_plain
from kinema.recipes.resolve import planned
from kinema.recipes.table import METHODS, preset
from kinema.training import loop
from kinema.training.phase import InterruptedRunError
from kinema.training.run_folder import BEGINNING, RunFolder

PAIRS = list(zip(SMALL[::2], SMALL[1::2], strict=True))
OF_MOCO = [word for pair in PAIRS if pair[0] not in ("--method.stages", "--method.k") for word in pair]


@pytest.fixture
def train(tiny_manifest, tiny_cache, tmp_path):
    """Trains a tiny MoCo, or goes on with it."""

    def run(method=None, out=tmp_path / "run", **more):
        return api.pretrain(
            tiny_plan("moco") if method is None else method, tiny_manifest, out, cache=tiny_cache, device="cpu",
            logger="none", **more,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def whole(tiny_manifest, tiny_cache, tmp_path_factory):
    """The tiny MoCo that was never stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    api.pretrain(tiny_plan("moco"), tiny_manifest, out, cache=tiny_cache, device="cpu", logger="none")
    return out


def status(run):
    return json.loads((run / "status.json").read_text())


def litter(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(".part") or path.name == BEGINNING]


def before_step(monkeypatch, step, do):
    """Does something in the training process when so many steps are over."""
    after = loop.PhaseLoop._after_step

    def then(self, terms):
        if self.progress.step == step:
            do()
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", then)


# The command


def leaves(part, prefix=""):
    """Options of a part of a plan, each with the default as it is written, and another value."""
    for item in fields(part):
        value, name = getattr(part, item.name), prefix + item.name
        if is_dataclass(value):
            yield from leaves(value, f"{name}.")
        elif isinstance(value, bool):
            yield name, [str(value).lower(), str(not value).lower()]
        elif isinstance(value, int):
            yield name, [str(value), str(2 * value or 2)]
        elif isinstance(value, float):
            yield name, [repr(value), repr(value / 2 or 0.25)]
        elif isinstance(value, str) and value:
            yield name, [value]


FURTHER = {
    "encoder.name": ["slim", "r3d18", "s3d"], "optimiser.schedule": ["linear", "steps"], "optimiser.drops": ["[1,2]"],
    "precision": ["bf16-mixed"], "short_videos": ["skip"], "transforms": ["be", "be dsm"], "base": ["moco", "be"],
    "beside": ["be-regulariser"], "method.guide": ["residual", "motion"], "schedule.progressive": ["[1,2]"],
}  # fmt: skip


def asked(name, words):
    """What the command line makes of words: the settings, and the preset that was named."""
    chosen = words[words.index("--preset") + 1] if "--preset" in words else "small"
    settings = pretrain_verb._pretraining(name, chosen, ["d", "--out", "o", *words])[1]
    for other in ("where", "cache", "device", "logger", "console", "norms", "compile", "checkpoint_activations"):
        del settings[other]
    return settings, settings.pop("preset", None)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_same_command_goes_on_and_so_does_a_part_of_it(seed, tiny_manifest, tmp_path):
    """Many commands of all methods: what they resolve to is what they agree with."""
    draw, tried = random.Random(seed), 0
    for number in range(8):
        name = draw.choice([name for name, entry in METHODS.items() if entry.alone and entry.fit is None])
        plan = preset(chosen := draw.choice(list(METHODS[name].presets)), name)
        options = dict(leaves(plan)) | dict(leaves(plan.data)) | FURTHER
        options = {key: value for key, value in options.items() if not key.startswith("data.")}
        parts = [["--preset", chosen]] if chosen != "small" else []
        keys = draw.sample(sorted(options), draw.randint(1, 5))
        parts += [[f"--{key}", *draw.choice(options[key]).split()] for key in keys]
        try:
            settings, chosen = asked(name, list(chain(*parts)))
            plan = planned(name, lambda config: tiny_manifest, chosen, settings)
            recipe = plan.recipe()
        except KinemaError:  # there is no such option, or the settings contradict one another
            continue
        tried += 1
        run = RunFolder(tmp_path / str(number))
        run.write("recipe.json", recipe_to_plain(recipe))
        run.write(PLAN, plan_to_plain(plan, chosen))
        for again in (parts, parts[: len(parts) // 2], []):
            settings, named = asked(name, [*chain(*again), "--resume"])
            assert recipe_to_plain(continued(run, name, settings, named)) == recipe_to_plain(recipe), again
    assert tried >= 3


def test_a_run_goes_on_with_what_the_names_in_its_command_stood_for_then(tmp_path):
    """A transform or a base that is named now may have other settings than when the run was begun."""
    words = ["--transforms", "be", "dsm", "--base", "be"]
    settings, chosen = asked("cpr", words)
    disturb = (StaticFrame(), Elsewhere(), LocalWarp(), BrokenMotion())
    plan = preset("small", "cpr").with_data(transform=TransformConfig(disturb=disturb), temporal=0.0)
    method = replace(plan.method, own_among=0)
    plan = replace(plan, method=method, base=BEConfig(head=method.head, temperature=method.temperature))
    run = RunFolder(tmp_path)
    run.write("recipe.json", recipe_to_plain(plan.recipe()))
    run.write(PLAN, plan_to_plain(plan, chosen))
    settings, chosen = asked("cpr", [*words, "--resume"])
    assert continued(run, "cpr", settings, chosen) == plan.recipe()
    for other in (["--base", "dsm"], ["--transforms", "rotation"]):
        settings, chosen = asked("cpr", [*other, "--resume"])
        with pytest.raises(UsageError, match=r"base|transform\.disturb"):
            continued(run, "cpr", settings, chosen)


def test_settings_that_differ_are_named_and_refused(tiny_manifest, tmp_path):
    settings, chosen = asked("moco", ["--epochs", "4", "--clip.frames", "8"])
    plan = planned("moco", lambda config: tiny_manifest, chosen, settings)
    run = RunFolder(tmp_path)
    run.write("recipe.json", recipe_to_plain(plan.recipe()))
    run.write(PLAN, plan_to_plain(plan, chosen))
    for words, named in (
        (["--epochs", "40"], "epochs is 4 in the run, and 40 was asked"),  # the default, and written all the same
        (["--epochs", "4", "--clip.frames", "16"], "clip.frames is 8 in the run, and 16 was asked"),
        (["--preset", "paper"], "preset is 'small' in the run, and 'paper' was asked"),
        (["--transforms", "be"], "transform.disturb"),
    ):
        settings, chosen = asked("moco", [*words, "--resume"])
        with pytest.raises(UsageError, match=named):
            continued(run, "moco", settings, chosen)


def test_data_are_named_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "footage.parquet").touch()
    monkeypatch.chdir(tmp_path)
    named = {
        "videos": tmp_path / "videos",
        "ucf101-2:sets/ucf": f"ucf101-2:{tmp_path}/sets/ucf",
        "footage.parquet": tmp_path / "footage.parquet",
        "footage.parquet:new place": f"{tmp_path}/footage.parquet:{tmp_path}/new place",
    }
    for data, wanted in named.items():
        assert shlex.split(resume_command("moco", data, "run"))[3] == str(wanted)


def test_the_printed_command_works_from_another_folder(tiny_folder, tiny_cache, tmp_path, monkeypatch, capsys):
    """Blanks and quotes in paths, a path from here, another number of processes: it ends with the same run."""
    here, out = tmp_path / "it's here", "my runs/a first"
    here.mkdir()
    (here / "the videos").symlink_to(tiny_folder)
    monkeypatch.chdir(here)
    words = ["pretrain", "moco", "the videos", "--out", out, *OF_MOCO, "--cache", str(tiny_cache), "--logger", "none"]

    def call(given):
        with pytest.raises(SystemExit) as left:
            cli.main([str(word) for word in given])
        return left.value.code, capsys.readouterr()

    with monkeypatch.context() as patch:
        before_step(patch, 2, lambda: signalled(signal.SIGINT))
        code, told = call(words)
    assert code == 1
    assert "Stopped in epoch 1, batch 2" in told.err
    command = told.err.strip().splitlines()[-1].strip()
    assert command == status(here / out)["resume"]
    monkeypatch.chdir("/")
    given = shlex.split(command)
    assert given.pop(0) == "kinema"
    code, told = call([*given, "--failure_budget", "0.5"])
    assert code == 0, told.err
    monkeypatch.chdir(here)
    code, told = call([*words, "--resume", "--seed", "0"])  # what ran, and a default
    assert code == 0, told.err
    run = RunFolder.open(here / out)
    assert run.read("recipe.json")["data"]["failure_budget"] == 0.5
    changed = [step["changed"] for step in run.read("environment.json")["resumed"]]
    assert changed == [{"failure_budget": [0.01, 0.5]}, {}]


def test_another_device_is_recorded_and_said(train, whole, tmp_path, monkeypatch, caplog):
    before_step(monkeypatch, 2, lambda: signalled(signal.SIGINT))
    with pytest.raises(InterruptedRunError):
        train()
    monkeypatch.undo()
    run = RunFolder(tmp_path / "run")
    run.write("environment.json", {**run.read("environment.json"), "device": "A Large GPU"})
    train("moco", resume=True, workers=0, checkpoint_seconds=1.0)
    assert "device A Large GPU before, CPU now" in caplog.text
    assert "may differ in its last bits" in caplog.text
    assert run.read("environment.json")["resumed"][0]["device"] == "CPU"
    assert_same_run(whole, tmp_path / "run")


# Processes that read


def test_a_killed_worker_is_a_sentence_and_the_run_goes_on(train, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "LOOK", 0.3)
    monkeypatch.setattr(loading._Handed, "__call__", lambda self, clips: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(WorkerError, match="was killed, as the system does when memory runs out") as caught:
        train(tiny_plan("moco", workers=2))
    monkeypatch.undo()
    assert "--workers" in caught.value.hint
    assert status(tmp_path / "run")["state"] == "failed"
    assert status(tmp_path / "run")["error"] == caught.value.message
    train("moco", resume=True, workers=0)
    assert_same_run(whole, tmp_path / "run")


def test_processes_that_do_nothing_are_not_waited_for(train, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "LOOK", 0.3)
    monkeypatch.setattr(loading, "PATIENCE", 1.0)
    monkeypatch.setattr(loading._Handed, "__call__", lambda self, clips: time.sleep(600))
    began = time.monotonic()
    with pytest.raises(WorkerError, match="none of the 2 processes that read clips has done anything") as caught:
        train(tiny_plan("moco", workers=2))
    assert time.monotonic() - began < 20
    assert "fewer processes" in caught.value.hint
    assert status(tmp_path / "run")["state"] == "failed"
    assert "done anything" in status(tmp_path / "run")["error"]


def test_processes_that_work_for_long_are_waited_for(train, monkeypatch):
    """Longer than the patience for one batch, but busy."""
    monkeypatch.setattr(loading, "LOOK", 0.2)
    monkeypatch.setattr(loading, "PATIENCE", 0.5)
    handed = loading._Handed.__call__

    def slow(self, clips):
        end = time.process_time() + 0.8
        while time.process_time() < end:
            pass
        return handed(self, clips)

    monkeypatch.setattr(loading._Handed, "__call__", slow)
    train(tiny_plan("moco", workers=1, epochs=1))


def test_little_shared_memory_is_said_and_batches_come_through_pipes(train, whole, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loading, "free_shared_memory", lambda: 300_000)
    train(tiny_plan("moco", workers=2))
    assert caplog.text.count("There is little shared memory (0.3 MB are free") == 1
    assert_same_run(whole, tmp_path / "run")


def test_without_room_for_locks_the_training_reads_by_itself(train, whole, tmp_path, monkeypatch, caplog):
    def full(workers):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(loading, "_try_locks", full)
    train(tiny_plan("moco", workers=2))
    assert caplog.text.count("so the training reads by itself") == 1
    assert_same_run(whole, tmp_path / "run")


def test_an_error_of_a_worker_arrives_as_it_is(train, monkeypatch):
    def broken(self, request):
        raise UsageError("It is so.", "Do this.")

    monkeypatch.setattr(loading.ClipDataset, "__getitem__", broken)
    with pytest.raises(UsageError) as caught:
        train(tiny_plan("moco", workers=1))
    assert (caught.value.message, caught.value.hint) == ("It is so.", "Do this.")


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_two_signals_stop_at_once_and_the_status_is_true(number, train, whole, tmp_path, monkeypatch):
    before = signal.getsignal(number)
    if before in (signal.SIG_DFL, signal.SIG_IGN):  # as under nohup
        signal.signal(number, signal.default_int_handler)
    before_step(monkeypatch, 4, lambda: (signalled(number), signalled(number)))
    try:
        with pytest.raises(InterruptedRunError, match="Stopped at once; the last checkpoint is kept"):
            train()
    finally:
        signal.signal(number, before)
    monkeypatch.undo()
    assert status(tmp_path / "run")["state"] == "interrupted"
    assert "Stopped at once" in status(tmp_path / "run")["error"]
    assert litter(tmp_path) == []
    train("moco", resume=True)
    assert_same_run(whole, tmp_path / "run")


def test_a_signal_that_is_ignored_stays_ignored(train, tmp_path, monkeypatch):
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before_step(monkeypatch, 2, lambda: signalled(signal.SIGHUP))
    try:
        train()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert status(tmp_path / "run")["state"] == "done"


def test_any_failure_is_in_the_status(train, tmp_path, monkeypatch):
    def fail():
        raise ZeroDivisionError("by the test")

    before_step(monkeypatch, 2, fail)
    with pytest.raises(ZeroDivisionError):
        train()
    assert status(tmp_path / "run")["state"] == "failed"
    assert status(tmp_path / "run")["error"] == "ZeroDivisionError: by the test"


def test_a_killed_run_is_not_told_to_be_running(whole, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.write("status.json", {"state": "running", "error": None})
    with alone(run.path, "training"):
        assert run.status()["state"] == "running"
    assert run.status()["state"] == "interrupted"
    assert "killed" in run.status()["error"]


# Full disks


def full_from(monkeypatch, name):
    """A disk that is full once a file of that name is written, wherever a library notices it."""
    write = files._Disk.write
    made = files.tempfile.mkstemp
    full = []

    def mkstemp(*args, **more):
        found = made(*args, **more)
        if name in found[1]:
            full.append(found[0])
        return found

    def limited(self, data, /):
        if self.fileno() in full:
            self.failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise self.failure
        return write(self, data)

    monkeypatch.setattr(files.tempfile, "mkstemp", mkstemp)
    monkeypatch.setattr(files._Disk, "write", limited)


def test_a_full_disk_in_a_checkpoint_says_what_it_takes(train, whole, tmp_path, monkeypatch):
    full_from(monkeypatch, "checkpoint.pt")
    with pytest.raises(
        StorageError, match=r"checkpoint\.pt' could not be written; it takes about .* are free"
    ) as caught:
        train()
    monkeypatch.undo()
    assert status(tmp_path / "run")["state"] == "failed"
    assert status(tmp_path / "run")["error"] == caught.value.message
    assert litter(tmp_path) == []
    train("moco", resume=True)
    assert_same_run(whole, tmp_path / "run")


def test_what_a_library_says_of_a_full_disk_is_ours(tmp_path):
    (tmp_path / "file").write_bytes(b"before")

    class Full(files._Disk):
        def write(self, data, /):
            self.failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise self.failure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_Disk", Full)
        with pytest.raises(StorageError, match="The disk is full"):
            files.write_atomic(tmp_path / "file", lambda file: torch.save({"a": torch.zeros(10000)}, file), size=40_000)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


@pytest.mark.parametrize("name", ["environment.json", "manifest.parquet", "recipe.json"])
def test_a_full_disk_before_the_recipe_leaves_a_free_folder(name, train, tmp_path, monkeypatch):
    full_from(monkeypatch, name)
    with pytest.raises(StorageError, match="The disk is full"):
        train()
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    train(tiny_plan("moco", epochs=1))


def test_a_folder_that_was_half_begun_is_begun_again(train, tmp_path):
    """As after a kill before the recipe; a folder with something else stays refused."""
    run = RunFolder(tmp_path / "run")
    run.create()
    (run.path / BEGINNING).write_text("")
    (run.path / "environment.json").write_text("{")
    with pytest.raises(RunError, match="stopped before there was anything to go on with") as caught:
        train("moco", resume=True)
    assert "without --resume" in caught.value.hint
    train(tiny_plan("moco", epochs=1))
    assert status(run.path)["state"] == "done"
    assert litter(tmp_path) == []


def test_the_status_is_true_on_a_full_disk(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.update_status(state="running", error=None)
    full_from(monkeypatch, "status.json")
    run.update_status(state="failed", error="x")
    assert run.read("status.json") == {"state": "failed", "error": "x"}


# Litter


def dead_process():
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(process.stdout)


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path):
    ours = leftovers.under_way("weights.safetensors")
    theirs = ours.replace(str(os.getpid()), str(dead_process()))
    elsewhere = ".weights.safetensors.00000000-1-abc.part"
    for name in (f"{ours}abc.part", elsewhere, "film.part", ".film.mp4.part"):
        (tmp_path / name).write_text("kept")
    (tmp_path / f"{theirs}abc.part").write_text("left")
    (tmp_path / f"{theirs}def.part").mkdir()
    (tmp_path / f"{theirs}def.part" / "half").write_text("left")
    kept = {f"{ours}abc.part", elsewhere, "film.part", ".film.mp4.part"}
    files.write_text(tmp_path / "new.txt", "new")
    assert {path.name for path in tmp_path.iterdir()} == kept | {"new.txt"}


def test_a_kill_in_every_writer_leaves_nothing_after_the_next_start(tmp_path):
    """A file, and a folder: killed in the middle, then written again."""
    for write in (
        "files.write_atomic(place, lambda file: (file.write(b'x'), os.kill(os.getpid(), 9)))",
        "files.write_folder(place, lambda folder: ((folder / 'x').write_text('x'), os.kill(os.getpid(), 9)))",
    ):
        code = f"import os, sys, pathlib; from kinema.core import files; place = pathlib.Path(sys.argv[1]); {write}"
        killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "new")], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len(list(tmp_path.iterdir())) == 1
        leftovers.clear(tmp_path, again=True)
        assert list(tmp_path.iterdir()) == []


def test_the_system_s_wish_to_end_is_an_interrupt(monkeypatch, capsys, tmp_path):
    """SIGTERM and SIGHUP outside of a training: a sentence, and what was half written is gone."""
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        pytest.skip("the tests themselves are run with another answer to SIGTERM")

    def write(given):
        files.write_atomic(tmp_path / "file", lambda file: signalled(signal.SIGTERM))

    monkeypatch.setattr(cli, "_run", write)
    with pytest.raises(SystemExit) as left:
        cli.main(["scan"])
    assert left.value.code == 1
    assert "kinema: Stopped." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

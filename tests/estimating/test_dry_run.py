"""A dry run against the run that it speaks of: its steps, its bytes, its errors; and nothing is left behind."""

import json
import signal
from dataclasses import replace

import pytest
import torch
from signalled import signalled
from tiny_commands import SMALL
from tiny_runs import VIDEO_METHODS, tiny_plan

import kinema
from kinema import api
from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError, DataError, KinemaError, TrainingError, UsageError
from kinema.estimating import table
from kinema.estimating.table import duration, size
from kinema.networks import EncoderConfig
from kinema.recipes.plan import Schedule
from kinema.recipes.table import METHODS
from kinema.training import trial
from kinema.training.checkpoints import read_tower
from kinema.training.run_folder import RunFolder
from kinema.training.settings import OptimiserConfig

PLAN = tiny_plan("cpr", clips_per_video=4)
MEMORY = {"parameters", "gradients", "optimiser", "buffers", "activations", "total"}


@pytest.fixture
def tried(tiny_manifest, tmp_path):
    """Tries a plan, in a folder that must be empty afterwards."""

    def run(plan, *, cache=None, data=tiny_manifest, **more):
        found = kinema.dry_run(plan, data, tmp_path / "run", cache=cache or tmp_path / "cache", device="cpu", **more)
        assert not list(tmp_path.iterdir())
        return found

    return run


@pytest.fixture(scope="module")
def real(tiny_manifest, tmp_path_factory):
    """The run itself, and the cache that it made."""
    folder = tmp_path_factory.mktemp("real")
    api.pretrain(PLAN, tiny_manifest, folder / "run", cache=folder / "cache", device="cpu")
    return folder


def bytes_of(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_steps_and_memory_are_the_runs(tried, real):
    estimate, run = tried(PLAN), RunFolder.open(real / "run")
    assert [phase.name for phase in estimate.phases] == ["infonce-rgb", "infonce-motion", "cpr-rgb"]
    assert len(run.phases()) == 3
    for phase, folder in zip(estimate.phases, run.phases(), strict=True):
        told = json.loads((folder / "phase.json").read_text())
        assert (phase.steps, phase.epochs, list(phase.trains)) == (told["steps"], told["epochs"], told["trains"])
        kept = torch.load(folder / "checkpoint.pt", weights_only=True)
        memory = phase.trial.memory
        assert memory.parameters + memory.buffers == bytes_of(kept["method"].values())
        states = [value for state in kept["optimiser"]["state"].values() for value in state.values()]
        assert memory.optimiser == bytes_of(states) > 0
        weights = bytes_of(read_tower(folder / f"tower-{phase.trains[0]}.safetensors").values())
        assert memory.gradients == 4 * phase.trained <= weights < memory.parameters
        assert phase.trial.learnt
        assert memory.activations > 0
        assert 0 < phase.trial.seconds < 30
    assert estimate.steps == sum(phase.steps for phase in estimate.phases) == 48
    assert estimate.phases[2].parameters > 2 * estimate.phases[2].trained


def test_the_cache_is_as_large_as_it_is_said_to_become(tried, real):
    before, after = tried(PLAN).cache, tried(PLAN, cache=real / "cache").cache
    made = [file for file in (real / "cache").rglob("*") if file.suffix in (".rgb", ".motion")]
    assert before.bytes == after.bytes == sum(file.stat().st_size for file in made) > 0
    assert (before.state, after.state) == ("to be made", "there")
    assert before.seconds > 0 == after.seconds
    assert after.path == made[0].parent


def test_a_set_too_large_for_the_cache_is_read_from_the_files(tried):
    kept, read = tried(tiny_plan("simclr")), tried(tiny_plan("simclr", cache_gib=0.0))
    assert (read.cache.state, read.cache.seconds) == ("too large", 0)
    assert read.phases[0].read_seconds > 3 * kept.phases[0].read_seconds


def test_the_whole_is_steps_times_seconds_and_reading(tried):
    (alone,) = tried(tiny_plan("simclr")).phases
    assert alone.seconds == alone.steps * (alone.trial.seconds + alone.read_seconds)
    estimate = tried(tiny_plan("simclr", workers=2))
    (beside,) = estimate.phases
    assert beside.seconds == beside.steps * max(beside.trial.seconds, beside.read_seconds / 2)
    assert estimate.seconds == beside.seconds + estimate.cache.seconds
    slow = replace(beside, trial=replace(beside.trial, seconds=1.0), read_seconds=6.0)
    assert slow.seconds == 3 * slow.steps


@pytest.mark.parametrize("name", VIDEO_METHODS)
def test_every_method_makes_a_step_that_learns(tried, name):
    plan = tiny_plan(name, clips_per_video=4)
    if name == "cmd":  # clips of 16 pixels have no map of seven by seven
        plan = replace(plan, method=replace(plan.method, grid=1))
    for phase in tried(plan).phases:
        assert phase.trial.learnt, phase.name
        has_memory = hasattr(METHODS[name].config(), "queue") or name in ("cpr-bank", "xdc")
        assert (phase.filled > 0) == has_memory
        assert phase.trained <= phase.parameters


def test_it_says_before_how_many_epochs_a_method_looks_at_all_videos(tried):
    plan = tiny_plan("xdc", clips_per_video=4, epochs=5)
    often, seldom = (tried(replace(plan, method=replace(plan.method, every=every))) for every in (1, 2))
    assert [phase.refreshes for phase in (*often.phases, *seldom.phases)] == [5, 3]
    assert "before 3 of its epochs all videos are encoded" in "\n".join(seldom.notes())
    plain = tried(tiny_plan("simclr"))
    assert [phase.refreshes for phase in plain.phases] == [0]
    assert "all videos are encoded" not in "\n".join(plain.notes())


def test_what_was_random_is_said(tried):
    estimate = tried(PLAN)
    assert [phase.random for phase in estimate.phases] == [(), (), ("rgb", "motion")]
    assert [phase.filled for phase in estimate.phases] == [8, 8, 8]
    told = "\n".join(estimate.notes())
    assert "cpr-rgb: an earlier phase's tower for rgb and motion was a random one here" in told
    assert "cpr-rgb: its memory was filled with 8 random unit vectors" in told
    assert trial.SAVED in told


def test_phases_of_equal_settings_are_tried_once(tried, monkeypatch):
    steps, step = [], trial.PhaseLoop.step

    def counted(self, raw):
        steps.append(self.phase.name)
        return step(self, raw)

    monkeypatch.setattr(trial.PhaseLoop, "step", counted)
    schedule = Schedule(infonce=0.34, turns=4)
    estimate = tried(tiny_plan("cpr", clips_per_video=4, schedule=schedule))
    assert [phase.same_as for phase in estimate.phases] == ["", "", "", "", "cpr-rgb-1", "cpr-motion-1"]
    assert len(steps) == 4 * trial.STEPS
    assert estimate.phases[4].trial == estimate.phases[2].trial
    assert "cpr-rgb-2: has the settings of cpr-rgb-1" in "\n".join(estimate.notes())


def test_a_phase_starts_from_another_runs_folder(tried, real):
    recipe = tiny_plan("cpr", clips_per_video=4).recipe()
    there = {"rgb": str(RunFolder.open(real / "run").phases()[0])}
    alone = replace(recipe, phases=(replace(recipe.phases[2], start=there),))
    assert tried(alone).phases[0].random == ()
    astray = replace(alone, phases=(replace(alone.phases[0], start={"rgb": "no-such-folder"}),))
    with pytest.raises(ConfigError, match="no-such-folder"):
        tried(astray)


@pytest.mark.parametrize(
    ("plan", "more"),
    [
        (tiny_plan("moco", method={"queue": 400}), {}),
        (tiny_plan("moco", weights="no-such-file.pth"), {}),
        (tiny_plan("simclr", clip=ClipSpec(frames=32, stride=4, size=16, short_side=16), short_videos="error"), {}),
        (tiny_plan("simclr"), {"where": {"label": "nothing"}}),
        (tiny_plan("simclr"), {"logger": "paper"}),
        (tiny_plan("simclr"), {"velocity": 3}),
        (tiny_plan("simclr"), {"batch_size": 1}),
        (tiny_plan("simclr", precision="12-bit"), {}),
        ("simclr", {"preset": "huge"}),
    ],
)
def test_errors_are_the_runs(tried, tiny_manifest, tmp_path_factory, plan, more):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(KinemaError) as expected:
        api.pretrain(plan, tiny_manifest, elsewhere / "run", cache=elsewhere / "cache", device="cpu", **more)
    with pytest.raises(type(expected.value)) as found:
        tried(plan, **more)
    assert (found.value.message, found.value.hint) == (expected.value.message, expected.value.hint)


def test_labels_are_asked_for(tried, tiny_flat_folder):
    with pytest.raises(DataError, match="labels of at least 2 classes"):
        tried(tiny_plan("supervised"), data=tiny_flat_folder)


def test_a_run_that_is_there_is_refused(tiny_manifest, real):
    with pytest.raises(KinemaError, match="exists and is a run"):
        kinema.dry_run(PLAN, tiny_manifest, real / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="There is a GPU here.")
def test_a_device_that_is_not_there(tiny_manifest, tiny_cache, tmp_path):
    for run in (api.pretrain, kinema.dry_run):
        with pytest.raises(UsageError, match="device 'gpu'"):
            run(tiny_plan("simclr"), tiny_manifest, tmp_path / run.__name__, device="gpu", cache=tiny_cache)


def test_a_loss_that_is_not_finite_is_told(tried):
    with pytest.raises(TrainingError, match=r"The loss is \S+ at step 1"):
        tried(tiny_plan("simclr", optimiser=OptimiserConfig("sgd", lr=1e30, warmup_epochs=0)))


def test_a_step_that_the_memory_cannot_hold_is_refused_before_it_is_made(tried, monkeypatch):
    monkeypatch.setattr(trial, "free_memory", lambda: 100_000)
    with pytest.raises(TrainingError, match=r"phase 'simclr-rgb' needs about .* GB, and 0\.0 GB of memory are") as told:
        tried(tiny_plan("simclr"))
    assert "batch_size below" in told.value.hint


def test_it_can_be_stopped(tried, tmp_path, monkeypatch):
    monkeypatch.setattr(trial._TrialLoop, "_check_room", lambda self, raw: signalled(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        tried(tiny_plan("simclr"))
    assert not list(tmp_path.iterdir())


def test_activations_grow_with_the_batch(tried):
    small, large = (tried(tiny_plan("simclr", batch_size=size)).phases[0].trial.memory for size in (4, 8))
    assert large.activations == pytest.approx(2 * small.activations, rel=0.02)
    assert replace(large, activations=0) == replace(small, activations=0)


def test_what_autograd_keeps_is_counted_once():
    x, weight = torch.randn(5, 3), torch.nn.Parameter(torch.randn(3, 4))
    saved = trial._Saved([weight])
    with saved:
        y = (x @ weight).relu()
        (y * y).sum().backward()
    assert saved.bytes == 4 * (5 * 3 + 5 * 4)  # x, and the one tensor that is relu's result and both factors
    assert weight.grad is not None


def test_the_machine_tells_its_free_memory():
    assert 2**20 < trial.free_memory() < 2**45


def test_a_page_for_a_person(tried):
    from rich.console import Console

    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table(tried(replace(PLAN, encoder=EncoderConfig("slim", width=4)))))
    told = console.export_text()
    for word in (
        "infonce-motion",
        "cpr-rgb",
        "2 x 12 = 24",
        "optimiser",
        "to be made once",
        "48 steps",
        "nothing was",
    ):
        assert word in told


def test_words_for_sizes_and_times():
    assert [size(n) for n in (512, 2048, 1.5e6, 23e9, 3e12)] == ["512 B", "2.05 kB", "1.5 MB", "23 GB", "3 TB"]
    times = [duration(s) for s in (0.0123, 5, 90, 150, 9000, 400_000)]
    assert times == ["12.3 ms", "5 s", "90 s", "2.5 min", "2.5 h", "4.63 days"]


def test_the_command(call, tiny_folder, tmp_path):
    asked = (
        "pretrain",
        "cpr",
        tiny_folder,
        "--out",
        tmp_path / "run",
        "--cache",
        tmp_path / "cache",
        *SMALL,
        "--dry-run",
    )
    status, out, err = call(*asked, "--json")
    assert status == 0, err
    told = json.loads(out)
    assert told.keys() == {
        "method", "data", "videos", "batch_size", "precision", "device", "steps", "seconds", "memory",
        "activations_measured_by", "cache", "phases", "notes",
    }  # fmt: skip
    assert told["cache"].keys() == {"path", "bytes", "limit_bytes", "state", "seconds"}
    for phase in told["phases"]:
        assert phase.keys() == {
            "name", "method", "trains", "parameters", "trained_parameters", "epochs", "steps_per_epoch", "steps",
            "memory", "step_seconds", "read_seconds", "seconds", "learnt", "tried_as", "random_start", "filled",
            "refreshes",
        }  # fmt: skip
        assert phase["memory"].keys() == MEMORY
        assert phase["memory"]["total"] == sum(phase["memory"][key] for key in MEMORY - {"total"})
    assert (told["videos"], told["steps"], told["device"], told["batch_size"]) == (12, 9, "cpu", 4)
    assert told["memory"] == max(phase["memory"]["total"] for phase in told["phases"])
    status, out, err = call(*asked)
    assert status == 0, err
    assert "cpr-rgb" in out
    status, out, _ = call(*asked, "--resume", "--json")
    assert (status, json.loads(out)["error"]["kind"]) == (2, "usage")
    assert not list(tmp_path.iterdir())

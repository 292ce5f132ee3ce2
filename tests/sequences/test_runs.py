"""Runs on features, from the command line to the page: bad input, odd data, and going on where a run was stopped."""

import json
import re
import signal
import tracemalloc

import numpy as np
import pytest
import torch
from made_sequences import WIDTH, features_of, put, steps_of, write_sequences
from signalled import signalled
from tiny_runs import assert_same_run

import kinema
from kinema.core.errors import DataError, TrainingError
from kinema.training import loop
from kinema.training.phase import InterruptedRunError
from kinema.training.run_folder import RunFolder

FORMS = ("tot", "asot")
QUICK = {"epochs": 1, "repeats": 2, "logger": "none", "device": "cpu"}


def trained(data, out, form="tot", clusters=3, **changes):
    settings = {"form": form, "clusters": clusters, **changes.pop("method", {})}
    return kinema.pretrain("tot", data, out, method_settings=settings, **{**QUICK, **changes})


@pytest.fixture
def said(capsys, call):
    """Runs a command with --json: its exit status, its object, and what stood on standard error."""

    def run(*arguments):
        status, out, err = call(*arguments, "--json")
        return status, json.loads(out), err

    return run


def command(data, out, *more, form="tot", clusters=3):
    count = ["--method.clusters", clusters] if clusters else []
    quick = ["--epochs", 1, "--repeats", 2, "--logger", "none", "--device", "cpu"]
    return ["pretrain", "tot", data, "--method.form", form, *count, "--out", out, *quick, *more]


@pytest.mark.parametrize("form", FORMS)
def test_from_features_to_figures_and_a_page_by_command(form, said, call, tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    write_sequences(data)
    status, told, _ = said(*command(data, run, form=form))
    assert (status, told["run"], told["steps"]) == (0, str(run), 6)
    assert [path.name for path in RunFolder.open(run).phases()] == [f"01-{form}-coffee", f"02-{form}-tea"]
    status, _, _ = call("report", run)
    assert status == 0
    assert "kinema evaluate segmentation" in (run / "report.md").read_text("utf-8")

    status, told, _ = said("evaluate", "segmentation", run, data)
    assert (status, told["view"], told["encoder"]) == (0, "every activity", form)
    assert [part["view"] for part in told["parts"]] == ["every activity", "coffee", "tea"]
    names = {"mof", "f1", "edit", "f1@10", "f1@25", "f1@50", "miou", "uniform_mof", "kmeans_mof", "kmeans_time_mof"}
    assert names <= told["metrics"].keys()
    assert all(0 <= value <= 1 for value in told["metrics"].values())
    assert said("evaluate", "segmentation", run, data, "--untrained")[0] == 0
    assert call("report", run)[0] == 0
    page = (run / "report.html").read_text("utf-8")
    text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert "Does it find the steps?" in text
    assert "sequences" in text
    for nonsense in ("clips", "retrieval", "every activity'", "None"):
        assert nonsense not in re.sub(r"\{.*\}", "", text, flags=re.DOTALL).lower().replace("none'", ""), nonsense


def test_methods_and_a_dry_run_speak_of_sequences(said, call, tmp_path):
    assert re.search(r"tot +the steps of an activity", call("pretrain", "--list")[1])
    write_sequences(tmp_path / "data")
    status, told, _ = said(*command(tmp_path / "data", tmp_path / "run", "--dry_run"))
    assert status == 0
    assert [phase["name"] for phase in told["phases"]] == ["tot-coffee", "tot-tea"]
    assert not (tmp_path / "run").exists()
    status, told, _ = said(*command(tmp_path / "data", tmp_path / "run", "--dry_run", "--where", "activity=coffee"))
    assert [phase["name"] for phase in told["phases"]] == ["tot-coffee"]


def broken(folder, change=None, names=("V0", "V1")):
    write_sequences(folder, names)
    if change is not None:
        change(folder)
    return folder


def nan(at, value=np.nan, dtype=np.float32):
    x = features_of(steps_of(40)).astype(dtype)
    x[at] = value
    return lambda folder: put(folder, "V1", x, steps_of(40))


REFUSED = {
    "an empty folder": (lambda folder: folder.mkdir(), [], "There are no features", "features/"),
    "no folder": (lambda folder: None, [], "is no folder", "features/NAME.npy"),
    "nan": (lambda f: broken(f, nan((7, 2))), [], r"V1\.npy' .*frame 7 has nan at feature 2", "again"),
    "inf": (lambda f: broken(f, nan((0, 5), np.inf, np.float16)), [], r"V1\.npy' .*frame 0 has inf at feature 5", ""),
    "nan as it is": (lambda f: broken(f, nan((7, 2))), ["--normalize", "none"], "frame 7 has nan", "again"),
    "beyond float32": (lambda f: broken(f, nan((3, 0), 1e200, np.float64)), [], r"frame 3 has 1e\+200", ""),
    "widths": (lambda f: broken(f, lambda g: put(g, "V2", np.ones((9, 5)))), [], "several widths", "by one network"),
    "too many steps": (broken, ["--method.clusters", 41], "41 steps .* longest video has 40", "method.clusters"),
    "no clusters": (lambda f: broken(f, names=["V0"]), ["--method.clusters", 0], "how many steps", "method.clusters 7"),
    "no such activity": (
        lambda f: broken(f, names=["P0_tea", "P1_tea"]),
        ["--where", "activity=cofee"],
        "activity=cofee",
        "tea",
    ),
    "no such method activity": (
        lambda f: broken(f, names=["P0_tea", "P1_tea"]),
        ["--method.activity", "cofee"],
        "activity 'cofee'",
        "tea",
    ),
    "all unreadable": (
        lambda f: broken(f, lambda g: [path.write_bytes(b"no") for path in (g / "features").iterdir()]),
        [],
        "0 of 2 sequences can be trained on",
        "the log names",
    ),
    "bins": (broken, ["--method.tot.bins", 0], "bins is 0", ""),
    "frames": (broken, ["--method.tot.frames", 100], "twice the 32 bins", "multiple of 64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_on_is_refused_by_command(name, said, tmp_path):
    make, more, message, hint = REFUSED[name]
    make(tmp_path / "data")
    status, told, err = said(*command(tmp_path / "data", tmp_path / "run", *more))
    assert status in (1, 2)
    assert re.search(message, told["error"]["message"]), told
    assert hint in told["error"]["hint"]
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_a_count_of_steps_is_asked_for(said, tmp_path):
    write_sequences(tmp_path / "data")
    status, told, _ = said(*command(tmp_path / "data", tmp_path / "run", clusters=0))
    assert status == 2 or status == 1
    assert "'coffee', 'tea'" in told["error"]["message"]
    assert "--method.activities '{coffee: 7}'" in told["error"]["hint"]
    each = ["--method.activities", "{coffee: 3, tea: 2}"]
    assert said(*command(tmp_path / "data", tmp_path / "run", *each, clusters=0))[0] == 0
    assert [kinema.load(tmp_path / "run", view=view).clusters for view in ("coffee", "tea")] == [3, 2]


def test_a_folder_of_videos_is_refused(said, tiny_folder, tmp_path):
    _, told, _ = said(*command(tiny_folder, tmp_path / "run"))
    assert "There are no features" in told["error"]["message"]
    assert "kinema segment" in told["error"]["hint"]


@pytest.fixture(scope="module")
def tea_run(tmp_path_factory):
    """A run of the activity 'tea'."""
    folder = tmp_path_factory.mktemp("tea")
    write_sequences(folder / "data", ["P0_tea", "P1_tea"])
    trained(folder / "data", folder / "run")
    return folder / "run"


UNMEASURED = {
    "some without labels": (lambda f: (f / "groundTruth" / "P1_tea.txt").unlink(), "1 of 2 sequences", "P1_tea.txt"),
    "a label beyond the mapping": (
        lambda f: (f / "mapping.txt").write_text("0 step0\n1 step1\n"),
        "'step2' is not in",
        "Add it",
    ),
    "no mapping": (lambda f: (f / "mapping.txt").write_text("{}"), "'{}' is no number and label", "0 label"),
    "nan": (lambda f: put(f, "P1_tea", np.full((40, WIDTH), np.nan), steps_of(40)), r"P1_tea\.npy'.*frame 0", "again"),
    "another width": (
        lambda f: [put(f, f"P{n}_tea", np.ones((40, 5)), steps_of(40)) for n in range(2)],
        "has 5 features a frame; the model of 'tea' takes 6",
        "trained on",
    ),
    "another activity": (
        lambda f: [
            path.rename(path.with_name(path.name.replace("tea", "milk")))
            for part in ("features", "groundTruth")
            for path in list((f / part).iterdir())
        ],
        "None of the 2 videos is of an activity",
        "milk",
    ),
    "unreadable": (
        lambda f: [path.write_bytes(b"") for path in (f / "features").iterdir()],
        "None of the 2 sequences can be measured",
        "frame",
    ),
}


@pytest.mark.parametrize("name", UNMEASURED)
def test_what_cannot_be_measured_is_refused_by_command(name, said, tea_run, tmp_path):
    change, message, hint = UNMEASURED[name]
    broken(tmp_path / "data", change, ["P0_tea", "P1_tea"])
    status, told, err = said("evaluate", "segmentation", tea_run, tmp_path / "data")
    assert status == 1
    assert re.search(message, told["error"]["message"]), told
    assert hint in told["error"]["hint"]
    assert "Traceback" not in err


def test_labels_of_another_length_and_other_activities_are_told(tea_run, tmp_path, caplog):
    write_sequences(tmp_path, ["P0_tea", "P1_tea", "P2_milk"])
    (tmp_path / "groundTruth" / "P0_tea.txt").write_text("step0\nstep1\n", "utf-8")
    (tmp_path / "features" / "P3_tea.npy").write_bytes(b"")
    (result,) = kinema.evaluate("segmentation", tea_run, tmp_path)
    assert result.queries == 2
    assert result.details["scaled"] == {"P0_tea": 2}
    told = "\n".join(caplog.messages)
    assert "1 of 2 files of labels have another number of lines" in told
    assert "Videos of 'milk' are not measured" in told
    assert "1 of 4 sequences are left out: 'P3_tea'" in told


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("lengths", "clusters"),
    [((40,), 3), ((1, 1), 1), ((1, 5, 31, 33), 3), ((3, 2000), 3)],
    ids=["one video", "one frame", "short", "uneven"],
)
def test_videos_of_any_length_train_and_are_measured(form, lengths, clusters, tmp_path):
    for number, length in enumerate(lengths):
        labels = np.arange(length) * clusters // length
        put(tmp_path / "data", f"V{number}", features_of(labels, seed=number), labels)
    trained(tmp_path / "data", tmp_path / "run", form, clusters)
    (result,) = kinema.evaluate("segmentation", tmp_path / "run", tmp_path / "data")
    assert result.details["frames"] == sum(lengths)
    model = kinema.load(tmp_path / "run")
    for length, found in zip(lengths, model.segment([np.ones((n, WIDTH)) for n in lengths]), strict=True):
        assert found.steps.shape == found.shares.shape == (length,)
        assert 0 <= found.steps.min() <= found.steps.max() < clusters
        if form == "tot":
            assert (np.diff(found.steps) >= 0).all()


def test_an_activity_with_one_video_is_learnt_and_told(tmp_path, caplog):
    write_sequences(tmp_path / "data", ["P0_tea", "P1_tea", "P2_coffee"])
    trained(tmp_path / "data", tmp_path / "run")
    assert "There is one video of 'coffee', 'P2_coffee'" in caplog.text
    assert [each.view for each in kinema.evaluate("segmentation", tmp_path / "run", tmp_path / "data")] == [
        "every activity",
        "coffee",
        "tea",
    ]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", ">f8"])
def test_numbers_of_any_kind_are_read_alike(dtype, tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (40, WIDTH))
    for folder, kind in (("given", dtype), ("plain", "float32")):
        put(tmp_path / folder, "V0", x.astype(kind))
        trained(tmp_path / folder, tmp_path / f"{folder}-run")
    assert_same_run(tmp_path / "given-run", tmp_path / "plain-run")


@pytest.mark.parametrize("ending", [".npz", ".txt", ".csv.gz"])
def test_formats_train_alike(ending, tmp_path):
    x = features_of(steps_of(40)).round(3)
    put(tmp_path / "plain", "V0", x)
    (tmp_path / "given").mkdir()
    file = tmp_path / "given" / f"V0{ending}"
    if ending == ".npz":
        np.savez(file, x)
    else:
        np.savetxt(file, x, fmt="%.3f", delimiter="," if "csv" in ending else " ")
    for folder in ("given", "plain"):
        trained(tmp_path / folder, tmp_path / f"{folder}-run", cache=tmp_path / "cache")
    assert_same_run(tmp_path / "given-run", tmp_path / "plain-run")


@pytest.mark.parametrize(("form", "value"), [("tot", 2.5), ("asot", 0.0)])
def test_features_that_never_change_end_in_a_collapse(form, value, tmp_path, caplog):
    for number in range(2):
        put(tmp_path / "data", f"V{number}", np.full((40, WIDTH), value), steps_of(40))
    with pytest.raises(
        TrainingError, match=r"The steps have collapsed: at step \d+, cluster \d of 3 has 9\d%"
    ) as caught:
        trained(tmp_path / "data", tmp_path / "run", form, repeats=300, method={"tot": {"freeze_steps": 0}})
    assert "clusters" in caught.value.hint
    assert "2 of 2 sequences have the same features in every frame" in caplog.text
    assert RunFolder.open(tmp_path / "run").read("status.json")["state"] == "failed"


def test_prototypes_that_would_rest_throughout_are_told(tmp_path, caplog):
    write_sequences(tmp_path / "data", ["V0", "V1"])
    trained(tmp_path / "data", tmp_path / "run", method={"tot": {"freeze_steps": 10}})
    assert "The prototypes rest for 10 steps, and the run has 2" in caplog.text
    assert RunFolder.open(tmp_path / "run").read("plan.json")["plan"]["method"]["tot"]["freeze_steps"] == 10


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_was_stopped_goes_on_exactly(form, tmp_path, monkeypatch, said):
    """In the middle of an epoch of the second activity, with prototypes that rest at first."""
    write_sequences(tmp_path / "data")
    settings = {"epochs": 2, "repeats": 4, "checkpoint_seconds": 0.0, "method": {"tot": {"freeze_steps": 3}}}
    trained(tmp_path / "data", tmp_path / "whole", form, **settings)
    after, done = loop.PhaseLoop._after_step, []

    def stop(self, terms):
        done.append(self)
        if len(done) == 12 + 8:
            signalled(signal.SIGINT)
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", stop)
    with pytest.raises(InterruptedRunError):
        trained(tmp_path / "data", tmp_path / "run", form, **settings)
    monkeypatch.undo()
    assert [(path / "phase.json").is_file() for path in RunFolder.open(tmp_path / "run").phases()] == [True, False]
    again = ["pretrain", "tot", tmp_path / "data", "--method.form", form, "--method.clusters", 3]
    status, told, _ = said(*again, "--out", tmp_path / "run", "--resume", "--logger", "none", "--device", "cpu")
    assert (status, told.get("steps")) == (0, 24), told
    assert_same_run(tmp_path / "whole", tmp_path / "run")
    put(tmp_path / "data", "P09_tea", features_of(steps_of(40)))
    status, told, _ = said(*again, "--out", tmp_path / "run", "--resume")
    assert status == 1
    assert "data" in told["error"]["message"] or "manifest" in told["error"]["message"]


def test_a_hundred_thousand_frames_stay_on_the_disk(tmp_path):
    frames, width = 100_000, 64
    labels = np.arange(frames) * 5 // frames
    put(tmp_path / "data", "V0", features_of(labels, width), labels)
    size = frames * width * 4
    config = kinema.data.sequences.config.SequencesConfig()
    table = config.open(tmp_path / "data")
    tracemalloc.start()
    loaded = config.load(table, [])
    loaded.frames[0].at(np.arange(0, frames, 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2
    for form in FORMS:
        trained(tmp_path / "data", tmp_path / form, form, 5)
        (result,) = kinema.evaluate("segmentation", tmp_path / form, tmp_path / "data")
        assert result.details["frames"] == frames


def test_a_model_takes_features_and_says_what_else_it_was_given(tea_run):
    model = kinema.load(tea_run)
    x = features_of(steps_of(40))
    assert model.encode(x).shape == (40, model.dim)
    one, several = model.encode(torch.from_numpy(x)), model.encode([x, x[:7]])
    assert np.array_equal(one, several[0])
    assert len(several[1]) == 7
    with pytest.raises(DataError, match=r"The features of array 1 are \(40, 5\); the model of 'tea' takes \[T, 6\]"):
        model.segment([x, x[:, :5]])
    with pytest.raises(DataError, match=r"array are \(0, 6\)"):
        model.segment(x[:0])
    with pytest.raises(DataError, match="The array holds features that are no finite numbers"):
        model.segment(np.where(x > 1, np.nan, x))
    with pytest.raises(kinema.core.errors.UsageError, match="type str"):
        model.segment("features.npy")


def test_what_does_not_read_sequences_refuses_such_a_run(said, tea_run, tiny_folder, tmp_path):
    for verb, message in (
        (
            ["export", tea_run, "-o", tmp_path / "model"],
            "reads sequences, and only encoders of video and text are exported",
        ),
        (["embed", tea_run, tiny_folder, "-o", tmp_path / "table"], "reads sequences, and tables are of"),
        (["evaluate", "retrieval", tea_run, tiny_folder], "measures encoders of video"),
    ):
        status, told, err = said(*verb)
        assert status in (1, 2)
        assert message in told["error"]["message"]
        assert "Traceback" not in err
    with pytest.raises(kinema.core.errors.UsageError, match="reads sequences"):
        kinema.export(kinema.load(tea_run), tmp_path / "model")

"""Classifiers trained on clips: who they learn from, which epoch is kept, and that the test never has a say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import tiny_plan

from kinema import api
from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.data import ClipDataset, ClipRequest, collate, evaluation_windows
from kinema.data.clips.reader import Model
from kinema.data.clips.transforms import TransformConfig, ViewTransform
from kinema.protocols.fit import FitConfig, class_scores, fit_classifier, parts_of
from kinema.training import loop
from kinema.training.checkpoints import read_tower
from kinema.training.phase import InterruptedRunError
from kinema.training.settings import OptimiserConfig

FIT = FitConfig(
    epochs=3,
    min_steps=0,
    validation=0.34,
    dropout=0.2,
    optimiser=OptimiserConfig(lr=3e-3, warmup_epochs=0, layer_decay=0.8),
    transform=TransformConfig(blur_p=0.0),
    batch_size=4,
)


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetune") / "run"
    api.pretrain(tiny_plan(epochs=2), tiny_manifest, folder, cache=tiny_cache, device="cpu")
    return folder


@pytest.fixture(scope="module")
def split(tiny_manifest):
    """The first video of each class is tested, the other three are trained on."""
    return changed(tiny_manifest, lambda v: {"split": "test" if v.path.endswith("0.mp4") else "train"})


@pytest.fixture(scope="module")
def measure(run, split, tiny_cache, tmp_path_factory):
    def evaluate(protocol="finetune", data=split, out=None, fit=FIT, model=run, **options):
        home = tmp_path_factory.mktemp("classifiers") if out is None else out
        return api.evaluate(protocol, model, data, fit=fit, out=home, cache=tiny_cache, device="cpu", **options)

    return evaluate


def changed(manifest, changes):
    return replace(manifest, videos=tuple(replace(v, **changes(v)) for v in manifest.videos))


def only(folder: Path):
    (found,) = folder.iterdir()
    return found


def weights(folder: Path):
    return read_tower(only(folder) / "classifier.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_fine_tuning_leaves_a_result_and_a_folder_that_explains_itself(measure, run, tmp_path):
    (result,) = measure(out=tmp_path)
    assert (result.protocol, result.preset, result.queries) == ("finetune", "100%", 3)
    assert set(result.metrics) == {"accuracy", "mean_class_accuracy"}
    told = result.details
    assert (told["labelled"], told["held_out"], told["epochs"], told["crops"]) == (9, 3, 3, "ten")
    assert told["selection"] == "split=test"
    assert sum(sum(row.values()) for row in told["confusion"].values()) == 3
    folder = only(tmp_path)
    assert folder.name.startswith("finetune-rgb-infonce-")
    assert told["classifier"] == folder.name
    kept = json.loads((folder / "classifier.json").read_text())
    assert kept == {"epoch": told["epoch"] - 1, "validation": told["validation_accuracy"], "classes": kept["classes"]}
    lines = [json.loads(line) for line in (next(folder.glob("phases/*")) / "metrics.jsonl").read_text().splitlines()]
    accuracies = [line["validation_accuracy"] for line in lines if line["event"] == "epoch"]
    assert len(accuracies) == 3
    assert kept["epoch"] == accuracies.index(max(accuracies))
    assert api.load(folder).view == "rgb"
    assert (run / "evaluations" / "finetune-100_-infonce-rgb-split_test.json").exists()


def test_the_same_command_does_not_train_again_and_other_settings_do(measure, tmp_path):
    (first,) = measure(out=tmp_path)
    before = {file: file.stat().st_mtime_ns for file in only(tmp_path).rglob("*.safetensors")}
    (again,) = measure(out=tmp_path)
    assert {file: file.stat().st_mtime_ns for file in only(tmp_path).rglob("*.safetensors")} == before
    assert again.metrics == first.metrics
    measure(out=tmp_path, fit=replace(FIT, dropout=0.3))
    measure(out=tmp_path, untrained=True)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_result_of_other_settings_stands_beside_the_first(measure, run, tmp_path):
    home = run / "evaluations"
    measure(out=tmp_path)
    before = set(home.glob("finetune-100_*.json"))
    (other,) = measure(out=tmp_path, fit=replace(FIT, dropout=0.4))
    (new,) = set(home.glob("finetune-100_*.json")) - before
    assert json.loads(new.read_text())["details"]["fit"] == other.details["fit"]
    assert "dropout 0.4" in other.details["fit"]
    measure(out=tmp_path, fit=replace(FIT, dropout=0.4))
    assert set(home.glob("finetune-100_*.json")) == {*before, new}


def test_what_was_changed_is_told_by_its_dotted_name():
    assert FitConfig().changes == ""
    changed = replace(FitConfig(), epochs=2, optimiser=replace(FitConfig().optimiser, lr=0.5))
    assert changed.changes == "epochs 2, optimiser.lr 0.5"


def test_the_test_has_no_say_in_what_is_learnt(measure, split, tmp_path):
    """With other test videos, and with wrong labels on them, every weight and the epoch that is kept stay the same."""
    measure(out=tmp_path / "a")
    one = next(v.path for v in split.videos if v.split == "test")
    fewer = replace(split, videos=tuple(v for v in split.videos if v.split == "train" or v.path == one))
    measure(out=tmp_path / "b", data=fewer)
    classes = split.classes()
    wrong = changed(split, lambda v: {"label": classes[(classes.index(v.label) + 1) % 3]} if v.split == "test" else {})
    (judged,) = measure(out=tmp_path / "c", data=wrong)
    for other in ("b", "c"):
        assert only(tmp_path / other).name == only(tmp_path / "a").name
        assert same(weights(tmp_path / other), weights(tmp_path / "a"))
    assert set(judged.details["per_class"]) == set(classes)


def test_a_linear_probe_end_to_end_leaves_the_encoder_as_it_was(measure, run, tmp_path):
    (result,) = measure("linear", preset="end-to-end", out=tmp_path)
    assert (result.protocol, result.preset) == ("linear", "end-to-end")
    before = api.load(run).tower.state_dict()
    after = {key.removeprefix("tower."): value for key, value in weights(tmp_path).items() if key.startswith("tower.")}
    assert same(after, dict(before))
    measure(out=tmp_path / "tuned")
    tuned = weights(tmp_path / "tuned")
    moved = [key for key, value in before.items() if not torch.equal(tuned[f"tower.{key}"], value)]
    assert {key.split(".")[0] for key in moved} == {"encoder"}


def test_a_share_of_the_labels(measure, tmp_path):
    results = measure(out=tmp_path, shares=(0.3, 1.0))
    assert [(r.preset, r.details["labelled"], r.details["held_out"]) for r in results] == [
        ("30%", 3, 0),
        ("100%", 9, 3),
    ]
    assert [r.details["epoch_chosen"] for r in results] == ["the last", "on training videos held out by source"]
    assert results[0].details["epoch"] == 3
    assert results[0].details["validation_accuracy"] is None


def test_no_recording_learns_and_chooses(tiny_manifest):
    """Two videos a recording, one recording a class spared."""
    paired = changed(tiny_manifest, lambda v: {"source": v.label + v.path[-5].translate({48: "a", 49: "a"})})
    parts = parts_of(paired, FIT, 1.0)
    assert not {v.source for v in parts.fit.videos} & {v.source for v in parts.held_out.videos}
    assert parts.fit.classes() == parts.held_out.classes() == tiny_manifest.classes()
    assert len(parts.fit) + len(parts.held_out) == 12
    alone = changed(tiny_manifest, lambda v: {"source": v.label})
    assert parts_of(alone, FIT, 1.0).held_out is None
    assert parts_of(tiny_manifest, replace(FIT, validation=0), 1.0).held_out is None


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(measure, tmp_path, monkeypatch):
    measure(out=tmp_path / "whole")
    after = loop.PhaseLoop._after_step

    def stop(self, terms):
        if self.progress.step == 3:
            object.__setattr__(self.runtime, "stop", lambda: True)
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", stop)
    with pytest.raises(InterruptedRunError) as caught:
        measure(out=tmp_path / "stopped")
    assert caught.value.hint == "Run the same command again: it goes on where this one stopped."
    monkeypatch.undo()
    measure(out=tmp_path / "stopped")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))
    kept = [json.loads((only(tmp_path / name) / "classifier.json").read_text()) for name in ("whole", "stopped")]
    assert kept[0] == kept[1]


def test_scores_are_means_over_windows_and_ten_crops(run, split, tiny_cache, tmp_path, monkeypatch):
    model = api.load(run)
    store = api.model_store(split.select({"split": "test"}), model, cache=tiny_cache)
    home = {"share": 1.0, "frozen": False, "open_store": lambda part, _: api.model_store(part, model, cache=tiny_cache)}
    method = fit_classifier(model, split, FIT, tmp_path, data="tiny", device="cpu", **home).method
    transform, dataset = ViewTransform(model.clip, ("rgb",)), ClipDataset(store)
    each = []
    for row in sorted(store.frames):
        windows = evaluation_windows(store.frames[row], model.clip)
        assert len(windows) > 1
        clips = [collate([dataset[ClipRequest(row, (start,))]]) for start in windows]
        with torch.no_grad():
            crops = [[method.logits(c.view(0, "rgb")).softmax(1)[0] for c in transform.ten_crops(x)] for x in clips]
        each.append(torch.stack([torch.stack(window) for window in crops]))
    slow = torch.stack([scores.mean(dim=(0, 1)) for scores in each])
    torch.testing.assert_close(class_scores(method, store, model, crops="ten"), slow, atol=1e-5, rtol=1e-4)
    upright = torch.stack([scores[:, :5].mean(dim=(0, 1)) for scores in each])
    made = []
    monkeypatch.setattr(ViewTransform, "_variant", lambda *a, real=ViewTransform._variant: made.append(1) or real(*a))
    found = class_scores(method, store, model, crops="ten", mirrored=False)
    torch.testing.assert_close(found, upright, atol=1e-5, rtol=1e-4)
    assert len(made) == 5 * len(each), "only what is used is computed"
    assert not torch.allclose(found, slow, atol=1e-4)


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"min_steps": -1}, {"validation": 1.0}, {"validation": -0.1}, {"dropout": 1.0}]
)
def test_settings_out_of_range_are_named_before_anything_is_written(changes, measure, tmp_path):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        measure(out=tmp_path, fit=replace(FIT, **changes))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_measured(measure, run, split, tiny_cache, tmp_path):
    with pytest.raises(DataError, match="'up'"):
        measure(data=changed(split, lambda v: {"label": "up"} if v.split == "test" else {}), out=tmp_path)
    loaded = api.load(run)
    alone = Model(loaded.tower, "rgb", loaded.clip, name="mine")
    with pytest.raises(UsageError, match="no run"):
        api.evaluate("finetune", alone, split, fit=FIT, cache=tiny_cache)
    with pytest.raises(UsageError, match="'features'"):
        api.evaluate("linear", run, split, fit=FIT, cache=tiny_cache)
    with pytest.raises(UsageError, match="'fit'"):
        api.evaluate("retrieval", run, split, fit=FIT, cache=tiny_cache)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("videos", "passes"),
    [(15, 400), (16, 400), (17, 200), (720, 30), (211, 30), (208, 31), (1, 400)],
)
def test_few_videos_are_passed_over_until_there_were_enough_steps(videos, passes):
    assert FitConfig(epochs=30, min_steps=400, batch_size=16).epochs_over(videos) == passes
    assert FitConfig(epochs=30, min_steps=400, batch_size=16, clips_per_video=16).epochs_over(videos) == max(
        30, -(-400 // videos)
    )
    assert FitConfig(epochs=30, min_steps=0).epochs_over(videos) == 30

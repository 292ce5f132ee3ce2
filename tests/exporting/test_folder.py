"""A model as a folder: what it holds, that nothing of the machine is in it, and that kinema.load takes it back."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from debug_size import CLIP
from lived_towers import lived_tower
from safetensors.torch import load_file, save_file

import kinema
from kinema import api
from kinema.core.clips import VIEWS
from kinema.core.errors import CheckpointError, RunError, StorageError, UsageError
from kinema.data.clips.reader import Model
from kinema.exporting.origin import origin_of, place_name, without_places
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def folder(exported_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "deeper/model"
    done = kinema.export(exported_run, out, licence="CC BY 4.0.")
    assert (done.path, done.format, done.view, done.difference) == (out, "safetensors", "rgb", None)
    assert done.size == sum(file.stat().st_size for file in out.iterdir())
    return out


@pytest.fixture
def copied(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "elsewhere"))


def test_an_export_encodes_exactly_what_the_run_does(exported_run, copied, tiny_manifest):
    files = [tiny_manifest.file(row) for row in range(4)]
    ours, theirs = kinema.load(exported_run), kinema.load(copied)
    for key, value in ours.tower.state_dict().items():
        assert torch.equal(theirs.tower.state_dict()[key], value), key
    assert np.array_equal(theirs.encode(files), ours.encode(files))
    assert not np.allclose(theirs.encode(files), kinema.load(exported_run, untrained=True).encode(files), atol=1e-3)
    assert (theirs.view, theirs.name, theirs.dim, theirs.clip, theirs.seed) == ("rgb", "cpr", 32, ours.clip, ours.seed)
    assert theirs.run is None
    assert not theirs.tower.training


def test_the_folder_lies_there_whole(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "model.json", "model.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_guide_too(exported_run, tmp_path, tiny_manifest):
    kinema.export(exported_run, tmp_path / "guide", view="motion")
    guide = kinema.load(tmp_path / "guide", view="motion")
    assert (guide.view, guide.name, guide.tower.encoder.channels) == ("motion", "infonce", 2)
    files = [tiny_manifest.file(row) for row in range(3)]
    assert np.array_equal(guide.encode(files), kinema.load(exported_run, view="motion").encode(files))
    assert "This model itself has not been evaluated" in (tmp_path / "guide/README.md").read_text()
    with pytest.raises(RunError, match="an exported encoder of 'motion', not of 'rgb'"):
        kinema.load(tmp_path / "guide", view="rgb")


def test_two_views_together(exported_run, tmp_path, tiny_manifest):
    """A folder for each, which can be used by itself, and one model of all."""
    done = kinema.export(exported_run, tmp_path / "both", view="rgb+motion", licence="CC0")
    assert (done.view, done.format) == ("rgb+motion", "safetensors")
    assert done.size == sum(file.stat().st_size for file in (tmp_path / "both").rglob("*") if file.is_file())
    ours, theirs = kinema.load(exported_run, view="rgb+motion"), kinema.load(tmp_path / "both")
    assert (theirs.view, theirs.name, theirs.run) == ("rgb+motion", "cpr", None)
    files = [tiny_manifest.file(row) for row in range(3)]
    assert np.array_equal(theirs.encode(files), ours.encode(files))
    assert [kinema.load(tmp_path / "both" / view).view for view in ours.views] == ["rgb", "motion"]
    assert kinema.load(tmp_path / "both", view="motion").name == "infonce"
    assert kinema.load(tmp_path / "both", view="motion+rgb").view == "motion+rgb"
    card = (tmp_path / "both/README.md").read_text()
    assert header_of(card)[1]["license"] == "cc0-1.0"
    assert "- [`motion`](motion/README.md): the motion vectors" in card
    assert "Of these weights: CC0." in card
    with pytest.raises(RunError, match=r"is an exported encoder of 'rgb\+motion', not of 'residual'"):
        kinema.load(tmp_path / "both", view="rgb+residual")
    told = json.loads((tmp_path / "both/model.json").read_text())
    for wrong in ({"views": ["rgb"]}, {"views": ["rgb", "../x"]}, {"leading": "sound"}, {"format": 9}):
        (tmp_path / "both/model.json").write_text(json.dumps(told | wrong))
        with pytest.raises(CheckpointError, match="with two views or more"):
            kinema.load(tmp_path / "both")


def test_the_card_says_what_was_measured(exported_run, folder, tiny_manifest):
    text = (folder / "README.md").read_text()
    results = list(RunFolder.open(exported_run).results())
    assert len(results) == 3
    for result in results:
        assert f"`{result.protocol}`, preset `{result.preset}`" in text
        assert all(f"{value:.3f}" in text for value in result.metrics.values())
    trained = next(r for r in results if r.protocol == "retrieval" and r.encoder == "cpr")
    row = next(line for line in text.splitlines() if line.startswith("| **cpr** | rgb | all | 12 | 12 |"))
    low, high = trained.details["interval"]
    assert row.endswith(f"| {low:.3f} to {high:.3f} |")
    assert "| random | rgb | all | 12 | 12 |" in text
    assert tiny_manifest.digest in text
    assert "| videos | 12 |" in text
    assert "Of these weights: CC BY 4.0." in text
    assert "kinema.load(" in text
    assert '"batch_size": 4' in text
    commit = RunFolder.open(exported_run).read("environment.json")["commit"]
    assert f"commit {commit}" in text


def header_of(card):
    begin, told, text = card.split("---\n", 2)
    assert begin == ""
    assert text.lstrip().startswith("# ")
    return told, yaml.safe_load(told)


def test_the_header_of_the_card_is_what_hubs_read_and_the_run_measured(exported_run, folder):
    _, told = header_of((folder / "README.md").read_text())
    assert (told["library_name"], told["license"]) == ("kinema", "cc-by-4.0")
    assert {"video", "cpr", "rgb"} <= set(told["tags"])
    own = [r for r in RunFolder.open(exported_run).results() if (r.encoder, r.view) == ("cpr", "rgb")]
    (index,) = told["model-index"]
    assert len(index["results"]) == len(own) > 0
    for row in index["results"]:
        (result,) = [r for r in own if r.protocol == row["task"]["type"]]
        assert {m["type"]: m["value"] for m in row["metrics"]} == {k: round(v, 4) for k, v in result.metrics.items()}
        assert row["dataset"]["name"]


def test_a_header_claims_no_licence_and_no_figure_of_another(exported_run, tmp_path):
    kinema.export(exported_run, tmp_path / "guide", view="motion", licence='My "own": terms')
    _, told = header_of((tmp_path / "guide/README.md").read_text())
    assert (told["license"], told["license_name"]) == ("other", 'My "own": terms')
    assert "model-index" not in told
    kinema.export(exported_run, tmp_path / "model")
    text, told = header_of((tmp_path / "model/README.md").read_text())
    assert "license" not in told
    assert "# license: fill this in" in text


def test_a_licence_that_nobody_stated(exported_run, tmp_path):
    kinema.export(exported_run, tmp_path / "model")
    assert "Of these weights: not stated." in (tmp_path / "model/README.md").read_text()
    assert json.loads((tmp_path / "model/model.json").read_text())["licence"] == "not stated"


def test_no_path_of_the_machine_leaves(exported_run, tmp_path):
    """Places are planted wherever a run keeps one: data, command, a selection, a phase's start, neighbours."""
    run = Path(shutil.copytree(exported_run, tmp_path / "run"))
    told = json.loads((run / "environment.json").read_text())
    told |= {"data": "/home/secret-user/films", "command": ["/opt/secret-bin/kinema"], "where": {"a": "/secret-w/b"}}
    (run / "environment.json").write_text(json.dumps(told))
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["phases"][0]["start"] = {"rgb": "/home/secret-user/runs/phases/01-first"}
    (run / "recipe.json").write_text(json.dumps(recipe))
    for number, file in enumerate(sorted((run / "evaluations").iterdir())):
        result = json.loads(file.read_text())
        result["data"] = ("ucf101:/data/secret-place/ucf", "C:\\Users\\secret\\set", "~/secret-home/set")[number]
        result["details"]["selection"] = "part=/home/secret-user/x"
        file.write_text(json.dumps(result))
    kinema.export(run, tmp_path / "model")
    for name in ("README.md", "model.json"):
        text = (tmp_path / "model" / name).read_text()
        assert "secret" not in text, re.findall(r".{30}secret.{30}", text)
        assert str(tmp_path) not in text
        assert not re.search(r"(?:^|[\s\"'(=])(?:/|~/|[A-Z]:\\)\w", text)
        assert all(name in text for name in ("films", "ucf101", "01-first", "part=x"))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("/home/me/videos", "videos"),
        ("videos/", "videos"),
        ("ucf101-2:/data/u", "ucf101-2"),
        ("C:\\films\\all", "all"),
        (".", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_the_name_of_a_place(data, name):
    assert place_name(data) == name


def test_only_texts_that_are_places_change():
    plain = {"name": "cpr", "lr": 0.1, "start": {"rgb": "../other/phases/01-a"}, "ks": [1, None, "C:\\x\\y"]}
    assert without_places(plain) == {"name": "cpr", "lr": 0.1, "start": {"rgb": "01-a"}, "ks": [1, None, "y"]}


@pytest.mark.parametrize(
    ("name", "view", "norm", "head"),
    [
        ("slim", "rgb", "group", HeadConfig(layers=3, out=5)),
        ("slim", "motion", "batch", HeadConfig(layers=1, out=7, norm=True)),
        ("c3d", "rgb", "batch", HeadConfig()),
        ("r3d18", "residual", "batch", HeadConfig(norm=True)),
        ("r2plus1d18", "motion", "group", HeadConfig()),
        ("s3d", "rgb", "batch", HeadConfig(norm=True)),
        ("r3d26", "motion", "batch", HeadConfig()),
        ("i3d", "residual", "batch", HeadConfig()),
    ],
)
def test_every_encoder_comes_back_as_it_was(name, view, norm, head, tmp_path):
    tower = lived_tower(name, view, norm=norm, head=head)
    kinema.export(Model(tower, view, CLIP, name="made", seed=7), tmp_path / "model")
    again = kinema.load(tmp_path / "model")
    assert (again.name, again.seed, again.clip, again.view) == ("made", 7, CLIP, view)
    assert (again.tower.encoder_config, again.tower.head_config) == (tower.encoder_config, head)
    x = torch.randn(2, VIEWS[view], 8, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.isfinite(tower(x)).all()
        assert torch.equal(again.tower(x), tower(x))
        assert torch.equal(again.tower.encoder(x), tower.encoder(x))


def test_an_origin_is_handed_on(folder, tmp_path):
    """Exporting an export loses nothing but the licence, which is said anew."""
    kinema.export(folder, tmp_path / "again")
    one, other = (json.loads((path / "model.json").read_text()) for path in (folder, tmp_path / "again"))
    assert one.pop("licence") == "CC BY 4.0"
    assert other.pop("licence") == "not stated"
    assert one == other
    assert one["origin"]["evaluations"]


def test_a_model_made_by_hand_says_so(tmp_path):
    model = Model(Tower("rgb", EncoderConfig(width=4), HeadConfig()), "rgb", CLIP, name="mine")
    assert origin_of(model) == {}
    kinema.export(model, tmp_path / "model")
    text = (tmp_path / "model/README.md").read_text()
    assert "Not known: the model was exported without its run." in text
    assert "has not been evaluated" in text


def test_loading_leaves_the_random_state_alone(folder):
    torch.manual_seed(3)
    kinema.load(folder)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))


def changed(folder, **changes):
    file = folder / "model.json"
    value = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: item for key, item in value.items() if item is not ...}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2, "kinema": "9.9"}, r"format 2, written by kinema 9\.9; kinema .* reads format 1"),
        ({"kind": ...}, "does not describe a model of kinema's"),
        ({"clip": ...}, "clip"),
        ({"view": "depth"}, "view"),
        ({"encoder": {"name": "slim", "width": 4, "norm": "batch", "depth": 3}}, "depth"),
        ({"encoder": {"name": "slim", "width": 0, "norm": "batch"}}, r"encoder\.width is 0 .* @ encoder"),
    ],
)
def test_settings_that_cannot_be_read(copied, changes, message):
    changed(copied, **changes)
    with pytest.raises(CheckpointError, match=message):
        kinema.load(copied)


def test_settings_that_are_no_json(copied):
    (copied / "model.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        kinema.load(copied)


def test_weights_that_do_not_fit_are_named(copied):
    state = load_file(copied / "model.safetensors")
    lost = state.pop("encoder.stem.0.weight")
    save_file({**state, "encoder.stem.9.weight": lost}, copied / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"missing: encoder\.stem\.0\.weight; unexpected: encoder\.stem\.9\.weight"
    ):
        kinema.load(copied)
    changed(copied, head={"layers": 2, "out": 3, "norm": False})
    save_file({**state, "encoder.stem.0.weight": lost}, copied / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"head\.layers\.2\.weight is \(16, 32\) and should be \(3, 32\)"):
        kinema.load(copied)


def test_weights_that_are_damaged_or_gone(copied):
    whole = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match="cannot be read"):
        kinema.load(copied)
    (copied / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors' cannot be read"):
        kinema.load(copied)


def test_what_cannot_be_exported(exported_run, folder, tmp_path):
    with pytest.raises(UsageError, match="no format 'pickle'"):
        kinema.export(exported_run, tmp_path / "model", format="pickle")
    with pytest.raises(RunError, match="is not a run"):
        kinema.export(tmp_path, tmp_path / "model")
    with pytest.raises(RunError, match="trains no encoder of 'residual'"):
        kinema.export(exported_run, tmp_path / "model", view="residual")
    with pytest.raises(UsageError, match="sees 'rgb', not 'motion'"):
        kinema.export(kinema.load(exported_run), tmp_path / "model", view="motion")
    with pytest.raises(UsageError, match="holds no untrained encoder"):
        kinema.load(folder, untrained=True)
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    for name in ("recipe.json", "environment.json"):
        shutil.copy(exported_run / name, unfinished)
    with pytest.raises(RunError, match="has not finished a phase that trains 'rgb'"):
        kinema.export(unfinished, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("form", ["safetensors", "onnx", "program"])
def test_nothing_is_overwritten(exported_run, tmp_path, form):
    (tmp_path / "there").write_text("mine")
    (tmp_path / "empty").mkdir()
    for name in ("there", "empty"):
        with pytest.raises(StorageError, match="exists already; nothing was changed"):
            kinema.export(exported_run, tmp_path / name, format=form)
    assert (tmp_path / "there").read_text() == "mine"
    assert not list((tmp_path / "empty").iterdir())


def test_an_export_that_fails_leaves_nothing(exported_run, tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kinema.exporting.folder.write_text", full)
    with pytest.raises(StorageError, match="disk is full"):
        kinema.export(exported_run, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_export_can_be_measured(folder, tiny_manifest, tiny_cache, exported_run):
    ours = api.evaluate("retrieval", exported_run, tiny_manifest, cache=tiny_cache)[0]
    theirs = api.evaluate("retrieval", folder, tiny_manifest, cache=tiny_cache)[0]
    assert theirs.metrics == ours.metrics
    assert not (folder / "evaluations").exists()

"""Runs that hear: trained, loaded, measured and exported by the view 'sound', and what has no sound named."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from sounding import tone, write_sounding
from tiny_runs import tiny_plan

from kinema import api
from kinema.core.clips import SoundSpec
from kinema.core.errors import DataError, UsageError
from kinema.data.clips.config import ClipsConfig
from kinema.data.video.scanning import scan
from kinema.methods import CPRBankConfig, MoCoConfig
from kinema.recipes.json import phase_identity, recipe_from_plain, recipe_to_plain
from kinema.recipes.plan import Plan

SOUND = SoundSpec(rate=8000, seconds=0.4, bands=16, frames=20, shift=0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("sounding")
    for number in range(12):
        kind, hertz = ("low", 300) if number % 2 else ("high", 1800)
        write_sounding(root / kind / f"{number}.mkv", tone(hertz, 1.2, number), seed=number, motion=(number % 3, 1))
    write_sounding(root / "low" / "mute.mp4", None, seed=20)
    write_sounding(root / "high" / "silent.mkv", np.zeros(16000, dtype=np.float32), seed=21)
    return root


def plan(method="moco", epochs=1, **settings):
    return tiny_plan(method, method=settings, epochs=epochs, sound=SOUND)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """Both views from scratch, each against the other's bank: projections in one space."""
    out = tmp_path_factory.mktemp("runs") / "run"
    made = plan("cpr-bank", epochs=2, view="rgb", guide="sound", negatives=0, sizes=(3, 1))
    api.pretrain(made, folder, out, cache=out.parent / "cache", device="cpu", logger="none")
    return out


def test_what_cannot_be_heard_is_named_and_is_in_the_runs_files(run, folder):
    told = json.loads((run / "silent.json").read_text())
    assert told["reasons"] == {"high/silent.mkv": "its sound is silent", "low/mute.mp4": "it has no sound"}
    assert told["videos"] == 2
    assert json.loads((run / "environment.json").read_text())["videos"] == 12
    assert json.loads((run / "recipe.json").read_text())["data"]["sound"]["rate"] == 8000


def test_each_encoder_of_the_run_is_loaded_by_its_view(run, folder):
    seen, heard = api.load(run), api.load(run, view="sound")
    assert (seen.view, heard.view, heard.sound) == ("rgb", "sound", SOUND)
    paths = [folder / "low" / "1.mkv", folder / "high" / "2.mkv", folder / "low" / "3.mkv"]
    z = heard.encode(paths)
    assert z.shape == (3, heard.dim)
    assert z[0] @ z[2] > z[0] @ z[1], "two low tones are nearer than a low and a high one"
    with pytest.raises(DataError, match=r"1 of 2 videos cannot be heard: '.*mute\.mp4' \(it has no sound\)"):
        heard.encode([paths[0], folder / "low" / "mute.mp4"])
    with pytest.raises(UsageError, match="'sound' is read from a video file"):
        heard.encode(np.zeros((30, 32, 32, 3), dtype=np.uint8))


def test_retrieval_is_measured_on_what_is_heard(run, folder, caplog):
    shared = {"cache": run.parent / "cache", "device": "cpu"}
    with caplog.at_level(logging.WARNING):
        (retrieval,) = api.evaluate("retrieval", run, folder, view="sound", **shared)
    assert "2 of 14 videos cannot be heard" in caplog.text
    assert "'low/mute.mp4' (it has no sound)" in caplog.text
    assert (retrieval.view, retrieval.queries) == ("sound", 12)
    assert retrieval.details["silent"].keys() == {"low/mute.mp4", "high/silent.mkv"}
    assert retrieval.metrics["r@1"] == 1.0, "tones are told apart by any network"


@pytest.mark.slow
def test_views_are_compared_and_the_silent_count_for_those_that_hear_alone(run, folder):
    shared = {"cache": run.parent / "cache", "device": "cpu"}
    both = api.evaluate("cross-modal", run, folder, views=("rgb", "sound"), **shared)
    assert [each.view for each in both] == ["rgb to sound", "sound to rgb"]
    assert all(each.queries == 12 for each in both)
    (seen,) = api.evaluate("retrieval", run, folder, view="rgb", **shared)
    assert seen.queries == 14
    (about,) = api.evaluate("diagnostics", run, folder, view="sound", **shared)
    assert "still_r@1" not in about.metrics
    assert "neighbour_overlap" in about.metrics


@pytest.mark.slow
def test_the_other_protocols_take_it(run, folder):
    shared = {"view": "sound", "cache": run.parent / "cache", "device": "cpu"}
    for protocol in ("knn", "linear", "few-label"):
        assert api.evaluate(protocol, run, folder, **shared)[0].view == "sound"


@pytest.mark.parametrize("format", ["safetensors", "program", pytest.param("onnx", marks=pytest.mark.slow)])
def test_an_encoder_of_sound_is_exported(run, folder, tmp_path, format):
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    done = api.export(run, tmp_path / "out", format=format, view="sound")
    assert done.view == "sound"
    if format == "safetensors":
        model, path = api.load(tmp_path / "out"), folder / "low" / "1.mkv"
        assert model.sound == SOUND
        np.testing.assert_array_equal(model.encode(path), api.load(run, view="sound").encode(path))
        assert "16 bands by 20 frames" in (tmp_path / "out" / "README.md").read_text()
    elif format == "program":
        program = torch.export.load(tmp_path / "out").module()
        x = torch.randn(3, 1, 16, 20, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(program(x)[0], api.load(run, view="sound").tower.encoder(x), atol=1e-4, rtol=1e-3)


def test_a_single_view_of_sound_is_trained_and_resumed_alike(folder, tmp_path):
    made = plan("moco", view="sound", queue=4)
    one = api.pretrain(made, folder, tmp_path / "run", cache=tmp_path / "cache", device="cpu", logger="none")
    again = api.pretrain(made, folder, tmp_path / "again", cache=tmp_path / "cache", device="cpu", logger="none")
    assert one.loss == again.loss
    api.pretrain(made, folder, tmp_path / "run", resume=True, cache=tmp_path / "cache", device="cpu", logger="none")


def test_none_left_is_our_error(folder, tmp_path):
    few = scan(folder, workers=1)
    mute = replace(few, videos=tuple(v for v in few.videos if "mute" in v.path or "silent" in v.path))
    with pytest.raises(DataError, match="None of the 2 videos can be heard"):
        api.pretrain(plan("moco", view="sound"), mute, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_recipes_that_do_not_hear_are_told_as_before():
    recipe = Plan(MoCoConfig(queue=64), data=ClipsConfig(sound=SOUND)).recipe()
    plain = recipe_to_plain(recipe)
    assert "sound" not in plain["data"]
    assert "sound" not in plain["data"]["transform"]
    assert plain["encoder"].keys() == {"name", "width", "norm"}
    assert "sound" not in phase_identity(recipe, recipe.phases[0])
    for method in (MoCoConfig(view="sound", queue=64), CPRBankConfig(guide="sound")):
        hearing = Plan(method, data=ClipsConfig(sound=SOUND)).recipe()
        told = recipe_to_plain(hearing)
        assert told["data"]["sound"]["bands"] == 16
        assert told["data"]["transform"]["sound"].keys() == {"gain", "frames", "bands"}
        assert told["encoder"]["sound"] == "slim"
        assert recipe_from_plain(json.loads(json.dumps(told))) == hearing
        assert phase_identity(hearing, hearing.phases[0])["sound"] == told["data"]["sound"]


def test_elo_hears_through_its_other_modalities(folder, tmp_path):
    made = plan("elo", others=("sound",), weights={"rgb-sound.alignment": 1.0, "sound.order": 1.0}, rest=0.0)
    assert [needs.views for needs in made.recipe().needs] == [("rgb", "sound")]
    api.pretrain(made, folder, tmp_path / "run", cache=tmp_path / "cache", device="cpu", logger="none")
    assert json.loads((tmp_path / "run" / "silent.json").read_text())["videos"] == 2

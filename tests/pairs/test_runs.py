"""Runs on pairs: what they keep, what is loaded of them, and how they go on."""

import json
import signal

import numpy as np
import pytest
from made_pairs import picture, write_pairs
from signalled import signalled

import kinema
from kinema.core.codes import pack
from kinema.core.errors import DataError, KinemaError, RunError
from kinema.data.pairs.module import PairModule
from kinema.training.phase import InterruptedRunError

SMALL = {"batch_size": 8, "logger": "none", "device": "cpu", "held_out": 0.25, "height": 12, "width": 12}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_pairs(root / "set", each=3)
    kinema.pretrain("dcvh", root / "set", root / "run", epochs=1, cache=root / "cache", **SMALL)
    return root


def test_all_that_a_run_learnt_is_loaded(trained):
    model = kinema.load(trained / "run")
    assert (model.view, model.views, model.bits, model.name) == ("image", ("image", "text"), 32, "dcvh")
    table = model.config.open(trained / "set")
    learnt = table.select({"split": "train"})
    assert model.labels == tuple(sorted(label for label, count in learnt.counts().items() if count > 1))
    for view in model.views:
        found = model.features(table, view)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert model.tags(table, view).shape == (len(table), len(model.labels))
    text = kinema.load(trained / "run", view="text")
    asked = text.encode("a red square")
    np.testing.assert_allclose(asked, model.encode("a red square", view="text"), atol=1e-6)
    assert np.array_equal(pack(asked[None])[0], model.codes("a red square", view="text"))
    assert text.digest == model.digest != ""
    before = kinema.load(trained / "run", untrained=True)
    assert before.name == "random"
    assert not np.allclose(before.encode(picture()), model.encode(picture()))
    with pytest.raises(DataError, match="'zebra'"):
        model.encode("zebra", view="text")
    with pytest.raises(RunError, match="no encoder of 'sound'"):
        kinema.load(trained / "run", view="sound")


def test_a_run_goes_on_as_if_it_had_never_stopped(trained, monkeypatch):
    run = trained / "stopped"

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kinema.api.pretraining.train", stop)
        with pytest.raises(KeyboardInterrupt):
            kinema.pretrain("dcvh", trained / "set", run, epochs=1, cache=trained / "cache", **SMALL)
    kept = json.loads((run / "words.json").read_text())
    monkeypatch.setattr("kinema.data.pairs.texts.Vocabulary.learn", lambda *_: pytest.fail("words are learnt again"))
    kinema.pretrain("dcvh", trained / "set", run, resume=True, logger="none", device="cpu")
    assert json.loads((run / "words.json").read_text()) == kept
    one, two = (kinema.load(trained / name).encode(picture("blue")) for name in ("run", "stopped"))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_a_run_whose_epochs_are_one_batch_stops_when_it_is_told_to(trained, monkeypatch):
    few = {**SMALL, "batch_size": 64, "cache": trained / "cache"}
    kinema.pretrain("dcvh", trained / "set", trained / "whole", epochs=3, **few)
    look = PairModule.batch

    def told(*args, **more):
        signalled(signal.SIGINT)
        return look(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(PairModule, "batch", told)
        with pytest.raises(InterruptedRunError, match="Stopped after epoch 1 of 3"):
            kinema.pretrain("dcvh", trained / "set", trained / "told", epochs=3, **few)
    kinema.pretrain("dcvh", trained / "set", trained / "told", resume=True, logger="none", device="cpu")
    one, two = (kinema.load(trained / name).encode(picture("blue")) for name in ("whole", "told"))
    assert np.array_equal(one, two)


def test_one_view_alone_and_a_run_that_lost_its_words(trained):
    settings = {"method_settings": {"views": ("text",)}, "text": "words"}
    kinema.pretrain("dcvh", trained / "set", trained / "alone", epochs=1, **SMALL, **settings)
    model = kinema.load(trained / "alone")
    assert (model.view, model.views) == ("text", ("text",))
    assert model.encode(["a red square", "blue"]).shape == (2, 32)
    (trained / "alone" / "words.json").unlink()
    with pytest.raises(KinemaError, match=r"words\.json"):
        kinema.load(trained / "alone").encode("red")

"""``kinema features``: which clip or frame each feature is of, what is kept, what is refused, what is named."""

import json
import os

import av
import numpy as np
import pytest
import torch
from searching_tables import model_of
from torch import nn

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.core.lock import LOCK
from kinema.core.pairs import IMAGE
from kinema.data import scan
from kinema.data.clips.reader import Model
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.reader import PairReader
from kinema.segmenting.features import FeatureSettings, features_of, make_features


@pytest.fixture
def data(tmp_path, make_tiny_video):
    """A folder as of questions: three videos of .96 s, one in a folder, and one that is none."""
    for number, name in enumerate(("a.mp4", "b.mp4", "more/c.mp4")):
        make_tiny_video(tmp_path / "set/videos" / name, (2, 0), number)
    (tmp_path / "set/videos/broken.mp4").write_bytes(b"no video")
    (tmp_path / "set/questions.jsonl").write_text("")
    return tmp_path / "set"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder that kinema.load reads, as a run's is."""
    folder = tmp_path_factory.mktemp("encoder") / "run"
    kinema.export(model_of(), folder, licence="CC0")
    return folder


def test_the_command_writes_the_features_that_segment_sees_and_keeps_them(call, data, run, tmp_path):
    status, out, err = call("features", run, data, "--rate", "5", "--json")
    assert status == 0, err
    told = json.loads(out)
    assert (told["out"], told["made"], told["kept"]) == (str(data / "features"), 3, 0)
    assert told["failed"].keys() == {"broken.mp4"}
    assert "1 videos have no features:\n  broken.mp4: " in err
    about = json.loads((data / "features/features.json").read_text())
    assert about == told["about"]
    assert (about["frames_a_second"], about["run"], about["view"]) == (5.0, str(run), "rgb")
    make_features(model_of(), scan(data / "videos"), tmp_path / "other", FeatureSettings.of(model_of(), 5.0))
    for name in ("a", "b", "more/c"):
        found = np.load(data / f"features/{name}.npy")
        assert (found.shape, found.dtype) == ((5, about["dim"]), np.float32)  # of .96 s
        np.testing.assert_array_equal(found, np.load(features_of(tmp_path / "other", f"{name}.mp4")))
    before = (data / "features/a.npy").stat().st_mtime_ns
    (data / "features/b.npy").write_bytes(b"cut off")
    video = data / "videos/more/c.mp4"
    os.utime(video, ns=(2 * before, 2 * before))  # changed since
    for place in (data / "questions.jsonl", data / "videos"):
        status, out, _ = call("features", run, place, "--rate", "5", "--json")
        told = json.loads(out)
        assert (status, told["out"], told["made"] + told["kept"]) == (0, str(data / "features"), 3)
    assert (data / "features/a.npy").stat().st_mtime_ns == before
    assert np.load(data / "features/b.npy").shape == (5, about["dim"])
    assert sorted(path.name for path in (data / "features").rglob("*") if path.is_file()) == sorted(
        [LOCK, "a.npy", "b.npy", "c.npy", "features.json"]
    )


def test_features_of_another_encoder_or_rate_or_of_nobody_knows_what_are_not_mixed_with(call, data, run, tmp_path):
    kinema.features(model_of(), data, rate=5.0)
    held = (data / "features/a.npy").read_bytes()
    for changed, said in (
        ({"rate": 4.0}, "frames_a_second 5.0 instead of 4.0"),
        ({"run": model_of(seed=1)}, "weights "),
        ({"run": model_of("residual", seed=1)}, "view rgb instead of residual"),
    ):
        with pytest.raises(DataError, match=f"were made otherwise: .*{said}"):
            kinema.features(changed.pop("run", model_of()), data, **{"rate": 5.0, **changed})
    assert (data / "features/a.npy").read_bytes() == held
    (data / "features/features.json").unlink()
    status, out, _ = call("features", run, data, "--json")
    assert status != 0
    assert "no features.json that says how they were made" in json.loads(out)["error"]["message"]
    assert kinema.features(model_of(), data, out=tmp_path / "elsewhere").made == 3


def test_what_was_interrupted_goes_on(data, monkeypatch):
    encode, calls = Model.encode_clips, []

    def counted(self, raw, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(self, raw, **options)

    monkeypatch.setattr(Model, "encode_clips", counted)
    with pytest.raises(KeyboardInterrupt):
        kinema.features(model_of(), data)
    done = kinema.features(model_of(), data)
    assert (done.made, done.kept) == (2, 1)


class Colours(nn.Module):
    """The mean of a picture, in place of a trained encoder of pictures."""

    dim = bits = 3
    takes = ("pictures", 3)

    def embed(self, x):
        return torch.as_tensor(x).float().flatten(2).mean(2)


def test_an_encoder_of_pictures_sees_the_frame_at_each_moment(data, tmp_path):
    reader = PairReader(Colours(), IMAGE, PairsConfig(height=12, width=12), name="dcvh")
    done = kinema.features(reader, data, rate=8.0, out=tmp_path / "out")
    assert (done.about["view"], done.about["dim"], done.made) == ("image", 3, 3)
    found = np.load(tmp_path / "out/a.npy")
    assert found.shape == (8, 3)
    with av.open(str(data / "videos/a.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    each = reader.encode(frames)
    nearest = np.linalg.norm(found[:, None] - each, axis=-1).argmin(axis=1)
    seconds = (np.arange(8) + 0.5) / 8
    assert (np.abs(nearest / 25 - seconds.clip(max=23.5 / 25)) <= 0.5 / 25 + 1e-6).all()


def test_what_cannot_be_done_is_said(call, data, run, tmp_path, make_tiny_video):
    for given, said in ((("--rate", "0"), "rate is 0"), (("--batch_size", "0"), "batch_size is 0")):
        status, out, _ = call("features", run, data, *given, "--json")
        assert (status, said in json.loads(out)["error"]["message"]) == (2, True)
    words = PairReader(Colours(), "text", PairsConfig(), name="dcvh")
    with pytest.raises(UsageError, match="no encoder of clips or of pictures; it reads pairs"):
        kinema.features(words, data)
    (tmp_path / "none").mkdir()
    (tmp_path / "none/x.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match="None of the 1 videos can be read"):
        kinema.features(model_of(), tmp_path / "none")
    make_tiny_video(data / "videos/a.mkv", (2, 0), 0)
    with pytest.raises(DataError, match=r"'a.mkv' and 'a.mp4' have one name"):
        kinema.features(model_of(), data)

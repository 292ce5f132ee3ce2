"""From footage to steps: features of moments, segments, numbers, typical clips, and the verb."""

import csv
import json
from dataclasses import replace

import av
import numpy as np
import pytest
from searching_tables import CLIP, model_of

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.data import scan
from kinema.data.clips.reader import Model
from kinema.segmenting import features as made
from kinema.segmenting.features import FeatureSettings, Moments, features_of, make_features
from kinema.segmenting.segmentation import Segmentation
from kinema.segmenting.steps import Found, in_order, segments_of, steps_of

RATE, EPOCHS = 5.0, 14


def write_steps(path, seed, lengths, rate=25):
    """Three steps: pictures of one colour each, with some noise; the lengths are frames of each."""
    draw = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"g": "10"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for colour, frames in zip(((230, 30, 30), (30, 230, 30), (30, 30, 230)), lengths, strict=True):
            for _ in range(frames):
                picture = np.clip(np.array(colour) + draw.normal(0, 12, (32, 32, 3)), 0, 255).astype(np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return [name for name, frames in zip(("red", "green", "blue"), lengths, strict=True) for _ in range(frames)]


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """Four videos of three steps, with labels of their frames."""
    root = tmp_path_factory.mktemp("footage")
    (root / "labels").mkdir()
    for number, lengths in enumerate(((40, 30, 50), (50, 35, 30), (30, 50, 45), (45, 40, 35))):
        lines = write_steps(root / f"videos/v{number}.mp4", number, lengths)
        (root / f"labels/v{number}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder that kinema.load reads, as a run's is."""
    folder = tmp_path_factory.mktemp("encoder") / "run"
    kinema.export(model_of(), folder, licence="CC0")
    return folder


@pytest.fixture(scope="module")
def segmented(footage, run):
    """The footage in steps, measured."""
    return kinema.segment(run, footage / "videos", steps=3, rate=RATE, labels=footage / "labels", epochs=EPOCHS)


def test_moments_cover_the_video_and_their_clips_lie_in_it():
    moments = Moments(4.0, 10.1)
    assert len(moments) == 41
    assert (moments.start(0), moments.start(40), moments.start(41)) == (0.0, 10.0, 10.1)
    assert len(Moments(4.0, 10.0)) == 40
    assert len(Moments(4.0, 0.01)) == 1
    from kinema.data.video.timeline import Timeline

    clips = Moments(2.0, 4.0).clips(Timeline(25.0, 100), 8)
    assert clips.tolist() == [2, 15, 27, 40, 52, 65, 77, 90]
    assert Moments(2.0, 4.0).clips(Timeline(25.0, 6), 8).max() == 0  # shorter than a clip
    held = Timeline(25.0, 10, tuple(float(n) for n in range(10)))  # a frame a second, whatever the rate says
    assert Moments(1.0, 10.0).clips(held, 1).tolist() == list(range(10))


def test_features_are_those_of_the_clips_around_each_moment(footage, tmp_path):
    model, manifest = model_of(), scan(footage / "videos")
    settings = FeatureSettings.of(model, RATE)
    moments, left_out = make_features(model, manifest, tmp_path, settings)
    assert not left_out
    found = np.load(features_of(tmp_path, "v0.mp4"))
    assert found.shape == (len(moments["v0.mp4"]), model.dim)
    assert found.dtype == np.float32
    frames = next(iter(_frames(footage / "videos/v0.mp4")))
    start = int((7 + 0.5) / RATE * 25 + 0.5) - CLIP.span // 2
    off = [np.abs(model.encode(frames[start + by :][: CLIP.span]) - _unit(found[7])).max() for by in range(-3, 4)]
    assert int(np.argmin(off)) == 3  # pictures of an array are scaled in another way, so the values are not equal
    assert off[3] < 0.01


def _frames(path):
    with av.open(str(path)) as container:
        yield np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _unit(vector):
    return vector / np.linalg.norm(vector)


def test_encoding_goes_on_where_it_was_interrupted(footage, tmp_path, monkeypatch):
    model, manifest = model_of(), scan(footage / "videos")
    settings = FeatureSettings.of(model, RATE)
    make_features(model, manifest, tmp_path / "whole", settings)
    monkeypatch.setattr(made, "PART", 7)
    calls = []
    encode = Model.encode_clips

    def counted(self, raw, **options):
        calls.append(raw.frames.shape[1])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(self, raw, **options)

    monkeypatch.setattr(Model, "encode_clips", counted)
    with pytest.raises(KeyboardInterrupt):
        make_features(model, manifest, tmp_path / "parts", settings)
    before, told = sum(calls[:2]), []
    make_features(model, manifest, tmp_path / "parts", settings, progress=lambda done, of: told.append((done, of)))
    total = sum(len(np.load(features_of(tmp_path / "whole", f"v{n}.mp4"))) for n in range(4))
    assert sum(calls[3:]) + before <= total  # nothing was encoded twice; moments that share a clip are encoded once
    assert told[-1] == (total, total)
    assert not list((tmp_path / "parts/parts").iterdir())
    for number in range(4):
        ours, theirs = (np.load(features_of(tmp_path / name, f"v{number}.mp4")) for name in ("parts", "whole"))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    calls[3:] = []
    make_features(model, manifest, tmp_path / "parts", settings)
    assert calls[3:] == []
    changed = replace(manifest, videos=(replace(manifest.videos[0], mtime_ns=1), *manifest.videos[1:]))
    make_features(model, changed, tmp_path / "parts", settings)
    assert sum(calls[3:]) == len(np.unique(_starts(manifest, settings)))


def _starts(manifest, settings):
    from kinema.data.video.timeline import Timeline

    line = Timeline.of(manifest.file(0), manifest.videos[0])
    return Moments(settings.rate, line.duration).clips(line, CLIP.span)


def test_what_cannot_be_encoded_is_left_out_and_named(footage, tmp_path, caplog):
    (tmp_path / "videos").mkdir()
    for name in ("v0", "v1"):
        (tmp_path / f"videos/{name}.mp4").write_bytes((footage / f"videos/{name}.mp4").read_bytes())
    (tmp_path / "videos/broken.mp4").write_bytes(b"not a video at all" * 40)
    settings = FeatureSettings.of(model_of(), RATE)
    moments, left_out = make_features(model_of(), scan(tmp_path / "videos"), tmp_path / "work", settings)
    assert set(moments) == {"v0.mp4", "v1.mp4"}
    assert list(left_out) == ["broken.mp4"]
    for name in ("v0", "v1"):
        (tmp_path / f"videos/{name}.mp4").unlink()
    with pytest.raises(DataError, match=r"None of the 1 videos can be segmented: 'broken\.mp4'"):
        make_features(model_of(), scan(tmp_path / "videos"), tmp_path / "other", settings)


def test_settings_of_features_are_checked_and_named():
    assert FeatureSettings.of(model_of(), 4.0).key == FeatureSettings.of(model_of(), 4.0).key
    assert FeatureSettings.of(model_of(), 4.0).key != FeatureSettings.of(model_of(), 2.0).key
    assert FeatureSettings.of(model_of(), 4.0).key != FeatureSettings.of(model_of(seed=1), 4.0).key
    for rate in (0.0, -1.0, 100.0, float("nan")):
        with pytest.raises(UsageError, match="moments a second"):
            FeatureSettings.of(model_of(), rate)


def test_segments_numbers_and_typical_clips():
    draw = np.random.default_rng(0)
    steps = np.array([2] * 8 + [-1] * 2 + [0] * 6 + [2] * 4)
    z = draw.normal(0, 0.05, (20, 4)).astype(np.float32)
    z[np.arange(20), np.maximum(steps, 0)] += 1
    z[3, 2], z[3, :2] = 1.0, 0.0
    found = [
        Found("a.mp4", Moments(4.0, 4.9), steps, z),
        Found("b.mp4", Moments(4.0, 5.0), np.full(20, 0), z * 0 + z[12]),
    ]
    numbers = in_order(found, 3)
    assert numbers == {2: 1, 0: 2}  # cluster 1 has no moment
    video = segments_of(found[0], numbers)
    told = [(each.start, each.end, each.step) for each in video.segments]
    assert told == [(0.0, 2.0, 1), (2.5, 4.0, 2), (4.0, 4.9, 1)]
    first, second = steps_of(found, numbers)
    assert (first.number, first.seconds, second.seconds) == (1, 2.9, 6.5)
    assert {clip.video for clip in second.typical} == {"a.mp4", "b.mp4"}
    assert all(0 <= clip.start < clip.end and 0 < clip.share <= 1 for clip in (*first.typical, *second.typical))


def test_footage_becomes_steps_in_order(segmented, footage):
    made = segmented.segmentation
    assert [video.path for video in made.videos] == [f"v{n}.mp4" for n in range(4)]
    for video in made.videos:
        assert video.segments[0].start == 0
        assert video.segments[-1].end == video.duration
        assert [each.step for each in video.segments] == [1, 2, 3]
    metrics = segmented.results[0].metrics
    assert {"mof", "f1", "edit", "f1@10", "f1@25", "f1@50", "miou", "uniform_mof", "kmeans_mof"} <= set(metrics)
    assert metrics["mof"] > 0.85
    assert metrics["edit"] == 1.0
    again = kinema.segment(
        segmented.path.parents[1], footage / "videos", steps=3, rate=RATE, labels=footage / "labels", epochs=EPOCHS
    )
    assert again.segmentation == made
    assert again.model == segmented.model


def test_steps_are_named_and_written(segmented, footage, run, tmp_path, call):
    status, out, _ = call("segment", run, "--name", "2=tighten the screw", "-o", tmp_path / "s.csv", "--json")
    assert status == 0
    told = json.loads(out)
    assert [step["name"] for step in told["steps"]] == ["", "tighten the screw", ""]
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert len(rows) == 12
    assert {row["name"] for row in rows if row["step"] == "2"} == {"tighten the screw"}
    again = kinema.segment(run, footage / "videos", steps=3, rate=RATE, epochs=EPOCHS)
    assert again.segmentation.titles[2] == "tighten the screw"  # equal segments keep their names
    other = kinema.segment(run, footage / "videos", steps=2, order="varied", rate=RATE, epochs=2)
    assert not any(step.name for step in other.segmentation.steps)
    kept = list(segmented.path.parent.glob("segments-*.json"))
    assert len(kept) == 1
    assert Segmentation.read(kept[0]).titles[2] == "tighten the screw"  # and nothing is lost


def test_a_stopped_learning_goes_on_by_the_same_call(footage, run, tmp_path, monkeypatch):
    from kinema.api import segmenting
    from kinema.training.phase import InterruptedRunError

    settings = {"steps": 2, "rate": RATE, "epochs": 1}
    whole = kinema.segment(run, footage / "videos", work=tmp_path / "whole", **settings)
    pretrain = segmenting.pretrain

    def stopped(method, data, out, **options):
        pretrain(method, data, out, **options)
        folder = segmenting.RunFolder.open(out)
        folder.update_status(state="interrupted")
        raise InterruptedRunError("Stopped in epoch 1.", "Run the same command with --resume.")

    monkeypatch.setattr(segmenting, "pretrain", stopped)
    with pytest.raises(InterruptedRunError) as caught:
        kinema.segment(run, footage / "videos", work=tmp_path / "work", **settings)
    assert caught.value.hint == "Run the same command again: it goes on where this one stopped."
    assert not (tmp_path / "work/segments.json").exists()
    monkeypatch.setattr(segmenting, "pretrain", pretrain)
    found = kinema.segment(run, footage / "videos", work=tmp_path / "work", **settings)
    assert found.segmentation.videos == whole.segmentation.videos


def test_labels_are_those_of_the_same_path(footage, run, tmp_path):
    videos, labels = tmp_path / "videos", tmp_path / "labels"
    for day, number in (("day1", 0), ("day2", 1)):
        for folder, name in ((videos, f"videos/v{number}.mp4"), (labels, f"labels/v{number}.txt")):
            (folder / day).mkdir(parents=True)
            (folder / day / f"a{(footage / name).suffix}").write_bytes((footage / name).read_bytes())
    settings = {"steps": 3, "rate": RATE, "epochs": 1, "work": tmp_path / "work"}
    found = kinema.segment(run, videos, labels=labels, **settings)
    assert found.results[0].queries == 2
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "a.txt").write_bytes((footage / "labels/v0.txt").read_bytes())
    with pytest.raises(DataError, match=r"2 of 2 videos have no labels") as caught:  # whose a.txt would it be?
        kinema.segment(run, videos, labels=flat, **settings)
    assert "day1/a.txt" in caught.value.hint


def test_a_damaged_file_of_segments_stops_no_later_run(footage, run, tmp_path, caplog):
    work = tmp_path / "work"
    work.mkdir()
    (work / "segments.json").write_text("{ damaged")
    found = kinema.segment(run, footage / "videos", steps=2, rate=RATE, epochs=1, work=work)
    assert Segmentation.read(work / "segments.json") == found.segmentation
    assert [file.read_text() for file in work.glob("segments-damaged-*.json")] == ["{ damaged"]
    assert "put aside" in caplog.text


def test_one_video_is_enough(footage, run, tmp_path):
    found = kinema.segment(run, footage / "videos/v0.mp4", steps=2, rate=RATE, epochs=1, work=tmp_path / "work")
    assert [video.path for video in found.segmentation.videos] == ["v0.mp4"]
    assert (tmp_path / "work/segments.json").is_file()


def test_requests_that_cannot_be_are_refused(footage, run, tmp_path, call):
    videos, work = footage / "videos", tmp_path / "work"
    for changes, words in (
        ({}, "how many steps"),
        ({"steps": 0}, "how many steps"),
        ({"steps": 3, "order": "sideways"}, "no order 'sideways'"),
        ({"steps": 3, "order": "varied", "background": 0.2}, "order 'fixed' only"),
        ({"steps": 3, "out": "segments.docx"}, "does not end like a file of segments"),
        ({"steps": 3, "rate": 1000.0}, "moments a second"),
        ({"steps": 3, "names": {4: "x"}}, "no step 4 among 3"),
    ):
        with pytest.raises(UsageError, match=words):
            kinema.segment(run, videos, work=work, **changes)
    with pytest.raises(UsageError, match="Steps can only be found in videos"):
        kinema.segment(run, steps=3, work=work)
    with pytest.raises(DataError, match="There are no segments"):
        kinema.segment(run, names={1: "x"}, work=work)
    with pytest.raises(DataError, match=r"200 steps .* longest video has 25 frames"):
        kinema.segment(run, videos, steps=200, rate=RATE, work=work)
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"4 of 4 videos have no labels .*v0\.mp4"):
        kinema.segment(run, videos, steps=3, rate=RATE, labels=tmp_path / "labels", work=tmp_path / "unused")
    assert not (tmp_path / "unused").exists()  # before anything is encoded
    status, out, err = call("segment", run, videos, "--json")
    assert status == 2
    assert json.loads(out)["error"]["kind"] == "usage"
    assert "--steps 7" in err

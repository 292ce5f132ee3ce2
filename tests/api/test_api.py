"""The Python face: load, encode, evaluate, on a run of tiny videos."""

import subprocess
import sys
from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_plan

import kinema
from kinema import api
from kinema.core.errors import CheckpointError, ConfigError, DataError, RunError, ShapeError, UsageError
from kinema.protocols.parts import split_parts
from kinema.recipes.changes import changed
from kinema.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "run"
    api.pretrain(tiny_plan("cpr"), tiny_manifest, folder, cache=tiny_cache, device="cpu")
    return folder


@pytest.fixture(scope="module")
def files(tiny_manifest):
    return [tiny_manifest.file(row) for row in range(len(tiny_manifest))]


def frames_of(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_import_is_lazy_and_complete():
    code = "import sys, kinema; assert kinema.__all__; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert all(getattr(kinema, name) is not None for name in kinema.__all__)
    with pytest.raises(AttributeError, match="no attribute 'pretrian'"):
        kinema.pretrian  # noqa: B018


def test_load_gives_the_trained_tower_and_the_guide(run):
    model = api.load(run)
    assert (model.view, model.name, model.dim, model.clip) == ("rgb", "cpr", 32, tiny_plan().data.clip)
    assert not model.tower.training
    assert not any(p.requires_grad for p in model.tower.parameters())
    guide = api.load(run, view="motion")
    assert (guide.view, guide.name, guide.tower.encoder.channels) == ("motion", "infonce", 2)
    random = api.load(run, untrained=True)
    assert random.name == "random"
    assert not torch.equal(model.tower.encoder.stem[0].weight, random.tower.encoder.stem[0].weight)
    again = api.load(run, untrained=True)
    assert torch.equal(again.tower.encoder.stem[0].weight, random.tower.encoder.stem[0].weight)


def test_what_cannot_be_loaded(run, tmp_path):
    with pytest.raises(RunError, match="trains no encoder of 'residual'; it trains: motion, rgb"):
        api.load(run, view="residual")
    with pytest.raises(RunError, match="is not a run"):
        api.load(tmp_path)
    (tmp_path / "recipe.json").write_bytes((run / "recipe.json").read_bytes())
    (tmp_path / "environment.json").write_bytes((run / "environment.json").read_bytes())
    with pytest.raises(RunError, match="has not finished a phase that trains 'rgb'"):
        api.load(tmp_path)
    phase = tmp_path / "phases/03-cpr-rgb"
    phase.mkdir(parents=True)
    (phase / "tower-rgb.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="cannot be read"):
        api.load(tmp_path)


def test_encode_files_in_the_order_given(run, files):
    model = api.load(run)
    z = model.encode(files[:3])
    assert z.shape == (3, 32)
    assert z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    turned = model.encode([files[2], files[0], files[2]])
    np.testing.assert_allclose(turned, z[[2, 0, 2]], atol=1e-5)
    np.testing.assert_allclose(model.encode(files[:3], batch_size=1), z, atol=1e-5)
    assert np.abs(z[0] - z[1]).max() > 1e-4
    assert model.encode([]).shape == (0, 32)


def test_encode_arrays(run, files, caplog):
    model = api.load(run)
    videos = [frames_of(path) for path in files[:2]]
    z = model.encode(videos)
    assert z.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert (z * model.encode(files[:2])).sum(axis=1).min() > 0.9
    for bad in (videos[0].astype(np.float32), videos[0][:0], videos[0][..., :2]):
        with pytest.raises(ShapeError, match=r"Video 0 is .*; expected uint8"):
            model.encode([bad])
    held = np.concatenate([videos[0][:3], videos[0][2:3], videos[0][2:3]])
    np.testing.assert_allclose(model.encode(videos[0][:3]), model.encode(held), atol=1e-5)
    assert "1 of 1 video is shorter than a clip, which spans 5 frames" in caplog.text
    with pytest.raises(UsageError, match="'motion' is read from a video file"):
        api.load(run, view="motion").encode(videos)


def test_encode_takes_tensors_and_pictures(run, files):
    model = api.load(run)
    video = frames_of(files[0])
    np.testing.assert_allclose(model.encode(torch.from_numpy(video.copy())), model.encode(video), atol=1e-6)
    picture = Image.fromarray(video[0])
    held = np.repeat(video[:1], model.clip.span, axis=0)
    np.testing.assert_allclose(model.encode(picture), model.encode(held), atol=1e-6)
    z = model.encode([picture, Image.fromarray(video[-1])])
    assert z.shape == (2, 32)
    assert model.similarity(z, z).shape == (2, 2)
    np.testing.assert_allclose(np.diag(model.similarity(z, z)), 1, atol=1e-5)


def test_encode_takes_one_or_any_iterable(run, files):
    model = api.load(run)
    z = model.encode(files[:3])
    one = model.encode(files[1])
    assert one.shape == (32,)
    np.testing.assert_allclose(one, z[1], atol=1e-5)
    np.testing.assert_allclose(model.encode(str(files[1])), z[1], atol=1e-5)
    for several in (tuple(files[:3]), (str(path) for path in files[:3]), np.array([str(path) for path in files[:3]])):
        np.testing.assert_allclose(model.encode(several), z, atol=1e-5)
    videos = [frames_of(path) for path in files[:2]]
    stacked = model.encode(np.stack(videos))
    assert stacked.shape == (2, 32)
    np.testing.assert_allclose(stacked, model.encode(iter(videos)), atol=1e-6)
    np.testing.assert_allclose(model.encode(videos[1]), stacked[1], atol=1e-6)
    assert model.encode(iter([])).shape == (0, 32)


def test_encode_leaves_the_length_alone_where_asked(run, files):
    model = api.load(run)
    raw, unit = model.encode(files[:3], normalize=False), model.encode(files[:3])
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.abs(lengths - 1).max() > 1e-2
    np.testing.assert_allclose(raw / lengths, unit, atol=1e-5)


def test_encode_tells_how_far_it_is(run, files, capfd, monkeypatch):
    model, told = api.load(run), []
    model.encode(files[:3], batch_size=1, progress=lambda done, total: told.append((done, total)))
    assert (told[0], told[-1]) == ((1, 3), (3, 3))
    model.encode(files[:3], progress=False)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    model.encode(files[:3], batch_size=1, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "encoding" in err


def test_encode_says_what_it_cannot_take(run, files):
    model = api.load(run)
    with pytest.raises(UsageError, match="Video 1 is of type dict") as caught:
        model.encode([frames_of(files[0]), {"a": 1}])
    assert "PIL images" in caught.value.hint
    for bad in (3, None, {"a": files[0]}):
        with pytest.raises(UsageError, match="Videos are given as"):
            model.encode(bad)
    with pytest.raises(UsageError, match="batch_size is 0"):
        model.encode(files[:1], batch_size=0)
    with pytest.raises(ShapeError, match=r"Video 0 is float64 \(24, 32, 32, 3\)"):
        model.encode(np.zeros((24, 32, 32, 3)))
    with pytest.raises(DataError, match=r"nowhere\.mp4"):
        model.encode(files[0].with_name("nowhere.mp4"))


def test_encode_names_what_cannot_be_read(run, files, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"1 of 2 videos cannot be read: '.*broken\.mp4'"):
        api.load(run).encode([files[0], tmp_path / "broken.mp4"])


def test_retrieval_is_kept_in_the_run(run, tiny_manifest, tiny_cache):
    result = api.evaluate("retrieval", run, tiny_manifest, cache=tiny_cache)[0]
    assert (result.protocol, result.encoder, result.view, result.queries) == ("retrieval", "cpr", "rgb", 12)
    assert result.digest == tiny_manifest.digest
    assert 0 <= result.metrics["r@1"] <= result.metrics["r@5"] <= 1
    assert set(result.details["per_class"]) == {"right", "left", "down"}
    assert result.details["chance"] == pytest.approx(3 / 11)
    hits = result.details["neighbours"][0]
    assert hits["query"] not in [hit["path"] for hit in hits["hits"]]
    kept = list(RunFolder.open(run).results())
    own = [(k.protocol, k.metrics) for k in kept if (k.encoder, k.view) == ("cpr", "rgb")]
    assert own == [("retrieval", dict(result.metrics))]
    loaded = api.evaluate("retrieval", api.load(run), tiny_manifest, cache=tiny_cache)[0]
    assert loaded.metrics == result.metrics


def test_mining_is_measured_with_the_runs_cascade(run, tiny_manifest, tiny_cache):
    result = api.evaluate("mining", run, tiny_manifest, cache=tiny_cache)[0]
    assert result.details["guide"] == "motion"
    assert result.details["sizes"][-1] == 2
    assert len(result.details["sizes"]) == 3
    assert all(isinstance(value, float) for value in result.metrics.values())
    assert set(result.details["per_class"]) == {"right", "left", "down"}
    assert len(result.details["per_epoch"]) == 2


def test_what_cannot_be_evaluated(run, tiny_manifest, tiny_cache):
    with pytest.raises(UsageError, match="no protocol 'probing'"):
        api.evaluate("probing", run, tiny_manifest)
    unlabelled = replace(tiny_manifest, videos=tuple(replace(v, label=None) for v in tiny_manifest.videos))
    for protocol in ("retrieval", "mining"):
        with pytest.raises(DataError, match="label"):
            api.evaluate(protocol, run, unlabelled, cache=tiny_cache)
    few = replace(tiny_manifest, videos=tiny_manifest.videos[:2])
    with pytest.raises(ConfigError, match="2 positives cannot be mined among 2 videos"):
        api.evaluate("mining", run, few, cache=tiny_cache)


def test_settings_by_name(tiny_manifest, tmp_path):
    plan = changed(tiny_plan("cpr"), {"epochs": 9, "clip": {"frames": 6}, "method_settings": {"k": 1}})
    assert (plan.epochs, plan.data.clip.frames, plan.data.clip.size, plan.method.k) == (9, 6, 16, 1)
    with pytest.raises(UsageError, match="no setting 'epoch'") as caught:
        changed(plan, {"epoch": 9})
    assert "epochs" in caught.value.hint
    with pytest.raises(UsageError, match="ClipSpec has no setting 'frame'"):
        changed(plan, {"clip": {"frame": 6}})
    with pytest.raises(UsageError, match="no method 'mocco'"):
        api.pretrain("mocco", tiny_manifest, tmp_path / "run")
    with pytest.raises(UsageError, match="used as it is; epochs"):
        api.pretrain(tiny_plan("moco").recipe(), tiny_manifest, tmp_path / "run", epochs=3)


def test_who_asks_and_who_is_ranked(tiny_manifest):
    parts, ranked = split_parts(tiny_manifest, None, None)
    assert list(parts) == ["all"]
    assert len(parts["all"]) == len(ranked) == 12
    split = replace(
        tiny_manifest,
        videos=tuple(
            replace(v, split="test" if i % 3 == 0 else "train", attributes={"part": ("matched", "swapped")[i % 2]})
            for i, v in enumerate(tiny_manifest.videos)
        ),
    )
    parts, ranked = split_parts(split, None, None)
    assert list(parts) == ["part=matched", "part=swapped"]
    assert [len(part) for part in parts.values()] == [2, 2]
    assert {v.split for v in ranked.videos} == {"train"}
    assert len(api.training_videos(split, None)) == 8
    assert len(api.training_videos(split, {"part": "matched"})) == 6
    parts, ranked = split_parts(split, {"label": "left"}, {"label": "left"})
    assert [(name, len(part), len(ranked)) for name, part in parts.items()] == [("label=left", 4, 4)]

"""Encoders of one run side by side, as the view 'rgb+motion': what they give, what measures them, what is refused."""

import shutil

import av
import numpy as np
import pytest
import torch
from tiny_runs import tiny_plan

from kinema import api
from kinema.core.errors import DataError, RunError, ShapeError, UsageError
from kinema.core.ops import unit_parts
from kinema.data import ClipStore
from kinema.data.clips.joined import JoinedModel
from kinema.evaluation import retrieve


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "run"
    api.pretrain(tiny_plan("cpr"), tiny_manifest, folder, cache=tiny_cache, device="cpu")
    return folder


@pytest.fixture(scope="module")
def measured(run, tiny_manifest, tiny_cache):
    """What retrieval gives without a view being named: RGB, then both."""
    return api.evaluate("retrieval", run, tiny_manifest, cache=tiny_cache, device="cpu")


def test_an_embedding_is_both_side_by_side_and_its_cosine_the_mean_of_theirs(run, tiny_manifest):
    files = [tiny_manifest.file(row) for row in range(5)]
    both, rgb, motion = (api.load(run, view=view) for view in ("rgb+motion", "rgb", "motion"))
    assert (both.view, both.name, both.dim, both.parts) == ("rgb+motion", "cpr", 64, (32, 32))
    assert (both.run, both.seed, both.clip, both.run_digest) == (rgb.run, rgb.seed, rgb.clip, rgb.run_digest)
    assert both.sound_spec is None
    z, a, b = (model.encode(files, device="cpu") for model in (both, rgb, motion))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(z, np.concatenate([a, b], axis=1) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(z @ z.T, (a @ a.T + b @ b.T) / 2, atol=1e-6)
    turned = api.load(run, view="motion+rgb").encode(files[0], device="cpu")
    np.testing.assert_array_equal(turned, np.roll(z[0], 32))
    plain = both.encode(files, device="cpu", normalize=False)
    np.testing.assert_array_equal(plain[:, :32], rgb.encode(files, device="cpu", normalize=False))
    assert api.load(run, view="rgb+motion", untrained=True).name == "random"


def test_a_store_is_read_once_for_both(run, tiny_manifest, tiny_cache):
    both = api.load(run, view="rgb+motion")
    store = ClipStore(tiny_manifest, both.clip, motion=True, cache=tiny_cache)
    found = both.features(store, device="cpu", batch_size=5)
    for own, view in zip(both.apart(found), both.views, strict=True):
        alone = api.load(run, view=view).features(store, device="cpu", batch_size=5)
        assert torch.equal(own.encoded, alone.encoded)
        torch.testing.assert_close(own.projected, alone.projected)
    torch.testing.assert_close(found.projected.norm(dim=1), torch.ones(len(tiny_manifest)))


def test_what_is_no_pair_of_views(run, tiny_manifest):
    for view in ("rgb+rgb", "rgb+", "+motion"):
        with pytest.raises(UsageError, match="Name each once, with a plus between them"):
            api.load(run, view=view)
    with pytest.raises(RunError, match="trains no encoder of 'residual'; it trains: motion, rgb"):
        api.load(run, view="rgb+residual")
    with pytest.raises(UsageError, match="is the only one"):
        JoinedModel([api.load(run)])
    with pytest.raises(UsageError, match="'motion' is read from a video file; arrays have none"):
        api.load(run, view="rgb+motion").encode(np.zeros((40, 8, 8, 3), np.uint8))


def test_retrieval_measures_both_by_default_and_ranks_by_the_sum_of_the_scores(
    run, measured, tiny_manifest, tiny_cache
):
    assert [(each.encoder, each.view) for each in measured] == [("cpr", "rgb"), ("cpr", "rgb+motion")]
    alone = [
        api.evaluate("retrieval", run, tiny_manifest, view=view, cache=tiny_cache, device="cpu")
        for view in ("rgb", "rgb+motion")
    ]
    assert [each[0].metrics for each in alone] == [each.metrics for each in measured]
    assert [len(each) for each in alone] == [1, 1]
    features = []
    for view in ("rgb", "motion"):
        model = api.load(run, view=view)
        store = ClipStore(tiny_manifest, model.clip, motion=True, cache=tiny_cache)
        x = model.features(store, device="cpu").encoded.double()
        features.append(torch.nn.functional.normalize(x - x.mean(0), dim=1))
    scores = sum(x @ x.T for x in features)
    sources = torch.tensor(tiny_manifest.source_ids())
    nearest = scores.masked_fill(sources[:, None] == sources, -9).argmax(1)
    labels = np.array([video.label for video in tiny_manifest.videos])
    assert measured[1].metrics["r@1"] == pytest.approx((labels[nearest] == labels).mean())


def test_a_part_is_centred_and_scaled_by_itself():
    """A second encoder whose features are large, and all nearly the same, must not outvote the first."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 4
    first = torch.nn.functional.one_hot(labels, 4) + 0.05 * torch.randn(40, 4, generator=draw)
    second = 1000 + 30 * torch.randn(40, 6, generator=draw)
    both = torch.cat([first, second], dim=1)
    right = retrieve(both, both, labels, labels, parts=(4, 6), query_sources=range(40), gallery_sources=range(40))
    drowned = retrieve(both, both, labels, labels, query_sources=range(40), gallery_sources=range(40))
    assert drowned.metrics["r@1"] < 0.5 < 0.8 < right.metrics["r@1"]
    with pytest.raises(ShapeError, match="4 and 7 dimensions"):
        retrieve(both, both, labels, labels, parts=(4, 7))
    unit = unit_parts(both, (4, 6))
    torch.testing.assert_close(unit[:, :4].norm(dim=1), torch.full((40,), 0.5**0.5))


@pytest.mark.parametrize("protocol", ["knn", "linear", "few-label", "diagnostics"])
def test_what_takes_embeddings_takes_both(protocol, run, tiny_manifest, tiny_cache):
    where = {} if protocol == "diagnostics" else {"shares": [0.5]} if protocol == "few-label" else {}
    results = api.evaluate(protocol, run, tiny_manifest, view="rgb+motion", cache=tiny_cache, device="cpu", **where)
    assert {(each.encoder, each.view) for each in results} == {("cpr", "rgb+motion")}


def test_what_takes_one_encoder_says_so(run, tiny_manifest, tiny_cache):
    for protocol in ("finetune", "mining"):
        with pytest.raises(UsageError, match=rf"{protocol} takes one encoder, and 'rgb\+motion' are 2 side by side"):
            api.evaluate(protocol, run, tiny_manifest, view="rgb+motion")
    with pytest.raises(UsageError, match="end-to-end' takes one encoder"):
        api.evaluate("linear", run, tiny_manifest, preset="end-to-end", view="rgb+motion")
    with pytest.raises(UsageError, match=r"compares one view with another; 'rgb\+motion' are several"):
        api.evaluate("cross-modal", run, tiny_manifest, views=["rgb+motion", "rgb"])


def test_videos_without_motion_vectors_are_measured_by_what_is_seen(run, tiny_folder, tmp_path, caplog):
    """Where nobody named a view; 'rgb+motion' by name is refused as 'motion' is."""
    folder = tmp_path / "videos"
    shutil.copytree(tiny_folder, folder)
    with av.open(str(tiny_folder / "left/left0.mp4")) as source, av.open(str(folder / "left/other.mkv"), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        for frame in source.decode(video=0):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        out.mux(stream.encode(None))
    results = api.evaluate("retrieval", run, folder, cache=tmp_path / "cache", device="cpu")
    assert [each.view for each in results] == ["rgb"]
    assert "Not measured: rgb+motion. Some of the videos have no motion vectors" in caplog.text
    with pytest.raises(DataError, match=r"'left/other\.mkv' is mjpeg"):
        api.evaluate("retrieval", run, folder, view="rgb+motion", cache=tmp_path / "cache", device="cpu")

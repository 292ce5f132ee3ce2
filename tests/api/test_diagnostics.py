"""Diagnostics of a run: on videos that nobody labelled, and what they are made of."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import tiny_plan

from kinema import api, cli
from kinema.core.errors import DataError
from kinema.core.ops import effective_rank
from kinema.data import ClipDataset, ClipRequest, ClipStore
from kinema.protocols.diagnostics import selected_videos
from kinema.training.run_folder import RunFolder

FIGURES = {"rankme", "rankme_projected", "alignment", "alignment_projected", "uniformity", "uniformity_projected"}
FIGURES |= {"still_reliance", "still_r@1"}


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("selected_videos") / "run"
    api.pretrain(tiny_plan("cpr"), tiny_manifest, folder, cache=tiny_cache, device="cpu")
    return folder


@pytest.fixture(scope="module")
def unlabelled(tiny_manifest):
    return replace(tiny_manifest, videos=tuple(replace(v, label=None) for v in tiny_manifest.videos))


def test_they_need_no_labels_and_are_kept(run, unlabelled, tiny_cache):
    (result,) = api.evaluate("diagnostics", run, unlabelled, cache=tiny_cache, device="cpu")
    assert set(result.metrics) == FIGURES | {"neighbour_overlap"}
    assert (result.protocol, result.preset, result.encoder, result.view) == ("diagnostics", "k10-t2", "cpr", "rgb")
    assert result.details["other_view"] == "motion"
    assert result.details["by_chance"]["still_reliance"] == pytest.approx(10 / 11)
    assert result.details["alignment_pairs"] == 12
    model = api.load(run)
    features = model.features(api.model_store(unlabelled, model, cache=tiny_cache), device="cpu")
    assert result.metrics["rankme"] == pytest.approx(float(effective_rank(features.encoded.double())), rel=1e-4)
    assert result.metrics["rankme_projected"] <= 12.01
    assert 0 < result.metrics["alignment"] < 4
    assert result.metrics["uniformity"] < 0
    kept = [r for r in RunFolder.open(run).results() if r.protocol == "diagnostics"]
    assert dict(kept[0].metrics) == dict(result.metrics)


def test_a_view_of_motion_sees_nothing_in_a_still(run, unlabelled, tiny_cache):
    (result,) = api.evaluate("diagnostics", run, unlabelled, view="motion", cache=tiny_cache, device="cpu")
    assert result.metrics["still_reliance"] == pytest.approx(10 / 11)
    assert result.metrics["still_r@1"] == 0
    assert result.details["other_view"] == "rgb"


def test_scenes_are_a_check_where_they_are_known(run, unlabelled, tiny_cache):
    placed = replace(
        unlabelled,
        videos=tuple(replace(v, attributes={"scene": "ab"[i % 2]}) for i, v in enumerate(unlabelled.videos)),
    )
    (result,) = api.evaluate("diagnostics", run, placed, cache=tiny_cache, device="cpu")
    assert 0 < result.metrics["same_scene"] < 1
    assert result.details["by_chance"]["same_scene"] == pytest.approx(5 / 11)


def test_which_videos_are_measured(run, unlabelled, tiny_cache):
    split = tuple(replace(v, split="test" if i < 11 else "train") for i, v in enumerate(unlabelled.videos))
    manifest = replace(unlabelled, videos=split)
    chosen = [selected_videos(each, None) for each in (manifest, unlabelled)]
    assert [(name, len(videos)) for name, videos in chosen] == [
        ("split=test", 11),
        ("all", 12),
    ]
    assert len(selected_videos(manifest, {"split": "train"})[1]) == 1
    with pytest.raises(DataError, match="A video has 10 others"):
        api.evaluate("diagnostics", run, manifest, cache=tiny_cache, device="cpu")


def test_a_still_is_the_mean_picture_held(tiny_manifest, spec_of_run):
    store = ClipStore(tiny_manifest, spec_of_run, motion=True, cache=None)
    clip = ClipDataset(store)[ClipRequest(3, (0, 6, 12))]
    still = clip.still()
    assert still.windows.frames.shape == (1, *clip.windows.frames.shape[1:])
    mean = clip.windows.frames.astype(float).mean(axis=(0, 1))
    assert np.abs(still.windows.frames - mean[None, None]).max() <= 0.5
    assert np.abs(clip.windows.motion).max() > 0
    assert not still.windows.motion.any()
    assert still.windows.motion_valid.all()
    assert (still.index, still.source, still.label) == (clip.index, clip.source, clip.label)


@pytest.fixture
def spec_of_run():
    return tiny_plan().data.clip


def test_windows_may_be_named(run, unlabelled, tiny_cache):
    model = api.load(run)
    store = api.model_store(unlabelled, model, cache=tiny_cache)
    first = model.features(store, windows=lambda _: (0,), device="cpu").encoded
    both = model.features(store, windows=lambda frames: (0, frames - store.spec.span), device="cpu").encoded
    last = model.features(store, windows=lambda frames: (frames - store.spec.span,), device="cpu").encoded
    torch.testing.assert_close(both, (first + last) / 2)
    assert (first - last).abs().max() > 1e-4
    still = model.features(store, still=True, device="cpu", batch_size=3).encoded
    torch.testing.assert_close(still, model.features(store, still=True, device="cpu").encoded)


def test_the_verb_and_the_page(run, tiny_folder, tiny_cache, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["evaluate", "diagnostics", str(run), str(tiny_folder), "--cache", str(tiny_cache), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert left.value.code == 0
    assert (told["protocol"], told["preset"], told["selection"]) == ("diagnostics", "k10-t2", "all")
    assert told["metrics"].keys() >= FIGURES
    page, _ = api.report(run, data=tiny_folder)
    text = page.read_text()
    assert '<th scope="col">RankMe</th><th scope="col">RankMe, projections</th>' in text
    assert not any(name in text.partition("<h2>Details</h2>")[0] for name in FIGURES), (
        "every figure has a name in words"
    )
    assert f"{told['metrics']['rankme']:.4g}</td>" in text
    assert f"{100 * told['metrics']['rankme']:.1f}" not in text

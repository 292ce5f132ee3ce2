"""Data and settings that no training could use, and what a method may ask for between epochs."""

import shutil
from dataclasses import dataclass, replace

import pytest
import torch
from debug_size import CLIP
from tiny_runs import tiny_plan

from kinema import api
from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError, DataError
from kinema.core.method import TrainingContext
from kinema.data import Manifest
from kinema.methods import MoCo, MoCoConfig
from kinema.recipes.entry import MethodEntry
from kinema.recipes.table import METHODS
from kinema.training.checkpoints import Checkpoint


def test_a_batch_that_does_not_divide_the_queue(tiny_folder, tmp_path):
    with pytest.raises(ConfigError, match=r"queue of 10, .* batch of 4") as caught:
        api.pretrain(tiny_plan("moco", method={"queue": 10}), tiny_folder, tmp_path / "run")
    assert "8 or 12" in caught.value.hint
    assert not (tmp_path / "run").exists()


def test_a_cascade_that_cannot_keep_k(tiny_folder, tiny_cache, tmp_path):
    with pytest.raises(ConfigError, match=r"4 stages that keep 0\.5 of 8 .* leaves 1 .* take 2") as caught:
        tiny_plan("cpr", method={"stages": 4})
    assert "fewer stages" in caught.value.hint
    with pytest.raises(ConfigError, match="of 12 candidates leaves 1"):
        api.pretrain(tiny_plan("cpr-bank", method={"stages": 4}), tiny_folder, tmp_path / "run", cache=tiny_cache)


def test_a_queue_that_never_fills(tiny_folder, tiny_cache, tmp_path):
    with pytest.raises(ConfigError, match="sees 36 clips in 3 epochs, and its queue holds 36") as caught:
        api.pretrain(tiny_plan("moco", method={"queue": 36}), tiny_folder, tmp_path / "run", cache=tiny_cache)
    assert "method.queue below 36" in caught.value.hint
    beside = tiny_plan("moco", method={"queue": 36, "negatives_from": "batch"})
    done = api.pretrain(beside, tiny_folder, tmp_path / "batch", cache=tiny_cache)
    assert done.loss > 0, "negatives of the batch wait for no queue"


def test_clips_longer_than_the_videos(tiny_folder, tiny_cache, tmp_path, caplog):
    """Their last frame is held, in training and where the run is used; that is said once each time."""
    plan = tiny_plan("moco", clip=ClipSpec(frames=8, stride=3, size=16, short_side=16), short_videos="error")
    with pytest.raises(DataError, match=r"12 of 12 videos are shorter than a clip, which spans 25 frames") as caught:
        api.pretrain(plan, tiny_folder, tmp_path / "run", cache=tiny_cache)
    assert "short_videos" in caught.value.hint
    whole = tiny_plan("moco", clip=plan.data.clip, epochs=1)
    videos = sorted(tiny_folder.rglob("*.mp4"))
    for use in (
        lambda: api.pretrain(whole, tiny_folder, tmp_path / "held", cache=tiny_cache, logger="none"),
        lambda: api.evaluate("retrieval", tmp_path / "held", tiny_folder, cache=tiny_cache),
        lambda: api.load(tmp_path / "held").encode(videos),
    ):
        caplog.clear()
        assert use() is not None
        said = "12 of 12 videos are shorter than a clip, which spans 25 frames (clip.frames 8 x clip.stride 3 + 1); the"
        assert caplog.text.count("shorter than a clip") == caplog.text.count(said) == 1


def test_one_video(tiny_folder, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(next(tiny_folder.rglob("*.mp4")), tmp_path / "one")
    with pytest.raises(DataError, match=r"1 of 1 videos can be trained on; .* needs at least 2"):
        api.pretrain(tiny_plan("moco"), tmp_path / "one", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_videos(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/notes.txt").write_text("no video")
    with pytest.raises(DataError, match="none"):
        api.pretrain(tiny_plan("moco"), tmp_path / "none", tmp_path / "run")


def test_none_that_can_be_read(tmp_path):
    (tmp_path / "broken").mkdir()
    for number in range(3):
        (tmp_path / f"broken/{number}.mp4").write_bytes(b"not a video")
    with pytest.raises(DataError, match="0 of 3 videos can be trained on") as caught:
        api.pretrain(tiny_plan("moco"), tmp_path / "broken", tmp_path / "run")
    assert "kinema scan" in caught.value.hint


def test_supervision_without_labels(tiny_flat_folder, tiny_cache, tmp_path):
    with pytest.raises(DataError, match="this data has 0") as caught:
        api.pretrain(tiny_plan("supervised"), tiny_flat_folder, tmp_path / "run", cache=tiny_cache)
    assert "need no labels" in caught.value.hint


LONG = ClipSpec(frames=8, stride=3, size=16, short_side=16)
REFUSED = {
    "too short clips": ("moco", {"clip": LONG, "short_videos": "error"}, "shorter than a clip"),
    "no labels": ("supervised", {}, "this data has 0"),
    "a cascade that cannot keep k": ("cpr-bank", {"method": {"stages": 4}}, "leaves 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_is_refused_leaves_no_folder(case, tiny_flat_folder, tiny_cache, tmp_path):
    name, changes, message = REFUSED[case]
    with pytest.raises((DataError, ConfigError), match=message):
        api.pretrain(tiny_plan(name, **changes), tiny_flat_folder, tmp_path / "deep/run", cache=tiny_cache)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_told_only_to_who_reads_them(tiny_manifest, tiny_cache, tmp_path, monkeypatch):
    seen = {}

    def spy(kind):
        loss = kind.loss

        def watched(self, batch, generator):
            seen[kind] = batch.label
            return loss(self, batch, generator)

        monkeypatch.setattr(kind, "loss", watched)

    for name in ("moco", "supervised"):
        kind = type(METHODS[name].config().build(tiny_plan().encoder, TrainingContext(4, 2)))
        spy(kind)
        api.pretrain(
            tiny_plan(name, epochs=2 if name == "moco" else 1), tiny_manifest, tmp_path / name, cache=tiny_cache
        )
        assert (seen[kind] is not None) == (name == "supervised")


def test_labels_do_not_change_what_is_learnt_without_them(tiny_manifest, tiny_cache, tmp_path):
    shuffled = Manifest(
        tiny_manifest.root, tuple(replace(v, label=v.label[::-1] + v.path[-5]) for v in tiny_manifest.videos)
    )
    states = []
    for number, manifest in enumerate((tiny_manifest, shuffled)):
        api.pretrain(tiny_plan("cpr", epochs=3), manifest, tmp_path / str(number), cache=tiny_cache, device="cpu")
        file = tmp_path / str(number) / "phases/03-cpr-rgb/tower-rgb.safetensors"
        states.append(file.read_bytes())
    assert states[0] == states[1]


@dataclass(frozen=True)
class ProbeConfig(MoCoConfig):
    def build(self, encoder, context):
        return Probe(self, encoder, context.rows)


class Probe(MoCo):
    """A method that keeps the features of all videos, handed over before the first epoch and between epochs."""

    def __init__(self, config, encoder, videos):
        super().__init__(config, encoder)
        self.register_buffer("centres", torch.zeros(videos, 32))
        self.register_buffer("refreshed", torch.zeros((), dtype=torch.int64))

    def refresh(self, features):
        assert set(features) == set(self.trains)
        self.centres = features["rgb"]
        self.refreshed += 1

    def loss(self, batch, generator):
        losses = super().loss(batch, generator)
        if not losses.ready:
            return losses
        pull = (self.f_q.encoder(batch.view(0, "rgb")) * self.centres[batch.index]).mean()
        return replace(losses, total=losses.total + 0.01 * pull)


def test_a_method_that_refreshes_is_given_the_features_of_all_videos(tiny_manifest, tiny_cache, tmp_path, monkeypatch):
    known = {**METHODS, "probe": MethodEntry(ProbeConfig, "none", ("rgb",), "a probe", "Probe", {})}
    for place in ("kinema.recipes.table.METHODS", "tiny_runs.METHODS"):
        monkeypatch.setattr(place, known)
    calls = []
    refresh = Probe.refresh

    def watched(self, features):
        frozen = [name for name, p in self.named_parameters() if not p.requires_grad]
        refresh(self, features)
        calls.append((features["rgb"].clone(), frozen))

    monkeypatch.setattr(Probe, "refresh", watched)
    out = tmp_path / "run"
    api.pretrain(tiny_plan("probe"), tiny_manifest, out, cache=tiny_cache, device="cpu")
    assert len(calls) == 3
    features, frozen = calls[-1]
    assert features.shape == (12, 32)
    assert frozen
    assert all(name.startswith("f_k.") for name in frozen)
    assert not torch.equal(calls[0][0], calls[-1][0])
    model = api.load(out, untrained=True)  # the first call comes before the first step, the last before the last epoch
    store = api.model_store(tiny_manifest, model, cache=tiny_cache)
    torch.testing.assert_close(model.features(store).encoded, calls[0][0])
    state = Checkpoint.read(out / "phases/01-probe-rgb/checkpoint.pt", {}).method
    assert torch.equal(state["centres"], features)
    assert int(state["refreshed"]) == 3
    assert model.clip == CLIP

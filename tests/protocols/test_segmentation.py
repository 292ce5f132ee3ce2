"""The protocol of segmentation: what a perfect and a poor model are given, several activities, and background."""

import numpy as np
import pytest
import torch
from made_sequences import features_of, put, write_sequences

import kinema
from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.data.sequences.config import SequencesConfig
from kinema.data.sequences.reader import SequenceReader
from kinema.methods.tot import SegmentTower, TOTConfig, TOTSettings
from kinema.networks.sequence import MLPConfig
from kinema.protocols.segmentation import SEGMENTATION

K = 3
PARTS = ("edit", "f1@10", "f1@25", "f1@50", "miou")


class Given(torch.nn.Module):
    """A tower that takes features for the scores of steps."""

    def __init__(self, activity="", *, clusters=K, wrong=False, background=0.0):
        super().__init__()
        self.config = TOTConfig(clusters=clusters, activity=activity, tot=TOTSettings(background=background))
        self.encoder = torch.nn.Identity()
        self.encoder.dim = self.encoder.channels = clusters
        self.wrong = wrong

    def encode(self, x):
        return x

    def segment(self, z):
        found = torch.zeros(len(z), dtype=torch.int64) if self.wrong else z.argmax(dim=1)
        return found.numpy(), np.ones(len(z), np.float32)

    def fit_of(self, z):
        return z.amax(dim=1).numpy()


def model(activity="", **settings):
    return SequenceReader(
        Given(activity, **settings), activity or "all", SequencesConfig(normalize="none"), name="tot", seed=0
    )


def write(root, *activities, videos=3, names=("step0", "step1", "step2")):
    """Features are the truth, one-hot; the length of steps differs between videos."""
    for activity in activities:
        for video in range(videos):
            labels = np.repeat([0, 1, 2], [4 + 5 * video, 7, 20 - 6 * video])
            name = f"P{video}_{activity}" if activity else f"P{video}"
            put(root, name, np.eye(K, dtype=np.float32)[labels])
            lines = "".join(f"{names[step]}\n" for step in labels)
            (root / "groundTruth" / f"{name}.txt").write_text(lines, "utf-8")
    return root


def measured(models, data, preset="cte", **options):
    from kinema.protocols.request import Request

    request = Request(tuple(models), data, str(data), (preset,), None, None, device="cpu", **options)
    return SEGMENTATION.measure(request)


@pytest.mark.parametrize("preset", SEGMENTATION.presets)
def test_a_perfect_model_has_every_figure_at_its_highest(preset, tmp_path):
    (result,) = measured([model()], write(tmp_path, ""), preset)
    assert [result.metrics[name] for name in ("mof", *PARTS)] == [1.0] * 6
    assert result.metrics["f1"] > 0.75  # cte leaves the last segment out, oddities included
    assert 0.4 < result.metrics["uniform_mof"] < 0.95
    assert result.metrics["kmeans_mof"] == 1.0
    assert (result.preset, result.queries, result.encoder) == (preset, 3, "tot")
    assert result.details["match"] == ({} if "video" in preset else {1: "step0", 2: "step1", 3: "step2"})
    assert not result.details["collapsed"]


def test_a_poor_model_has_the_share_of_one_step_and_is_told_to_have_collapsed(tmp_path, caplog):
    (result,) = measured([model(wrong=True)], write(tmp_path, ""))
    frames = [4 + 9 + 14, 21, 20 + 14 + 8]
    assert result.metrics["mof"] == pytest.approx(max(frames) / sum(frames))
    assert result.metrics["miou"] == pytest.approx(max(frames) / sum(frames) / 3)
    assert result.metrics["mof"] < result.metrics["uniform_mof"]
    assert result.details["collapsed"]
    assert "The steps of 'all' have collapsed: one of 3 has 100 %" in caplog.text


def test_presets_of_f1_and_of_scope_differ(tmp_path):
    write_sequences(tmp_path, ["V0", "V1", "V2"], width=K)
    found = {preset: measured([model()], tmp_path, preset)[0].metrics for preset in SEGMENTATION.presets}
    assert found["cte"]["mof"] == found["asot"]["mof"] < found["cte-video"]["mof"] == found["asot-video"]["mof"]
    assert len({metrics["f1"] for metrics in found.values()}) == 4


def test_several_activities_give_what_is_pooled_first(tmp_path):
    write(tmp_path, "tea", "coffee")
    first, tea, coffee = measured([model("tea"), model("coffee", wrong=True)], tmp_path)
    assert [each.view for each in (first, tea, coffee)] == ["every activity", "tea", "coffee"]
    assert (tea.metrics["mof"], coffee.metrics["mof"]) == (1.0, pytest.approx(42 / 90))
    assert first.metrics["mof"] == pytest.approx((90 + 42) / 180)
    assert first.metrics["uniform_mof"] == pytest.approx(tea.metrics["uniform_mof"])
    assert (first.queries, first.details["activities"]) == (6, ["tea", "coffee"])
    assert first.details["collapsed"] == ["coffee"]
    assert len({each.digest for each in (first, tea, coffee)}) == 3

    write(tmp_path, "milk")
    (again, *_), (alone,) = (measured([model("tea"), model("coffee")], tmp_path), measured([model("tea")], tmp_path))
    assert again.digest == first.digest, "videos that are not measured are no part of the data"
    assert alone.digest == tea.digest


def test_a_model_of_all_videos_measures_all_whatever_they_are_called(tmp_path):
    (result,) = measured([model()], write(tmp_path, "tea", "coffee"))
    assert (result.view, result.queries) == ("all", 6)
    (result,) = measured([model()], tmp_path, query={"activity": "tea"})
    assert result.queries == 3


def test_activities_without_videos_are_told(tmp_path, caplog):
    write(tmp_path, "tea")
    (result,) = measured([model("tea"), model("milk")], tmp_path)
    assert (result.view, result.details["selection"]) == ("tea", "tea")
    assert "No video is of the activity 'milk'" in caplog.text
    with pytest.raises(DataError, match="None of the 3 videos") as caught:
        measured([model("milk")], tmp_path)
    assert "tea" in caught.value.hint


def test_background_is_left_out_by_name(tmp_path):
    write(tmp_path, "", names=("SIL", "step1", "step2"))
    whole, without = measured([model()], tmp_path)[0], measured([model()], tmp_path, background=("SIL",))[0]
    assert (whole.details["frames"], without.details["frames"]) == (90, 63)
    assert (without.details["background"], set(without.details["per_class"])) == (["SIL"], {"step1", "step2"})
    named = measured([model()], f"yti:{tmp_path}")[0]
    assert named.details["frames"] == 63
    assert whole.digest != without.digest, "other frames are not compared"
    (tmp_path / "groundTruth" / "P0.txt").write_text("step1\nstep2\n", "utf-8")
    assert measured([model()], tmp_path)[0].digest != whole.digest
    write(tmp_path, "", names=("SIL", "step1", "step2"))
    with pytest.raises(ConfigError, match="no label 'background'") as caught:
        measured([model()], tmp_path, background=("background",))
    assert "SIL, step1, step2" in caught.value.hint
    with pytest.raises(DataError, match="All frames"):
        measured([model()], tmp_path, background=("SIL", "step1", "step2"))


def test_background_of_one_activity_alone_or_in_a_coarse_mapping_is_left_out(tmp_path):
    write(tmp_path, "tea")
    write(tmp_path, "coffee", names=("SIL", "step1", "step2"))
    first = measured([model("tea"), model("coffee")], tmp_path, background=("SIL",))[0]
    assert first.details["frames"] == 90 + 63
    (tmp_path / "mapping.txt").write_text("0 SIL\n0 step0\n1 step1\n2 step2\n", "utf-8")
    first = measured([model("tea"), model("coffee")], tmp_path, background=("SIL",))[0]
    assert first.details["frames"] == 63 + 63


def test_the_worst_frames_of_all_videos_may_be_of_no_step(tmp_path):
    write(tmp_path, "")
    x = np.load(tmp_path / "features" / "P0.npy")
    x[:4] *= 0.5
    np.save(tmp_path / "features" / "P0.npy", x)
    found = model(background=0.05).segment([np.load(path) for path in sorted((tmp_path / "features").iterdir())])
    assert [(each.steps == -1).sum() for each in found] == [4, 0, 0]
    (result,) = measured([model(background=0.05)], tmp_path)
    assert result.metrics["mof"] == pytest.approx(86 / 90)


def test_other_models_and_options_are_refused(tmp_path):
    write(tmp_path, "")
    tower = SegmentTower(TOTConfig(clusters=K), MLPConfig(features=K))
    reader = SequenceReader(tower, "all", SequencesConfig(), name="tot")
    (result,) = kinema.evaluate("segmentation", reader, tmp_path, preset="asot", device="cpu")
    assert result.preset == "asot"
    for protocol in ("retrieval", "cross-modal"):
        with pytest.raises(UsageError, match=f"{protocol} measures encoders of video; 'tot' is one of sequence"):
            kinema.evaluate(protocol, reader, tmp_path, device="cpu")
    for nothing in (None, 7):
        with pytest.raises(UsageError, match="no encoder"):
            kinema.evaluate("segmentation", nothing, tmp_path)
    with pytest.raises(UsageError, match="cta"):
        kinema.evaluate("segmentation", reader, tmp_path, preset="cta")
    with pytest.raises(DataError, match="has 3 features a frame; the model of 'all' takes 5"):
        kinema.evaluate("segmentation", SequenceReader(Given(clusters=5), "all", SequencesConfig(), name="t"), tmp_path)


def test_fewer_frames_than_steps_are_measured_without_k_means(tmp_path):
    put(tmp_path, "V0", features_of(np.array([0, 1]), 5), [0, 1])
    (result,) = measured([model(clusters=5)], tmp_path)
    assert "uniform_mof" in result.metrics
    assert "kmeans_mof" not in result.metrics

"""Who performs where: disjointness, bias, parts and settings of Mocap-15."""

import numpy as np
import pytest

from kinema.core.errors import ConfigError
from kinema.data.mocap import CLASSES, PARTS, MocapConfig
from kinema.data.mocap.body import draw_actor
from kinema.data.mocap.plan import plan_recordings
from kinema.data.mocap.scenes import paint_scene


def takes(config, split, part=""):
    return [
        (r.label, t.family) for r in plan_recordings(config) for t in r.takes if r.split == split and t.part == part
    ]


@pytest.mark.parametrize("bias", [0.0, 0.5, 0.95])
def test_bias_is_the_share_of_own_scenes(bias):
    pairs = takes(MocapConfig(clips_per_class=200, bias=bias), "train")
    share = np.mean([label == family for label, family in pairs])
    expected = bias + (1 - bias) / 15
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / len(pairs))


def test_without_bias_every_family_is_alike():
    pairs = takes(MocapConfig(clips_per_class=200), "train")
    counts = np.bincount([family for _, family in pairs], minlength=15)
    assert np.all(np.abs(counts - 200) < 5 * np.sqrt(200))


@pytest.mark.parametrize("bias", [0.0, 0.95])
def test_parts_are_what_their_names_say_whatever_the_bias(bias):
    config = MocapConfig(clips_per_class=1, test_per_class=60, bias=bias)
    assert all(label == family for label, family in takes(config, "test", "matched"))
    assert all(label != family for label, family in takes(config, "test", "swapped"))
    assert len({(label, family) for label, family in takes(config, "test", "swapped")}) > 150  # of 210 pairs
    share = np.mean([label == family for label, family in takes(config, "test", "unbiased")])
    assert abs(share - 1 / 15) < 4 * np.sqrt(1 / 15 * 14 / 15 / 900)


def test_parts_show_the_same_performances():
    for recording in plan_recordings(MocapConfig(clips_per_class=1, test_per_class=3)):
        assert [take.part for take in recording.takes] == ([""] if recording.split == "train" else list(PARTS))


def test_a_part_that_is_left_out_changes_no_other():
    whole, less = (
        plan_recordings(MocapConfig(clips_per_class=1, test_per_class=3, parts=parts)) for parts in (PARTS, PARTS[1:])
    )
    assert [take for r in less for take in r.takes] == [t for r in whole for t in r.takes if t.part != PARTS[0]]


@pytest.mark.parametrize("parts", [(), ("fair",), ("swapped", "swapped")])
def test_parts_that_no_set_has_are_refused(parts):
    with pytest.raises(ConfigError, match=r"mocap.parts is .*matched, unbiased, swapped"):
        MocapConfig(parts=parts)


def test_names_and_paths_are_unique_and_counts_hold():
    recordings = plan_recordings(MocapConfig(clips_per_class=7, test_per_class=3))
    paths = [take.path for recording in recordings for take in recording.takes]
    assert len(set(paths)) == len(paths) == 15 * (7 + 3 * 3)
    assert len({recording.name for recording in recordings}) == len(recordings) == 15 * (7 + 3)


def test_a_larger_set_begins_with_the_smaller_one():
    small, large = (plan_recordings(MocapConfig(clips_per_class=n, test_per_class=1)) for n in (3, 5))
    assert set(small) < set(large)


def test_actors_and_scenes_of_train_and_test_differ():
    train, test = ([draw_actor(0, split, n, 0.7) for n in range(20)] for split in ("train", "test"))
    assert len({actor.top for actor in train + test}) == 40
    assert len({actor.name for actor in train + test}) == 40
    how = {"size": 32, "clutter": 0.4, "contrast": 1.0}
    painted = [paint_scene(0, split, 4, "x", n, **how) for split in ("train", "test") for n in range(4)]
    assert len({scene.canvas.tobytes() for scene in painted}) == 8
    assert len({scene.name for scene in painted}) == 8


def test_scenes_of_a_family_are_nearer_to_each_other_than_to_other_families():
    """The palette alone tells the family of most unseen scenes: that is what the bias is made of."""
    colour = {
        (split, family): np.mean([_rows(split, family, n) for n in range(4)], axis=0)
        for split in ("train", "test")
        for family in range(15)
    }
    found = [
        min(range(15), key=lambda other: np.abs(colour["test", family] - colour["train", other]).sum())
        for family in range(15)
    ]
    assert np.mean(np.array(found) == np.arange(15)) > 0.85


def _rows(split, family, number):
    scene = paint_scene(0, split, family, CLASSES[family], number, size=32, clutter=0.4, contrast=1.0)
    return scene.canvas.reshape(8, -1, 3).mean(axis=1)


def test_a_scene_has_no_seam_and_moves_against_the_camera():
    scene = paint_scene(1, "train", 0, "x", 0, size=48, clutter=0.3, contrast=1.0)
    wide = scene.canvas.shape[1]
    once, round_again = scene.view(np.array([5.0, 5.0 + wide]), np.zeros(2), 48)
    assert np.array_equal(once, round_again)
    here, right = scene.view(np.array([0.0, 3.0]), np.zeros(2), 48)
    assert np.array_equal(right[:, :-3], here[:, 3:])
    low, high = scene.view(np.zeros(2), np.array([4.0, 0.0]), 48)
    assert np.array_equal(high[4:], low[:-4])
    half = scene.view(np.array([0.5]), np.zeros(1), 48)[0].astype(int)
    assert np.abs(half[:, :-1] - (here[:, :-1].astype(int) + here[:, 1:]) / 2).max() <= 1.0


def test_limb_contrast_sets_top_and_trousers_apart():
    def gap(contrast):
        people = [draw_actor(0, "train", n, contrast) for n in range(30)]
        return np.mean([abs(max(a.top) - max(a.trousers)) for a in people])

    assert gap(0.0) < 0.01 < 0.3 < gap(0.5) < gap(1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clips_per_class", 0),
        ("test_per_class", -1),
        ("bias", 1.01),
        ("bias", float("nan")),
        ("seed", -1),
        ("size", 97),
        ("size", 8),
        ("frames", 1),
        ("fps", 0),
        ("actors_train", 0),
        ("scenes_test", 0),
        ("view_range", 361.0),
        ("elevation_range", -1.0),
        ("clutter", 2.0),
        ("scene_contrast", -0.1),
        ("limb_contrast", -0.1),
        ("camera_motion", 9.0),
        ("speed_range", 0.9),
        ("amplitude_range", 0.6),
        ("joint_noise", -3.0),
        ("gop", 0),
        ("b_frames", 12),
        ("crf", 52),
    ],
)
def test_settings_that_no_set_could_have_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"mocap.{name} is {value}"):
        MocapConfig(**{name: value})


def test_without_contrast_every_scene_is_one_grey():
    scene = paint_scene(0, "train", 4, "x", 0, size=32, clutter=1.0, contrast=0.0)
    assert scene.canvas.min() == scene.canvas.max() == 153


def test_contrast_scales_how_far_a_scene_is_from_grey():
    strong, faint = (
        paint_scene(0, "train", 4, "x", 0, size=32, clutter=0.0, contrast=contrast).canvas - 153.0
        for contrast in (1.0, 0.25)
    )
    assert abs(faint - 0.25 * strong).max() <= 1.0

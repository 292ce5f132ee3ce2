"""The sound of Mocap-15: it follows from the motion, lies where the contacts are, and changes no frame."""

import csv
import json

import av
import numpy as np
import pytest

from kinema.core.errors import ConfigError, DataError
from kinema.data import read_audio, with_sound
from kinema.data.mocap import CLASSES, MocapConfig, write_mocap
from kinema.data.mocap.body import POINTS, draw_actor, place_points
from kinema.data.mocap.performance import perform
from kinema.data.mocap.plan import plan_recordings
from kinema.data.mocap.sound import RATE, perform_sound, strikes
from kinema.data.video.scanning import scan

TINY = {"clips_per_class": 1, "test_per_class": 1, "parts": ("unbiased",), "size": 32, "frames": 40}
LOUD = {"sound": True, "sound_noise": 0.0}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_mocap(tmp_path_factory.mktemp("plain") / "set", MocapConfig(**TINY), workers=2).out


@pytest.fixture(scope="module")
def sounding(tmp_path_factory):
    config = MocapConfig(**TINY, **LOUD, sound_mismatch=0.5)
    return write_mocap(tmp_path_factory.mktemp("sounding") / "set", config, workers=2).out


def rows(out):
    with (out / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def performed(recording, config):
    motion = perform(CLASSES[recording.label], config, recording.generator(config.seed))
    return place_points(motion, draw_actor(config.seed, recording.split, recording.actor, config.limb_contrast))


def falling(times, speed=2.0, frames=40, fps=30, foot="left"):
    """A body that stands, one foot of which is raised and falls at a constant speed until each of the times."""
    points = np.full((frames, len(POINTS), 3), 1.0)
    for side in ("left", "right"):
        for part in ("toe", "ankle"):
            points[:, POINTS.index(f"{side}_{part}"), 1] = 0.0
    clock = np.arange(frames) / fps
    height = np.zeros(frames)
    for time in times:
        falls = (clock <= time) & (clock > time - 0.2)
        height[falls] = (time - clock[falls]) * speed
    for part in ("toe", "ankle"):
        points[:, POINTS.index(f"{foot}_{part}"), 1] = height
    return points


def onset(sound, near, reach=0.08):
    """The time about another at which the next 5 ms are loudest beside the 5 ms before."""
    wide = round(0.005 * RATE)
    first, last = round((near - reach) * RATE), round((near + reach) * RATE)
    energy = np.cumsum(np.concatenate([[0.0], sound**2]))
    places = np.arange(max(first, wide), min(last, len(sound) - wide))
    rise = energy[places + wide] - 2 * energy[places] + energy[places - wide]
    return int(places[rise.argmax()]) / RATE


@pytest.mark.parametrize("time", [0.5, 0.61, 0.655])
def test_a_strike_is_when_a_fall_ends_near_the_ground(time):
    (found,) = strikes(falling([time]), 30)
    assert (found.body, found.landing) == ("left foot", False)
    assert found.time == pytest.approx(time, abs=0.008)
    assert found.speed == pytest.approx(2.0, rel=0.05)
    high = falling([time])
    high[:, :, 1] += 0.5 * (np.arange(40) / 30 > 0.9)[:, None]
    in_the_air = falling([time])
    feet = [POINTS.index(f"left_{part}") for part in ("toe", "ankle")]
    in_the_air[:, feet, 1] += 0.4
    assert strikes(in_the_air, 30) == []
    assert [strike.body for strike in strikes(falling([time], foot="right"), 30)] == ["right foot"]


def test_a_fall_of_the_whole_body_is_a_landing_and_louder():
    points = falling([0.6])
    whole = points.copy()
    drop = np.clip(0.6 - np.arange(40) / 30, 0, 0.2) * 2
    whole[:, :, 1] = points[:, :, 1] + np.where(points[:, :, 1] > 0.9, drop[:, None], 0)
    (soft,), (heavy,) = strikes(points, 30), strikes(whole, 30)
    assert (soft.landing, heavy.landing) == (False, True)
    quiet, loud = (perform_sound(x, 30, np.random.default_rng(0)) for x in (points, whole))
    after = slice(round(0.6 * RATE), round(0.8 * RATE))
    assert (loud[after] ** 2).sum() > 2 * (quiet[after] ** 2).sum()


def test_a_faster_swing_is_louder():
    def swinging(hertz):
        points = falling([])
        points[:, POINTS.index("left_hand"), 0] += 0.5 * np.sin(2 * np.pi * hertz * np.arange(40) / 30)
        return perform_sound(points, 30, np.random.default_rng(0))

    slow, fast = swinging(0.5), swinging(1.5)
    assert (fast**2).mean() > 10 * (slow**2).mean()


def test_strikes_are_heard_when_they_happen(sounding):
    """In the decoded audio, on the clock of the decoded video, within 20 ms of the contact."""
    config = MocapConfig(**TINY, **LOUD, sound_mismatch=0.5)
    near, gaps = {r.name: r for r in plan_recordings(config)}, []
    for row in rows(sounding):
        if row["label"] not in ("walk", "run", "jump", "crawl", "dance_b") or row["sound"] != row["recording"]:
            continue
        found = strikes(performed(near[row["recording"]], config), config.fps)
        sound = read_audio(sounding / row["path"], rate=RATE).samples
        for strike in found:
            alone = all(other is strike or abs(other.time - strike.time) > 0.15 for other in found)
            if alone and 0.1 < strike.time < len(sound) / RATE - 0.1:
                gaps.append(onset(sound, strike.time) - strike.time)
    assert len(gaps) >= 5
    assert np.abs(gaps).max() < 0.02, gaps


def test_the_file_has_picture_and_sound_of_one_length(sounding):
    path = sounding / rows(sounding)[0]["path"]
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert container.streams.audio[0].rate == RATE
    sound = read_audio(path, rate=RATE)
    assert len(sound) / RATE == pytest.approx(40 / 30, abs=0.05)
    assert sound.valid[: round(1.3 * RATE)].all()


def test_without_sound_the_set_is_what_it_was(plain, sounding):
    told = json.loads((plain / "dataset.json").read_text())["settings"]
    assert not [name for name in told if name.startswith("sound")]
    table = rows(plain)
    assert "sound" not in table[0]
    assert [{k: v for k, v in row.items() if k != "sound"} for row in rows(sounding)] == table
    for row in table[::7]:
        with av.open(str(plain / row["path"])) as one, av.open(str(sounding / row["path"])) as other:
            assert not one.streams.audio
            pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
            assert all(np.array_equal(a.to_ndarray(), b.to_ndarray()) for a, b in pairs)


def test_a_set_with_sound_is_not_taken_for_one_without(plain, sounding):
    for out, asked, told in (
        (sounding, {}, "sound True instead of False"),
        (plain, LOUD, "sound False instead of True"),
    ):
        before = (out / "dataset.json").read_bytes()
        with pytest.raises(DataError, match=told):
            write_mocap(out, MocapConfig(**TINY, **asked))
        assert (out / "dataset.json").read_bytes() == before


def test_a_share_of_the_training_videos_has_the_sound_of_another_class(sounding):
    config = MocapConfig(**TINY, **LOUD, sound_mismatch=0.5)
    near = {r.name: r for r in plan_recordings(config)}
    training = [row for row in rows(sounding) if row["split"] == "train"]
    other = [row for row in training if row["sound"] != row["recording"]]
    assert 3 <= len(other) <= 12
    assert all(near[row["sound"]].label != near[row["recording"]].label for row in other)
    assert all(row["sound"] == row["recording"] for row in rows(sounding) if row["split"] == "test")
    row = other[0]
    speaker = near[row["sound"]]
    meant = perform_sound(performed(speaker, config), config.fps, speaker.sound_generator(config.seed))
    found = read_audio(sounding / row["path"], rate=RATE, duration=len(meant) / RATE).samples
    assert np.corrcoef(meant, found)[0, 1] > 0.8
    told = json.loads((sounding / "dataset.json").read_text())["settings"]
    assert (told["sound"], told["sound_mismatch"]) == (True, 0.5)


@pytest.mark.slow
def test_every_video_can_be_heard(sounding):
    manifest = scan(sounding, workers=2)
    assert with_sound(manifest)[1] == {}
    assert len(manifest) == 30


def test_classes_sound_unlike_and_noise_is_heard():
    config = MocapConfig(**TINY, **LOUD)
    quiet = perform_sound(performed(plan_recordings(config)[14], config), 30, np.random.default_rng(0))
    noisy = perform_sound(performed(plan_recordings(config)[14], config), 30, np.random.default_rng(0), 0.05)
    assert (noisy - quiet).std() == pytest.approx(0.05, rel=0.2)
    with pytest.raises(ConfigError, match=r"mocap\.sound_mismatch is 2"):
        MocapConfig(sound_mismatch=2.0)

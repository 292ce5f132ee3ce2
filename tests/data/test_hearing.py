"""The sound of windows: about their middle, alike from the store and from the files, and never zeros for silence."""

from dataclasses import replace

import numpy as np
import pytest
from sounding import RATE, clicks, tone, write_sounding

from kinema.core.clips import ClipSpec, SoundSpec
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.data import ClipDataset, ClipRequest, ClipStore, collate, with_sound
from kinema.data.clips.store_files import store_key
from kinema.data.video.hearing import window_middle
from kinema.data.video.scanning import scan

SPEC = ClipSpec(frames=4, stride=2, size=32, short_side=32)
SOUND = SoundSpec(rate=8000, seconds=0.4, bands=8, frames=20, shift=0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("heard")
    write_sounding(root / "clicks.mkv", clicks([0.2, 0.6, 1.0], 1.2))
    write_sounding(root / "tone.mp4", tone(440, 1.2), codec="aac", seed=1)
    write_sounding(root / "brief.mkv", tone(300, 0.8), seed=2)
    write_sounding(root / "mute.mp4", None, seed=3)
    write_sounding(root / "silent.mkv", np.zeros(RATE, dtype=np.float32), seed=4)
    write_sounding(root / "snatch.mkv", tone(300, 0.3), seed=5)
    return root


@pytest.fixture(scope="module")
def manifest(folder):
    return scan(folder, workers=1)


@pytest.fixture(scope="module")
def chosen(manifest):
    return with_sound(manifest)[0]


def row_of(manifest, name):
    return next(row for row, video in enumerate(manifest.videos) if video.path.startswith(name))


def test_what_cannot_be_heard_is_left_out_with_its_reason(manifest):
    chosen, silent = with_sound(manifest)
    assert [video.path for video in chosen.videos] == ["brief.mkv", "clicks.mkv", "tone.mp4"]
    assert silent.keys() == {"mute.mp4", "silent.mkv", "snatch.mkv"}
    assert (silent["mute.mp4"], silent["silent.mkv"]) == ("it has no sound", "its sound is silent")
    assert "0.3 s of 1.2 s" in silent["snatch.mkv"]
    none = replace(manifest, videos=tuple(v for v in manifest.videos if v.path in silent))
    with pytest.raises(DataError, match=r"None of the 3 videos can be heard: 'mute\.mp4' \(it has no sound\)"):
        with_sound(none)


def test_a_store_with_sound_refuses_what_cannot_be_heard(manifest, tmp_path):
    with pytest.raises(DataError, match=r"3 of 6 videos cannot be heard: 'mute\.mp4'"):
        ClipStore(manifest, SPEC, motion=False, cache=None, sound=SOUND)


def test_the_store_and_the_files_give_the_same_sound(chosen, tmp_path):
    stores = [ClipStore(chosen, SPEC, motion=True, cache=cache, sound=SOUND) for cache in (tmp_path, None)]
    assert [store.cached for store in stores] == [True, False]
    for row in range(len(chosen)):
        kept, read = (store.read(row, (0, 9, 21)) for store in stores)
        assert kept.sound.shape == (3, SOUND.read)
        assert kept.sound.dtype == np.float32
        np.testing.assert_array_equal(kept.sound_valid, read.sound_valid)
        np.testing.assert_array_equal(kept.sound, read.sound)
        np.testing.assert_array_equal(kept.motion, read.motion)
    assert stores[0].read(0, (0,), sound=False).sound is None


def test_a_stretch_lies_about_the_middle_of_its_window(chosen):
    store = ClipStore(chosen, SPEC, motion=False, cache=None, sound=SOUND)
    row = row_of(chosen, "clicks")
    windows = store.read(row, (11, 1))
    for sound, valid, start in zip(windows.sound, windows.sound_valid, (11, 1), strict=True):
        begin = (start + 4) / 25 - SOUND.read / 2 / SOUND.rate  # a window of 9 frames has its middle 4 after its first
        onset = np.flatnonzero(np.abs(sound) > 0.3)[0] / SOUND.rate + begin
        assert min(abs(onset - click) for click in (0.2, 0.6, 1.0)) < 0.001
        outside = np.arange(SOUND.read) / SOUND.rate + begin < -0.5 / SOUND.rate
        np.testing.assert_array_equal(valid[outside], False)
        assert valid[~outside].all()
        assert not sound[outside].any()


def test_a_window_after_the_sound_is_drawn_to_its_end(chosen):
    store = ClipStore(chosen, SPEC, motion=False, cache=None, sound=SOUND)
    valid = store.read(row_of(chosen, "brief"), (21,)).sound_valid[0]
    assert 0.45 < valid.mean() < 0.6
    assert valid[: len(valid) // 2 - 100].all()


def test_frames_of_uneven_length_have_their_own_times(tmp_path):
    times = [*np.arange(10) * 0.02, *(0.2 + np.arange(20) * 0.08)]
    path = write_sounding(tmp_path / "v.mkv", tone(300, 1.8), times=times)
    video = scan(tmp_path, workers=1).videos[0]
    assert video.variable_fps
    assert window_middle(path, video, 4, 9) == pytest.approx((times[4] + times[12]) / 2, abs=0.002)


def test_clips_are_collated_with_their_sound(chosen):
    store = ClipStore(chosen, SPEC, motion=False, cache=None, sound=SOUND)
    rows = [row_of(chosen, "clicks"), row_of(chosen, "tone")]
    raw = collate([ClipDataset(store)[ClipRequest(row, (3, 8))] for row in rows])
    assert raw.sound.samples.shape == raw.sound.valid.shape == (2, 2, SOUND.read)
    apart = raw.split_variants()
    assert apart.sound.samples.shape == (4, 1, SOUND.read)
    np.testing.assert_array_equal(apart.sound.samples[1, 0], raw.sound.samples[0, 1])
    without = collate([ClipDataset(store, sound=False)[ClipRequest(row, (3, 8))] for row in rows])
    assert without.sound is None
    with pytest.raises(ShapeError, match=r"Waveform\.valid is torch.bool .*; expected bool \[2, 2, 10\]"):
        replace(raw.sound, samples=raw.sound.samples[..., :10])
    with pytest.raises(ShapeError, match=r"RawClips\.sound is \(4, 1, .*; expected \[2, 2, S\]"):
        replace(raw, sound=apart.sound)


def test_only_a_store_with_sound_has_another_name(chosen):
    rows = [0, 1, 2]
    names = [store_key(chosen, rows, 32, True, each) for each in (None, SOUND, replace(SOUND, shift=0.1))]
    assert len(set(names)) == 3
    assert names[0] == store_key(chosen, rows, 32, True)


def test_a_hop_is_a_whole_number_of_samples():
    with pytest.raises(ConfigError, match="30, which does not divide the 16000 samples"):
        SoundSpec(frames=30)
    with pytest.raises(ConfigError, match=r"sound\.bands is 0"):
        SoundSpec(bands=0)
    assert (SoundSpec().hop, SoundSpec().read) == (160, 19200)


@pytest.mark.data
def test_real_talking_heads_are_heard_alike_from_the_store_and_the_files(shared_data, tmp_path):
    """AAC that FFmpeg wrote: what is sought for and what is decoded from the beginning is one sound."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for path in sorted((shared_data / "grid_s1_av" / "clips_small").glob("*.mp4"))[:4]:
        (clips / path.name).symlink_to(path)
    manifest, silent = with_sound(scan(clips, workers=1))
    assert silent == {}
    stores = [ClipStore(manifest, SPEC, motion=False, cache=cache, sound=SOUND) for cache in (tmp_path / "c", None)]
    for row in range(len(manifest)):
        kept, read = (store.read(row, (0, 30, 60)) for store in stores)
        np.testing.assert_array_equal(kept.sound_valid, read.sound_valid)
        assert kept.sound_valid[1:].all()
        assert np.abs(kept.sound).max() > 0.05
        # The noise that an AAC decoder makes up depends on all that came before: alike, and not the same.
        assert np.corrcoef(kept.sound.ravel(), read.sound.ravel())[0, 1] > 0.99

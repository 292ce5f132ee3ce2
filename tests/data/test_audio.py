"""Sound with known content: a sweep, so that every shift shows."""

from fractions import Fraction

import av
import numpy as np
import pytest

from kinema.core.errors import ConfigError, VideoError
from kinema.data.video.audio import read_audio
from kinema.data.video.audio_table import audio_table

FORMATS = [
    ("v.mp4", "aac", 44100, "libx264"),
    ("v.mkv", "aac", 44100, "libx264"),
    ("v.ts", "aac", 48000, "libx264"),
    ("v.mp3", "libmp3lame", 44100, None),
    ("v.mkv", "libmp3lame", 44100, "mpeg4"),
    ("v.avi", "pcm_s16le", 44100, "mpeg4"),
    ("v.mkv", "pcm_s16le", 44100, "mpeg4"),
    ("v.webm", "libopus", 48000, "libvpx"),
    ("v.mkv", "flac", 44100, "mpeg4"),
    ("v.mpg", "mp2", 44100, "mpeg1video"),
]
NAMES = [f"{codec}-in-{name[2:]}" for name, codec, _, _ in FORMATS]
LOSSLESS = {"pcm_s16le", "flac"}


def sweep(rate, seconds, start=0.0):
    t = start + np.arange(round(rate * seconds)) / rate
    return (0.6 * np.sin(2 * np.pi * (150 + 120 * t) * t)).astype(np.float32)


def write(
    path, sound, rate, codec="pcm_s16le", video="mpeg4", *, frames=100, video_from=0.0, sound_from=0.0, without=(),
    options=None
):  # fmt: skip
    """Frames at 25 a second and sound [S] or [C, S], each from its own time on; ``without`` loses audio packets."""
    sound = np.atleast_2d(sound)
    layout = {1: "mono", 2: "stereo"}[len(sound)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, options=options or {})
        packets = []
        if video:
            pictures = container.add_stream(video, rate=25)
            pictures.width = pictures.height = 32
            pictures.pix_fmt = "yuv420p"
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 2 * number, dtype=np.uint8), format="rgb24")
                frame.pts, frame.time_base = number + round(25 * video_from), Fraction(1, 25)
                packets += pictures.encode(frame)
            packets += pictures.encode(None)
        heard = []
        for at in range(0, sound.shape[1], 1024):
            part = np.ascontiguousarray(sound[:, at : at + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, at + round(sound_from * rate), Fraction(1, rate)
            heard += stream.encode(frame)
        heard += stream.encode(None)
        packets += [packet for number, packet in enumerate(heard) if number not in without]
        for packet in sorted(packets, key=lambda p: p.dts * Fraction(p.time_base)):
            container.mux(packet)
    return path


def shift(got, expected, most=40):
    """By how many samples ``got`` lies later than ``expected``."""
    inner = slice(most, len(got) - most)
    scores = [float(got[inner] @ np.roll(expected, s)[inner]) for s in range(-most, most + 1)]
    return int(np.argmax(scores)) - most


@pytest.fixture(scope="module", params=FORMATS, ids=NAMES)
def made(request, tmp_path_factory):
    name, codec, rate, video = request.param
    return write(tmp_path_factory.mktemp("made") / name, sweep(rate, 3), rate, codec, video, frames=75), codec, rate


def test_sound_lies_where_it_was_put(made):
    path, codec, rate = made
    sound = sweep(rate, 3)
    audio = read_audio(path, rate=rate, duration=3)
    assert (len(audio), audio.samples.dtype, audio.rate, audio.bad_packets) == (3 * rate, np.float32, rate, 0)
    assert audio.valid[rate // 100 : -rate // 20].all()
    # MPEG program streams tell times of 90 kHz from which a multiplexer may be off by some samples.
    assert abs(shift(audio.samples, sound)) <= (3 if path.suffix == ".mpg" else 0)
    if codec in LOSSLESS:
        assert np.abs(audio.samples - sound).max() < 1e-4
        assert audio.valid.all()


@pytest.mark.parametrize("to", [None, 16000])
def test_a_stretch_is_the_same_from_wherever_reading_began(made, to):
    path, _, rate = made
    to = to or rate
    whole = read_audio(path, rate=to, duration=3, seek=False)
    for start, seconds in ((2.013, 0.7), (2.5, 0.4321), (0.01, 0.5)):
        sought = read_audio(path, rate=to, start=start, duration=seconds)
        begun = read_audio(path, rate=to, start=start, duration=seconds, seek=False)
        at = slice(round(start * to), round(start * to) + round(seconds * to))
        assert len(sought) == round(seconds * to)
        np.testing.assert_array_equal(begun.samples, whole.samples[at])
        # The noise an AAC decoder makes up and MP2's dither depend on what came before; a sample's shift is 0.01.
        np.testing.assert_allclose(sought.samples, begun.samples, atol=1e-4)
        np.testing.assert_array_equal(sought.valid, whole.valid[at])


def test_a_seek_that_comes_down_elsewhere_changes_nothing(tmp_path, monkeypatch):
    path = write(tmp_path / "v.mp4", sweep(44100, 3), 44100, "aac", "mpeg4", options={"aac_pns": "0"})
    expected = read_audio(path, rate=44100, start=2.5, duration=0.3)
    for pts in (0, 30000, 130000):
        monkeypatch.setattr("kinema.data.video.audio._sought", lambda c, s, _, pts=pts: c.seek(pts, stream=s) is None)
        np.testing.assert_array_equal(read_audio(path, rate=44100, start=2.5, duration=0.3).samples, expected.samples)


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "pcm_s16le"), ("v.mp4", "aac"), ("v.mkv", "aac")])
@pytest.mark.parametrize(("video_from", "sound_from"), [(0.0, 0.52), (0.52, 0.0), (0.4, 0.4)])
def test_the_clock_is_the_videos(tmp_path, name, codec, video_from, sound_from):
    rate, sound = 16000, sweep(16000, 2)
    path = write(tmp_path / name, sound, rate, codec, "mpeg4", frames=75, video_from=video_from, sound_from=sound_from)
    offset = round((sound_from - video_from) * rate)
    audio = read_audio(path, rate=rate, start=-1.0, duration=4)
    expected = np.zeros(4 * rate, dtype=np.float32)
    expected[rate + offset : 3 * rate + offset] = sound
    assert abs(shift(audio.samples, expected)) <= rate // 1000  # a tick of Matroska's clock
    edges = np.flatnonzero(np.diff(audio.valid.astype(int)))
    assert len(edges) == 2
    # Sound that is told to begin later is not told to be primed: AAC's first packet, all but silent, is sound to MP4.
    primed = 1024 if path.suffix == ".mp4" and sound_from > 0 else 0
    assert abs(edges[0] + 1 - (rate + offset - primed)) <= rate // 1000
    assert 0 <= edges[1] + 1 - (3 * rate + offset) + rate // 1000 < 1024 + rate // 1000  # AAC's last packet
    assert (audio.samples[~audio.valid] == 0).all()


def test_gaps_are_gaps(tmp_path):
    rate, sound = 16000, sweep(16000, 3)
    for name in ("v.mkv", "v.mp4"):
        path = write(tmp_path / name, sound, rate, "flac", "mpeg4", without=(4, 5), options={"frame_size": "1024"})
        size = int(audio_table(path).count[0])
        audio = read_audio(path, rate=rate, duration=3)
        hole = slice(4 * size, 6 * size)
        tolerance = rate // 1000 + 1
        assert not audio.valid[hole.start + tolerance : hole.stop - tolerance].any()
        assert audio.valid[: hole.start].all()
        assert audio.valid[hole.stop + tolerance :].all()
        np.testing.assert_allclose(audio.samples[: hole.start], sound[: hole.start], atol=1e-4)
        after = slice(hole.stop + tolerance, None)
        assert abs(shift(audio.samples[after], sound[after])) <= tolerance


def test_resampling_keeps_phase_and_level(tmp_path):
    tone = lambda rate: np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)  # noqa: E731
    path = write(tmp_path / "v.avi", 0.5 * tone(44100).astype(np.float32), 44100)
    for rate in (8000, 16000, 48000, 22050, 11111):
        audio = read_audio(path, rate=rate, start=0.25, duration=1.5)
        at = slice(round(0.25 * rate), round(0.25 * rate) + round(1.5 * rate))
        assert np.abs(audio.samples - 0.5 * tone(rate)[at]).max() < 0.002
        assert audio.valid.all()


def test_channels_are_averaged(tmp_path):
    left, right = sweep(16000, 1), np.full(16000, 0.25, dtype=np.float32)
    path = write(tmp_path / "v.avi", np.stack([left, right]), 16000)
    np.testing.assert_allclose(read_audio(path, rate=16000, duration=1).samples, (left + right) / 2, atol=1e-4)
    loud = write(tmp_path / "loud.mkv", np.full((2, 16000), 3.0, dtype=np.float32), 16000, "pcm_f32le")
    assert read_audio(loud, rate=16000, duration=1).samples.max() == 1


def test_sound_without_video_begins_at_its_beginning(tmp_path):
    sound = sweep(8000, 1)
    path = write(tmp_path / "v.wav", sound, 8000, video=None)
    audio = read_audio(path, rate=8000)
    np.testing.assert_allclose(audio.samples, sound, atol=1e-4)
    assert len(read_audio(path, rate=4000, start=0.5)) == 2000


def test_damaged_packets_are_passed_over_and_counted(tmp_path):
    rate, sound = 44100, sweep(44100, 4)
    path = write(tmp_path / "v.mp4", sound, rate, "aac", options={"aac_pns": "0"})
    whole = read_audio(path, rate=rate, duration=4)
    content = bytearray(path.read_bytes())
    table = audio_table(path)
    for number in (100, 101):
        place, size = table.keys[number]
        content[place : place + size] = b"\xff" * size
    path.write_bytes(content)
    audio = read_audio(path, rate=rate, duration=4)
    assert audio.bad_packets == 2
    assert audio.reason
    begin, end = table.start[100], table.start[102]
    assert not audio.valid[begin:end].any()
    assert audio.valid[:begin].all()
    np.testing.assert_allclose(audio.samples[:begin], whole.samples[:begin], atol=1e-3)
    np.testing.assert_allclose(audio.samples[end + 2048 :], whole.samples[end + 2048 :], atol=1e-3)
    assert read_audio(path, rate=rate, start=0, duration=1).bad_packets == 0


def test_what_cannot_be_read_is_named(make_video, tmp_path):
    with pytest.raises(VideoError, match=r"mute\.mp4' holds no audio stream"):
        read_audio(make_video(tmp_path / "mute.mp4"), rate=16000, duration=1)
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        read_audio(tmp_path / "gone.mp4", rate=16000)
    path = write(tmp_path / "v.wav", sweep(8000, 1), 8000, video=None)
    for wrong in ({"rate": 0}, {"rate": 8000, "duration": -1}, {"rate": 8000, "start": float("nan")}):
        with pytest.raises(ConfigError, match="No audio lies"):
            read_audio(path, **wrong)
    assert len(read_audio(path, rate=8000, duration=0)) == 0
    far = read_audio(path, rate=8000, start=50, duration=1)
    assert (len(far), far.valid.any(), far.samples.any()) == (8000, False, False)


@pytest.mark.data
def test_real_talking_heads(shared_data):
    clips = sorted((shared_data / "grid_s1_av" / "clips_small").glob("*.mp4"))[:3]
    for clip in clips:
        with av.open(str(clip)) as container:
            plain = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        audio = read_audio(clip, rate=16000, duration=3)
        np.testing.assert_allclose(audio.samples, np.clip(plain[:48000], -1, 1), atol=1e-6)
        assert audio.valid.all()
        before = read_audio(shared_data / "grid_s1_av" / "originals" / f"{clip.stem}.mpg", rate=16000, duration=3)
        spectrum = np.fft.rfft(audio.samples, 1 << 17) * np.fft.rfft(before.samples, 1 << 17).conj()
        # Who made these clips of the originals told the player nothing of the encoder's priming, one packet of AAC.
        assert abs(int(np.argmax(np.fft.irfft(spectrum))) - 1024) <= 1


@pytest.mark.data
def test_real_files_are_reached_by_seeking(shared_data):
    names = (
        "decord/flipping_a_pancake.mkv",
        "mmaction2/test.avi",
        "tiny-ucf101/abseiling_k400.mp4",
        "torchcodec/nasa_13013.mp4",
    )
    for name in names:
        path = shared_data / "decoder_clips" / name
        sought = read_audio(path, rate=16000, start=4.2, duration=1.0)
        begun = read_audio(path, rate=16000, start=4.2, duration=1.0, seek=False)
        assert sought.valid.all()
        assert np.abs(begun.samples).max() > 1e-3
        np.testing.assert_allclose(sought.samples, begun.samples, atol=0.02 * np.abs(begun.samples).max())

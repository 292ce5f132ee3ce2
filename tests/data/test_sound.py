"""What the scan says of the sound: silence and faint noise are told apart, whatever the codec."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from rich.console import Console

from kinema.data.video import probe as probing
from kinema.data.video.probe import probe
from kinema.data.video.scanning import scan
from kinema.data.video.sound import sound_facts
from kinema.data.video.summary import scan_table

RATE = 16000


def write(path, sound, codec="pcm_s16le", rate=RATE):
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.width = pictures.height = 32
        pictures.pix_fmt = "yuv420p"
        sound = np.atleast_2d(sound)
        layout = "mono" if len(sound) == 1 else "stereo"
        stream = container.add_stream(codec, rate=rate, layout=layout)
        packets = []
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number, dtype=np.uint8), format="rgb24")
            packets += pictures.encode(frame)
        packets += pictures.encode(None)
        for at in range(0, sound.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(sound[:, at : at + 1024].copy(), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
            packets += stream.encode(frame)
        for packet in packets + stream.encode(None):
            container.mux(packet)
    return path


def noise(peak, seconds=1):
    """Uniform noise that reaches its peak."""
    sound = np.random.default_rng(5).uniform(-1, 1, round(RATE * seconds)).astype(np.float32) * peak
    sound[1000] = peak
    return sound


@pytest.mark.parametrize(
    ("name", "codec"), [("v.avi", "pcm_s16le"), ("v.mkv", "flac"), ("v.mp4", "aac"), ("v.mkv", "libmp3lame")]
)
def test_silence_and_faint_noise_are_told_apart(tmp_path, name, codec):
    silent = probe(write(tmp_path / name, np.zeros(RATE, dtype=np.float32), codec))
    assert silent["audio_silent"] is True
    assert silent["audio_duration"] == pytest.approx(1, abs=0.08)
    faint = probe(write(tmp_path / name, noise(0.004), codec))
    assert faint["audio_silent"] is False


def test_the_threshold_is_sixty_decibels_below_full_scale(tmp_path):
    for peak, silent in ((0.0008, True), (0.0012, False)):
        assert sound_facts(write(tmp_path / "v.mkv", noise(peak), "pcm_f32le"), 1.0, 30.0, 4)["audio_silent"] is silent


def test_channels_that_cancel_out_are_not_silent(tmp_path):
    sound = noise(0.5)
    path = write(tmp_path / "v.mkv", np.stack([sound, -sound]), "pcm_f32le")
    assert sound_facts(path, 1.0, 30.0, 4)["audio_silent"] is False


def test_one_sound_at_the_very_end_is_heard(tmp_path):
    sound = np.zeros(RATE, dtype=np.float32)
    sound[-200] = 0.5
    assert probe(write(tmp_path / "v.avi", sound))["audio_silent"] is False


def test_of_a_long_file_pieces_are_listened_to(tmp_path):
    """Of 20 seconds, taken for a long file: pieces of 2 seconds at 0, 5, 10 and 15."""
    for second, silent in ((16.5, False), (18.0, True), (5.5, False), (8.0, True)):
        sound = np.zeros(20 * RATE, dtype=np.float32)
        sound[round(second * RATE) : round((second + 0.3) * RATE)] = 0.3
        facts = sound_facts(write(tmp_path / "v.avi", sound), 20.0, 10.0, 4)
        assert facts == {"audio_duration": pytest.approx(20.0), "audio_silent": silent}
        assert sound_facts(tmp_path / "v.avi", 20.0, 30.0, 4)["audio_silent"] is False


def test_in_the_manifest(make_video, tmp_path):
    make_video(tmp_path / "a_mute.mp4")
    make_video(tmp_path / "b_silent.mp4", audio=True)
    write(tmp_path / "c_loud.avi", noise(0.5, 1.5))
    manifest = scan(tmp_path)
    mute, silent, loud = manifest.videos
    assert (mute.audio_codec, mute.audio_silent, mute.audio_duration) == (None, None, 0.0)
    assert (silent.audio_codec, silent.audio_silent) == ("aac", True)
    assert (loud.audio_silent, loud.audio_duration) == (False, pytest.approx(1.5))
    console = Console(width=200, file=io.StringIO())
    console.print(scan_table(manifest))
    assert "2 with an audio stream, 1 of them silent" in console.file.getvalue()


def test_audio_that_cannot_be_decoded_is_not_called_silent(tmp_path):
    path = write(tmp_path / "v.mp4", noise(0.5), "aac")
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for place, size in places:
        content[place : place + size] = b"\xff" * size
    path.write_bytes(content)
    facts = probe(path)
    assert facts["audio_silent"] is None
    assert facts["health"] == "ok"


@pytest.mark.data
def test_real_sound(shared_data, monkeypatch):
    clip = next((shared_data / "grid_s1_av" / "clips_small").glob("*.mp4"))
    facts = probe(clip)
    assert (facts["audio_silent"], facts["audio_rate"]) == (False, 16000)
    assert facts["audio_duration"] == pytest.approx(3.0, abs=0.1)
    monkeypatch.setattr(probing, "WHOLE_SECONDS", 1.0)
    assert probe(clip)["audio_silent"] is False

"""Tables of what is heard: the same values as in an evaluation, nothing that nobody heard, and sounds as queries."""

import wave
from dataclasses import replace

import av
import numpy as np
import pytest
from searching_tables import from_centre, vectors_of
from sounding import RATE, tone, write_sounding
from sounding_runs import SOUND, TONES, write_tones

import kinema
from kinema.core.clips import ClipSpec
from kinema.core.errors import DataError, UsageError
from kinema.data import ClipStore
from kinema.data.clips.dataset import Clip, collate
from kinema.data.clips.reader import Model
from kinema.data.video.hearing import SCALE, UNHEARD, sound_file
from kinema.data.video.scanning import scan
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.searching import audio, database
from kinema.searching.query import read_query
from kinema.searching.schema import centre_of

CLIP = ClipSpec(frames=4, stride=1, size=16, short_side=16)


@pytest.fixture(scope="module")
def ears():
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tower = Tower("sound", EncoderConfig("slim", width=4, norm="batch"), HeadConfig(out=8))
    return Model(tower, "sound", CLIP, name="made", sound=SOUND)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = write_tones(tmp_path_factory.mktemp("tones") / "videos")
    write_sounding(root / "mute.mp4", None, seed=20)
    write_sounding(root / "silent.mkv", np.zeros(RATE, dtype=np.float32), seed=21)
    return root


@pytest.fixture(scope="module")
def made(ears, videos, lancedb):
    """Sound is read in blocks of less than a second here, so that stretches lie in two of them."""
    patch = pytest.MonkeyPatch()
    patch.setattr(audio, "BLOCK_SECONDS", 0.5)
    out = videos.parent / "index"
    done = kinema.embed(ears, videos, out=out, workers=1, batch_size=4, device="cpu")
    patch.undo()
    return done, database.require_table(str(out)), out


def test_windows_have_the_features_of_an_evaluation(made, ears, videos):
    done, table, _ = made
    manifest = scan([videos / name for name in TONES], workers=1)
    store = ClipStore(manifest, CLIP, motion=False, cache=None, sound=SOUND)
    whole, rows = vectors_of(table, "kind = 'video'")
    assert [row["video"] for row in rows] == list(TONES)
    given = ears.features(store, device="cpu").encoded
    np.testing.assert_allclose(whole, from_centre(given, centre_of(table)), atol=1e-6)
    windows, rows = vectors_of(table, "video = 'c.mkv' AND kind = 'window'")
    assert 5 < len(rows) < done.windows
    for vector, row in zip(windows, rows, strict=True):
        heard = collate([Clip(store.read(2, [row["frame"]]), 2, 0, -1)])
        expected = from_centre(ears.encode_clips(heard, device="cpu"), centre_of(table))[0]
        np.testing.assert_allclose(vector, expected, atol=1e-6)
        assert row["end"] - row["start"] == pytest.approx(5 / 25, abs=0.002)
        assert row["thumbnail"][:2] == b"\xff\xd8"
    assert np.abs(windows - windows[0]).max() > 0.01, "windows of a tone that swells differ"


def test_what_cannot_be_heard_is_named_and_has_no_row(made):
    done, table, _ = made
    assert done.failed == {"mute.mp4": "it has no sound", "silent.mkv": "its sound is silent"}
    assert (done.videos, done.added) == (4, 4)
    assert table.count_rows("video = 'mute.mp4' OR video = 'silent.mkv'") == 0


def test_windows_that_the_sound_does_not_cover_have_no_row(ears, videos, tmp_path, monkeypatch, lancedb):
    """The first half of a.mkv, all of b.mkv and nothing of c.mkv; d.mkv is silent though the scan heard it."""
    read = audio.read_sound

    def late(path, video, rate, first, samples):
        found, places = read(path, video, rate, first, samples), np.arange(first, first + samples)
        if video.path in ("a.mkv", "c.mkv"):
            found[places >= (0.6 * rate if video.path == "a.mkv" else 0)] = UNHEARD
        return np.where(found == UNHEARD, UNHEARD, 0).astype(np.int16) if video.path == "d.mkv" else found

    monkeypatch.setattr(audio, "read_sound", late)
    done = kinema.embed(ears, videos, out=tmp_path / "index", workers=1, device="cpu")
    assert "does not cover it" in done.failed["c.mkv"]
    assert "its sound is silent" in done.failed["d.mkv"]
    table = database.require_table(str(tmp_path / "index"))
    last = {name: max(r["start"] for r in vectors_of(table, f"video = '{name}'")[1]) for name in ("a.mkv", "b.mkv")}
    middle = 0.6 + SOUND.seconds / 2
    assert last["a.mkv"] + 0.1 <= middle < last["b.mkv"] + 0.1
    vectors, _ = vectors_of(table, "video = 'a.mkv' AND kind = 'window'")
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("ending", ["wav", "mp3", "flac", "m4a"])
def test_a_file_of_sound_finds_its_own_video(made, ears, tmp_path, ending):
    _, _, out = made
    for number, (name, hertz) in enumerate(list(TONES.items())[1:3], 1):
        file = _write(tmp_path / f"{number}.{ending}", tone(hertz, 1.2, number))
        known = sound_file(file)
        assert known.duration == pytest.approx(1.2, abs=0.1)
        found = kinema.search(ears, file, table=out, k=2, over="videos", device="cpu")
        assert found.hits[0].video == name
        assert found.hits[0].score > (0.999 if ending in ("wav", "flac") else 0.9)
        assert all(hit.score < found.hits[0].score - 0.05 for hit in found.hits[1:])
    assert kinema.search(ears, f"{file}@0.2-0.9", table=out, device="cpu").hits[0].video == name


def test_a_videos_own_sound_and_a_stretch_of_it(made, ears, videos):
    _, table, out = made
    for name in TONES:
        hit = kinema.search(ears, videos / name, table=out, k=1, over="videos", device="cpu").hits[0]
        assert (hit.video, hit.score) == (name, pytest.approx(1, abs=1e-5))
    vectors, rows = vectors_of(table, "video = 'b.mkv' AND kind = 'window'")
    row = rows[3]
    asked = read_query(
        ears, videos / "b.mkv", stretch=(row["start"], row["end"]), centre=centre_of(table), device="cpu"
    )
    np.testing.assert_allclose(asked.vector, vectors[3], atol=1e-6)


def test_queries_that_cannot_be_heard_are_refused(made, ears, videos, tmp_path):
    _, _, out = made
    told = {"table": out, "device": "cpu"}
    with pytest.raises(DataError, match=r"mute\.mp4' cannot be heard: it has no sound"):
        kinema.search(ears, videos / "mute.mp4", **told)
    with pytest.raises(DataError, match="cannot be heard: its sound is silent"):
        kinema.search(ears, _write(tmp_path / "nothing.wav", np.zeros(RATE, dtype=np.float32)), **told)
    shorter = Model(ears.tower, "sound", CLIP, name="made", sound=replace(SOUND, seconds=0.2))
    with pytest.raises(DataError, match=r"under other settings: clip is .*'seconds': 0.4.* there and .*'seconds': 0.2"):
        kinema.search(shorter, videos / "a.mkv", **told)
    (tmp_path / "notes.txt").write_text("neither")
    with pytest.raises(DataError, match="cannot be read"):
        kinema.search(ears, tmp_path / "notes.txt", **told)
    (tmp_path / "still.png").write_bytes(b"")
    with pytest.raises(UsageError, match="still picture, and this encoder hears"):
        kinema.search(ears, tmp_path / "still.png", **told)
    assert sound_file(videos / "a.mkv") is None, "it has moving pictures"


def test_none_that_can_be_heard_is_our_error(ears, videos, tmp_path, lancedb):
    with pytest.raises(DataError, match=r"None of the 1 videos could be embedded: 'mute.mp4' \(it has no sound\)"):
        kinema.embed(ears, scan([videos / "mute.mp4"], workers=1), out=tmp_path / "index", device="cpu")


def _write(path, sound):
    """Sound as a file without pictures."""
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1), file.setsampwidth(2), file.setframerate(RATE)
            file.writeframes((sound * SCALE).round().astype("<i2").tobytes())
        return path
    codec, kind = {".mp3": ("libmp3lame", "fltp"), ".flac": ("flac", "s16"), ".m4a": ("aac", "fltp")}[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        values = sound[None] if kind == "fltp" else (sound[None] * SCALE).round().astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values), format=kind, layout="mono")
        frame.sample_rate = RATE
        fifo = av.AudioFifo()
        fifo.write(frame)
        while (part := fifo.read(stream.codec_context.frame_size or 1024, partial=True)) is not None:
            part.pts = None
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path

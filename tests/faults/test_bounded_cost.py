"""What reading costs is bounded by settings, not by what a file claims or how long it is; and limits go by progress."""

import contextlib
import json
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from searching_tables import model_of
from sounding import RATE, tone, write_sounding
from tiny_runs import tiny_plan

import kinema
from kinema import cli
from kinema.core.clips import ClipSpec, SoundSpec
from kinema.core.errors import DataError, VideoError
from kinema.data import ClipStore, Manifest, decode, keyframes, read_audio, scan
from kinema.data import workers as workers_module
from kinema.data.clips import store_worker
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.cost import costs_of
from kinema.data.clips.dataset import Clip, collate, padding
from kinema.data.clips.sampler import evaluation_windows
from kinema.data.video import audio as audio_module
from kinema.data.video import hearing, reading
from kinema.data.video.files import reading_error
from kinema.data.video.fingerprint import fingerprint
from kinema.data.video.hearing import sound_missing, whole_stretch, with_sound
from kinema.data.video.limits import LONGEST, kept
from kinema.data.video.manifest import Video
from kinema.data.video.picture import motion_grid, output_size
from kinema.data.video.probe import probe
from kinema.data.video.rates import rates_of
from kinema.data.video.summary import SPAN, scan_json
from kinema.data.workers import may_pass, run_jobs
from kinema.recipes.sizes import small_plan
from kinema.recipes.table import METHODS
from kinema.searching.query import read_query
from kinema.searching.reading import read_clips

CLIP = ClipSpec(frames=4, stride=1, size=16, short_side=16)


def write(path, frames=24, size=(32, 32), fps=25, codec="libx264", seed=0, pix_fmt="yuv420p", **options):
    """A texture that moves down or to the right, along the longer side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    plane = np.random.default_rng(seed).integers(0, 256, (height // 2 + 8, width // 2 + 8, 3), dtype=np.uint8)
    plane = plane.repeat(2, 0).repeat(2, 1)
    options = {"preset": "ultrafast", "bf": "0", "g": "12", **options} if codec == "libx264" else options
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for number in range(frames):
            picture = np.ascontiguousarray(plane[number % 8 :, number % 8 :][:height, :width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def as_clip(windows):
    return Clip(windows, 0, 0, -1)


# Limits go by progress

WORKER = """
import time
from kinema.data.workers import progressed, serve
def answer(job):
    for _ in range(job["rounds"]):
        time.sleep(0.25)
        if job["tells"]:
            progressed()
    return {"did": job["rounds"]}
serve(answer)
"""


@pytest.fixture
def answers(tmp_path, monkeypatch):
    (tmp_path / "slow_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(kinema.__file__).parents[1]}")

    def run(*jobs, **limits):
        asked = [{"rounds": rounds, "tells": tells} for rounds, tells in jobs]
        found = dict(run_jobs("slow_worker", [[]], asked, lambda _, reason: {"lost": reason}, **limits))
        return [found[number] for number in range(len(jobs))]

    return run


def test_a_job_may_take_long_as_long_as_it_comes_on(answers):
    one, two = answers((14, True), (200, False), limit=2.0)
    assert one == {"did": 14}, "3.5 s, more than the limit"
    assert two == {"lost": "reading it made no progress for 2 s"}


def test_a_job_of_strangers_may_have_a_limit_in_all(answers):
    (one,) = answers((200, True), limit=60.0, whole=2.0)
    assert one == {"lost": "reading it took longer than 2 s"}


@pytest.mark.parametrize("reason", ["reading it made no progress for 180 s", "reading it took longer than 300 s"])
def test_what_ran_out_of_time_is_tried_again(reason):
    assert may_pass(reason)
    assert not may_pass("the process that read it ended early: SIGSEGV")


@pytest.fixture
def told(monkeypatch):
    """How often progress is told."""
    times = []
    monkeypatch.setattr(workers_module._telling, "progressed", lambda: times.append(1))
    return times


def test_all_that_reads_a_file_tells_its_progress(tmp_path, told):
    path = write_sounding(tmp_path / "v.mp4", tone(400, 2.0), frames=50, codec="aac", motion=(0, 0))
    (tmp_path / "store").mkdir()
    video = scan([path], workers=1).videos[0]
    sound = {"rate": RATE, "first": 0, "samples": RATE, "video": {"path": "v.mp4", "health": "ok", "duration": 2.0}}
    job = {"row": 0, "path": str(path), "size": video.size, "mtime_ns": video.mtime_ns, "sound": sound}

    def store():
        with contextlib.ExitStack() as files:
            written = [files.enter_context((tmp_path / name).open("ab")) for name in ("rgb", "motion", "sound")]
            return store_worker.store_video(job, 0, 16, False, *written)

    for read in (lambda: probe(path), lambda: fingerprint(path), store):
        reading.forget_packets()
        told.clear()
        read()
        assert len(told) >= 50, "a frame at least"
    told.clear()
    assert reading_error(path) is None
    assert told


# Memory does not grow with a video's length


@pytest.fixture(scope="module")
def lengths(tmp_path_factory):
    root = tmp_path_factory.mktemp("lengths")
    return scan([write(root / f"{frames}.mp4", frames, seed=frames) for frames in (120, 480)], workers=1)


def row_of(manifest, name):
    return [video.path for video in manifest.videos].index(name)


def alone(manifest, name, clip=CLIP, **about):
    """The clips of one video, from its file."""
    store = ClipStore(manifest, clip, cache=None, **{"motion": False, **about})
    return store.select([row_of(manifest, name)])


@pytest.mark.parametrize("view", ["rgb", "motion"])
@pytest.mark.parametrize("windows", ["coclr", "vcop"])
def test_a_long_video_is_encoded_a_batch_at_a_time_to_the_same_values(lengths, view, windows, monkeypatch):
    model, store = model_of(view), alone(lengths, "480.mp4", motion=view == "motion")
    once = model.features(store, batch_size=10_000, windows=windows, device="cpu").encoded
    seen, forward = [], model.tower.encoder.forward
    monkeypatch.setattr(model.tower.encoder, "forward", lambda x: seen.append(len(x)) or forward(x))
    parted = model.features(store, batch_size=8, windows=windows, device="cpu").encoded
    torch.testing.assert_close(parted, once)
    assert max(seen) == 8
    assert len(seen) == -(-len(evaluation_windows(480, CLIP, windows)) // 8)


def test_encode_is_bounded_by_its_batch_size(lengths, monkeypatch):
    model, seen = model_of(), []
    evaluate = model._transform.evaluate
    monkeypatch.setattr(model._transform, "evaluate", lambda raw: seen.append(len(raw)) or evaluate(raw))
    model.encode(lengths.file(row_of(lengths, "480.mp4")), batch_size=8, device="cpu")
    assert max(seen) == 8


def test_what_is_held_of_a_video_is_a_batch(lengths):
    clip, peaks = replace(CLIP, short_side=48), []
    model = model_of(clip=clip)
    for name in ("120.mp4", "480.mp4"):
        store = alone(lengths, name, clip)
        tracemalloc.start()
        model.features(store, batch_size=8, device="cpu")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    pixels = 360 * 48 * 48 * 3
    assert peaks[1] - peaks[0] < pixels / 8, "the pixels of the longer one's further frames are not held"


@pytest.mark.parametrize("health", ["ok", "partial"])
@pytest.mark.parametrize("cached", [True, False])
def test_parts_of_a_video_are_what_is_read_at_once(lengths, tmp_path, health, cached):
    manifest = replace(lengths, videos=(replace(lengths.videos[row_of(lengths, "120.mp4")], health=health),))
    spec = replace(CLIP, stride=3)
    store = ClipStore(manifest, spec, motion=True, cache=tmp_path / "cache" if cached else None)
    starts = evaluation_windows(120, spec)
    once, parts = store.read(0, starts), list(store.read_parts(0, starts, 3))
    assert [len(part.frames) for part in parts] == [3] * (len(starts) // 3) + [len(starts) % 3] * (len(starts) % 3 > 0)
    for name in ("frames", "motion", "motion_valid"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(once, name))


def test_a_still_of_a_long_video_is_the_mean_of_all_its_windows(lengths):
    model = model_of()
    store = alone(lengths, "120.mp4")
    once, parted = (model.features(store, batch_size=size, still=True, device="cpu") for size in (10_000, 4))
    torch.testing.assert_close(parted.encoded, once.encoded)


def test_a_long_video_that_breaks_in_the_middle_leaves_nothing_behind(lengths, monkeypatch):
    store = ClipStore(lengths, CLIP, motion=False, cache=None)
    model, reads, once = model_of(), store.read_parts, store.read
    rows = {video.path: row for row, video in enumerate(store.manifest.videos)}

    def breaking(row, *arguments, **settings):
        for number, part in enumerate(reads(row, *arguments, **settings)):
            if row == rows["480.mp4"] and number == 2:
                raise VideoError("'480.mp4' ends here.")
            yield part

    def broken(row, *arguments, **settings):
        if row == rows["480.mp4"]:
            raise VideoError("'480.mp4' ends here.")
        return once(row, *arguments, **settings)

    monkeypatch.setattr(store, "read_parts", breaking)
    monkeypatch.setattr(store, "read", broken)
    parted, whole = (
        model.features(store, batch_size=size, failures_allowed=0.5, device="cpu").encoded for size in (4, 10_000)
    )
    torch.testing.assert_close(parted, whole)
    with pytest.raises(DataError, match="ends here"):
        model.features(store, batch_size=4, device="cpu")


# Pictures have declared bounds


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A clip as narrow as a thread, one as flat, and two usual ones."""
    root = tmp_path_factory.mktemp("odd")
    write(root / "flat.mp4", 12, (16000, 2), seed=1)
    write(root / "thread.mp4", 12, (2, 16000), seed=2)
    write(root / "usual.mp4", 24, (64, 36), seed=3)
    write(root / "usual2.mp4", 24, (36, 64), seed=4)
    return root


@pytest.fixture(scope="module")
def odd_manifest(odd):
    return scan(odd, workers=1)


def test_the_longer_side_is_bounded_and_the_middle_is_what_is_kept():
    assert kept(2, 16000) == (2, 8)
    assert kept(1080, 1920) == (1080, 1920)
    for short in (16, 36, 150):
        for height, width in ((2, 16000), (16000, 2), (7, 4001), (1080, 1920), (500, 2001)):
            size = output_size(height, width, short)
            assert min(size) == short
            assert max(size) <= LONGEST * short
            assert max(motion_grid(height, width, short)[:2]) <= LONGEST * short
    assert output_size(16000, 2, None) == (16000, 2), "what is not scaled stays"


def test_what_is_kept_is_the_middle(tmp_path):
    path = write(tmp_path / "wide.mp4", 4, (400, 40))
    whole, cut = (decode(path, short_side=short, motion=True) for short in (None, 40))
    assert cut.frames.shape == (4, 40, 160, 3)
    begin = (400 - 160) // 2
    assert np.abs(cut.frames.astype(int) - whole.frames[:, :, begin : begin + 160]).mean() < 1
    assert cut.source_size == (40, 160)
    cells = begin // 4
    factor = motion_grid(40, 400, 40)[2]
    assert factor == 1
    np.testing.assert_array_equal(cut.motion, whole.motion[:, :, cells : cells + 40])
    np.testing.assert_array_equal(keyframes(path, short_side=40)[0][0], cut.frames[0])


@pytest.mark.parametrize("name", ["flat.mp4", "thread.mp4"])
def test_every_reader_gives_the_same_middle(odd, odd_manifest, tmp_path, name):
    row, spec = row_of(odd_manifest, name), CLIP
    stores = [ClipStore(odd_manifest, spec, motion=True, cache=cache) for cache in (None, tmp_path / "cache")]
    for store in stores:
        assert store.bytes < 1e6
    files, cached = (store.read(row, (0, 7)) for store in stores)
    for field in ("frames", "motion", "motion_valid"):
        np.testing.assert_array_equal(getattr(files, field), getattr(cached, field))
    (chunk,) = read_clips(odd / name, 12, spec, (0, 7), motion=True)
    np.testing.assert_array_equal(chunk.raw.frames[0], files.frames)
    assert sorted(files.frames.shape[2:4]) == [16, 64]


def test_padding_a_thread_beside_a_flat_one_stays_small(odd_manifest):
    store = ClipStore(odd_manifest, CLIP, motion=False, cache=None)
    raw = collate([as_clip(store.read(row, (0,))) for row in range(len(odd_manifest))])
    assert raw.frames.shape[3:5] == (64, 64)
    assert padding([store.size_of(row) for row in range(2)]) > 2


def test_clips_of_odd_shapes_are_not_padded_to_one_another_where_they_are_measured(odd_manifest, monkeypatch):
    model, seen = model_of(), []
    evaluate = model._transform.evaluate
    monkeypatch.setattr(model._transform, "evaluate", lambda raw: seen.append(raw.frames.shape[3:5]) or evaluate(raw))
    store = ClipStore(odd_manifest, CLIP, motion=False, cache=None)
    together = model.features(store, device="cpu").encoded
    assert (64, 64) not in seen
    single = [model.features(store.select([row]), device="cpu").encoded[0] for row in range(len(odd_manifest))]
    torch.testing.assert_close(together, torch.stack(single))


def test_a_clip_that_is_cut_is_named_everywhere(odd, odd_manifest, caplog, capsys):
    named = "'flat.mp4' (16000 x 2)", "'thread.mp4' (2 x 16000)"
    told = scan_json(odd_manifest, 0.0)
    assert told["cut"] == ["flat.mp4", "thread.mp4"]
    assert all(name in told["warnings"][0] for name in named)
    store = ClipStore(odd_manifest, CLIP, motion=False, cache=None)
    assert all(name in caplog.text for name in named)
    cost = "\n".join(costs_of(store))
    assert all(name in cost for name in named)
    assert "padded to their largest clips: up to 64 x 64 pixels" in cost
    query = read_query(model_of(), odd / "thread.mp4", device="cpu")
    assert named[1] in query.note
    with pytest.raises(SystemExit) as left:
        cli.main(["scan", str(odd)])
    assert left.value.code == 0
    assert "only the middle is used" in " ".join(capsys.readouterr().out.split())


def test_an_upload_that_is_a_thread_takes_little(odd):
    from kinema.serving.checking import look

    facts = look(odd / "thread.mp4")
    video = Video(**{**facts, "path": "thread.mp4", "keyframes": tuple(facts["keyframes"])})
    tracemalloc.start()
    read_query(model_of(), odd / "thread.mp4", known=lambda _: video, device="cpu")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6, "36 x 288000 pixels, scaled, are 31 MB a frame"


@pytest.fixture(scope="module")
def vast(tmp_path_factory):
    """A small file of one picture that is larger than what is decoded, and a usual one."""
    root = tmp_path_factory.mktemp("vast")
    with av.open(str(root / "vast.mov"), "w") as out:
        stream = out.add_stream("png", rate=25, options={"pred": "none"})
        stream.width = stream.height = 8200
        stream.pix_fmt = "gray"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((8200, 8200), np.uint8), format="gray")))
        out.mux(stream.encode(None))
    write(root / "usual.mp4")
    return root


def test_a_picture_that_is_too_large_is_left_out_and_named(vast):
    manifest = scan(vast, workers=1)
    row = row_of(manifest, "vast.mov")
    assert (vast / "vast.mov").stat().st_size < 1e6
    assert manifest.videos[row].health == "unreadable"
    assert manifest.videos[row].reason.startswith("its pictures have 8200 x 8200 pixels, more than the 67,108,864")
    told = scan_json(manifest, 0.0)
    assert told["too_large"] == ["vast.mov"]
    assert "'vast.mov' (its pictures have 8200 x 8200 pixels" in told["warnings"][0]
    store = ClipStore(manifest, CLIP, motion=False, cache=None)
    assert "1 of 2 videos cannot be decoded and are left out: 'vast.mov' (its pictures" in costs_of(store)[0]
    file = vast / "vast.mov"
    for refused in (lambda: decode(file, short_side=16, motion=False), lambda: fingerprint(file)):
        with pytest.raises(VideoError, match="8200 x 8200 pixels"):
            refused()
    with pytest.raises(DataError, match="8200 x 8200 pixels"):
        model_of().encode(vast / "vast.mov")
    with pytest.raises(DataError, match="8200 x 8200 pixels"):
        read_query(model_of(), vast / "vast.mov")


def test_decoders_themselves_refuse_what_a_stream_claims_as_it_goes_on(vast, monkeypatch):
    monkeypatch.setattr(reading, "_BOUNDED", {"max_pixels": "1000"})
    for motion in (False, True):
        with pytest.raises(VideoError, match="no frame could be decoded"):
            decode(vast / "usual.mp4", short_side=16, motion=motion)


# Sound


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """A video whose sound claims a thousand million samples a second."""
    path = tmp_path_factory.mktemp("fast") / "fast.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = out.add_stream("pcm_s16le", rate=10**9, layout="mono")
        for number in range(25):
            picture = np.full((32, 32, 3), 10 * number, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
        noise = np.random.default_rng(0).integers(-9000, 9000, (1, 1024)).astype(np.int16)
        piece = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        piece.sample_rate = 10**9
        out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


def test_a_rate_that_cannot_be_is_refused_with_a_sentence(fast):
    manifest = scan([fast], workers=1)
    assert manifest.videos[0].health == "ok", "its pictures are whole"
    with pytest.raises(VideoError, match="claims 1,000,000,000 samples a second, more than 768,000"):
        read_audio(fast, rate=16000, start=0, duration=1)
    assert "1,000,000,000" in sound_missing(manifest.videos[0])
    with pytest.raises(DataError, match="1,000,000,000"):
        with_sound(manifest)


def test_the_sound_of_a_long_video_is_stored_in_blocks(tmp_path, monkeypatch):
    sound = tone(300, 6.0)
    path = write_sounding(tmp_path / "long.mkv", sound, frames=150, motion=(0, 0))
    manifest = scan([path], workers=1)
    spec = SoundSpec()
    first, samples = whole_stretch(manifest.videos[0], spec)
    once = list(hearing.whole_sound(path, manifest.videos[0], spec.rate, first, samples))
    monkeypatch.setattr(hearing, "BLOCK_SECONDS", 1.0)
    parts = list(hearing.whole_sound(path, manifest.videos[0], spec.rate, first, samples))
    assert len(once) == 1
    assert max(map(len, parts)) == spec.rate
    np.testing.assert_array_equal(np.concatenate(parts), once[0])


def test_more_sound_than_memory_holds_is_refused(tmp_path, monkeypatch):
    path = write_sounding(tmp_path / "v.mkv", tone(300, 2.0), frames=50, motion=(0, 0))
    monkeypatch.setattr(audio_module, "MOST_SAMPLES", 20_000)
    assert len(read_audio(path, rate=16000, duration=1.0)) == 16000
    with pytest.raises(VideoError, match="hours of sound"):
        read_audio(path, rate=16000)


def test_a_file_of_many_streams_is_read_soon(tmp_path):
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sounds = [out.add_stream("pcm_s16le", rate=16000, layout="mono") for _ in range(900)]
        for number in range(25):
            picture = np.full((32, 32, 3), 10 * number, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
        for sound in sounds:
            piece = av.AudioFrame.from_ndarray(np.full((1, 1024), 900, np.int16), format="s16", layout="mono")
            piece.sample_rate = 16000
            out.mux(sound.encode(piece))
    began = time.monotonic()
    found = probe(path)
    assert (found["health"], found["frames"], found["audio_silent"]) == ("ok", 25, False)
    assert len(read_audio(path, rate=16000, duration=0.05)) == 800
    assert time.monotonic() - began < 20


# Rates


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    root = tmp_path_factory.mktemp("mixed")
    for rate in (8, 25, 240):
        write(root / f"r{rate}.mp4", 40, fps=rate, seed=rate)
    return root


def test_mixed_rates_are_reported_with_the_time_of_a_clip(mixed, capsys, caplog):
    for arguments in (["--json"], []):
        with pytest.raises(SystemExit) as left:
            cli.main(["scan", str(mixed), *arguments])
        assert left.value.code == 0
        told = capsys.readouterr().out
        if arguments:
            rates = json.loads(told)["rates"]
            assert (rates["lowest"], rates["highest"], rates["mixed"]) == (8, 240, True)
            assert rates["clip_seconds"] == {"shortest": 33 / 240, "longest": 33 / 8}
            assert "4.1 s in the slowest" in json.loads(told)["warnings"][0]
        else:
            assert "lasts from 0.14 s in the fastest to 4.1 s in the slowest" in " ".join(told.split())
    config = ClipsConfig(clip=CLIP)
    loaded = config.load(config.open(mixed), [METHODS["moco"].config().needs], cache=None)
    assert "one of this run, of 5 frames, lasts from 0.021 s" in caplog.text
    assert "of this run" in loaded.cost(mixed / "cache").notes[0]


@pytest.mark.parametrize(("rates", "mixed"), [((24, 30), False), ((25, 50), True), ((25, 25), False), ((), False)])
def test_what_counts_as_mixed(rates, mixed):
    found = rates_of([Video(f"{rate}", fps=rate) for rate in rates])
    assert (found is not None and found.mixed) is mixed
    videos = tuple(Video(f"{number}", fps=rate, width=8, height=8) for number, rate in enumerate(rates))
    assert bool(scan_json(Manifest(Path(), videos), 0.0)["warnings"]) is mixed


def test_the_scan_speaks_of_the_clip_of_the_preset_small():
    assert small_plan(METHODS["moco"].config()).data.clip.span == SPAN


# The dry run knows


def test_a_dry_run_names_what_is_left_out_cut_and_padded(odd, vast, tmp_path):
    folder = tmp_path / "both"
    folder.mkdir()
    for source in (odd / "flat.mp4", odd / "thread.mp4", odd / "usual.mp4", vast / "vast.mov"):
        (folder / source.name).write_bytes(source.read_bytes())
    plan = tiny_plan("moco", batch_size=2)
    found = kinema.dry_run(plan, folder, tmp_path / "run", cache=tmp_path / "cache", device="cpu")
    notes = "\n".join(found.plain()["notes"])
    assert "1 of 4 videos cannot be decoded and are left out: 'vast.mov' (its pictures have 8200 x 8200" in notes
    assert "Of 2 videos whose longer side is more than 4 times the shorter one only the middle is used" in notes
    assert "padded to their largest clips" in notes

"""One value does not stand for a whole file or archive: times, tracks, sizes, fields, folders that move, pictures."""

import json
import shutil
import unicodedata
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from searching_tables import CLIP, model_of

import kinema
from kinema.api import duplicates
from kinema.core.errors import DataError
from kinema.data import Manifest, decode, scan
from kinema.data.clips.store import ClipStore
from kinema.data.layouts.opening import open_data, root_of
from kinema.data.video.fingerprint import fingerprint
from kinema.data.video.keyframe import keyframes
from kinema.data.video.pieces import decode_pieces
from kinema.data.video.reading import packet_table
from kinema.data.video.scanning import read_videos
from kinema.data.video.timeline import Timeline, varying
from kinema.searching import database
from kinema.searching.query import read_query
from kinema.searching.schema import centre_of
from kinema.searching.windows import Length, WindowSpec

BASE = Fraction(1, 90000)


@pytest.fixture
def call(call):
    """The same, with what is said to people on one line."""

    def run(*arguments):
        status, out, err = call(*arguments)
        return status, out, " ".join(err.split())

    return run


def plane(seed, size=64):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)


def view(of, x, y, height=32, width=32):
    return np.ascontiguousarray(of[y : y + height, x : x + width])


def add_track(out, pictures, *, codec="libx264", rate=25, options=None, default=True):
    """A track and its packets; PyAV writes the tracks of a file once all are made."""
    stream = out.add_stream(codec, rate=rate, options=options or {})
    stream.height, stream.width = pictures[0].shape[:2]
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.disposition = av.stream.Disposition.default if default else av.stream.Disposition(0)
    return stream, pictures


def write(path, *tracks):
    """Tracks of (pictures, settings of :func:`add_track`) into one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        made = [add_track(out, pictures, **settings) for pictures, settings in tracks]
        for stream, pictures in made:
            for picture in pictures:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode(None))
    return path


def write_timed(path, times):
    """A file whose frames are shown at these times: what moves is another thing after each pause."""
    part = np.cumsum(np.diff(times, prepend=0) > 0.2)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=90000, options={"bf": "0", "crf": "20"})
        stream.width = stream.height = 32
        stream.pix_fmt, stream.time_base, stream.codec_context.time_base = "yuv420p", BASE, BASE
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(view(plane(int(part[number])), 2 * number % 400, 40), format="rgb24")
            frame.pts, frame.time_base = round(time * 90000), BASE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


# Times


@pytest.fixture(scope="module")
def talk_times():
    """Two seconds at 30 frames a second, five at 2, two at 30 again: a call in which a slide stands."""
    return [*(n / 30 for n in range(60)), *(2 + n / 2 for n in range(10)), *(7 + n / 30 for n in range(60))]


@pytest.fixture(scope="module")
def talk(tmp_path_factory, talk_times):
    return write_timed(tmp_path_factory.mktemp("talk") / "talk.mp4", talk_times)


@pytest.fixture(scope="module")
def model():
    return model_of()


def test_a_stretch_is_what_a_player_shows_then(model, talk, talk_times):
    asked = read_query(model, f"{talk}@7.5-8.5")
    assert (asked.start, asked.end) == pytest.approx((7.5, 8.5), abs=1e-4)
    line = Timeline.of(talk, scan([talk], workers=1).videos[0])
    assert (line.first_at(7.5), line.end_at(8.5)) == (85, 115)
    assert line.times == pytest.approx(talk_times, abs=1e-4)
    shown = decode(talk, short_side=16, motion=False, start=85, stop=115).times
    assert shown[0] == pytest.approx(7.5, abs=1e-4)
    whole = read_query(model, talk)
    assert not np.allclose(asked.vector, whole.vector, atol=1e-3)


def test_every_hit_pasted_back_finds_itself(model, talk, tmp_path):
    pytest.importorskip("lancedb")
    made = kinema.embed(model, talk.parent, out=tmp_path / "t", length="1s", workers=1)
    table = database.require_table(str(tmp_path / "t"))
    rows = table.search().where("kind = 'window'").to_arrow().to_pylist()
    known = scan([talk], workers=1).videos[0]
    assert made.windows == len(rows) > 12
    for row in rows:
        hit = f"{talk}@{row['start']:.2f}-{row['end']:.2f}"
        asked = read_query(model, hit, known=lambda _: known, centre=centre_of(table))
        assert (asked.start, asked.end) == pytest.approx((row["start"], row["end"]), abs=1e-5)
        assert float(asked.vector @ np.asarray(row["vector"])) > 0.99999
    for row in rows:  # a window is a second long, but where a clip needs more frames
        assert row["end"] - row["start"] == pytest.approx(1, abs=0.04) or row["frames"] == CLIP.span
    found = kinema.search(model, f"{talk}@7.5-8.5", k=1, table=tmp_path / "t").hits[0]
    assert found.start < 8.5
    assert found.end > 7.5


def test_times_that_are_rounded_mean_the_frame_that_they_are_of():
    draw = np.random.default_rng(0)
    for _ in range(60):
        count = int(draw.integers(3, 80))
        times = np.concatenate([[0], np.cumsum(draw.choice([1 / 60, 1 / 30, 0.5, 40], count - 1))]).tolist()
        line = Timeline((count - 1) / times[-1], count, tuple(times))
        for _ in range(10):
            first = int(draw.integers(0, count - 1))
            frames = int(draw.integers(1, count - first + 1))
            start, end = (round(each, 2) for each in line.seconds((first, frames)))
            assert (line.first_at(start), line.end_at(end)) == (first, first + frames)
        cut = WindowSpec(Length(2, "s"), None).cut(count, line.fps, CLIP, line.times)
        assert cut[-1][0] + cut[-1][1] == count
        assert len(set(cut)) == len(cut)


def test_a_picture_that_stands_is_what_is_shown_meanwhile():
    line = Timeline(0.2, 3, (0.0, 10.0, 20.0))
    assert (line.first_at(5), line.end_at(7)) == (0, 1)
    assert line.first_at(30) == 3


def test_constant_rates_are_read_as_before(model, tmp_path):
    file = write(tmp_path / "even.mkv", ([view(plane(0), n, 0) for n in range(60)], {"rate": Fraction(30000, 1001)}))
    video = scan([file], workers=1).videos[0]
    line = Timeline.of(file, video)
    assert not video.variable_fps
    assert line.times == ()  # Matroska rounds to milliseconds
    asked = read_query(model, f"{file}@0.5-1.25")
    first, last = round(0.5 * video.fps), round(1.25 * video.fps)
    assert (asked.start, asked.end) == (first / video.fps, last / video.fps)


def test_small_differences_that_add_up_are_a_variable_rate(tmp_path):
    times = [*(n / 30 for n in range(90)), *(3 + n / 28 for n in range(90))]
    file = write_timed(tmp_path / "drift.mp4", times)
    video = scan([file], workers=1).videos[0]
    assert video.variable_fps
    assert Timeline.of(file, video).first_at(3) == 90
    assert varying([n / 29 for n in range(180)], 29) == ()


def test_a_slide_that_stands_takes_its_time_in_a_fingerprint(tmp_path):
    file = write_timed(tmp_path / "slide.mp4", [0, 0.1, 5.1, 5.2, 12.2, 12.3])
    assert len(fingerprint(file)) == 124


# Tracks


def moving(count=25, height=96, width=128):
    return [view(plane(3), 2 * n, n, height, width) for n in range(count)]


def black(count=25, height=48, width=64):
    return [np.zeros((height, width, 3), dtype=np.uint8)] * count


TRACKS = {
    "a preview of two pictures": ("a.mov", (black(2), {"codec": "mjpeg"}), (moving(), {"default": False})),
    "a thumbnail of the same size": ("b.mkv", (black(1, 96, 128), {"codec": "mjpeg"}), (moving(), {"default": False})),
    "a black film, not the default": ("c.mkv", (black(25, 96, 128), {"default": False}), (moving(), {})),
    "a small black film, the default": ("d.mkv", (black(25, 32, 32), {}), (moving(), {"default": False})),
    "two, none the default": ("e.mkv", (black(), {"default": False}), (moving(), {"default": False})),
    "the video comes first": ("f.mkv", (moving(), {}), (black(), {})),
}


@pytest.mark.parametrize("case", TRACKS)
def test_the_same_track_is_read_by_every_verb_and_the_scan_says_which(tmp_path, case):
    name, *tracks = TRACKS[case]
    file = write(tmp_path / name, *tracks)
    video = scan([file], workers=1).videos[0]
    assert (video.health, video.width, video.height, video.frames, video.codec) == ("ok", 128, 96, 25, "h264")
    number = 1 + [len(pictures) == 25 and pictures[0].any() for pictures, _ in tracks].index(True)
    assert f"video track {number} of 2 is read" in video.note
    assert decode(file, short_side=48, motion=False).frames.mean() > 60
    assert decode_pieces(file, pixels=[20], short_side=48).pixels[20].mean() > 60
    assert keyframes(file, short_side=48)[0].mean() > 60
    assert fingerprint(file).mean() > 60
    assert len(packet_table(file).shown()) == 25


def test_of_two_default_tracks_the_larger_one_is_read(tmp_path):
    file = write(tmp_path / "x.mp4", (black(), {}), (moving(), {}))
    assert scan([file], workers=1).videos[0].width == 128


# The picture's size


def test_a_change_of_size_is_reported_and_each_part_keeps_its_shape(tmp_path):
    square = np.zeros((96, 96, 3), dtype=np.uint8)
    square[24:72, 24:72] = 255  # a white square stays a square
    wide, high = np.zeros((96, 192, 3), dtype=np.uint8), np.zeros((192, 96, 3), dtype=np.uint8)
    wide[:, 48:144], high[48:144] = square, square
    parts = [
        write(tmp_path / f"{n}.ts", ([picture] * 25, {"options": {"bf": "0", "g": "5"}}))
        for n, picture in enumerate((wide, high))
    ]
    file = tmp_path / "call.ts"
    file.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = scan([file], workers=1).videos[0]
    assert "the size of the picture changes: 192x96, 96x192" in video.note
    whole = decode(file, short_side=96, motion=True)
    assert whole.frames.shape[1:] == (96, 192, 3)
    for number in (5, len(whole) - 5):
        lit = whole.frames[number, ..., 1] > 128
        rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
        assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)
    assert whole.motion_valid is not None
    assert not whole.motion_valid[-20:].any()
    # Wherever reading begins, a frame is the same.
    late = decode(file, short_side=96, motion=False, start=len(whole) - 8)
    assert (late.frames == whole.frames[-8:]).all()
    one = decode_pieces(file, pixels=[len(whole) - 3], short_side=96).pixels[len(whole) - 3]
    assert (one == whole.frames[-3]).all()


# Fields


def fields(count=16, height=96, width=128):
    """Frames of two fields each; what is seen moves by (3, -2) a field, so by (6, -4) a frame."""
    smooth = np.asarray(Image.fromarray(plane(5)[::8, ::8]).resize((512, 512), Image.Resampling.BICUBIC))
    at = [view(smooth, 240 - 3 * n, 100 + 2 * n, height, width) for n in range(2 * count)]
    frames = [one.copy() for one in at[::2]]
    for frame, other in zip(frames, at[1::2], strict=True):
        frame[1::2] = other[1::2]
    return frames


def combs(frames):
    """How much a line differs from the mean of those above and below it, beside lines two apart."""
    lines = np.asarray(frames, dtype=np.float64).mean(-1)
    off = np.abs(lines[:, 1:-1] - (lines[:, :-2] + lines[:, 2:]) / 2).mean()
    return off / np.abs(lines[:, 2:] - lines[:, :-2]).mean()


H264 = {"bf": "0", "refs": "1", "crf": "16", "x264-params": "tff=1"}
MPEG2 = {"flags": "+ilme+ildct", "bf": "0", "g": "50", "b": "4000000"}


@pytest.fixture(scope="module")
def interlaced(tmp_path_factory):
    root = tmp_path_factory.mktemp("fields")
    write(root / "avchd.ts", (fields(), {"options": H264}))
    write(root / "dvd.mpg", (fields(), {"codec": "mpeg2video", "options": MPEG2}))
    with av.open(str(root / "avchd.ts")) as opened:
        if not next(opened.decode(video=0)).interlaced_frame:
            pytest.skip("this build of x264 writes no interlaced video")
    return root


def test_interlaced_video_is_reported_and_its_frames_are_not_combed(interlaced):
    videos = {video.path: video for video in scan(interlaced, workers=1).videos}
    assert all(video.interlaced for video in videos.values())
    assert "it is interlaced: one field of each frame is read" in videos["dvd.mpg"].note
    assert "motion vectors of fields are not used" in videos["avchd.ts"].note
    assert combs(fields()) > 0.8
    for name in videos:
        read = decode(interlaced / name, short_side=None, motion=False)
        assert read.frames.shape[1:] == (96, 128, 3)
        assert combs(read.frames) < 0.4
        late = decode(interlaced / name, short_side=None, motion=False, start=9)
        assert (late.frames == read.frames[9:]).all()


def test_vectors_of_fields_are_right_or_not_valid(interlaced):
    for name in ("avchd.ts", "dvd.mpg"):
        read = decode(interlaced / name, short_side=None, motion=True)
        vectors = read.motion[2:][read.motion_valid[2:]] / 16
        assert not len(vectors) or np.abs(np.median(vectors, axis=0) - (6, -4)).max() < 0.6, name
    assert not decode(interlaced / "avchd.ts", short_side=None, motion=True).motion_valid.any()


def test_a_store_of_motion_says_that_vectors_of_fields_are_unknown(interlaced, caplog):
    manifest = scan([interlaced / "avchd.ts"], workers=1)
    ClipStore(manifest, CLIP, motion=True, cache=None)
    assert "interlaced H.264" in caplog.text


def test_progressive_video_is_not_touched(tmp_path, make_tiny_video):
    make_tiny_video(tmp_path / "a.mp4", (2, 0), seed=1)
    video = scan(tmp_path, workers=1).videos[0]
    assert (video.interlaced, video.note) == (False, "")


def test_what_an_earlier_scan_could_not_say_is_looked_up_again(tmp_path, make_tiny_video):
    from dataclasses import replace

    make_tiny_video(tmp_path / "a.mp4", (2, 0), seed=1)
    found = scan(tmp_path, workers=1)
    old = replace(found, videos=(replace(found.videos[0], probed=0, codec="old"),))
    assert read_videos(tmp_path, ["a.mp4"], workers=1, previous=old)[0].codec == "h264"
    same = replace(found, videos=(replace(found.videos[0], codec="kept"),))
    assert read_videos(tmp_path, ["a.mp4"], workers=1, previous=same)[0].codec == "kept"


# Names, and films of kinema's own


def test_a_query_is_found_however_its_accents_are_composed(model, tmp_path, make_tiny_video):
    stored, written = (unicodedata.normalize(form, "été") for form in ("NFD", "NFC"))
    make_tiny_video(tmp_path / stored / f"{stored}.mp4", (2, 0), seed=1)
    plain = read_query(model, tmp_path / stored / f"{stored}.mp4").vector
    assert (read_query(model, tmp_path / written / f"{written}.mp4").vector == plain).all()
    assert read_query(model, f"{tmp_path / written / written}.mp4@0-0.5").end == 0.48
    with pytest.raises(DataError, match="There is no"):
        read_query(model, tmp_path / written / "ete.mp4")


def test_a_film_that_kinema_drew_into_the_folder_is_known(call, tmp_path, make_tiny_video):
    make_tiny_video(tmp_path / "a.mp4", (2, 0), seed=1)
    assert call("motion", tmp_path / "a.mp4", "-o", tmp_path / "motion.mp4")[0] == 0
    notes = {video.path: video.note for video in scan(tmp_path, workers=1).videos}
    assert notes == {"a.mp4": "", "motion.mp4": "it was drawn by kinema motion"}


# Folders that move


@pytest.fixture
def archive(tmp_path, make_tiny_video, model):
    """A run's folder with a table, and the videos of it beside."""
    pytest.importorskip("lancedb")
    for number in range(4):
        make_tiny_video(tmp_path / "old/videos/a" / f"{number}.mp4", (2 - number, 1), seed=number)
    kinema.export(model, tmp_path / "old/run", licence="CC0")
    kinema.embed(model, tmp_path / "old/videos", out=tmp_path / "old/run/index", workers=1)
    return tmp_path / "old"


def hits(call, *arguments):
    code, out, err = call("search", *arguments, "--json")
    assert code == 0, err
    return [hit["video"] for hit in json.loads(out)["hits"]], err


def test_the_own_video_is_left_out_after_the_folder_moved(call, archive, tmp_path):
    shutil.move(archive / "videos", tmp_path / "new")
    for more in ([], ["--videos", tmp_path / "new"]):
        found, err = hits(call, archive / "run", tmp_path / "new/a/1.mp4", "--others", "-k", 3, *more)
        assert found
        assert "a/1.mp4" not in found
        assert not err
    shutil.copy(tmp_path / "new/a/1.mp4", tmp_path / "other.mp4")
    _, err = hits(call, archive / "run", tmp_path / "other.mp4", "--others", "-k", 1)
    assert "there is no such folder now" in err
    assert "--videos" in err


def test_an_archive_that_moves_with_its_table_is_found_beside_it(call, archive, tmp_path):
    shutil.move(archive, tmp_path / "new")
    found, err = hits(call, tmp_path / "new/run", tmp_path / "new/videos/a/2.mp4", "--others", "-k", 3)
    assert "a/2.mp4" not in found
    assert not err
    code, out, _ = call("dedupe", tmp_path / "new/run", "--score", "0.1", "--json")
    assert code == 0
    assert json.loads(out)["unreadable"] == []


def test_what_cannot_be_found_is_a_sentence_and_a_wrong_folder_is_refused(call, archive, tmp_path):
    shutil.move(archive / "videos", tmp_path / "new")
    code, _, err = call("dedupe", archive / "run", "--score", "0.1")
    assert code == 1
    assert "there is no such folder now" in err
    (tmp_path / "empty").mkdir()
    code, _, err = call("dedupe", archive / "run", "--score", "0.1", "--videos", tmp_path / "empty")
    assert code == 1
    assert "holds none of the table's videos" in err
    assert call("dedupe", archive / "run", "--score", "0.1", "--videos", tmp_path / "new", "--json")[0] == 0


def test_the_server_reads_the_folder_that_it_is_given(archive, tmp_path, model):
    testing = pytest.importorskip("fastapi.testclient")
    from kinema import serving

    shutil.move(archive / "videos", tmp_path / "new")
    made = serving.app(model, table=archive / "run/index", videos=tmp_path / "new")
    with testing.TestClient(made, base_url="http://127.0.0.1") as asked:
        video = asked.get("/api/videos").json()["videos"][0]["id"]
        assert asked.get(f"/api/videos/{video}/file").status_code == 200
    with pytest.raises(DataError, match="holds none"):
        serving.app(model, table=archive / "run/index", videos=tmp_path)


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_a_manifest_is_read_where_its_videos_are_now(tmp_path, make_tiny_video, ending):
    for number in range(2):
        make_tiny_video(tmp_path / "old/videos" / f"{number}.mp4", (2, number), seed=number)
    (tmp_path / "old/lists").mkdir()
    scan(tmp_path / "old/videos", workers=1).write(tmp_path / f"old/lists/m.{ending}")
    shutil.move(tmp_path / "old", tmp_path / "new")
    lists = tmp_path / f"new/lists/m.{ending}"
    assert Manifest.read(lists).root == (tmp_path / "new/videos").resolve()
    shutil.move(tmp_path / "new/videos", tmp_path / "elsewhere")
    named = f"{lists}:{tmp_path / 'elsewhere'}"
    assert open_data(named).root == root_of(named) == tmp_path / "elsewhere"
    lost = open_data(lists)
    for use in (
        lambda: ClipStore(lost, CLIP, motion=False, cache=None),
        lambda: ClipStore(lost, CLIP, motion=False, cache=tmp_path / "cache"),
        lambda: duplicates(lost),
        lambda: kinema.embed(model_of(), lost, out=tmp_path / "t"),
        lambda: open_data(f"{lists}:{tmp_path / 'nowhere'}"),
    ):
        with pytest.raises(DataError, match="there is no such folder now"):
            use()


# Folders of pictures


def draw_frames(folder, name, count=12, start=1):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(view(plane(7), 3 * number, 0)).save(folder / name.format(number + start))


def test_folders_of_numbered_pictures_are_videos(call, tmp_path):
    root = tmp_path / "d"
    for name, picture in {"walk/one": "{:05d}.jpg", "walk/two": "img_{:04d}.png", "run/three": "{}.jpg"}.items():
        draw_frames(root / name, picture)
    found = scan(root, workers=1)
    assert {video.path: (video.health, video.frames, video.label) for video in found.videos} == {
        "run/three/%01d.jpg": ("ok", 12, "run"),
        "walk/one/%05d.jpg": ("ok", 12, "walk"),
        "walk/two/img_%04d.png": ("ok", 12, "walk"),
    }
    assert all("12 a second are assumed" in video.note for video in found.videos)
    assert decode(found.file(2), short_side=16, motion=False).frames.shape[0] == 12
    (root / "labels.csv").write_text("path,label\nwalk/one,w\nrun/three,r\n")
    assert [video.label for video in scan(root, workers=1).videos] == ["r", "w", None]


def test_pictures_beside_videos_are_named_and_few_pictures_are_no_video(call, tmp_path, make_tiny_video):
    for number in range(2):
        make_tiny_video(tmp_path / "d" / f"{number}.mp4", (2, number), seed=number)
    draw_frames(tmp_path / "d/frames", "{:05d}.jpg")
    code, out, _ = call("scan", tmp_path / "d", "--workers", 1)
    assert code == 0
    assert "1 folder of numbered pictures" in " ".join(out.replace("│", " ").split())
    draw_frames(tmp_path / "photos", "IMG_{:04d}.jpg", count=5)
    code, _, err = call("scan", tmp_path / "photos", "--workers", 1)
    assert code == 1
    assert "A folder of 8 or more numbered pictures" in err


def test_one_stray_video_does_not_decide_over_folders_of_pictures(tmp_path, make_tiny_video):
    for number in range(4):
        draw_frames(tmp_path / f"clip{number}", "{:05d}.jpg", count=8)
    make_tiny_video(tmp_path / "motion.mp4", (2, 0), seed=1)
    assert len(scan(tmp_path, workers=1).videos) == 5

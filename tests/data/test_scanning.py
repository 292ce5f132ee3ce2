import csv
import shutil

import pytest

from kinema import api
from kinema.core.errors import DataError
from kinema.data.video.decoding import decode
from kinema.data.video.manifest import Manifest
from kinema.data.video.scanning import scan
from kinema.data.video.summary import write_quarantine


def test_every_file_is_there_whatever_became_of_it(make_video, tmp_path):
    make_video(tmp_path / "good.mp4", audio=True)
    make_video(tmp_path / "deep" / "er" / "b.MKV", options={"bf": "2", "g": "8"}, size=(70, 50))
    cut = make_video(tmp_path / "cut.mp4", container_options={"movflags": "faststart"}, frames=60)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    headless = make_video(tmp_path / "headless.mp4")
    headless.write_bytes(headless.read_bytes()[:2000])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("These are only words.\n" * 40)
    (tmp_path / "notes.txt").write_text("not video")
    (tmp_path / ".hidden.mp4").touch()
    told = []
    manifest = scan(tmp_path, progress=lambda done, of: told.append((done, of)))
    by_path = {video.path: video for video in manifest.videos}
    assert list(by_path) == sorted(["good.mp4", "deep/er/b.MKV", "cut.mp4", "headless.mp4", "empty.mp4", "text.mp4"])
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
    good = by_path["good.mp4"]
    assert (good.health, good.reason, good.codec, good.width, good.height) == ("ok", "", "h264", 96, 64)
    assert (good.frames, good.keyframes, good.b_frames, good.variable_fps) == (24, (0, 12), False, False)
    assert (good.fps, good.duration) == (pytest.approx(25), pytest.approx(24 / 25))
    assert (good.audio_codec, good.audio_rate, good.pixel_format) == ("aac", 16000, "yuv420p")
    assert good.size == (tmp_path / "good.mp4").stat().st_size
    assert by_path["deep/er/b.MKV"].b_frames
    assert by_path["deep/er/b.MKV"].keyframes == (0, 8, 16)
    assert by_path["cut.mp4"].health == "partial"
    assert by_path["cut.mp4"].frames == len(decode(cut, short_side=None, motion=False))
    assert "of 60" in by_path["cut.mp4"].reason
    for name, reason in (("headless.mp4", "moov"), ("empty.mp4", "empty"), ("text.mp4", "moov")):
        assert by_path[name].health == "unreadable"
        assert reason in by_path[name].reason
        assert str(tmp_path) not in by_path[name].reason


def test_variable_rate_and_rotation(make_video, tmp_path):
    make_video(tmp_path / "vfr.mp4", times=[n if n < 12 else 5 * n for n in range(24)])
    make_video(tmp_path / "cfr.mp4")
    make_video(tmp_path / "turned.mp4", rotation=90)
    cfr, turned, vfr = scan(tmp_path).videos
    assert (cfr.variable_fps, vfr.variable_fps) == (False, True)
    assert vfr.fps < 10
    assert (turned.width, turned.height) == (64, 96)
    assert turned.rotation in (90, 270)
    assert decode(tmp_path / "turned.mp4", short_side=None, motion=False).source_size == (96, 64)


def test_a_long_file_is_sampled(make_video, tmp_path):
    make_video(tmp_path / "long.mp4", frames=800, size=(32, 32), motion=(0, 0))
    (video,) = scan(tmp_path).videos
    assert (video.health, video.frames, video.keyframes[:3]) == ("ok", 800, (0, 12, 24))


def test_unchanged_files_are_not_read_again(make_video, tmp_path):
    make_video(tmp_path / "a.mp4")
    make_video(tmp_path / "b.mp4")
    first = scan(tmp_path)
    shutil.copystat(tmp_path / "a.mp4", tmp_path / "b.mp4")
    make_video(tmp_path / "b.mp4", frames=30)
    done = []
    second = scan(tmp_path, previous=first, progress=lambda now, _: done.append(now))
    assert done == [1, 2]
    assert second.videos[0] == first.videos[0]
    assert second.videos[1].frames == 30


def test_a_scan_that_was_stopped_goes_on(make_video, tmp_path):
    for name in "abcd":
        make_video(tmp_path / f"{name}.mp4")
    journal = tmp_path / "journal"

    def stop(now, _):
        if now == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path, journal=journal, workers=1, progress=stop)
    with journal.open("a") as file:
        file.write('{"path": "c.mp4", "si')  # killed while it wrote
    done = []
    resumed = scan(tmp_path, journal=journal, progress=lambda now, _: done.append(now))
    assert done == [2, 3, 4]
    assert resumed == scan(tmp_path)
    make_video(tmp_path / "a.mp4", frames=30)
    assert scan(tmp_path, journal=journal).videos[0].frames == 30


def test_the_journal_goes_when_the_manifest_is_written(make_video, tmp_path):
    make_video(tmp_path / "videos/a.mp4")
    manifest = api.scan(tmp_path / "videos", out=tmp_path / "m.json")
    assert Manifest.read(tmp_path / "m.json") == manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "videos"]


def test_the_quarantine_lists_what_is_not_whole(make_video, tmp_path):
    make_video(tmp_path / "good.mp4")
    (tmp_path / "a, b.mp4").write_bytes(b"not a video")
    manifest = scan(tmp_path)
    write_quarantine(manifest, tmp_path / "bad.csv")
    with (tmp_path / "bad.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"path": "a, b.mp4", "health": "unreadable", "reason": manifest.videos[0].reason}]
    assert rows[0]["reason"]


def test_a_list_of_files(make_video, tmp_path):
    files = [make_video(tmp_path / "x" / "a.mp4"), make_video(tmp_path / "y" / "b.mp4"), tmp_path / "y" / "gone.mp4"]
    manifest = scan(files)
    assert manifest.root == tmp_path
    assert [video.path for video in manifest.videos] == ["x/a.mp4", "y/b.mp4", "y/gone.mp4"]
    assert [video.health for video in manifest.videos] == ["ok", "ok", "unreadable"]


def test_nothing_to_scan(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*gone"):
        scan(tmp_path / "gone")
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"no videos in .*\.mkv"):
        scan(tmp_path)


@pytest.mark.data
def test_real_files_decode_or_are_named(shared_data):
    manifest = scan(shared_data / "decoder_clips")
    assert len(manifest) > 60
    bad = {video.path: video for video in manifest.videos if video.health != "ok"}
    assert set(bad) == {
        "decord/corrupted.mp4",
        "openh264/BA_MW_D_IDR_LOST.264",
        "openh264/Error_I_P.264",
        "openh264/sps_subsetsps_bothVUI.264",
    }
    assert all(video.reason for video in bad.values())
    rotated = {video.path: video.rotation for video in manifest.videos if video.rotation}
    assert rotated == {"decord/video_90.mov": 90, "decord/video_180.mov": 180, "decord/video_270.mov": 270}
    for row, video in enumerate(manifest.videos):
        if video.health != "unreadable":
            assert len(decode(manifest.file(row), short_side=72, motion=False, stop=3)) == min(3, video.frames)


@pytest.mark.data
def test_real_class_folders(shared_data):
    files = sorted((shared_data / "asl_letters24").glob("[AB]/*.mp4"))
    manifest = scan(files)
    assert manifest.classes() == ("A", "B")
    assert {video.frames for video in manifest.videos} == {32}
    assert {video.health for video in manifest.videos} == {"ok"}


def test_paths_may_be_strings(make_video, tmp_path):
    from kinema.data import decode, keyframes, motion_vectors, read_audio, scan

    path = str(make_video(tmp_path / "a.mp4", audio=True))
    assert len(scan(str(tmp_path)).videos) == len(scan([path]).videos) == 1
    assert len(decode(path, short_side=32, motion=False)) == len(motion_vectors(path)) == 24
    assert keyframes(path, short_side=32)[1].tolist() == [0, 12]
    assert read_audio(path, rate=8000).rate == 8000

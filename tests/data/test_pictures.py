"""Folders of numbered pictures as videos, and Jester, which is made of them."""

import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from kinema.core.errors import DataError, VideoError
from kinema.data.clips.store import ClipStore
from kinema.data.layouts import LAYOUTS, open_data, scan_data
from kinema.data.layouts.layout import listed
from kinema.data.video.decoding import decode
from kinema.data.video.files import exists, pattern_of, status
from kinema.data.video.manifest import Manifest
from kinema.data.video.probe import probe


@pytest.fixture
def make_pictures(make_picture):
    def write(folder, frames=20, first=1, size=(100, 60), motion=(3, 1), seed=0):
        folder.mkdir(parents=True)
        for number in range(frames):
            image = Image.fromarray(make_picture(number, size, motion, seed))
            image.save(folder / f"{number + first:05d}.jpg", quality=95)
        return folder / "%05d.jpg"

    return write


@pytest.fixture
def jester(tmp_path, make_pictures):
    root = tmp_path / "jester 100%"
    for number, frames in ((7, 20), (12, 24), (13, 18), (148092, 30)):
        make_pictures(root / "20bn-jester-v1" / str(number), frames=frames, seed=number)
    (root / "jester-v1-labels.csv").write_text("Swiping Left\nNo gesture\n")
    (root / "jester-v1-train.csv").write_text("7;Swiping Left\n148092;No gesture\n")
    (root / "jester-v1-validation.csv").write_text("12;Swiping Left\n")
    (root / "jester-v1-test.csv").write_text("13\n")
    return root


def test_every_frame_is_its_picture(make_pictures, make_picture, tmp_path):
    path = make_pictures(tmp_path / "100%d" / "5", first=31)
    whole = decode(path, short_side=None, motion=False)
    assert whole.frames.shape == (20, 60, 100, 3)
    for number in (0, 1, 19):
        for shown in range(20):
            apart = np.abs(whole.frames[number] - make_picture(shown, (100, 60), (3, 1)).astype(int)).mean()
            assert apart < 12 if shown == number else apart > 25
    for start, stop in ((0, 4), (9, 10), (17, None)):
        part = decode(path, short_side=None, motion=False, start=start, stop=stop)
        np.testing.assert_array_equal(part.frames, whole.frames[start:stop])


def test_black_and_white_stay_black_and_white(tmp_path):
    (tmp_path / "v").mkdir()
    colours = [(0, 0, 0), (255, 255, 255), (200, 30, 40), (20, 40, 220)]
    for number, colour in enumerate(colours):
        Image.new("RGB", (32, 32), colour).save(tmp_path / "v" / f"{number}.jpeg", quality=95)
    frames = decode(tmp_path / "v" / "%01d.jpeg", short_side=None, motion=False).frames
    np.testing.assert_allclose(frames[:, 16, 16].astype(int), colours, atol=2)


def test_a_gap_is_told(make_pictures, tmp_path):
    path = make_pictures(tmp_path / "v", frames=12)
    assert probe(path)["health"] == "ok"
    (tmp_path / "v" / "00006.jpg").unlink()
    facts = probe(path)
    assert (facts["health"], facts["frames"]) == ("partial", 5)
    assert "5 of 11 frames" in facts["reason"]
    assert len(decode(path, short_side=None, motion=False)) == 5
    (tmp_path / "v" / "00002.jpg").write_bytes(b"no picture")
    assert probe(path)["health"] == "partial"
    shutil.rmtree(tmp_path / "v")
    assert not exists(path)
    with pytest.raises(VideoError, match="No such file"):
        decode(path, short_side=None, motion=False)


def test_size_and_time_are_those_of_all_pictures(make_pictures, tmp_path):
    path = make_pictures(tmp_path / "v", frames=3)
    size, time = status(path)
    assert size == sum(file.stat().st_size for file in (tmp_path / "v").iterdir())
    os.utime(tmp_path / "v" / "00002.jpg", ns=(time + 5, time + 5))
    assert status(path) == (size, time + 5)
    (tmp_path / "v" / "00003.jpg").unlink()
    assert status(path)[0] < size
    assert [pattern_of(name) for name in ("00001.jpg", "1.JPEG", "a1.jpg", "1.png")] == [
        "%05d.jpg",
        "%01d.JPEG",
        None,
        None,
    ]


def test_jester(jester, tmp_path, spec):
    manifest = open_data(f"jester:{jester}")
    assert [video.path for video in manifest.videos] == [
        f"20bn-jester-v1/{n}/%05d.jpg" for n in ("12", "13", "148092", "7")
    ]
    assert manifest.labels() == ("Swiping Left", None, "No gesture", "Swiping Left")
    assert [video.split for video in manifest.videos] == ["val", "test", "train", "train"]
    assert [video.source for video in manifest.videos] == [video.path for video in manifest.videos]
    assert [video.frames for video in manifest.videos] == [24, 18, 30, 20]
    assert {(v.health, v.codec, v.width, v.height, v.fps) for v in manifest.videos} == {("ok", "mjpeg", 100, 60, 12.0)}
    assert manifest.videos[0].duration == pytest.approx(2)
    cached, direct = (ClipStore(manifest, spec, motion=False, cache=cache) for cache in (tmp_path / "cache", None))
    assert cached.cached
    for row, video in enumerate(manifest.videos):
        starts = (0, 5, video.frames - spec.span)
        np.testing.assert_array_equal(cached.read(row, starts).frames, direct.read(row, starts).frames)
    whole = decode(manifest.file(2), short_side=spec.short_side, motion=False)
    np.testing.assert_array_equal(direct.read(2, (5,)).frames[0], whole.frames[5 : 5 + spec.span : spec.stride])


def test_jester_again_reads_only_what_changed(jester, make_pictures):
    first = scan_data(f"jester:{jester}")
    shutil.rmtree(jester / "20bn-jester-v1" / "13")
    make_pictures(jester / "20bn-jester-v1" / "13", frames=25)
    done = []
    second = scan_data(f"jester:{jester}", previous=first, progress=lambda now, _: done.append(now))
    assert done == [3, 4]
    assert [video.frames for video in second.videos] == [24, 25, 30, 20]
    assert second.digest != first.digest


def test_a_manifest_of_pictures_that_moved_is_read(jester, tmp_path):
    open_data(f"jester:{jester}").write(jester / "m.json")
    jester.rename(tmp_path / "elsewhere")
    assert Manifest.read(tmp_path / "elsewhere" / "m.json").root == tmp_path / "elsewhere"


def test_jester_with_holes_and_more(jester, make_pictures, caplog):
    shutil.rmtree(jester / "20bn-jester-v1" / "13")
    make_pictures(jester / "20bn-jester-v1" / "99", frames=1)
    with caplog.at_level(logging.WARNING):
        assert len(listed(LAYOUTS["jester"], jester)) == 3
    assert "1 of the 4 videos that the lists name are not there: '13'." in caplog.text
    assert "1 videos stand in no list and are left out: '20bn-jester-v1/99/%05d.jpg'." in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train", "7,Swiping Left\n", r"jester-v1-train\.csv', line 1: it has 1 columns, not 2 \(id;class\)"),
        ("train", "7;Swiping Left\n12;Flying\n", r"train\.csv', line 2, column 2: 'Flying' is no class"),
        ("train", "7;\n", r"line 1, column 'class': it is empty"),
        ("validation", "7;No gesture\n", r"validation\.csv', line 1, column 1: '7' is listed twice"),
    ],
)
def test_jester_lists_that_are_wrong(jester, name, content, message):
    (jester / f"jester-v1-{name}.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        listed(LAYOUTS["jester"], jester)

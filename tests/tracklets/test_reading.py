"""Tracklets in all the forms that the field hands them on in, and what is broken in them."""

import logging
import unicodedata

import numpy as np
import pytest
from made_tracklets import crop, save, write_listing, write_people, write_video

from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.data.tracklets.config import TrackletsConfig
from kinema.data.tracklets.reading import read_tracklets


def test_a_folder_of_people_and_cameras(tmp_path):
    write_people(tmp_path)
    for frame in (9, 10):
        save(tmp_path / "anna" / "door" / "later" / f"{frame}.jpg", crop())
    found = read_tracklets(tmp_path, held_out=0)
    assert [row.name for row in found.rows][:3] == ["anna/door", "anna/door/later", "anna/hall"]
    row = found.rows[1]
    assert (row.identity, row.camera, row.numbers) == ("anna", "door", (9, 10))
    assert row.files == ("anna/door/later/9.jpg", "anna/door/later/10.jpg")
    assert found.classes() == ("anna", "ben", "cy", "dora")
    assert all(row.health == "ok" and not row.reason for row in found.rows)


def test_folders_of_parts_are_splits_and_not_people(tmp_path):
    write_people(tmp_path / "train", ("anna", "ben"))
    write_people(tmp_path / "query", ("cy",), ("door",))
    write_people(tmp_path / "gallery", ("cy",), ("hall",))
    found = read_tracklets(tmp_path)
    assert found.split_from == "data"
    told = {(row.identity, row.camera, row.split, row.role) for row in found.rows}
    assert {("cy", "door", "test", "query"), ("cy", "hall", "test", "gallery"), ("ben", "hall", "train", "")} <= told


def test_people_without_cameras_are_learnt_from_and_told_of(tmp_path, caplog):
    for person in ("anna", "ben"):
        save(tmp_path / person / "a.png", crop())
    found = read_tracklets(tmp_path)
    assert [(row.identity, row.camera) for row in found.rows] == [("anna", ""), ("ben", "")]
    assert "2 of 2 tracklets do not say which camera saw them" in caplog.text


def test_people_seen_by_one_camera_are_counted(tmp_path, caplog):
    write_people(tmp_path, ("anna", "ben"))
    write_people(tmp_path, ("cy",), ("door",))
    read_tracklets(tmp_path)
    assert "1 of 3 people were seen by one camera only, for instance 'cy'" in caplog.text


def test_one_person_is_not_enough(tmp_path):
    from kinema.core.tracklets import TrackletNeeds

    config = TrackletsConfig()
    table = config.open(write_people(tmp_path, ("anna",)))
    with pytest.raises(DataError, match="one person, 'anna'; at least two people"):
        config.usable(table, [TrackletNeeds()])


def test_names_are_one_however_accents_are_written(tmp_path):
    save(tmp_path / unicodedata.normalize("NFD", "andré") / "door" / "1.png", crop())
    save(tmp_path / "ben" / "door" / "1.png", crop(1))
    assert read_tracklets(tmp_path).classes() == ("andré", "ben")


# What is broken


def broken(kind):
    good = save("good.jpg", crop(height=64, width=64)).read_bytes()
    return {"empty": b"", "cut": good[: len(good) // 2], "words": b"no picture"}[kind]


@pytest.mark.parametrize(("kind", "why"), [("empty", "empty"), ("cut", "truncated"), ("words", "no picture")])
def test_a_broken_crop_is_named_and_the_others_count(kind, why, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    folder = write_people(tmp_path / "people")
    (folder / "anna" / "door" / "0001.png").write_bytes(broken(kind))
    for path in (folder / "ben" / "hall").iterdir():
        path.write_bytes(broken(kind))
    rows = {row.name: row for row in read_tracklets(folder).rows}
    assert rows["anna/door"].numbers == (0, 2)
    assert rows["anna/door"].reason.startswith("1 of 3 frames cannot be used: frame 1 ('anna/door/0001.png')")
    assert why in rows["anna/door"].reason.casefold()
    assert "1 of 8 tracklets cannot be read and are left out: 'ben/hall' (3 of 3 frames" in caplog.text
    assert (rows["ben/hall"].health, rows["ben/hall"].files) == ("unreadable", ())
    _, left_out = TrackletsConfig().usable(read_tracklets(folder, held_out=0), [])
    assert list(left_out) == ["ben/hall"]


def test_nothing_that_can_be_read(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 1 tracklets.*the file is empty"):
        read_tracklets(tmp_path)


def test_pictures_larger_than_what_is_decoded_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr("kinema.data.video.limits.LARGEST_PIXELS", 100)
    write_people(tmp_path)
    with pytest.raises(DataError, match="it has 16 x 32 pixels"):
        read_tracklets(tmp_path)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "0 files, no picture"),
        (["notes.txt"], "1 files, no picture"),
        (["1.jpg", "2.jpg"], "2 pictures and no folder of a person"),
        (["0002_c1s1_000451_03.jpg"], "market1501:"),
        (["a/b/c/d/e/1.jpg"], "lies 5 folders deep"),
    ],
)
def test_a_folder_of_something_else(files, says, tmp_path):
    for name in files:
        save(tmp_path / name, crop()) if name.endswith("jpg") else (tmp_path / name).write_text("x")
    with pytest.raises(DataError) as error:
        read_tracklets(tmp_path)
    assert says in str(error.value)


def test_no_folder_and_no_layout(tmp_path):
    with pytest.raises(DataError, match="is not there"):
        read_tracklets(tmp_path / "gone")
    with pytest.raises(UsageError, match="no layout 'viper'"):
        read_tracklets(f"viper:{tmp_path}")
    with pytest.raises(DataError, match="no table of tracklets"):
        read_tracklets(save(tmp_path / "a.png", crop()))
    with pytest.raises(ConfigError, match="held_out"):
        read_tracklets(tmp_path, held_out=1.0)


# Who is held out


def test_identities_are_held_out_by_draw(tmp_path):
    write_people(tmp_path, [f"p{number}" for number in range(5)])
    first, again, other = (read_tracklets(tmp_path, split=split) for split in (0, 0, 1))
    assert first.split_from == "drawn"
    assert first == again != other
    parts = {part: {row.identity for row in first.rows if row.split == part} for part in ("train", "test")}
    assert not parts["train"] & parts["test"]
    assert (len(parts["train"]), len(parts["test"])) == (3, 2)
    assert len(read_tracklets(tmp_path, held_out=0.4).select({"split": "train"}).classes()) == 3


def test_who_learns_is_told_that_people_are_held_out(tmp_path, caplog):
    for held_out in (0.5, 0.0):
        caplog.clear()
        config = TrackletsConfig(held_out=held_out)
        table = config.open(write_people(tmp_path / str(held_out)))
        config.usable(table.select({"split": "train"}) if held_out else table, [])
        assert ("2 people are learnt from, and the others are held out" in caplog.text) == (held_out > 0)


@pytest.mark.parametrize("held_out", [0.0, 0.9])
def test_nobody_is_held_out_where_too_few_would_be_left(held_out, tmp_path, caplog):
    found = read_tracklets(write_people(tmp_path), held_out=held_out)
    assert (found.split_from, {row.split for row in found.rows}) == ("none", {None})
    assert ("none is held out" in caplog.text) == (held_out > 0)


# Known data sets

NAMES = ("0002_c1s1_000001_01.jpg", "0002_c1s1_000251_01.jpg", "0002_c1s1_000502_02.jpg", "0002_c2s1_000251_01.jpg")


def test_market_by_its_names(tmp_path):
    for name in (*NAMES, "-1_c1s1_000001_01.jpg", "0000_c1s1_000001_01.jpg", "0000_c1s1_000002_01.jpg", "other.jpg"):
        save(tmp_path / name, crop())
    found = read_tracklets(f"market1501:{tmp_path}", held_out=0)
    assert [(row.name, row.kind, row.numbers, row.label) for row in found.rows] == [
        ("-1_c1s1_000001_01", "junk", (1,), None),
        ("0000_c1s1_000001_01", "distractor", (1,), None),
        ("0000_c1s1_000002_01", "distractor", (2,), None),
        ("0002_c1s1_000001_01", "person", (1, 251), "0002"),
        ("0002_c1s1_000502_02", "person", (502,), "0002"),
        ("0002_c2s1_000251_01", "person", (251,), "0002"),
    ]
    assert found.rows[3].begins == 1 / 25
    assert len(read_tracklets(f"market1501:{tmp_path}", held_out=0, gap=251).rows) == 5


def test_market_in_its_own_folders(tmp_path):
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        save(tmp_path / "Market-1501" / folder / NAMES[0], crop())
    found = read_tracklets(f"market1501:{tmp_path}")
    told = {row.name.partition("/")[0]: (row.split, row.role) for row in found.rows}
    assert told == {
        "bounding_box_train": ("train", ""),
        "query": ("test", "query"),
        "bounding_box_test": ("test", "gallery"),
    }


def test_prid_takes_people_of_both_cameras_with_27_frames(tmp_path):
    for camera, person, frames in [("a", 1, 27), ("b", 1, 27), ("a", 2, 27), ("b", 2, 26), ("a", 3, 30)]:
        for frame in range(frames):
            save(tmp_path / f"multi_shot/cam_{camera}/person_{person:04}/{frame + 1:04}.png", crop()[:2, :2])
    for camera in "ab":  # two people: the cameras have only the first 200 in common
        for frame in range(27):
            save(tmp_path / f"multi_shot/cam_{camera}/person_0201/{frame + 1:04}.png", crop()[:2, :2])
    found = read_tracklets(f"prid2011:{tmp_path}")
    assert [(row.identity, row.camera, len(row)) for row in found.rows] == [("0001", "a", 27), ("0001", "b", 27)]


@pytest.mark.parametrize("before", ["i-LIDS-VID/sequences", "sequences", "."])
def test_ilids_vid(before, tmp_path):
    for camera in (1, 2):
        for person in (1, 2, 4):
            save(tmp_path / before / f"cam{camera}/person{person:03}/cam{camera}_person{person:03}_00317.png", crop())
    found = read_tracklets(f"ilids-vid:{tmp_path}")
    assert [(row.identity, row.camera, row.numbers) for row in found.rows][:2] == [
        ("001", "1", (317,)),
        ("001", "2", (317,)),
    ]
    assert found.split_from == "drawn"


@pytest.mark.parametrize("name", ["market1501", "prid2011", "ilids-vid"])
def test_a_known_data_set_that_is_not_there(name, tmp_path):
    write_people(tmp_path)
    with pytest.raises(DataError, match=r"holds no .*24 files"):
        read_tracklets(f"{name}:{tmp_path}")


# tracklets.csv


def listing(tmp_path, rows, head="path,identity,camera,tracklet,frame", **how):
    for name in ("a", "b", "c", "andré"):
        save(tmp_path / "crops" / f"{name}.png", crop())
    return write_listing(tmp_path, rows, head, **how)


def test_a_table_of_frames(tmp_path):
    rows = [
        "crops/b.png,anna,door,1,7,test,red",
        "crops/a.png,anna,door,1,3,test,red",
        "crops/c.png,ben,hall,1,0,train,",
    ]
    path = listing(tmp_path, rows, "path,identity,camera,tracklet,frame,split,coat")
    for data in (path, tmp_path):
        found = read_tracklets(data)
        anna, ben = found.rows
        assert (anna.name, anna.files, anna.numbers) == ("anna/door/1", ("crops/a.png", "crops/b.png"), (3, 7))
        assert (anna.split, ben.split, found.split_from) == ("test", "train", "data")
        assert (anna.value("coat"), ben.value("coat")) == ("red", None)
        assert found.reading.unlisted.first == ("crops/andré.png",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_table_as_spreadsheets_write_it(encoding, tmp_path):
    rows = ["crops\\andré.png;André;door;1;0", "crops/a.png;Ben;door;1;0"]
    path = listing(tmp_path, rows, "Path;Identity;Camera;Tracklet;Frame", encoding=encoding)
    (tmp_path / "crops" / "andré.png").rename(tmp_path / "crops" / unicodedata.normalize("NFD", "andré.png"))
    assert [(row.identity, row.health) for row in read_tracklets(path).rows] == [("André", "ok"), ("Ben", "ok")]


def test_a_table_of_whole_tracklets(tmp_path):
    rows = ["2,1,0002_c1s1_000451_03.jpg 0002_c1s1_000551_01.jpg", "3,1,a.jpg"]
    for name in ("0002_c1s1_000451_03.jpg", "0002_c1s1_000551_01.jpg", "a.jpg"):
        save(tmp_path / "images" / name, crop())
    found = read_tracklets(write_listing(tmp_path, rows, "person,camera,files"))
    assert [(row.identity, row.numbers) for row in found.rows] == [("2", (451, 551)), ("3", (0,))]


BOXED = "path,identity,camera,frame,left,top,width,height"
BAD = {
    "no camera": ("path,identity", ["crops/a.png,x"], "no column 'camera' among: path, identity"),
    "no path": ("identity,camera", ["x,y"], "no column 'path'"),
    "no row": ("path,identity,camera", [], "names no tracklet"),
    "half a box": ("path,identity,camera,left,top", ["crops/a.png,x,y,1,1"], "left, top and not its width, height"),
    "leaves": ("path,identity,camera", ["../a.png,x,y"], "line 2: '../a.png' lies outside"),
    "leaves later": ("path,identity,camera", ["crops/../../a.png,x,y"], "lies outside"),
    "absolute": ("path,identity,camera", ["/etc/passwd.png,x,y"], "lies outside"),
    "no name": ("path,identity,camera", [",x,y"], "line 2, column 'path': it is empty"),
    "gone": ("path,identity,camera", ["crops/z.png,x,y"], "it is not there"),
    "words": ("path,identity,camera,frame", ["crops/a.png,x,y,one"], "line 2, column 'frame': 'one' is no number"),
    "half": ("path,identity,camera,frame", ["crops/a.png,x,y,1.5"], "'1.5' is no number of a frame"),
    "before": ("path,identity,camera,frame", ["crops/a.png,x,y,-1"], "'-1' is no number of a frame"),
    "twice": (
        "path,identity,camera,frame",
        ["crops/a.png,x,y,1", "crops/b.png,x,y,1"],
        "frame 1 of .* in line 2 already",
    ),
    "file twice": ("path,identity,camera", ["crops/a.png,x,y", "crops/a.png,x,y"], "line 3.*stands in line 2 already"),
    "whole twice": ("files,identity,camera", ["crops/a.png crops/a.png,x,y"], "'crops/a.png' stands there twice"),
    "some": ("path,identity,camera,frame", ["crops/a.png,x,y,1", "crops/b.png,x,y,"], "line 3, column 'frame'"),
    "role": ("path,identity,camera,role", ["crops/a.png,x,y,probe"], "'probe', and none of: query, gallery"),
    "splits": (
        "path,identity,camera,frame,split",
        ["crops/a.png,x,y,1,train", "crops/b.png,x,y,2,test"],
        "has 'test' here and 'train' in line 2",
    ),
    "box": (BOXED, ["crops/a.png,x,y,0,a,0,4,4"], "column 'left': 'a' is no number"),
    "nan": (BOXED, ["crops/a.png,x,y,0,nan,0,4,4"], "no finite numbers"),
    "flat": (BOXED, ["crops/a.png,x,y,0,0,0,0,4"], "its box .* is empty"),
    "outside": (BOXED, ["crops/a.png,x,y,0,16,0,4,4"], "lies outside of the picture"),
    "some boxes": (BOXED, ["crops/a.png,x,y,0,0,0,4,4", "crops/b.png,x,y,1,,,,"], "boxes for some of its frames only"),
    "mixed": ("path,identity,camera", ["crops/a.png,x,y", "v.mp4,x,y"], "several kinds of files"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_is_wrong(name, tmp_path):
    head, rows, says = BAD[name]
    (tmp_path / "v.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=says):
        read_tracklets(listing(tmp_path, rows, head))


def test_frames_that_cannot_be_used_are_named_and_the_others_count(tmp_path):
    boxes = zip("abc", ["-4,2,10,100", "nan,0,4,4", "90,0,4,4"], strict=True)
    rows = [f"crops/{name}.png,x,y,{frame},{box}" for frame, (name, box) in enumerate(boxes)]
    found = read_tracklets(listing(tmp_path, [*rows, "crops/gone.png,x,y,3,0,0,4,4"], BOXED)).rows[0]
    assert (found.numbers, found.boxes) == ((0,), ((0.0, 2.0, 6.0, 30.0),))
    assert found.reason.startswith("3 of 4 frames cannot be used: frame 1 ('crops/b.png'): its box")


def test_arrays_of_features(tmp_path):
    for name, value in (("a", np.ones((5, 3), np.float32)), ("b", np.ones((2, 3))), ("c", np.full((2, 3), np.nan))):
        np.save(tmp_path / f"{name}.npy", value)
    path = write_listing(tmp_path, [f"{name}.npy,{name},door" for name in "abc"], "path,identity,camera")
    a, b, c = read_tracklets(path).rows
    assert (len(a), len(b), a.files) == (5, 2, ("a.npy",))
    assert (c.health, "frame 0 has features that are no finite numbers" in c.reason) == ("unreadable", True)


# Boxes in recordings


def recording(folder, lines, *, frames=4, name="gt/gt.txt", video=False):
    if video:
        write_video(folder / "film.mp4", frames)
    else:
        for frame in range(frames):
            save(folder / "img1" / f"{frame + 1:06}.jpg", crop(height=48, width=64))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("video", [False, True])
def test_boxes_of_recordings(video, tmp_path, caplog):
    lines = [
        "1,7,0,0,8,16,1,1,1",
        "2,7,0,0,8,16,1,1,1",
        "1,8,2,0,8,16,1,1,.5",
        "1,9,0,0,8,8,0,1,1",
        "1,5,0,0,9,9,1,3,1",
    ]
    recording(tmp_path / "hall", lines, video=video)
    (tmp_path / "hall" / "seqinfo.ini").write_text("[Sequence]\nname=x\nframeRate=30\nimDir=img1\n")
    recording(tmp_path / "door", ["3 7 0 0 8 16 .4 -1 -1 -1"], name="det.txt", video=video)
    with caplog.at_level(logging.INFO):
        found = read_tracklets(tmp_path, held_out=0)
    assert [(r.identity, r.camera, r.numbers, r.fps) for r in found.rows] == [
        ("door/7", "door", (2,), 0.0),
        ("hall/7", "hall", (0, 1), 30.0),
        ("hall/8", "hall", (0,), 30.0),
    ]
    assert len(found.rows[1].files) == (1 if video else 2)
    assert found.rows[1].boxes == ((0.0, 0.0, 8.0, 16.0),) * 2
    assert "None of 3 people was seen by two cameras" in caplog.text
    assert "1 boxes are passed over: they are of another class" in caplog.text
    assert "1 boxes are passed over: they are marked" in caplog.text


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["1,-1,0,0,8,16,.9,-1,-1,-1"], "Tracks are needed"),
        (["frame,id,x"], "line 1: it is no box"),
        (["0,1,0,0,8,16,1"], "counted from 1"),
        (["1.5,1,0,0,8,16,1"], "line 1: it is no box"),
        (["1,inf,0,0,8,16,1"], "line 1: it is no box"),
        (["1,1,nan,0,8,16,1"], "no finite numbers"),
        (["9,1,0,0,8,16,1"], "there is no picture of frame 9"),
        ([""], "There is no track"),
    ],
)
def test_boxes_that_are_wrong(lines, says, tmp_path):
    with pytest.raises(DataError) as error:
        read_tracklets(recording(tmp_path, lines, name="det/det.txt"))
    assert says in str(error.value)


def test_boxes_of_no_pictures_and_a_box_twice(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "gt.txt").write_text("1,1,0,0,8,16\n")
    with pytest.raises(DataError, match=r"neither img1/ .* nor a video"):
        read_tracklets(tmp_path / "none")
    twice = read_tracklets(recording(tmp_path / "twice", ["1,1,0,0,8,16,1", "1,1,0,0,9,16,1"])).rows[0]
    assert (len(twice), "another box of it" in twice.reason) == (1, True)


def test_frames_after_the_end_of_a_video_are_named(tmp_path):
    found = read_tracklets(recording(tmp_path, ["4,1,0,0,8,16,1", "5,1,0,0,8,16,1"], video=True)).rows[0]
    assert (found.numbers, "the video has 4 frames" in found.reason) == ((3,), True)

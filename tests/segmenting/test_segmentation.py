"""The record of segments: written and read back, refused where it is damaged, found where it has moved, and named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from segmented import segmentation

from kinema.core.errors import DataError, StorageError, UsageError
from kinema.core.lock import LOCK
from kinema.segmenting.segmentation import (
    PLACE,
    Segment,
    Segmentation,
    SegmentedVideo,
    Step,
    Typical,
    name_steps,
    writing,
)


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "all" / "run" / PLACE
    root = tmp_path / "all" / "footage"
    root.mkdir(parents=True)
    (root / "a.mp4").write_bytes(b"x")
    segmentation(root).write(place)
    return place


def test_what_was_written_is_read(file):
    found = Segmentation.read(file)
    assert found == segmentation(file.parents[2] / "footage")
    assert found.titles == {1: "tighten the screw", 2: "step 2"}
    assert Segmentation.read(file, Path("elsewhere")).root == Path("elsewhere")


def test_a_moved_folder_is_found(file, tmp_path):
    shutil.move(tmp_path / "all", tmp_path / "moved")
    assert Segmentation.read(tmp_path / "moved" / "run" / PLACE).root == tmp_path / "moved" / "footage"


DAMAGES = {
    "no such step": (("videos", 0, "segments", 0, "step"), 7, "segment 1 of the video 'a.mp4'.*step 7"),
    "overlap": (("videos", 0, "segments", 1, "start"), 1.0, "begins before the one before it ends"),
    "backwards": (("videos", 0, "segments", 0, "end"), 0.0, "shorter than a millisecond"),
    "too long": (("videos", 0, "segments", 1, "end"), 9.1, "ends after its video, which lasts 9.0 s"),
    "not a number": (("videos", 0, "segments", 1, "end"), float("nan"), "no stretch of time"),
    "no duration": (("videos", 0, "duration"), float("inf"), "lasts inf s"),
    "outside": (("videos", 0, "path"), "../a.mp4", "does not lie below"),
    "half a letter": (("videos", 0, "path"), "\ud800", "is no text"),
    "no folder": (("root_from_here",), "a\0", "is no text"),
    "twice": (("videos", 1, "path"), "a.mp4", "'a.mp4' is there 2 times"),
    "left out and there": (("left_out",), {"a.mp4": "dark"}, "'a.mp4' is there 2 times"),
    "one name": (("steps", 1, "name"), "tighten the screw", "Two steps are called 'tighten the screw'"),
    "another's title": (("steps", 0, "name"), "step 2", "Two steps are called 'step 2'"),
    "a line": (("steps", 0, "name"), "a\nb", "control character"),
    "white space": (("steps", 0, "name"), "a ", "white space"),
    "order of steps": (("steps", 0, "number"), 3, "numbered 3, 2"),
    "from 0": (("steps", 0, "number"), 0, "numbered 0, 2"),
    "time of a step": (("steps", 0, "seconds"), -1, "takes -1.0 s"),
    "clip of no video": (("steps", 0, "typical", 0, "video"), "z.mp4", "of a video that is not there"),
    "clip after the end": (("steps", 0, "typical", 0, "end"), 10, "ends after its video"),
    "share": (("steps", 0, "typical", 0, "share"), 1.5, "share of 1.5"),
    "a text for a number": (("videos", 0, "segments", 0, "start"), "0", "expected float"),
    "an unknown key": (("videos", 0, "colour"), "red", "colour"),
    "no list": (("videos",), {}, "expected a list"),
    "another version": (("kinema_segments",), 2, "of this version"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(file, damage):
    way, value, told = DAMAGES[damage]
    content = json.loads(file.read_text())
    place = content
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"(?is)segments.json.*{told}") as raised:
        Segmentation.read(file)
    assert raised.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kinema_segments": 1}', '{"a": ' * 200])
def test_what_is_no_record_is_refused(file, text):
    file.write_text(text)
    with pytest.raises(DataError, match=r"segments\.json") as raised:
        Segmentation.read(file)
    assert "kinema segment" in raised.value.hint


def test_a_missing_file_says_how_it_is_made(tmp_path):
    for read in (Segmentation.read, lambda path: name_steps(path, {1: "a"})):
        with pytest.raises(DataError, match="no segments") as raised:
            read(tmp_path / PLACE)
        assert "kinema segment" in raised.value.hint
    assert not list(tmp_path.iterdir())


def test_naming_loses_no_way_to_videos_that_are_away(file, tmp_path):
    shutil.move(tmp_path / "all" / "footage", tmp_path / "away")
    shutil.move(tmp_path / "all", tmp_path / "moved")
    place = tmp_path / "moved" / "run" / PLACE
    name_steps(place, {2: "sit"})
    shutil.move(tmp_path / "away", tmp_path / "moved" / "footage")
    found = Segmentation.read(place)
    assert (found.root, found.titles[2]) == (tmp_path / "moved" / "footage", "sit")


def test_steps_are_named(file):
    named = name_steps(file, {1: "", 2: "  pick up the café "})
    assert named.titles == {1: "step 1", 2: "pick up the café"}
    assert Segmentation.read(file) == named
    assert named.renamed({2: ""}).titles[2] == "step 2"
    swapped = named.renamed({1: "one", 2: "two"}).renamed({1: "two", 2: "one"})
    assert list(swapped.titles.values()) == ["two", "one"]


@pytest.mark.parametrize(
    ("names", "told", "hint"),
    [
        ({3: "x"}, "no step 3", "1 (tighten the screw) and 2"),
        ({2: "tighten the screw"}, "Two steps would be called", ""),
        ({1: "step 2"}, "Two steps would be called 'step 2'", ""),
        ({1: "a\x1b[31mb"}, "control character", ""),
        ({1: "a\u2028b"}, "control character", ""),
        ({1: "\ud800"}, "control character", ""),
        ({1: "x" * 201}, "longer than 200", ""),
    ],
)
def test_names_that_are_refused_change_nothing(file, names, told, hint):
    before = file.read_bytes()
    with pytest.raises(UsageError, match=told) as raised:
        name_steps(file, names)
    assert hint in raised.value.hint
    assert file.read_bytes() == before


def test_a_file_that_is_being_written_is_not_named(file):
    before = file.read_bytes()
    with writing(file), pytest.raises(StorageError, match="is writing"):
        name_steps(file, {1: "x"})
    assert file.read_bytes() == before
    assert {each.name for each in file.parent.iterdir()} == {file.name, LOCK}


def test_numbers_of_numpy_are_written(tmp_path):
    number, time = np.int64, np.float32
    video = SegmentedVideo("a.mp4", time(2), (Segment(time(0), time(0.5), number(1)),))
    step = Step(number(1), typical=(Typical("a.mp4", time(0), number(1), time(1)),), seconds=time(0.5))
    made = Segmentation(tmp_path, (video,), (step,))
    made.write(tmp_path / "segments.json")
    assert Segmentation.read(tmp_path / "segments.json") == made
    for value in ("1", 1.0, None):
        with pytest.raises(TypeError):
            Segment(0.0, 1.0, value)


def test_times_meet_at_the_millisecond():
    """A step that ends where the next begins may be written with rounding; less than a millisecond is no segment."""
    video = SegmentedVideo("a.mp4", 1.0, (Segment(0.0, 1 / 3, 1), Segment(0.33330001, 1.0000004, 1)))
    made = Segmentation(Path("/v"), (video,), (Step(1, typical=(Typical("a.mp4", 0, 1, 1.0),)),))
    with pytest.raises(DataError, match="shorter than a millisecond"):
        replace(made, videos=(replace(video, segments=(Segment(0.1, 0.1004, 1),)),))

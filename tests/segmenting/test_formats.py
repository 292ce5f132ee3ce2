"""Segments in the formats of others, read by parsers that know nothing of kinema."""

import csv
import json
import re
from html import unescape
from xml.etree import ElementTree

import pytest
from segmented import segmentation

from kinema.core.errors import StorageError, UsageError
from kinema.segmenting.formats import format_of, write_segments

HOSTILE = '=HYPERLINK("x") --> <b>&amp; "é🙂'
TIME = r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})"


def cues(text):
    """WebVTT, strictly: blocks apart by one blank line, each a line of times and one line of text."""
    head, *blocks = text.split("\n\n")
    assert head.rstrip("\n") == "WEBVTT"
    found = []
    for block in blocks:
        timing, said = block.removesuffix("\n").split("\n")
        match = re.fullmatch(f"{TIME} --> {TIME}", timing)
        times = [int(part) for part in match.groups()]
        start, end = (h * 3600 + m * 60 + s + ms / 1000 for h, m, s, ms in (times[:4], times[4:]))
        assert start < end
        assert not re.search(r"-->|<|>|&(?!amp;|lt;|gt;)", said)
        found.append((start, end, unescape(said)))
    return found


EAF_ORDER = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", *["CONSTRAINT"] * 4]


def annotations(path):
    """An EAF file, held to the schema's order, ids and references: its media and its annotations."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= set(root.attrib)
    assert [each.tag for each in root] == EAF_ORDER
    slots = {each.get("TIME_SLOT_ID"): int(each.get("TIME_VALUE")) for each in root.find("TIME_ORDER")}
    assert list(slots.values()) == sorted(slots.values())
    tier, kind = root.find("TIER"), root.find("LINGUISTIC_TYPE")
    assert tier.get("TIER_ID") == "steps"
    assert tier.get("LINGUISTIC_TYPE_REF") == kind.get("LINGUISTIC_TYPE_ID")
    assert kind.get("TIME_ALIGNABLE") == "true"
    assert {each.get("STEREOTYPE") for each in root.iter("CONSTRAINT")} == {
        "Time_Subdivision",
        "Symbolic_Subdivision",
        "Symbolic_Association",
        "Included_In",
    }
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    found = [each.find("ALIGNABLE_ANNOTATION") for each in tier]
    ids = [each.get("ANNOTATION_ID") for each in found]
    assert len({*ids, *slots}) == 3 * len(ids)
    media = [dict(each.attrib) for each in root.iter("MEDIA_DESCRIPTOR")]
    ends = [tuple(slots[each.get(f"TIME_SLOT_REF{n}")] for n in (1, 2)) for each in found]
    return media, [(*times, each.findtext("ANNOTATION_VALUE")) for times, each in zip(ends, found, strict=True)]


def test_csv(tmp_path):
    out = tmp_path / "new" / "steps.CSV"
    assert write_segments(segmentation("/v", name=HOSTILE, paths=("=a,\n.mp4", "b.mp4")), out) == (out,)
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["video", "start", "end", "step", "name"]
    assert rows[1:3] == [
        ["'=a,\n.mp4", "0.000", "2.500", "1", f"'{HOSTILE}"],
        ["'=a,\n.mp4", "2.500", "3.001", "2", ""],
    ]
    assert rows[4] == ["b.mp4", "0.250", "7.200", "2", ""]


def test_json(tmp_path):
    made = segmentation("/v", name=HOSTILE)
    (out,) = write_segments(made, tmp_path / "steps.json")
    found = json.loads(out.read_text())
    assert found.keys() == {"steps", "videos", "left_out", "settings"}
    assert found["steps"][0]["name"] == HOSTILE
    assert found["videos"][0]["video"] == "a.mp4"
    assert found["videos"][0]["segments"][1] == {"start": 2.5, "end": 3.0006, "step": 2, "name": ""}
    assert (found["left_out"], found["settings"]) == (dict(made.left_out), dict(made.settings))


def test_vtt(tmp_path):
    (out,) = write_segments(segmentation("/v", name=HOSTILE, paths=["a.mp4"]), tmp_path / "steps.vtt")
    assert cues(out.read_text()) == [(0, 2.5, HOSTILE), (2.5, 3.001, "step 2"), (4, 9, HOSTILE)]


def test_eaf(tmp_path):
    (tmp_path / "v").mkdir()
    video = "dé 1/a & <b>\x01 50%.mp4"
    (out,) = write_segments(segmentation(tmp_path / "v", name=HOSTILE, paths=[video]), tmp_path / "to" / "steps.eaf")
    media, found = annotations(out)
    way = "../v/dé 1/a & <b>%01 50%.mp4"
    assert media == [{"MEDIA_URL": way, "RELATIVE_MEDIA_URL": way, "MIME_TYPE": "video/mp4"}]
    assert found == [(0, 2500, HOSTILE), (2500, 3001, "step 2"), (4000, 9000, HOSTILE)]


@pytest.mark.parametrize("ending", [".vtt", ".eaf"])
def test_several_videos_are_several_files(tmp_path, ending):
    made = segmentation(tmp_path, paths=("a.mp4", "day 1/b.mp4", "pictures/%05d.jpg"))
    names = ["a", "day 1/b", "pictures"]
    out = tmp_path / f"steps{ending}"
    assert write_segments(made, out) == tuple(tmp_path / "steps" / f"{name}{ending}" for name in names)
    assert write_segments(made, f"{out}/") == tuple(out / f"{name}{ending}" for name in names)
    one = segmentation(tmp_path, paths=("a.mp4",))
    assert write_segments(one, out) == (out / f"a{ending}",), "there is a folder of this name now"
    second = tmp_path / "steps" / "day 1" / f"b{ending}"
    found = cues(second.read_text()) if ending == ".vtt" else annotations(second)[1]
    assert found == [(0.25, 7.2, "step 2") if ending == ".vtt" else (250, 7200, "step 2")]


@pytest.mark.parametrize("paths", [("a.mp4", "a.mkv"), ("A.mp4", "a.mkv"), ("p.mp4", "p/%05d.jpg")])
def test_no_two_videos_get_one_file(tmp_path, paths):
    written = write_segments(segmentation("/v", paths=paths), tmp_path / "steps.vtt")
    assert [each.relative_to(tmp_path / "steps").as_posix() for each in written] == [f"{path}.vtt" for path in paths]


@pytest.mark.parametrize("ending", [".csv", ".json", ".vtt", ".eaf"])
def test_no_videos(tmp_path, ending):
    (out,) = write_segments(segmentation("/v", paths=()), tmp_path / f"steps{ending}")
    text = out.read_text()
    read = {
        ".csv": lambda: list(csv.DictReader(text.splitlines())),
        ".json": lambda: json.loads(text)["videos"],
        ".vtt": lambda: cues(text),
        ".eaf": lambda: [each for part in annotations(out) for each in part],
    }
    assert read[ending]() == []


@pytest.mark.parametrize("name", ["steps", "steps.srt", ".vtt", "steps.vtt.gz", "a.csv/b", ""])
def test_other_endings_are_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(UsageError, match="does not end like") as raised:
        format_of(name)
    assert all(ending in raised.value.hint for ending in (".csv", ".json", ".vtt", ".eaf"))
    with pytest.raises(UsageError):
        write_segments(segmentation("/v"), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("taken", "out"), [("steps", "steps.vtt"), ("x.csv/", "x.csv"), ("x.json/", "x.json")])
def test_what_is_in_the_way_is_named(tmp_path, taken, out):
    place = tmp_path / taken
    place.mkdir() if taken.endswith("/") else place.write_text("mine")
    with pytest.raises(StorageError, match=rf"'.*{taken.rstrip('/')}' is a (folder|file)"):
        write_segments(segmentation("/v"), tmp_path / out)

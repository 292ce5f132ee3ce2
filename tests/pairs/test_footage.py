"""Videos with subtitles as pairs: which subtitles are of which video, the frame of a cue, and what is left out."""

import logging

import pytest

from kinema.core.errors import DataError
from kinema.data.pairs.choosing import described
from kinema.data.pairs.footage import match_subtitles, read_footage
from kinema.data.pairs.reading import read_pairs


def cue(start, end, text):
    return f"00:00:{start:06.3f} --> 00:00:{end:06.3f}\n{text}\n\n"


@pytest.fixture(scope="module")
def footage(tmp_path_factory, make_tiny_video):
    """Two videos of .96 s with subtitles, one without, subtitles without a video, and such as are damaged."""
    folder = tmp_path_factory.mktemp("footage")
    for number, name in enumerate(("lift/a.mp4", "lift/b.mp4", "sit/c.mp4", "sit/d.mp4", "sit/e.mp4")):
        (folder / name).parent.mkdir(exist_ok=True)
        make_tiny_video(folder / name, (2, 0), number)
    (folder / "lift/a.srt").write_text(
        cue(0, 0.4, "A bar is <b>lifted</b>.") + cue(0.4, 0.6, "Up.") + cue(0.4, 0.6, "High.") + cue(0.9, 1.9, "Over.")
    )
    (folder / "lift/a.de.srt").write_text(cue(0, 0.4, "Eine Stange."))
    (folder / "lift/b.en.vtt").write_text("WEBVTT\n\n" + cue(0.2, 0.8, "Down.") + cue(0.3, 0.5, "<i></i>"))
    (folder / "sit/d.srt").write_text("no subtitles")
    (folder / "sit/e.srt").write_text(cue(0, 0.5, "Sits."))
    (folder / "sit/e.mp4").write_bytes(b"no video")
    (folder / "sit/other.srt").write_text(cue(0, 1, "Whose?"))
    return folder


def test_a_cue_is_a_pair_of_the_frame_at_its_middle_and_its_text(footage, caplog):
    told = []
    with caplog.at_level(logging.WARNING):
        rows = read_footage(footage, progress=lambda *done: told.append(done))
    assert [(row.name, row.image, row.at, row.text, row.start, row.end) for row in rows[:3]] == [
        ("lift/a.mp4@0.200", "lift/a.mp4", 0.2, "A bar is lifted.", 0.0, 0.4),
        ("lift/a.mp4@0.500", "lift/a.mp4", 0.5, "Up.", 0.4, 0.6),
        ("lift/a.mp4@0.500 (2)", "lift/a.mp4", 0.5, "High.", 0.4, 0.6),
    ]
    late, down, broken = rows[3:]
    assert (late.health, late.reason) == ("unreadable", "a cue after the video's end: 0.900 s of 0.960 s")
    assert (down.name, down.text, down.health) == ("lift/b.mp4@0.500", "Down.", "ok")
    assert (broken.name, broken.health) == ("sit/e.mp4@0.250", "unreadable")
    assert broken.reason.startswith("a broken video: ")
    assert {(row.source, row.labels) for row in rows} == {
        ("lift/a.mp4", ("lift",)),
        ("lift/b.mp4", ("lift",)),
        ("sit/e.mp4", ("sit",)),
    }
    assert told[-1] == (3, 3)
    for said in (
        "1 videos without subtitles: 'sit/c.mp4'",
        "1 subtitles without a video of their name: 'sit/other.srt'",
        "1 further subtitles of a video that has others: 'lift/a.de.srt'",
        "1 subtitles that cannot be used: 'sit/d.srt' (The subtitles hold no cue that can be used",
        "'lift/b.en.vtt': 1 cue without text",
    ):
        assert said in caplog.text


def test_footage_is_read_as_any_pairs_are(footage, caplog):
    with caplog.at_level(logging.WARNING):
        table = read_pairs(footage, held_out=0.4)
    assert [row.health for row in table.rows] == ["ok", "ok", "ok", "unreadable", "ok", "unreadable"]
    assert all(row.digest for row in table.rows)
    assert "cannot be read" not in caplog.text, "they are named where they are left out"
    said = described({row.name: row.reason for row in table.usable(["image"]).lost})
    assert "1 with a cue after the video's end" in said
    assert "1 with a broken video" in said
    assert len(table.usable(["text"])) == 6, "their texts are there"


def test_labels_sources_and_splits_are_those_of_the_table_of_videos(footage, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").symlink_to(footage / f"lift/{name}.mp4")
        (tmp_path / f"{name}.srt").write_text(cue(0, 0.4, "Words."))
    (tmp_path / "labels.csv").write_text("path,label,source,split,room\na.mp4,bar;lift,day1,train,gym\nb.mp4,,,test,\n")
    first, second = read_footage(tmp_path)
    assert (first.labels, first.source, first.split, first.attributes["room"]) == (
        ("bar", "lift"),
        "day1",
        "train",
        "gym",
    )
    assert (second.labels, second.source, second.split) == ((), "b.mp4", "test")


@pytest.mark.parametrize(
    ("files", "matched"),
    [
        (("a.mp4", "a.srt"), {"a.mp4": "a.srt"}),
        (("a.MP4", "a.SRT"), {"a.MP4": "a.SRT"}),
        (("a.mp4", "a.vtt", "a.srt"), {"a.mp4": "a.srt"}),
        (("a.mp4", "a.de.srt", "a.en-US.srt"), {"a.mp4": "a.en-US.srt"}),
        (("a.mp4", "a.fr.srt", "a.de.srt"), {"a.mp4": "a.de.srt"}),
        (("a.mp4", "a.en.forced.srt"), {"a.mp4": "a.en.forced.srt"}),
        (("a.mp4", "a.mkv", "a.mkv.srt"), {"a.mkv": "a.mkv.srt"}),
        (("a.mp4", "a.mkv", "a.srt"), {"a.mkv": "a.srt"}),
        (("a.mp4", "a.b.mp4", "a.b.srt"), {"a.b.mp4": "a.b.srt"}),
        (("x/a.mp4", "y/a.srt", "a.srt"), {}),
        (("v1.2/a.mp4", "v1.srt", "v1.2/a.srt"), {"v1.2/a.mp4": "v1.2/a.srt"}),
        (("a.mp4", "a.part two of it.srt", "ab.srt"), {}),
    ],
)
def test_subtitles_are_found_by_the_name_of_their_video(files, matched):
    found = match_subtitles(files)
    assert found.subtitles == matched
    videos = [file for file in files if file.lower().endswith(("mp4", "mkv"))]
    assert sorted([*found.subtitles, *found.without]) == sorted(videos)
    rest = [*found.subtitles.values(), *found.more, *found.alone]
    assert sorted(rest) == sorted(file for file in files if file not in videos)


def test_a_folder_without_any_is_refused_with_what_is_there(tmp_path, footage):
    (tmp_path / "a.mp4").symlink_to(footage / "lift/a.mp4")
    (tmp_path / "b.srt").write_text(cue(0, 1, "x"))
    with pytest.raises(DataError, match="has subtitles: there are 1 videos and 1 subtitles"):
        read_footage(tmp_path)
    (tmp_path / "a.srt").write_text("")
    with pytest.raises(DataError, match=r"can be used; 'a.srt': The subtitles are empty"):
        read_footage(tmp_path)

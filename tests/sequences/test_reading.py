"""A folder of features, in all the ways that the field hands it on."""

import gzip
import io
import logging
import os
import unicodedata

import numpy as np
import pytest
from made_sequences import ACTIVITIES, features_of, put, steps_of, write_sequences

from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.data.sequences.files import open_features
from kinema.data.sequences.reading import read_sequences
from kinema.data.sequences.truth import read_truth

X = features_of(steps_of(12))


def text(separator, head="", end="\n"):
    return (head + end.join(separator.join(f"{value:.6f}" for value in row) for row in X) + end).encode()


def array(save=np.save, **named):
    file = io.BytesIO()
    save(file, **named) if named else save(file, X)
    return file.getvalue()


GOOD = {
    "a.npy": array(),
    "A.NPY": array(),
    "a.npz": array(np.savez_compressed),
    "named.npz": array(np.savez, features=X),
    "really_an_npz.npy": array(np.savez),
    "really_an_npy.npz": array(),
    "a.txt": text(" "),
    "tabs.txt": text("\t"),
    "comments.txt": text(" ", "# T, F\n\n"),
    "blank_line.txt": text(" ", "\n"),
    "a.csv": text(","),
    "semicolons.csv": text(";"),
    "marked.csv": text(",", "\ufeff", "\r\n"),
    "a.txt.gz": gzip.compress(text(" ")),
    "a.csv.gz": gzip.compress(text(",")),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_read_whatever_its_format(name, tmp_path):
    (tmp_path / name).write_bytes(GOOD[name])
    assert np.asarray(open_features(tmp_path / name)) == pytest.approx(X, abs=1e-6)


def pickled():
    class Trap:
        def __reduce__(self):
            return os.mkdir, ("unpickled",)

    file = io.BytesIO()
    np.save(file, np.array([Trap()], object), allow_pickle=True)
    return file.getvalue()


BAD = {
    "empty.npy": (b"", "it is empty"),
    "cut.npy": (array()[:-40], "cannot be read"),
    "head.npy": (array()[:30], "cannot be read"),
    "no_array.npy": (b"hello there", "begins as no .npy"),
    "objects.npy": (pickled(), "cannot be read|of object"),
    "objects.npz": (array(np.savez, x=np.array([{}], object)), "cannot be read"),
    "two.npz": (array(np.savez, a=X, b=X), "2 arrays"),
    "none.npz": (b"PK\5\6" + bytes(18), "0 arrays"),
    "cut.npz": (array(np.savez_compressed)[:200], "cannot be read"),
    "head.csv": (text(",", "f1,f2\n"), "cannot be read"),
    "words.txt": (b"no features here\n", "cannot be read"),
    "ragged.txt": (b"1 2 3\n4 5\n", "cannot be read"),
    "cut.txt.gz": (gzip.compress(text(" "))[:-30], "cannot be read"),
    "broken.txt.gz": (gzip.compress(text(" "))[:40] + b"\xff" * 60, "cannot be read"),
    "no_gzip.txt.gz": (text(" "), "cannot be read"),
    "deep.npy": (array(lambda file, x: np.save(file, x[None])), r"array \(1, 12, 6\)"),
    "scalar.npy": (array(lambda file, x: np.save(file, x.sum())), r"array \(\)"),
    "complex.npy": (array(lambda file, x: np.save(file, x * 1j)), "complex"),
    "words.npy": (array(lambda file, x: np.save(file, x.astype(str))), "<U"),
    "flags.npy": (array(lambda file, x: np.save(file, x > 0)), "bool"),
    "no_width.npy": (array(lambda file, x: np.save(file, x[:, :0])), r"array \(12, 0\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_file_is_named_and_left_out(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held, reason = BAD[name]
    write_sequences(tmp_path, ["V0", "V1"])
    (tmp_path / "features" / name).write_bytes(held)
    with pytest.raises(DataError, match=reason) as caught:
        open_features(tmp_path / "features" / name)
    assert name in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "unpickled").exists()
    table = read_sequences(tmp_path)
    broken = next(row for row in table.rows if row.path == f"features/{name}")
    assert broken.health == "unreadable"
    assert name in broken.reason
    assert len(table.usable()) == 2


def test_what_has_no_frame_is_empty(tmp_path):
    write_sequences(tmp_path, ["V0"])
    np.save(tmp_path / "features" / "nothing.npy", np.empty((0, 6), np.float32))
    (tmp_path / "features" / "blank.txt").write_text("\n# nothing\n\n", "utf-8")
    health = {row.name: row.health for row in read_sequences(tmp_path).rows}
    assert health == {"V0": "ok", "nothing": "empty", "blank": "empty"}


def test_what_cannot_be_looked_into_is_named(tmp_path):
    write_sequences(tmp_path, ["V0", "V1"])
    (tmp_path / "features" / "away.npy").symlink_to(tmp_path / "nowhere.npy")
    os.mkfifo(tmp_path / "features" / "pipe.npy")
    misnamed = os.fsencode(tmp_path / "features") + b"/\xff.npy"
    os.link(tmp_path / "features" / "V0.npy", misnamed)
    rows = {row.path: row.reason for row in read_sequences(tmp_path).rows if row.health != "ok"}
    assert len(rows) == 3
    assert "leads to nothing" in rows["features/away.npy"]
    assert "pipe" in rows["features/pipe.npy"]
    assert any("UTF-8" in reason for reason in rows.values())


@pytest.mark.parametrize(
    ("activity", "names", "expected"),
    [
        ("auto", ["coffee/P01", "coffee/P02", "tea/P03"], {"coffee", "tea"}),
        ("auto", ["P01_coffee", "P02_coffee", "P03_tea"], {"coffee", "tea"}),
        ("auto", ["P01_1", "P02_2"], {"all"}),
        ("auto", ["P01", "P02_tea"], {"all"}),
        ("folder", ["make tea/P01_x", "a/b/P02_y"], {"make-tea", "a-b"}),
        ("name", ["x/P01_coffee", "y/P01_tea"], {"coffee", "tea"}),
        ("name-before-number", ["jump_car_0001", "jump_car_2", "cpr_0003"], {"jump_car", "cpr"}),
        ("none", ["P01_coffee", "P02_tea"], {"all"}),
    ],
)
def test_the_activity_is_told_by_folder_or_name(activity, names, expected, tmp_path):
    write_sequences(tmp_path, names)
    assert set(read_sequences(tmp_path, activity=activity).classes()) == expected


def test_the_activity_is_told_by_a_column(tmp_path):
    write_sequences(tmp_path, ["P01_x", "P02_x", "P03_x"])
    lines = [f"features/P0{n}_x.npy,{activity},{n}\n" for n, activity in ((1, "fry"), (2, "bake"), (3, "fry"))]
    (tmp_path / "labels.csv").write_text("path,activity,cook\n" + "".join(lines), "utf-8")
    table = read_sequences(tmp_path)
    assert [row.activity for row in table.rows] == ["fry", "bake", "fry"]
    assert table.activity_from == "column"
    assert [row.name for row in table.select({"activity": "fry", "cook": "3"}).rows] == ["P03_x"]


def test_activities_that_cannot_be_told_are_refused(tmp_path):
    write_sequences(tmp_path, ["a b/P01", "a!b/P02"])
    with pytest.raises(DataError, match="both be called 'a-b'"):
        read_sequences(tmp_path)
    with pytest.raises(ConfigError, match=r"labels\.csv has no value"):
        read_sequences(tmp_path, activity="column")
    with pytest.raises(ConfigError, match="activity is 'guess'"):
        read_sequences(tmp_path, activity="guess")
    write_sequences(tmp_path / "all", ["all/P01", "tea/P02"])
    with pytest.raises(DataError, match="called 'all'"):
        read_sequences(tmp_path / "all")
    write_sequences(tmp_path / "flat", ["P01", "tea/P02"])
    with pytest.raises(DataError, match=r"no activity by their folder.*P01\.npy"):
        read_sequences(tmp_path / "flat", activity="folder")
    write_sequences(tmp_path / "signs", ["!!/P01", "tea/P02"])
    with pytest.raises(DataError, match="no activity by their folder"):
        read_sequences(tmp_path / "signs")


@pytest.mark.parametrize(
    ("layout", "names", "activities", "mapping"),
    [
        ("breakfast", ["P03_cam01_P03_coffee", "P04_webcam02_P04_tea"], ("coffee", "tea"), "mapping/mapping.txt"),
        ("50salads", ["rgb-01-1", "rgb-01-2"], ("all",), "mapping/mapping.txt"),
        ("50salads-eval", ["rgb-01-1", "rgb-01-2"], ("all",), "mapping/mappingeval.txt"),
        ("YTI", ["changing_tire_0001", "cpr_0003"], ("changing_tire", "cpr"), "mapping/mapping.txt"),
        ("desktop-assembly", ["2020-04-02_a", "2020-04-03_b"], ("all",), "mapping/mapping.txt"),
    ],
)
def test_a_known_data_set_is_read_by_its_name(layout, names, activities, mapping, tmp_path):
    write_sequences(tmp_path, names)
    (tmp_path / "mapping").mkdir()
    (tmp_path / "mapping.txt").rename(tmp_path / "mapping" / "mapping.txt")
    (tmp_path / "mapping" / "mappingeval.txt").write_text("0 step0\n1 step1\n1 step2\n", "utf-8")
    for name in names:
        os.rename(tmp_path / "groundTruth" / f"{name}.txt", tmp_path / "groundTruth" / name)
        (tmp_path / "groundTruth" / f"{name}_idt").write_text("not labels", "utf-8")
    table = read_sequences(f"{layout}:{tmp_path}")
    assert table.classes() == activities
    assert table.mapping == mapping
    assert [row.truth for row in table.rows] == [f"groundTruth/{name}" for name in names]
    names = ("step0", "step1/step2") if layout == "50salads-eval" else ("step0", "step1", "step2")
    assert read_truth(table).names == names


def test_an_unknown_layout_and_a_missing_place_are_named(tmp_path):
    with pytest.raises(UsageError, match="no layout 'brekfast'") as caught:
        read_sequences(f"brekfast:{tmp_path}")
    assert "breakfast, 50salads" in caught.value.hint
    with pytest.raises(UsageError, match="names no folder"):
        read_sequences("yti:")
    with pytest.raises(DataError, match="no folder"):
        read_sequences(tmp_path / "absent")


def test_splits_select_and_do_not_hold_out(tmp_path):
    write_sequences(tmp_path, ["P01.v1", "P02", "x/P03"])
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.split1.bundle").write_text("P01.v1\r\nP03.txt\n", "utf-8")
    (tmp_path / "splits" / "test.split1.bundle").write_text("groundTruth/P02.txt\n\n", "utf-8")
    table = read_sequences(tmp_path, activity="none")
    assert [row.value("split1") for row in table.rows] == ["train", "test", "train"]
    assert {row.split for row in table.rows} == {None}
    assert [row.name for row in table.select({"split1": "test"}).rows] == ["P02"]


def test_labels_are_found_by_path_and_by_a_name_that_is_one_videos(tmp_path):
    write_sequences(tmp_path, ["coffee/P01", "tea/P01", "tea/P02"])
    truth = tmp_path / "groundTruth"
    (truth / "tea" / "P02.txt").rename(truth / "P02.txt")
    found = {row.name: row.truth for row in read_sequences(tmp_path).rows}
    assert found == {
        "coffee/P01": "groundTruth/coffee/P01.txt",
        "tea/P01": "groundTruth/tea/P01.txt",
        "tea/P02": "groundTruth/P02.txt",
    }
    (truth / "coffee" / "P01.txt").rename(truth / "P01.txt")
    (truth / "tea" / "P01.txt").unlink()
    with pytest.raises(DataError, match=r"2 of 3 sequences have no labels of frames, for instance 'coffee/P01'"):
        read_truth(read_sequences(tmp_path))


def test_a_name_is_found_however_its_accents_are_written(tmp_path):
    write_sequences(tmp_path, ["V0"])
    composed, apart = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
    put(tmp_path, composed, X, steps_of(12))
    (tmp_path / "groundTruth" / f"{composed}.txt").rename(tmp_path / "groundTruth" / f"{apart}.txt")
    assert all(row.truth for row in read_sequences(tmp_path).rows)


@pytest.mark.parametrize(
    "name", ["a'b\"c", "[red]x[/red]", "a, b; c", "новый", "line\nbreak", "<b>&amp;", "-o", "%s{0}", " end"]
)
def test_hostile_names_are_only_names(name, tmp_path):
    write_sequences(tmp_path, [name, "V1"])
    table = read_sequences(tmp_path, activity="none")
    assert {row.name for row in table.rows} == {name, "V1"}
    assert all(row.truth for row in table.rows)
    table.write(tmp_path / "manifest.parquet")
    assert (tmp_path / "manifest.parquet").is_file()


def test_what_is_no_data_is_said(tmp_path, make_tiny_video):
    with pytest.raises(DataError, match="There are no features"):
        read_sequences(tmp_path)
    make_tiny_video(tmp_path / "a.mp4", (2, 0), 1)
    with pytest.raises(DataError, match="There are no features") as caught:
        read_sequences(tmp_path)
    assert "kinema segment" in caught.value.hint
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(DataError, match="a file, and no folder"):
        read_sequences(tmp_path / "a.npy")
    assert [row.name for row in read_sequences(tmp_path).rows] == ["a"]
    np.savez(tmp_path / "a.npz", X)
    with pytest.raises(DataError, match=r"'a' are there more than once: 'a\.npy', 'a\.npz'"):
        read_sequences(tmp_path)


def test_several_widths_and_frames_as_columns_are_refused(tmp_path):
    write_sequences(tmp_path, ["V0", "V1"])
    put(tmp_path, "V2", X[:, :5])
    with pytest.raises(DataError, match=r"5 in 1 files \(for instance 'features/V2.npy'\); 6 in 2 files"):
        read_sequences(tmp_path)
    put(tmp_path / "turned", "V0", X.T, steps_of(12))
    with pytest.raises(DataError, match=r"is \[6, 12\].*frames as columns") as caught:
        read_sequences(tmp_path / "turned")
    assert "features.T" in caught.value.hint
    put(tmp_path / "bare", "V0", X.T)
    put(tmp_path / "bare", "V1", X[:9].T)
    with pytest.raises(DataError, match="several widths") as caught:
        read_sequences(tmp_path / "bare")
    assert "All have 6 rows" in caught.value.hint


def test_as_many_labels_as_features_by_chance_are_no_turned_array(tmp_path):
    write_sequences(tmp_path, ["V0", "V1"])
    (tmp_path / "groundTruth" / "V0.txt").write_text("step0\n" * 6, "utf-8")
    assert read_truth(read_sequences(tmp_path)).scaled == {"V0": 6}


def test_labels_of_another_length_are_laid_over_the_frames_times(tmp_path):
    put(tmp_path, "long", X, [0, 0, 1, 2])
    put(tmp_path, "short", X[:4], np.repeat([0, 1, 2, 3], 5))
    truth = read_truth(read_sequences(tmp_path, activity="none"))
    assert truth.labels[0].tolist() == [0] * 6 + [1] * 3 + [2] * 3
    assert truth.labels[1].tolist() == [0, 1, 2, 3]
    assert truth.scaled == {"long": 4, "short": 20}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("0 step0\n1 step1\n", r"line \d+: the label 'step2' is not in"),
        ("step0 0\n", r"line 1: 'step0 0' is no number and label"),
        ("--1 step0\n", "line 1: '--1 step0' is no number and label"),
        ("0\n", "line 1: '0' is no number and label"),
        ("0 step0\n1 step0\n", "'step0' has two numbers"),
        ("\n\n", "numbers no label"),
        ("\0\1", "NUL"),
    ],
)
def test_a_mapping_that_is_none_is_refused(mapping, message, tmp_path):
    write_sequences(tmp_path, ["V0"])
    (tmp_path / "mapping.txt").write_text(mapping, "utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read_truth(read_sequences(tmp_path))
    assert "mapping.txt" in caught.value.message


@pytest.mark.parametrize(("labels", "message"), [("", "empty"), ("step0\n\nstep1\n", "line 2: it is empty")])
def test_labels_that_are_none_are_refused(labels, message, tmp_path):
    write_sequences(tmp_path, ["V0"])
    (tmp_path / "groundTruth" / "V0.txt").write_text(labels, "utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read_truth(read_sequences(tmp_path))
    assert "V0.txt" in caught.value.message


def test_a_mapping_may_give_several_labels_one_number(tmp_path):
    write_sequences(tmp_path, ["V0"])
    (tmp_path / "mapping.txt").write_text("5 step2\n-1 step0\n5 step1\n", "utf-8")
    truth = read_truth(read_sequences(tmp_path))
    assert truth.names == ("step0", "step2/step1")
    assert truth.numbers(["step1", "absent"]) == (1,)


def test_a_row_is_selected_by_its_activity(tmp_path, caplog):
    write_sequences(tmp_path, ACTIVITIES)
    table = read_sequences(tmp_path)
    assert len(table.select({"activity": "coffee"})) == 3
    with pytest.raises(DataError, match="activity=cofee") as caught:
        table.select({"activity": "cofee"})
    assert "coffee, tea" in caught.value.hint
    with pytest.raises(DataError, match="has 'activty'"):
        table.select({"activty": "coffee"})
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

"""Trees of the shape of the real data sets, small, with files that are never opened: what the lists make of them."""

import json
import logging

import pytest

from kinema.core.errors import DataError, UsageError
from kinema.data.layouts import LAYOUTS
from kinema.data.layouts.layout import listed
from kinema.data.layouts.opening import named_data, root_of


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def told(root, name, split=1):
    """Path to (label, source, split) of what is found."""
    return {path: (e.label, e.source, e.split) for path, e in listed(LAYOUTS[name], root, split).items()}


def ucf101(root):
    put(
        root,
        "UCF-101/Archery/v_Archery_g01_c01.avi",
        "UCF-101/Archery/v_Archery_g01_c02.avi",
        "UCF-101/Archery/v_Archery_g02_c01.avi",
        "UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi",
    )
    lists = {
        "classInd": "1 Archery\r\n2 HandstandPushups\r\n",
        "trainlist01": "Archery/v_Archery_g02_c01.avi 1\r\nHandstandPushups/v_HandstandPushups_g01_c01.avi 2\r\n",
        "testlist01": "Archery/v_Archery_g01_c01.avi\nArchery/v_Archery_g01_c02.avi\n",
        "trainlist02": "Archery/v_Archery_g01_c01.avi 1\nArchery/v_Archery_g01_c02.avi 1\n",
        "testlist02": "Archery/v_Archery_g02_c01.avi\nHandstandPushups/v_HandstandPushups_g01_c01.avi\n",
        "trainlist03": "Archery/v_Archery_g01_c01.avi 1\nArchery/v_Archery_g01_c02.avi 1\n"
        "Archery/v_Archery_g02_c01.avi 1\n",
        "testlist03": "HandstandPushups/v_HandstandPushups_g01_c01.avi\n",
    }
    for name, content in lists.items():
        write(root, f"ucfTrainTestlist/{name}.txt", content)
    return root


def test_ucf101(tmp_path, caplog):
    found = listed(LAYOUTS["ucf101"], ucf101(tmp_path), 1)
    one, two, three, four = found
    assert one == "UCF-101/Archery/v_Archery_g01_c01.avi"
    assert [entry.label for entry in found.values()] == ["Archery"] * 3 + ["HandstandPushups"]
    assert found[one].source == found[two].source == "v_Archery_g01"
    assert found[three].source == "v_Archery_g02"
    assert found[one].attributes == {"split1": "test", "split2": "train", "split3": "train"}
    assert found[four].attributes == {"split1": "train", "split2": "test", "split3": "test"}
    splits = [
        ["test", "test", "train", "train"],
        ["train", "train", "test", "test"],
        ["train", "train", "train", "test"],
    ]
    for number, parts in enumerate(splits, 1):
        assert [e.split for e in listed(LAYOUTS["ucf101"], tmp_path, number).values()] == parts
    assert caplog.text == ""


def test_ucf101_with_one_split_and_other_endings(tmp_path):
    ucf101(tmp_path)
    for path in (tmp_path / "ucfTrainTestlist").glob("*list0[23].txt"):
        path.unlink()
    (tmp_path / "ucfTrainTestlist" / "classInd.txt").unlink()
    for path in tmp_path.rglob("*.avi"):
        path.rename(path.with_suffix(".mp4"))
    found = listed(LAYOUTS["ucf101"], tmp_path, 1)
    assert len(found) == 4
    assert found["UCF-101/Archery/v_Archery_g02_c01.mp4"].attributes == {"split1": "train"}
    with pytest.raises(DataError, match=r"no 'trainlist02\.txt' in .*\n.*ucfTrainTestlist"):
        listed(LAYOUTS["ucf101"], tmp_path, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "trainlist01",
            "Archery/v_Archery_g02_c01.avi 1\n\nv_Archery_g01_c01.avi 1\n",
            r"txt', line 3, column 1: 'v_A",
        ),
        ("trainlist01", "Archery/v_Archery_g02_c01.avi 2\n", r"line 1, column 2: the class Archery has the number 1"),
        ("trainlist01", "Bowling/v_Bowling_g02_c01.avi 3\n", r"line 1, column 1: the class 'Bowling' is not in class"),
        ("testlist01", "Archery/v_Archery_g02_c01.avi\n", r"testlist01\.txt', line 1, .* twice: as Archery in train"),
        ("classInd", "1 Archery\nArchery\n", r"classInd\.txt', line 2: 'Archery' is not a number and a class"),
    ],
)
def test_ucf101_lists_that_are_wrong(tmp_path, name, content, message):
    write(ucf101(tmp_path), f"ucfTrainTestlist/{name}.txt", content)
    with pytest.raises(DataError, match=message):
        listed(LAYOUTS["ucf101"], tmp_path, 1)


def test_a_list_that_is_not_utf8_and_two_that_are_equally_near(tmp_path):
    ucf101(tmp_path)
    (tmp_path / "ucfTrainTestlist" / "testlist03.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"testlist03\.txt' could not be read"):
        listed(LAYOUTS["ucf101"], tmp_path, 1)
    ucf101(tmp_path)
    write(tmp_path, "detection/trainlist01.txt", "")
    with pytest.raises(DataError, match=r"holds both 'detection/trainlist01\.txt' and 'ucfTrainTestlist/trainl"):
        listed(LAYOUTS["ucf101"], tmp_path, 1)
    (tmp_path / "detection" / "old").mkdir()
    (tmp_path / "detection" / "trainlist01.txt").rename(tmp_path / "detection" / "old" / "trainlist01.txt")
    assert len(told(tmp_path, "ucf101")) == 4  # what is deeper does not count


def test_missing_surplus_and_copies_are_counted_and_named(tmp_path, caplog):
    ucf101(tmp_path)
    lines = "".join(f"Archery/v_Archery_g{n:02d}_c01.avi 1\n" for n in range(2, 10))
    write(tmp_path, "ucfTrainTestlist/trainlist01.txt", lines)
    put(tmp_path, "UCF-101/Archery/v_Archery_g30_c01.avi", "mine.mp4", "copy/v_Archery_g02_c01.avi", "notes.md")
    with caplog.at_level(logging.WARNING):
        found = told(tmp_path, "ucf101")
    assert set(found) == {
        "UCF-101/Archery/v_Archery_g01_c01.avi",
        "UCF-101/Archery/v_Archery_g01_c02.avi",
        "UCF-101/Archery/v_Archery_g02_c01.avi",
        "UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi",
    }
    missing, surplus, copies = [record.getMessage() for record in caplog.records]
    assert f"UCF101 in '{tmp_path}': 7 of the 11 videos that the lists name are not there: 'Archery/v_Arc" in missing
    assert missing.endswith("'Archery/v_Archery_g07_c01.avi' and 2 more.")
    assert "2 videos stand in no list and are left out: 'UCF-101/Archery/v_Archery_g30_c01.avi', 'mine.mp4'." in surplus
    assert "1 videos are further copies of others and are left out: 'copy/v_Archery_g02_c01.avi'." in copies


HMDB = {
    "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi": ("April_09", "1", "2", "0"),
    "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_1.avi": ("April_09", "1", "2", "0"),
    "walk/Crash_walk_f_cm_np1_le_med_7.avi": ("Crash", "2", "1", "1"),
    "run/Crash_run_l_cm_np2_fr_bad_3.avi": ("Crash", "1", "0", "2"),
    "run/film.avi": (None, "2", "1", "1"),
    "walk/film.avi": (None, "1", "1", "2"),
}


def hmdb51(root):
    put(root, *(f"videos/{name}" for name in HMDB))
    for split in (1, 2, 3):
        for label in ("brush_hair", "run", "walk"):
            rows = [f"{n.split('/')[1]} {t[split]} " for n, t in HMDB.items() if n.startswith(f"{label}/")]
            write(root, f"testTrainMulti_7030_splits/{label}_test_split{split}.txt", "\n".join(rows) + "\n")
    return root


def test_hmdb51(tmp_path, caplog):
    hmdb51(tmp_path)
    for split in (1, 2, 3):
        expected = {
            f"videos/{name}": (name.split("/")[0], row[0] or "", {"0": None, "1": "train", "2": "test"}[row[split]])
            for name, row in HMDB.items()
        }
        assert told(tmp_path, "hmdb51", split) == expected
    found = listed(LAYOUTS["hmdb51"], tmp_path, 1)
    crash = found["videos/run/Crash_run_l_cm_np2_fr_bad_3.avi"].attributes
    assert crash == {
        "visible": "l",
        "camera": "cm",
        "people": "np2",
        "view": "fr",
        "quality": "bad",
        "split1": "train",
        "split3": "test",
    }
    assert found["videos/run/film.avi"].attributes == {"split1": "test", "split2": "train", "split3": "train"}
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("film.avi 3", r"run_test_split2\.txt', line 1, column 2: '3' is not 0, 1 or 2"),
        ("film.avi", r"run_test_split2\.txt', line 1, column 2: 'film\.avi' is not 0, 1 or 2"),
        (
            "film.avi 1\nfilm.avi 2",
            r"line 2, column 1: 'film\.avi' is listed twice: as run in train before, and here as",
        ),
    ],
)
def test_hmdb51_lists_that_are_wrong(tmp_path, line, message):
    write(hmdb51(tmp_path), "testTrainMulti_7030_splits/run_test_split2.txt", line)
    with pytest.raises(DataError, match=message):
        listed(LAYOUTS["hmdb51"], tmp_path, 1)


HEAD = "label,youtube_id,time_start,time_end,split,is_cc\n"
A, B, C = "-3B32lodo2M", "_dbcJuKJQNs", "_DBCjuKJQNs"


def test_kinetics_as_cvdf_unpacks_it(tmp_path, caplog):
    put(
        tmp_path,
        f"train/{A}_000059_000069.mp4",
        f"train/{A}_000100_000110.mp4",
        f"train/{B}_000000_000010.mp4",
        f"val/{C}_000040_000050.mp4",
        "test/aaaaaaaaaaa_000001_000011.mp4",
        f"replacement/replacement_for_corrupted_k400/{B}_000000_000010.mp4",
    )
    rows = f'abseiling,{A},59,69,train,0\n"air drumming",{A},100,110,train,0\nabseiling,{B},0,10,train,0\n'
    write(tmp_path, "annotations/train.csv", HEAD + rows)
    write(tmp_path, "annotations/val.csv", HEAD + f'"passing soccer ball, high",{C},40.0,50.0,val,0\n')
    write(tmp_path, "annotations/test.csv", "youtube_id,time_start,time_end,split\naaaaaaaaaaa,1,11,test\n")
    write(tmp_path, "annotations/countix_train.csv", "video_id,class\n")
    with caplog.at_level(logging.WARNING):
        found = told(tmp_path, "kinetics400")
    assert found == {
        f"train/{A}_000059_000069.mp4": ("abseiling", A, "train"),
        f"train/{A}_000100_000110.mp4": ("air drumming", A, "train"),
        f"replacement/replacement_for_corrupted_k400/{B}_000000_000010.mp4": ("abseiling", B, "train"),
        f"val/{C}_000040_000050.mp4": ("passing soccer ball, high", C, "val"),
        "test/aaaaaaaaaaa_000001_000011.mp4": (None, "aaaaaaaaaaa", "test"),
    }
    assert len(caplog.records) == 1
    assert f"1 videos are further copies of others and are left out: 'train/{B}_000000_000010.mp4'" in caplog.text
    assert listed(LAYOUTS["kinetics400"], tmp_path)[f"train/{A}_000059_000069.mp4"].attributes == {
        "start": "59",
        "end": "69",
    }


def test_kinetics_in_class_folders_with_holes(tmp_path, caplog):
    put(tmp_path, f"videos_train/air_drumming/{A}_000059_000069.mp4", f"videos_train/air_drumming/{B}.mp4")
    put(tmp_path, f"videos_train/air_drumming/{C}_000001_000002.mp4", f"videos_train/yoga/{A}.mp4")
    rows = [f"air drumming,{A},59,69,train", f"air drumming,{B},5,15,train", f"air drumming,{A},70,80,train"]
    rows += [f"air drumming,gone_{n:06d},0,10,train" for n in range(7)] + [f"yoga,{B},5,15,train"]
    write(tmp_path, "kinetics_train.csv", "label,youtube_id,time_start,time_end,split\n" + "\n".join(rows) + "\n")
    with caplog.at_level(logging.WARNING):
        found = told(tmp_path, "kinetics600")
    assert found == {
        f"videos_train/air_drumming/{A}_000059_000069.mp4": ("air drumming", A, "train"),
        f"videos_train/air_drumming/{B}.mp4": ("air drumming", B, "train"),
    }
    missing, surplus, repeated = [record.getMessage() for record in caplog.records]
    assert f"8 of the 10 videos that the lists name are not there: '{A}_000070_000080', 'gone_000000" in missing
    assert missing.endswith("and 3 more.")
    assert f"{C}_000001_000002.mp4" in surplus
    assert f"yoga/{A}.mp4" in surplus  # two clips of this id are listed: it could be either
    assert f"1 videos are listed more than once, and the first line counts: '{B}_000005_000015'" in repeated


def test_kinetics_without_lists_goes_by_the_folders(tmp_path, caplog):
    put(tmp_path, f"k700/train/air_drumming/{A}_000059_000069.mp4", f"val_256/yoga/{B}_000000_000010.mp4", "notes.mp4")
    put(tmp_path, f"test/{C}_000000_000010.mp4", f"yoga/{C}_000020_000030.mp4")
    with caplog.at_level(logging.WARNING):
        found = told(tmp_path, "kinetics700")
    assert found == {
        f"k700/train/air_drumming/{A}_000059_000069.mp4": ("air drumming", A, "train"),
        f"val_256/yoga/{B}_000000_000010.mp4": ("yoga", B, "val"),
        f"test/{C}_000000_000010.mp4": (None, C, "test"),
        f"yoga/{C}_000020_000030.mp4": ("yoga", C, None),
    }
    assert "1 videos stand in no list and are left out: 'notes.mp4'" in caplog.text
    write(tmp_path, "validate.csv", HEAD + f"pilates,{B},0,10,validate,0\n")
    found = told(tmp_path, "kinetics700")  # the list speaks of its split, the folders of the others
    assert found[f"val_256/yoga/{B}_000000_000010.mp4"] == ("pilates", B, "val")
    assert found[f"k700/train/air_drumming/{A}_000059_000069.mp4"] == ("air drumming", A, "train")
    assert f"yoga/{C}_000020_000030.mp4" not in found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("abseiling,x,1,2,train\n", r"train\.csv', line 1: there is no column 'youtube_id' among: abseiling, x, 1"),
        (HEAD + "a,xxxxxxxxxxx,1,2,train,0\nb,yyyyyyyyyyy,soon,2,train,0\n", r"line 3, column 'time_start': 'soon' is"),
        (HEAD + "a,,1,2,train,0\n", r"line 2, column 'youtube_id': it is empty"),
        (HEAD + "a,xxxxxxxxxxx,1,2\n", r"line 2: it has fewer columns than the head"),
        (HEAD + 'a,"xxxxxxxxxxx,1,2,train,0\n', r"train\.csv', line 2: unexpected end of data"),
        (
            HEAD + "".join(f"c{n},{n:011d},0,10,train,0\n" for n in range(401)),
            r"name 401 classes; Kinetics-400 has 400\.\nName the data set that it is",
        ),
    ],
)
def test_kinetics_lists_that_are_wrong(tmp_path, content, message):
    put(tmp_path, f"train/{A}_000059_000069.mp4")
    write(tmp_path, "train.csv", content)
    with pytest.raises(DataError, match=message):
        listed(LAYOUTS["kinetics400"], tmp_path)


def diving48(root):
    put(root, "rgb/-mmq0PT-u8k_00155.mp4", "rgb/-mmq0PT-u8k_00156.mp4", "rgb/_8Vy3dlHg2w_00000.mp4")
    write(root, "Diving48_vocab.json", [["Back", "15som", "05Twis", "FREE"], ["Forward", "25som", "NoTwis", "PIKE"]])
    rows = [{"vid_name": f"-mmq0PT-u8k_0015{n}", "label": 1, "start_frame": 0, "end_frame": 48} for n in (5, 6)]
    write(root, "Diving48_V2_train.json", rows)
    write(root, "Diving48_V2_test.json", [{"vid_name": "_8Vy3dlHg2w_00000", "label": 0}])
    return root


def test_diving48(tmp_path):
    forward, back = "Forward 25som NoTwis PIKE", "Back 15som 05Twis FREE"
    assert told(diving48(tmp_path), "diving48") == {
        "rgb/-mmq0PT-u8k_00155.mp4": (forward, "-mmq0PT-u8k", "train"),
        "rgb/-mmq0PT-u8k_00156.mp4": (forward, "-mmq0PT-u8k", "train"),
        "rgb/_8Vy3dlHg2w_00000.mp4": (back, "_8Vy3dlHg2w", "test"),
    }
    dive = listed(LAYOUTS["diving48"], tmp_path)["rgb/_8Vy3dlHg2w_00000.mp4"]
    assert dive.attributes == {"takeoff": "Back", "somersault": "15som", "twist": "05Twis", "position": "FREE"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("V2_train", '[{"vid_name": "a",\n "label" 1}]', r"V2_train\.json', line 2, column 10: Expecting ':'"),
        (
            "V2_train",
            [{"vid_name": "a", "label": 2}],
            r"entry 1, 'label': it is 2; the vocabulary holds classes 0 to 1",
        ),
        ("V2_test", [{"vid_name": "a", "label": 0}, {"label": 0}], r"V2_test\.json', entry 2, 'vid_name': it is null"),
        ("V2_test", [{"vid_name": "a", "label": True}], r"entry 1, 'label': it is true, not a int"),
        ("V2_test", [{"vid_name": "-mmq0PT-u8k_00155", "label": 1}], r"entry 1, 'vid_name': '-mmq.* is listed twice"),
        ("V2_test", {"a": 0}, r"V2_test\.json': it holds a dict, not a list"),
        ("vocab", [["Back", "15som", "05Twis"]], r"vocab\.json', entry 1: it is not a list of the four parts"),
    ],
)
def test_diving48_lists_that_are_wrong(tmp_path, name, content, message):
    write(diving48(tmp_path), f"Diving48_{name}.json", content)
    with pytest.raises(DataError, match=message):
        listed(LAYOUTS["diving48"], tmp_path)


def something(root, prefix):
    put(root, *(f"20bn-something-something-v2/{n}.webm" for n in (1, 2, 3, 4)))
    write(root, f"{prefix}labels.json", {"Holding something next to something": "0", "Something falling": "1"})
    train = {"id": "1", "label": "holding potato next to jar", "template": "Holding [something] next to [something]"}
    write(root, f"{prefix}train.json", [train])
    write(root, f"{prefix}validation.json", [{"id": "2", "label": "cup falling", "template": "[Something] falling"}])
    write(root, f"{prefix}test.json", [{"id": "3"}, {"id": "4"}])
    return root


@pytest.mark.parametrize("prefix", ["something-something-v2-", "labels/"])
def test_something_something(tmp_path, prefix):
    something(tmp_path, prefix)
    expected = {
        "20bn-something-something-v2/1.webm": ("Holding something next to something", "", "train"),
        "20bn-something-something-v2/2.webm": ("Something falling", "", "val"),
        "20bn-something-something-v2/3.webm": (None, "", "test"),
        "20bn-something-something-v2/4.webm": (None, "", "test"),
    }
    assert told(tmp_path, "ssv2") == expected
    entry = listed(LAYOUTS["ssv2"], tmp_path)["20bn-something-something-v2/2.webm"]
    assert entry.attributes == {"caption": "cup falling"}
    write(tmp_path, "labels/test-answers.csv", "4;Something falling\n")
    expected["20bn-something-something-v2/4.webm"] = ("Something falling", "", "test")
    assert told(tmp_path, "ssv2") == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train.json",
            [{"id": "1", "template": "Losing [it]"}],
            r"train\.json', entry 1, 'template': 'Losing it' is no",
        ),
        ("train.json", [{"id": 1, "template": "x"}], r"entry 1, 'id': it is 1, not a str"),
        ("labels.json", "{", r"labels\.json', line 1, column 2: Expecting"),
        (
            "test-answers.csv",
            "3,Something falling\n",
            r"test-answers\.csv', line 1: it has 1 columns, not 2 \(id;templ",
        ),
        (
            "test-answers.csv",
            "3;Losing it\n",
            r"test-answers\.csv', line 1, column 'template': 'Losing it' is no class",
        ),
    ],
)
def test_something_something_lists_that_are_wrong(tmp_path, name, content, message):
    write(something(tmp_path, "labels/"), f"labels/{name}", content)
    with pytest.raises(DataError, match=message):
        listed(LAYOUTS["ssv2"], tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_wrong_folder_is_answered_with_the_shape(tmp_path, name):
    with pytest.raises(DataError, match=r"no folder '.*gone'\.\nGive the folder that holds .*Make it hold"):
        listed(LAYOUTS[name], tmp_path / "gone")
    put(tmp_path, "a/1.mp4", "notes.csv", "x.json")
    with pytest.raises(DataError, match=r"There is no .* in '.*' or the folders in it\.\nMake it hold"):
        listed(LAYOUTS[name], tmp_path)


def test_lists_without_a_single_video(tmp_path):
    ucf101(tmp_path)
    for path in tmp_path.rglob("*.avi"):
        path.unlink()
    put(tmp_path, "other.mp4")
    with pytest.raises(
        DataError, match=r"None of the 4 videos that the lists of UCF101 name is in .*; 1 other videos are"
    ):
        listed(LAYOUTS["ucf101"], tmp_path)


def test_names(tmp_path, monkeypatch):
    assert named_data("ucf101:data").split == 1
    assert named_data("UCF101-2:data").split == 2
    assert named_data("ssv2:/a:b").root.as_posix() == "/a:b"
    assert named_data("kinetics400:~/k").root.is_absolute()
    assert named_data("videos") is None
    assert named_data("C:/videos") is None
    for data, message in (
        ("mine:x", r"no layout 'mine'\.\nThe known data sets are: ucf101, hmdb51, kinetics400"),
        ("ucf101-4:x", r"no 'ucf101-4': UCF101 has the official splits 1 to 3"),
        ("hmdb51-0:x", r"no 'hmdb51-0'"),
        ("hmdb51-b:x", r"no 'hmdb51-b'"),
        ("ssv2-2:x", r"Something-Something v2 has one official split"),
        ("jester:", r"'jester:' names no folder"),
    ):
        with pytest.raises(UsageError, match=message):
            named_data(data)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine:x").mkdir()
    assert named_data("mine:x") is None
    assert [root_of(data).as_posix() for data in ("ucf101-2:d", "d", "yours:x")] == ["d", "d", "yours:x"]

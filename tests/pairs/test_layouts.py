"""Known sets of pairs by name: what their lists say, on small copies of their forms and on the real ones where here."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from kinema.core.errors import DataError, UsageError
from kinema.data.matlab import matrices_in, read_matrix
from kinema.data.pairs.checking import open_array
from kinema.data.pairs.layouts import LAYOUTS, read_layout
from kinema.data.pairs.mirflickr import LABELS
from kinema.data.pairs.reading import read_pairs
from kinema.data.pairs.table import array_file, stored_row

REAL = Path(__file__).parents[3] / "shared" / "data" / "dcvh"


def written(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".jpg"):
            Image.new("RGB", (8, 8), (len(text), 9, 9)).save(root / name)
        else:
            (root / name).write_text(text)
    return root


def told(rows):
    return [(row.name, row.image, row.text, row.labels, row.split) for row in rows]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_without_the_set_is_refused_with_what_was_expected(name, tmp_path):
    written(tmp_path, {"other.txt": "1"})
    with pytest.raises(DataError, match=r"it holds 1 files, for instance 'other.txt'") as caught:
        read_layout(name, tmp_path)
    assert caught.value.hint.startswith("Expected: ")
    with pytest.raises(DataError, match="is no folder"):
        read_layout(name, tmp_path / "none")


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="no layout 'flickr30k'") as caught:
        read_layout("flickr30k", tmp_path)
    assert ", ".join(LAYOUTS) in caught.value.hint


MIRFLICKR = {
    "mirflickr/im1.jpg": "a",
    "mirflickr/im2.jpg": "bb",
    "mirflickr/im10.jpg": "ccc",
    "mirflickr/meta/tags/tags1.txt": "sea\nblue sky\n",
    "mirflickr/meta/tags/tags2.txt": "",
    "mirflickr/meta/tags/tags3.txt": "lost",
    "mirflickr/meta/tags_raw/tags1.txt": "Sea!",
    "annotations/sea.txt": "1\n10\n",
    "annotations/sea_r1.txt": "10\n",
    "annotations/plant_life.txt": "1\n",
}


def test_mirflickr_as_it_was_published(tmp_path, caplog):
    rows = read_layout("mirflickr25k", written(tmp_path, MIRFLICKR))
    assert told(rows) == [
        ("im1", "mirflickr/im1.jpg", "sea blue sky", ("plant_life", "sea"), None),
        ("im2", "mirflickr/im2.jpg", "", (), None),
        ("im10", "mirflickr/im10.jpg", "", ("sea",), None),
    ]
    assert [row.attributes for row in rows] == [{}, {}, {"relevant": "sea"}]
    for said in (
        "1 of 3 tags are not there: 'tags10.txt'",
        "1 of 3 pictures are not there: 'im3.jpg'",
        "22 of 24 lists",
    ):
        assert said in caplog.text
    written(tmp_path, {"annotations/sea.txt": "1\nx\n"})
    with pytest.raises(DataError, match=r"sea.txt', line 2: 'x' is no number from 1 to 10"):
        read_layout("mirflickr25k", tmp_path)


def matrices(root, name="mirflickr25k", rows=6, labels=24, **more):
    rng = np.random.default_rng(0)
    known, tags = rng.integers(0, 2, (rows, labels)).astype(np.uint8), rng.integers(0, 2, (rows, 5)).astype(float)
    savemat(root / f"{name}-lall.mat", {"LAll": known})
    savemat(root / f"{name}-yall.mat", {"YAll": csc_matrix(tags)})
    for key, value in more.items():
        savemat(root / f"{name}-iall.mat", {key: value})
    return known, tags


def test_matrices_of_labels_and_tags_are_rows_of_words_with_the_usual_split(tmp_path, monkeypatch):
    monkeypatch.setattr("kinema.data.pairs.mirflickr.QUERIES", 1)
    monkeypatch.setattr("kinema.data.pairs.mirflickr.TRAIN", 3)
    known, tags = matrices(tmp_path, FAll=np.ones((6, 7)))
    rows = read_layout("mirflickr25k", tmp_path)
    assert [row.split for row in rows] == ["test", "train", "train", "train", None, None]
    for number, row in enumerate(rows):
        assert row.text.split() == [f"tag{column + 1:04d}" for column in np.flatnonzero(tags[number])]
        assert row.labels == tuple(LABELS[column] for column in np.flatnonzero(known[number]))
        assert row.image == f"mirflickr25k-iall.mat:FAll[{number}]"
    monkeypatch.undo()
    assert {row.split for row in read_layout("mirflickr25k", tmp_path)} == {None}


def test_matrices_that_are_not_of_one_set_are_refused(tmp_path, caplog):
    matrices(tmp_path, IAll=np.zeros((6, 2, 2, 3)))
    assert not any(row.image for row in read_layout("mirflickr25k", tmp_path))
    assert "holds no features [6, F], but IAll [6, 2, 2, 3]" in caplog.text
    for change, said in (
        ({"mirflickr25k-yall.mat": {"YAll": np.ones((5, 3))}}, "has 6 rows, and 'mirflickr25k-yall.mat' has 5"),
        ({"mirflickr25k-lall.mat": {"LAll": np.ones((6, 23))}}, "has 23 labels; MIRFLICKR-25K has 24"),
        ({"mirflickr25k-lall.mat": {"LAll": np.full((6, 24), 2)}}, "other numbers than 0 and 1"),
        ({"mirflickr25k-lall.mat": {"A": np.ones(3), "B": np.ones(3)}}, "holds 2 matrices"),
        ({"mirflickr25k-lall.mat": {"LAll": "text"}}, r"numbers \[rows, columns\] were expected"),
    ):
        matrices(tmp_path)
        for name, content in change.items():
            savemat(tmp_path / name, content)
        with pytest.raises(DataError, match=said):
            read_layout("mirflickr25k", tmp_path)
    matrices(tmp_path)
    whole = (tmp_path / "mirflickr25k-lall.mat").read_bytes()
    hdf = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n"
    for content, said in (
        (b"", "Mat file appears to be truncated"),
        (hdf, r"it is of version 7.3 \(HDF5\)"),
        *((whole[:size], "") for size in (60, 150, len(whole) - 20)),
    ):
        (tmp_path / "mirflickr25k-lall.mat").write_bytes(content)
        with pytest.raises(DataError, match=f"is no MATLAB file that can be read: .*{said}"):
            read_layout("mirflickr25k", tmp_path)
    matrices(tmp_path)
    (tmp_path / "mirflickr25k-yall.mat").unlink()
    with pytest.raises(DataError, match=r"no 'mirflickr25k-yall.mat' with the tags"):
        read_layout("mirflickr25k", tmp_path)


NUS = {
    "ImageList/Imagelist.txt": "actor\\0001_11.jpg\nactor\\0002_22.jpg \nzoo\\0001_33.jpg\n",
    "ImageList/TrainImagelist.txt": "actor\\0001_11.jpg\nzoo\\0001_33.jpg\n",
    "ImageList/TestImagelist.txt": "actor\\0002_22.jpg\n",
    "Groundtruth/AllLabels/Labels_sky.txt": "1\n1\n0\n",
    "Groundtruth/AllLabels/Labels_dog.txt": "1\n0\n0\n",
    "Groundtruth/AllLabels/Labels_map.txt": "0\n0\n1\n",
    "Groundtruth/TrainTestLabels/Labels_sky_Train.txt": "1\n0\n",
    "NUS_WID_Tags/All_Tags.txt": "11      blue  sky \n22 \n33\tmap\n",
    "Flickr/actor/0001_11.jpg": "a",
    "Flickr/zoo/0001_33.jpg": "b",
}


def test_nus_wide_keeps_the_most_frequent_labels_and_their_pictures(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("kinema.data.pairs.nus_wide.MOST_FREQUENT", 2)
    rows = read_layout("nus-wide", written(tmp_path, NUS))
    assert told(rows) == [
        ("actor/0001_11.jpg", "Flickr/actor/0001_11.jpg", "blue sky", ("dog", "sky"), "train"),
        ("actor/0002_22.jpg", "actor/0002_22.jpg", "", ("sky",), "test"),
    ]
    assert "1 of 2 pictures are not there: 'actor/0002_22.jpg'" in caplog.text
    (tmp_path / "NUS_WID_Tags/All_Tags.txt").unlink()
    written(tmp_path, {"NUS_WID_Tags/AllTags1k.txt": "1 0\n1 1\n0 0\n", "NUS_WID_Tags/TagList1k.txt": "sky\nblue\n"})
    assert [row.text for row in read_layout("nus-wide", tmp_path)] == ["sky", "sky blue"]
    for picture in tmp_path.rglob("*.jpg"):
        picture.unlink()
    assert {row.image for row in read_layout("nus-wide", tmp_path)} == {""}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("Groundtruth/AllLabels/Labels_dog.txt", "1\n0\n", r"has 2 lines, and the list of pictures has 3"),
        ("Groundtruth/AllLabels/Labels_dog.txt", "1\n0\n2\n", r"line 3: '2' is neither 0 nor 1"),
        ("NUS_WID_Tags/All_Tags.txt", "99 x\n", "the tags of none of the 3 pictures"),
    ],
)
def test_lists_of_nus_wide_that_do_not_fit_are_refused(name, text, said, tmp_path):
    with pytest.raises(DataError, match=said):
        read_layout("nus-wide", written(tmp_path, NUS | {name: text}))


def test_nus_wide_as_matrices_has_its_own_split(tmp_path, monkeypatch):
    monkeypatch.setattr("kinema.data.pairs.nus_wide.QUERIES", 2)
    monkeypatch.setattr("kinema.data.pairs.nus_wide.TRAIN", 3)
    matrices(tmp_path, "nus-wide-tc21", labels=21)
    rows = read_layout("nus-wide", tmp_path)
    assert Counter(row.split for row in rows) == {"test": 2, "train": 3, None: 1}
    assert set(rows[0].labels) <= {f"label{number:02d}" for number in range(1, 22)}


COCO = {
    "annotations/captions_train2017.json": {
        "images": [{"id": 7, "file_name": "007.jpg"}, {"id": 8, "file_name": "008.jpg"}],
        "annotations": [
            {"image_id": 7, "id": 1, "caption": "A dog\n runs."},
            {"image_id": 7, "id": 2, "caption": "A brown dog."},
            {"image_id": 8, "id": 3, "caption": " "},
        ],
    },
    "annotations/instances_train2017.json": {
        "images": [],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "annotations": [{"image_id": 7, "category_id": n, "bbox": []} for n in (18, 1, 18)],
    },
    "annotations/captions_val2017.json": {
        "images": [{"id": 9, "file_name": "007.jpg"}],
        "annotations": [{"image_id": 9, "id": 4, "caption": "A cat."}],
    },
}


def test_coco_has_a_pair_a_picture_with_all_of_its_captions(tmp_path, caplog):
    files = {name: json.dumps(content) for name, content in COCO.items()}
    written(tmp_path, files | {"images/train2017/007.jpg": "a", "images/val2017/007.jpg": "bb"})
    assert told(read_layout("coco", tmp_path)) == [
        ("train2017/007.jpg", "images/train2017/007.jpg", "A dog runs. A brown dog.", ("dog", "person"), "train"),
        ("train2017/008.jpg", "008.jpg", "", (), "train"),
        ("val2017/007.jpg", "images/val2017/007.jpg", "A cat.", (), "val"),
    ]
    assert "no instances_val2017.json" in caplog.text
    assert "1 of 3 pictures are not there: '008.jpg'" in caplog.text


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("captions_train2017", {"images": {}}, "holds no list 'images'"),
        (
            "captions_train2017",
            {"annotations": [{"image_id": "7", "caption": "x"}]},
            "entry 0 of 'annotations': 'image_id'",
        ),
        ("captions_train2017", {"annotations": [5]}, "entry 0 of 'annotations': 'image_id' is None"),
        ("instances_train2017", {"categories": []}, "marks something of category 18, which it lacks"),
    ],
)
def test_a_malformed_file_of_coco_is_refused_by_name(name, change, said, tmp_path):
    files = {key: json.dumps(content | (change if name in key else {})) for key, content in COCO.items()}
    with pytest.raises(DataError, match=f"{name}.json' .*{said}|{name}.json', {said}"):
        read_layout("coco", written(tmp_path, files))
    (tmp_path / f"annotations/{name}.json").write_text("{")
    with pytest.raises(DataError, match=f"{name}.json' cannot be read"):
        read_layout("coco", tmp_path)


def wikipedia(root, train=3, test=2):
    savemat(
        root / "raw_features.mat",
        {f"{view}_{part}": np.full((rows, width), rows, np.float64)
         for view, width in (("I", 4), ("T", 2)) for part, rows in (("tr", train), ("te", test))},
    )  # fmt: skip
    return written(
        root,
        {
            "trainset_txt_img_cat.list": "a-1\tp1\t1\na-2\tp2\t10\nb-1\tp3\t2\n",
            "testset_txt_img_cat.list": "b-2\tp4\t2\nc-1\tp5\t6\n",
        },
    )


def test_wikipedia_is_of_stored_vectors_or_of_pictures_and_texts_where_they_are(tmp_path, caplog):
    rows = read_layout("wikipedia", wikipedia(tmp_path))
    assert told(rows)[2:4] == [
        ("b-1", "raw_features.mat:I_tr[2]", "raw_features.mat:T_tr[2]", ("biology",), "train"),
        ("b-2", "raw_features.mat:I_te[0]", "raw_features.mat:T_te[0]", ("biology",), "test"),
    ]
    assert [row.source for row in rows] == ["a", "a", "b", "b", "c"]
    assert [row.labels for row in rows] == [("art",), ("warfare",), ("biology",), ("biology",), ("media",)]
    assert all(row.health == "ok" for row in read_pairs(f"wikipedia:{tmp_path}").rows)
    text = "<?xml version='1.0'?><document><title>T</title><text>\nOf <b>art</b> &amp; more.\n</text></document>"
    written(tmp_path, {"images/art/p1.jpg": "a", "texts/a-1.xml": text, "texts/c-1.xml": "plain"})
    rows = read_layout("wikipedia", tmp_path)
    assert told(rows)[0] == ("a-1", "images/art/p1.jpg", "Of art & more.", ("art",), "train")
    assert told(rows)[1][1:3] == ("p2.jpg", "")
    assert rows[4].text == "plain"
    assert "4 of 5 pictures are not there" in caplog.text
    assert "3 of 5 texts are not there" in caplog.text


def test_lists_and_features_of_wikipedia_that_do_not_fit_are_refused(tmp_path):
    wikipedia(tmp_path, train=4)
    with pytest.raises(DataError, match=r"has no 'I_tr' of 3 rows, as the list has: it has I_tr \[4, 4\]"):
        read_layout("wikipedia", tmp_path)
    written(wikipedia(tmp_path), {"trainset_txt_img_cat.list": "a-1\tp1\t11\n"})
    with pytest.raises(DataError, match="line 1: a text, a picture and a category from 1 to 10 were expected"):
        read_layout("wikipedia", tmp_path)


def test_a_matrix_of_a_matlab_file_is_stored_vectors(tmp_path):
    assert stored_row("a/b.mat:I_tr[3]") == ("a/b.mat:I_tr", 3)
    assert array_file("a/b.mat:I_tr") == ("a/b.mat", "I_tr")
    assert array_file("c.npy") == ("c.npy", "")
    assert [stored_row(cell) for cell in ("a.mat[3]", "a.mat:I tr[3]", "a.mat:I_tr")] == [None] * 3
    values = np.arange(6.0).reshape(2, 3)
    savemat(tmp_path / "a.mat", {"X": values, "S": csc_matrix(values)})
    assert matrices_in(tmp_path / "a.mat") == {"X": (2, 3), "S": (2, 3)}
    for name in "XS":
        assert np.array_equal(read_matrix(tmp_path / "a.mat", name), values)
    assert np.array_equal(open_array(tmp_path / "a.mat:X"), values)
    (tmp_path / "pairs.csv").write_text(
        "image,text,labels\na.mat:X[0],one,x\na.mat:X[1],two,y\na.mat:X[2],three,y\na.mat:Y[0],four,x\nb.mat:X[0],five,x\n"
    )
    rows = read_pairs(tmp_path, held_out=0).rows
    assert [row.health for row in rows] == ["ok", "ok"] + ["unreadable"] * 3
    for row, said in zip(
        rows[2:], ("the file has 2 rows", "holds no 'Y'; it holds: X, S", "is not there"), strict=True
    ):
        assert said in row.reason
    assert len({row.digest for row in rows[:2]}) == 2


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder", "splits", "labels", "per_row"),
    [
        ("wikipedia", "wikipedia", {"train": 2173, "test": 693}, 10, 1.0),
        ("mirflickr25k", "mirflickr25k_tags", {"test": 2000, "train": 10_000, None: 8015}, 24, 3.78),
    ],
)
def test_the_real_sets_have_the_rows_and_labels_that_papers_say(name, folder, splits, labels, per_row):
    if not (REAL / folder).is_dir():
        pytest.skip(f"'{folder}' (../shared/data/dcvh) is not here")
    rows = read_layout(name, REAL / folder)
    assert Counter(row.split for row in rows) == splits
    counts = Counter(label for row in rows for label in row.labels)
    assert len(counts) == labels
    assert counts.total() / len(rows) == pytest.approx(per_row, abs=0.005)
    if name == "wikipedia":
        assert (counts["warfare"], counts["art"]) == (451, 172)
        assert len({row.source for row in rows if row.split == "train"}) == 1051
    else:
        assert len({word for row in rows for word in row.text.split()}) == 1386
        assert (counts["people"], counts["baby"]) == (7848, 179)

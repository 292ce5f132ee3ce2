"""MARS by its index files: the published counts under both rules, a small set in its form, and what is damaged."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from kinema.core.errors import DataError
from kinema.data.tracklets.config import TrackletsConfig
from kinema.data.tracklets.mars import read_mars_index
from kinema.evaluation.reid import reid_figures

INFO = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "trl" / "mars_info"


@pytest.fixture(scope="module")
def index():
    if not INFO.is_dir():
        pytest.skip("the index files of MARS (../shared/data/trl) are not here")
    return read_mars_index(INFO)


def test_the_counts_are_the_published_ones(index):
    assert (len(index.train), len(index.test), len(index.query)) == (8298, 12180, 1980)
    assert [index.kinds.count(kind) for kind in ("junk", "distractor")] == [870, 3248]
    assert len(np.unique(index.train[:, 2])) == 625


@pytest.mark.parametrize(("preset", "ranked", "unmatched"), [("official", 12180 - 870, 0), ("torchreid", 9330, 140)])
def test_each_rule_ranks_its_own_gallery(index, preset, ranked, unmatched):
    """All queries have a match in another camera; that of 140 is itself a query, and gone where queries are removed."""
    person, camera, query = index.test[:, 2], index.test[:, 3], index.query
    distances = np.random.default_rng(0).random((len(query), len(person)), dtype=np.float32)
    about = (person[query], person, camera[query], camera)
    found = reid_figures(distances, *about, preset=preset, own=query, kinds=index.kinds, splits=0)
    assert (found.gallery, found.queries, found.unmatched) == (ranked, 1980, unmatched)
    assert (found.junk, found.distractors) == (870, 3248)
    assert found.metrics["map"] < 0.02


def write_mars(root):
    """Four people: 1 and 2 to train on, 3 and 4 to be tested, a distractor and junk; two pictures a tracklet."""
    (root / "info").mkdir(parents=True)
    tracks = {
        "train": [(person, camera) for person in (1, 2) for camera in (1, 2)],
        "test": [(-1, 1), (0, 2), *((person, camera) for person in (3, 4) for camera in (1, 5))],
    }
    for part, rows in tracks.items():
        names, table = [], []
        for person, camera in rows:
            begins = "00-1" if person < 0 else f"{person:04d}"
            table.append((len(names) + 1, len(names) + 2, person, camera))
            for number in (1, 2):
                names.append(f"{begins}C{camera}T0001F{number:03d}.jpg")
                file = root / f"bbox_{part}" / begins / names[-1]
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 16), (40 * person % 256, 9, 9)).save(file)
        (root / "info" / f"{part}_name.txt").write_text("\r\n".join(names) + "\r\n", "utf-8")
        savemat(root / "info" / f"tracks_{part}_info.mat", {f"track_{part}_info": np.array(table, np.int32)})
    savemat(root / "info" / "query_IDX.mat", {"query_IDX": np.array([[3, 6]], np.uint16)})
    return root


def test_a_set_in_its_form_is_read_with_its_splits_roles_and_kinds(tmp_path):
    table = TrackletsConfig().open(f"mars:{write_mars(tmp_path / 'mars')}")
    assert table.split_from == "data"
    found = {row.name: (row.split, row.role, row.kind, row.camera, len(row), row.health) for row in table.rows}
    assert len(found) == 10
    assert found["train/0001/c2/00002"] == ("train", "", "person", "2", 2, "ok")
    assert found["test/00-1/c1/00001"] == ("test", "gallery", "junk", "1", 2, "ok")
    assert found["test/0000/c2/00002"] == ("test", "gallery", "distractor", "2", 2, "ok")
    assert found["test/0003/c1/00003"] == ("test", "query", "person", "1", 2, "ok")
    assert found["test/0004/c5/00006"] == ("test", "query", "person", "5", 2, "ok")
    assert table.rows[-1].files[0] == "bbox_train/0002/0002C2T0001F001.jpg"
    assert table.classes() == ("0001", "0002", "0003", "0004")


def test_what_is_missing_or_damaged_is_named(tmp_path):
    root = write_mars(tmp_path / "mars")
    info = root / "info"

    def refused(words):
        with pytest.raises(DataError, match=words):
            TrackletsConfig().open(f"mars:{root}")

    (root / "bbox_test").rename(root / "away")
    refused("no folder bbox_test, where the pictures")
    (root / "away").rename(root / "bbox_test")

    for file, words in (
        ("test_name.txt", "the list of pictures, cannot be read"),
        ("tracks_train_info.mat", "'.*tracks_train_info.mat' is not there"),
        ("query_IDX.mat", "has a 'query_IDX.mat'"),
    ):
        (info / file).rename(info / "away")
        refused(words)
        (info / "away").rename(info / file)

    kept = (info / "tracks_test_info.mat").read_bytes()
    for content in (b"", b"no matrix at all " * 20, kept[: len(kept) // 2]):
        (info / "tracks_test_info.mat").write_bytes(content)
        refused("is no MATLAB file that can be read")

    def tracks(rows, words, name="track_test_info"):
        savemat(info / "tracks_test_info.mat", {name: np.array(rows)})
        refused(words)

    tracks([[1, 2, 3, 1]], "holds no 'track_test_info'; it holds: other", name="other")
    tracks([[1, 2, 3]], "expected a row of four")
    tracks([[1.5, 2, 3, 1]], "expected whole numbers")
    tracks([[2, 1, 3, 1]] * 6, r"Row 1 of .* is \[2, 1, 3, 1\]")
    tracks([[1, 2, 3, 1]] * 3, "names tracklets that 'tracks_test_info.mat' has not: it has 1 to 3")
    tracks([[1, 2, -1, 1]] * 6, "2 of 2 queries .* are of nobody")
    tracks([[1, 99, 3, 1]] * 6, "has 12 names, and 'tracks_test_info.mat' goes up to 99")
    tracks([[1, 2, 3, 1]] * 6, "is '00-1C1T0001F001.jpg', where the index has a picture of 0003C1")
    (info / "tracks_test_info.mat").write_bytes(kept)
    savemat(info / "query_IDX.mat", {"query_IDX": np.array([[3, 3]])})
    refused("names a tracklet twice")

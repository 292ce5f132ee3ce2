"""Mocap-words: who is on which side, what sentences say, that the truth is seen; determinism, resuming, refusing."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from kinema.core.errors import ConfigError, DataError
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.encode import frames_digest
from kinema.data.mocap.jpeg import read_note
from kinema.data.mocap.words import MocapWordsConfig, write_mocap_words
from kinema.data.mocap.words.film import Painter
from kinema.data.mocap.words.plan import plan_sights
from kinema.data.mocap.words.wordings import COLOURS, DOES, HUES, PATTERNS, PLACES, WHO, WORN

TINY = {"pairs": 12, "people": 4, "size": 32}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("words") / "set"
    told = []
    config = MocapWordsConfig(**TINY)
    summary = write_mocap_words(out, config, workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 12) for n in range(1, 13)]
    return summary


def files(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def rows_of(out):
    with (out / "pairs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_a_picture_and_the_card_says_what_there_is(whole):
    rows = rows_of(whole.out)
    assert tuple(rows[0]) == ("image", "text", "labels", "split", "source", "motion", "colour", "place", "says")
    assert [row["image"] for row in rows] == sorted(name for name in files(whole.out) if name.endswith(".jpg"))
    for row in rows:
        assert row["labels"] == f"{row['motion']};{row['colour']}"
        assert (row["motion"] in CLASSES, row["colour"] in COLOURS, row["place"] in PATTERNS) == (True, True, True)
        assert re.fullmatch(r"[A-Z].*[a-z]\.", row["text"])
        with Image.open(whole.out / row["image"]) as picture:
            assert (picture.size, picture.mode) == ((32, 32), "RGB")
    tested = sum(row["split"] == "test" for row in rows)
    card = json.loads((whole.out / "dataset.json").read_text())
    assert (card["name"], card["edition"], card["state"]) == ("mocap-words", 1, "complete")
    assert card["settings"] == MocapWordsConfig(**TINY).record()
    assert card["counts"] == {"pairs": {"train": 12 - tested, "test": tested}, "people": 4}
    assert card["classes"] == [*CLASSES, *COLOURS]
    assert (whole.pairs, whole.train, whole.test, whole.digest) == (12, 12 - tested, tested, card["digest"])


def test_same_seed_same_files_whatever_the_workers_and_another_seed_differs(whole, tmp_path):
    again = write_mocap_words(tmp_path / "again", MocapWordsConfig(**TINY), workers=1)
    assert files(again.out) == files(whole.out)
    drawn = []
    for seed in (0, 1):
        config = MocapWordsConfig(**TINY | {"seed": seed})
        drawn.append(frames_digest(Painter(config).picture(plan_sights(config)[0])[None]))
    assert [read_note(whole.out / "images/000001.jpg").endswith(each) for each in drawn] == [True, False]


def test_a_partial_set_is_completed_to_the_same(whole, tmp_path):
    out = tmp_path / "partial"
    shutil.copytree(whole.out, out)
    (out / "pairs.csv").unlink()
    (out / "images/000001.jpg").unlink()
    cut = out / "images/000002.jpg"
    cut.write_bytes(cut.read_bytes()[:-9])
    shutil.copyfile(out / "images/000004.jpg", out / "images/000003.jpg")  # whole, but another picture
    (out / "images/.000001.jpg.abc.part").write_bytes(b"half")
    before = (out / "images/000004.jpg").stat().st_mtime_ns
    assert write_mocap_words(out, MocapWordsConfig(**TINY), workers=1).digest == whole.digest
    assert files(out) == files(whole.out)
    assert (out / "images/000004.jpg").stat().st_mtime_ns == before


def test_another_set_or_other_settings_are_refused(whole, tmp_path):
    with pytest.raises(DataError, match=r"other settings: partial 0\.3 instead of 0\.1"):
        write_mocap_words(whole.out, MocapWordsConfig(**TINY | {"partial": 0.1}))
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty and holds no Mocap-words"):
        write_mocap_words(tmp_path, MocapWordsConfig(**TINY))


def test_no_person_and_no_place_is_on_both_sides_and_more_pairs_leave_the_earlier_as_they_were():
    few, many = (plan_sights(MocapWordsConfig(pairs=pairs)) for pairs in (40, 1500))
    assert few == many[:40]
    sides = [{each.person for each in many if each.split == split} for split in ("train", "test")]
    assert [len(side) for side in sides] == [30, 10]
    assert not sides[0] & sides[1]
    assert np.mean([each.split == "test" for each in many]) == pytest.approx(0.25, abs=0.03)
    counts = [sum(each.motion == name for each in many) for name in CLASSES]
    assert counts == [100] * 15
    painter = Painter(MocapWordsConfig(size=32))
    places = [painter._scene(split, 3, 0) for split in ("train", "test")]
    assert places[0].name != places[1].name
    assert not np.array_equal(places[0].canvas, places[1].canvas)


def test_sentences_say_what_they_claim_to_and_nothing_else_of_it():
    for sight in plan_sights(MocapWordsConfig(pairs=300)):
        text, says = sight.said.text.lower(), sight.said.says
        for kind, known, value in (
            ("motion", DOES, sight.motion),
            ("colour", HUES, sight.colour),
            ("place", PLACES, sight.place),
        ):
            own = known[value]
            wordings = (*own.both, *(own.train if sight.split == "train" else own.test))
            assert any(wording in text for wording in wordings) == (kind in says), (kind, text)
    shares = [
        np.mean([set(each.said.says) >= {"motion", "colour"} for each in plan_sights(MocapWordsConfig(partial=part))])
        for part in (0.0, 0.3, 1.0)
    ]
    assert shares == [1.0, pytest.approx(0.7, abs=0.04), 0.0]


def test_wordings_of_the_sides_overlap_in_part_and_no_wording_has_two_meanings():
    for known in (DOES, HUES, PLACES):
        written = [each for one in known.values() for each in (*one.both, *one.train, *one.test)]
        assert len(written) == len(set(written))
    assert (set(DOES), set(HUES), set(PLACES)) == (set(CLASSES), set(COLOURS), set(PATTERNS))

    def used(split, synonyms):
        some = plan_sights(MocapWordsConfig(synonyms=synonyms))
        return {word for each in some if each.split == split for word in re.findall(r"[\w-]+", each.said.text.lower())}

    train, test = used("train", 0.2), used("test", 0.2)
    assert {"ruby", "sweater"} <= test - train
    assert {"crimson", "jersey"} <= train - test
    assert len(train & test) > 60
    assert used("train", 0.0) == used("test", 0.0)
    assert WHO.both
    assert WORN.both


def test_motion_colour_and_place_are_seen_in_the_pictures():
    # Colours of small cells, or of all pixels, to the truth by ridge: on people who are not in the training half.
    config = MocapWordsConfig(pairs=180, size=32, held_out=0.3)
    sights, painter = plan_sights(config), Painter(config)
    pictures = np.stack([painter.picture(each) for each in sights]).astype(np.float64) / 256
    train = np.array([each.split == "train" for each in sights])
    bins = (pictures * 6).astype(int) @ [36, 6, 1]
    colours = np.sqrt([np.bincount(each.ravel(), minlength=216) / each.size for each in bins])
    cells = pictures.reshape(180, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(180, -1)

    def right(features, kind):
        names = [getattr(each, kind) for each in sights]
        truth = np.array([[name == each for each in sorted(set(names))] for name in names], dtype=float)
        features = features - features[train].mean(axis=0)
        weights = np.linalg.solve(
            features[train].T @ features[train] + np.eye(features.shape[1]), features[train].T @ truth[train]
        )
        return np.mean((features[~train] @ weights).argmax(axis=1) == truth[~train].argmax(axis=1))

    assert right(colours, "colour") > 0.7  # chance is .125
    assert right(cells, "motion") > 0.15  # chance is .067
    assert right(colours, "place") > 0.32  # chance is .2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pairs": 1}, "mocap_words.pairs is 1; it must be between 2 and 999999"),
        ({"people": 1}, "mocap_words.people is 1"),
        ({"partial": 1.5}, "mocap_words.partial is 1.5; it must be between 0.0 and 1.0"),
        ({"synonyms": float("nan")}, "mocap_words.synonyms is nan"),
        ({"held_out": 0.0}, "held_out is 0.0, so 0 of 40 people are 'test'; both sides need someone"),
        ({"held_out": 1.0}, "so 40 of 40 people are 'test'"),
        ({"labels": ()}, "labels is "),
        ({"labels": ("colour", "colour")}, "each once"),
        ({"labels": ("looks",)}, "labels is .'looks'.; name one or more of motion, colour, place"),
        ({"size": 16}, "size is 16"),
        ({"scenes": 0}, "mocap_words.scenes is 0"),
        ({"joint_noise": 99.0}, "joint_noise is 99.0"),
    ],
)
def test_settings_that_no_set_could_have_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        MocapWordsConfig(**settings)


def test_the_command_writes_a_set_and_refuses_what_it_cannot(call, tmp_path):
    asked = ("--pairs", "6", "--people", "3", "--held_out", "0.4", "--size", "32", "--workers", "1")
    place = ("--labels", "colour", "place")
    status, out, _ = call("dataset", "mocap-words", tmp_path / "set", *asked, *place, "--json")
    assert status == 0
    told = json.loads(out)
    assert told.keys() == {"data", "pairs", "train", "test", "digest", "seconds"}
    assert (told["data"], told["pairs"], told["train"] + told["test"]) == (str(tmp_path / "set"), 6, 6)
    rows = rows_of(tmp_path / "set")
    assert [row["labels"] for row in rows] == [f"{row['colour']};{row['place']}" for row in rows]
    status, out, _ = call("dataset", "mocap-words", tmp_path / "set", *asked, *place)
    assert out.startswith("6 pairs, ")
    status, out, _ = call("dataset", "mocap-words", tmp_path / "other", "--labels", "looks", "--json")
    assert status == 2
    assert "labels is ['looks']" in json.loads(out)["error"]["message"]
    assert not (tmp_path / "other").exists()

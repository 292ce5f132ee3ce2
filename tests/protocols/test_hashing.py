"""The protocol of hashing: who asks, what is ranked, what the run was trained on, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.reader import PairReader
from kinema.data.pairs.table import Pairs
from kinema.evaluation.hashing import HASHING_PRESETS
from kinema.protocols.hashing import HASHING
from kinema.protocols.request import Request

LABELS = ("ant", "bee", "cat", "dog")
WAYS = ("image_to_text", "text_to_image", "image_to_image", "text_to_text")


class Marks(torch.nn.Module):
    """A tower whose bits are the labels' marks in its vectors, twice; or always the same."""

    dim = bits = 8

    def __init__(self, view, *, blind=False):
        super().__init__()
        self.blind, self.takes = blind, ("features" if view == "image" else "vectors", 4)

    def embed(self, x):
        marks = torch.cat([x, x], dim=1) - 0.5
        return torch.ones_like(marks) if self.blind else marks

    def tags(self, x):
        return x


def model(run=None, *, blind=(), views=("image", "text"), **settings):
    towers = {view: Marks(view, blind=view in blind) for view in views}
    config = PairsConfig(text="vectors", **settings)
    return PairReader(towers[views[0]], views[0], config, towers=towers, name="dcvh", run=run)


def write(root, splits, *, labels=None, seed=0):
    """Pairs with a label or two, whose vectors are those marks with some noise; rows repeat the same few."""
    rng = np.random.default_rng(seed)
    marks = np.eye(4)[np.arange(len(splits)) % 4]
    marks[::5, 0] = 1
    root.mkdir(parents=True, exist_ok=True)
    for view in ("i", "t"):
        np.save(root / f"{view}.npy", (marks + 0.2 * rng.random(marks.shape)).astype(np.float32))
    lines = ["image,text,labels,split,name"]
    for row, split in enumerate(splits):
        own = ";".join(LABELS[c] for c in np.flatnonzero(marks[row])) if labels is None else labels[row]
        lines.append(f"i.npy[{row}],t.npy[{row}],{own},{split},p{row}")
    (root / "pairs.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return root


def measured(reader, data, preset="tie-averaged", **options):
    source = data if isinstance(data, Pairs) else str(data)
    return HASHING.measure(Request((reader,), source, "set", (preset,), None, None, device="cpu", **options))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("pairs") / "set", ["test"] * 10 + ["train"] * 20 + [""] * 10)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A run that was trained on the split 'train': the list of its pairs and their labels, as they are kept."""
    run = tmp_path_factory.mktemp("run")
    table = PairsConfig().open(folder).select({"split": "train"})
    table.write(run / "manifest.parquet")
    (run / "labels.json").write_text(json.dumps({"labels": list(table.classes())}))
    return run


def test_the_test_asks_all_the_others(folder, trained, caplog):
    found = measured(model(trained), folder)
    assert {name: found.metrics[f"map_{name}"] for name in WAYS} == pytest.approx(dict.fromkeys(WAYS, 1.0))
    assert {name: found.metrics[f"real_map_{name}"] for name in WAYS} == pytest.approx(
        dict.fromkeys(WAYS, 1.0), abs=0.01
    )
    assert found.metrics["tag_f1_image"] > 0.5
    assert (found.queries, found.gallery, found.encoder, found.view) == (10, 30, "dcvh", "image")
    assert 0.2 < found.metrics["chance_map"] < 0.6
    assert all(HASHING.metric(name) is not None for name in found.metrics)
    assert found.details["trained_on"] == {"queries_left_out": 0, "all": False, "gallery": 20}
    assert "TRAINED" not in caplog.text
    assert found.details["ways"]["image_to_text"]["map_at"].keys() == {"10"}, "a gallery of 30 has no place 50"
    assert found.details["codes"]["text"]["rows"] == 40
    json.dumps(found.details)


def test_a_blind_view_has_what_a_random_order_has(folder, trained):
    found = measured(model(trained, blind=("text",)), folder)
    chance = found.metrics["chance_map"]
    assert found.metrics["map_image_to_text"] == found.metrics["map_text_to_text"] == pytest.approx(chance)
    assert found.metrics["real_map_text_to_text"] == pytest.approx(chance)
    assert found.metrics["map_image_to_image"] == pytest.approx(1.0)
    assert found.details["codes"]["text"]["bit_imbalance"] == 1.0
    assert found.details["codes"]["text"]["distinct"] == 1
    assert found.digest == measured(model(trained), folder).digest, "they can be compared"


@pytest.mark.parametrize("preset", HASHING_PRESETS)
def test_presets_differ_where_a_query_matches_nothing(trained, tmp_path, preset, caplog):
    labels = ["elk"] + [LABELS[n % 4] for n in range(1, 30)]
    data = write(tmp_path, ["test"] * 10 + ["train"] * 20, labels=labels)
    found = measured(model(trained), data, preset)
    assert set(HASHING.presets) == set(HASHING_PRESETS)
    assert found.details["unmatched"] == 1
    assert "1 of 10 queries share no label with the gallery" in caplog.text
    everyone = preset != "tie-averaged"
    assert found.queries == (10 if everyone else 9)
    low, high = found.details["interval"]
    assert low <= found.metrics["map"] <= high
    across = [found.metrics[f"map_{way}"] for way in WAYS[:2]]
    assert found.metrics["map"] == pytest.approx(sum(across) / 2)
    assert (found.metrics["map_image_to_text"] <= 0.9) == everyone


def test_one_view_finds_itself(folder, trained):
    found = measured(model(trained, views=("text",)), folder)
    assert found.metrics["map"] == found.metrics["map_text_to_text"] == pytest.approx(1.0)
    assert HASHING.main in found.metrics
    assert not {f"map_{way}" for way in WAYS[:3]} & set(found.metrics)


def test_what_was_trained_on_does_not_ask(folder, trained, tmp_path, caplog):
    """The same content under other splits: what was learnt is known, wherever it lies."""
    moved = write(tmp_path, ["train"] * 5 + ["test"] * 35)
    found = measured(model(trained), moved)
    assert (found.queries, found.gallery) == (15, 25)
    assert found.details["trained_on"] == {"queries_left_out": 20, "all": False, "gallery": 20}
    assert "20 of 35 pairs do not ask" in caplog.text
    where = {"split": "train"}
    found = measured(model(trained), folder, query=where, gallery=where)
    assert "THE RUN WAS TRAINED ON ALL 20 pairs that ask" in caplog.text
    assert (found.details["trained_on"]["all"], found.details["selection"]) == (True, "split=train")
    assert (found.queries, found.gallery) == (20, 20)


def test_a_twin_of_what_was_trained_on_asks(folder, trained, caplog):
    """Published sets hold equal pairs on both sides, as of equal tags: who asks is as published, and it is said."""
    table = PairsConfig().open(folder)
    rows = list(table.rows)
    rows[0] = replace(rows[10], name="twin", split="test")
    found = measured(model(trained), replace(table, rows=tuple(rows)))
    assert (found.queries, found.details["trained_on"]["queries_left_out"]) == (10, 0)
    assert "1 of 10 pairs that ask stand in the gallery a second time" in caplog.text


def test_labels_that_the_run_did_not_learn_are_named(trained, tmp_path, caplog):
    sides = ["test"] * 6 + [""] * 6
    found = measured(model(trained), write(tmp_path / "some", sides, labels=["elk", "ant"] * 6))
    assert "1 of 2 labels of the data are none that the run learnt: 'elk'" in caplog.text
    assert "tag_f1_text" in found.metrics
    assert "not measured" not in caplog.text
    found = measured(model(trained), write(tmp_path / "none", sides, labels=["elk"] * 12))
    assert "No query has one that it learnt, so that its tags are not measured" in caplog.text
    assert "Every query shares a label with all of the gallery" in caplog.text
    assert not [name for name in found.metrics if name.startswith("tag")]


def test_what_stands_in_the_gallery_a_second_time_is_counted(trained, tmp_path, caplog):
    data = write(tmp_path, ["test"] * 6 + [""] * 6, labels=["ant", "bee"] * 6)
    measured(model(trained), data)
    assert "second time" not in caplog.text
    lines = (data / "pairs.csv").read_text("utf-8").splitlines()
    first, second = lines[1].split(","), lines[2].split(",")
    lines.append(",".join([*first[:3], "", "again"]))  # the whole pair
    lines.append(",".join([second[0], *first[1:3], "", "another text"]))  # the picture
    (data / "pairs.csv").write_text("\n".join(lines) + "\n", "utf-8")
    measured(model(trained), data)
    assert "2 of 6 pairs that ask stand in the gallery a second time" in caplog.text


def test_pairs_without_splits_all_ask_one_another_but_not_themselves(tmp_path):
    labels = [f"only{n}" if n < 3 else "ant" for n in range(12)]
    found = measured(model(held_out=0.0), write(tmp_path, [""] * 12, labels=labels))
    assert (found.queries, found.gallery, found.details["unmatched"]) == (9, 12, 3), "none is its own match"


def test_pairs_that_cannot_be_measured_are_counted(trained, tmp_path, caplog):
    data = write(tmp_path, ["test"] * 10 + ["train"] * 20, labels=["" if n % 6 == 0 else "ant" for n in range(30)])
    lines = (data / "pairs.csv").read_text("utf-8").splitlines()
    lines[3] = ",t.npy[2],ant,test,p2"
    (data / "pairs.csv").write_text("\n".join(lines) + "\n", "utf-8")
    found = measured(model(trained), data)
    assert "'p2'" in caplog.text
    assert "1 of 30 pairs are left out" in caplog.text
    assert "5 of 29 pairs have no label" in caplog.text
    assert (found.details["asked_of"], found.queries, found.gallery) == (9, 7, 20)
    assert found.details["tags"]["text"]["unlabelled"] == 2


def test_what_cannot_be_measured_is_refused_with_what_to_do(trained, tmp_path):
    def refused(name, words, hint, *args, **options):
        with pytest.raises(DataError, match=words) as caught:
            measured(model(trained), write(tmp_path / name, *args, **options))
        assert hint in caught.value.hint

    refused("unlabelled", "None of the 8 pairs has a label", "'labels'", ["test"] * 4 + [""] * 4, labels=[""] * 8)
    refused("train", "none is left to ask", "--query", ["train"] * 8)
    refused("split", "none of train, val and test", "--query", ["tset"] * 8)
    apart = ["ant"] * 4 + ["bee"] * 4
    refused("apart", "shares a label", "gallery", ["test"] * 4 + ["train"] * 4, labels=apart)
    (trained / "broken").mkdir()
    (trained / "broken" / "manifest.parquet").write_text("no parquet")
    (trained / "broken" / "labels.json").write_text('{"labels": []}')
    with pytest.raises(DataError, match="no list of pairs"):
        measured(model(trained / "broken"), write(tmp_path / "fine", ["test", "train"] * 4))


def test_a_protocol_of_another_kind_is_refused(folder):
    with pytest.raises(UsageError, match="one of pair") as caught:
        kinema.evaluate("reid", model(), folder)
    assert "hashing" in caught.value.hint


def test_a_run_of_one_view_is_measured_on_what_is_broken_in_the_other(folder, tmp_path, caplog):
    write(tmp_path / "set", ["test"] * 10 + ["train"] * 20 + [""] * 10)
    table = tmp_path / "set" / "pairs.csv"
    table.write_text(table.read_text("utf-8").replace("i.npy[", "gone.npy["), "utf-8")
    alone = model(views=("text",))
    found, whole = measured(alone, tmp_path / "set"), measured(alone, folder)
    assert (found.queries, found.gallery, found.metrics) == (whole.queries, whole.gallery, whole.metrics)
    assert "left out" not in caplog.text
    with pytest.raises(DataError, match="None of the 40 pairs"):
        measured(model(), tmp_path / "set")
    assert "40 of 40 pairs are left out: 40 with a missing vector" in caplog.text

"""A trained model of pairs in a user's hands, with towers that stand for trained ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_pairs import picture, save, write_pairs, write_table, write_vectors
from torch import nn

from kinema.core.codes import pack
from kinema.core.errors import DataError, RunError, UsageError
from kinema.core.pairs import PairNeeds
from kinema.core.spans import Tokens
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.reader import PairReader

BITS = 16
CONFIG = PairsConfig(height=12, width=12, held_out=0)


class Tower(nn.Module):
    """A fixed linear map of what it takes, as a HashTower gives it."""

    def __init__(self, kind, width, classes=5):
        super().__init__()
        self.dim = self.bits = BITS
        self.takes = (kind, width)
        self.inputs = 3 * 12 * 12 if kind == "pictures" else width
        weights = torch.randn(self.inputs, BITS, generator=torch.Generator().manual_seed(0))
        self.weights = nn.Parameter(weights)
        self.classes = classes

    def embed(self, x):
        if isinstance(x, Tokens):
            x = nn.functional.one_hot(x.ids, self.inputs).float().mul(x.mask[..., None]).sum(dim=1)
        return torch.tanh(x.flatten(1) @ self.weights)

    def tags(self, x):
        return self.embed(x)[:, : self.classes]


def reader_of(run, config=CONFIG, view="image", **towers):
    return PairReader(towers[view], view, config, towers=towers, name="dcvh", run=run)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of pairs, and the folder of a run that learnt from it."""
    root = tmp_path_factory.mktemp("pairs")
    write_pairs(root / "set")
    table, _ = CONFIG.usable(CONFIG.open(root / "set"), [PairNeeds()])
    data = CONFIG.load(table, [PairNeeds()])
    (root / "run").mkdir()
    data.save(root / "run")
    return root, data


@pytest.fixture
def reader(place):
    root, data = place
    return reader_of(root / "run", image=Tower("pictures", 3), text=Tower("vectors", data.text_features))


def test_pictures_and_texts_are_embedded_as_the_table_is(place, reader):
    root, data = place
    table = data.table
    images, texts = (reader.features(table, view, batch_size=5) for view in ("image", "text"))
    assert images.shape == texts.shape == (12, BITS)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    paths = [str(table.root / row.image) for row in table.rows]
    words = [row.text for row in table.rows]
    for batch_size in (1, 64):
        np.testing.assert_allclose(reader.encode(paths, batch_size=batch_size), images, atol=1e-5)
        np.testing.assert_allclose(reader.encode(words, view="text", batch_size=batch_size), texts, atol=1e-5)
    one = reader.encode(picture("green", "stripe"))
    number = next(n for n, row in enumerate(table.rows) if row.labels == ("green", "stripe"))
    np.testing.assert_allclose(one, images[number], atol=1e-5)
    np.testing.assert_allclose(reader.encode(np.stack([picture("green", "stripe")] * 2))[1], one, atol=1e-5)
    for found in (reader.encode(table), reader.features(table, "image", cache=root / "cache")):
        np.testing.assert_allclose(found, images, atol=1e-5)
    assert np.array_equal(reader.codes(words, view="text"), pack(texts))
    assert reader.codes(words[0], view="text").shape == (BITS // 8,)
    assert reader.labels == ("blue", "green", "red", "square", "stripe")
    assert reader.tags(table, "text").shape == (12, 5)
    assert (reader.modality, reader.unit, reader.dim, reader.bits, reader.views) == (
        "pair",
        "pairs",
        BITS,
        BITS,
        ("image", "text"),
    )
    assert reader.digest == ""
    empty = replace(table, rows=())
    assert reader.features(empty, "text").shape == (0, BITS)
    assert reader.tags(empty, "text").shape == (0, 5)


def test_texts_of_no_known_word(place, reader, caplog):
    _, data = place
    with pytest.raises(DataError, match="none of the words 'zebra'") as error:
        reader.encode(["a red one", "Zebra!"], view="text")
    assert "words.json" in error.value.hint
    table = replace(data.table, rows=(*data.table.rows[:2], replace(data.table.rows[2], text="zebra")))
    found = reader.features(table, "text")
    assert "1 of 3 texts are of no word that the run knows" in caplog.text
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("items", "view", "said"),
    [
        (3, "image", "type int was given; pictures"),
        ({}, "text", "type dict was given; texts"),
        ([b"x"], "image", "type bytes"),
        ([1], "text", "type int"),
        (np.zeros((4, 4)), "text", "takes words as texts, and was given vectors"),
        (np.zeros((4, 4, 3)), "image", r"float64 \[4, 4, 3\]"),
        (np.zeros((2, 4, 4, 3)), "image", r"float64 \[4, 4, 3\]"),
        ("words", "sound", "no network of the view 'sound'; it has: image, text"),
        (["a", np.zeros(3)], "text", "Some are vectors"),
    ],
)
def test_what_is_no_picture_and_no_text(reader, items, view, said):
    with pytest.raises((UsageError, DataError), match=said):
        reader.encode(items, view=view)


def test_rows_without_the_view_and_pictures_that_are_gone(place, reader, tmp_path):
    _, data = place
    rows = data.table.rows
    table = replace(data.table, rows=(rows[0], replace(rows[1], image=""), replace(rows[2], health="unreadable")))
    with pytest.raises(DataError, match=r"2 of 3 pairs cannot be read: .*no picture"):
        reader.features(table, "image")
    with pytest.raises(DataError, match="cannot be read"):
        reader.encode(str(tmp_path / "gone.png"))
    with pytest.raises(UsageError, match="batch_size is 0"):
        reader.encode("red", view="text", batch_size=0)


def test_a_run_on_vectors(tmp_path):
    array = write_vectors(tmp_path, "v.npy", 4, 6)
    write_vectors(tmp_path, "w.npy", 4, 7)
    write_table(tmp_path, [f"v.npy[{row}],v.npy[{row}],x" for row in range(4)])
    config = PairsConfig(text="vectors", held_out=0)
    table = config.open(tmp_path)
    reader = reader_of(tmp_path, config, image=Tower("features", 6), text=Tower("vectors", 6))
    expected = reader.features(table, "image")
    np.testing.assert_allclose(reader.encode(array), expected, atol=1e-5)
    np.testing.assert_allclose(reader.encode(array[1]), expected[1], atol=1e-5)
    np.testing.assert_allclose(reader.encode(array, view="text"), expected, atol=1e-5)
    for items, view, said in (
        (np.ones(5, np.float32), "image", "vectors of 6 numbers as 'image', and was given vectors of 5"),
        ([np.ones(5), np.ones(6)], "text", "several widths: 5, 6"),
        (np.full(6, np.nan), "text", "no finite number"),
        (str(save(tmp_path / "a.png", picture())), "image", "was given pictures"),
    ):
        with pytest.raises(DataError, match=said):
            reader.encode(items, view=view)
    with pytest.raises(UsageError, match="takes stored vectors as texts"):
        reader.encode("words", view="text")
    write_table(tmp_path, [f"w.npy[{row}],v.npy[{row}],x" for row in range(4)])
    with pytest.raises(DataError, match="given vectors of 7"):
        reader.features(config.open(tmp_path), "image")


def test_ids_of_words_and_one_view_alone(place):
    root, data = place
    config = replace(CONFIG, text="words")
    reader = reader_of(root / "run", config, "text", text=Tower("tokens", len(data.coder.known) + 2))
    together = reader.encode(["red", "a blue stripe on grey"])
    np.testing.assert_allclose(reader.encode("red"), together[0], atol=1e-5)
    with pytest.raises(UsageError, match="no network of the view 'image'"):
        reader.features(data.table, "image")


def test_a_run_that_lacks_what_it_needs(tmp_path):
    tower = Tower("vectors", 8)
    with pytest.raises(RunError, match="its words are not known"):
        reader_of(None, view="text", text=tower).encode("red")
    with pytest.raises(RunError, match=r"words\.json"):
        reader_of(tmp_path, view="text", text=tower).encode("red")
    (tmp_path / "labels.json").write_text(json.dumps({"labels": ["b", "a"]}))
    with pytest.raises(RunError, match="no list of labels"):
        _ = reader_of(tmp_path, view="text", text=tower).labels

from pathlib import Path

import numpy as np
import pytest
import torch

from kinema.core.errors import ConfigError, ShapeError, UsageError
from kinema.data.documents.reader import TextReader

SENTENCES = ["River stone light.", "", "Winter", "Paper silver morning engine letter window music.", "island " * 50]


@pytest.fixture
def reader(tower, tokenizer):
    return TextReader(tower, tokenizer, name="declutr", run=Path("run"), seed=3)


def test_sentences_are_encoded_in_their_order_and_by_themselves(reader):
    whole = reader.encode(SENTENCES, batch_size=2)
    assert whole.shape == (5, 8)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    for number, sentence in enumerate(SENTENCES):
        alone = reader.encode(sentence)
        assert alone.shape == (8,)
        np.testing.assert_allclose(alone, whole[number], atol=1e-6)
    assert not np.allclose(whole[0], whole[2])
    np.testing.assert_array_equal(reader.encode(np.array(SENTENCES)), reader.encode(iter(SENTENCES)))
    assert reader.encode([]).shape == (0, 8)


def test_embeddings_are_those_of_the_encoder_where_they_are_not_normalized(reader, tokenizer):
    found = reader.encode("River stone", normalize=False)
    ids = tokenizer.with_special(tokenizer.encode(["River stone"])[0])
    np.testing.assert_allclose(found, reader.tower.encoder.vectors.weight.detach()[ids].mean(dim=0), atol=1e-6)


def test_a_long_text_is_cut_by_encode_and_read_whole_as_a_document(reader, tokenizer):
    long = "river " * 25 + "winter " * 40
    assert len(tokenizer.encode([long])[0]) > 32
    reader.encode(long)
    assert reader.tower.encoder.longest == 32
    cut = reader.encode(["river " * 25 + "winter " * 20, long])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    whole = reader.encode_documents([long, "river stone"])
    assert not np.allclose(whole[0], cut[1], atol=1e-3)
    np.testing.assert_allclose(whole[1], reader.encode("river stone"), atol=1e-6)
    np.testing.assert_allclose(reader.encode_documents(long), whole[0], atol=1e-6)
    assert reader.tower.encoder.longest == 32
    with pytest.raises(ConfigError, match="max_length is 33; the network has 32 positions"):
        TextReader(reader.tower, tokenizer, name="x", max_length=33)
    with pytest.raises(ConfigError, match="max_length is 2"):
        TextReader(reader.tower, tokenizer, name="x", max_length=2)


def test_a_table_of_documents_is_encoded_row_by_row(reader, table):
    seen = []
    found = reader.encode_documents(table, progress=lambda *done: seen.append(done))
    assert found.shape == (10, 8)
    np.testing.assert_allclose(found[4], reader.encode_documents(table.text(4)), atol=1e-6)
    assert seen[-1] == (10, 10)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (None, "None was given; a sentence was expected"),
        (7, "a value of type int was given"),
        (Path("film.mp4"), "the path 'film.mp4' was given"),
        (b"bytes", "a value of type bytes was given"),
        ({"text": "a"}, "a value of type dict was given"),
        (np.zeros((16, 8, 8, 3), dtype=np.uint8), "an array (16, 8, 8, 3) of uint8 was given"),
        (torch.zeros(3, 4), "an array (3, 4) of torch.float32 was given"),
        (["fine", None], "Item 1 is None"),
        (["fine", Path("a.txt")], "Item 1 is the path 'a.txt'"),
        ([["nested"]], "Item 0 is a value of type list"),
    ],
)
def test_what_is_no_sentence_is_refused_and_what_is_taken_is_said(reader, items, message):
    with pytest.raises(UsageError) as caught:
        reader.encode(items)
    assert message in caught.value.message
    assert "takes a sentence, or a list of sentences" in caught.value.hint


def test_the_path_of_a_video_is_no_sentence(reader, tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"0")
    with pytest.raises(UsageError, match="Item 0 is the path of a video"):
        reader.encode([str(film)])
    assert reader.encode("a sentence about film.mp4").shape == (8,)
    with pytest.raises(UsageError, match="batch_size is 0"):
        reader.encode("a", batch_size=0)


def test_similarity_is_the_cosine_of_each_with_each(reader):
    a, b = np.array([[3.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [5.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(reader.similarity(a, b), [[0, 1, 0], [0.5**0.5, 0.5**0.5, 0]], atol=1e-6)
    assert reader.similarity(a[0], b[1]).shape == (1, 1)
    with pytest.raises(ShapeError, match="expected"):
        reader.similarity(a, np.zeros((2, 3)))


def test_a_reader_says_what_it_is(reader, tokenizer):
    assert (reader.name, reader.seed, reader.view, reader.dim, reader.run) == ("declutr", 3, "text", 8, Path("run"))
    assert reader.digest == ""
    assert TextReader(reader.tower, tokenizer, name="x", weights=lambda: "abc").digest == "abc"
    assert TextReader(reader.tower, tokenizer, name="x", origin={"digest": "def"}).digest == "def"
    assert "declutr" in repr(reader)
    assert reader.passages("One two. Three four.", words=2) == [(0, 8), (9, 20)]

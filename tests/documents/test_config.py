import json
import os
from dataclasses import dataclass, replace

import numpy as np
import pytest

from kinema.core.errors import ConfigError, DataError
from kinema.core.spans import SpanNeeds
from kinema.data.documents.config import DocumentsConfig
from kinema.data.documents.corpus import tokenize
from kinema.data.documents.splitting import sentences
from kinema.data.documents.tokenizer import Tokenizer

SPANS = SpanNeeds(2, 2, min_length=4, max_length=16, masked=0.15)
SENTENCES = SpanNeeds(1, cut="sentences", min_length=2, max_length=16)
CONFIG = DocumentsConfig(vocabulary=128)


def lengths_of(corpus):
    return [corpus.sentence_lengths(row).tolist() for row in range(len(corpus))]


def test_a_document_is_its_tokens_and_sentences_are_its_pieces(table, tokenizer):
    whole, cut = tokenize(table, tokenizer, "spans"), tokenize(table, tokenizer, "sentences")
    assert len(whole) == len(cut) == len(table) == 10
    for row, text in enumerate(table.texts()):
        assert whole.document(row).tolist() == tokenizer.encode([text])[0]
        pieces = tokenizer.encode(sentences(text))
        assert len(cut.sentence_lengths(row)) == len(pieces)
        assert [cut.sentence(row, number).tolist() for number in range(len(pieces))] == pieces
    assert whole.lengths().tolist() == [len(whole.document(row)) for row in range(10)]


def test_tokens_are_taken_from_the_cache_where_texts_and_tokenizer_are_the_same(
    table, tokenizer, tmp_path, monkeypatch
):
    seen = []
    first = tokenize(table, tokenizer, "sentences", cache=tmp_path, progress=lambda *done: seen.append(done))
    assert seen[-1] == (10, 10)
    other = Tokenizer.learn(table.texts(), 64)
    tokenize(table, other, "sentences", cache=tmp_path)
    assert len(os.listdir(tmp_path)) == 2
    monkeypatch.setattr(Tokenizer, "encode", None)
    again = tokenize(table, tokenizer, "sentences", cache=tmp_path)
    assert isinstance(again.ids, np.memmap)
    assert np.array_equal(first.ids, again.ids)
    assert lengths_of(first) == lengths_of(again)


def test_a_tokenizer_is_learnt_once_for_the_same_texts_and_settings(table, tmp_path, monkeypatch):
    learnt = CONFIG.load(table, SPANS, cache=tmp_path).tokenizer
    other = replace(CONFIG, lowercase=False).load(table, SPANS, cache=tmp_path).tokenizer
    assert other != learnt
    assert CONFIG.load(table, SPANS).tokenizer == learnt
    monkeypatch.setattr(Tokenizer, "learn", None)
    assert CONFIG.load(table, SPANS, cache=tmp_path).tokenizer == learnt
    assert replace(CONFIG, lowercase=False, repeats=3).load(table, SPANS, cache=tmp_path).tokenizer == other


def test_a_damaged_cache_is_made_anew(table, tokenizer, tmp_path):
    first = tokenize(table, tokenizer, "spans", cache=tmp_path)
    expected = np.array(first.ids)
    (file,) = tmp_path.glob("*/ids")
    del first
    with file.open("r+b") as handle:
        handle.truncate(100)
    assert np.array_equal(tokenize(table, tokenizer, "spans", cache=tmp_path).ids, expected)


def test_a_run_reads_its_own_tokenizer_again(corpus_folder, table, tmp_path):
    loaded = CONFIG.load(table, SPANS)
    loaded.save(tmp_path)
    assert loaded.rows == list(range(10))
    assert loaded.readable == 10
    assert loaded.tokenizer == CONFIG.load(table, SPANS).tokenizer
    fewer = replace(table, rows=table.rows[:3])
    assert CONFIG.load(fewer, SPANS).tokenizer != loaded.tokenizer
    assert CONFIG.load(fewer, SPANS, folder=tmp_path).tokenizer == loaded.tokenizer
    assert CONFIG.load(fewer, [SPANS], folder=tmp_path / "new").corpora.keys() == {"spans"}
    given = DocumentsConfig(tokenizer=str(tmp_path / "tokenizer.json"))
    both = given.load(fewer, [SPANS, SENTENCES])
    assert both.tokenizer == loaded.tokenizer
    assert both.corpora.keys() == {"spans", "sentences"}


def test_what_can_be_learnt_from_is_said_with_reasons(tmp_path):
    texts = [
        "one two three four five",
        "one two",
        "six seven eight nine",
        "six seven  eight nine",
        "",
        "a b c d e f g h",
    ]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts) + "[\n"
    (tmp_path / "corpus.jsonl").write_text(lines)
    table = CONFIG.open(tmp_path / "corpus.jsonl")
    usable, left_out = CONFIG.usable(table, SPANS)
    assert [row.row for row in usable.rows] == [1, 3, 6]
    assert left_out["corpus.jsonl#2"] == "2 words; at least 4 are needed"
    assert left_out["corpus.jsonl#4"] == "the same text as 'corpus.jsonl#3'"
    assert left_out.keys() == {f"corpus.jsonl#{row}" for row in (2, 4, 5, 7)}
    assert CONFIG.usable(table, [SENTENCES, replace(SPANS, anchors=1)])[0].rows == usable.rows
    with pytest.raises(DataError, match="There is 1 document"):
        CONFIG.usable(table, replace(SPANS, anchors=4))
    lenient = DocumentsConfig(min_words=2)
    assert [row.row for row in lenient.usable(table, SENTENCES)[0].rows] == [1, 2, 3, 6]
    assert [row.row for row in lenient.usable(table, SPANS)[0].rows] == [1, 3, 6]


def test_a_corpus_of_one_document_is_refused_with_the_reasons_of_the_others(tmp_path):
    (tmp_path / "a.txt").write_text("enough words to be one document")
    (tmp_path / "b.txt").write_text("too few")
    table = CONFIG.open(tmp_path)
    with pytest.raises(DataError, match="There is 1 document to learn from") as caught:
        CONFIG.usable(table, SPANS)
    assert "1 cannot be used: 'b.txt': 2 words; at least 4 are needed" in caught.value.message
    with pytest.raises(DataError, match="There are 0 documents"):
        CONFIG.usable(table.select({"health": "short"}), SPANS)


def test_videos_are_refused_with_a_sentence(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"0")
    with pytest.raises(DataError, match=r"A method of text reads documents, and .* holds 1 video\."):
        CONFIG.open(tmp_path)
    with pytest.raises(DataError, match="a dict was given"):
        CONFIG.open({})


def test_needs_of_another_modality_are_refused(table):
    @dataclass(frozen=True)
    class ClipNeeds:
        views: tuple[str, ...] = ("rgb",)

    for refuse in (CONFIG.check, lambda needs: CONFIG.usable(table, needs), lambda needs: CONFIG.load(table, needs)):
        with pytest.raises(ConfigError, match="it needs ClipNeeds"):
            refuse([SPANS, ClipNeeds()])
    with pytest.raises(ConfigError, match="whole sentences have no positives"):
        CONFIG.check(replace(SENTENCES, positives=1))


def test_settings_out_of_range_are_refused():
    for wrong in ({"min_words": 0}, {"repeats": 0}, {"vocabulary": 0}, {"encoding": "klingon"}):
        with pytest.raises(ConfigError):
            DocumentsConfig(**wrong)


def test_the_identity_is_that_of_the_tokens_and_not_of_places():
    assert set(CONFIG.identity) == {"vocabulary", "kind", "lowercase", "repeats"}

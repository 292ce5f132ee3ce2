"""A folder for sentence-transformers, proved with that library itself."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tiny_texts import CORPUS, SENTENCES, TINY, library_model, tokenizer, tower

from kinema.core.errors import ConfigError, StorageError
from kinema.data.documents.tokenizer import Tokenizer
from kinema.exporting.sentence_transformers import write_sentence_transformers
from kinema.networks.text import from_folder, load_text_weights, published_length

LENGTH = 15


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("sentence_transformers")


def written(net, tokens, out, **options):
    write_sentence_transformers(net, tokens, out, max_length=LENGTH, card="# A card\n", **options)
    return out


def opened(library, folder):
    return library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@torch.no_grad()
def ours(net, tokens, texts, length=LENGTH):
    return net.embed(tokens.tokens(texts, length))


@pytest.mark.parametrize("kind", ["wordpiece", "bytes"])
def test_the_library_gives_our_vectors(kind, library, tmp_path):
    """Sentences of several lengths in one batch, an empty one, and one that is cut."""
    net, tokens = tower(head="tanh"), tokenizer(kind)
    model = opened(library, written(net, tokens, tmp_path / "out"))
    assert max(len(ids) for ids in tokens.encode(SENTENCES)) > LENGTH
    texts = [text.strip() for text in SENTENCES]
    expected = ours(net, tokens, texts)
    for size in (32, 1):
        found = model.encode(texts, batch_size=size, convert_to_tensor=True, normalize_embeddings=False)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert expected.norm(dim=1).min() > 1.5, "they are not normalised"
    assert (expected[0] - expected[2]).abs().max() > 1e-2
    assert model.max_seq_length == LENGTH
    cut = ours(net, tokens, [SENTENCES[-1]], LENGTH + 5)
    assert (cut - expected[-1]).abs().max() > 1e-3, "the length matters"


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "mpnet", "modernbert", "electra"])
def test_other_architectures(kind, library, tmp_path):
    library_model(kind).save_pretrained(tmp_path / "theirs")
    net = tower(from_folder(tmp_path / "theirs"))
    load_text_weights(net, tmp_path / "theirs")
    tokens = with_padding_at_one() if kind in ("roberta", "mpnet") else tokenizer()
    model = opened(library, written(net, tokens, tmp_path / "out"))
    found = model.encode(SENTENCES, convert_to_tensor=True)
    torch.testing.assert_close(found, ours(net, tokens, SENTENCES), atol=1e-5, rtol=0)


def with_padding_at_one():
    """The tokenizer with the ids of [PAD] and [UNK] exchanged, as RoBERTa counts positions by the id of padding."""
    plain = json.loads(tokenizer().text)
    vocabulary = plain["model"]["vocab"]
    vocabulary["[PAD]"], vocabulary["[UNK]"] = 1, 0
    for token in plain["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    plain["added_tokens"].sort(key=lambda token: token["id"])
    return Tokenizer(json.dumps(plain))


def test_normalised_where_that_is_wanted(library, tmp_path):
    net, tokens = tower(), tokenizer()
    model = opened(library, written(net, tokens, tmp_path / "out", normalize=True))
    found = model.encode(SENTENCES, convert_to_tensor=True)
    torch.testing.assert_close(found, torch.nn.functional.normalize(ours(net, tokens, SENTENCES)), atol=1e-5, rtol=0)


def test_the_library_loads_it_without_a_draw(library, tmp_path):
    """No weight is missing from it that the library would have to draw."""
    folder = written(tower(), tokenizer(), tmp_path / "out")
    before = torch.get_rng_state()
    model = opened(library, folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert model[0].auto_model.pooler is None


def test_it_starts_another_run(tmp_path):
    """It is a folder of weights like any other, and its tokenizer is ours to the byte."""
    net, tokens = tower(), tokenizer()
    folder = written(net, tokens, tmp_path / "out")
    config = from_folder(folder)
    assert (config.layers, config.width, config.vocabulary, config.positions) == (2, 32, 300, 24)
    other = tower(config, seed=7)
    assert load_text_weights(other, folder) == ("language_head",)
    assert torch.equal(ours(other, tokens, SENTENCES), ours(net, tokens, SENTENCES))
    assert published_length(folder) == LENGTH
    assert (folder / "tokenizer.json").read_text(encoding="utf-8") == tokens.text
    assert Tokenizer.read(folder).encode(SENTENCES) == tokens.encode(SENTENCES)


def test_what_the_folder_holds(tmp_path):
    folder = written(tower(head="tanh"), tokenizer(), tmp_path / "deep" / "out")
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == {
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "1_Pooling/config.json",
        "README.md",
    }
    assert (folder / "README.md").read_text() == "# A card\n"
    assert not [key for key in load_file(folder / "model.safetensors") if "cls." in key or "head" in key]
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertModel"]
    assert list(folder.parent.iterdir()) == [folder], "something was left beside it"


def test_nothing_is_written_over_and_nothing_is_left(tmp_path, monkeypatch):
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(StorageError, match="exists already"):
        written(tower(), tokenizer(), there)
    assert not list(there.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Tokenizer, "write", full)
    with pytest.raises(StorageError, match="disk is full"):
        written(tower(), tokenizer(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == [there]


def test_what_does_not_belong_together_is_refused(tmp_path):
    for length in (2, 25):
        with pytest.raises(ConfigError, match=f"max_length is {length}"):
            write_sentence_transformers(tower(), tokenizer(), tmp_path / "out", max_length=length, card="")
    larger = Tokenizer.learn(CORPUS, 400, kind="bytes")
    assert larger.size > TINY.vocabulary
    with pytest.raises(ConfigError, match="300 rows"):
        written(tower(), larger, tmp_path / "out")
    assert not list(tmp_path.iterdir())

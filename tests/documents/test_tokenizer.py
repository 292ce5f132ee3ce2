"""The tokenizer: learnt the same way everywhere, read from others' folders, padded, cut, and refused."""

import hashlib
import json
import pickle
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_texts import CORPUS, SENTENCES, tokenizer

from kinema.core.errors import ConfigError, DataError, MissingExtraError, StorageError, UsageError
from kinema.data.documents.tokenizer import Tokenizer

both = pytest.mark.parametrize("kind", ["wordpiece", "bytes"])


@both
def test_the_special_tokens_come_first(kind):
    t = tokenizer(kind)
    assert (t.pad_id, t.unk_id, t.mask_id, t.prefix, t.suffix) == (0, 1, 4, (2,), (3,))
    assert t.special_ids == (0, 1, 2, 3, 4)
    assert t.special_tokens == {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    assert t.ordinary_ids.tolist() == list(range(5, t.size))
    assert t.size <= 300


SCRIPT = """
import hashlib
from kinema.data.documents.vocabulary import learn_tokenizer
words = ["".join(chr(97 + (i * k) % 26) for k in range(1, 7)) for i in range(1, 400)]
texts = [" ".join(words[i : i + 20]) for i in range(380)] + ["é ü ñ ö à " * 3]
for kind, vocabulary in (("wordpiece", 70), ("wordpiece", 600), ("bytes", 600)):
    print(hashlib.sha256(learn_tokenizer(texts, vocabulary, kind, False).to_str().encode()).hexdigest())
"""


def test_the_same_texts_give_the_same_tokenizer_in_every_process():
    """The library's trainer does not promise that: it numbers letters in the order of a seeded hash table."""
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120).stdout
        for _ in range(3)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert len(set(runs[0].split())) == 3


def test_what_is_frequent_becomes_one_token():
    t = Tokenizer.learn(["unbelievable stories"] * 50 + ["a b c d e f g"], 200)
    assert [len(ids) for ids in t.encode(["unbelievable", "stories", "Unbelievable", "abc"])] == [1, 1, 1, 3]
    assert t.encode(["xyz"]) == [[t.unk_id]], "letters that were never seen"


def test_case_is_lowered_or_not():
    plain, cased = tokenizer(), Tokenizer.learn(CORPUS, 300, lowercase=False)
    assert plain.encode(["The CAFÉ"]) == plain.encode(["the cafe"])
    assert cased.encode(["The Café"]) != cased.encode(["the cafe"])
    byte = Tokenizer.learn(CORPUS, 300, kind="bytes", lowercase=False)
    assert tokenizer("bytes").encode(["The"]) == tokenizer("bytes").encode(["the"])
    assert byte.encode(["The"]) != byte.encode(["the"])


@given(st.lists(st.text(max_size=40), max_size=5))
@settings(max_examples=50, deadline=None)
def test_bytes_know_every_text(texts):
    """Decoded, it is the text, lowered and composed; nothing is unknown."""
    import unicodedata

    t = tokenizer("bytes")
    for text, ids in zip(texts, t.encode(texts), strict=True):
        assert t.unk_id not in ids
        clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
        if clean.isascii():
            assert t.decode(ids).removeprefix(" ") == clean.lower().removeprefix(" ")


@both
def test_ids_come_alone_and_are_framed_apart(kind):
    t = tokenizer(kind)
    empty, cat = t.encode(["", "the cat"])
    assert empty == []
    assert not set(cat) & set(t.special_ids)
    assert t.with_special(empty) == [2, 3]
    assert t.with_special(cat) == [2, *cat, 3]
    assert t.decode(t.with_special(cat)).strip() == "the cat"
    assert t.encode([]) == []


@both
def test_what_is_too_long_is_cut_at_its_end(kind):
    t = tokenizer(kind)
    (ids,) = t.encode([SENTENCES[-1]])
    assert len(ids) > 20
    assert t.with_special(ids, 10) == [2, *ids[:8], 3]
    assert t.with_special(ids[:8], 10) == [2, *ids[:8], 3]
    with pytest.raises(ConfigError, match="max_length is 2"):
        t.with_special(ids, 2)


def test_a_batch_is_padded_on_the_right():
    tokens, special = tokenizer().collate([[2, 7, 8, 3], [2, 3], [2, 4, 9, 1, 3]])
    assert tokens.ids.tolist() == [[2, 7, 8, 3, 0], [2, 3, 0, 0, 0], [2, 4, 9, 1, 3]]
    assert tokens.mask.sum(1).tolist() == [4, 2, 5]
    assert special.tolist() == [[1, 0, 0, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1]]
    assert tokens.ids.dtype == torch.int64
    assert special.dtype == torch.bool
    nothing, _ = tokenizer().collate([])
    assert nothing.ids.shape == (0, 0)


def test_texts_to_a_batch():
    t = tokenizer()
    tokens = t.tokens(SENTENCES, 12)
    assert tokens.ids.shape == (len(SENTENCES), 12)
    for row, mask, ids in zip(tokens.ids, tokens.mask, t.encode(SENTENCES), strict=True):
        assert row[mask].tolist() == t.with_special(ids[:10])


@both
def test_it_comes_back_from_a_file(kind, tmp_path):
    t, file = tokenizer(kind), tmp_path / "new" / "tokenizer.json"
    t.write(file)
    for other in (Tokenizer.read(file), Tokenizer.read(file.parent), pickle.loads(pickle.dumps(t))):
        assert other.encode(SENTENCES) == t.encode(SENTENCES)
        assert other.special_tokens == t.special_tokens
        assert other.decode([7, 8, 9]) == t.decode([7, 8, 9])
    again = Tokenizer.read(file)
    assert again == t
    assert again.digest == t.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert t != tokenizer("bytes" if kind == "wordpiece" else "wordpiece")


def test_a_file_that_cuts_and_pads_is_read_without(tmp_path):
    plain = json.loads(tokenizer().text)
    plain["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    plain["padding"] = json.loads(
        '{"strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, '
        '"pad_token": "[PAD]"}'
    )
    (tmp_path / "tokenizer.json").write_text(json.dumps(plain))
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        assert Tokenizer.read(path).encode(SENTENCES) == tokenizer().encode(SENTENCES)


def test_a_tokenizer_of_roberta(tmp_path):
    """Its special tokens have other names and places, and its folder no tokenizer.json."""
    from transformers import RobertaTokenizer

    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "ab": 6, "Ġ": 7, "Ġa": 8, "<mask>": 9}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\nĠ a\n")
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    t = Tokenizer.read(tmp_path)
    assert (t.pad_id, t.mask_id, t.prefix, t.suffix, t.size) == (1, 9, (0,), (2,), 10)
    theirs = RobertaTokenizer.from_pretrained(str(tmp_path))
    texts = ["ab", "a ab", ""]
    assert [t.with_special(ids) for ids in t.encode(texts)] == theirs(texts)["input_ids"]
    t.write(tmp_path / "alone.json")
    assert Tokenizer.read(tmp_path / "alone.json") == t
    assert t.tokens(["ab", ""]).ids.tolist() == [[0, 6, 2], [0, 2, 1]]


def test_what_is_no_tokenizer(tmp_path):
    with pytest.raises(DataError, match="no tokenizer"):
        Tokenizer.read(tmp_path)
    with pytest.raises(DataError, match=r"gone\.json"):
        Tokenizer.read(tmp_path / "gone.json")
    file = tmp_path / "tokenizer.json"
    for content in (b"{", b"\xff\xfe", b"{}", tokenizer().text.encode()[:-200]):
        file.write_bytes(content)
        for path in (file, tmp_path):
            with pytest.raises(DataError, match=r"tokenizer"):
                Tokenizer.read(path)


def test_tokenizers_of_other_models(tmp_path):
    def without(name):
        return json.loads(tokenizer().text.replace(f'"{name}"', '"[ELSE]"'))

    for name, said in (("[MASK]", "masking"), ("[PAD]", "padding")):
        with pytest.raises(DataError, match=rf"{said}.*\{name}"):
            Tokenizer(json.dumps(without(name)))
    bare = json.loads(tokenizer().text) | {"post_processor": None}
    with pytest.raises(DataError, match="no special token around"):
        Tokenizer(json.dumps(bare), "'x'")


def test_a_mask_of_another_name_is_not_guessed(tmp_path):
    """A folder may call its mask as it likes; a lone tokenizer.json could not say so."""
    tokenizer().write(tmp_path / "tokenizer.json")
    names = {f"{role}_token": name for role, name in tokenizer().special_tokens.items()} | {"mask_token": "the"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(names | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    with pytest.raises(DataError, match="for mask 'the'"):
        Tokenizer.read(tmp_path)


def test_corpora_that_teach_nothing():
    for texts in ([], ["", "  \n"]):
        with pytest.raises(DataError, match="no word"):
            Tokenizer.learn(texts, 300)
    for wrong, said in (({"vocabulary": 20}, "vocabulary is 20"), ({"kind": "letters"}, "wordpiece, bytes")):
        with pytest.raises(ConfigError, match=said):
            Tokenizer.learn(CORPUS, **wrong)
    with pytest.raises(ConfigError, match="261"):
        Tokenizer.learn(CORPUS, 260, kind="bytes")


def test_one_text_is_not_a_list_of_letters():
    for call in (tokenizer().encode, Tokenizer.learn):
        with pytest.raises(UsageError, match=r"\[text\]|list"):
            call("the cat")
    with pytest.raises(UsageError, match="Text 1 is a int"):
        tokenizer().encode(["a", 1])


def test_texts_that_utf8_cannot_say_are_read():
    t = tokenizer("bytes")
    assert t.encode(["a\ud800b"]) == t.encode(["a?b"])
    assert t.encode(["a\x00b"]) != t.encode(["ab"])


def test_it_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        tokenizer().write(tmp_path / "file" / "tokenizer.json")


@pytest.mark.parametrize("package", ["tokenizers", "transformers"])
def test_what_is_not_installed_is_named(package, tmp_path, monkeypatch):
    tokenizer().write(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"kinema\[text\]"):
        Tokenizer.read(tmp_path if package == "transformers" else tmp_path / "tokenizer.json")
    if package == "tokenizers":
        with pytest.raises(MissingExtraError, match="'tokenizers'"):
            Tokenizer.learn(CORPUS, 300)


def test_the_module_loads_no_library_of_text():
    code = "import sys, kinema.data.documents.tokenizer, kinema.data.documents.masking, kinema.networks.text\n"
    code += "print([m for m in ('tokenizers', 'transformers') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"

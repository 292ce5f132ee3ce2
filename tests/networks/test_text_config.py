"""Settings of a text network: sizes by name, architectures from folders, and what is refused."""

import json
import sys
from dataclasses import asdict, replace

import pytest
from tiny_texts import TINY, library_model, tower

from kinema.core.config import from_plain, make_strict_converter, to_plain
from kinema.core.errors import ConfigError, MissingExtraError
from kinema.networks.text import (
    TextConfig,
    bert,
    build_text_tower,
    check_positions,
    check_vocabulary,
    from_folder,
    resolved,
    with_architecture_of,
)


def parameters(config):
    net = build_text_tower(config, language=False)
    return sum(p.numel() for p in net.parameters())


def test_sizes_by_name_are_those_of_the_paper():
    assert bert("tiny") == TextConfig(layers=2, width=128, heads=2) == TextConfig()
    assert [(bert(s).layers, bert(s).width, bert(s).heads) for s in ("mini", "small", "medium", "base")] == [
        (4, 256, 4),
        (4, 512, 8),
        (8, 512, 8),
        (12, 768, 12),
    ]
    # Turc et al. 2019: 4.4 million parameters with BERT's vocabulary and a pooler of 128 x 129 that is not built here
    assert parameters(bert("tiny", vocabulary=30522)) + 128 * 129 == 4_385_920


def test_settings_are_plain_and_come_back():
    converter = make_strict_converter()
    for config in (bert("mini"), TextConfig("transformers", architecture='{"model_type": "bert"}')):
        plain = json.loads(json.dumps(to_plain(config, converter)))
        assert all(isinstance(value, (str, int, float)) for value in plain.values())
        assert from_plain(plain, TextConfig, converter, "recipe.json") == config


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "gpt"}, "encoder.name"),
        ({"layers": 0}, "encoder.layers"),
        ({"width": 30, "heads": 4}, "heads"),
        ({"vocabulary": 5}, "encoder.vocabulary"),
        ({"positions": 0}, "encoder.positions"),
        ({"dropout": 1.0}, "encoder.dropout"),
        ({"folder": "x"}, "transformers"),
        ({"name": "transformers"}, "encoder.folder"),
        ({"name": "transformers", "folder": "x", "architecture": "{}"}, "encoder.folder"),
    ],
)
def test_wrong_settings_say_which(wrong, said):
    with pytest.raises(ConfigError, match=said):
        TextConfig(**wrong)
    with pytest.raises(ConfigError, match="tiny, mini"):
        bert("huge")


@pytest.mark.parametrize(
    ("kind", "positions", "dropout"), [("bert", 24, 0.1), ("roberta", 22, 0.1), ("distilbert", 24, 0.2)]
)
def test_a_folder_tells_the_sizes_and_is_not_needed_again(kind, positions, dropout, tmp_path):
    library_model(kind).save_pretrained(tmp_path / "net")
    config = from_folder(tmp_path / "net")
    sizes = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 300, "positions": positions, "dropout": dropout}
    assert asdict(config) == {"name": "transformers", "folder": "", "architecture": config.architecture} | sizes
    assert json.loads(config.architecture)["model_type"] == kind
    assert str(tmp_path) not in config.architecture
    (tmp_path / "net").rename(tmp_path / "gone")
    assert resolved(config) == config
    assert build_text_tower(config).encoder.dim == 32
    assert from_folder(tmp_path / "gone") == config, "the settings depend on where the folder lies"


def test_sizes_that_were_set_must_be_the_folders(tmp_path):
    library_model().save_pretrained(tmp_path)
    deeper = TextConfig("transformers", folder=str(tmp_path), layers=3)
    with pytest.raises(ConfigError, match=r"encoder\.layers is 3 and theirs 2"):
        resolved(deeper)
    with pytest.raises(ConfigError, match=r"encoder\.layers is 3 and theirs 2"):
        with_architecture_of(TextConfig(layers=3), tmp_path)
    changed = replace(from_folder(tmp_path), layers=3)
    with pytest.raises(ConfigError, match=r"encoder\.layers is 3, not 2"):
        build_text_tower(changed)


def test_weights_bring_their_architecture(tmp_path):
    library_model().save_pretrained(tmp_path / "a")
    library_model(intermediate_size=64).save_pretrained(tmp_path / "b")
    found = from_folder(tmp_path / "a")
    assert with_architecture_of(TextConfig(), tmp_path / "a") == found
    assert with_architecture_of(found, tmp_path / "a") == found
    assert with_architecture_of(TINY, "") == TINY
    assert with_architecture_of(TINY, tmp_path / "weights.safetensors") == TINY
    with pytest.raises(ConfigError, match="another architecture"):
        with_architecture_of(found, tmp_path / "b")


def test_folders_that_are_none_of_a_masked_language_model(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        from_folder(tmp_path)
    file = tmp_path / "config.json"
    for text, said in (
        ("{", "cannot be read"),
        ("[]", "no model_type"),
        ('{"model_type": "vit"}', "no masked language model"),
        ('{"model_type": "its_own", "auto_map": {"AutoModelForMaskedLM": "evil.Model"}}', "no masked language model"),
        ('{"model_type": "bart"}', "decoder"),
        ('{"model_type": "bert", "hidden_size": 30, "num_attention_heads": 4}', "transformers"),
        ('{"model_type": "bert", "hidden_size": "wide"}', "transformers"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=said):
            from_folder(tmp_path)


def test_code_in_a_folder_is_not_run(tmp_path):
    library_model().save_pretrained(tmp_path)
    plain = json.loads((tmp_path / "config.json").read_text())
    plain["auto_map"] = {name: f"evil.{name}" for name in ("AutoConfig", "AutoModelForMaskedLM")}
    (tmp_path / "config.json").write_text(json.dumps(plain))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    build_text_tower(from_folder(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["fnet", "longformer"])
def test_architectures_that_cannot_be_used_are_refused(kind, tmp_path):
    """FNet mixes padding into its states; Longformer gives out more than states."""
    library_model(kind).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=kind):
        build_text_tower(from_folder(tmp_path))


def test_spans_longer_than_the_positions_are_refused():
    check_positions(TINY, 24)
    with pytest.raises(ConfigError, match=r"25 tokens.*24 positions") as caught:
        check_positions(TINY, 25)
    assert "encoder.positions to 25" in caught.value.hint


def test_a_tokenizer_larger_than_the_embedding_is_refused():
    check_vocabulary(TINY, 300)
    with pytest.raises(ConfigError, match=r"301 tokens.*300 rows"):
        check_vocabulary(TINY, 301)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"kinema\[text\]"):
        tower()

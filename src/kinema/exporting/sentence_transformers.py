"""A text encoder as a folder that ``sentence_transformers.SentenceTransformer(DIR)`` loads.

OUT/modules.json                      transformer, then mean pooling (and normalisation, where it is set)
OUT/config_sentence_transformers.json
OUT/sentence_bert_config.json         the longest sequence
OUT/config.json, model.safetensors    the encoder, as transformers loads it; the heads stay behind
OUT/tokenizer.json, tokenizer_config.json, special_tokens_map.json
OUT/1_Pooling/config.json             the mean over all tokens
OUT/README.md                         the card

The names of the modules' classes are those that every release of the library knows.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from kinema.core.errors import ConfigError, StorageError
from kinema.core.files import write_folder, write_json, write_text
from kinema.data.documents.tokenizer import Tokenizer
from kinema.networks.text import TextTower, quiet

MODULE = "sentence_transformers.models"


def write_sentence_transformers(
    tower: TextTower, tokenizer: Tokenizer, out: Path, *, max_length: int, card: str, normalize: bool = False
) -> None:
    """Writes the folder, whole or not at all.

    Args:
        tower: of which the encoder is written.
        tokenizer: the one that it was trained with.
        out: the folder, which must not exist.
        max_length: most tokens of a sequence, special ones included; longer ones are cut by the library.
        card: the text of README.md.
        normalize: whether the library is to scale embeddings to length one; kinema's own ``embed`` does not.

    Raises:
        ConfigError: the length is longer than the network's positions or leaves room for no token, or the tokenizer has
            more tokens than the network.
        MissingExtraError: without the extra kinema[text].
        StorageError: there is something at ``out``, or it cannot be written.
    """
    encoder = tower.encoder
    if max_length <= tokenizer.around or (encoder.positions and max_length > encoder.positions):
        raise ConfigError(
            f"max_length is {max_length}; it must be above {tokenizer.around}"
            + (f" and at most {encoder.positions}, the network's positions." if encoder.positions else "."),
        )
    if tokenizer.size > encoder.vocabulary:
        raise ConfigError(
            f"The tokenizer has {tokenizer.size} tokens and the network's embedding {encoder.vocabulary} rows.",
            "Give the tokenizer that the network was trained with.",
        )
    modules = [("Transformer", ""), ("Pooling", "1_Pooling"), *([("Normalize", "2_Normalize")] if normalize else [])]

    def fill(folder: Path) -> None:
        listed = [
            {"idx": number, "name": str(number), "path": path, "type": f"{MODULE}.{name}"}
            for number, (name, path) in enumerate(modules)
        ]
        write_text(folder / "modules.json", json.dumps(listed, indent=2) + "\n")
        write_json(folder / "config_sentence_transformers.json", _about())
        write_json(folder / "sentence_bert_config.json", _transformer(encoder.network, max_length))
        write_json(folder / "1_Pooling" / "config.json", _pooling(encoder.dim))
        if normalize:
            write_json(folder / "2_Normalize" / "config.json", {})
        _write_network(encoder.network, folder)
        _write_tokenizer(tokenizer, max_length, folder)
        write_text(folder / "README.md", card)

    write_folder(out, fill)


def _about() -> dict[str, Any]:
    import transformers

    return {
        "__version__": {"transformers": transformers.__version__, "pytorch": torch.__version__},
        "prompts": {},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }


def _transformer(network: nn.Module, max_length: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"max_seq_length": max_length, "do_lower_case": False}
    if "add_pooling_layer" in inspect.signature(type(network).__init__).parameters:
        settings["model_args"] = {"add_pooling_layer": False}  # or the library draws one at random, and warns
    return settings


def _write_network(network: Any, folder: Path) -> None:
    """config.json and model.safetensors, by the architecture's own way to write them."""
    try:
        with quiet():
            network.save_pretrained(folder)
    except SafetensorError as error:
        raise StorageError(f"The weights could not be written to '{folder}': {error}.", "Free some space.") from error


def _pooling(dim: int) -> dict[str, Any]:
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    chosen = {f"pooling_mode_{mode}": mode == "mean_tokens" for mode in modes}
    return {"word_embedding_dimension": dim, **chosen, "include_prompt": True}


def _write_tokenizer(tokenizer: Tokenizer, max_length: int, folder: Path) -> None:
    tokenizer.write(folder / "tokenizer.json")
    names = {f"{role}_token": name for role, name in tokenizer.special_tokens.items()}
    write_json(folder / "special_tokens_map.json", names)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
    }
    write_json(folder / "tokenizer_config.json", settings | names)

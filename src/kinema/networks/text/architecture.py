"""Masked language models of ``transformers``: what a config.json says, and the network that it describes.

Nothing is ever fetched and no code of a folder is run: an architecture is one that the installed ``transformers`` has
a class for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kinema.core.errors import ConfigError, MissingExtraError
from kinema.core.reading import load_json, parse_json, reason_of

CONFIG, MODULES = "config.json", "modules.json"
IRRELEVANT = ("_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version")
"""What a config.json says of its file and not of the network."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a masked language model, as in :class:`kinema.networks.text.TextConfig`."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    positions: int
    dropout: float


def transformer_folder(folder: Path) -> Path:
    """The folder with the config.json: of an older sentence-transformers model it is one further in."""
    if not (folder / CONFIG).is_file() and (folder / MODULES).is_file():
        try:
            first = _inside(load_json(folder / MODULES)[0]["path"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ConfigError(
                f"'{folder / MODULES}' cannot be read: {error}.", "Copy the whole folder again."
            ) from error
        return folder / first
    return folder


def _inside(name: object) -> str:
    """The name of a folder in another one; raises a ValueError for all else."""
    if not isinstance(name, str) or name.startswith(("/", "~")) or ".." in Path(name).parts:
        raise ValueError(f"it names {name!r}, which is no folder beside it")
    return name


def has_architecture(folder: Path) -> bool:
    """Whether a folder holds the config.json of a model of ``transformers``."""
    return folder.is_dir() and (transformer_folder(folder) / CONFIG).is_file()


def read_architecture(folder: Path) -> str:
    """The text of a folder's config.json, without what says nothing of the network.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    file = transformer_folder(folder) / CONFIG
    try:
        found = load_json(file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"'{file}' cannot be read: {reason_of(error)}.",
            "Give a local folder as save_pretrained of transformers writes it, with a config.json.",
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise ConfigError(f"'{file}' names no model_type.", "Give the config.json of a model of transformers.")
    return json.dumps({key: found[key] for key in sorted(found) if key not in IRRELEVANT}, ensure_ascii=False)


def import_transformers() -> Any:
    """The library ``transformers``; raises MissingExtraError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "text") from error
    return transformers


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers from printing progress bars and its report of the keys of a file, which are checked here."""
    logging = import_transformers().utils.logging
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def bert_settings(sizes: Sizes) -> Any:
    """The ``BertConfig`` of a BERT of these sizes, with 4 times its width between the linear layers of a block."""
    return import_transformers().BertConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=sizes.positions,
        hidden_dropout_prob=sizes.dropout,
        attention_probs_dropout_prob=sizes.dropout,
        pad_token_id=0,
    )


def settings_from(architecture: str, where: str) -> Any:
    """The configuration object of ``transformers`` that a config.json describes.

    Args:
        architecture: the text of the config.json.
        where: what it was read from, for messages.

    Raises:
        ConfigError: it is of no masked language model that the installed ``transformers`` has a class for.
        MissingExtraError: without the extra kinema[text].
    """
    library = import_transformers()
    try:
        plain = parse_json(architecture)
        name = plain["model_type"]
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"The architecture of {where} is no config.json of transformers.") from error
    known = library.CONFIG_MAPPING
    if name not in known or known[name] not in library.MODEL_FOR_MASKED_LM_MAPPING:
        raise ConfigError(
            f"{where} is of the model_type '{name}', and transformers {library.__version__} has no masked language "
            "model of that name.",
            "Use a masked language model such as BERT, RoBERTa, DistilBERT, MPNet or ModernBERT; code that comes with "
            "a folder is not run.",
        )
    try:
        settings = known[name].from_dict(plain)
    except Exception as error:  # every class checks its settings in its own way
        raise ConfigError(f"The architecture of {where} is refused by transformers: {error}.") from error
    if getattr(settings, "is_encoder_decoder", False) or getattr(settings, "is_decoder", False):
        raise ConfigError(
            f"{where} is of '{name}' with a decoder; an encoder alone was expected.", "Use BERT, RoBERTa or the like."
        )
    return settings


def new_masked_lm(settings: Any) -> Any:
    """The masked language model of a configuration, freshly initialised from torch's global random state, in float32.

    Its attention is PyTorch's ``scaled_dot_product_attention`` wherever the architecture allows it.
    """
    library = import_transformers()
    try:
        return library.AutoModelForMaskedLM.from_config(settings, dtype=torch.float32, trust_remote_code=False)
    except Exception as error:  # every class checks its settings in its own way
        raise ConfigError(
            f"transformers cannot build a '{settings.model_type}' of these settings: {error}.",
            "Compare them with a config.json that transformers wrote.",
        ) from error


def sizes_of(architecture: str, where: str) -> Sizes:
    """The sizes that a config.json describes; raises like :func:`settings_from`."""
    settings = settings_from(architecture, where)
    with torch.device("meta"):
        network = new_masked_lm(settings).base_model
    layers, width, heads = (
        getattr(settings, name, None) for name in ("num_hidden_layers", "hidden_size", "num_attention_heads")
    )
    if not (isinstance(layers, int) and isinstance(width, int) and isinstance(heads, int)):
        raise ConfigError(
            f"{where} is of '{settings.model_type}', whose config.json does not tell layers, width and heads by their "
            "usual names.",
            "Use BERT, RoBERTa or the like.",
        )
    return Sizes(
        layers=layers,
        width=width,
        heads=heads,
        vocabulary=settings.vocab_size,
        positions=positions_of(settings, network),
        dropout=float(next((d for d in map(settings.to_dict().get, DROPOUTS) if d is not None), 0.0)),
    )


DROPOUTS = ("hidden_dropout_prob", "dropout", "mlp_dropout")
"""What architectures call the dropout of the hidden states."""


def positions_of(settings: Any, network: nn.Module) -> int:
    """Most tokens of a sequence that a network can take; 0 for no limit.

    RoBERTa and those that follow it number positions from the id of padding + 1, so that fewer of the table's rows are
    of use; they are known by the padding row in that table.
    """
    rows = int(getattr(settings, "max_position_embeddings", 0) or 0)
    table = getattr(getattr(network, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return max(rows, 0) if padding is None else rows - int(padding) - 1

"""The settings of a text network: a BERT of a few sizes, or any masked language model of ``transformers``.

Settings hold all that is needed to build the network again, so that a run needs no other files: of a folder of
``transformers`` the text of its config.json goes into them (:func:`resolved`), and the folder's path leaves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from torch import nn

from kinema.core.errors import ConfigError
from kinema.core.guesses import choose_from
from kinema.networks.text.architecture import Sizes, has_architecture, read_architecture, sizes_of

AROUND = 2
"""Special tokens around a sequence: [CLS] and [SEP], or the tokenizer's own."""

TextName = Literal["bert", "transformers"]
SizeName = Literal["tiny", "mini", "small", "medium", "base"]

SIZES: dict[str, tuple[int, int]] = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
}
"""Layers and width of the BERTs of Turc et al. 2019 (arXiv 1908.08962); each has a head for every 64 of its width."""


@dataclass(frozen=True)
class TextConfig:
    """Which text network, and its sizes.

    Args:
        name: 'bert', a BERT of these sizes that starts from nothing; or 'transformers', any masked language model that
            ``transformers`` has a class for, of which ``folder`` or ``architecture`` gives the sizes.
        layers: blocks of attention.
        width: dimensions of a token, and of an embedding of a sentence.
        heads: heads of attention; they divide the width.
        vocabulary: rows of the embedding, at least as many as the tokenizer has tokens.
        positions: most tokens of a sequence, special ones included; 0 for no limit, of 'transformers' alone.
        dropout: of the hidden states and of the attention.
        folder: of 'transformers': a local folder with its config.json. Sizes left at their defaults are the folder's.
        architecture: of 'transformers': the text of that config.json; :func:`resolved` puts it here.
    """

    name: TextName = "bert"
    layers: int = 2
    width: int = 128
    heads: int = 2
    vocabulary: int = 8192
    positions: int = 512
    dropout: float = 0.1
    folder: str = ""
    architecture: str = ""

    def __post_init__(self) -> None:
        if self.name not in get_args(TextName):
            raise ConfigError(f"encoder.name is '{self.name}'.", "For text, choose 'bert' or 'transformers'.")
        for size, least in (("layers", 1), ("width", 1), ("heads", 1), ("vocabulary", 6), ("positions", 3)):
            value = getattr(self, size)
            if value < least and not (size == "positions" and value == 0 and self.name == "transformers"):
                raise ConfigError(f"encoder.{size} is {value}; it must be at least {least}.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"encoder.dropout is {self.dropout}; it must be at least 0 and below 1.")
        if self.name == "bert" and self.width % self.heads:
            raise ConfigError(
                f"encoder.width is {self.width} with {self.heads} heads.", "Choose a number of heads that divides it."
            )
        if self.name == "bert" and (self.folder or self.architecture):
            raise ConfigError(
                "encoder.folder and encoder.architecture are of the encoder 'transformers', and the encoder is 'bert'.",
                "Set encoder.name to transformers, or leave them out.",
            )
        if self.name == "transformers" and bool(self.folder) == bool(self.architecture):
            raise ConfigError(
                "The encoder 'transformers' needs a folder to take its architecture from"
                + (", and here are a folder and an architecture." if self.folder else "."),
                "Set encoder.folder to a local folder with a config.json, and leave encoder.architecture out.",
            )

    def check(self, data: Any, needs: Sequence[Any]) -> None:
        """Refuses data that are not text, and spans that are longer than the network's positions.

        Raises:
            ConfigError: names what does not fit.
        """
        if data.unit != "documents":
            raise ConfigError(
                f"The encoder '{self.name}' reads text, and the data are {data.unit}.",
                "Choose a network that sees them.",
            )
        for each in needs:
            check_positions(self, each.max_length + AROUND)
        if not data.tokenizer:
            check_vocabulary(self, data.vocabulary)

    def with_sizes_of(self, weights: str) -> TextConfig:
        """The settings with the architecture that a folder of weights, or ``folder``, holds."""
        return with_architecture_of(self, weights)

    def replaced_by(self, weights: str) -> TextConfig:
        """The network that a folder of weights holds; these settings where it holds none."""
        return from_folder(weights) if has_architecture(Path(weights)) else self

    def fits(self, loaded: Any) -> None:
        """Refuses documents whose tokenizer has more tokens than the embedding has rows.

        Raises:
            ConfigError: the two do not belong together.
        """
        check_vocabulary(self, loaded.tokenizer.size)

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:  # noqa: ARG002 - there is one view
        """Loads a file or folder of weights into a tower; heads that it does not hold stay as they were."""
        from kinema.networks.text.weights import load_text_weights

        network: Any = tower
        load_text_weights(network, path)
        return True

    @property
    def sizes(self) -> Sizes:
        """The sizes alone; of 'transformers' those of the folder once it is :func:`resolved`."""
        return Sizes(**{f.name: getattr(self, f.name) for f in fields(Sizes)})


def bert(size: SizeName = "tiny", *, vocabulary: int = 8192, positions: int = 512, dropout: float = 0.1) -> TextConfig:
    """The settings of a BERT by the name of its size.

    Args:
        size: 'tiny' (2 layers of width 128), 'mini' (4, 256), 'small' (4, 512), 'medium' (8, 512) or 'base' (12, 768).
        vocabulary: rows of the embedding.
        positions: most tokens of a sequence.
        dropout: of the hidden states and of the attention.

    Raises:
        ConfigError: there is no such size.
    """
    if size not in SIZES:
        raise ConfigError(f"There is no BERT of size '{size}'.", choose_from(size, SIZES))
    layers, width = SIZES[size]
    return TextConfig("bert", layers, width, width // 64, vocabulary, positions, dropout)


def from_folder(folder: str | Path) -> TextConfig:
    """The settings of the masked language model in a local folder of ``transformers`` or sentence-transformers.

    Args:
        folder: holds a config.json, with or without weights; raises like :func:`resolved`.
    """
    return resolved(TextConfig("transformers", folder=str(folder)))


def resolved(config: TextConfig) -> TextConfig:
    """The settings with the folder's architecture in place of its path; others as they are.

    Raises:
        ConfigError: the folder has no config.json, it is of no masked language model that ``transformers`` has a class
            for, or sizes were asked for that it does not have.
        MissingExtraError: without the extra kinema[text].
    """
    if not config.folder:
        return config
    architecture = read_architecture(Path(config.folder))
    found = sizes_of(architecture, f"'{config.folder}'")
    _check_sizes(config, found, config.folder)
    return replace(config, folder="", architecture=architecture, **vars(found))


def with_architecture_of(config: TextConfig, weights: str | Path) -> TextConfig:
    """The settings of a network that starts from weights, with the architecture that their folder holds.

    Args:
        config: what was asked for.
        weights: the file or folder; anything but a folder with a config.json of ``transformers`` changes nothing.

    Raises:
        ConfigError: sizes were asked for that the folder does not have; otherwise as :func:`resolved`.
    """
    config = resolved(config)
    if not weights or not has_architecture(Path(weights)):
        return config
    found = from_folder(weights)
    if config.name == "transformers" and config.architecture != found.architecture:
        raise ConfigError(
            f"The weights '{weights}' have another architecture than the encoder.",
            "Leave encoder.folder and encoder.architecture out: the folder of the weights tells it.",
        )
    if config.name == "bert":
        _check_sizes(config, found.sizes, weights)
    return found


def check_positions(config: TextConfig, max_length: int) -> None:
    """Refuses sequences that are longer than the network has positions.

    Args:
        config: the network.
        max_length: tokens of the longest sequence, special ones included.

    Raises:
        ConfigError: it has fewer positions.
    """
    limit = resolved(config).positions
    if limit and max_length > limit:
        raise ConfigError(
            f"Sequences of up to {max_length} tokens, special ones included, are asked for, and the network has "
            f"{limit} positions.",
            "Set max_length lower"
            + (f", or encoder.positions to {max_length}." if config.name == "bert" else ", or choose another network."),
        )


def check_vocabulary(config: TextConfig, size: int) -> None:
    """Refuses a tokenizer that has more tokens than the network's embedding has rows.

    Args:
        config: the network.
        size: rows that the tokenizer needs (``Tokenizer.size``).

    Raises:
        ConfigError: the embedding has fewer.
    """
    rows = resolved(config).vocabulary
    if size > rows:
        raise ConfigError(
            f"The tokenizer has {size} tokens and the network's embedding {rows} rows: they do not belong together.",
            f"Set encoder.vocabulary to at least {size}, or learn a tokenizer of at most {rows} tokens."
            if config.name == "bert"
            else "Use the tokenizer that lies beside the network's config.json.",
        )


def _check_sizes(config: TextConfig, found: Sizes, where: str | Path) -> None:
    """Refuses sizes that were set and are not those found."""
    differing = [
        f"encoder.{f.name} is {getattr(config, f.name)} and theirs {getattr(found, f.name)}"
        for f in fields(found)
        if getattr(config, f.name) not in (getattr(found, f.name), getattr(TextConfig, f.name))
    ]
    if differing:
        raise ConfigError(
            f"The network in '{where}' is of other sizes than the encoder: {'; '.join(differing)}.",
            "Leave the sizes out: the folder tells them.",
        )

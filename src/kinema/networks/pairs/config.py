"""The settings of the networks of pairs, one of pictures and one of texts, and from settings to networks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from torch import nn

from kinema.core.errors import ConfigError
from kinema.core.pairs import IMAGE, TEXT, PairView, weights_of
from kinema.networks.images.config import ImageConfig, build_image_encoder
from kinema.networks.images.encoder import ImageEncoder
from kinema.networks.pairs.text_cnn import TextCNN
from kinema.networks.pairs.vectors import VectorMLP
from kinema.networks.text.build import build_text_tower
from kinema.networks.text.config import TextConfig, check_positions, check_vocabulary
from kinema.networks.text.start import load_text_start, start_of
from kinema.networks.text.tower import TextEncoder

log = logging.getLogger(__name__)

PairTextName = Literal["mlp", "cnn", "transformer"]
PairName = Literal["image-text"]
PairNetwork = ImageEncoder | VectorMLP | TextCNN | TextEncoder
"""A network of one view; it has ``dim`` and ``stages()``."""

READS: dict[str, tuple[str, ...]] = {"mlp": ("bag", "vectors"), "cnn": ("words", "tokens"), "transformer": ("tokens",)}
"""How texts must be given to each network, by ``data.text``; the first is the usual one."""

_OWNERS: dict[str, tuple[str, ...]] = {
    "hidden": ("mlp",),
    "features": ("mlp",),
    "width": ("cnn",),
    "channels": ("cnn",),
    "kernels": ("cnn",),
    "vocabulary": ("cnn",),
    "transformer": ("transformer",),
}
"""Settings of some networks of texts alone."""


@dataclass(frozen=True)
class PairTextConfig:
    """Which network of texts, and its sizes.

    Args:
        name: 'mlp', a layer over a vector of a text's words or tags, or over stored vectors; 'cnn', filters over its
            words (Kim 2014); or 'transformer', the network that a run of a text method or a folder of ``transformers``
            holds, which is the one to start from: --weights text=RUN.
        hidden: of 'mlp': units.
        width: of 'cnn': dimensions of a word.
        channels: of 'cnn': filters of each width.
        kernels: of 'cnn': widths of the filters, in words.
        dropout: of 'mlp' and 'cnn': of the features, in training; a transformer has its own.
        features: of 'mlp': V, values of a text's vector; 0 until the data are known.
        vocabulary: of 'cnn': rows of the embedding; 0 until the data are known.
        transformer: of 'transformer': its sizes; they come from the weights.
    """

    name: PairTextName = "mlp"
    hidden: int = 512
    width: int = 128
    channels: int = 128
    kernels: tuple[int, ...] = (3, 4, 5)
    dropout: float = 0.2
    features: int = 0
    vocabulary: int = 0
    transformer: TextConfig | None = None

    def __post_init__(self) -> None:
        if self.name not in get_args(PairTextName):
            raise ConfigError(
                f"encoder.text.name is '{self.name}'.", f"Choose one of: {', '.join(get_args(PairTextName))}."
            )
        for size, least in (("hidden", 1), ("width", 1), ("channels", 1), ("features", 0), ("vocabulary", 0)):
            if getattr(self, size) < least:
                raise ConfigError(f"encoder.text.{size} is {getattr(self, size)}; it must be at least {least}.")
        if not self.kernels or min(self.kernels) < 1:
            raise ConfigError(
                f"encoder.text.kernels is {list(self.kernels)}; it needs widths of at least 1 word.", "Kim's: 3, 4, 5."
            )
        check_dropout("encoder.text.dropout", self.dropout)
        for key, owners in _OWNERS.items():
            if self.name not in owners and getattr(self, key) != getattr(PairTextConfig, key):
                raise ConfigError(
                    f"encoder.text.{key} is {getattr(self, key)} with the network '{self.name}' of texts.",
                    f"It is of '{owners[0]}' alone: leave it out, or set encoder.text.name to {owners[0]}.",
                )


@dataclass(frozen=True)
class PairEncoderConfig:
    """The networks of both views; a method that learns from one view builds that one's alone.

    Args:
        name: the pair of networks, 'image-text'; there is no other.
        image: the network of pictures; 'features' where they are stored vectors.
        text: the network of texts.
        hidden: where pictures are stored vectors: units of a layer over them; 0 takes them as they are.
        dropout: of these units, in training.
    """

    name: PairName = "image-text"
    image: ImageConfig = field(default_factory=ImageConfig)
    text: PairTextConfig = field(default_factory=PairTextConfig)
    hidden: int = 512
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.name != "image-text":
            raise ConfigError(f"encoder.name is '{self.name}'.", "For pairs it is 'image-text'.")
        if self.hidden < 0:
            raise ConfigError(f"encoder.hidden is {self.hidden}; it must not be negative.", "0 leaves the layer out.")
        check_dropout("encoder.dropout", self.dropout)

    def check(self, data: Any, needs: Sequence[Any]) -> None:
        """Refuses data that are not pairs, and texts that are given in a way their network does not read.

        Raises:
            ConfigError: says what does not fit.
        """
        if data.unit != "pairs":
            raise ConfigError(
                f"The encoder '{self.name}' reads pairs of pictures and texts, and the data are {data.unit}.",
                "Choose a network that reads them.",
            )
        if not any(TEXT in each.views for each in needs):
            return
        ways, name = READS[self.text.name], self.text.name
        if data.text not in ways:
            fitting = next(network for network, reads in READS.items() if data.text in reads)
            raise ConfigError(
                f"data.text is '{data.text}', and the network '{name}' of texts reads {' or '.join(map(repr, ways))}.",
                f"Set data.text to {ways[0]}, or encoder.text.name to {fitting}.",
            )
        if name == "transformer":
            check_positions(self._transformer(), data.max_length)

    def replaced_by(self, weights: str) -> PairEncoderConfig:
        """The network of texts that a text run or a folder of ``transformers`` holds, in place of the preset's."""
        return self.with_sizes_of(weights)

    def with_sizes_of(self, weights: str) -> PairEncoderConfig:
        """The settings with the network of texts that the weights hold, where they name one.

        Args:
            weights: as :func:`kinema.core.pairs.weights_of` reads them.

        Raises:
            ConfigError: what is named is neither a text run nor a folder of ``transformers``; it is of other sizes than
                those that were set; or a network has no weights to start from.
        """
        named = weights_of(weights)
        if IMAGE in named:
            self.image.with_sizes_of(named[IMAGE])
        if TEXT not in named:
            return self
        if self.text.name == "cnn":
            raise ConfigError(
                f"The network 'cnn' of texts starts at random, and weights are '{named[TEXT]}'.",
                "Leave encoder.text.name out: the weights tell the network.",
            )
        found = start_of(Path(named[TEXT])).config
        if self.text.transformer not in (None, found):
            raise ConfigError(
                f"encoder.text.transformer is of other sizes than the network in '{named[TEXT]}'.",
                "Leave it out: the weights tell it.",
            )
        return replace(self, text=PairTextConfig("transformer", transformer=found))

    def fits(self, loaded: Any) -> None:
        """Refuses pictures and texts that were made ready in a way the networks cannot take.

        Raises:
            ConfigError: names both sizes.
        """
        self._fit_image(loaded.image_features)
        text = self.text
        if text.name == "mlp":
            _same(text.features, loaded.text_features, "texts", "values a text", "encoder.text.features")
        elif text.name == "cnn":
            _same(text.vocabulary, loaded.text_vocabulary, "texts", "words", "encoder.text.vocabulary")
        else:
            check_vocabulary(self._transformer(), loaded.text_vocabulary)

    def _fit_image(self, features: int) -> None:
        if self.image.name == "features" or features:
            if self.image.name != "features":
                raise ConfigError(
                    f"The network '{self.image.model or self.image.name}' sees pictures, and the data have {features} "
                    "features a picture.",
                    "Set encoder.image.name to features.",
                )
            _same(self.image.features, features, "pictures", "features a picture", "encoder.image.features")

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:
        """Loads the weights of a view into its tower's encoder, strictly; False where they name none for it.

        Args:
            view: 'image' or 'text'.
            tower: has an ``encoder`` that these settings describe.
            path: what the plan's weights say, as a path: 'image=FILE,text=RUN'.

        Raises:
            CheckpointError: they cannot be read, or keys or shapes do not fit; they are named.
        """
        named = weights_of(str(path))
        place = named[IMAGE] if view == IMAGE and IMAGE in named else named.get(TEXT) if view == TEXT else None
        if place is None:
            return False
        if view == IMAGE:
            return self.image.load_weights(view, tower, Path(place))
        load_text_start(tower.encoder, self._transformer(), Path(place))
        return True

    def _transformer(self) -> TextConfig:
        if self.text.transformer is None:
            raise ConfigError(
                "The network of texts is 'transformer', and it is not known which.",
                "Name the run of a text method, or a folder of transformers, that it starts from: --weights text=RUN.",
            )
        return self.text.transformer


def build_pair_encoder(config: PairEncoderConfig, view: PairView) -> PairNetwork:
    """The network of one view, freshly initialised from torch's global random state.

    Args:
        config: the settings.
        view: 'image' or 'text'.

    Raises:
        ConfigError: a size is not known, or the settings contradict one another.
        MissingExtraError: a network of ``timm`` or of ``transformers`` without its extra.
    """
    text = config.text
    if view == IMAGE:
        if config.image.name == "features" and config.hidden:
            return VectorMLP(config.image.features, config.hidden, config.dropout)
        return build_image_encoder(config.image)
    match text.name:
        case "mlp":
            return VectorMLP(text.features, text.hidden, text.dropout)
        case "cnn":
            return TextCNN(text.vocabulary, text.width, text.channels, text.kernels, text.dropout)
        case "transformer":
            return build_text_tower(config._transformer(), None, language=False).encoder


def check_dropout(name: str, value: float) -> None:
    """Refuses a share that is none.

    Raises:
        ConfigError: names it.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{name} is {value}; it must be at least 0 and below 1.")


def _same(own: int, there: int, what: str, of: str, key: str) -> None:
    if own != there:
        raise ConfigError(
            f"The network of {what} takes {own} {of}, and the data have {there}.",
            f"Leave {key} out: the data tell it.",
        )

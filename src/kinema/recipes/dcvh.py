"""The recipe of cross-view hashing: DCVH on pairs of a picture and its words."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinema.core.errors import ConfigError
from kinema.core.pairs import IMAGE, TEXT, weights_of
from kinema.data.pairs.choosing import chosen
from kinema.data.pairs.config import PairsConfig
from kinema.methods.dcvh import DCVHConfig
from kinema.networks.images import ImageConfig
from kinema.networks.pairs import READS, PairEncoderConfig, PairTextConfig
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.training.settings import OptimiserConfig

log = logging.getLogger(__name__)


def small() -> Plan:
    """DCVH for two CPU cores: 32 bits, pictures of 64x64 pixels through a small network, words as a vector.

    Made for sets of a few thousand pairs, of which 30 epochs take minutes. Where pictures or texts are stored vectors,
    it is seconds.
    """
    return Plan(
        DCVHConfig(),
        epochs=30,
        optimiser=OptimiserConfig("adam", lr=3e-3, weight_decay=1e-3, schedule="cosine", warmup_epochs=1),
        data=PairsConfig(),
        encoder=PairEncoderConfig(),
        batch_size=64,
    )


def reconstruction() -> Plan:
    """A reconstruction of the paper's setting: ResNet-50 of ``timm`` on 224x224 pixels, a convolutional text network.

    The papers leave most of the training open; the optimiser is what the field takes, and each view has a classifier of
    its own, which could not be verified. It starts from weights of
    ImageNet: ``--weights image=FILE``. Needs a GPU and the extra kinema[images]; not run here.
    """
    return Plan(
        DCVHConfig(classifier="own"),
        epochs=60,
        optimiser=OptimiserConfig("adam", lr=1e-4, weight_decay=5e-4, schedule="steps", drops=(40,), warmup_epochs=1),
        data=PairsConfig(height=224, width=224, text="words"),
        encoder=PairEncoderConfig(image=ImageConfig("timm", model="resnet50"), text=PairTextConfig("cnn")),
        batch_size=64,
        precision="16-mixed",
    )


def fit(plan: Plan, table: Any) -> Plan:
    """The plan with what only the data and the weights know: what networks take in, and which network reads texts.

    Args:
        plan: as it was set.
        table: the pairs.

    Raises:
        ConfigError: a network takes something else than the data have; weights are of a view that is not learnt; or
            texts are to be cut by another tokenizer than that of the network that they start from.
        DataError: some rows are stored vectors and some are not.
    """
    config, data, encoder = plan.method, plan.data, plan.encoder
    assert isinstance(config, DCVHConfig)
    assert isinstance(data, PairsConfig)
    _check_views(config, plan.weights)
    _check_tokenizer(data, plan.weights)
    encoder, data = encoder.with_sizes_of(plan.weights), data.with_weights(plan.weights)
    table = chosen(table, [config.needs], data).table
    if not len(table):
        return replace(plan, data=data, encoder=encoder)  # refused where rows are chosen, with the reasons
    data = data.fitted(table) if TEXT in config.views else data
    if IMAGE in config.views:
        encoder = _seen(encoder, data.image_width(table))
    if TEXT in config.views:
        encoder, data = _agreed(encoder, data)
        own = encoder.text.name != "transformer"  # whose sizes are those of the weights
        if own and data.text in READS[encoder.text.name]:  # else refused when the recipe is made
            encoder = _read(encoder, *data.text_width(table))
    return replace(plan, data=data, encoder=encoder)


def _check_views(config: DCVHConfig, weights: str) -> None:
    """Refuses weights that nothing would start from."""
    unused = [view for view in weights_of(weights) if view not in config.views]
    if unused:
        raise ConfigError(
            f"The weights are '{weights}', and the view '{unused[0]}' is not learnt: method.views has "
            f"{' and '.join(map(repr, config.views))}.",
            f"Leave {unused[0]}=… out of the weights, or add the view.",
        )


def _check_tokenizer(data: PairsConfig, weights: str) -> None:
    """Refuses a tokenizer beside the weights of a text network that are of another one."""
    folder = weights_of(weights).get(TEXT)
    if folder is None or not data.tokenizer:
        return
    from kinema.data.documents.tokenizer import Tokenizer

    theirs, ours = Tokenizer.read(Path(folder)), Tokenizer.read(Path(data.tokenizer))
    if theirs.digest != ours.digest:
        raise ConfigError(
            f"data.tokenizer is '{data.tokenizer}', of {ours.size} tokens, and the network of texts in '{folder}' "
            f"was trained with another one, of {theirs.size}.",
            "Leave data.tokenizer out: the weights bring theirs.",
        )


def _agreed(encoder: PairEncoderConfig, data: PairsConfig) -> tuple[PairEncoderConfig, PairsConfig]:
    """The network of texts and the way texts are given, where one was set and the other was left as it is."""
    if data.text in READS[encoder.text.name]:
        return encoder, data
    if data.text in READS["cnn"] and encoder.text == PairTextConfig():
        log.info("Texts are given as %s: the network 'mlp' is left out, and 'cnn' reads them.", data.text)
        return replace(encoder, text=PairTextConfig("cnn")), data
    if encoder.text.name == "cnn" and data.text == PairsConfig.text:
        log.info("The network of texts is 'cnn': data.text is 'words'.")
        return encoder, replace(data, text="words")
    return encoder, data


def _seen(encoder: PairEncoderConfig, width: int) -> PairEncoderConfig:
    """The network of pictures: where they are stored vectors, the one that takes them as they are."""
    image = encoder.image
    if not width:
        if image.name == "features":
            raise ConfigError(
                "The network 'features' takes stored vectors, and the data have pictures.",
                "Set encoder.image.name to convnet or timm, or name vectors in the column 'image': FILE.npy[ROW].",
            )
        return encoder
    if image.name == "features":
        if image.features not in (0, width):
            raise ConfigError(
                f"The network takes {image.features} features a picture, and the data have {width}.",
                "Leave encoder.image.features out: the data tell it.",
            )
    else:
        log.info("Pictures are %d features each: the network '%s' is left out.", width, image.model or image.name)
    return replace(encoder, image=ImageConfig("features", features=width))


def _read(encoder: PairEncoderConfig, features: int, vocabulary: int) -> PairEncoderConfig:
    """The network of texts with the width of what it reads."""
    text = encoder.text
    key, there = ("features", features) if text.name == "mlp" else ("vocabulary", vocabulary)
    own = getattr(text, key)
    if own not in (0, there):
        what = "values a text" if key == "features" else "words"
        raise ConfigError(
            f"The network of texts takes {own} {what}, and the data have {there}.",
            f"Leave encoder.text.{key} out: the data tell it.",
        )
    text = replace(text, features=there) if key == "features" else replace(text, vocabulary=there)
    return replace(encoder, text=text)


DCVH = MethodEntry(
    DCVHConfig,
    "Liu & Qi 2018, arXiv 1804.01233",
    (IMAGE, TEXT),
    "a picture and its words in a few bits: either finds the other by the bits that differ; learns from labels",
    "DCVH",
    {"small": small, "reconstruction": reconstruction},
    base=False,
    beside=False,
    learns_from="their labels",
    fit=fit,
    settings=("bits",),
    next_step="kinema evaluate hashing {run} {data}",
)

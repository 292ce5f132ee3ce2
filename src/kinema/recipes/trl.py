"""The recipe of video person re-identification: TRL with its transformer, on crops or on features of crops."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from kinema.core.errors import ConfigError
from kinema.data.tracklets.config import TrackletsConfig
from kinema.methods.trl import TRLConfig
from kinema.networks.images import ImageConfig
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.training.settings import OptimiserConfig

log = logging.getLogger(__name__)


def small() -> Plan:
    """TRL for two CPU cores: a small network from nothing, crops of 64x32 pixels, 6 frames, 8 persons of 4 tracklets.

    Made for sets of a thousand tracklets: 40 epochs of 900 take some ten minutes.
    """
    return Plan(
        TRLConfig(frames=6),
        epochs=40,
        optimiser=OptimiserConfig("adam", lr=1e-3, weight_decay=5e-4, schedule="cosine", warmup_epochs=2),
        data=TrackletsConfig(height=64, width=32),
        encoder=ImageConfig(),
        batch_size=32,
        collapse_rank=0.0,  # identities are told, and BiLSTMs start with descriptors that are nearly parallel
    )


def reconstruction() -> Plan:
    """A reconstruction of the paper's setting: ResNet-50 of ``timm``, crops of 256x128, 8 frames, 32 tracklets a batch.

    The paper has a GoogLeNet and leaves most of its training open; the optimiser is what the field takes. It starts
    from weights of ImageNet: ``--weights FILE``. Needs a GPU and the extra kinema[images]; not run here.
    """
    return Plan(
        TRLConfig(),
        epochs=120,
        optimiser=OptimiserConfig(
            "adam", lr=3e-4, weight_decay=5e-4, schedule="steps", drops=(60, 90), warmup_epochs=10
        ),
        data=TrackletsConfig(height=256, width=128),
        encoder=ImageConfig("timm", model="resnet50"),
        batch_size=32,
        precision="16-mixed",
        collapse_rank=0.0,
    )


def fit(plan: Plan, table: Any) -> Plan:
    """The plan with what only the data know: where frames are features, the network that takes them as they are.

    Args:
        plan: as it was set.
        table: the tracklets.

    Raises:
        ConfigError: the network takes features, and frames are crops or have another number of features.
        DataError: some tracklets are of pictures and some of features.
    """
    config, data, encoder = plan.method, plan.data, plan.encoder
    assert isinstance(config, TRLConfig)
    assert isinstance(data, TrackletsConfig)
    table = table.usable()
    width = data.feature_width(table) if len(table) else encoder.features
    if not width:
        if encoder.name == "features":
            raise ConfigError(
                "The encoder 'features' takes features of frames, and the data are crops.",
                "Set data.features to an ONNX file that makes features of them, or encoder.name to convnet.",
            )
        return plan
    if encoder.name == "features" and encoder.features not in (0, width):
        raise ConfigError(
            f"The encoder takes {encoder.features} features a frame, and the data have {width}.",
            "Leave encoder.features out: the data tell it.",
        )
    if encoder.name != "features":
        what = f"'{encoder.model or encoder.name}' is left out" + (", and so is" if config.transformer else "")
        also = " the transformer, which aligns maps of crops" if config.transformer else ""
        log.info("Frames are %d features each: the network %s%s.", width, what, also)
        config = replace(config, transformer=False)
    return replace(plan, method=config, encoder=ImageConfig("features", features=width))


TRL = MethodEntry(
    TRLConfig,
    "Dai et al. 2019, arXiv 1802.07918",
    ("tracklet",),
    "the same person again: what all frames of a tracklet share, and what each has beside it",
    "TRL",
    {"small": small, "reconstruction": reconstruction},
    base=False,
    beside=False,
    learns_from="who is who",
    fit=fit,
    next_step="kinema evaluate reid {run} {data}",
)

"""Networks of pairs: one of pictures and one of texts."""

from kinema.networks.pairs.config import (
    READS,
    PairEncoderConfig,
    PairNetwork,
    PairTextConfig,
    build_pair_encoder,
)
from kinema.networks.pairs.text_cnn import TextCNN
from kinema.networks.pairs.vectors import VectorMLP

__all__ = [
    "READS",
    "PairEncoderConfig",
    "PairNetwork",
    "PairTextConfig",
    "TextCNN",
    "VectorMLP",
    "build_pair_encoder",
]

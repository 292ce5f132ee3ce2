"""Text networks: from tokens to embeddings of sentences, and the heads that train them."""

from kinema.networks.text.architecture import quiet
from kinema.networks.text.build import build_text_tower
from kinema.networks.text.config import (
    TextConfig,
    bert,
    check_positions,
    check_vocabulary,
    from_folder,
    resolved,
    with_architecture_of,
)
from kinema.networks.text.start import TextStart, load_text_start, start_of
from kinema.networks.text.tower import LanguageHead, TanhHead, TextEncoder, TextHead, TextTower, masked_mean
from kinema.networks.text.weights import load_text_weights, published_length

__all__ = [
    "LanguageHead",
    "TanhHead",
    "TextConfig",
    "TextEncoder",
    "TextHead",
    "TextStart",
    "TextTower",
    "bert",
    "build_text_tower",
    "check_positions",
    "check_vocabulary",
    "from_folder",
    "load_text_start",
    "load_text_weights",
    "masked_mean",
    "published_length",
    "quiet",
    "resolved",
    "start_of",
    "with_architecture_of",
]

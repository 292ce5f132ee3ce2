"""Encoders: networks from one view of a clip to a feature, and the heads that train them."""

from kinema.networks.build import EncoderConfig, build_encoder, omit_unused_settings
from kinema.networks.decoder import CoarseDecoder, coarse
from kinema.networks.heads import ProjectionHead
from kinema.networks.hugging_face import with_sizes_of
from kinema.networks.image import ResNet10
from kinema.networks.predictor import Predictor, PredictorConfig, fuse
from kinema.networks.tower import HeadConfig, Tower
from kinema.networks.video.layers import VideoEncoder
from kinema.networks.video.vit_config import VitConfig
from kinema.networks.weights import load_weights

__all__ = [
    "CoarseDecoder",
    "EncoderConfig",
    "HeadConfig",
    "Predictor",
    "PredictorConfig",
    "ProjectionHead",
    "ResNet10",
    "Tower",
    "VideoEncoder",
    "VitConfig",
    "build_encoder",
    "coarse",
    "fuse",
    "load_weights",
    "omit_unused_settings",
    "with_sizes_of",
]

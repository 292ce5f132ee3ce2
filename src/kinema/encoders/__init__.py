"""Encoders: networks from one view of a clip to a feature, and the heads that train them."""

from kinema.encoders.build import EncoderConfig, build_encoder, tell_plainly
from kinema.encoders.decoder import CoarseDecoder, coarse
from kinema.encoders.heads import ProjectionHead
from kinema.encoders.hugging_face import with_sizes_of
from kinema.encoders.layers import VideoEncoder
from kinema.encoders.predictor import Predictor, PredictorConfig, fuse
from kinema.encoders.resnet10 import ResNet10
from kinema.encoders.tower import HeadConfig, Tower
from kinema.encoders.vit_config import VitConfig
from kinema.encoders.weights import load_weights

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
    "tell_plainly",
    "with_sizes_of",
]

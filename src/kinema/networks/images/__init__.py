"""Networks of pictures: a small one of this project, those of ``timm``, and frames that are features already."""

from kinema.networks.images.config import ImageConfig, build_image_encoder
from kinema.networks.images.convnet import ConvNet
from kinema.networks.images.encoder import Features, ImageEncoder
from kinema.networks.images.library import TimmNet

__all__ = ["ConvNet", "Features", "ImageConfig", "ImageEncoder", "TimmNet", "build_image_encoder"]

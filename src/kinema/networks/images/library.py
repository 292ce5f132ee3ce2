"""Image networks of the package ``timm``: any that it has by name, without a classifier; nothing is ever fetched."""

from __future__ import annotations

import difflib
from typing import Any

from torch import Tensor, nn

from kinema.core.errors import ConfigError, MissingExtraError, ShapeError
from kinema.networks.images.encoder import ImageEncoder

MIDDLE = ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2")
"""The first half of a ResNet and its relatives; the second is the layers below."""
REST = ("layer3", "layer4")


class TimmNet(ImageEncoder):
    """A network of ``timm``, freshly initialised, [N, 3, H, W] to [N, dim].

    A ResNet and its relatives have a map in the middle, after the second of their four layers.

    Args:
        model: its name in ``timm``, for instance 'resnet50'.

    Raises:
        MissingExtraError: ``timm`` is not installed.
        ConfigError: it has no network of that name.
    """

    def __init__(self, model: str) -> None:
        timm = _timm()
        if not timm.is_model(model):
            near = difflib.get_close_matches(model, timm.list_models(), 5, 0.5)
            raise ConfigError(
                f"encoder.model is '{model}', and timm {timm.__version__} has no network of that name.",
                f"Near it are: {', '.join(near)}." if near else "timm.list_models() lists them.",
            )
        net = timm.create_model(model, pretrained=False, num_classes=0)
        halves = all(hasattr(net, name) for name in (*MIDDLE, *REST))
        super().__init__(3, int(net.num_features), 0)
        self.name, self.halves = model, halves
        self.net = net
        if halves:
            self.middle_channels = next(info["num_chs"] for info in net.feature_info if info["module"] == "layer2")

    def middle(self, x: Tensor) -> Tensor:
        """The map after the second of four layers.

        Raises:
            ConfigError: the network is not of that form.
        """
        if not self.halves:
            raise ConfigError(f"The network '{self.name}' of timm offers no map in its middle, as ResNets do.")
        self._check(x)
        for name in MIDDLE:
            x = getattr(self.net, name)(x)
        return x

    def rest(self, x: Tensor) -> Tensor:
        """From that map to features."""
        for name in REST:
            x = getattr(self.net, name)(x)
        return self._pooled(x)

    def forward(self, x: Tensor) -> Tensor:
        """Features of pictures, float [N, 3, H, W] to [N, dim].

        Raises:
            ShapeError: the network takes no pictures of that size.
        """
        self._check(x)
        try:
            found = self.net.forward_features(x)
        except AssertionError as error:
            raise ShapeError(
                f"The network '{self.name}' of timm takes no pictures of {x.shape[2]}x{x.shape[3]} pixels: {error}.",
                "Set data.height and data.width to what it takes, or choose a network that takes any size.",
            ) from error
        return self._pooled(found)

    def _pooled(self, x: Tensor) -> Tensor:
        found: Tensor = self.net.forward_head(x, pre_logits=True)
        return found

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters by depth: the network's own parts in their order, each layer by itself."""
        parts = [list(part.parameters()) for part in self.net.children()]
        own = [p for name, p in self.net.named_parameters() if "." not in name]
        return [part for part in (own, *parts) if part]

    @property
    def classifiers(self) -> tuple[str, ...]:
        """Names of the parts of timm's own file that this network leaves out: its classifiers."""
        named: Any = self.net.pretrained_cfg.get("classifier", ())
        return (named,) if isinstance(named, str) else tuple(named or ())


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError("timm", "images") from error
    return timm

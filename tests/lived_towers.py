"""Towers that look trained: norms whose statistics and factors are not those of a fresh network."""

import torch
from torch import nn

from kinema.core.clips import VIEWS
from kinema.networks import EncoderConfig, HeadConfig, Tower

NORMS = (nn.BatchNorm1d, nn.BatchNorm3d, nn.GroupNorm)


def live(net, channels, seed=0, size=32):
    """Draws the factors of every norm, in place, then lets the statistics settle on clips of noise."""
    draw = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, NORMS) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.7, 1.3, generator=draw)
            nn.init.normal_(module.bias, 0, 0.2, generator=draw)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = (
                0.5  # half of what a channel starts with stays, so that none is divided by next to nothing
            )
    x = torch.randn(8, channels, 8, size, size, generator=draw)
    lengths = torch.linspace(0.3, 3, 8)[:, None, None, None, None]
    with torch.no_grad():
        net.train()(lengths * x + torch.randn(8, channels, 1, 1, 1, generator=draw))
    return net.eval()


def lived_tower(name="slim", view="rgb", *, norm="batch", head=None, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = EncoderConfig(name, width=4, norm=norm) if name == "slim" else EncoderConfig(name, norm=norm)
        return live(Tower(view, config, head or HeadConfig(out=16, norm=True)), VIEWS[view], seed)

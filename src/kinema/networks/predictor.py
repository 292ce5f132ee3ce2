"""From what a clip shows to what comes next: two levels of an encoder fused into tokens, and a small transformer.

Source: Huang et al. 2021, "Self-supervised Video Representation Learning by Context and Motion Decoupling" (CMD), the
motion predictor; the transformer is that of Vaswani et al. 2017, arXiv 1706.03762, with learned queries in place of a
sequence to continue (Carion et al. 2020, arXiv 2005.12872).

Departures: each layer normalises what it takes in and not what it gives out, which learns without a long warm-up;
attention has no biases; positions are sines over time, row and column, so that clips of any size will do. Dropout draws
from the generator that the caller gives.

Axes: B clips, C channels, t, h and w cells of a map, L = t·h·w tokens, Q queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ConfigError

Drop = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PredictorConfig:
    """The transformer that predicts; the defaults are the paper's, without its dropout of .1.

    Args:
        width: channels of a token; a multiple of ``heads``.
        heads: of each attention.
        encoder: layers among the tokens of the clip.
        decoder: layers from the queries to these tokens.
        dropout: share of what each part of a layer adds that is dropped.
    """

    width: int = 512
    heads: int = 8
    encoder: int = 2
    decoder: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("width", 6), ("heads", 1), ("encoder", 0), ("decoder", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"predictor.{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.width % self.heads:
            raise ConfigError(f"predictor.width is {self.width}, which predictor.heads {self.heads} does not divide.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"predictor.dropout is {self.dropout}; it must lie in [0, 1).")


def fuse(before: Tensor, last: Tensor, mode: Literal["nearest", "trilinear"] = "nearest") -> Tensor:
    """Two levels of an encoder as one map at the finer one's rows and columns.

    Even and odd frames of the level before are laid side by side in channels, and the last level is added, brought to
    that size. This needs a level before with half as many channels, as residual networks have; of other networks the
    last level is given back alone, as the paper does with C3D.

    Args:
        before: float [B, c, t', h', w']; where t' is odd, its last frame counts twice.
        last: float [B, C, t, h, w].
        mode: how the last level is brought to that size: by the nearest cell, as the authors' code does, or linearly
            between cells.

    Returns:
        Float [B, C, ⌈t'/2⌉, h', w'], or ``last``.
    """
    if 2 * before.shape[1] != last.shape[1]:
        return last
    if before.shape[2] % 2:
        before = torch.cat([before, before[:, :, -1:]], dim=2)
    pairs = torch.cat([before[:, :, 0::2], before[:, :, 1::2]], dim=1)
    align = False if mode == "trilinear" else None
    return pairs + F.interpolate(last, size=pairs.shape[2:], mode=mode, align_corners=align)


def place_codes(shape: tuple[int, int, int], width: int, device: torch.device) -> Tensor:
    """Sines and cosines of each cell's frame, row and column, float [t h w, width]; channels left over are 0."""
    waves = width // 6
    rate = 100 ** (-torch.arange(waves, device=device) / waves)
    places = torch.cartesian_prod(*(torch.arange(n, device=device) for n in shape)).view(-1, 3)
    angle = (places[:, :, None] * rate).flatten(1)
    return F.pad(torch.cat([angle.sin(), angle.cos()], dim=1), (0, width - 6 * waves))


class Attention(nn.Module):
    """Scaled dot products over several heads, from float [B, Q, width] to what [B, L, width] holds."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Float [B, Q, width]."""
        b, n, width = x.shape
        q, k, v = (
            y.view(b, -1, self.heads, width // self.heads).transpose(1, 2)
            for y in (self.query(x), *self.key_value(memory).chunk(2, dim=-1))
        )
        found = F.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.out(found.transpose(1, 2).reshape(b, n, width))
        return mixed


class Layer(nn.Module):
    """Attention among the tokens, with ``across`` also to a memory, then a feed-forward part; each is added."""

    def __init__(self, width: int, heads: int, *, across: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if across else 2))
        self.among = Attention(width, heads)
        self.across = Attention(width, heads) if across else None
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(inplace=True), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, memory: Tensor | None, drop: Drop) -> Tensor:
        """Float [B, L, width] to the same."""
        y = self.norms[0](x)
        x = x + drop(self.among(y, y))
        if self.across is not None:
            x = x + drop(self.across(self.norms[1](x), memory))
        return x + drop(self.feed(self.norms[-1](x)))


class Predictor(nn.Module):
    """Answers Q learned questions about a map.

    Args:
        dim: C, channels of the map.
        queries: Q.
        config: the transformer.
    """

    def __init__(self, dim: int, queries: int, config: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Linear(dim, config.width)
        self.encoder = nn.ModuleList(Layer(config.width, config.heads, across=False) for _ in range(config.encoder))
        self.memory_norm = nn.LayerNorm(config.width)
        self.queries = nn.Parameter(torch.randn(queries, config.width))
        self.decoder = nn.ModuleList(Layer(config.width, config.heads, across=True) for _ in range(config.decoder))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Float [B, C, t, h, w] to [B, Q, width].

        Args:
            x: the map.
            generator: on the CPU; decides what is dropped in training.
        """
        drop = _dropout(self.config.dropout if self.training else 0.0, generator, x.device)
        t, h, w = x.shape[2:]
        memory = self.tokens(x.flatten(2).transpose(1, 2)) + place_codes((t, h, w), self.config.width, x.device)
        for layer in self.encoder:
            memory = layer(memory, None, drop)
        memory, answers = self.memory_norm(memory), self.queries.expand(len(x), -1, -1)
        for layer in self.decoder:
            answers = layer(answers, memory, drop)
        found: Tensor = self.norm(answers)
        return found


def _dropout(share: float, generator: torch.Generator, device: torch.device) -> Drop:
    """Drops a share of values, drawn on their device by one seed of the generator, and scales up the rest."""
    if share == 0:
        return lambda x: x
    seeded = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))
    return lambda x: x * (torch.rand(x.shape, generator=seeded, device=device) >= share) / (1 - share)

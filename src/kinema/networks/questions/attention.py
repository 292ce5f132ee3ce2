"""Locally aligned attention: a token of a line of timed text sees the frames that the line is spoken over.

Axes: B questions, S lines, F frames, T tokens of all inputs of a question one after the other, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ConfigError, ShapeError


@torch.no_grad()
def windows(lines: Tensor, times: Tensor, slack: float) -> Tensor:
    """Which frames belong to each line.

    A frame belongs to a line if its time lies in [start - slack, end + slack]; where there is none, the frame that is
    nearest to the line does, the earlier of two.

    Args:
        lines: float [B, S, 2], when each line begins and ends, in seconds; NaN where there is none.
        times: float [B, F], seconds; NaN where there is no frame.
        slack: seconds that are added at both ends; infinite for the whole clip.

    Returns:
        Bool [B, S, F]; False throughout for a line that is none, and in a clip without frames.
    """
    start, end = lines[..., :1], lines[..., 1:]
    when = times.unsqueeze(1)
    known = ~(start.isnan() | when.isnan())
    if slack == float("inf") or not times.shape[1]:
        return known
    away = ((start - when).clamp(min=0) + (when - end).clamp(min=0)).masked_fill(~known, float("inf"))
    inside = away <= slack
    nearest = torch.zeros_like(inside).scatter_(2, away.argmin(dim=2, keepdim=True), value=True)
    return (inside | (nearest & ~inside.any(dim=2, keepdim=True))) & known


@torch.no_grad()
def seen_by(line: Tensor, window: Tensor, frames: Tensor) -> Tensor:
    """Which frames each token sees: those of its line, or all frames of the clip where it is of none.

    Args:
        line: int64 [B, T], the line of a token, -1 outside of lines.
        window: bool [B, S, F], as :func:`windows` gives it.
        frames: bool [B, F], where there is a frame.

    Returns:
        Bool [B, T, F], one byte a token and frame, for all heads alike.
    """
    table = torch.cat([window, frames.unsqueeze(1)], dim=1)  # row S, or -1: tokens outside of lines
    rows = torch.where(line < 0, table.shape[1] - 1, line)
    return table[torch.arange(len(table), device=table.device).unsqueeze(1), rows]


class LocalAttention(nn.Module):
    """Attention of tokens to frames; zeros where a token sees none.

    At first every token sees its frames nearly alike, so that what a line saw is the mean of its frames.

    Args:
        dim: d.
        heads: they divide d.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(
                f"encoder.heads is {heads}, and the width is {dim}.", "Choose a number of heads that divides it."
            )
        self.heads = heads
        self.query, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)  # a softmax over frames would not see it
        nn.init.normal_(self.query.weight, std=0.02)
        nn.init.zeros_(self.query.bias)

    def forward(self, tokens: Tensor, frames: Tensor, sees: Tensor) -> Tensor:
        """What each token saw.

        Args:
            tokens: float [B, T, d].
            frames: float [B, F, d].
            sees: bool [B, T, F], or [B, 1, F] where all tokens see the same.

        Returns:
            Float [B, T, d].

        Raises:
            ShapeError: the mask does not fit.
        """
        if sees.shape not in ((*tokens.shape[:2], frames.shape[1]), (len(tokens), 1, frames.shape[1])):
            raise ShapeError(
                f"The mask is {tuple(sees.shape)}, for tokens {tuple(tokens.shape)} and frames {tuple(frames.shape)}."
            )
        any_frame = sees.any(dim=2, keepdim=True)
        if not frames.shape[1]:
            return torch.zeros_like(tokens)
        q, k, v = self.split(self.query(tokens)), self.split(self.key(frames)), self.split(self.value(frames))
        mask = (sees | ~any_frame).unsqueeze(1)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return found.transpose(1, 2).reshape(tokens.shape) * any_frame

    def split(self, x: Tensor) -> Tensor:
        """Float [B, T, d] to [B, heads, T, d / heads]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

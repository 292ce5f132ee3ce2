"""Networks over the frames of tracklets: masked BiLSTMs, temporal residual learning, the spatial-temporal transformer.

Source: Dai, Zhang, Wang, Lu, Wang 2019, "Video Person Re-Identification by Temporal Residual Learning", IEEE TIP 28(3).

Axes: N tracklets, T frames, M frames of all tracklets without padding, D features; C channels, h and w cells of a map.

Departures: the paper leaves sizes open. The transformer pools a map into few cells and channels before its BiLSTM, for
a mean over all cells would not know where a person stands, which is what it has to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, grid_sample
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kinema.core.errors import ConfigError, ShapeError

Residual = Literal["mean", "frame", "none"]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """The mean over the frames that are there, float [N, T, D] and bool [N, T] to [N, D]."""
    weights = mask.to(x.dtype)[:, :, None]
    return torch.where(mask[:, :, None], x, 0.0).sum(dim=1) / weights.sum(dim=1).clamp_min(1.0)


def padded(x: Tensor, mask: Tensor) -> Tensor:
    """Rows of all frames put where they belong, float [M, D] and bool [N, T] to [N, T, D], 0 where there is padding."""
    return x.new_zeros(*mask.shape, x.shape[1]).masked_scatter(mask[:, :, None], x)


class MaskedBiLSTM(nn.Module):
    """A BiLSTM over the frames that are there: padding at the end changes nothing.

    Args:
        features: what it takes in.
        dim: what it gives out, half of it a direction.

    Raises:
        ConfigError: ``dim`` is not even.
    """

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise ConfigError(
                f"A BiLSTM gives out half of its features a direction, and it is to give out {dim}.",
                "Set method.dim to an even number.",
            )
        self.lstm = nn.LSTM(features, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float [N, T, features] and bool [N, T] to [N, T, dim], 0 where there is padding.

        Raises:
            ShapeError: a tracklet has no frame, or padding before a frame.
        """
        lengths = mask.sum(dim=1).cpu()
        if bool((mask[:, 1:] & ~mask[:, :-1]).any()) or int(lengths.min()) < 1:
            raise ShapeError("A tracklet has no frame, or padding before a frame; padding must be at the end.")
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        found, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        return found


class TemporalResidual(nn.Module):
    """Generic features of all frames, and specific ones of what each frame has beside them.

    h^g = BiLSTM_g(x), g = mean_t h^g_t; r_t = x_t - g; h^s = BiLSTM_s(r), s = mean_t h^s_t.

    Args:
        dim: D, even.
        generic: whether g is given out.
        specific: whether s is given out.
        residual: r_t: 'mean' for x_t - g, 'frame' for x_t - h^g_t, 'none' for x_t itself.
    """

    def __init__(self, dim: int, *, generic: bool = True, specific: bool = True, residual: Residual = "mean") -> None:
        super().__init__()
        self.gives_generic, self.residual = generic, residual
        needed = generic or (specific and residual != "none")
        self.generic = MaskedBiLSTM(dim, dim) if needed else None
        self.specific = MaskedBiLSTM(dim, dim) if specific else None

    def forward(self, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Float [N, T, D] and bool [N, T] to the parts that are given out, 'generic' and 'specific', each [N, D]."""
        found = {}
        if self.generic is not None:
            each = self.generic(x, mask)
            g = masked_mean(each, mask)
            if self.gives_generic:
                found["generic"] = g
            if self.residual != "none":
                x = x - (g[:, None] if self.residual == "mean" else each)
        if self.specific is not None:
            found["specific"] = masked_mean(self.specific(x, mask), mask)
        return found


@dataclass(frozen=True)
class Alignment:
    """How each frame's map was moved and scaled; coordinates run from -1 to 1 over the map.

    Args:
        shift: float [M, 2], t: where the window's middle lies, across and down.
        scale: float [M, 2], s: the window's size, 1 for the whole map, across and down.
    """

    shift: Tensor
    scale: Tensor


class SpatialTemporalTransformer(nn.Module):
    """Aligns the map of each frame by four numbers, told by the frame and its neighbours; it starts as the identity.

    θ_t = W [x_t; c_t] + b with x_t the pooled map and c_t the BiLSTM's; s = 1 + .5 tanh, t = .5 tanh; the map is read
    at s · (place) + t. W and b start at 0.

    Args:
        channels: C of the map.
        squeeze: channels that a pooled map keeps.
        context: dimensions of c_t.
        cells: rows and columns that a map is pooled to.
    """

    def __init__(self, channels: int, *, squeeze: int = 16, context: int = 32, cells: tuple[int, int] = (4, 2)) -> None:
        super().__init__()
        self.cells = cells
        self.squeeze = nn.Linear(channels, squeeze)
        width = squeeze * cells[0] * cells[1]
        self.context = MaskedBiLSTM(width, context)
        self.theta = nn.Linear(width + context, 4)
        nn.init.zeros_(self.theta.weight)
        nn.init.zeros_(self.theta.bias)

    def forward(self, maps: Tensor, mask: Tensor) -> tuple[Tensor, Alignment]:
        """The aligned maps, and how they were aligned.

        Args:
            maps: float [M, C, h, w], of all frames, tracklet by tracklet.
            mask: bool [N, T], M of them True.
        """
        pooled = adaptive_avg_pool2d(maps, self.cells).flatten(2).transpose(1, 2)
        x = self.squeeze(pooled).flatten(1)
        context = self.context(padded(x, mask), mask)[mask]
        theta = self.theta(torch.cat([x, context], dim=1)).float().tanh()
        alignment = Alignment(shift=0.5 * theta[:, 2:], scale=1 + 0.5 * theta[:, :2])
        return aligned(maps, alignment), alignment


def aligned(maps: Tensor, alignment: Alignment) -> Tensor:
    """Maps read through windows, float [M, C, h, w]; beyond its edge a map goes on as at the edge.

    The same as ``affine_grid`` and ``grid_sample`` with A = [[s_x, 0, t_x], [0, s_y, t_y]], without a product of
    matrices, whose rounding would depend on the size of the batch.
    """
    places = []
    for axis, cells in ((0, maps.shape[3]), (1, maps.shape[2])):
        middles = (2 * torch.arange(cells, device=maps.device, dtype=torch.float32) + 1) / cells - 1
        places.append(alignment.scale[:, axis, None] * middles + alignment.shift[:, axis, None])
    across, down = places
    shape = (len(maps), maps.shape[2], maps.shape[3])
    grid = torch.stack([across[:, None, :].expand(shape), down[:, :, None].expand(shape)], dim=3)
    read = grid_sample(maps.float(), grid, padding_mode="border", align_corners=False)
    return read.to(maps.dtype)

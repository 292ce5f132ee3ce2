"""The motion view: displacements of the stream, in the geometry and the unit of the view.

A displacement that was a fraction of the frame is divided by the crop's fraction of the frame, so that it becomes a
fraction of what the view shows; a flip negates dx (CoCLR's code forgets it). One unit of the view is then
``MOTION_UNIT`` of its side a sampled frame, and values beyond ``MOTION_LIMIT`` units are clamped: encoders see numbers
of unit order whatever the size of the video.

Cells where the stream told no motion (intra-coded blocks, keyframes) count for nothing: a pixel takes the mean of the
valid cells under it, weighted as in the resampling, and is 0 where less than half of that weight is valid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.transforms.geometry import Geometry, resample

MOTION_UNIT = 0.05
"""The displacement a sampled frame that is 1.0 in the motion view, as a fraction of the view's side."""

MOTION_LIMIT = 3.0
"""The largest component of the motion view, either way; 15 % of the view's side a sampled frame."""


def motion_view(motion: Tensor, valid: Tensor, extent: Tensor, geometry: Geometry, size: int) -> Tensor:
    """Motion in the geometry of a view.

    Args:
        motion: float [N, T, h, w, 2], (dx, dy) as fractions of the frame's (width, height).
        valid: bool [N, T, h, w], where the stream told a motion.
        extent: int64 [N, 2], rows and columns of the grid that are picture; they cover exactly the frame.
        geometry: crop and flip of the N clips, on the device of ``motion``.
        size: pixels of the view.

    Returns:
        Float [N, 2, T, size, size] in ``channels_last_3d`` order, in units of ``MOTION_UNIT``, within
        ± ``MOTION_LIMIT``.
    """
    known = valid[..., None]
    cells = torch.cat([torch.where(known, motion.float(), 0.0), known.float()], dim=-1)
    sign = torch.where(geometry.flip, -1.0, 1.0)
    scale = torch.stack([sign / geometry.width, 1 / geometry.height], dim=-1) / MOTION_UNIT
    to_view = torch.diag_embed(torch.cat([scale, torch.ones_like(scale[:, :1])], dim=-1))
    out = resample(cells, *geometry.matrices(extent, motion.shape[2], motion.shape[3], size), to_view)
    weight = out[..., 2:]
    mean = out[..., :2] * torch.where(weight >= 0.5, 1 / weight, 0.0)
    return mean.clamp_(-MOTION_LIMIT, MOTION_LIMIT).permute(0, 4, 1, 2, 3)


def motion_clips_view(
    clips: Tensor, valid: Tensor, extent: Tensor, geometry: Geometry, size: int
) -> tuple[Tensor, Tensor]:
    """Motion clips in the geometry of the view that they come along with.

    A cell of which the stream tells nothing at some frames (a keyframe, an intra-coded block) takes there the mean of
    what it tells at the clip's others. Left at 0, a keyframe's place would tell motion clips of one video apart, and
    stillness would be claimed that nobody saw.

    Args:
        clips: float [B, 1 + N, M, h, w, 2], (dx, dy) as fractions of the frame's (width, height).
        valid: bool [B, 1 + N, M, h, w], where the stream told a motion.
        extent: int64 [B, 2], rows and columns of the grid that are picture.
        geometry: crop and flip of the B clips, on the device of ``clips``.
        size: S, pixels of the view.

    Returns:
        Float [B, 1 + N, 2, M, S, S], in the unit and the limits of :func:`motion_view`, and bool [B, 1 + N]: the motion
        clips that tell anything.
    """
    count = valid.sum(dim=2, keepdim=True)
    mean = (clips * valid[..., None]).sum(dim=2, keepdim=True) / count.clamp_min(1)[..., None]
    filled = torch.where(valid[..., None], clips, mean).flatten(1, 2)
    known = (count > 0).expand_as(valid).flatten(1, 2)
    out = motion_view(filled, known, extent, geometry, size)
    b, n, m = clips.shape[:3]
    return out.view(b, 2, n, m, size, size).transpose(1, 2), valid.flatten(2).any(dim=2)

"""The motion view: displacements of the stream, in the geometry and the unit of the view.

A displacement that was a fraction of the frame is divided by the crop's fraction of the frame, so that it becomes a
fraction of what the view shows; a flip negates dx (CoCLR's code forgets it). One unit of the view is then
``MOTION_UNIT`` of its side a sampled frame, and values beyond ``MOTION_LIMIT`` units are clamped: encoders see numbers
of unit order whatever the size of the video.

Cells where the stream has no vector (intra-coded blocks, keyframes) count for nothing: a pixel takes the mean of the
valid cells under it, weighted as in the resampling, and is 0 where less than half of that weight is valid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.clips import MotionClips, MotionField
from kinema.data.clips.transforms.geometry import Geometry, resample

MOTION_UNIT = 0.05
"""The displacement a sampled frame that is 1.0 in the motion view, as a fraction of the view's side."""

MOTION_LIMIT = 3.0
"""The largest component of the motion view, either way; 15 % of the view's side a sampled frame."""


def motion_view(motion: MotionField, geometry: Geometry, size: int) -> Tensor:
    """Motion in the geometry of a view.

    Args:
        motion: [N, T, h, w, 2]; the cells of its extent cover exactly the frame.
        geometry: crop and flip of the N clips, on the device of ``motion``.
        size: pixels of the view.

    Returns:
        Float [N, 2, T, size, size] in ``channels_last_3d`` order, in units of ``MOTION_UNIT``, within
        ± ``MOTION_LIMIT``.
    """
    known, (h, w) = motion.valid[..., None], motion.valid.shape[2:]
    cells = torch.cat([torch.where(known, motion.values.float(), 0.0), known.float()], dim=-1)
    sign = torch.where(geometry.flip, -1.0, 1.0)
    scale = torch.stack([sign / geometry.width, 1 / geometry.height], dim=-1) / MOTION_UNIT
    to_view = torch.diag_embed(torch.cat([scale, torch.ones_like(scale[:, :1])], dim=-1))
    out = resample(cells, *geometry.matrices(motion.extent, h, w, size), to_view)
    weight = out[..., 2:]
    mean = out[..., :2] * torch.where(weight >= 0.5, 1 / weight, 0.0)
    return mean.clamp_(-MOTION_LIMIT, MOTION_LIMIT).permute(0, 4, 1, 2, 3)


def motion_clips_view(motion: MotionField, geometry: Geometry, size: int) -> MotionClips:
    """Motion clips in the geometry of the view that they belong to.

    A pixel with too few vectors at one frame (a keyframe, an intra-coded block) takes the mean of its vectors at the
    clip's frames. Left at 0, a keyframe's place would distinguish motion clips of one video, and would look like a
    still picture.

    Args:
        motion: [B, 1 + N, M, h, w, 2].
        geometry: crop and flip of the B clips, or of their B (1 + N) motion clips, on the device of ``motion``.
        size: s, pixels of the result.

    Returns:
        In the unit and the limits of :func:`motion_view`; valid are the motion clips that have any vector.
    """
    values, valid = motion.values, motion.valid
    b, n, m, h, w = valid.shape
    if n > 1 and len(geometry.flip) == b * n:
        extent = motion.extent.repeat_interleave(n, dim=0)
        apart = MotionField(values.flatten(0, 1)[:, None], valid.flatten(0, 1)[:, None], extent)
        each = motion_clips_view(apart, geometry, size)
        return MotionClips(each.values.view(b, n, *each.values.shape[2:]), each.valid.view(b, n))
    # Components apart, unlike in motion_view: there is no change of channels to do with the columns, and so many small
    # maps are done in half the time where the innermost axis is long.
    cells = torch.stack([*(torch.where(valid, values[..., c].float(), 0.0) for c in (0, 1)), valid.float()], dim=3)
    rows, columns = geometry.matrices(motion.extent, h, w, size)
    across = torch.bmm(cells.view(b, -1, w), columns.transpose(1, 2)).view(b, -1, h, size)
    out = torch.matmul(rows[:, None], across).view(b, n, m, 3, size, size)
    sums, weight = out[:, :, :, :2], out[:, :, :, 2:]
    total = weight.sum(dim=2, keepdim=True)
    mean = sums.sum(dim=2, keepdim=True) * torch.where(total >= 0.5, 1 / total, 0.0)
    sign = torch.where(geometry.flip, -1.0, 1.0)
    scale = torch.stack([sign / geometry.width, 1 / geometry.height], dim=-1) / MOTION_UNIT
    view = torch.where(weight >= 0.5, sums / weight, mean) * scale[:, None, None, :, None, None]
    shown = view.clamp_(-MOTION_LIMIT, MOTION_LIMIT).transpose(2, 3)
    return MotionClips(shown, valid.flatten(2).any(dim=2))

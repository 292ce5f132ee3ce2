"""Crop, flip, resize and antialiasing as one mechanism: a matrix for the rows and a matrix for the columns.

A resampled frame is R X Cᵀ. Row i of R holds the weights with which the rows of X make row i of the view: a triangle
around the point of the frame that i looks at, as wide as a pixel of the view (never narrower than one of the frame),
zero outside the picture, summing to one. The crop moves and scales those points, a flip reverses them, padding gets
no weight, and a blur is one more matrix in front. The crop is stated in fractions of the frame, so the same
:class:`Geometry` resamples the pixels and the coarser motion grid that covers the same frame.

A change of colour is linear too (a matrix over the channels), and interleaved channels are cheapest to resample
together with the columns: :func:`resample` does both in one product. Its result is in the memory order of
``torch.channels_last_3d``, which is what 3-D convolutions are fastest with on CPUs.

Departure from the usual crop of whole pixels followed by a resize: crops lie at any real position, and the triangle
may reach a fraction of a pixel into the picture around the crop.

Axes: N clips, T frames, H and W pixels in, O and P pixels out, C channels in, D channels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.moving import at_host, sent
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.config import TransformConfig

COLUMN_BAND, ROW_BAND = 16, 32
"""Columns and rows of a view that are resampled together on the CPU."""

WORTH_BANDS = 2**23
"""Products a clip from which on bands are faster than one product for the whole batch."""

ATTEMPTS = 10
"""Crops drawn for each clip, of which the first that fits into the frame is taken."""


@dataclass(frozen=True)
class Geometry:
    """What part of the frame each clip shows, and whether it is mirrored.

    Args:
        top: float [N], the crop's upper edge as a fraction of the frame's height.
        left: float [N], the crop's left edge as a fraction of the frame's width.
        height: float [N], the crop's height as a fraction of the frame's.
        width: float [N], the crop's width as a fraction of the frame's.
        flip: bool [N], left and right exchanged.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor

    def to(self, device: torch.device | str) -> Geometry:
        """The same geometry on another device."""
        return Geometry(*(sent(getattr(self, name), device) for name in ("top", "left", "height", "width", "flip")))

    @staticmethod
    def interleaved(several: Sequence[Geometry]) -> Geometry:
        """K geometries of N clips each as one of N K clips: the K of the first clip, then those of the second."""
        names = ("top", "left", "height", "width", "flip")
        return Geometry(*(torch.stack([getattr(each, name) for each in several], dim=1).flatten() for name in names))

    def matrices(self, extent: Tensor, height: int, width: int, size: int) -> tuple[Tensor, Tensor]:
        """The row and column matrices of this geometry for frames of one padded shape.

        Args:
            extent: int64 [N, 2], rows and columns of each frame that are picture; the rest is padding.
            height: H, padded rows of the frames.
            width: W, padded columns of the frames.
            size: O = P, pixels of the view.

        Returns:
            Float [N, O, H] and [N, P, W].
        """
        rows = axis_matrix(self.top, self.height, extent[:, 0], height, size)
        columns = axis_matrix(self.left, self.width, extent[:, 1], width, size)
        return rows, torch.where(self.flip[:, None, None], columns.flip(1), columns)


def axis_matrix(start: Tensor, length: Tensor, extent: Tensor, size_in: int, size_out: int) -> Tensor:
    """Antialiased linear interpolation along one axis, as a matrix for each clip.

    Args:
        start: float [N], where the crop begins, as a fraction of the picture.
        length: float [N], how long the crop is, as a fraction of the picture.
        extent: int64 [N], pixels of the axis that are picture; those after it are padding and get no weight.
        size_in: pixels of the axis, padding included.
        size_out: pixels of the result.

    Returns:
        Float [N, size_out, size_in]; rows sum to 1.
    """
    extent = extent.to(start.dtype)[:, None, None]
    scale = length[:, None, None] * extent / size_out
    pixel = torch.arange(size_in, device=start.device, dtype=start.dtype) + 0.5
    target = torch.arange(size_out, device=start.device, dtype=start.dtype)[:, None] + 0.5
    centre = start[:, None, None] * extent + target * scale
    weight = (1 - (pixel - centre).abs() / scale.clamp_min(1)).clamp_min(0) * (pixel < extent)
    return weight / weight.sum(-1, keepdim=True)


def resample(x: Tensor, rows: Tensor, columns: Tensor, channels: Tensor | None = None) -> Tensor:
    """Resamples every frame of every clip and mixes its channels: two batched matrix products.

    On the CPU each clip is cut into bands, which leave out what has no weight: most of a matrix is zeros.

    Args:
        x: float or uint8 [N, T, H, W, C], contiguous.
        rows: float [N, O, H].
        columns: float [N, P, W].
        channels: float [N, D, C], or None for channels as they are.

    Returns:
        Float [N, T, O, P, D], contiguous.
    """
    n, t, h, w, c = x.shape
    if channels is None:
        channels = torch.eye(c, device=x.device, dtype=columns.dtype).expand(n, c, c)
    d, p = channels.shape[1], columns.shape[1]
    both = torch.einsum("npw,ndc->nwcpd", columns, channels).reshape(n, w * c, p * d)
    if x.device.type == "cpu" and t * h * w * c * p * d >= WORTH_BANDS:
        return _in_bands(x, rows, columns, both)
    across = torch.bmm(x.to(both.dtype).reshape(n, t * h, w * c), both).view(n, t, h, p * d)
    return torch.matmul(rows[:, None], across).view(n, t, rows.shape[1], p, d)


def _in_bands(x: Tensor, rows: Tensor, columns: Tensor, both: Tensor) -> Tensor:
    """The same, clip by clip: of each band of the view only the pixels that it looks at are multiplied.

    Args:
        x: float or uint8 [N, T, H, W, C], contiguous.
        rows: float [N, O, H].
        columns: float [N, P, W].
        both: float [N, W C, P D], the columns and the channels.
    """
    n, t, _, w, c = x.shape
    o, p = rows.shape[1], columns.shape[1]
    d = both.shape[2] // p
    made = both.new_empty(n, t, o, p * d)
    bands = zip(_bands(rows, ROW_BAND), _bands(columns, COLUMN_BAND), strict=True)
    for clip, out, down, across, (row_bands, column_bands) in zip(x, made, rows, both, bands, strict=True):
        top, bottom = min(first for _, first, _ in row_bands), max(end for _, _, end in row_bands)
        seen = both.new_empty(t * (bottom - top), w * c)
        seen.view(t, bottom - top, w, c).copy_(clip[:, top:bottom])
        wide = both.new_empty(len(seen), p * d)
        for part, first, end in column_bands:
            torch.mm(
                seen[:, first * c : end * c],
                across[first * c : end * c, part.start * d : part.stop * d],
                out=wide[:, part.start * d : part.stop * d],
            )
        tall = wide.view(t, bottom - top, p * d)
        for part, first, end in row_bands:
            out[:, part] = torch.matmul(down[part, first:end], tall[:, first - top : end - top])
    return made.view(n, t, o, p, d)


def _bands(matrices: Tensor, size: int) -> list[list[tuple[slice, int, int]]]:
    """For each matrix [O, I] of a stack: so many rows at a time, and the first and last (exclusive) column they use."""
    weighs = matrices != 0
    found: list[list[tuple[slice, int, int]]] = [[] for _ in matrices]
    for start in range(0, matrices.shape[1], size):
        part = slice(start, min(start + size, matrices.shape[1]))
        used = weighs[:, part].any(1).to(torch.uint8)
        first, last = used.argmax(1).tolist(), used.flip(1).argmax(1).tolist()
        for bands, begin, after in zip(found, first, last, strict=True):
            bands.append((part, begin, matrices.shape[2] - after))
    return found


def draw_geometry(config: TransformConfig, extent: Tensor, generator: torch.Generator) -> Geometry:
    """Random resized crops and flips (Szegedy et al. 2015; drawn as is usual in SimCLR).

    The area is uniform, the aspect ratio log-uniform, the place uniform. Of ten draws the first that fits into the
    frame is taken; where none fits, the largest crop whose aspect ratio is allowed. With ``config.crop`` all are
    squares of one size, and the place alone is drawn.

    Args:
        config: ranges and probabilities.
        extent: int64 [N, 2], rows and columns of each picture.
        generator: a CPU generator; the draws do not depend on the device of the clips.

    Returns:
        The geometry of N clips, on the CPU.
    """
    n = extent.shape[0]
    height, width = at_host(extent).double().unbind(1)
    draws = rand_rows(n, 2 * ATTEMPTS + 3, generator=generator, dtype=torch.float64)
    narrow, wide = config.aspect
    area = torch.lerp(
        torch.tensor(config.area_min).double(), torch.tensor(config.area_max).double(), draws[:, :ATTEMPTS]
    )
    ratio = narrow * (wide / narrow) ** draws[:, ATTEMPTS : 2 * ATTEMPTS]
    ratio = ratio * (height / width)[:, None]  # of fractions of the frame rather than of pixels
    crop_height, crop_width = (area / ratio).sqrt(), (area * ratio).sqrt()
    fits = (crop_height <= 1) & (crop_width <= 1)
    first = fits.int().argmax(1, keepdim=True)
    found = fits.any(1)
    tall = torch.where(found, crop_height.gather(1, first)[:, 0], (width / narrow / height).clamp_max(1))
    broad = torch.where(found, crop_width.gather(1, first)[:, 0], (height * wide / width).clamp_max(1))
    if config.crop:
        side = config.crop * torch.minimum(height, width)
        tall, broad = side / height, side / width
    y, x, mirror = draws[:, 2 * ATTEMPTS :].unbind(1)
    return Geometry(
        (y * (1 - tall)).float(), (x * (1 - broad)).float(), tall.float(), broad.float(), mirror < config.flip
    )


def ten_crops(extent: Tensor, share: float) -> tuple[Geometry, ...]:
    """Ten-crop testing: a square in each corner and in the middle of each picture, as it is and mirrored.

    Args:
        extent: int64 [N, 2], rows and columns of each picture.
        share: the square's side as a fraction of the shorter side of the picture.

    Returns:
        Ten geometries of N clips each: upper left, upper right, lower left, lower right, middle; then these mirrored.
    """
    pixels = extent.float()
    length = share * pixels.min(1, keepdim=True).values / pixels
    room = 1 - length
    found = []
    for mirrored in (False, True):
        flip = torch.full((extent.shape[0],), mirrored, device=extent.device)
        for down, right in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5)):
            found.append(Geometry(down * room[:, 0], right * room[:, 1], length[:, 0], length[:, 1], flip))
    return tuple(found)


def centre_square(extent: Tensor) -> Geometry:
    """The geometry of evaluation: the largest square in the middle of each picture, not mirrored.

    Resampled to a view of some size, this is the shorter side scaled to that size and the centre cut out.

    Args:
        extent: int64 [N, 2], rows and columns of each picture.
    """
    pixels = extent.float()
    length = pixels.min(1, keepdim=True).values / pixels
    start = (1 - length) / 2
    still = torch.zeros(extent.shape[0], dtype=torch.bool, device=extent.device)
    return Geometry(start[:, 0], start[:, 1], length[:, 0], length[:, 1], still)

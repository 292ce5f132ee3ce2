"""Motion drawn over the frames it belongs to: colour for where and how fast, arrows for the mean of each neighbourhood.

A frame loses its own colours and some of its light. Hue is the direction, as the wheel in the corner shows it; the
faster a cell moves, the denser its colour; what stands still, or what the stream tells nothing of, stays grey. All hues
are equally light (OKLCh; Ottosson, "A perceptual color space for image processing", 2020), so that none stands out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kinema.data.video.motion import CELL, SUBPIXEL, pool

_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_HUES = 360
_FASTEST = 256 * SUBPIXEL
_STILL = 0.1
"""Share of full speed below which no arrow is drawn."""


def add_speeds(histogram: NDArray[np.int64], motion: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Counts the speeds of a piece of a video, in sixteenths of a pixel; still cells are left out.

    Args:
        histogram: the counts so far.
        motion: int16 [..., 2].
        valid: bool [...].
    """
    known = motion[valid].astype(np.float32)
    speeds = np.minimum(np.hypot(known[:, 0], known[:, 1]), _FASTEST).astype(np.int64)
    counts = np.bincount(speeds[speeds >= SUBPIXEL // 4], minlength=_FASTEST + 1)
    return counts if len(histogram) == 0 else histogram + counts


def full_speed(histogram: NDArray[np.int64]) -> int:
    """Pixels a frame that 19 of 20 moving cells stay below, rounded up to a number that is easily read."""
    below = np.cumsum(histogram)
    if not len(below) or below[-1] == 0:
        return _STEPS[0]
    usual = float(np.searchsorted(below, 0.95 * below[-1])) / SUBPIXEL
    return next((step for step in _STEPS if step >= usual), _STEPS[-1])


def _wheel(lightness: float, chroma: float) -> NDArray[np.uint8]:
    """uint8 [360, 3]: the hues from east over south, west and north, as the picture's y points down."""
    angle = np.deg2rad(np.arange(_HUES) + 20)
    a, b = chroma * np.cos(angle), chroma * np.sin(angle)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(to_rgb @ lms**3, 0, 1)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours: NDArray[np.uint8] = np.rint(gamma.T * 255).astype(np.uint8)
    return colours


class Drawer:
    """Draws the motion of one video.

    Args:
        size: (height, width) of its frames.
        full: pixels a frame at which a colour is at its densest and an arrow at its longest.
    """

    def __init__(self, size: tuple[int, int], full: float) -> None:
        self.size, self.full = size, full
        self._pitch = 2 * CELL * max(2, round(min(size) / 144))
        self._fine = 4 if min(size) <= 360 else 2
        self._colours = _wheel(0.72, 0.19)
        self._legend, self._legend_alpha = self._make_legend()

    def draw(self, frame: NDArray[np.uint8], field: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """One frame.

        Args:
            frame: uint8 [H, W, 3], RGB.
            field: int16 [h, w, 2], cells of 4 pixels, sixteenths of a pixel.
            valid: bool [h, w].

        Returns:
            uint8 [H, W, 3].
        """
        height, width = self.size
        picture = Image.fromarray(frame)
        grey = picture.convert("L").convert("RGB")
        quiet = Image.blend(grey, picture, 0.15).point(lambda light: round(light * 0.7 + 8))
        hue, alpha = self._hue_and_alpha(field / SUBPIXEL * valid[..., None])
        cells = (valid.shape[1] * CELL, valid.shape[0] * CELL)
        colour = Image.fromarray(self._colours[hue]).resize(cells, Image.Resampling.NEAREST)
        cover = Image.fromarray(alpha).resize(cells, Image.Resampling.BILINEAR)
        quiet.paste(colour.crop((0, 0, width, height)), mask=cover.crop((0, 0, width, height)))
        outline, arrows = self._arrows(field, valid)
        quiet.paste((16, 18, 24), mask=outline)
        quiet.paste((255, 255, 255), mask=arrows)
        quiet.paste(self._legend, self._legend_at(), self._legend_alpha)
        return np.asarray(quiet)

    def _hue_and_alpha(self, motion: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        dx, dy = motion[..., 0], motion[..., 1]
        hue = np.rint(np.rad2deg(np.arctan2(dy, dx))).astype(np.int64) % _HUES
        share = np.clip(np.hypot(dx, dy) / self.full, 0, 1)
        return hue, np.rint(205 * share**0.7).astype(np.uint8)

    def _arrows(self, field: NDArray[np.int16], valid: NDArray[np.bool_]) -> tuple[Image.Image, Image.Image]:
        """Masks of the arrows' rims and of the arrows, drawn large and made small, for smooth edges."""
        pooled, known = pool(field[None], valid[None], self._pitch // CELL)
        motion = pooled[0] / SUBPIXEL / self.full
        speed = np.hypot(motion[..., 0], motion[..., 1])
        rows, columns = np.nonzero(known[0] & (speed >= _STILL))
        centres = np.stack([columns + 0.5, rows + 0.5], axis=1) * self._pitch
        height, width = self.size
        rims, fills = (Image.new("L", (width * self._fine, height * self._fine)) for _ in range(2))
        on_rims, on_fills = ImageDraw.Draw(rims), ImageDraw.Draw(fills)
        for arrow in arrow_shapes(centres * self._fine, motion[rows, columns], self._pitch * self._fine).tolist():
            points = [tuple(point) for point in arrow]
            on_rims.line([*points, *points[:2]], fill=255, width=2 * self._fine, joint="curve")
            on_fills.polygon(points, fill=255)
        return rims.reduce(self._fine), fills.reduce(self._fine)

    def _make_legend(self) -> tuple[Image.Image, Image.Image]:
        """The wheel with the speed at its rim, on a dark plate: its colours and how much of them covers the frame."""
        short = min(self.size)
        across, gap = max(28, round(short * 0.13)), max(4, round(short * 0.018))
        font = ImageFont.load_default(max(10, round(short * 0.032)))
        words = f"{self.full:g} px\nper frame"
        box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), words, font=font, spacing=gap // 2)
        wide = 3 * gap + across + round(box[2])
        plate = Image.new("RGB", (wide, across + 2 * gap), (16, 18, 24))
        cover = Image.new("L", plate.size)
        ImageDraw.Draw(cover).rounded_rectangle((0, 0, wide - 1, plate.height - 1), radius=2 * gap, fill=200)
        fine = across * 4
        y, x = (np.mgrid[:fine, :fine] + 0.5 - fine / 2) / (fine / 2)
        hue, alpha = self._hue_and_alpha(np.stack([x, y], axis=-1) * self.full)
        disc = Image.new("RGB", (fine, fine), (104, 104, 104))
        disc.paste(Image.fromarray(self._colours[hue]), mask=Image.fromarray(alpha))
        edge = Image.fromarray(np.where(np.hypot(x, y) < 1, 255, 0).astype(np.uint8)).reduce(4)
        plate.paste(disc.reduce(4), (gap, gap), edge)
        cover.paste(255, (gap, gap), edge)
        text = ImageDraw.Draw(plate)
        at = (2 * gap + across, plate.height / 2)
        text.multiline_text(at, words, fill=(240, 240, 240), font=font, anchor="lm", spacing=gap // 2)
        glyphs = plate.convert("L").point(lambda light: 255 if light > 60 else 0)
        cover.paste(255, mask=glyphs)
        return plate, cover

    def _legend_at(self) -> tuple[int, int]:
        margin = max(4, round(min(self.size) * 0.02))
        return margin, self.size[0] - self._legend.height - margin


def arrow_shapes(centres: NDArray[np.float64], motion: NDArray[np.float64], pitch: float) -> NDArray[np.float64]:
    """The outlines of arrows.

    Args:
        centres: float64 [A, 2], the middle of each, (x, y).
        motion: float64 [A, 2], where each points, not 0; of length 1 or more where it is to be at its longest.
        pitch: the longest that an arrow may be.

    Returns:
        float64 [A, 7, 2].
    """
    speed = np.hypot(motion[:, :1], motion[:, 1:])
    along = motion / speed
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    length = 0.95 * pitch * np.minimum(speed, 1) ** 0.7  # slow ones would be too small to have a direction
    tail, tip = centres - along * length / 2, centres + along * length / 2
    head = np.minimum(0.36 * pitch, 0.5 * length)
    neck, wing = tip - along * head, across * head / 2
    shaft = across * np.minimum(0.045 * pitch, 0.09 * length)
    outline = (tail + shaft, neck + shaft, neck + wing, tip, neck - wing, neck - shaft, tail - shaft)
    return np.stack(outline, axis=1)

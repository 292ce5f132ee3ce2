"""Pictures: files to RGB arrays of one size, and what networks of images expect."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from kinema.core.errors import DataError
from kinema.data.video.limits import too_large

MEAN = (0.485, 0.456, 0.406)
"""The mean of ImageNet's pixels, red, green and blue from 0 to 1, which is taken out of pictures."""

STD = (0.229, 0.224, 0.225)
"""Their deviation, by which pictures are divided."""

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
"""How the names of pictures end, in capitals too."""

BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, MemoryError, OverflowError, struct.error),
    *(zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What Pillow raises of files that are damaged, cut short, or something else than their name says."""

_SIXTEEN_BITS = 257
"""From 16 bits a colour to 8: 65,535 becomes 255."""


def claims_picture(name: str) -> bool:
    """Whether a file's name ends like a picture's."""
    return name.lower().endswith(PICTURES)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as it is to be shown: turned as its camera says, grey as RGB, transparent parts black.

    Args:
        path: the file.

    Returns:
        uint8 [H, W, 3].

    Raises:
        DataError: it cannot be read, or is larger than what is decoded.
    """
    try:
        with Image.open(path) as picture:
            _check_size(picture)
            return _rgb(picture)
    except BROKEN as error:
        raise DataError(f"'{path}' cannot be read: {picture_reason(path, error)}.") from error


def size_of_picture(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as shown, if all of it can be read.

    Pixels of a JPEG are made at an eighth of its size: that finds where a file ends early in half of the time.

    Args:
        path: the file.

    Raises:
        DataError: as :func:`read_picture`.
    """
    try:
        with Image.open(path) as picture:
            _check_size(picture)
            width, height = picture.size
            turned = _turn(picture) in (5, 6, 7, 8)
            picture.draft(picture.mode, (max(1, width // 8), max(1, height // 8)))
            picture.load()
            return (width, height) if turned else (height, width)
    except BROKEN as error:
        raise DataError(f"'{path}' cannot be read: {picture_reason(path, error)}.") from error


def frames_of(path: Path) -> int:
    """How many frames or pages a picture has; more than 1 of animated GIF, WebP and PNG, and of TIFF with pages.

    :func:`read_picture` gives the first. What a camera keeps beside its picture in one JPEG (MPO) is not counted.

    Args:
        path: the file; 1 where it cannot be read.
    """
    with contextlib.suppress(*BROKEN), Image.open(path) as picture:
        return 1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1))
    return 1


def picture_reason(path: Path, error: BaseException) -> str:
    """What is wrong with a picture, without its name."""
    if path.is_file() and not path.stat().st_size:
        return "the file is empty"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "it claims more pixels than are decoded"
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def resized(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture at another size, bilinear, where it becomes smaller each pixel a mean of all that it covers.

    Args:
        picture: uint8 [h, w, 3].
        height: H.
        width: W.

    Returns:
        uint8 [3, H, W].
    """
    if picture.shape[:2] != (height, width):
        picture = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def _check_size(picture: Image.Image) -> None:
    reason = too_large(picture.height, picture.width)
    if reason:
        raise ValueError(reason.replace("its pictures have", "it has"))


def _turn(picture: Image.Image) -> int:
    """How the camera was held, as EXIF says it; 1 where it does not say."""
    with contextlib.suppress(*BROKEN):
        return int(picture.getexif().get(0x0112, 1))
    return 1


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    turned = picture
    if _turn(picture) != 1:
        with contextlib.suppress(*BROKEN):
            turned = ImageOps.exif_transpose(picture)
    if turned.mode == "F" or turned.mode.startswith("I"):
        return _grey(np.asarray(turned))
    if "A" in turned.mode or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
    return np.asarray(turned.convert("RGB"))


def _grey(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of 16 or 32 bits as RGB of 8."""
    found = np.nan_to_num(np.asarray(values, np.float64))
    if found.size and found.max() > 255:
        found = found / _SIXTEEN_BITS
    return np.repeat(np.clip(np.round(found), 0, 255).astype(np.uint8)[..., None], 3, axis=2)

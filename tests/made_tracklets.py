"""Crops of made-up people in folders, as cameras and data sets leave them."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 32, 16


def crop(person=0, frame=0, height=HEIGHT, width=WIDTH):
    """A person by the colours of the upper and the lower half, and a frame by a bright row, uint8 [H, W, 3]."""
    upper, lower = np.random.default_rng(person).integers(40, 200, (2, 3))
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2], picture[height // 2 :] = upper, lower
    picture[frame % height] = 255
    return picture


def save(path, picture, **how):
    """A picture as a file, its folder made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **how)
    return Path(path)


def write_people(root, people=("anna", "ben", "cy", "dora"), cameras=("door", "hall"), frames=3):
    """IDENTITY/CAMERA/NNNN.png."""
    for number, person in enumerate(people):
        for camera in cameras:
            for frame in range(frames):
                save(Path(root) / person / camera / f"{frame:04}.png", crop(number, frame))
    return Path(root)


def write_listing(root, rows, head="path,identity,camera,tracklet,frame", name="tracklets.csv", encoding="utf-8"):
    """A tracklets.csv of lines as they are."""
    Path(root).mkdir(parents=True, exist_ok=True)
    (Path(root) / name).write_text("\n".join([head, *rows]) + "\n", encoding)
    return Path(root) / name


def write_video(path, frames=6, size=(48, 64)):
    """A video in which a white square is as far from the left as four times the number of the frame; lossless."""
    import av

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=10, options={"qp": "0", "g": "4"})
        stream.height, stream.width = size
        stream.pix_fmt = "rgb24"
        for number in range(frames):
            picture = np.zeros((*size, 3), np.uint8)
            picture[8:24, 4 * number : 4 * number + 8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return Path(path)

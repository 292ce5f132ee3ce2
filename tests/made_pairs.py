"""Made-up pairs on disk: pictures of one colour with texts that name it."""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}
SHAPES = ("square", "stripe")


def picture(colour="red", shape="square", size=12):
    """A square or a stripe of a colour on grey, uint8 [H, W, 3]."""
    found = np.full((size, size, 3), 90, np.uint8)
    found[size // 4 : -size // 4, size // 4 : -size // 4 if shape == "square" else None] = COLOURS[colour]
    return found


def save(path, pixels):
    """A picture as a file, its folder made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return Path(path)


def write_table(root, rows, head="image,text,labels", name="pairs.csv", encoding="utf-8"):
    """A pairs.csv of lines as they are."""
    Path(root).mkdir(parents=True, exist_ok=True)
    (Path(root) / name).write_text("\n".join([head, *rows]) + "\n", encoding)
    return Path(root) / name


def write_pairs(root, each=2, splits=()):
    """A pairs.csv of every colour in every shape, ``each`` times; splits are given in turn."""
    rows = []
    for number in range(each):
        for colour in COLOURS:
            for shape in SHAPES:
                file = f"images/{colour}-{shape}-{number}.png"
                save(Path(root) / file, picture(colour, shape))
                split = f",{splits[len(rows) % len(splits)]}" if splits else ""
                rows.append(f"{file},A {colour} {shape} on grey,{colour};{shape}{split}")
    return write_table(root, rows, "image,text,labels,split" if splits else "image,text,labels")


def write_vectors(root, name="clip.npy", rows=6, width=4, change=None):
    """Random vectors in a .npy, changed in place by ``change``."""
    Path(root).mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
    if change is not None:
        change(array)
    np.save(Path(root) / name, array)
    return array

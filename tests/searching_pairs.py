"""Pictures of one colour with texts that name it, and networks that put a colour and its word in one place."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.reader import PairReader
from kinema.data.pairs.texts import Vocabulary, words_of
from kinema.data.pictures import MEAN, STD

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (30, 40, 220),
    "yellow": (220, 210, 30),
    "purple": (200, 30, 210),
    "cyan": (30, 210, 210),
}
HEAD = "image,text,labels,source,place"


class ColourTower(torch.nn.Module):
    """The mean colour of a picture, or the sum of the colours that a text names, by a drawn matrix to [-1, 1]."""

    def __init__(self, view, words=(), bits=64, seed=0):
        super().__init__()
        self.view, self.dim = view, bits
        draw = np.random.default_rng(seed)
        self.register_buffer("axes", torch.from_numpy(draw.normal(size=(3, bits))).float())
        known = [COLOURS.get(word, (128, 128, 128)) for word in words] or [(0, 0, 0)]
        self.register_buffer("colours", torch.tensor(known, dtype=torch.float32) / 127.5 - 1)
        self.takes = ("pictures", 3) if view == "image" else ("vectors", len(words))

    def embed(self, x):
        if self.view == "image":
            mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
            colour = (x * std + mean).mean((2, 3)) * 2 - 1
        else:
            colour = x @ self.colours + 0.01  # so that a text of no known word has a vector too
        return torch.tanh(colour @ self.axes)


def write_colours(root, names=tuple(COLOURS), shades=2, head=HEAD):
    """pairs.csv with a picture of each colour and shade: 'a red square' and 'this is a dark red one'."""
    Path(root, "pictures").mkdir(parents=True, exist_ok=True)
    lines = [head]
    for name in names:
        for shade in range(shades):
            picture = np.full((24, 32, 3), COLOURS[name], np.uint8) - np.uint8(12 * shade)
            picture[:4, :4] = 255 - 40 * shade
            Image.fromarray(picture).save(Path(root, "pictures", f"{name}{shade}.png"))
            text = f"a {name} square" if not shade else f"this is a dark {name} one"
            lines.append(f"pictures/{name}{shade}.png,{text},{name};square,{name},shelf {shade}")
    Path(root, "pairs.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return Path(root)


def reader_of(run, bits=64, seed=0, views=("image", "text"), **settings):
    """What ``kinema.load`` gives of a run, of networks that nobody trained."""
    texts = [f"a {name} square this is dark one" for name in COLOURS]
    words = Vocabulary.learn(texts, 100)
    Path(run).mkdir(parents=True, exist_ok=True)
    words.write(Path(run))
    assert "red" in words_of(texts[0])
    towers = {view: ColourTower(view, words.words, bits, seed) for view in views}
    config = PairsConfig(height=16, width=16, **settings)
    return PairReader(towers[views[0]], views[0], config, towers=towers, name="dcvh", run=Path(run))

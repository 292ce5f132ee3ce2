"""Makes the picture of Mocap-words: a picture of each motion with its sentence below it.

    python docs/make_words_picture.py

words.png has the first pair of each of the fifteen motions. Nothing has to be drawn before.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.words import MocapWordsConfig
from kinema.data.mocap.words.film import Painter
from kinema.data.mocap.words.plan import plan_sights

HERE = Path(__file__).parent / "images"
CONFIG = MocapWordsConfig(pairs=15, size=128)
COLUMNS, GAP, LETTERS, LINE, LINES = 5, 14, 22, 13, 5


def main() -> None:
    """Writes the picture."""
    size, tall = CONFIG.size + GAP, CONFIG.size + LINES * LINE + GAP
    sheet = Image.new("RGB", (COLUMNS * size, len(CLASSES) // COLUMNS * tall - GAP), "white")
    pen, font, painter = ImageDraw.Draw(sheet), ImageFont.load_default(11), Painter(CONFIG)
    for number, sight in enumerate(sorted(plan_sights(CONFIG), key=lambda each: each.motion)):
        left, top = number % COLUMNS * size, number // COLUMNS * tall
        sheet.paste(Image.fromarray(painter.picture(sight)), (left, top))
        for row, line in enumerate(textwrap.wrap(sight.said.text, LETTERS)[:LINES]):
            pen.text((left, top + CONFIG.size + 2 + row * LINE), line, "black", font=font)
    sheet.save(HERE / "words.png", optimize=True)


if __name__ == "__main__":
    main()

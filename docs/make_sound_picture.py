"""Makes the picture of Mocap-15 with its sound.

    kinema dataset mocap SOUNDING --clips-per-class 1 --test-per-class 1 --size 320 --frames 48 --sound
    python docs/make_sound_picture.py SOUNDING

sound.png shows, for three classes, eight frames of a video and under them its sound as the view has it: mel bands from
low to high, bright where there is energy. A mark above the spectrogram is a strike as the motion has it, computed anew
and not read from the sound.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from kinema.data import decode, read_audio
from kinema.data.clips.transforms import SOUND_MEAN, SOUND_STD, log_mel
from kinema.data.mocap import CLASSES, MocapConfig
from kinema.data.mocap.body import draw_actor, place_points
from kinema.data.mocap.performance import perform
from kinema.data.mocap.plan import Recording, plan_recordings
from kinema.data.mocap.sound import strikes

HERE = Path(__file__).parent / "images"
SHOWN = ("walk", "backflip", "punch")
RATE, HOP, FRAMES, SIZE = 16000, 160, 8, 112


def spectrogram(path: Path, width: int, height: int) -> Image.Image:
    """The whole sound of a video as the view has it, low bands at the bottom."""
    sound = torch.from_numpy(read_audio(path, rate=RATE).samples)[None]
    view = (log_mel(sound, RATE, window=400, hop=HOP, bands=40, fft=512, floor=1e-6)[0] - SOUND_MEAN) / SOUND_STD
    grey = ((view.flip(0) + 1.0) / 3.2).clamp(0, 1).numpy()
    low, high = np.array([18, 28, 48]), np.array([255, 214, 120])
    picture = (low + grey[..., None] * (high - low)).astype(np.uint8)
    return Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)


def struck(recording: Recording, config: MocapConfig) -> list[float]:
    """When something strikes the ground, seconds, from the motion alone."""
    motion = perform(CLASSES[recording.label], config, recording.generator(config.seed))
    actor = draw_actor(config.seed, recording.split, recording.actor, config.limb_contrast)
    return [strike.time for strike in strikes(place_points(motion, actor), config.fps)]


def main(folder: Path) -> None:
    """Writes the picture."""
    told = json.loads((folder / "dataset.json").read_text())["settings"]
    config = MocapConfig(**{**told, "parts": tuple(told["parts"])})
    near = {each.takes[0].path: each for each in plan_recordings(config)}
    gap, margin, height = 2, 16, 80
    width, block = FRAMES * (SIZE + gap) - gap, margin + SIZE + 14 + height + 10
    sheet = Image.new("RGB", (width, len(SHOWN) * block), "white")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(SHOWN):
        top = row * block
        path = min((folder / "train" / name).glob("*.mp4"))
        seconds = config.frames / config.fps
        draw.text((2, top + 2), f"{name}: {seconds:.1f} s, and its sound; marks: strikes", fill="black")
        frames = decode(path, short_side=SIZE, motion=False).frames
        for place in range(FRAMES):
            number = round((place + 0.5) / FRAMES * len(frames))
            sheet.paste(Image.fromarray(frames[number]), (place * (SIZE + gap), top + margin))
        under = top + margin + SIZE + 14
        sheet.paste(spectrogram(path, width, height), (0, under))
        for time in struck(near[str(path.relative_to(folder).as_posix())], config):
            x = time / seconds * width
            draw.polygon([(x - 5, under - 10), (x + 5, under - 10), (x, under - 1)], fill=(176, 50, 40))
    HERE.mkdir(exist_ok=True)
    sheet.save(HERE / "sound.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Makes the pictures of the documentation from videos.

    kinema dataset mocap LARGE --clips-per-class 1 --test-per-class 1 --size 320 --frames 36 --crf 18 --camera-motion .3
    python docs/make_pictures.py MOCAP_FOLDER LARGE

Each row of views.png is one clip of Mocap-15 as an encoder sees it: RGB, the residual (frame difference) and the
motion vectors of the H.264 stream, hue for the direction and saturation for the speed. motion.png is what
``kinema motion`` draws, of clips that are large enough to see. be.png and dsm.png show what these methods do to a clip,
frame by frame; the motion is broken with a fixed seed, and λ is at its largest. cmd.png is what CMD sees of one video:
a clip and a keyframe, the motion after the clip, and the motion of another moment, a hard negative. elo.png is a clip
in the modalities of ELo, changed as its tasks change it, and the coarse cells that its decoders foretell.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from kinema.core.clips import ClipSpec, RawClips
from kinema.data import ClipDataset, ClipRequest, ClipStore, collate, decode, scan
from kinema.data.clips.transforms import BrokenMotion, LocalWarp, ViewTransform, mixed
from kinema.data.video.motion_drawing import Drawer, add_speeds, full_speed
from kinema.methods.elo import PIECES, backwards, grey, reordered
from kinema.networks import coarse

HERE = Path(__file__).parent / "images"
CLASSES = ("backflip", "spinkick", "walk")
COMPANY = ("kick", 3)
LARGE = (("backflip", 7), ("cartwheel", 7), ("cartwheel", 28))


def motion_colours(motion: torch.Tensor) -> np.ndarray:
    """(dx, dy) as colours, [2, H, W] to uint8 [H, W, 3]: hue is the direction, saturation the speed; white is still."""
    dx, dy = motion.numpy()
    hue = (np.arctan2(dy, dx) / (2 * np.pi) % 1 * 255).astype(np.uint8)
    speed = np.clip(np.hypot(dx, dy) / 1.5, 0, 1)
    saturation = (speed * 255).astype(np.uint8)
    bright = np.full_like(hue, 255) - (speed * 40).astype(np.uint8)
    return np.asarray(Image.merge("HSV", [Image.fromarray(x) for x in (hue, saturation, bright)]).convert("RGB"))


def pictures(raw: RawClips, spec: ClipSpec) -> dict[str, list[np.ndarray]]:
    """Frames of each view of one clip, uint8 [H, W, 3]."""
    clip = ViewTransform(spec, ("rgb", "residual", "motion")).evaluate(raw).variants[0]
    residual = ((clip["residual"][0] / 6 + 0.5).clamp(0, 1) * 255).byte().permute(1, 2, 3, 0).numpy()
    motion = [motion_colours(clip["motion"][0, :, t]) for t in range(spec.frames)]
    return {"RGB": coloured(clip["rgb"][0]), "residual": list(residual), "motion vectors": motion}


def drawn(video: Path, number: int) -> Image.Image:
    """A frame with its motion."""
    clip = decode(video, short_side=None, motion=True)
    assert clip.motion is not None
    assert clip.motion_valid is not None
    speeds = add_speeds(np.zeros(0, dtype=np.int64), clip.motion, clip.motion_valid)
    drawer = Drawer(clip.source_size, full_speed(speeds))
    return Image.fromarray(drawer.draw(clip.frames[number], clip.motion[number], clip.motion_valid[number]))


def motion_picture(folder: Path) -> Image.Image:
    """A frame of each of some clips, side by side."""
    frames = [drawn(min((folder / "train" / name).glob("*.mp4")), number) for name, number in LARGE]
    gap = 6
    sheet = Image.new("RGB", (sum(frame.width + gap for frame in frames) - gap, frames[0].height), "white")
    x = 0
    for frame in frames:
        sheet.paste(frame, (x, 0))
        x += frame.width + gap
    return sheet


def shown(view: torch.Tensor, scale: float = 0.225, middle: float = 0.45) -> list[np.ndarray]:
    """One view of one clip, float [C, T, H, W], as pictures."""
    return list(((view * scale + middle).clamp(0, 1) * 255).byte().permute(1, 2, 3, 0).numpy())


def told_rows(rows: dict[str, list[np.ndarray]]) -> Image.Image:
    """Rows of pictures with what they show above them."""
    gap, margin = 2, 16
    size, count = len(next(iter(rows.values()))[0]), len(next(iter(rows.values())))
    sheet = Image.new("RGB", (count * (size + gap) - gap, len(rows) * (size + margin + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (told, pictures_of) in enumerate(rows.items()):
        top = number * (size + margin + gap)
        draw.text((2, top + 2), told, fill="black")
        for place, picture in enumerate(pictures_of):
            sheet.paste(Image.fromarray(picture), (place * (size + gap), top + margin))
    return sheet


def disturbed_pictures(video: Path) -> dict[str, Image.Image]:
    """A clip, and what the two methods turn it into."""
    spec = ClipSpec(frames=6, stride=3, size=128, short_side=128)
    data = ClipDataset(ClipStore(scan([video]), spec, motion=True, cache=None))
    raw = collate([data[ClipRequest(0, (1, 16))]])
    clip, elsewhere = ViewTransform(spec, ("rgb", "residual", "motion")).evaluate(raw).variants
    query = mixed(clip, torch.tensor([0.3]), torch.tensor([0.99]))
    be = {
        "the clip": shown(clip["rgb"][0]),
        "query: its last frame is added to all, with .3": shown(query["rgb"][0]),
        "differences of the clip's frames": shown(clip["residual"][0], 1 / 6, 0.5),
        "differences of the query's: .7 times the same": shown(query["residual"][0], 1 / 6, 0.5),
        "negative: the video elsewhere": shown(elsewhere["rgb"][0]),
    }
    dsm = {
        "the clip": shown(clip["rgb"][0]),
        "key: one warp for all frames": shown(LocalWarp().apply(clip, torch.Generator().manual_seed(3))["rgb"][0]),
    }
    for kind in ("warp", "shuffle", "repeat", "swap"):
        broken = BrokenMotion((kind,)).apply(clip, torch.Generator().manual_seed(3))
        dsm[f"negative: {kind}"] = shown(broken["rgb"][0])
    return {"be": told_rows(be), "dsm": told_rows(dsm)}


def companions_picture(folder: Path) -> Image.Image:
    """A clip, a keyframe, its target and one hard negative of a video, as CMD is shown them."""
    spec = ClipSpec(frames=8, stride=3, size=112, short_side=112)
    name, number = COMPANY
    store = ClipStore(scan([sorted((folder / "train" / name).glob("*.mp4"))[number]]), spec, motion=True, cache=None)
    start, keyframe, (target, other) = 3, 12, (30, 8)  # the clip ends at frame 27
    wanted = ClipRequest(0, (start,), keyframe=keyframe, motion_starts=(target, other), motion_frames=8)
    raw = collate([ClipDataset(store)[wanted]])
    batch = ViewTransform(spec, ("rgb",)).evaluate(raw)
    shown = {f"the clip: frames {start + 3}, {start + 6}, … {start + 24}": coloured(batch.view(0, "rgb")[0])}
    moments = (("the target: motion of", target), ("a hard negative: motion of", other))
    for (title, first), motion in zip(moments, batch.motion_clips().values[0], strict=True):
        shown[f"{title} frames {first} to {first + 7}"] = [motion_colours(2 * motion[:, t]) for t in range(8)]
    shown[f"a keyframe: frame {keyframe}"] = coloured(batch.keyframe()[:, :, None][0])
    gap, margin, wide = 2, 16, 8 * (spec.size + 2)
    sheet = Image.new("RGB", (wide + 12 + spec.size, 3 * (margin + spec.size + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, frames) in enumerate(shown.items()):
        left, top = (0, row) if row < 3 else (wide + 12, 0)
        y = top * (margin + spec.size + gap)
        draw.text((left + 2, y + 2), title, fill="black")
        for place, frame in enumerate(frames):
            sheet.paste(Image.fromarray(frame), (left + place * (spec.size + 2), y + margin))
    return sheet


def elo_picture(video: Path) -> Image.Image:
    """A clip as ELo's tasks see it."""
    spec = ClipSpec(frames=8, stride=3, size=96, short_side=96)
    data = ClipDataset(ClipStore(scan([video]), spec, motion=True, cache=None))
    raw = collate([data[ClipRequest(0, (3,))]])
    clip = ViewTransform(spec, ("rgb", "motion")).evaluate(raw).variants[0]
    rgb, motion = clip["rgb"], clip["motion"]
    draw = torch.rand(1, PIECES, generator=torch.Generator().manual_seed(2))
    cells = coarse(rgb, 4, 8).view(1, 3, 4, 8, 8)
    cells = cells.repeat_interleave(2, dim=2).repeat_interleave(12, dim=3).repeat_interleave(12, dim=4)
    return told_rows(
        {
            "rgb": coloured(rgb[0]),
            "what reconstruction foretells of it: the mean of each of 4 x 8 x 8 cells": coloured(cells[0]),
            "grey, made of rgb": coloured(grey(rgb)[0]),
            "order: its four pieces in another order": coloured(reordered(rgb, draw)[0]),
            "direction: backwards": coloured(backwards("rgb", rgb)[0]),
            "motion vectors": [motion_colours(2 * motion[0, :, t]) for t in range(8)],
            "direction: backwards, what moved left moves right": [
                motion_colours(2 * backwards("motion", motion)[0, :, t]) for t in range(8)
            ],
        }
    )


def coloured(rgb: torch.Tensor) -> list[np.ndarray]:
    """The rgb view as pictures, [3, T, H, W] to T of uint8 [H, W, 3]."""
    return list(((rgb * 0.225 + 0.45).clamp(0, 1) * 255).byte().permute(1, 2, 3, 0).numpy())


def main(folder: Path, large: Path) -> None:
    """Writes all of them."""
    for name, picture in disturbed_pictures(min((folder / "train" / "cartwheel").glob("*.mp4"))).items():
        picture.save(HERE / f"{name}.png", optimize=True)
    spec = ClipSpec(frames=6, stride=3, size=112, short_side=112)
    manifest = scan([sorted((folder / "train" / name).glob("*.mp4"))[7] for name in CLASSES])
    data = ClipDataset(ClipStore(manifest, spec, motion=True, cache=None))
    gap, margin = 6, 18
    width = (3 * spec.frames // 2) * (spec.size + 2) + 2 * gap
    sheet = Image.new("RGB", (width, margin + len(CLASSES) * (spec.size + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for row in range(len(CLASSES)):
        x = 0
        for title, frames in pictures(collate([data[ClipRequest(row, (10,))]]), spec).items():
            if row == 0:
                draw.text((x + 2, 2), title, fill="black")
            for frame in frames[::2]:
                sheet.paste(Image.fromarray(frame), (x, margin + row * (spec.size + gap)))
                x += spec.size + 2
            x += gap
    HERE.mkdir(exist_ok=True)
    sheet.save(HERE / "views.png", optimize=True)
    motion_picture(large).save(HERE / "motion.png", optimize=True)
    companions_picture(folder).save(HERE / "cmd.png", optimize=True)
    elo_picture(min((folder / "train" / "cartwheel").glob("*.mp4"))).save(HERE / "elo.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""A run of two towers that nobody trained: its heads are solved for, so that sight and sound of a video agree."""

import torch
from sounding import tone, write_sounding
from tiny_runs import tiny_plan

from kinema import api
from kinema.core.clips import SoundSpec
from kinema.core.method import load_strictly
from kinema.data.video.scanning import scan
from kinema.recipes.json import recipe_to_plain
from kinema.searching.audio import clip_chunks
from kinema.training.checkpoints import write_tower
from kinema.training.run_folder import RunFolder

SOUND = SoundSpec(rate=8000, seconds=0.4, bands=16, frames=20, shift=0.05)
TONES = {"a.mkv": 300, "b.mkv": 700, "c.mkv": 1500, "d.mkv": 3000}


def write_tones(root):
    """Four videos of 30 frames, each with a texture and a tone of its own."""
    for number, (name, hertz) in enumerate(TONES.items()):
        write_sounding(root / name, tone(hertz, 1.2, number), seed=number, motion=(number % 3, 1))
    return root


def make_run(path, videos, *, order=(0, 1, 2, 3)):
    """The folder of a run of cross-modal clustering whose head tells, of each clip, the place of its video.

    Args:
        path: of the run.
        videos: from :func:`write_tones`.
        order: the place that the head of the sound tells of each video; that of RGB tells their own.
    """
    method = {"guide": "sound", "form": "cdc", "clusters": len(TONES)}
    recipe = tiny_plan("xdc", method=method, sound=SOUND, epochs=1).recipe()
    folder = RunFolder(path)
    folder.create()
    folder.write("environment.json", {"videos": len(TONES)})
    folder.write("recipe.json", recipe_to_plain(recipe))
    manifest = scan(videos, workers=1)
    for view, places in (("rgb", (0, 1, 2, 3)), ("sound", order)):
        model = api.load(path, view=view, untrained=True)
        given = [_features(model, manifest, row) for row in range(len(TONES))]
        x = torch.cat(given).double()
        y = torch.eye(len(TONES), dtype=torch.double)[
            torch.cat([torch.full((len(each),), place) for each, place in zip(given, places, strict=True)])
        ]
        solved = torch.linalg.lstsq(torch.cat([x, torch.ones(len(x), 1)], 1), y, driver="gelsd").solution
        state = model.tower.state_dict()
        state |= {"head.layers.0.weight": solved[:-1].T.float(), "head.layers.0.bias": solved[-1].float()}
        load_strictly(model.tower, state, "the test")
        phase = folder.phase(1, recipe.phases[0].name)
        phase.mkdir(exist_ok=True, parents=True)
        write_tower(phase / f"tower-{view}.safetensors", model.tower)
    return path


def _features(model, manifest, row):
    video = manifest.videos[row]
    starts = range(0, video.frames - model.clip.span + 1)
    chunks = clip_chunks(model, manifest.file(row), video, starts)
    return torch.cat([model.encode_clips(chunk.raw, device="cpu") for chunk in chunks if chunk.raw is not None])

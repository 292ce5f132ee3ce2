"""A method of kinema in a training loop of your own: no run folder, no trainer, no files.

    python examples/plain_pytorch.py

Textures that drift in some direction, made on the spot, are learnt from by SimCLR in a few seconds on a CPU. The four
verbs of a method are what any loop needs: loss, commit, embed, and refresh for methods that want it between epochs.
"""

from __future__ import annotations

import torch

from kinema.core.clips import ClipSpec, RawClips
from kinema.core.method import TrainingContext
from kinema.core.seeds import generator_at
from kinema.data.clips.transforms import TransformConfig, ViewTransform
from kinema.methods import SimCLRConfig
from kinema.networks import EncoderConfig

SPEC = ClipSpec(frames=4, stride=1, size=24, short_side=32)
WEAK = TransformConfig(area_min=0.6, jitter_p=0.0, grey_p=0.0, blur_p=0.0)


def drifting(videos: int) -> RawClips:
    """Clips of noise that drifts to the right or downwards, in two equal variants: uint8 [B, 2, T + 1, 32, 32, 3]."""
    draw = generator_at(0, "textures")
    coarse = torch.randint(0, 256, (videos, 8, 8, 3), generator=draw, dtype=torch.uint8)
    texture = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    moved = [
        torch.stack([picture.roll(2 * step, dims=number % 2) for step in range(SPEC.frames + 1)])
        for number, picture in enumerate(texture)
    ]
    rows, extent = torch.arange(videos), torch.full((videos, 2), 32)
    frames = torch.stack(moved)[:, None].expand(-1, 2, -1, -1, -1, -1)
    return RawClips(frames, extent, index=rows, source=rows, label=rows % 2)


def main(steps: int = 40) -> list[float]:
    """Trains and prints the loss; gives the loss of every step."""
    torch.manual_seed(0)
    raw = drifting(32)
    method = SimCLRConfig(view="rgb", temperature=0.2).build(EncoderConfig("slim", width=8), TrainingContext(rows=32))
    optimiser = torch.optim.AdamW((p for p in method.parameters() if p.requires_grad), lr=3e-3)
    transform = ViewTransform(SPEC, method.needs.views, WEAK)
    history = []
    for step in range(steps):
        batch = transform.train(raw, generator_at(0, "augment", step))
        losses = method.loss(batch, generator_at(0, "loss", step))
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        method.commit(losses)
        history.append(float(losses.total.detach()))
    with torch.no_grad():
        z = method.eval().embed(transform.evaluate(raw).view(0, "rgb"))
    print(f"loss {history[0]:.2f} -> {sum(history[-5:]) / 5:.2f}; embeddings {tuple(z.shape)}")
    return history


if __name__ == "__main__":
    main()

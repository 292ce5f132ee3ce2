"""The view 'sound': its scale, its place among the draws, its masks, and what is not covered."""

import math
from dataclasses import replace

import pytest
import torch
from oracles.sound import log_mel_slowly

from kinema.core.clips import ClipBatch, ClipSpec, RawClips, SoundSpec, Waveform
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.data.clips.transforms import (
    SOUND_MEAN,
    SOUND_STD,
    SoundAugment,
    StaticFrame,
    TransformConfig,
    ViewTransform,
    sound_view,
)

SPEC = SoundSpec(rate=2000, seconds=0.2, bands=4, frames=20, window=0.02, shift=0.05)
CLIP = ClipSpec(frames=2, stride=1, size=8, short_side=8)
STILL = SoundAugment(gain=0.0, frames=0.0, bands=0.0)


def noise(rows=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return 0.2 * torch.randn(rows, SPEC.read, generator=draw), torch.ones(rows, SPEC.read, dtype=torch.bool)


def make_raw(b=2, v=2, sound=True):
    draw = torch.Generator().manual_seed(5)
    frames = torch.randint(0, 256, (b, v, 3, 10, 10, 3), dtype=torch.uint8, generator=draw)
    numbers = torch.arange(b)
    samples = 0.2 * torch.randn(b, v, SPEC.read, generator=draw)
    heard = Waveform(samples, torch.ones_like(samples, dtype=torch.bool)) if sound else None
    extent = torch.tensor([[10, 10]] * b)
    return RawClips(frames, extent, index=numbers, source=numbers, label=numbers, sound=heard)


def test_it_is_the_middle_of_the_stretch_on_a_fixed_scale():
    sound, valid = noise()
    got = sound_view(sound, valid, SPEC)
    assert got.shape == (2, 1, 4, 20)
    middle = sound[0, SPEC.margin : SPEC.margin + SPEC.samples].tolist()
    slow = log_mel_slowly(
        middle, 2000, window=40, fft=64, hop=20, bands=4, fmin=0.0, fmax=1000.0, center=True, floor=1e-6
    )
    expected = (torch.tensor(slow)[:, :20] - SOUND_MEAN) / SOUND_STD
    torch.testing.assert_close(got[0, 0], expected, atol=1e-3, rtol=1e-3)


def test_a_shift_moves_and_a_gain_lifts():
    sound, valid = noise(1)
    later = torch.tensor([[1.0 - 1e-6, 0.5, 0, 0, 0, 0]])
    moved = sound_view(sound, valid, SPEC, STILL, later)
    begin = 2 * SPEC.margin
    alone = sound_view(torch.roll(sound, -SPEC.margin, dims=1), valid, SPEC)
    torch.testing.assert_close(moved[..., 3:-3], alone[..., 3:-3])
    assert begin + SPEC.samples == SPEC.read
    loud = sound_view(sound, valid, SPEC, replace(STILL, gain=6.0), torch.tensor([[0.5, 1.0, 0, 0, 0, 0]]))
    plain = sound_view(sound, valid, SPEC, STILL, torch.tensor([[0.5, 0.5, 0, 0, 0, 0]]))
    torch.testing.assert_close(loud - plain, torch.full_like(plain, 0.6 * math.log(10) / SOUND_STD), atol=1e-3, rtol=0)


def test_what_is_masked_or_not_covered_is_the_mean_and_silence_is_not():
    sound, valid = noise(1)
    valid[:, : SPEC.margin + 5 * SPEC.hop] = False
    view = sound_view(sound * valid, valid, SPEC)
    assert not view[..., :5].any()
    assert view[..., 5:].all()
    silence = sound_view(torch.zeros_like(sound), torch.ones_like(valid), SPEC)
    assert float(silence.max()) < -2
    draws = torch.tensor([[0.5, 0.5, 1 - 1e-6, 0.5, 1 - 1e-6, 0.5]])
    masked = sound_view(*noise(1), SPEC, SoundAugment(0.0, frames=0.25, bands=0.5), draws)[0, 0]
    assert (masked == 0).all(dim=0).nonzero().flatten().tolist() == [8, 9, 10, 11, 12]
    assert (masked == 0).all(dim=1).nonzero().flatten().tolist() == [1, 2]


def test_each_clip_has_draws_of_its_own_and_they_come_last():
    raw = make_raw()
    alone = ViewTransform(CLIP, ("rgb",)).train(raw, torch.Generator().manual_seed(3))
    both = ViewTransform(CLIP, ("rgb", "sound"), sound=SPEC).train(raw, torch.Generator().manual_seed(3))
    for one, other in zip(alone.variants, both.variants, strict=True):
        assert torch.equal(one["rgb"], other["rgb"])
    heard = both.view(0, "sound")
    assert heard.shape == (2, 1, 4, 20)
    samples = raw.sound.samples[:1, :1].expand(2, 2, -1).clone()
    same = replace(raw, sound=replace(raw.sound, samples=samples))
    again = ViewTransform(CLIP, ("sound",), sound=SPEC).train(same, torch.Generator().manual_seed(3))
    views = [again.view(v, "sound")[b] for v in range(2) for b in range(2)]
    assert all(not torch.equal(a, b) for n, a in enumerate(views) for b in views[:n])


def test_evaluation_draws_nothing():
    raw = make_raw()
    batch = ViewTransform(CLIP, ("sound",), TransformConfig(sound=SoundAugment(gain=20)), sound=SPEC).evaluate(raw)
    expected = sound_view(raw.sound.samples[:, 1], raw.sound.valid[:, 1], SPEC)
    torch.testing.assert_close(batch.view(1, "sound"), expected)
    crops = list(ViewTransform(CLIP, ("sound",), sound=SPEC).ten_crops(raw))
    assert len(crops) == 1


def test_a_disturbance_leaves_the_sound_alone():
    raw, plain = make_raw(), TransformConfig()
    config = replace(plain, disturb=(StaticFrame(),))
    made = [
        ViewTransform(CLIP, ("rgb", "sound"), each, sound=SPEC).train(raw, torch.Generator().manual_seed(3))
        for each in (plain, config)
    ]
    assert not torch.equal(made[0].view(0, "rgb"), made[1].view(0, "rgb"))
    assert made[1].view(0, "sound").shape == (2, 1, 4, 20)
    with pytest.raises(ConfigError, match="StaticFrame disturbs pictures"):
        ViewTransform(CLIP, ("sound",), config, sound=SPEC)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="come without their sound"):
        ViewTransform(CLIP, ("sound",), sound=SPEC).evaluate(make_raw(sound=False))
    with pytest.raises(ShapeError, match=rf"expected both of \[B, {SoundSpec().read}\]"):
        ViewTransform(CLIP, ("sound",)).evaluate(make_raw())
    with pytest.raises(ConfigError, match="frames=1"):
        SoundAugment(frames=1.0)
    numbers = torch.arange(2)
    with pytest.raises(ShapeError, match=r"view 'sound' is \(2, 1, 3, 4, 4\); expected \[2, 1, bands, times\]"):
        ClipBatch(({"sound": torch.zeros(2, 1, 3, 4, 4)},), numbers, numbers)
    with pytest.raises(ShapeError, match=r"view 'rgb' is \(2, 3, 4, 4\); expected \[2, C, T, H, W\]"):
        ClipBatch(({"rgb": torch.zeros(2, 3, 4, 4)},), numbers, numbers)

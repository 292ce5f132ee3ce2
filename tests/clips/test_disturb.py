"""Disturbances in the transform of training: their place, their draws, and the negatives that they make."""

from dataclasses import replace

import pytest
import torch

from kinema.core.clips import ClipSpec, MotionField, Negatives, RawClips
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.data.clips.transforms import BrokenMotion, Elsewhere, LocalWarp, StaticFrame, TransformConfig, ViewTransform

SPEC = ClipSpec(frames=4, size=32, short_side=40)
ALL = ("rgb", "residual", "motion")
USUAL = TransformConfig()
STILL = TransformConfig(area_min=1.0, aspect=(1.0, 1.0), flip=0.0, jitter_p=0.0, grey_p=0.0, blur_p=0.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def raw_clips(b=3, v=2, motion=True):
    draw = seeded()
    frames = torch.randint(0, 256, (b, v, 5, 40, 56, 3), dtype=torch.uint8, generator=draw)
    field = MotionField(
        0.05 * torch.randn(b, v, 4, 10, 14, 2, generator=draw),
        torch.ones(b, v, 4, 10, 14, dtype=torch.bool),
        torch.tensor([[10, 14]]).expand(b, 2),
    )
    return RawClips(
        frames=frames,
        extent=torch.tensor([[40, 56]]).expand(b, 2),
        motion=field if motion else None,
        index=torch.arange(b),
        source=torch.arange(b),
        label=torch.arange(b),
    )


def transform(*disturb, views=("rgb",), config=USUAL):
    return ViewTransform(SPEC, views, replace(config, disturb=disturb))


def with_elsewhere(v=2, told=(True, False, True)):
    return replace(raw_clips(v=v + 1), elsewhere=torch.tensor(told))


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_nothing_else_changes():
    """The augmentation draws as it did: what is not disturbed is bit for bit what it was without."""
    raw = raw_clips()
    plain = transform(views=ALL).train(raw, seeded(1))
    query = transform(StaticFrame(), BrokenMotion(), views=ALL).train(raw, seeded(1))
    key = transform(LocalWarp(), views=ALL).train(raw, seeded(1))
    assert same(query.variants[1], plain.variants[1])
    assert not torch.equal(query.view(0, "rgb"), plain.view(0, "rgb"))
    assert same(key.variants[0], plain.variants[0])
    assert not torch.equal(key.view(1, "rgb"), plain.view(1, "rgb"))
    assert plain.negatives == Negatives()
    away = transform(Elsewhere(), views=ALL).train(with_elsewhere(), seeded(1))
    again = transform(views=ALL).train(with_elsewhere(), seeded(1))
    assert len(away.variants) == len(again.variants) == 2
    assert all(same(a, b) for a, b in zip(away.variants, again.variants, strict=True))
    assert again.negatives == Negatives()


def test_the_changes_are_those_of_the_disturbances():
    raw = raw_clips()
    state = seeded(4)
    plain = transform(views=ALL).train(raw, state)
    made = transform(StaticFrame(0.5), LocalWarp(), BrokenMotion(), views=ALL).train(raw, seeded(4))
    query = StaticFrame(0.5).apply(plain.variants[0], state)
    key = LocalWarp().apply(plain.variants[1], state)
    negative = BrokenMotion().apply(key, state)
    for ours, expected in ((made.variants[0], query), (made.variants[1], key), (made.negatives.views[0], negative)):
        assert same(ours, expected)
        assert all(x.is_contiguous(memory_format=torch.channels_last_3d) for x in ours.values())
    assert made.negatives.valid.all()


def test_views_that_only_a_disturbance_needs_are_computed_and_not_handed_on():
    raw = raw_clips()
    batch = transform(BrokenMotion(), views=("residual",)).train(raw, seeded(2))
    whole = transform(BrokenMotion(), views=ALL).train(raw, seeded(2))
    both = ((*each.variants, *each.negatives.views) for each in (batch, whole))
    for ours, theirs in zip(*both, strict=True):
        assert ours.keys() == {"residual"}
        torch.testing.assert_close(ours["residual"], theirs["residual"], atol=1e-5, rtol=1e-4)
    assert transform(BrokenMotion(), views=("residual",)).reads == ("residual", "rgb", "motion")
    assert transform(BrokenMotion(("swap",)), views=("residual",)).reads == ("residual",)
    measured = transform(BrokenMotion(), StaticFrame(), views=("residual",)).evaluate(raw)
    assert measured.negatives == Negatives()
    assert torch.equal(measured.view(0, "residual"), transform(views=("residual",)).evaluate(raw).view(0, "residual"))


def test_a_window_elsewhere_is_a_negative_where_there_is_one():
    raw = with_elsewhere()
    batch = transform(Elsewhere(), config=STILL).train(raw, seeded())
    assert batch.negatives.valid.tolist() == [[True], [False], [True]]
    expected = transform(config=STILL).train(replace(raw, elsewhere=None), seeded()).variants[2]
    assert torch.equal(batch.negatives.view("rgb")[0], expected["rgb"])
    with pytest.raises(ShapeError, match="Elsewhere wants a window elsewhere") as caught:
        transform(Elsewhere()).train(raw_clips(), seeded())
    assert "elsewhere=True" in caught.value.hint


def test_a_clip_that_stands_still_has_no_broken_motion():
    """Its negative would be the clip itself."""
    raw = raw_clips()
    frames, motion = raw.frames.clone(), raw.motion.values.clone()
    frames[1], motion[1] = frames[1, :, :1], 0
    raw = replace(raw, frames=frames, motion=replace(raw.motion, values=motion))
    for kinds in (("warp",), ("shuffle",), ("repeat",), ("swap",)):
        batch = transform(BrokenMotion(kinds)).train(raw, seeded())
        assert batch.negatives.valid.tolist() == [[True], [False], [True]], kinds


def test_two_disturbances_two_negatives():
    made = transform(Elsewhere(), BrokenMotion(("repeat",)), BrokenMotion(("swap",))).train(with_elsewhere(), seeded())
    assert len(made.negatives.views) == 3
    assert made.negatives.valid.tolist() == [[True] * 3, [False, True, True], [True] * 3]
    still, swapped = made.negatives.view("rgb")[1:]
    assert torch.equal(still, still[:, :, :1].expand_as(still))
    assert not torch.equal(still, swapped)


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match=r"LocalWarp acts on variant 1 .* takes 1") as caught:
        transform(LocalWarp()).train(raw_clips(v=1), seeded())
    assert "LocalWarp(variant=0)" in caught.value.hint
    with pytest.raises(DataError, match="disturbance needs the motion") as caught:
        transform(BrokenMotion()).train(raw_clips(motion=False), seeded())
    assert "'warp'" in caught.value.hint
    with pytest.raises(ShapeError, match=r"elsewhere is \(3,\) beside 3 clips of 1 windows"):
        replace(raw_clips(v=1), elsewhere=torch.tensor([True] * 3))
    batch = transform(BrokenMotion()).train(raw_clips(), seeded())
    with pytest.raises(ShapeError, match=r"Negatives.valid is torch\.bool \(3, 2\); expected bool \[B, 1\]"):
        replace(batch.negatives, valid=torch.ones(3, 2, dtype=torch.bool))
    fewer = ({"rgb": batch.negatives.view("rgb")[0][:2]},)
    with pytest.raises(ShapeError, match=r"Negatives.views\[0\], view 'rgb' is \(2, .* expected \[3, C, T, H, W\]"):
        replace(batch.negatives, views=fewer)
    with pytest.raises(ShapeError, match=r"ClipBatch.negatives.views\[0\], view 'rgb' is \(2, "):
        replace(batch, negatives=Negatives(fewer))
    with pytest.raises(ShapeError, match="view 'motion', but the batch holds: rgb"):
        batch.negatives.view("motion")

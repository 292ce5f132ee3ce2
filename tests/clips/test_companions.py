"""What comes along beside a clip: how it is cropped and mirrored, in which colours, and in which unit its motion is."""

from dataclasses import replace

import pytest
import torch

from kinema.core.clips import ClipSpec, Companions, MotionField, RawClips, RawCompanions
from kinema.core.errors import ConfigError, ShapeError
from kinema.data.clips.transforms import (
    MOTION_UNIT,
    RGB_MEAN,
    RGB_STD,
    Geometry,
    TransformConfig,
    ViewTransform,
    motion_view,
)

SPEC = ClipSpec(frames=4, size=32, short_side=40)
PLAIN = TransformConfig(jitter_p=0.0, grey_p=0.0, blur_p=0.0)
SHARED = Companions(own=False)
"""Company in the geometry of the clip, which shows what else is done to it."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def raw_clips(b=3, v=1, n=3, m=5, height=40, width=56, seed=0):
    g = seeded(seed)

    def field(*lead):
        values = 0.05 * torch.randn(b, *lead, 10, 14, 2, generator=g)
        valid = torch.rand(b, *lead, 10, 14, generator=g) > 0.2
        return MotionField(values, valid, torch.tensor([[10, 14], [10, 12], [9, 14]])[:b])

    def pictures(*lead):
        return torch.randint(0, 256, (b, *lead, height, width, 3), dtype=torch.uint8, generator=g)

    return RawClips(
        frames=pictures(v, 5),
        motion=field(v, 4),
        extent=torch.tensor([[height, width], [height, width - 9], [height - 5, width]])[:b],
        index=torch.arange(b),
        source=torch.arange(b),
        label=torch.arange(b),
        companions=RawCompanions(pictures(), field(n, m)),
    )


def alone(raw):
    return replace(raw, companions=None)


def with_motion(raw, **changes):
    """The same clips with other motion clips beside them."""
    return replace(raw, companions=replace(raw.companions, motion=replace(raw.companions.motion, **changes)))


def test_shapes_and_nothing_where_nothing_comes_along():
    batch = ViewTransform(SPEC, ("rgb",)).train(raw_clips(), seeded())
    assert batch.keyframe().shape == (3, 3, 32, 32)
    assert batch.keyframe().is_contiguous(memory_format=torch.channels_last)
    assert batch.motion_clips().values.shape == (3, 3, 2, 5, 32, 32)
    assert batch.motion_clips().valid.dtype == torch.bool
    assert batch.motion_clips().valid.all()
    bare = ViewTransform(SPEC, ("rgb",)).train(alone(raw_clips()), seeded())
    assert bare.companions is None
    for name in ("keyframe", "motion_clips"):
        with pytest.raises(ShapeError, match=f"asks for '{name}' beside each clip"):
            getattr(bare, name)()


def test_the_clips_are_the_same_with_company_and_without():
    transform = ViewTransform(SPEC, ("rgb", "motion"))
    raw = raw_clips(v=2)
    ours, theirs = transform.train(raw, seeded(4)), transform.train(alone(raw), seeded(4))
    for v in range(2):
        for view in ("rgb", "motion"):
            assert torch.equal(ours.view(v, view), theirs.view(v, view))


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_keyframe_that_is_the_clips_frame_is_cropped_and_mirrored_like_it(flip):
    raw = raw_clips(v=2)
    raw = replace(raw, companions=RawCompanions(raw.frames[:, 0, 2]))
    transform = ViewTransform(SPEC, ("rgb",), replace(PLAIN, flip=flip), SHARED)
    for batch in (transform.train(raw, seeded(1)), transform.evaluate(raw)):
        torch.testing.assert_close(batch.keyframe(), batch.view(0, "rgb")[:, :, 1], atol=1e-5, rtol=0)
        assert (batch.keyframe() - batch.view(0, "rgb")[:, :, 2]).abs().mean() > 0.1


def test_a_keyframe_has_colours_and_a_blur_of_its_own():
    raw = raw_clips()
    raw = replace(raw, companions=RawCompanions(raw.frames[:, 0, 2]))
    for changes in ({"jitter_p": 1.0}, {"blur_p": 1.0, "blur_sigma": (0.1, 3.0)}):
        batch = ViewTransform(SPEC, ("rgb",), replace(PLAIN, **changes), SHARED).train(raw, seeded(1))
        assert (batch.keyframe() - batch.view(0, "rgb")[:, :, 1]).abs().mean() > 0.05
    grey = ViewTransform(SPEC, ("rgb",), replace(PLAIN, grey_p=1.0)).train(raw, seeded(1))
    torch.testing.assert_close(grey.keyframe()[:, 0], grey.keyframe()[:, 1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_motion_clip_that_is_the_clips_motion_is_its_motion_view(flip):
    """Where everything is told: crop, flip with dx negated and the scale of the magnitude are the motion view's."""
    raw = raw_clips(m=4)
    whole, beside = torch.ones_like(raw.motion.valid), raw.companions.motion
    clips = torch.cat([raw.motion.values, beside.values[:, 1:]], dim=1)
    told = torch.cat([whole, torch.ones_like(beside.valid[:, 1:])], dim=1)
    raw = with_motion(replace(raw, motion=replace(raw.motion, valid=whole)), values=clips, valid=told)
    batch = ViewTransform(SPEC, ("motion",), replace(PLAIN, flip=flip)).train(raw, seeded(2))
    torch.testing.assert_close(batch.motion_clips().values[:, 0], batch.view(0, "motion"), atol=1e-5, rtol=1e-5)
    assert (batch.motion_clips().values[:, 1] - batch.view(0, "motion")).abs().mean() > 0.1


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_motion_clip_says_by_how_many_pixels_of_the_view_a_point_moves(flip):
    """A crop of half the frame doubles the motion, a mirrored one moves the other way."""
    raw = raw_clips(b=1, n=1)
    dx, dy = 2 / 56, -1 / 40  # two pixels to the right and one up, of a frame of 56 x 40
    moved = torch.tensor([dx, dy]).expand(1, 1, 5, 10, 14, 2)
    told = torch.ones(1, 1, 5, 10, 14, dtype=torch.bool)
    raw = with_motion(raw, values=moved, valid=told)
    half = replace(PLAIN, area_min=0.25, area_max=0.25, aspect=(1.4, 1.4), flip=flip)
    batch = ViewTransform(SPEC, ("rgb",), half, SHARED).train(raw, seeded())
    shown = batch.motion_clips().values[0, 0, :, 2].mean((1, 2)) * MOTION_UNIT * SPEC.size
    expected = torch.tensor([2 * 32 / 28 * (1 - 2 * flip), -1 * 32 / 20])
    torch.testing.assert_close(shown, expected, atol=1e-4, rtol=1e-4)


def test_a_mirrored_video_gives_mirrored_company_with_dx_negated():
    raw = raw_clips(b=1)
    sign = torch.tensor([-1.0, 1.0])
    still, beside = raw.companions.keyframe, raw.companions.motion
    turned = MotionField(beside.values.flip(4) * sign, beside.valid.flip(4), beside.extent)
    mirrored = replace(raw, companions=RawCompanions(still.flip(2), turned))
    ours, theirs = (ViewTransform(SPEC, ("rgb",)).evaluate(each) for each in (raw, mirrored))
    torch.testing.assert_close(ours.keyframe(), theirs.keyframe().flip(3), atol=1e-4, rtol=0)
    expected = theirs.motion_clips().values.flip(5) * sign[:, None, None, None]
    torch.testing.assert_close(ours.motion_clips().values, expected, atol=1e-4, rtol=0)


def test_a_frame_that_tells_nothing_takes_what_the_clip_tells_elsewhere():
    raw = raw_clips()
    beside = raw.companions.motion
    told = torch.ones_like(beside.valid)
    told[:, :, 2] = False  # a keyframe
    told[:, 0, :, 3:6, 3:6] = False  # a part of the picture of which no frame tells anything
    spoilt = torch.where(told[..., None], beside.values, torch.tensor(99.0))
    raw = with_motion(raw, values=spoilt, valid=told)
    others = spoilt[:, :, [0, 1, 3, 4]].mean(2, keepdim=True)
    filled = torch.cat([spoilt[:, :, :2], others, spoilt[:, :, 3:]], dim=2)
    batch = ViewTransform(SPEC, ("rgb",), PLAIN).evaluate(raw)
    whole = ViewTransform(SPEC, ("rgb",), PLAIN).evaluate(
        with_motion(raw, values=filled, valid=told | (torch.arange(3) > 0)[:, None, None, None])
    )
    torch.testing.assert_close(
        batch.motion_clips().values[:, 1:], whole.motion_clips().values[:, 1:], atol=1e-5, rtol=1e-5
    )
    assert batch.motion_clips().values[:, 1:, :, 2].abs().mean() > 0.1
    assert (batch.motion_clips().values[:, 0, :, 2] == 0).any()


def test_a_motion_clip_that_tells_nothing_is_not_valid():
    raw = raw_clips()
    told = raw.companions.motion.valid.clone()
    told[0, 1] = told[2] = False
    batch = ViewTransform(SPEC, ("rgb",)).train(with_motion(raw, valid=told), seeded())
    assert batch.motion_clips().valid.tolist() == [[True, False, True], [True] * 3, [False] * 3]
    assert batch.motion_clips().values[~batch.motion_clips().valid].abs().max() == 0


def test_a_keyframe_is_cropped_and_mirrored_by_draws_of_its_own():
    raw = raw_clips(b=3)
    raw = replace(raw, companions=RawCompanions(raw.frames[:, 0, 2]))
    batch = ViewTransform(SPEC, ("rgb",), PLAIN).train(raw, seeded(1))
    apart = (batch.keyframe() - batch.view(0, "rgb")[:, :, 1]).abs().mean((1, 2, 3))
    assert (apart > 0.1).all()
    half = replace(PLAIN, area_min=1.0, aspect=(1.4, 1.4))  # the whole frame, mirrored or not
    whole = replace(raw, extent=torch.tensor([[40, 56]]).expand(3, 2))
    mirrored = []
    for seed in range(8):
        batch = ViewTransform(SPEC, ("rgb",), half).train(whole, seeded(seed))
        shown, key = batch.view(0, "rgb")[:, :, 1], batch.keyframe()
        same, turned = ((x - key).abs().amax((1, 2, 3)) < 1e-4 for x in (shown, shown.flip(3)))
        assert (same ^ turned).all()
        mirrored += turned.tolist()
    assert 4 < sum(mirrored) < 20


def test_the_target_has_the_clips_geometry_and_each_other_motion_clip_its_own():
    raw = raw_clips(m=4)
    whole = torch.ones_like(raw.companions.motion.valid)
    first = raw.motion.values[:, 0]
    raw = with_motion(
        replace(raw, motion=replace(raw.motion, valid=torch.ones_like(raw.motion.valid))),
        values=first[:, None].expand(-1, 3, -1, -1, -1, -1).contiguous(),
        valid=whole,
    )
    batch = ViewTransform(SPEC, ("motion",), PLAIN).train(raw, seeded(2))
    target, one, other = batch.motion_clips().values.unbind(1)
    torch.testing.assert_close(target, batch.view(0, "motion"), atol=1e-5, rtol=1e-5)
    for a, b in ((target, one), (target, other), (one, other)):
        assert ((a - b).abs().mean((1, 2, 3, 4)) > 0.1).all()
    shared = ViewTransform(SPEC, ("motion",), PLAIN, SHARED).train(raw, seeded(2)).motion_clips().values
    torch.testing.assert_close(shared, target[:, None].expand_as(shared), atol=1e-5, rtol=1e-5)


def test_geometries_are_interleaved_clip_by_clip():
    one, other = (
        Geometry(*(torch.arange(2) + 10.0 * k for _ in range(4)), torch.tensor([False, True])) for k in (1, 2)
    )
    both = Geometry.interleaved([one, other])
    assert both.top.tolist() == both.width.tolist() == [10, 20, 11, 21]
    assert both.flip.tolist() == [False, False, True, True]


def test_padding_never_reaches_the_company():
    raw = raw_clips()
    beside = raw.companions.motion
    keyframe, clips = raw.companions.keyframe.clone(), beside.values.clone()
    for b in range(3):
        (h, w), (gh, gw) = raw.extent[b].tolist(), beside.extent[b].tolist()
        keyframe[b, h:] = keyframe[b, :, w:] = 255
        clips[b, :, :, gh:] = clips[b, :, :, :, gw:] = float("nan")
    told = beside.valid & ~clips.isnan().any(-1)
    ours = ViewTransform(SPEC, ("rgb",)).train(with_motion(raw, valid=told), seeded())
    other = replace(raw, companions=RawCompanions(keyframe, replace(beside, values=clips, valid=told)))
    theirs = ViewTransform(SPEC, ("rgb",)).train(other, seeded())
    assert torch.equal(ours.keyframe(), theirs.keyframe())
    assert torch.equal(ours.motion_clips().values, theirs.motion_clips().values)


def test_motion_clips_may_be_shown_smaller():
    raw = raw_clips()
    half = ViewTransform(SPEC, ("rgb",), companions=Companions(shrink=2)).evaluate(raw)
    assert half.motion_clips().values.shape == (3, 3, 2, 5, 16, 16)
    assert half.keyframe().shape == (3, 3, 32, 32)
    small = ViewTransform(ClipSpec(frames=4, size=16, short_side=40), ("rgb",)).evaluate(raw)
    assert torch.equal(half.motion_clips().values, small.motion_clips().values)
    with pytest.raises(ConfigError, match=r"clip.size is 32, which companions.shrink 3"):
        ViewTransform(SPEC, ("rgb",), companions=Companions(shrink=3))


def test_ten_crops_bring_no_company_and_mixed_precision_changes_no_bit():
    raw = raw_clips()
    transform = ViewTransform(SPEC, ("rgb",))
    assert next(transform.ten_crops(raw)).companions is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = transform.train(raw, seeded())
    plain = transform.train(raw, seeded())
    assert torch.equal(mixed.keyframe(), plain.keyframe())
    assert torch.equal(mixed.motion_clips().values, plain.motion_clips().values)


def test_a_grid_without_a_picture_is_refused():
    raw = replace(raw_clips(), motion=None)
    with pytest.raises(ShapeError, match=r"RawClips.companions.motion.extent runs"):
        ViewTransform(SPEC, ("rgb",)).evaluate(with_motion(raw, extent=raw.companions.motion.extent * 2))


def test_colours_in_the_unit_of_the_view():
    raw = replace(raw_clips(b=1), companions=RawCompanions(torch.full((1, 40, 56, 3), 51, dtype=torch.uint8)))
    expected = torch.full((1, 3, 32, 32), (0.2 - RGB_MEAN) / RGB_STD)
    torch.testing.assert_close(ViewTransform(SPEC, ("rgb",)).evaluate(raw).keyframe(), expected, atol=1e-5, rtol=0)


def test_values_are_those_of_the_motion_view_for_each_motion_clip_alone():
    raw = raw_clips()
    beside = replace(raw.companions.motion, valid=torch.ones_like(raw.companions.motion.valid))
    batch = ViewTransform(SPEC, ("rgb",)).evaluate(with_motion(raw, valid=beside.valid))
    from kinema.data.clips.transforms import centre_square

    for n in range(3):
        alone = motion_view(beside.window(n), centre_square(raw.extent), 32)
        torch.testing.assert_close(batch.motion_clips().values[:, n], alone, atol=1e-6, rtol=1e-6)

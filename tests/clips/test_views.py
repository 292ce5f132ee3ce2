from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import transforms as oracle

from kinema.core.clips import ClipSpec, MotionField, RawClips
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.data.clips.transforms import (
    MOTION_LIMIT,
    MOTION_UNIT,
    RESIDUAL_UNIT,
    RGB_MEAN,
    RGB_STD,
    Elsewhere,
    Geometry,
    TransformConfig,
    ViewTransform,
    motion_view,
)

SPEC = ClipSpec(frames=4, size=32, short_side=40)
ALL = ("rgb", "residual", "motion")
STILL = TransformConfig(area_min=1.0, aspect=(1.0, 1.0), flip=0.0, jitter_p=0.0, grey_p=0.0, blur_p=0.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def raw_clips(b=3, v=2, t=4, height=40, width=56, seed=0, motion=True):
    g = seeded(seed)
    frames = torch.randint(0, 256, (b, v, t + 1, height, width, 3), dtype=torch.uint8, generator=g)
    field = MotionField(
        0.05 * torch.randn(b, v, t, 10, 14, 2, generator=g),
        torch.rand(b, v, t, 10, 14, generator=g) > 0.2,
        torch.tensor([[10, 14], [10, 12], [9, 14]])[:b],
    )
    return RawClips(
        frames=frames,
        extent=torch.tensor([[height, width], [height, width - 9], [height - 5, width]])[:b],
        motion=field if motion else None,
        index=torch.arange(b) + 5,
        source=torch.arange(b) + 50,
        label=torch.arange(b),
    )


def test_shapes_order_in_memory_and_ids():
    batch = ViewTransform(SPEC, ALL).train(raw_clips(), seeded())
    assert len(batch.variants) == 2
    for variant in batch.variants:
        assert set(variant) == set(ALL)
        for name, channels in (("rgb", 3), ("residual", 3), ("motion", 2)):
            assert variant[name].shape == (3, channels, 4, 32, 32)
            assert variant[name].dtype == torch.float32
            assert variant[name].is_contiguous(memory_format=torch.channels_last_3d)
    assert batch.index.tolist() == [5, 6, 7]
    assert batch.source.tolist() == [50, 51, 52]


def test_labels_travel_only_when_asked_for():
    transform = ViewTransform(SPEC, ("rgb",))
    assert transform.train(raw_clips(), seeded()).label is None
    assert transform.evaluate(raw_clips()).label is None
    assert transform.train(raw_clips(), seeded(), labels=True).label.tolist() == [0, 1, 2]
    assert transform.evaluate(raw_clips(), labels=True).label.tolist() == [0, 1, 2]


def test_zero_strength_is_the_evaluation_of_square_clips():
    raw = raw_clips(b=1, width=40)
    transform = ViewTransform(ClipSpec(frames=4, size=40, short_side=40), ("rgb", "residual", "motion"), STILL)
    trained, evaluated = transform.train(raw, seeded()), transform.evaluate(raw)
    for name in ALL:
        torch.testing.assert_close(trained.view(1, name), evaluated.view(1, name), atol=1e-5, rtol=1e-5)
    x = raw.frames[:, 1].float().permute(0, 4, 1, 2, 3) / 255
    torch.testing.assert_close(trained.view(1, "rgb"), (x[:, :, 1:] - RGB_MEAN) / RGB_STD, atol=2e-5, rtol=0)
    change = (x[:, :, 1:] - x[:, :, :-1]) / RESIDUAL_UNIT
    torch.testing.assert_close(trained.view(1, "residual"), change, atol=1e-4, rtol=0)


def test_residual_is_the_change_of_the_rgb_view():
    batch = ViewTransform(SPEC, ALL).train(raw_clips(), seeded(3))
    rgb, residual = batch.view(0, "rgb"), batch.view(0, "residual")
    expected = (rgb[:, :, 1:] - rgb[:, :, :-1]) * RGB_STD / RESIDUAL_UNIT
    torch.testing.assert_close(residual[:, :, 1:], expected)


@pytest.mark.parametrize("frames", [2, 8])
def test_a_clip_that_stands_still_has_no_residual(frames):
    raw = raw_clips(t=frames, motion=False)
    raw = replace(raw, frames=raw.frames[:, :, :1].expand_as(raw.frames).contiguous())
    transform = ViewTransform(ClipSpec(frames=frames, size=32, short_side=40), ("rgb", "residual"))
    for seed in range(5):
        batch = transform.train(raw, seeded(seed))
        for v in range(2):
            assert batch.view(v, "residual").abs().max() == 0
            assert batch.view(v, "rgb").std() > 0.1


def test_draws_are_repeatable_differ_by_clip_and_variant_and_do_not_depend_on_the_views():
    raw = raw_clips(b=2, v=1)
    same = raw.frames[:1].expand(2, 2, -1, -1, -1, -1).contiguous()
    raw = raw_clips(b=2)
    field = replace(raw.motion, extent=torch.tensor([[10, 14]] * 2))
    raw = replace(raw, frames=same, extent=torch.tensor([[40, 56]]).expand(2, 2), motion=field)
    whole = ViewTransform(SPEC, ALL).train(raw, seeded(1))
    again = ViewTransform(SPEC, ALL).train(raw, seeded(1))
    alone = ViewTransform(SPEC, ("rgb",)).train(raw, seeded(1))
    other = ViewTransform(SPEC, ("rgb",)).train(raw, seeded(2))
    for v in range(2):
        for name in ALL:
            assert torch.equal(whole.view(v, name), again.view(v, name))
        torch.testing.assert_close(whole.view(v, "rgb"), alone.view(v, "rgb"), atol=1e-5, rtol=0)
        assert (alone.view(v, "rgb") - other.view(v, "rgb")).abs().mean() > 0.1
    rgb = [alone.view(v, "rgb")[b] for v in range(2) for b in range(2)]
    assert all((x - y).abs().mean() > 0.1 for i, x in enumerate(rgb) for y in rgb[:i])


def test_mixed_precision_changes_no_bit():
    transform = ViewTransform(SPEC, ALL)
    plain, measured = transform.train(raw_clips(), seeded()), transform.evaluate(raw_clips())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, mixed_measured = transform.train(raw_clips(), seeded()), transform.evaluate(raw_clips())
    for name in ALL:
        assert torch.equal(plain.view(1, name), mixed.view(1, name))
        assert torch.equal(measured.view(1, name), mixed_measured.view(1, name))


def test_plain_second_leaves_the_colours_of_the_second_variant_alone():
    raw = raw_clips(motion=False)
    grey = TransformConfig(area_min=1.0, aspect=(0.1, 10.0), grey_p=1.0, plain_second=1.0)
    batch = ViewTransform(SPEC, ("rgb",), grey).train(raw, seeded())
    first, second = (batch.view(v, "rgb") for v in range(2))
    torch.testing.assert_close(first[:, 0], first[:, 1], atol=1e-4, rtol=0)
    assert (second[:, 0] - second[:, 1]).abs().mean() > 0.3


def test_plain_second_leaves_the_sharpness_of_the_second_variant_alone():
    raw = raw_clips(motion=False)
    sharp = {"area_min": 1.0, "jitter_p": 0.0, "grey_p": 0.0, "plain_second": 1.0}
    blurred = ViewTransform(SPEC, ("rgb",), TransformConfig(**sharp, blur_p=1.0, blur_sigma=(2.0, 2.0)))
    untouched = ViewTransform(SPEC, ("rgb",), TransformConfig(**sharp, blur_p=0.0))
    ours, theirs = blurred.train(raw, seeded()), untouched.train(raw, seeded())
    assert torch.equal(ours.view(1, "rgb"), theirs.view(1, "rgb"))
    assert ours.view(0, "rgb").std() < 0.5 * theirs.view(0, "rgb").std()


def test_padding_never_reaches_the_views():
    raw = raw_clips()
    frames, motion, valid = raw.frames.clone(), raw.motion.values.clone(), raw.motion.valid.clone()
    for b in range(3):
        (h, w), (gh, gw) = raw.extent[b].tolist(), raw.motion.extent[b].tolist()
        for x, y, z, value in ((frames, h, w, 255), (motion, gh, gw, float("nan")), (valid, gh, gw, False)):
            x[b, :, :, y:] = value
            x[b, :, :, :, z:] = value
    other = replace(raw, frames=frames, motion=replace(raw.motion, values=motion, valid=valid))
    transform = ViewTransform(SPEC, ALL)
    for seed in range(3):
        for name in ALL:
            ours = transform.train(raw, seeded(seed)).view(1, name)
            assert torch.equal(ours, transform.train(other, seeded(seed)).view(1, name))
    assert torch.equal(transform.evaluate(raw).view(0, "rgb"), transform.evaluate(other).view(0, "rgb"))


def test_motion_equals_the_loops():
    raw = raw_clips(b=2)
    crop = Geometry(
        *(torch.tensor(v) for v in ([0.1, 0.3], [0.2, 0.0], [0.8, 0.5], [0.7, 0.4])), torch.tensor([False, True])
    )
    out = motion_view(raw.motion.window(0), crop, 9)
    assert (out == 0).any()
    assert (out.abs() == MOTION_LIMIT).any()
    rows, columns = crop.matrices(raw.motion.extent, 10, 14, 9)
    for b in range(2):
        expected = oracle.motion_view(
            raw.motion.values[b, 0, 1],
            raw.motion.valid[b, 0, 1],
            rows[b].numpy(),
            columns[b].numpy(),
            float(crop.height[b]),
            float(crop.width[b]),
            bool(crop.flip[b]),
            MOTION_UNIT,
            MOTION_LIMIT,
        )
        torch.testing.assert_close(out[b, :, 1], expected.permute(2, 0, 1), atol=1e-4, rtol=1e-4)


def bump(x, y, height=48, width=64, spread=3.0):
    """A white bump on black at (x, y) pixels."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    value = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    return torch.tensor(value.round(), dtype=torch.uint8)[..., None].expand(height, width, 3)


def centroid(image):
    """(x, y) of the brightness of [H, W] in pixels."""
    image = image.double() * (image > 0.02)
    rows, columns = torch.meshgrid(*(torch.arange(n) + 0.5 for n in image.shape), indexing="ij")
    return torch.stack([(image * columns).sum(), (image * rows).sum()]) / image.sum()


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_motion_view_says_by_how_many_pixels_the_rgb_view_moves(flip):
    dx, dy, t = 1.5, -0.75, 4
    frames = torch.stack([bump(30 + dx * i, 24 + dy * i) for i in range(t + 1)])[None, None]
    motion = torch.tensor([dx / 64, dy / 48]).expand(1, 1, t, 12, 16, 2)
    field = MotionField(motion, torch.ones(1, 1, t, 12, 16, dtype=torch.bool), torch.tensor([[12, 16]]))
    one = torch.tensor([0])
    raw = RawClips(frames, torch.tensor([[48, 64]]), index=one, source=one, label=one, motion=field)
    config = TransformConfig(area_min=0.5, area_max=0.9, flip=flip, jitter_p=0.0, grey_p=0.0, blur_p=0.0)
    transform = ViewTransform(ClipSpec(frames=t, size=64, short_side=64), ("rgb", "motion"), config)
    seen = 0
    for seed in range(20):
        batch = transform.train(raw, seeded(seed))
        rgb = batch.view(0, "rgb")[0, 0] * RGB_STD + RGB_MEAN
        if rgb[:, [0, -1]].max() > 0.01 or rgb[:, :, [0, -1]].max() > 0.01:
            continue  # the crop cuts the bump
        seen += 1
        shown = batch.view(0, "motion")[0, :, 1:].mean((1, 2, 3)) * MOTION_UNIT * 64
        moved = (centroid(rgb[-1]) - centroid(rgb[0])) / (t - 1)
        torch.testing.assert_close(shown.double(), moved, atol=0.05, rtol=0.03)
        assert moved[0] * (1 - 2 * flip) > 1
        assert moved[1] < -0.5
    assert seen >= 5


def test_a_mirrored_clip_gives_the_mirrored_views_with_dx_negated():
    raw = raw_clips(b=1)
    sign = torch.tensor([-1.0, 1.0])
    field = MotionField(raw.motion.values.flip(4) * sign, raw.motion.valid.flip(4), raw.motion.extent)
    mirrored = replace(raw, frames=raw.frames.flip(4), motion=field)
    transform = ViewTransform(SPEC, ALL)
    ours, theirs = transform.evaluate(raw), transform.evaluate(mirrored)
    for v in range(2):
        for name in ("rgb", "residual"):
            torch.testing.assert_close(ours.view(v, name), theirs.view(v, name).flip(4), atol=1e-4, rtol=0)
        expected = theirs.view(v, "motion").flip(4) * sign[:, None, None, None]
        torch.testing.assert_close(ours.view(v, "motion"), expected, atol=1e-4, rtol=0)


def test_evaluation_of_windows_is_that_of_each_window():
    raw = raw_clips(v=3)
    windows = ViewTransform(SPEC, ALL).evaluate(raw)
    assert len(windows.variants) == 3
    field = replace(raw.motion, values=raw.motion.values[:, 2:], valid=raw.motion.valid[:, 2:])
    last = replace(raw, frames=raw.frames[:, 2:], motion=field)
    for name in ALL:
        torch.testing.assert_close(windows.view(2, name), ViewTransform(SPEC, ALL).evaluate(last).view(0, name))


@pytest.mark.parametrize("views", [(), ("rgb", "rgb"), ("flow",)])
def test_impossible_views_are_refused(views):
    with pytest.raises(ConfigError, match="rgb, residual, motion"):
        ViewTransform(SPEC, views)


def test_bad_clips_are_refused():
    transform = ViewTransform(SPEC, ALL)
    with pytest.raises(DataError, match="residual"):
        transform.evaluate(raw_clips(motion=False))
    with pytest.raises(ShapeError, match="7 frames"):
        transform.evaluate(raw_clips(t=6))
    raw = raw_clips()
    with pytest.raises(ShapeError, match="extent runs"):
        transform.evaluate(replace(raw, extent=raw.extent + 1))
    with pytest.raises(ShapeError, match=r"RawClips.motion.extent runs"):
        transform.evaluate(replace(raw, motion=replace(raw.motion, extent=raw.motion.extent * 0)))


@pytest.mark.parametrize(
    "settings",
    [
        {"flip": 1.5},
        {"plain_second": -0.1},
        {"area_min": 0.0},
        {"area_min": 0.9, "area_max": 0.5},
        {"aspect": (2.0, 1.0)},
        {"jitter": (1.0, 0.0, 0.0, 0.0)},
        {"jitter": (0.4, 0.4, 0.4, 0.6)},
        {"blur_sigma": (0.0, 1.0)},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused_by_name(settings):
    with pytest.raises(ConfigError, match=f"transform.{next(iter(settings))} is"):
        TransformConfig(**settings)


def test_ten_crops_show_every_window_and_a_mirrored_one_negates_dx():
    raw = raw_clips()
    crops = list(ViewTransform(SPEC, ALL).ten_crops(raw))
    assert [len(crop.variants) for crop in crops] == [2] * 10
    middle, mirrored = crops[4].view(1, "motion"), crops[9].view(1, "motion")
    torch.testing.assert_close(mirrored[:, 0], -middle[:, 0].flip(-1))
    torch.testing.assert_close(mirrored[:, 1], middle[:, 1].flip(-1))
    torch.testing.assert_close(crops[9].view(0, "rgb"), crops[4].view(0, "rgb").flip(-1), atol=1e-5, rtol=0)
    upper = raw.frames[0, 1, 1:, :32, :32].permute(3, 0, 1, 2) / 255
    torch.testing.assert_close(crops[0].view(1, "rgb")[0], (upper - RGB_MEAN) / RGB_STD, atol=1e-4, rtol=0)
    assert torch.equal(crops[0].index, raw.index)


TINTED = replace(STILL, jitter=(0.9, 0.0, 0.0, 0.0), jitter_p=1.0, plain_pairs=True)
NEUTRAL = replace(TINTED, jitter_p=0.0)


def untouched(raw, seed):
    """Which of the two variants of each clip is left plain, bool [2, B]."""
    batch = ViewTransform(SPEC, ("rgb",), TINTED).train(raw, seeded(seed))
    plain = ViewTransform(SPEC, ("rgb",), NEUTRAL).train(raw, seeded(seed))
    return torch.stack([(batch.view(v, "rgb") == plain.view(v, "rgb")).flatten(1).all(1) for v in range(2)])


def test_of_one_window_coclr_leaves_one_variant_plain_either_and_of_two_each_with_seven_tenths():
    one, two = raw_clips(b=3), raw_clips(b=3)
    one = replace(one, frames=one.frames[:, :1].expand(-1, 2, -1, -1, -1, -1))
    found = torch.cat([untouched(one, seed) for seed in range(40)], dim=1)
    assert (found[0] ^ found[1]).all()
    assert 0.3 < found[0].float().mean() < 0.7
    found = torch.cat([untouched(two, seed) for seed in range(40)], dim=1).float()
    assert 0.6 < found.mean() < 0.8
    assert abs(float((found[0] * found[1]).mean()) - 0.49) < 0.13


def test_a_single_variant_is_never_plain():
    raw = raw_clips(v=1)
    batch, plain = (ViewTransform(SPEC, ("rgb",), config).train(raw, seeded()) for config in (TINTED, NEUTRAL))
    assert (batch.view(0, "rgb") != plain.view(0, "rgb")).flatten(1).any(1).all()


def test_every_variant_and_the_window_elsewhere_are_turned_each_by_its_own_draw():
    frames = raw_clips(b=3).frames[:, :1].expand(-1, 3, -1, -1, -1, -1)
    raw = replace(raw_clips(motion=False), frames=frames, elsewhere=torch.ones(3, dtype=torch.bool))
    turned = replace(STILL, rotation=10.0, disturb=(Elsewhere(),))
    batch = ViewTransform(SPEC, ("rgb",), turned).train(raw, seeded())
    plain = ViewTransform(SPEC, ("rgb",), replace(turned, rotation=0.0)).train(raw, seeded())
    shown = [batch.view(0, "rgb"), batch.view(1, "rgb"), batch.negatives.view("rgb")[0]]
    for x, other in zip(shown, shown[1:] + shown[:1], strict=True):
        assert ((x - plain.view(0, "rgb")).abs().mean((1, 2, 3, 4)) > 0.01).all()
        assert ((x - other).abs().mean((1, 2, 3, 4)) > 0.01).all()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"crop": 1.5}, "transform.crop is 1.5"),
        ({"rotation": -1.0}, "transform.rotation is -1"),
        ({"plain_pairs": True, "plain_second": 0.5}, "transform.plain_pairs is set beside transform.plain_second"),
    ],
)
def test_settings_of_crop_turn_and_plainness_that_cannot_be(settings, named):
    with pytest.raises(ConfigError, match=named):
        TransformConfig(**settings)

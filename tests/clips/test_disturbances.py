"""The theorems of BE and DSM, and each disturbance against loops."""

import math

import numpy as np
import pytest
import torch
from oracles import disturbances as oracle

from kinema.core.errors import ConfigError, ShapeError
from kinema.data.clips.transforms import (
    MOTION_LIMIT,
    MOTION_UNIT,
    BrokenMotion,
    Elsewhere,
    LocalWarp,
    Rotation,
    StaticFrame,
)
from kinema.data.clips.transforms.broken_motion import FURTHEST, _carried, _knots, _orders
from kinema.data.clips.transforms.local_warp import CENTRE, JITTER, SHIFT
from kinema.data.clips.transforms.views import RESIDUAL_UNIT, RGB_STD

SIZE, FRAMES = 16, 6
PER_UNIT = RGB_STD / RESIDUAL_UNIT


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(*shape, size=SIZE, seed=0):
    """Pictures without fine detail, so that looking between pixels is well defined."""
    coarse = torch.randn(*shape, 4, 4, generator=seeded(seed))
    flat = torch.nn.functional.interpolate(coarse.reshape(1, -1, 4, 4), size=(size, size), mode="bilinear")
    return flat.reshape(*shape, size, size)


def clips(b=4, frames=FRAMES, size=SIZE, seed=0):
    """All views of b clips; the residual is the change of rgb, as in the views."""
    rgb = smooth(b, 3, frames + 1, size=size, seed=seed)
    motion = 0.2 * smooth(b, 2, frames, size=size, seed=seed + 1)
    return {"rgb": rgb[:, :, 1:], "residual": rgb.diff(dim=2) * PER_UNIT, "motion": motion}


def held(variant, frame=0):
    """Clips that stand still."""
    zero = {name: torch.zeros_like(x) for name, x in variant.items()}
    return {**zero, "rgb": variant["rgb"][:, :, frame : frame + 1].expand_as(variant["rgb"]).contiguous()}


EVERY = [StaticFrame(), LocalWarp(), LocalWarp("thin-plate"), BrokenMotion(), Rotation()]


@pytest.mark.parametrize("disturbance", EVERY, ids=lambda d: f"{type(d).__name__}-{getattr(d, 'kind', '')}")
def test_what_every_disturbance_promises(disturbance):
    """Nothing given is changed, a draw is for one clip alone, and what is drawn does not depend on the views."""
    given = clips()
    before = {name: x.clone() for name, x in given.items()}
    made = disturbance.apply(given, seeded(3))
    again = disturbance.apply(given, seeded(3))
    assert made.keys() == given.keys()
    for name, x in made.items():
        assert torch.equal(given[name], before[name])
        assert torch.equal(x, again[name])
        assert x.shape == given[name].shape
    same = {name: x[:1].expand_as(x) for name, x in given.items()}
    made = disturbance.apply(same, seeded(3))
    assert not torch.allclose(made["rgb"][0], made["rgb"][1], atol=1e-3)
    only = disturbance.apply({name: given[name] for name in ("rgb", "motion")}, seeded(3))
    assert torch.equal(only["rgb"], again["rgb"])
    other = {**given, "rgb": given["rgb"].clone(), "motion": given["motion"]}
    other["rgb"][1:] += 5
    assert torch.equal(disturbance.apply(other, seeded(3))["rgb"][0], again["rgb"][0])


# The still frame of BE


def test_no_share_is_the_identity_bit_for_bit():
    given = clips()
    made = StaticFrame(0.0).apply(given, seeded())
    assert all(torch.equal(made[name], given[name]) for name in given)


def test_a_clip_that_stands_still_is_a_fixed_point_bit_for_bit():
    given = held(clips())
    made = StaticFrame(0.9).apply(given, seeded())
    assert all(torch.equal(made[name], given[name]) for name in given)


def test_frame_differences_shrink_by_exactly_one_minus_the_share():
    given, still = clips(b=16), StaticFrame(0.6)
    share, _ = still.draw(16, seeded(2))
    assert share.max() > 0.4
    assert share.min() < 0.15
    made = still.apply(given, seeded(2))
    factor = (1 - share)[:, None, None, None, None]
    torch.testing.assert_close(made["rgb"].diff(dim=2), factor * given["rgb"].diff(dim=2), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(made["residual"], factor * given["residual"])
    torch.testing.assert_close(made["residual"][:, :, 1:], made["rgb"].diff(dim=2) * PER_UNIT, atol=1e-5, rtol=1e-4)
    assert torch.equal(made["motion"], given["motion"])


def test_the_still_frame_against_loops():
    given, still = clips(b=5), StaticFrame(0.5)
    share, place = still.draw(5, seeded(7))
    made = still.apply(given, seeded(7))["rgb"]
    frames = {int(p * FRAMES) for p in place.tolist()}
    assert len(frames) > 2
    for clip in range(5):
        expected = oracle.static_frame(given["rgb"][clip].numpy(), float(share[clip]), int(place[clip] * FRAMES))
        np.testing.assert_allclose(made[clip].numpy(), expected, atol=1e-6)


def test_a_foreign_frame_is_one_of_the_next_clip_and_changes_a_clip_that_stands_still():
    given, foreign = clips(b=5), StaticFrame(0.5, source="batch")
    share, place = foreign.draw(5, seeded(7))
    made = foreign.apply(given, seeded(7))["rgb"]
    for clip in range(5):
        still = given["rgb"][(clip + 1) % 5, :, int(place[clip] * FRAMES)][:, None]
        expected = (1 - share[clip]) * given["rgb"][clip] + share[clip] * still
        torch.testing.assert_close(made[clip], expected)
    still = held(given)
    assert (foreign.apply(still, seeded(7))["rgb"] - still["rgb"]).abs().max() > 0.1
    with pytest.raises(ConfigError, match=r"static-frame\.source is 'video'"):
        StaticFrame(source="video")


def test_every_frame_may_be_the_one_that_is_added():
    _, place = StaticFrame().draw(400, seeded())
    assert set((place * FRAMES).long().tolist()) == set(range(FRAMES))


# The local warp of DSM


@pytest.mark.parametrize("kind", ["local", "thin-plate"])
def test_no_strength_is_the_identity(kind):
    given = clips()
    made = LocalWarp(kind, strength=0.0).apply(given, seeded())
    for name in given:
        torch.testing.assert_close(made[name], given[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["local", "thin-plate"])
def test_one_warp_for_all_frames_moves_their_differences_with_it(kind):
    given, warp = clips(size=48), LocalWarp(kind)
    made = warp.apply(given, seeded(1))
    assert (made["rgb"] - given["rgb"]).abs().max() > 0.3
    differences = warp.apply({"rgb": given["rgb"].diff(dim=2)}, seeded(1))["rgb"]
    torch.testing.assert_close(made["rgb"].diff(dim=2), differences, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(made["residual"][:, :, 1:], made["rgb"].diff(dim=2) * PER_UNIT, atol=1e-4, rtol=1e-3)
    still = warp.apply(held(given), seeded(1))
    assert torch.equal(still["rgb"], still["rgb"][:, :, :1].expand_as(still["rgb"]))


@pytest.mark.parametrize("around", ["centre", "shifted"])
def test_the_local_warp_against_loops(around):
    given = clips(b=8, frames=2)
    made = LocalWarp(around=around).apply(given, seeded(1))["rgb"]
    drawn = drawn_warps(8, 1)
    assert {len(warps) for warps in drawn} == {1, 2, 3}
    for clip, warps in enumerate(drawn):
        expected = oracle.looked_up(
            given["rgb"][clip].numpy(),
            lambda x, y, t, warps=warps: oracle.local_warps(x, y, warps, shifted=around == "shifted"),
        )
        np.testing.assert_allclose(made[clip].numpy(), expected, atol=2e-4)


def test_a_warp_around_the_shifted_centre_is_strongest_there():
    """In the released code the fall-off is centred at c + s, where the shift leads."""
    size = 448
    middle = (torch.arange(size) + 0.5) / size
    rest = torch.stack(torch.meshgrid(middle, middle, indexing="ij")[::-1], dim=-1)
    drawn = drawn_warps(40, 2)
    for around, factor in (("centre", 0), ("shifted", 1)):
        moved = (LocalWarp(around=around).draw(40, size, seeded(2)) - rest).norm(dim=-1)
        for clip, warps in enumerate(drawn):
            if len(warps) == 1:
                cx, cy, sx, sy = warps[0]
                row, column = divmod(int(moved[clip].argmax()), size)
                assert (middle[column], middle[row]) == pytest.approx((cx + factor * sx, cy + factor * sy), abs=0.01)


@pytest.mark.parametrize(("kind", "around"), [("local", "centre"), ("local", "shifted"), ("thin-plate", "centre")])
def test_the_warp_is_smooth_of_the_papers_size_and_folds_nothing_over(kind, around):
    looks = LocalWarp(kind, around=around).draw(64, 56, seeded())
    middle = (torch.arange(56) + 0.5) / 56
    rest = torch.stack(torch.meshgrid(middle, middle, indexing="ij")[::-1], dim=-1)
    furthest = (looks - rest).abs().amax((1, 2, 3))
    assert furthest.min() > (0.4 * SHIFT[0] if kind == "local" else 0.5 * JITTER)
    assert furthest.max() < (1.5 * SHIFT[1] if kind == "local" else 2 * JITTER)
    down, right = torch.gradient(looks, spacing=1 / 56, dim=(1, 2))
    assert (right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]).min() > 0.05
    coarse, fine = (LocalWarp(kind).draw(4, n, seeded()).diff(n=2, dim=1).abs().max() for n in (112, 224))
    assert fine < 0.4 * coarse, "a second difference falls with the square of the distance"


def test_the_spline_passes_through_its_points():
    """At the corners the plate is moved exactly as far as they were drawn to be."""
    size = 401
    jitter = 2 * torch.rand(1, 25, 2, generator=seeded(5)) - 1
    looks = LocalWarp("thin-plate").draw(1, size, seeded(5))[0]
    for point, (row, column) in {
        0: (0, 0),
        4: (0, size - 1),
        12: (size // 2, size // 2),
        24: (size - 1, size - 1),
    }.items():
        moved = looks[row, column] - (torch.tensor([column, row]) + 0.5) / size
        torch.testing.assert_close(moved, JITTER * jitter[0, point], atol=1e-3, rtol=0)


def test_the_motion_view_says_how_the_warped_picture_moves():
    """What moves from q - step to q is now seen at p with looks(p) = q: turned and stretched as the warp does."""
    size, step = 224, np.array([1e-3, 8e-4])
    motion = torch.from_numpy(step / MOTION_UNIT)[None, :, None, None, None].expand(8, 2, 2, size, size)
    made = LocalWarp().apply({"motion": motion.float().contiguous()}, seeded(4))["motion"]
    changed = 0.0
    for clip, warps in enumerate(drawn_warps(8, 4)):
        q = np.array(warps[0][:2]) + 0.3 * np.array(warps[0][2:])
        now, before = (seen_at(point, warps) for point in (q, q - step))
        told = [oracle.bilinear(made[clip, c, 1].numpy(), *now) * MOTION_UNIT for c in range(2)]
        np.testing.assert_allclose(told, now - before, atol=1e-4)
        changed = max(changed, float(np.abs(now - before - step).max()))
    assert changed > 4e-4, "the warps changed no motion by more than the tolerance"


# Turns


def test_a_quarter_turn_turns_the_picture_clockwise_and_its_motion_with_it(monkeypatch):
    monkeypatch.setattr(Rotation, "turns", lambda self, clips, generator: torch.full((clips,), math.pi / 2))
    given = clips()
    made = Rotation().apply(given, seeded())
    for name in ("rgb", "residual"):
        torch.testing.assert_close(made[name], given[name].rot90(-1, (3, 4)), atol=1e-4, rtol=1e-4)
    x, y = given["motion"].rot90(-1, (3, 4)).unbind(1)
    torch.testing.assert_close(made["motion"], torch.stack([-y, x], dim=1), atol=1e-3, rtol=1e-3)


def test_turns_stay_within_the_degrees_either_way_and_none_is_the_identity():
    turns = Rotation(10.0).turns(1000, seeded()) * 180 / math.pi
    assert -10 <= turns.min() < -9.5
    assert 9.5 < turns.max() <= 10
    given = clips()
    made = Rotation(0.0).apply(given, seeded())
    for name in given:
        torch.testing.assert_close(made[name], given[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("wrong", [{"degrees": -1.0}, {"degrees": 181.0}, {"variant": -1}])
def test_turns_that_there_are_not(wrong):
    with pytest.raises(ConfigError, match="rotation"):
        Rotation(**wrong)


def seen_at(q, warps):
    """Where the warped picture shows the point q: Newton's method on where it looks."""
    p = np.array(q)
    for _ in range(50):
        here = np.array(oracle.local_warps(*p, warps))
        slope = [(np.array(oracle.local_warps(*(p + h), warps)) - here) / 1e-6 for h in 1e-6 * np.eye(2)]
        p = p + 0.7 * np.linalg.solve(np.array(slope).T, q - here)
    np.testing.assert_allclose(oracle.local_warps(*p, warps), q, atol=1e-8)
    return p


def drawn_warps(clips, seed):
    """The (cx, cy, sx, sy) of each clip's warps, as LocalWarp draws them."""
    draws = torch.rand(clips, 13, generator=seeded(seed)).double()
    found = []
    for row in draws:
        numbers = row[1:].view(3, 2, 2).tolist()[: 1 + int(3 * row[0])]
        low, high = (CENTRE[0], SHIFT[0]), (CENTRE[1], SHIFT[1])
        found.append([tuple(low[i] + v * (high[i] - low[i]) for i in (0, 1) for v in pair[i]) for pair in numbers])
    return found


# The broken motion of DSM and IIC


@pytest.mark.parametrize("kind", ["warp", "shuffle", "repeat", "swap"])
def test_the_first_frame_is_the_clips_and_the_rest_is_not(kind):
    given = clips()
    made = BrokenMotion((kind,)).apply(given, seeded(2))
    for name in given:
        torch.testing.assert_close(made[name][:, :, 0], given[name][:, :, 0], atol=1e-6, rtol=1e-5)
        assert ((made[name] - given[name]).abs().flatten(1).amax(1) > 0.05).all(), name


@pytest.mark.parametrize("kind", ["warp", "shuffle", "repeat", "swap"])
def test_the_residual_is_the_change_of_the_broken_clip(kind):
    made = BrokenMotion((kind,)).apply(clips(), seeded(2))
    expected = made["rgb"].diff(dim=2) * PER_UNIT
    torch.testing.assert_close(made["residual"][:, :, 1:], expected, atol=1e-4, rtol=1e-3)


def test_orders_keep_the_frames_and_none_is_the_clip_itself():
    orders = _orders(500, 4, seeded())
    for name, order in orders.items():
        assert (order[:, 0] == 0).all()
        same = (order == torch.arange(4)).all(1)
        assert bool(same.all()) == (name == "warp")
        assert bool(same.any()) == (name == "warp")
    assert {tuple(row) for row in orders["shuffle"].tolist()} == {
        (0, 1, 3, 2), (0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 3, 2, 1),
    }  # fmt: skip
    assert {tuple(row) for row in orders["swap"].tolist()} == {(0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 2, 1)}
    assert not orders["repeat"].any()


def test_reordered_views_against_loops():
    given = clips(b=3)
    given["motion"] *= 5
    for kind in ("shuffle", "swap", "repeat"):
        made = BrokenMotion((kind,)).apply(given, seeded(6))
        draw = seeded(6)
        torch.rand(3, generator=draw)
        order = _orders(3, FRAMES, draw)[kind].tolist()
        for clip in range(3):
            for t in range(1, FRAMES):
                now, before = order[clip][t], order[clip][t - 1]
                assert torch.equal(made["rgb"][clip, :, t], given["rgb"][clip, :, now])
                low, high = min(now, before), max(now, before)
                between = given["motion"][clip, :, low + 1 : high + 1].sum(1) * (1 if now > before else -1)
                expected = between.clamp(-MOTION_LIMIT, MOTION_LIMIT)
                torch.testing.assert_close(made["motion"][clip, :, t], expected, atol=1e-5, rtol=1e-4)


def test_the_warp_against_loops():
    given = clips(b=2, frames=4)
    made = BrokenMotion(("warp",)).apply(given, seeded(8))
    draw = seeded(8)
    torch.rand(2, generator=draw)
    _orders(2, 4, draw)
    knots = _knots(2, 1.0, draw)
    assert knots.abs().min() >= 0.5
    assert knots.abs().max() <= 1
    assert knots.min() < 0 < knots.max()
    sigma = torch.nn.functional.interpolate(knots, size=(SIZE, SIZE), mode="bicubic", align_corners=True)
    carried = _carried(given["motion"])
    for clip in range(2):
        further = sigma[clip, 0] * carried[clip]

        def look(x, y, t, further=further):
            row, column = int(y * SIZE), int(x * SIZE)
            return x - float(further[0, t, row, column]), y - float(further[1, t, row, column])

        expected = oracle.looked_up(given["rgb"][clip].numpy(), look)
        np.testing.assert_allclose(made["rgb"][clip].numpy(), expected, atol=1e-4)
        moved = given["motion"][clip, :, 1:] + (further[:, 1:] - further[:, :-1]) / MOTION_UNIT
        torch.testing.assert_close(made["motion"][clip, :, 1:], moved.clamp(-MOTION_LIMIT, MOTION_LIMIT))


def test_what_was_carried_is_smooth_and_counts_what_moves():
    """A block that moves in a picture that does not: its own displacement, bent by the limit, and none far from it."""
    motion = torch.zeros(1, 2, 3, 48, 48)
    motion[:, :, :, 8:14, 8:14] = torch.tensor([0.8, -0.4])[None, :, None, None, None]  # 6 of a cell's 8 pixels
    carried = _carried(motion)
    assert torch.equal(carried[:, :, 0], torch.zeros(1, 2, 48, 48))
    for t in (1, 2):
        whole = t * torch.tensor([0.8, -0.4]) * MOTION_UNIT
        expected = whole / (1 + whole.norm() / FURTHEST)
        here = carried[0, :, t, 11:13, 11:13].mean((1, 2))  # half a pixel from the middle of a cell, either way
        torch.testing.assert_close(here, expected * (15 / 16) ** 2)
        assert not carried[0, :, t, 24:].any()
    wild = _carried(20 * torch.randn(4, 2, 6, 48, 48, generator=seeded()))
    assert wild.norm(dim=1).max() < FURTHEST
    assert wild.diff(dim=3).abs().max() < 2 * FURTHEST / (48 / 6) + 1e-6


def test_a_shift_that_is_warped_further_moves_by_what_the_motion_view_says():
    """The sign: where σ is positive, what moves to the right gets further to the right."""
    size, frames = 64, 3
    x = ((torch.arange(size) + 0.5) / size).expand(size, size)
    step = 0.05
    rgb = torch.stack([torch.exp(-((x - 0.4 - step * t) ** 2) / 0.002) for t in range(frames)])
    motion = torch.zeros(1, 2, frames, size, size)
    motion[:, 0] = step / MOTION_UNIT
    given = {"rgb": rgb[None, None].expand(1, 3, -1, -1, -1).contiguous(), "motion": motion}
    told = []
    for seed in range(6):
        made = BrokenMotion(("warp",)).apply(given, seeded(seed))
        row = size // 2
        picture = made["rgb"][0, 0, :, row].clamp_min(0).square()
        places = (picture * x[row]).sum(1) / picture.sum(1)
        told.append(float(made["motion"][0, 0, 1, row, int(places[1] * size)]) * MOTION_UNIT)
        assert float(places[1] - places[0]) == pytest.approx(told[-1], abs=0.006)
    assert max(told) > step + 0.012
    assert min(told) < step - 0.012


def test_each_clip_takes_one_of_the_kinds():
    given = {name: x[:1].expand(60, -1, -1, -1, -1).contiguous() for name, x in clips().items()}
    made = BrokenMotion(("shuffle", "repeat")).apply(given, seeded())["rgb"]
    still = (made == made[:, :, :1]).flatten(1).all(1)
    assert 15 < int(still.sum()) < 45


def test_two_frames_have_no_other_order():
    given = clips(frames=2)
    with pytest.raises(ShapeError, match="2 frames cannot be reordered") as caught:
        BrokenMotion(("swap",)).apply(given, seeded())
    assert "clip.frames" in caught.value.hint
    assert BrokenMotion(("repeat", "warp")).apply(given, seeded())["rgb"].shape == given["rgb"].shape


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: StaticFrame(1.0), "strength is 1.0"),
        (lambda: StaticFrame(-0.1), "strength is -0.1"),
        (lambda: StaticFrame(variant=-1), "variant is -1"),
        (lambda: LocalWarp("spline"), "kind is 'spline'"),
        (lambda: LocalWarp(strength=1.5), "strength is 1.5"),
        (lambda: LocalWarp(around="end"), "around is 'end'"),
        (lambda: Elsewhere(-1), "apart is -1"),
        (lambda: LocalWarp(variant=-1), "variant is -1"),
        (lambda: BrokenMotion(()), r"kinds is \[\]"),
        (lambda: BrokenMotion(("warp", "warp")), "each once"),
        (lambda: BrokenMotion(("wrap",)), "wrap"),
        (lambda: BrokenMotion(strength=0.0), "strength is 0.0"),
        (lambda: BrokenMotion(variant=-1), "variant is -1"),
    ],
)
def test_settings_that_cannot_be_are_named(make, named):
    with pytest.raises(ConfigError, match=named):
        make()

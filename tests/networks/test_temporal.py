"""Networks over frames: padding changes nothing, the residual is the paper's, the transformer starts as no change."""

import pytest
import torch
from debug_size import generator
from torch.nn.functional import affine_grid, grid_sample

from kinema.core.errors import ConfigError, ShapeError
from kinema.networks.temporal import (
    Alignment,
    MaskedBiLSTM,
    SpatialTemporalTransformer,
    TemporalResidual,
    aligned,
    masked_mean,
    padded,
)

LENGTHS = (5, 1, 3)
MASK = torch.arange(5) < torch.tensor(LENGTHS)[:, None]


def frames(dim=6, step=0):
    """Tracklets of several lengths, with noise where padding is."""
    return torch.randn(len(LENGTHS), max(LENGTHS), dim, generator=generator(step))


def one_by_one(net, x):
    return [net(x[n : n + 1, :length], torch.ones(1, length, dtype=torch.bool)) for n, length in enumerate(LENGTHS)]


def test_a_bilstm_sees_no_padding():
    torch.manual_seed(0)
    net, x = MaskedBiLSTM(6, 8), frames()
    together = net(x, MASK)
    for n, alone in enumerate(one_by_one(net, x)):
        torch.testing.assert_close(together[n, : LENGTHS[n]], alone[0])
        assert not together[n, LENGTHS[n] :].any()
    torch.testing.assert_close(together[:1], net.lstm(x[:1])[0])
    torch.testing.assert_close(masked_mean(together, MASK)[2], together[2, :3].mean(dim=0))


@pytest.mark.parametrize("mask", [[[False, False]], [[False, True]]], ids=["none", "before"])
def test_a_tracklet_without_a_first_frame_is_refused(mask):
    with pytest.raises(ShapeError, match="padding must be at the end"):
        MaskedBiLSTM(6, 8)(torch.zeros(1, 2, 6), torch.tensor(mask))


def test_an_odd_number_of_features_has_no_two_directions():
    with pytest.raises(ConfigError, match="give out 7"):
        TemporalResidual(7)


@pytest.mark.parametrize("residual", ["mean", "frame", "none"])
def test_the_residual_tracklet_by_tracklet(residual):
    torch.manual_seed(0)
    net, x = TemporalResidual(6, residual=residual), frames()
    got = net(x, MASK)
    for n, length in enumerate(LENGTHS):
        own = x[n : n + 1, :length]
        each = net.generic.lstm(own)[0]
        beside = {"mean": each.mean(dim=1, keepdim=True), "frame": each, "none": 0.0}[residual]
        torch.testing.assert_close(got["generic"][n], each.mean(dim=1)[0])
        torch.testing.assert_close(got["specific"][n], net.specific.lstm(own - beside)[0].mean(dim=1)[0])


def test_parts_that_are_left_out_are_neither_given_out_nor_built():
    x = frames()
    only = TemporalResidual(6, specific=False)
    assert only(x, MASK).keys() == {"generic"}
    assert only.specific is None
    specific = TemporalResidual(6, generic=False)
    assert specific(x, MASK).keys() == {"specific"}
    assert specific.generic is not None  # the residual is of it
    assert TemporalResidual(6, generic=False, residual="none").generic is None


def test_the_transformer_starts_as_the_identity():
    torch.manual_seed(0)
    net = SpatialTemporalTransformer(10)
    maps = torch.randn(int(MASK.sum()), 10, 15, 7, generator=generator(0))
    read, alignment = net(maps, MASK)
    torch.testing.assert_close(read, maps, atol=1e-5, rtol=0)
    assert torch.equal(alignment.shift, torch.zeros(9, 2))
    assert torch.equal(alignment.scale, torch.ones(9, 2))
    assert sum(p.numel() for p in SpatialTemporalTransformer(64).parameters()) < 25_000


def test_the_window_is_that_of_affine_grid():
    maps = torch.randn(4, 3, 6, 5, generator=generator(0))
    shift = torch.rand(4, 2, generator=generator(1)) - 0.5
    scale = torch.rand(4, 2, generator=generator(2)) + 0.5
    theta = torch.zeros(4, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale[:, 0], scale[:, 1], shift
    grid = affine_grid(theta, list(maps.shape), align_corners=False)
    expected = grid_sample(maps, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(aligned(maps, Alignment(shift, scale)), expected, atol=1e-5, rtol=1e-5)


def test_a_frame_is_aligned_by_its_own_tracklet_alone():
    torch.manual_seed(0)
    net = SpatialTemporalTransformer(4)
    torch.nn.init.normal_(net.theta.weight)
    maps = torch.randn(9, 4, 8, 4, generator=generator(0))
    whole, alignment = net(maps, MASK)
    assert float(alignment.shift.detach().abs().max()) > 0.1
    parts = [net(own, torch.ones(1, len(own), dtype=torch.bool))[0] for own in maps.split(LENGTHS)]
    torch.testing.assert_close(whole, torch.cat(parts), atol=1e-5, rtol=1e-5)
    changed = maps.clone()
    changed[0] += 1  # of the first tracklet's five: its neighbours see it, other tracklets do not
    after = net(changed, MASK)[1].shift
    moved = (after - alignment.shift).abs().amax(dim=1) > 1e-6
    assert moved[:5].all()
    assert not moved[5:].any()


def test_rows_are_put_where_they_belong():
    x = torch.arange(18.0).view(9, 2)
    got = padded(x, MASK)
    assert torch.equal(got[MASK], x)
    assert not got[~MASK].any()

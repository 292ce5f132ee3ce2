"""DSM: both forms against loops."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, fill, generator, make_batch, make_config, make_method
from oracles import objectives as oracle

from kinema.core.clips import Negatives
from kinema.core.errors import ConfigError, ShapeError
from kinema.data.clips.transforms import BrokenMotion, Elsewhere, LocalWarp
from kinema.methods import DSMTriplets


def doubled(tower, x):
    with torch.no_grad():
        return tower(x).double()


def test_the_contrast_has_k_plus_two_logits():
    method = make_method("dsm", negatives_from="queue", siblings="negatives")
    step = fill(method)
    batch = make_batch(method, step)
    q, k, n = (
        doubled(tower, x).tolist()
        for tower, x in (
            (method.f_q, batch.view(0, "rgb")),
            (method.f_k, batch.view(1, "rgb")),
            (method.f_k, batch.negatives.view("rgb")[0]),
        )
    )
    memory, losses = method.queue.features("rgb").double().tolist(), []
    for clip in range(BATCH):
        own = [n[clip]] if batch.negatives.valid[clip, 0] else []
        losses.append(oracle.info_nce([q[clip]], [k[clip]], [*memory, *own], 0.2))
    got = method.loss(batch, generator(step)).total
    assert float(got.detach()) == pytest.approx(sum(losses) / BATCH, rel=1e-5)


def test_the_two_triplets_against_loops():
    """Its own broken motion, and the next clip's, unless that is of the same recording."""
    method = make_method("dsm", form="triplets")
    assert isinstance(method, DSMTriplets)
    batch = make_batch(method, 0)
    q, k = (doubled(method.tower, batch.view(variant, "rgb")) for variant in (0, 1))
    n, valid = doubled(method.tower, batch.negatives.view("rgb")[0]), batch.negatives.valid[:, 0]

    def hinge(clip, negative):
        return max(0.0, float((q[clip] - k[clip]).norm() - (q[clip] - n[negative]).norm()) + 0.5)

    intra = [hinge(clip, clip) for clip in range(BATCH) if valid[clip]]
    following = [(clip, (clip + 1) % BATCH) for clip in range(BATCH)]
    inter = [hinge(a, b) for a, b in following if valid[b] and batch.source[a] != batch.source[b]]
    assert 0 < len(inter) < len(intra)
    losses = method.loss(batch, generator(0))
    assert float(losses.terms["intra"]) == pytest.approx(sum(intra) / len(intra), rel=1e-4)
    assert float(losses.terms["inter"]) == pytest.approx(sum(inter) / len(inter), rel=1e-4)
    torch.testing.assert_close(losses.total.detach(), losses.terms["intra"] + losses.terms["inter"])
    whole = replace(batch, negatives=replace(batch.negatives, valid=None))
    every = [hinge(clip, clip) for clip in range(BATCH)]
    assert float(method.loss(whole, generator(0)).terms["intra"]) == pytest.approx(sum(every) / BATCH, rel=1e-4)
    with pytest.raises(ShapeError, match="no negatives"):
        method.loss(replace(batch, negatives=Negatives()), generator(0))


def test_what_it_asks_of_its_batch():
    warp, broken = LocalWarp("thin-plate", 0.5), BrokenMotion(("swap",))
    for form in ("contrast", "triplets"):
        assert make_method("dsm", form=form, warp=warp, broken=broken).needs.disturbances == (warp, broken)
    assert make_config("dsm").disturbances == (LocalWarp(), BrokenMotion())
    assert make_config("dsm", form="triplets").warm_up_clips == 0
    for form in ("contrast", "triplets"):
        released = make_method("dsm", form=form, negative="elsewhere", apart=4)
        assert released.needs.disturbances == (LocalWarp(), Elsewhere(4))
        assert torch.isfinite(released.loss(make_batch(released, 0), generator(0)).total)
    with pytest.raises(ConfigError, match="negative is 'shuffled'"):
        make_config("dsm", negative="shuffled")
    with pytest.raises(ConfigError, match=r"margin is -1"):
        make_config("dsm", margin=-1)

"""BE: its three forms against loops, and what must hold of them."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, fill, generator, make_batch, make_config, make_method
from oracles import objectives as oracle
from torch.nn.functional import mse_loss

from kinema.core.clips import Negatives
from kinema.core.errors import ConfigError, ShapeError
from kinema.data.clips.transforms import Elsewhere, StaticFrame, mixed
from kinema.methods import BEConfig, BETriplet


def doubled(tower, x):
    with torch.no_grad():
        return tower(x).double().tolist()


@pytest.mark.parametrize("negatives", ["both", "queue", "batch"])
@pytest.mark.parametrize("siblings", ["ignored", "negatives"])
def test_the_contrast_against_loops(siblings, negatives):
    """[q·k, q·others, q·n]: one more logit for the clips that have an n."""
    method = make_method("be", siblings=siblings, negatives_from=negatives)
    step = fill(method)
    for back in range(2, 0, -1):
        method.commit(method.loss(make_batch(method, step - back), generator(0)))
    batch = make_batch(method, step)
    q, k = doubled(method.f_q, batch.view(0, "rgb")), doubled(method.f_k, batch.view(1, "rgb"))
    (n,) = (doubled(method.f_k, x) for x in batch.negatives.view("rgb"))
    memory, kept = method.queue.features("rgb").double().tolist(), method.queue.source.tolist()
    assert 0 < int(batch.negatives.valid.sum()) < BATCH
    losses = []
    for clip in range(BATCH):
        others = [(k[i], int(batch.source[i])) for i in range(BATCH) if i != clip and negatives != "queue"]
        others += [pair for pair in zip(memory, kept, strict=True) if negatives != "batch"]
        keys = [key for key, source in others if siblings == "negatives" or source != int(batch.source[clip])]
        keys += [n[clip]] if batch.negatives.valid[clip, 0] else []
        losses.append(oracle.info_nce([q[clip]], [k[clip]], keys, 0.2))
    got = method.loss(batch, generator(step)).total
    assert float(got.detach()) == pytest.approx(sum(losses) / BATCH, rel=1e-5)


def test_the_triplet_against_loops():
    method = make_method("be", form="triplet", margin=0.2)
    assert isinstance(method, BETriplet)
    batch = make_batch(method, 0)
    q, k = (torch.tensor(doubled(method.tower, batch.view(variant, "rgb"))) for variant in (0, 1))
    n = torch.tensor(doubled(method.tower, batch.negatives.view("rgb")[0]))
    told = [
        max(0.0, float((q[i] - k[i]).norm() - (q[i] - n[i]).norm()) + 0.2)
        for i in range(BATCH)
        if batch.negatives.valid[i, 0]
    ]
    assert any(told)
    losses = method.loss(batch, generator(0))
    assert losses.ready
    assert float(losses.total.detach()) == pytest.approx(sum(told) / len(told), rel=1e-4)
    with pytest.raises(ShapeError, match="no negatives"):
        method.loss(replace(batch, negatives=Negatives()), generator(0))


def test_both_triplets_against_loops():
    """Its own window elsewhere, and the next clip's, unless that is of the same recording."""
    method = make_method("be", form="triplets", margin=0.2)
    assert isinstance(method, BETriplet)
    batch = make_batch(method, 0)
    q, k = (torch.tensor(doubled(method.tower, batch.view(variant, "rgb"))) for variant in (0, 1))
    n, valid = torch.tensor(doubled(method.tower, batch.negatives.view("rgb")[0])), batch.negatives.valid[:, 0]

    def hinge(clip, negative):
        return max(0.0, float((q[clip] - k[clip]).norm() - (q[clip] - n[negative]).norm()) + 0.2)

    following = [(clip, (clip + 1) % BATCH) for clip in range(BATCH)]
    intra = [hinge(clip, clip) for clip in range(BATCH) if valid[clip]]
    inter = [hinge(a, b) for a, b in following if valid[b] and batch.source[a] != batch.source[b]]
    losses = method.loss(batch, generator(0))
    assert float(losses.terms["intra"]) == pytest.approx(sum(intra) / len(intra), rel=1e-4)
    assert float(losses.terms["inter"]) == pytest.approx(sum(inter) / len(inter), rel=1e-4)
    torch.testing.assert_close(losses.total.detach(), losses.terms["intra"] + losses.terms["inter"])
    with pytest.raises(ShapeError, match="no negatives"):
        method.loss(replace(batch, negatives=Negatives()), generator(0))


def test_what_it_asks_of_its_batch():
    assert make_config("be", apart=4).disturbances[1] == Elsewhere(4)
    config = make_config("be", strength=0.2)
    assert config.disturbances == (StaticFrame(0.2), Elsewhere())
    for form in ("contrast", "triplet", "triplets"):
        assert make_method("be", form=form, strength=0.2).needs.disturbances == config.disturbances
    assert config.warm_up_clips == config.queue
    assert make_config("be", form="triplet").warm_up_clips == 0
    assert make_config("be", negatives_from="batch").warm_up_clips == 0


def test_the_regulariser_against_its_formula():
    method = make_method("be-regulariser", strength=0.5)
    batch = make_batch(method, 0)
    x = batch.view(0, "rgb")
    share, place = StaticFrame(0.5).draw(BATCH, generator(3))
    with torch.no_grad():
        expected = mse_loss(method.embed(mixed({"rgb": x}, share, place)["rgb"]), method.embed(x))
    got = method.loss(batch, generator(3))
    torch.testing.assert_close(got.total.detach(), expected)
    assert not torch.equal(got.total, method.loss(batch, generator(4)).total)


def test_the_regulariser_asks_nothing_of_clips_that_stand_still():
    method = make_method("be-regulariser")
    batch = make_batch(method, 0)
    still = batch.view(0, "rgb")[:, :, :1].expand(-1, -1, 4, -1, -1).contiguous()
    assert float(method.loss(replace(batch, variants=({"rgb": still},)), generator(0)).total.detach()) == 0


@pytest.mark.parametrize("name", ["be", "be-regulariser"])
def test_what_cannot_be_is_refused(name):
    with pytest.raises(ConfigError, match="'motion', which a still frame does not change"):
        make_config(name, view="motion")
    for strength in (0.0, 1.0):
        with pytest.raises(ConfigError, match=f"strength is {strength}"):
            make_config(name, strength=strength)
    with pytest.raises(ConfigError, match=r"margin is -0\.1"):
        make_config("be", margin=-0.1)


def test_a_still_frame_is_the_clips_or_the_batchs():
    assert BEConfig(still_from="batch").disturbances[0].source == "batch"
    with pytest.raises(ConfigError, match=r"method\.still_from is 'video'"):
        BEConfig(still_from="video")

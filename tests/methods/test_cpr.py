"""CPR on a queue: the loss against a slow statement of the paper, and what must hold for any network."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, VIDEOS, fill, generator, make_batch, make_config, make_method, snapshot, train_step
from oracles import cpr as oracle

from kinema.core.errors import ConfigError
from kinema.core.seeds import generator_at
from kinema.methods import CPRConfig

DOUBLE = {"stages": 3, "keep": 0.5, "k": 2, "temperature": 0.2, "miner": "key", "own_key": "both"}


def ready(**changes):
    """CPR with a full queue of random directions, ids that are not the slots, and a batch with two siblings a clip."""
    method = make_method("cpr", **changes)
    step = fill(method)
    draw = generator_at(changes.get("seed", 0), "queue")
    for view in method.needs.views:
        method.queue.features(view).copy_(torch.nn.functional.normalize(torch.randn(VIDEOS, 16, generator=draw), dim=1))
    shuffled = torch.randperm(VIDEOS, generator=draw)
    method.queue.index.copy_(shuffled)
    method.queue.source.copy_(shuffled // 2)
    return method, make_batch(method, step), step


def projections(method, batch):
    with torch.no_grad():
        q, key = method.f_q(batch.view(0, "rgb")), method.f_k(batch.view(1, "rgb"))
        p = method.g_b(batch.view(1, "motion"))
    return q, key, p


def by_oracle(method, batch, settings, dropped):
    found = [x.double().tolist() for x in projections(method, batch)]
    memory = [method.queue.features(view).double().tolist() for view in ("rgb", "motion")]
    sources = batch.source.tolist(), method.queue.source.tolist()
    return oracle.cpr(*found, *memory, *sources, settings, dropped)


@pytest.mark.parametrize("own_key", ["both", "numerator", "keep"])
@pytest.mark.parametrize("drop_own", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_oracle(own_key, drop_own, seed):
    method, batch, step = ready(own_key=own_key, drop_own=drop_own, seed=seed)
    losses = method.loss(batch, generator(step))
    expected, mined = by_oracle(method, batch, {**DOUBLE, "own_key": own_key}, dropped=drop_own == 1.0)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)
    rows = method.queue.index.tolist()
    assert losses.mined.tolist() == [[rows[slot] for slot in found] for found in mined]


@pytest.mark.parametrize("drop_own", [0.0, 1.0])
def test_without_the_batch_the_queue_alone_is_negative(drop_own):
    method, batch, step = ready(negatives_from="queue", drop_own=drop_own)
    losses = method.loss(batch, generator(step))
    expected, _ = by_oracle(method, batch, {**DOUBLE, "negatives_from": "queue"}, dropped=drop_own == 1.0)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)
    with_it, _ = by_oracle(method, batch, DOUBLE, dropped=drop_own == 1.0)
    assert with_it > 1.01 * expected


@pytest.mark.parametrize("own_key", ["both", "numerator"])
@pytest.mark.parametrize("drop_own", [0.0, 1.0])
def test_without_the_queue_the_mined_are_positives_and_the_batch_alone_is_negative(own_key, drop_own):
    method, batch, step = ready(negatives_from="batch", own_key=own_key, drop_own=drop_own)
    losses = method.loss(batch, generator(step))
    settings = {**DOUBLE, "own_key": own_key, "negatives_from": "batch"}
    expected, _ = by_oracle(method, batch, settings, dropped=drop_own == 1.0)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)
    with_it, _ = by_oracle(method, batch, {**settings, "negatives_from": "both"}, dropped=drop_own == 1.0)
    assert with_it > 1.01 * expected


@pytest.mark.parametrize("miner", ["key", "query"])
@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_every_number_of_stages_and_both_miners_equal_the_oracle(stages, miner):
    method, batch, step = ready(stages=stages, keep=0.6, miner=miner, drop_own=0.0)
    losses = method.loss(batch, generator(step))
    expected, mined = by_oracle(method, batch, {**DOUBLE, "stages": stages, "keep": 0.6, "miner": miner}, dropped=False)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)
    rows = method.queue.index.tolist()
    assert losses.mined.tolist() == [[rows[slot] for slot in found] for found in mined]


def test_the_three_ways_with_the_own_key_differ_as_they_should():
    totals = {}
    for own_key in ("both", "numerator", "keep"):
        method, batch, step = ready(own_key=own_key, drop_own=1.0)
        totals[own_key] = float(method.loss(batch, generator(step)).total.detach())
    assert totals["numerator"] > totals["both"] > 0
    assert totals["keep"] < totals["numerator"]
    method, batch, step = ready(own_key="both", drop_own=0.0)
    assert float(method.loss(batch, generator(step)).total.detach()) == totals["keep"]


def test_the_own_key_is_dropped_as_often_as_asked():
    method, batch, _ = ready(drop_own=0.75)
    kept, _ = by_oracle(method, batch, DOUBLE, dropped=False)
    totals = [float(method.loss(batch, generator(draw)).total.detach()) for draw in range(60)]
    drops = sum(abs(total - kept) > 1e-4 for total in totals)
    assert 36 <= drops <= 54
    assert len({round(total, 5) for total in totals}) == 2


def test_one_stage_is_coclr():
    """Plain top-k in the guide's view, whatever the trained view says; the cascade finds others."""
    method, batch, step = ready(stages=1, k=5)
    _, _, p = projections(method, batch)
    scores = p @ method.queue.features("motion").T
    scores[batch.source[:, None] == method.queue.source] = -2
    top = method.queue.index[scores.topk(5, dim=1).indices]
    assert torch.equal(method.loss(batch, generator(step)).mined, top)
    method.queue.features("rgb").copy_(method.queue.features("rgb").flip(0))
    assert torch.equal(method.loss(batch, generator(step)).mined, top)
    deeper, batch, step = ready(stages=2, sizes=(8, 5))
    assert torch.equal(deeper.loss(batch, generator(step)).mined, top), "two stages in the guide are one"
    cascade, batch, step = ready(sizes=(8, 6, 5))
    assert not torch.equal(cascade.loss(batch, generator(step)).mined, top)


def test_siblings_are_positive_but_never_mined():
    method, batch, step = ready(k=4, sizes=(10, 6, 4), drop_own=0.0)
    sibling = batch.source[:, None] == method.queue.source
    assert (sibling.sum(dim=1) == 2).all()
    # The siblings are made the guide's favourites: were they not barred, they would be mined.
    _, _, p = projections(method, batch)
    for clip in range(BATCH):
        method.queue.features("motion")[sibling[clip]] = p[clip]
    losses = method.loss(batch, generator(step))
    mined_source = losses.mined // 2
    assert not (mined_source == batch.source[:, None]).any()
    without = replace(batch, source=batch.source + 1000)
    apart = method.loss(without, generator(step))
    assert (apart.mined // 2 == batch.source[:, None]).any()
    expected, _ = by_oracle(method, batch, {**DOUBLE, "k": 4, "stages": 3, "keep": 0.64}, dropped=False)
    assert float(losses.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_places_that_cannot_be_filled_are_minus_one():
    method, batch, step = ready(k=3, sizes=(12, 6, 3))
    method.queue.source.fill_(int(batch.source[0]))
    losses = method.loss(batch, generator(step))
    assert (losses.mined[batch.source == batch.source[0]] == -1).all()
    assert (losses.mined[batch.source != batch.source[0]] >= 0).all()
    assert torch.isfinite(losses.total)


def test_key_and_query_mine_differently():
    found = {}
    for miner in ("key", "query"):
        method, batch, step = ready(miner=miner, k=4, sizes=(10, 6, 4))
        found[miner] = method.loss(batch, generator(step)).mined
    assert not torch.equal(found["key"], found["query"])


def test_the_query_is_looked_up_in_view_a_alone():
    """As in the authors' code: view b is searched with the guide's feature of the key variant."""
    method, batch, step = ready(miner="query", stages=1)
    mined = method.loss(batch, generator(step)).mined
    other = replace(batch, variants=({**batch.variants[0], "motion": -batch.view(0, "motion")}, batch.variants[1]))
    assert torch.equal(method.loss(other, generator(step)).mined, mined)
    assert torch.equal(mined, replace_miner(method, "key").loss(batch, generator(step)).mined)


def replace_miner(method, miner):
    method.config = replace(method.config, miner=miner)
    return method


def test_the_queue_moves_only_with_commit():
    method, batch, step = ready()
    before = snapshot(method)
    losses = method.loss(batch, generator(step))
    assert all(torch.equal(value, before[key]) for key, value in snapshot(method).items())
    with torch.no_grad():
        for parameter in method.f_q.parameters():
            parameter.add_(0.5)
    f_q = {key: value.clone() for key, value in method.f_q.state_dict().items()}
    pointer = int(before["queue.pointer"])
    method.commit(losses)
    slots = (pointer + torch.arange(BATCH)) % VIDEOS
    assert torch.equal(method.queue.features("rgb")[slots], losses.pending["key"])
    assert torch.equal(method.queue.features("motion")[slots], losses.pending["p"])
    assert torch.equal(method.queue.index[slots], batch.index)
    assert torch.equal(method.queue.source[slots], batch.source)
    others = [slot for slot in range(VIDEOS) if slot not in slots.tolist()]
    assert torch.equal(method.queue.features("rgb")[others], before["queue.features_rgb"][others])
    for name, value in method.f_k.state_dict().items():
        expected = 0.99 * before[f"f_k.{name}"] + 0.01 * f_q[name]
        torch.testing.assert_close(value, expected, msg=lambda m, name=name: f"{name}: {m}")
        assert torch.equal(f_q[name], method.f_q.state_dict()[name])


def test_nothing_is_learnt_before_the_queue_is_full():
    method = make_method("cpr")
    optimiser = torch.optim.SGD(method.f_q.parameters(), lr=1.0)
    before = snapshot(method)
    for step in range(VIDEOS // BATCH):
        losses = train_step(method, optimiser, step)
        assert not losses.ready
        assert float(losses.total) == 0.0
        assert not losses.total.requires_grad
        assert losses.mined is None
    after = snapshot(method)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed
    assert {key.split(".")[0] for key in changed} == {"queue"}
    assert train_step(method, optimiser, step + 1).ready
    assert any(not torch.equal(value, after[key]) for key, value in snapshot(method).items() if key.startswith("f_q"))
    assert all(torch.equal(value, after[key]) for key, value in snapshot(method).items() if key.startswith("g_b"))


def test_the_guide_never_trains_even_in_training_mode():
    method = make_method("cpr", norm="batch")
    assert method.training
    assert not any(module.training for module in method.g_b.modules())
    before = {key: value.clone() for key, value in method.g_b.state_dict().items()}
    step = fill(method)
    method.loss(make_batch(method, step), generator(step))
    assert all(torch.equal(value, before[key]) for key, value in method.g_b.state_dict().items())


def test_the_momentum_tower_starts_where_the_query_tower_does():
    method, earlier = make_method("cpr"), make_method("cpr", seed=1)
    method.start({"rgb": earlier.f_q.state_dict(), "motion": earlier.g_b.state_dict()})
    for tower, theirs in ((method.f_q, earlier.f_q), (method.f_k, earlier.f_q), (method.g_b, earlier.g_b)):
        assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in tower.state_dict().items())


def test_labels_never_reach_it():
    method, batch, step = ready()
    assert not method.needs.labels
    assert batch.label is None
    labelled = replace(batch, label=torch.arange(BATCH))
    one, other = method.loss(batch, generator(step)), method.loss(labelled, generator(step))
    assert torch.equal(one.total, other.total)
    assert torch.equal(one.mined, other.mined)
    assert "label" not in one.pending


def test_settings_that_cannot_be():
    with pytest.raises(ConfigError, match="both 'rgb'") as caught:
        CPRConfig(guide="rgb")
    assert "'residual'" in caught.value.hint
    with pytest.raises(ConfigError, match=r"4 stages that keep 0\.5 of 16 .* leaves 2 .* take 3"):
        make_config("cpr", stages=4, k=3)
    for sizes in ((), (17, 4), (4, 8), (4, 0)):
        with pytest.raises(ConfigError, match=r"sizes is \[.*memory of 16"):
            make_config("cpr", sizes=sizes)
    assert CPRConfig(queue=2048, stages=7, k=5).resolved_sizes() == (1024, 512, 256, 128, 64, 32, 5)
    assert make_config("cpr", sizes=(9, 3)).resolved_sizes() == (9, 3)

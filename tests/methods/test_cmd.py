"""CMD: its two losses, where its gradient goes, and that each of its parts can be left out."""

from dataclasses import replace
from math import log

import pytest
import torch
from debug_size import BATCH, generator, make_batch, make_config, make_method
from oracles import cmd as oracle
from tiny_runs import assert_same_run, rows, tiny_plan
from torch.nn.functional import normalize

from kinema import api
from kinema.core.clips import ClipSpec, Companions, MotionClips
from kinema.core.errors import ConfigError, DataError, ShapeError, TrainingError
from kinema.core.method import TrainingContext
from kinema.methods import CMDConfig
from kinema.methods.cmd import context_matching, motion_prediction
from kinema.networks import EncoderConfig, HeadConfig, PredictorConfig, Tower, fuse
from kinema.recipes.table import preset

TINY = {
    "grid": 1,
    "width": 2,
    "motion_frames": 3,
    "first_temperature": 0.2,
    "cooling": 5,
    "predictor": PredictorConfig(12, 2, 1, 1),
}
"""For the tiny videos: 24 frames, clips of 4 frames of 16 pixels that span 5."""


def features(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("siblings", ["ignored", "negatives"])
def test_context_matching_equals_the_loops(siblings):
    v, c, source = features(6, 5), features(6, 5, seed=1), torch.tensor([0, 0, 1, 2, 3, 3])
    ours = context_matching(v, c, source, 0.2, siblings)
    theirs = oracle.context_matching(v.tolist(), c.tolist(), source.tolist(), 0.2, siblings)
    torch.testing.assert_close(float(ours), theirs)
    other = oracle.context_matching(c.tolist(), v.tolist(), source.tolist(), 0.2, siblings)
    assert abs(other - theirs) > 1e-3, "the direction matters: from clips to keyframes alone"


@pytest.mark.parametrize("missing", [[], [(1, 0), (2, 1)], [(b, 0) for b in range(3)]], ids=["none", "two", "targets"])
def test_motion_prediction_equals_the_loops(missing):
    m_hat, m, there = features(3, 4, 5), features(3, 2, 4, 5, seed=1), torch.ones(3, 2, dtype=torch.bool)
    for place in missing:
        there[place] = False
    ours = motion_prediction(m_hat, m, there, 0.2)
    theirs = oracle.motion_prediction(m_hat.tolist(), m.tolist(), there.tolist(), 0.2)
    torch.testing.assert_close(float(ours), theirs)
    spoilt = torch.where(there[:, :, None, None], m, torch.tensor(5.0).double())
    torch.testing.assert_close(motion_prediction(m_hat, spoilt, there, 0.2), ours)


def test_chance_is_the_number_of_keys():
    same = normalize(torch.ones(3, 4, 5), dim=-1)
    there = torch.ones(3, 2, dtype=torch.bool)
    assert float(motion_prediction(same, same[:, None].expand(3, 2, 4, 5), there, 0.1)) == pytest.approx(log(2 * 3 * 4))
    own = torch.arange(3)
    assert float(context_matching(same[:, 0], same[:, 0], own, 0.1)) == pytest.approx(log(3))


def test_a_prediction_that_is_right_everywhere_beats_one_that_takes_another_moment():
    m, there = features(3, 4, 6, 16), torch.ones(3, 4, dtype=torch.bool)
    right, other_moment = (float(motion_prediction(m[:, n], m, there, 0.1)) for n in (0, 1))
    wrong_place = float(motion_prediction(m[:, 0].roll(1, dims=1), m, there, 0.1))
    assert right < 0.1
    assert min(other_moment, wrong_place) > 3


def test_features_of_another_width_are_named():
    with pytest.raises(ShapeError, match=r"context_matching .* \(3, 5\) and keys \(3, 4\)") as caught:
        context_matching(features(3, 5), features(3, 4), torch.arange(3), 0.1)
    assert "method.head.out" in caught.value.hint
    with pytest.raises(ShapeError, match="motion_prediction"):
        motion_prediction(features(3, 4, 5), features(3, 2, 3, 5), torch.ones(3, 2, dtype=torch.bool), 0.1)


def gradients(method, batch):
    method.zero_grad(set_to_none=True)
    method.loss(batch, generator(0)).total.backward()
    return {
        key.split(".")[0] if not key.startswith("tower") else ".".join(key.split(".")[:2])
        for key, parameter in method.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().max() > 0
    }


BOTH = {"tower.encoder"}
CONTEXT = {"tower.head", "keyframe_net", "keyframe_head"}
MOTION = {"motion_net", "motion_head", "predictor", "predicted_head"}


@pytest.mark.parametrize(
    ("weights", "reached", "companions"),
    [
        ({}, BOTH | CONTEXT | MOTION, Companions(2, 3, 6, True, 5)),
        ({"motion_weight": 0.0}, BOTH | CONTEXT, Companions(0, 3, 6, True, 5)),
        ({"context_weight": 0.0}, BOTH | MOTION, Companions(2, 3, 6, False, 5)),
    ],
    ids=["both", "context", "motion"],
)
def test_the_gradient_reaches_both_sides_of_each_task_and_a_task_can_be_left_out(weights, reached, companions):
    method = make_method("cmd", **weights)
    assert method.needs.companions == companions
    batch = make_batch(method, 0)
    assert (batch.companions.keyframe is not None, batch.companions.motion is not None) == (
        bool(CONTEXT & reached),
        bool(MOTION & reached),
    )
    assert gradients(method, batch) == reached
    learnt = {key.split(".")[0] for key, p in method.named_parameters() if p.requires_grad}
    assert learnt - {"tower"} == {key for key in reached if "." not in key}
    assert any(p.requires_grad for p in method.tower.head.parameters()) == ("tower.head" in reached)


def test_both_tasks_read_the_fused_map():
    """Two channels of the level before, and the last level by its nearest cell; context matching takes the mean."""
    method, other = make_method("cmd"), make_method("cmd", reads="last")
    other.load_state_dict(method.state_dict())
    batch = make_batch(method, 0)
    before, last = method.tower.encoder.levels(batch.view(0, "rgb"))
    assert before.shape[3] == 2 * last.shape[3]
    wide = last.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    fused = torch.cat([before[:, :, 0::2], before[:, :, 1::2]], dim=1) + wide[:, :, : (before.shape[2] + 1) // 2]
    torch.testing.assert_close(fuse(before, last), fused)
    for each, features in ((method, fused), (other, last)):
        v = each.tower.head(features.mean(dim=(2, 3, 4)))
        found = each.loss(batch, generator(0))
        torch.testing.assert_close(found.embeddings, v.detach(), atol=1e-5, rtol=1e-5)
    fine, coarse = torch.zeros(1, 2, 2, 4, 4), torch.arange(16.0).view(1, 4, 1, 2, 2)
    assert fuse(fine, coarse)[0, 0, 0, 0].tolist() == [0, 0, 1, 1]
    assert fuse(fine, coarse, "trilinear")[0, 0, 0, 0].tolist() == [0, 0.25, 0.75, 1]


def test_the_last_norm_of_every_head_has_a_scale_and_a_shift():
    method = CMDConfig(grid=1, width=4, predictor=PredictorConfig(24, 2, 1, 1)).build(
        EncoderConfig("slim"), TrainingContext(4)
    )
    heads = (method.tower.head, method.keyframe_head, method.motion_head, method.predicted_head)
    assert all(head.layers[-1].affine for head in heads)


def test_the_weights_weigh():
    totals = {}
    for context, motion in ((1.0, 1.0), (2.0, 1.0), (1.0, 3.0)):
        method = make_method("cmd", context_weight=context, motion_weight=motion)
        losses = method.loss(make_batch(method, 0), generator(0))
        totals[context, motion] = float(losses.total.detach())
        expected = context * losses.terms["context"] + motion * losses.terms["motion"]
        assert totals[context, motion] == pytest.approx(float(expected))
        assert float(losses.terms["motion_clips_missing"]) == 2
    assert len(set(totals.values())) == 3


def test_the_temperature_of_context_matching_falls_step_by_step_and_no_further_than_it_may():
    falling = {"temperature": 0.1, "first_temperature": 0.5, "cooling": 4}
    method = make_method("cmd", **falling)
    still = {temperature: make_method("cmd", temperature=temperature) for temperature in (0.1, 0.3)}
    for other in still.values():
        other.load_state_dict({name: value for name, value in method.state_dict().items() if name != "steps"})
    batch, context, at = make_batch(method, 0), [], []
    expected = {t: other.loss(batch, generator(0)).terms for t, other in still.items()}
    for step in range(6):
        at.append(float(method.context_temperature()))
        losses = method.loss(batch, generator(0))
        context.append(float(losses.terms["context"]))
        assert float(losses.terms["motion"]) == pytest.approx(float(expected[0.1]["motion"]), rel=1e-5)
        method.commit(replace(losses, ready=True))
        method.commit(replace(losses, ready=False))
        if step == 2:
            again = make_method("cmd", **falling)
            again.load_state_dict(method.state_dict())
            assert float(again.context_temperature()) == pytest.approx(0.2)
    assert at == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1, 0.1])
    assert context[2] == pytest.approx(float(expected[0.3]["context"]), rel=1e-5)
    assert context[4] == context[5] == pytest.approx(float(expected[0.1]["context"]), rel=1e-5)
    lower = make_method("cmd", temperature=0.3, first_temperature=0.2)
    assert float(lower.context_temperature()) == pytest.approx(0.3)


def test_the_motion_alone_has_one_temperature():
    method = make_method("cmd", context_weight=0.0, temperature=0.1, first_temperature=0.5)
    still = make_method("cmd", context_weight=0.0, temperature=0.1)
    assert method.state_dict().keys() == still.state_dict().keys()
    still.load_state_dict(method.state_dict())
    batch = make_batch(method, 0)
    losses = method.loss(batch, generator(0))
    method.commit(replace(losses, ready=True))
    assert torch.equal(losses.total, still.loss(batch, generator(0)).total)


def with_motion(batch, clips):
    return replace(batch, companions=replace(batch.companions, motion=clips))


def test_a_motion_clip_that_is_missing_is_never_looked_at():
    method = make_method("cmd", norm="batch")
    batch = make_batch(method, 0)
    clips = batch.motion_clips()
    assert not clips.valid.all()
    spoilt = torch.where(clips.valid[:, :, None, None, None, None], clips.values, torch.tensor(99.0))
    one, other = (
        method.loss(with_motion(batch, replace(clips, values=x)), generator(0)) for x in (clips.values, spoilt)
    )
    assert torch.equal(one.total, other.total)
    nothing = replace(clips, valid=torch.zeros_like(clips.valid))
    losses = method.loss(with_motion(batch, nothing), generator(0))
    assert float(losses.terms["motion"]) == 0
    assert torch.isfinite(losses.total)
    losses.total.backward()


def test_what_is_there_keeps_its_place_where_something_is_missing():
    method = make_method("cmd")
    clips = make_batch(method, 0).motion_clips()
    there = clips.valid
    with torch.no_grad():
        some = method.true_motion(clips)
        whole = method.true_motion(replace(clips, valid=torch.ones_like(there)))
    torch.testing.assert_close(some[there], whole[there], atol=1e-5, rtol=1e-5)
    assert (some[~there] == 0).all()
    assert (whole[0, 0] - whole[0, 1]).abs().max() > 0.01


def test_what_follows_a_clip_is_told_by_its_order():
    """The clip reversed, or its keyframe exchanged, makes another loss: neither task is blind."""
    method = make_method("cmd")
    batch = make_batch(method, 0)
    losses = method.loss(batch, generator(0))
    backwards = replace(batch, variants=({"rgb": batch.view(0, "rgb").flip(2)},))
    assert abs(method.loss(backwards, generator(0)).terms["motion"] - losses.terms["motion"]) > 1e-4
    exchanged = replace(batch, companions=replace(batch.companions, keyframe=batch.keyframe().roll(1, 0)))
    told = method.loss(exchanged, generator(0)).terms
    assert abs(told["context"] - losses.terms["context"]) > 1e-4
    assert torch.equal(told["motion"], losses.terms["motion"])


def test_a_tower_of_another_method_can_take_the_place_of_its_own():
    method = make_method("cmd", context_weight=0.0)
    other = Tower("rgb", EncoderConfig("slim", width=4, norm="group"), HeadConfig(out=5))
    assert dict(method.named_children())["tower"] is method.towers()["rgb"]
    method.tower = other
    batch = make_batch(method, 0)
    method.loss(batch, generator(0)).total.backward()
    assert other.encoder.stem[0].weight.grad.abs().max() > 0
    assert all(p.grad is None for p in other.head.parameters())
    both = make_method("cmd")
    both.tower = other
    with pytest.raises(ShapeError, match="context_matching"):
        both.loss(make_batch(both, 0), generator(0))


def test_what_is_dropped_is_drawn_from_the_generator():
    method = make_method("cmd", predictor=PredictorConfig(24, 2, 1, 1, dropout=0.5))
    batch = make_batch(method, 0)
    first, again, other = (method.loss(batch, generator(step)).total for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_mixed_precision_gives_nearly_the_same_loss(norm):
    method = make_method("cmd", norm=norm, shrink=2)
    batch = make_batch(method, 0)
    whole = method.loss(batch, generator(0)).total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = method.loss(batch, generator(0)).total
    mixed.backward()
    torch.testing.assert_close(mixed.detach().float(), whole.detach(), atol=0.1, rtol=0)


def test_a_grid_finer_than_the_motion_map_is_refused():
    method = make_method("cmd", grid=3)
    with pytest.raises(ShapeError, match=r"32 x 32 pixels give a map of 2 x 2; method.grid is 3") as caught:
        method.loss(make_batch(method, 0), generator(0))
    assert "method.grid to 2 or less, or clip.size to 48" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context_weight": 0.0, "motion_weight": 0.0}, "one of them must be above 0"),
        ({"motion_weight": -1.0}, "method.motion_weight -1"),
        ({"grid": 0}, "method.grid is 0"),
        ({"motion_frames": 0}, "method.motion_frames is 0"),
        ({"reach": -1}, "method.reach is -1"),
        ({"shrink": 3}, "method.shrink is 3"),
        ({"geometry": "mine"}, "method.geometry is 'mine'"),
        ({"reads": "both"}, "method.reads is 'both'"),
        ({"first_temperature": 0.0}, "method.first_temperature is 0"),
        ({"cooling": 0}, "method.cooling is 0"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_config("cmd", **settings)


def test_without_norms_a_clip_that_comes_twice_is_no_negative_of_itself():
    """A batch that is topped up holds a video twice."""
    method = make_method("cmd", motion_weight=0.0)
    batch = make_batch(method, 0)
    twice = replace(batch, source=torch.arange(BATCH) // BATCH)
    assert float(method.loss(twice, generator(0)).total.detach()) == pytest.approx(0, abs=1e-6)
    paper = make_method("cmd", motion_weight=0.0, siblings="negatives")
    assert float(paper.loss(twice, generator(0)).total.detach()) > 0.1


def test_a_run_reads_what_the_method_wants_and_goes_on_where_it_was(tiny_folder, tiny_cache, tmp_path, monkeypatch):
    seen = []
    loss = type(make_method("cmd")).loss

    def watched(self, batch, draw):
        seen.append(batch)
        if len(seen) == 5:
            raise TrainingError("stopped by the test")
        return loss(self, batch, draw)

    plan = tiny_plan("cmd", method=TINY, checkpoint_seconds=0.0)
    api.pretrain(plan, tiny_folder, tmp_path / "whole", cache=tiny_cache, device="cpu")
    monkeypatch.setattr(type(make_method("cmd")), "loss", watched)
    with pytest.raises(TrainingError, match="by the test"):
        api.pretrain(plan, tiny_folder, tmp_path / "cut", cache=tiny_cache, device="cpu")
    monkeypatch.setattr(type(make_method("cmd")), "loss", loss)
    api.pretrain(plan, tiny_folder, tmp_path / "cut", cache=tiny_cache, device="cpu", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    batch = seen[0]
    assert batch.keyframe().shape == (4, 3, 16, 16)
    assert batch.motion_clips().values.shape == (4, 4, 2, 3, 16, 16)
    assert batch.motion_clips().valid.all()
    assert batch.motion_clips().values.abs().mean() > 0.1
    assert rows(tmp_path / "whole")[-1]["loss"] > 0
    assert "cmd" in api.load(tmp_path / "whole").name


def test_cpr_starts_from_its_tower(tiny_folder, tiny_cache, tmp_path):
    api.pretrain(tiny_plan("cmd", method=TINY, epochs=1), tiny_folder, tmp_path / "cmd", cache=tiny_cache, device="cpu")
    tower = api.load(tmp_path / "cmd").tower
    method = make_method("cpr", norm="batch")
    method.start({"rgb": tower.state_dict()})
    assert torch.equal(method.f_k.encoder.stem[0].weight, tower.encoder.stem[0].weight)


@pytest.mark.parametrize("shrink", [1, 2, 4])
def test_a_cell_of_the_motion_map_is_16_pixels_of_the_clip(shrink):
    method = make_method("cmd", shrink=shrink)
    assert method.needs.companions.shrink == shrink
    with torch.no_grad():
        maps = method.motion_net.feature_map(torch.randn(1, 2, 8, 64 // shrink, 64 // shrink))
    assert maps.shape[3:] == (4, 4)


def test_videos_too_short_for_the_motion_are_refused_and_may_do_with_keyframes(tiny_folder, tiny_cache, tmp_path):
    long = {"clip": ClipSpec(frames=4, stride=5, size=16, short_side=16), "epochs": 1}
    with pytest.raises(DataError, match=r"12 of 12 videos have fewer than 26 frames") as caught:
        api.pretrain(tiny_plan("cmd", method=TINY, **long), tiny_folder, tmp_path / "a", cache=tiny_cache)
    assert "leave the motion clips out" in caught.value.hint
    done = api.pretrain(
        tiny_plan("cmd", method={**TINY, "motion_weight": 0.0}, **long), tiny_folder, tmp_path / "b", cache=tiny_cache
    )
    assert done.loss > 0


def test_the_small_preset_has_slim_guides():
    plan = preset("small", "cmd")
    assert isinstance(plan.method, CMDConfig)
    assert (plan.method.first_temperature, plan.method.temperature) == (0.4, 0.1)
    assert plan.method.head == HeadConfig(norm=True, affine=True)
    assert (plan.method.geometry, plan.method.reads) == ("own", "fused")
    assert plan.method.grid == plan.data.clip.size // 16
    method = plan.method.build(plan.encoder, TrainingContext(4))
    count = {name: sum(p.numel() for p in child.parameters()) for name, child in method.named_children()}
    assert sum(count.values()) - count["tower"] < 1.5 * count["tower"]


def test_the_papers_preset_is_the_papers():
    """Motion maps of 7 x 7 cells in 512 channels, 49 queries of width 512, projections to 512."""
    plan = preset("paper", "cmd")
    assert (plan.data.clip.frames, plan.data.clip.stride, plan.data.clip.size, plan.epochs) == (16, 4, 112, 120)
    method = plan.method.build(EncoderConfig("slim"), TrainingContext(4))
    assert method.needs.companions == Companions(8, 3, 3, True, 5, 1)
    assert method.predictor.queries.shape == (49, 512)
    assert (len(method.predictor.encoder), len(method.predictor.decoder)) == (2, 4)
    assert (method.motion_net.dim, method.keyframe_net.dim) == (512, 512)
    with torch.no_grad():
        clips = MotionClips(torch.randn(1, 4, 2, 8, 112, 112), torch.tensor([[True, True, False, True]]))
        m = method.eval().true_motion(clips)
    assert m.shape == (1, 4, 49, 512)
    assert (m[0, 2] == 0).all()
    torch.testing.assert_close(m[0, [0, 1, 3]].norm(dim=-1), torch.ones(3, 49))

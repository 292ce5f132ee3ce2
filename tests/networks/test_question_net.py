"""The network of questions: which frames a token sees, what is missing, where it looks, and what it starts from."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from told_clips import FEATURES, VOCABULARY, made_questions, rows_of, shifted

from kinema.core.config import make_strict_converter
from kinema.core.errors import CheckpointError, ConfigError, ShapeError
from kinema.core.questions import ClipFrames, Part
from kinema.core.weights import write_weights
from kinema.networks.questions import LocalAttention, QuestionEncoderConfig, QuestionTower, seen_by, windows
from kinema.networks.questions.frames import FrameStandard
from kinema.networks.text import TextConfig, build_text_tower

NAN = math.nan
NET = QuestionEncoderConfig(
    text=TextConfig(layers=1, width=16, heads=2, vocabulary=VOCABULARY, positions=64), features=FEATURES
)


def tower(config=NET, seed=0, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return QuestionTower(config, **settings).eval()


@torch.no_grad()
def scores_of(net, batch):
    return net(batch.options, batch.lines, batch.frames)


def without_lines(batch, rows):
    """Some questions without lines; their words stay as the words of nothing."""
    gone = torch.zeros(len(batch), dtype=torch.bool)
    gone[rows] = True
    inputs = gone.repeat_interleave(batch.count).unsqueeze(1) & (batch.options.part == Part.LINE)
    mask = batch.options.tokens.mask & ~inputs
    options = replace(
        batch.options,
        tokens=replace(batch.options.tokens, mask=mask),
        part=batch.options.part.masked_fill(inputs, 0),
        line=batch.options.line.masked_fill(inputs, -1),
    )
    return replace(batch, options=options, lines=batch.lines.masked_fill(gone[:, None, None], NAN))


def test_a_line_sees_its_frames_or_the_nearest_and_none_in_a_clip_without_frames():
    lines = torch.tensor([[[1.0, 2.0], [3.1, 3.2], [9.0, 9.5], [NAN, NAN]], [[0.0, 1.0], [1.0, 2.0]] * 2])
    times = torch.tensor([[0.5, 1.5, 2.5, 4.0], [NAN] * 4])
    got = windows(lines, times, 0.5)
    assert got.int().tolist()[0] == [[1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert not got[1].any()
    assert windows(lines, times, math.inf).int().tolist()[0] == [[1] * 4] * 3 + [[0] * 4]
    seen = seen_by(torch.tensor([[0, 1, -1], [0, -1, 3]]), got, ~times.isnan())
    assert seen.int().tolist() == [[[1, 1, 1, 0], [0, 0, 1, 0], [1, 1, 1, 1]], [[0] * 4] * 3]


def test_attention_is_the_softmax_over_what_is_seen_and_zero_where_nothing_is():
    torch.manual_seed(0)
    net, tokens, frames = LocalAttention(8, 2), torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    sees = torch.rand(2, 3, 5) < 0.5
    sees[0, 1] = False
    got = net(tokens, frames, sees)
    for b, t in torch.cartesian_prod(torch.arange(2), torch.arange(3)).tolist():
        seen = frames[b, sees[b, t]]
        q, k, v = (x.view(-1, 2, 4) for x in (net.query(tokens[b, t]), net.key(seen), net.value(seen)))
        share = (torch.einsum("qhd,khd->hk", q, k) / 2).softmax(dim=1)
        expected = torch.einsum("hk,khd->hd", share, v).flatten() if len(seen) else torch.zeros(8)
        torch.testing.assert_close(got[b, t], expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ShapeError, match="mask"):
        net(tokens, frames, sees[:, :2])
    with pytest.raises(ConfigError, match="heads"):
        LocalAttention(8, 3)


def test_a_window_of_the_whole_clip_is_global_attention_and_time_matters_to_local_alone():
    batch, _ = made_questions(6)
    local, wide, everywhere = (tower(alignment=a, slack=s) for a, s in (("local", 0.5), ("local", 99.0), ("global", 0)))
    first, late = scores_of(local, batch).logits, scores_of(local, shifted(batch, 4.0)).logits
    assert (first - late).abs().max() > 1e-3
    torch.testing.assert_close(scores_of(wide, batch).logits, scores_of(everywhere, batch).logits)
    moved = scores_of(everywhere, shifted(batch, 4.0)).logits
    assert torch.equal(scores_of(everywhere, batch).logits, moved)


def test_what_is_missing_of_a_question_changes_no_other_and_leaves_numbers():
    batch, _ = made_questions(4)
    net = tower()
    whole = scores_of(net, batch)
    frames = ClipFrames(batch.frames.features, batch.frames.times.clone())
    frames.times[1] = NAN
    part = replace(without_lines(batch, [1, 2]), frames=frames)
    got = scores_of(net, part)
    assert torch.isfinite(got.logits).all()
    torch.testing.assert_close(got.logits[[0, 3]], whole.logits[[0, 3]])
    there = ~got.place[:, 0].isneginf()
    assert there.int().sum(dim=1).tolist() == [6, 0, 24, 6]
    assert there[0, :6].all()
    assert there[2, 6:].all()
    torch.testing.assert_close(got.moments[2, 6:8], torch.tensor([[0.0, 1.0], [1.0, 2.0]]))
    alone = rows_of(part, torch.tensor([2]))
    torch.testing.assert_close(scores_of(net, alone).logits[0], got.logits[2], atol=1e-5, rtol=1e-5)
    silent = without_lines(batch, [0, 1, 2, 3])
    for bare in (replace(part, frames=None), replace(silent, lines=silent.lines[:, :0])):
        assert torch.isfinite(scores_of(net, bare).logits).all()
    with pytest.raises(ShapeError, match=r"16 features.* no frames"):
        scores_of(tower(replace(NET, features=0)), batch)


def test_a_line_that_is_quoted_is_found_before_anything_is_learnt():
    batch, _ = made_questions(60, kinds=("while",))
    place = scores_of(tower(), batch).place[:, 0]
    right = (batch.span[:, 0] / 4).long()
    assert float((place.argmax(dim=1) == right).float().mean()) > 0.9


def test_a_tower_of_another_task_begins_its_last_layer_anew():
    first, other = tower(task="question"), tower(seed=1)
    fresh = other.head.weight.clone()
    other.take(first.state_dict(), "the tower")
    assert torch.equal(other.head.weight, fresh)
    assert torch.equal(other.encoder.ask.weight, first.encoder.ask.weight)
    assert int(other.task) == 0
    same = tower(task="question", seed=1)
    same.take(first.state_dict(), "the tower")
    assert torch.equal(same.head.weight, first.head.weight)
    with pytest.raises(CheckpointError, match=r"encoder\.ask\.weight"):
        other.take({k: x for k, x in first.state_dict().items() if k != "encoder.ask.weight"}, "the tower")


def test_features_are_standardised_by_all_frames_that_were_seen():
    torch.manual_seed(0)
    net, x = FrameStandard(3), torch.randn(6, 5, 3) * torch.tensor([1.0, 50.0, 0.1]) + 7
    mask = torch.rand(6, 5) < 0.8
    assert torch.equal(net(x), x), "nothing is known yet"
    for rows in torch.arange(6).split(2):
        net.learn(net.statistics(x[rows], mask[rows]))
    all_frames = x[mask]
    torch.testing.assert_close(net.mean, all_frames.mean(dim=0))
    torch.testing.assert_close(net(all_frames).std(dim=0, correction=0), torch.ones(3), atol=1e-3, rtol=1e-3)


def _pairs(first, second):
    return zip(first.parameters(), second.parameters(), strict=True)


def write_run(folder, config, state, view):
    Path(folder, "phases", "01-first").mkdir(parents=True)
    plain = make_strict_converter().unstructure(config)
    Path(folder, "recipe.json").write_text(json.dumps({"encoder": plain}), "utf-8")
    write_weights(Path(folder, "phases", "01-first", f"tower-{view}.safetensors"), state)
    return str(folder)


def test_text_starts_from_a_text_run_and_all_from_a_run_of_questions(tmp_path):
    text = build_text_tower(NET.text)
    run = write_run(tmp_path / "text", NET.text, text.state_dict(), "text")
    for weights in (f"text={run}", run):
        assert QuestionEncoderConfig(features=FEATURES).replaced_by(weights).text == NET.text
        net = tower(seed=2)
        assert NET.load_weights("question", net, Path(weights))
        assert all(torch.equal(a, b) for a, b in _pairs(net.encoder.text, text.encoder))
    theirs = tower(replace(NET, rnn="none"), seed=3, task="question")
    run = write_run(tmp_path / "questions", theirs.encoder_config, theirs.state_dict(), "question")
    config = QuestionEncoderConfig().replaced_by(run)
    assert config == theirs.encoder_config
    assert config.with_sizes_of(run) == config
    net = tower(config, seed=4)
    assert config.load_weights("question", net, Path(run))
    assert torch.equal(net.encoder.sight.weight, theirs.encoder.sight.weight)
    assert not torch.equal(net.head.weight, theirs.head.weight)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"heads": 4}, "encoder.heads is 4, and 2"),
        ({"text": replace(NET.text, width=32)}, "encoder.text is of other sizes"),
    ],
    ids=["heads", "text"],
)
def test_sizes_that_are_not_those_of_the_weights_are_refused(tmp_path, change, told):
    run = write_run(tmp_path / "questions", NET, tower().state_dict(), "question")
    with pytest.raises(ConfigError, match=told):
        replace(NET, **change).with_sizes_of(run)
    with pytest.raises(ConfigError, match="image=x"):
        NET.with_sizes_of("image=x")
    with pytest.raises(ConfigError, match="no such folder"):
        NET.with_sizes_of(str(tmp_path / "nothing"))


@pytest.mark.parametrize("kept", ["lines", "frames", "question"])
def test_every_parameter_takes_part_in_each_batch_whatever_it_lacks(kept):
    """Ranks whose batches differ in what they have still exchange the same gradients."""
    batch = made_questions(4)[0]
    if kept != "lines":
        batch = without_lines(batch, range(4))
        batch = replace(batch, lines=batch.lines[:, :0])
    if kept != "frames":
        nothing = torch.full_like(batch.frames.times[:, :1], NAN)
        batch = replace(batch, frames=ClipFrames(batch.frames.features[:, :1] * 0, nothing))
    net = tower().train()
    net(batch.options, batch.lines, batch.frames).logits.square().sum().backward()
    assert not [key for key, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    without = tower(replace(NET, features=0)).train()
    if kept != "frames":
        without(batch.options, batch.lines, None).logits.square().sum().backward()
        assert not [key for key, p in without.named_parameters() if p.grad is None or not p.grad.isfinite().all()]

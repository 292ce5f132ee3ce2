"""Video QA: what its loss is made of, what its settings refuse, and that from nothing it learns to look and listen."""

import math
from dataclasses import replace

import pytest
import torch
from debug_size import generator
from told_clips import FEATURES, KINDS, VOCABULARY, accuracy, learnt_answers, made_questions, shifted

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import TrainingContext
from kinema.methods.video_qa import VideoQAConfig, overlapping
from kinema.networks.questions import QuestionEncoderConfig
from kinema.networks.text import TextConfig
from kinema.recipes.table import preset


def build(width=16, layers=1, dropout=0.0, **settings):
    text = TextConfig(layers=layers, width=width, heads=2, vocabulary=VOCABULARY, positions=64, dropout=dropout)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = QuestionEncoderConfig(text=text, features=FEATURES, dropout=dropout)
        return VideoQAConfig(**settings).build(encoder, TrainingContext(rows=8)).train()


def loss_of(method, batch):
    return method.loss(batch, generator(0))


def test_the_loss_is_the_sum_of_its_parts_and_each_can_be_left_out():
    batch, _ = made_questions(6)
    whole = loss_of(build(), batch)
    terms = whole.terms
    assert set(terms) == {"answer", "contrast", "localization", "accuracy"}
    torch.testing.assert_close(
        whole.total.detach(), terms["answer"] + 0.5 * terms["contrast"] + 0.5 * terms["localization"]
    )
    bare = loss_of(build(contrast=0.0, localization=0.0), replace(batch, masked=None, span=None))
    assert set(bare.terms) == {"answer", "accuracy"}
    torch.testing.assert_close(bare.total.detach(), terms["answer"])
    pretext = loss_of(build(task="question"), replace(batch, masked=None, span=None))
    assert set(pretext.terms) == {"answer", "accuracy"}


def test_questions_without_an_answer_or_a_stretch_count_for_nothing():
    batch, _ = made_questions(6)
    answer, span = batch.answer.clone(), batch.span.clone()
    answer[1], span[2] = -1, math.nan
    method, part = build(), replace(batch, answer=answer, span=span)
    got = loss_of(method, part)
    other = replace(part, span=torch.where(torch.arange(6).unsqueeze(1) == 1, 0.0, span))
    assert torch.equal(loss_of(method, other).total, got.total)
    assert torch.isfinite(got.total)
    nothing = loss_of(method, replace(batch, answer=torch.full_like(answer, -1)))
    assert float(nothing.total.detach()) == 0
    nothing.total.backward()
    for name in ("answer", "span", "masked"):
        with pytest.raises(ShapeError, match=f"asks for '{name}'"):
            loss_of(method, replace(batch, **{name: None}))


def test_a_place_is_right_if_it_shares_time_with_the_stretch():
    moments = torch.tensor([[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [math.nan] * 2]] * 3)
    span = torch.tensor([[0.5, 2.0], [2.0, 2.0], [math.nan] * 2])
    assert overlapping(moments, span).int().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"alignment": "near"}, "'local' or 'global'"),
        ({"contrast": -1.0}, "contrast is -1"),
        ({"localization": math.nan}, "localization is nan"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"window": -0.1}, "window is -0.1"),
        ({"masked": 0.0}, "masked is 0"),
        ({"candidates": 1}, "candidates is 1"),
        ({"pretrain_epochs": -1}, "pretrain_epochs is -1"),
        ({"task": "both"}, "task is 'both'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_are_refused(settings, told):
    with pytest.raises(ConfigError) as caught:
        VideoQAConfig(**settings)
    assert told in f"{caught.value} {caught.value.hint}"


def test_the_main_stage_goes_on_from_the_pretraining_but_for_its_last_layer():
    first, main = build(task="question"), build()
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1.0)
    head = main.tower.head.weight.clone()
    main.start({"question": first.tower.state_dict()})
    assert torch.equal(main.tower.head.weight, head)
    assert torch.equal(main.tower.encoder.ask.weight, first.tower.encoder.ask.weight)
    again = build()
    again.start({"question": main.tower.state_dict()})
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), main.parameters(), strict=True))


def test_it_learns_what_is_seen_while_something_is_said():
    """Chance is .25; the lines at another time, or seen without their times, are of no use."""
    batch, _ = made_questions(128, seed=1, kinds=("while",))
    test, kinds = made_questions(100, seed=2, kinds=("while",))
    method = build(width=32)
    for _ in learnt_answers(method, batch, epochs=4, lr=4e-3, size=16):
        pass
    assert accuracy(method, test, kinds)[0] > 0.6
    assert accuracy(method, shifted(test, 4.0), kinds)[0] < 0.4


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("alignment", "least", "most"), [("local", 0.9, 1.0), ("global", 0.0, 0.4)])
def test_the_small_preset_learns_all_kinds_and_only_local_attention_those_of_time(alignment, least, most):
    plan = preset("small", "video-qa")
    batch, _ = made_questions(1500, seed=1)
    test, kinds = made_questions(600, seed=99)
    encoder = replace(plan.encoder, features=FEATURES, text=replace(plan.encoder.text, vocabulary=VOCABULARY))
    torch.manual_seed(0)
    method = replace(plan.method, alignment=alignment).build(encoder, TrainingContext(rows=1500))
    for _ in learnt_answers(method, batch, epochs=6, lr=plan.optimiser.lr, size=plan.batch_size):
        pass
    got = dict(zip(KINDS, accuracy(method, test, kinds).values(), strict=True))
    assert least <= got["while"] <= most
    assert got["which"] > 0.6
    assert got["said"] > 0.9
    if alignment == "local":
        assert accuracy(method, shifted(test, 4.0), kinds)[0] < 0.3

"""The recipe of questions about videos: a pretraining by the relevant question, then the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinema.core.errors import ConfigError
from kinema.core.questions import QUESTION_VIEW
from kinema.data.questions.config import QuestionsConfig
from kinema.methods.video_qa import VideoQAConfig
from kinema.networks.questions import START, QuestionEncoderConfig
from kinema.networks.text.config import bert
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.training.settings import OptimiserConfig, Phase


def small() -> Plan:
    """Video QA for two CPU cores, from nothing: a BERT of 2 layers of width 64, 2 epochs of pretraining, 8 of answers.

    Made for sets of a few thousand questions, of which that takes minutes.
    """
    return Plan(
        VideoQAConfig(pretrain_epochs=2),
        epochs=8,
        optimiser=OptimiserConfig("adamw", lr=1e-3, weight_decay=0.01, warmup_epochs=1, clip_norm=1.0),
        data=QuestionsConfig(),
        encoder=QuestionEncoderConfig(),
        batch_size=32,
        collapse_rank=0.0,  # answers are told, and options of one question share most of what they are read off
    )


def reconstruction() -> Plan:
    """A reconstruction of the paper's setting: BERT-base, frames of ResNet-101 (2,048 features), 10 and 20 epochs.

    Batch, rates and epochs could not be had and are what BERT is usually trained with. It starts from weights of a
    masked language model: ``--weights text=FOLDER``. Needs a GPU; not run here.
    """
    return Plan(
        VideoQAConfig(pretrain_epochs=10),
        epochs=20,
        optimiser=OptimiserConfig("adamw", lr=2e-5, weight_decay=0.01, schedule="linear", clip_norm=1.0),
        data=QuestionsConfig(max_length=512, vocabulary=30522),
        encoder=QuestionEncoderConfig(text=bert("base", vocabulary=30522), heads=12),
        batch_size=16,
        precision="16-mixed",
        collapse_rank=0.0,
    )


def fit(plan: Plan, table: Any) -> Plan:
    """The plan with what only the data and the weights know: which text network, its tokenizer, the width of frames.

    Args:
        plan: as it was set.
        table: the questions.

    Raises:
        ConfigError: the network takes other frames than the data have, or the weights are of other sizes.
    """
    config, data, encoder = plan.method, plan.data, plan.encoder
    assert isinstance(config, VideoQAConfig)
    assert isinstance(data, QuestionsConfig)
    encoder, data = encoder.with_sizes_of(plan.weights), data.with_weights(plan.weights)
    if encoder.text == START and not plan.weights:
        needs = [phase.needs for phase in phases(plan)]
        encoder = replace(encoder, text=replace(encoder.text, vocabulary=data.token_rows(table, needs)))
    width = data.frame_width(table)
    if encoder.features not in (0, width):
        there = f"frames of {width} features" if width else "no frames"
        raise ConfigError(
            f"The network takes {encoder.features} features a frame, and the data have {there}.",
            "Leave encoder.features out: the data tell it."
            if not plan.weights
            else "Give weights of a run on such frames, or those of a text network alone: --weights text=RUN.",
        )
    return replace(plan, data=data, encoder=replace(encoder, features=width))


def phases(plan: Plan) -> tuple[Phase, ...]:
    """The pretraining by the relevant question, unless it is left out, and the answers on top of it."""
    config = plan.method
    assert isinstance(config, VideoQAConfig)
    if config.task == "question":
        return (Phase(f"pretrain-{QUESTION_VIEW}", config, plan.epochs, plan.optimiser),)
    name = f"video-qa-{QUESTION_VIEW}"
    if not config.pretrain_epochs:
        return (Phase(name, config, plan.epochs, plan.optimiser),)
    first = Phase(f"pretrain-{QUESTION_VIEW}", config.pretext(), config.pretrain_epochs, plan.optimiser)
    return first, Phase(name, config, plan.epochs, plan.optimiser, start={QUESTION_VIEW: first.name})


VIDEO_QA = MethodEntry(
    VideoQAConfig,
    "Kim et al. 2021, arXiv 2009.08043",
    (QUESTION_VIEW,),
    "which of several options answers a question about what is seen and said, and where that is",
    "Video QA",
    {"small": small, "reconstruction": reconstruction},
    base=False,
    beside=False,
    learns_from="their answers",
    phases=phases,
    fit=fit,
    settings=("alignment",),
    next_step="kinema evaluate answers {run} {data}",
)

"""Video QA: which of several options answers a question about what is seen and said.

Kim, Jeong, Kim, Kang, Kwak, "Self-supervised Pre-training and Contrastive Representation Learning for Multiple-choice
Video QA", AAAI 2021, arXiv 2009.08043.

    H    = text([CLS] question [SEP] option_k [SEP] line_1 line_2 ...)
    H'   = LN(H + Attn(H, V, V; mask))      a token of line s sees the frames in [start_s - δ, end_s + δ]
    p    = softmax over s of how well line s fits question and option
    z_k  = [H'_CLS, t, v, o, o·t, o·v, o·c]     t = Σ p_s t_s, v = Σ p_s v_s;   logit_k = w · z_k
    L    = CE(logits, y) + λ CE(cos(z~, z_k) / τ, y) + μ CE(p_y, lines that overlap the stretch needed)

Legend: V the frames; t_s and v_s the text of line s and what it saw, in their order by an RNN; o the option's state; c
what the option's tokens saw of the whole clip; y the true option; z~ of the true option's input with 15 % of its words
masked; a dot between vectors is the product of their entries.

Pretraining: the same network and inputs, but that the options are questions, the clip's own among those of other clips;
no answer is read. The main stage goes on from all of it but w.

What is known of the paper is the abstract and what public pages say of its figures: inputs (subtitles, labels of
objects, ResNet-101), the pretraining by the relevant question, the masked true option as the anchor of a contrast with
the options, attention of a subtitle to its frames, RNNs over the subtitles, localisation as a further task. All else is
reconstruction: every size and weight, that δ is added to a line, that an empty window takes the nearest frame, the
window's softmax, the form of z and of the localisation.

Departures: p begins as a scaled cosine of the words of question and line, so that a line that is quoted is found before
anything is learnt; products of an option with what is told and seen are part of z, so that from nothing the network
learns from a thousand questions. Words weigh in these means as the network learns they should. Where a question has
no lines, p is over its frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import dropout_from, world_size
from kinema.core.questions import QUESTION_VIEW, QuestionBatch, QuestionNeeds, QuestionScores, QuestionTask
from kinema.networks.questions import Alignment, QuestionEncoderConfig, QuestionTower
from kinema.objectives import option_contrast, option_cross_entropy, place_cross_entropy


@dataclass(frozen=True)
class VideoQAConfig:
    """Settings of multiple-choice video QA.

    Args:
        task: 'answer' for the options of each question; 'question' for the pretraining by the relevant question. A
            plan's own is 'answer': its pretraining is pretrain_epochs.
        pretrain_epochs: epochs of the pretraining before the main stage; 0 leaves it out.
        candidates: questions that the pretraining chooses from.
        alignment: 'local': a line sees the frames it is spoken over; 'global': all frames.
        window: δ, seconds that are added at both ends of a line; of 'local' alone.
        contrast: λ, weight of the contrast with the masked true option; 0 leaves it out.
        temperature: τ of the contrast.
        masked: share of words that are masked in its anchor.
        localization: μ, weight of where to look, where that is known; 0 leaves it out. Not in the pretraining.
    """

    task: QuestionTask = "answer"
    pretrain_epochs: int = 0
    candidates: int = 5
    alignment: Alignment = "local"
    window: float = 0.5
    contrast: float = 0.5
    temperature: float = 0.1
    masked: float = 0.15
    localization: float = 0.5

    def __post_init__(self) -> None:
        if self.alignment not in get_args(Alignment):
            raise ConfigError(f"method.alignment is '{self.alignment}'.", "Choose 'local' or 'global'.")
        for name in ("contrast", "localization"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ConfigError(f"method.{name} is {value}; it must be a number, and not negative.")
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"method.temperature is {self.temperature}; it must be above 0.")
        if not self.window >= 0:
            raise ConfigError(f"method.window is {self.window}; it is in seconds, and not negative.")
        if self.pretrain_epochs < 0:
            raise ConfigError(f"method.pretrain_epochs is {self.pretrain_epochs}; it must not be negative.")
        if self.contrast and not self.masked:
            raise ConfigError(
                "method.masked is 0, and the contrast compares the options with a masked copy of the true one.",
                "Set it above 0, or method.contrast to 0.",
            )
        assert self.needs is not None, "needs check what they are made of"

    @property
    def view(self) -> str:
        """'question', the one view there is."""
        return QUESTION_VIEW

    @property
    def trains(self) -> tuple[str, ...]:
        """The same."""
        return (QUESTION_VIEW,)

    @property
    def needs(self) -> QuestionNeeds:
        """The options of the task; a masked copy where there is a contrast."""
        return QuestionNeeds(self.task, self.candidates, self.masked if self._contrasts else 0.0, labels=True)

    @property
    def _contrasts(self) -> bool:
        return self.contrast > 0 and self.task == "answer"

    def pretext(self) -> VideoQAConfig:
        """The settings of the pretraining."""
        return replace(self, task="question")

    def build(self, encoder: QuestionEncoderConfig, context: TrainingContext) -> VideoQA:  # noqa: ARG002 - see contract
        """The method, freshly initialised."""
        return VideoQA(self, encoder)


class VideoQA(Method[QuestionBatch]):
    """One tower, with its last layer."""

    config: VideoQAConfig

    def __init__(self, config: VideoQAConfig, encoder: QuestionEncoderConfig) -> None:
        super().__init__(config)
        self.tower = QuestionTower(encoder, config.alignment, config.window, config.task)

    def towers(self) -> Mapping[str, nn.Module]:
        """The tower."""
        return {QUESTION_VIEW: self.tower}

    def loss(self, batch: QuestionBatch, generator: torch.Generator) -> Losses:
        """The true option, the contrast with its masked copy, and where to look."""
        answer = _there(batch.answer, "answer", "labels")
        known = answer >= 0
        with dropout_from(generator):
            scores: QuestionScores = self.tower(batch.options, batch.lines, batch.frames)
            anchor = self._anchor(batch)
        terms = {"answer": _mean(option_cross_entropy(scores.logits, answer), known)}
        total = terms["answer"]
        if anchor is not None:
            each = option_contrast(anchor, scores.z, answer, self.config.temperature)
            terms["contrast"] = _mean(each, known)
            total = total + self.config.contrast * terms["contrast"]
        true = torch.arange(len(answer), device=answer.device), answer.clamp(min=0)
        if self.config.localization and self.config.task == "answer":
            right = overlapping(scores.moments, _there(batch.span, "span", "labels")) & known.unsqueeze(1)
            place = scores.place[true]
            right = right & ~place.isneginf()
            terms["localization"] = _mean(place_cross_entropy(place, right), right.any(dim=1))
            total = total + self.config.localization * terms["localization"]
        reported = {name: x.detach() for name, x in terms.items()}
        hits = (scores.logits.detach().argmax(dim=1) == answer).float()
        reported["accuracy"] = _mean(hits, known)
        pending = self.tower.encoder.frame_statistics(batch.frames)
        return Losses(total, terms=reported, pending=pending, embeddings=scores.z[true].detach().float())

    def commit(self, losses: Losses) -> None:
        """The mean and deviation of the features of frames."""
        self.tower.encoder.learn_frames(losses.pending)

    def start(self, states: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Loads the tower of an earlier phase: of the pretraining, all but the last layer.

        Raises:
            CheckpointError: there is another view, or keys or shapes differ; they are named.
        """
        if set(states) - {QUESTION_VIEW}:
            super().start(states)  # which names the view
        for view, state in states.items():
            self.tower.take(state, f"the tower for the view '{view}'")
        self.started()

    def embed(self, x: Any) -> Tensor:
        """What a logit is read off, float [B, K, d], of the questions of a batch."""
        scores: QuestionScores = self.tower(x.options, x.lines, x.frames)
        return scores.z

    def _anchor(self, batch: QuestionBatch) -> Tensor | None:
        if not self.needs.masked:
            return None
        masked = _there(batch.masked, "masked", "masked")
        return self.tower.vectors(masked, batch.lines, batch.frames)


def overlapping(moments: Tensor, span: Tensor) -> Tensor:
    """Which places share some time with the stretch that is needed.

    Args:
        moments: float [B, M, 2], seconds; NaN where there is no place.
        span: float [B, 2]; NaN where it is not known. A stretch of one moment lies in the places around it.

    Returns:
        Bool [B, M].
    """
    start, end = span[:, None, 0], span[:, None, 1]
    inside = (moments[..., 0] < end) & (start < moments[..., 1])
    return inside | ((start == end) & (moments[..., 0] <= start) & (start <= moments[..., 1]))


def _mean(values: Tensor, known: Tensor) -> Tensor:
    """The mean over the questions of all ranks for which something is known; 0 without any."""
    count = known.sum().float()
    if world_size() > 1:
        dist.all_reduce(count)
    return torch.where(known, values, 0.0).sum() * world_size() / count.clamp(min=1.0)


def _there(value: Any, name: str, need: str) -> Any:
    if value is None:
        raise ShapeError(
            f"The method asks for '{name}', and the batch has none.", f"Build it from the method's needs.{need}."
        )
    return value

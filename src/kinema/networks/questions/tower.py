"""The network of questions: text, the frames that each line is spoken over, where to look, and a logit an option.

Axes: B questions, K options of each, N = B K inputs, L tokens of an input, S lines, F frames, M = S + F places, D
features of a frame, d dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kinema.core.errors import ShapeError
from kinema.core.method import load_strictly
from kinema.core.questions import ClipFrames, OptionTokens, Part, QuestionScores, QuestionTask
from kinema.networks.questions.attention import LocalAttention, seen_by, windows
from kinema.networks.questions.config import QuestionEncoderConfig
from kinema.networks.text.build import build_text_tower

Alignment = Literal["local", "global"]
SHARPNESS = (12.0, 4.0)
"""What the cosines of a line with the question and with the option are worth at first, in where to look."""
PATHS = ("text", "sight", "clip", "word", "line", "nearest")
"""What an option is compared with: text and sight of the place looked at, the whole clip, and words by their cosine."""


@dataclass(frozen=True)
class Looked:
    """Where an option looked.

    Args:
        place: float [N, M], logits; -inf where there is nothing to look at.
        share: float [N, M], their softmax; zeros where there is nothing at all.
        near: float [N, S], the cosine of an option's words with each line's, 0 where there is no line.
    """

    place: Tensor
    share: Tensor
    near: Tensor


class QuestionEncoder(nn.Module):
    """Inputs, lines and frames to a vector an option, [N, L] to [N, dim], and where it looked.

    Args:
        config: the sizes.
        alignment: 'local': a line's tokens see the frames it is spoken over; 'global': they see all.
        slack: δ, seconds added to both ends of a line.

    Attributes:
        dim: of a vector.
        vocabulary: rows of the embedding of tokens.
    """

    def __init__(self, config: QuestionEncoderConfig, alignment: Alignment, slack: float) -> None:
        super().__init__()
        self.config, self.alignment, self.slack = config, alignment, slack
        self.text = build_text_tower(config.text, None, language=False).encoder
        d, words = config.width, self._words().embedding_dim
        self.vocabulary = self.text.vocabulary
        self.project = nn.Linear(self.text.dim, d) if self.text.dim != d else nn.Identity()
        self.weigh = nn.Linear(words, 1)
        nn.init.zeros_(self.weigh.weight), nn.init.zeros_(self.weigh.bias)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS))
        self.ask, self.answer = nn.Linear(words + d, d), nn.Linear(words + d, d)
        self.line = nn.Linear(words + d, d)
        self.gate = nn.Linear(words, len(PATHS))
        nn.init.normal_(self.gate.weight, std=0.02), nn.init.zeros_(self.gate.bias)
        self.frames: nn.Module | None = None
        if config.features:
            self.frames = nn.Sequential(
                nn.LayerNorm(config.features, elementwise_affine=False), nn.Linear(config.features, d), nn.LayerNorm(d)
            )
            self.attention = LocalAttention(d, config.heads)
            self.sight, self.clip, self.find = (nn.Linear(d, d) for _ in range(3))
            nn.init.normal_(self.find.weight, std=0.02)
        self.norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(config.dropout)
        self.rnn: nn.GRU | None = None
        if config.rnn == "gru":
            self.rnn = nn.GRU(2 * d, d, batch_first=True, bidirectional=True)
            self.order = nn.Linear(2 * d, 2 * d)
            nn.init.normal_(self.order.weight, std=0.02)
        self.dim = 4 * d + 3 * d + 3

    def _words(self) -> nn.Embedding:
        found: nn.Embedding = self.text.network.get_input_embeddings()  # type: ignore[operator]
        return found

    def stages(self) -> tuple[tuple[nn.Parameter, ...], ...]:
        """The parameters by depth: the text network's stages, then all that is above them."""
        stages = self.text.stages()
        inner = {id(p) for stage in stages for p in stage}
        return (*stages, tuple(p for p in self.parameters() if id(p) not in inner))

    def forward(self, inputs: OptionTokens, lines: Tensor, frames: ClipFrames | None) -> tuple[Tensor, Looked]:
        """Vectors of the options, and where they looked.

        Args:
            inputs: N = B K inputs.
            lines: float [B, S, 2].
            frames: of B clips; None where the set has none.

        Returns:
            Float [N, dim], and the places.

        Raises:
            ShapeError: frames are of another width, or there are none where the network takes some.
        """
        rows, count = len(lines), len(inputs) // len(lines)
        seen, times = self._seen(frames, rows)
        ids, mask, part = inputs.tokens.ids, inputs.tokens.mask, inputs.part
        words = self._words()(ids)
        weight = self.weigh(F.layer_norm(words, words.shape[-1:])).squeeze(2).clamp(-8, 8).exp()
        states = self.dropout(self.project(self.text.hidden(inputs.tokens)))
        saw = self._attend(states, inputs, lines, seen, times)
        both = self.norm(states + saw)

        asked, option, is_line = part == Part.QUESTION, part == Part.OPTION, part == Part.LINE
        asked = asked | (option & ~asked.any(dim=1, keepdim=True))  # of the pretext, whose options are questions
        ask_words, option_words = (_mean(words, weight * keep) for keep in (asked, option))
        ask_state, option_state = (_mean(both, (mask & keep).to(both.dtype)) for keep in (asked, option))
        slots = lines.shape[1]
        where = torch.where(is_line, inputs.line, -1)
        line_words, there = _by_line(words, weight, where, slots)
        line_state, _ = _by_line(both, torch.ones_like(weight), where, slots)
        line_saw, _ = _by_line(saw, torch.ones_like(weight), where, slots)
        line_state, line_saw = self._in_order(line_state, line_saw, there)

        near = torch.einsum("nw,nsw->ns", F.normalize(option_words, dim=1), F.normalize(line_words, dim=2))
        about = torch.einsum("nw,nsw->ns", F.normalize(ask_words, dim=1), F.normalize(line_words, dim=2))
        scale = line_state.shape[2] ** -0.5
        query = self.ask(torch.cat([_unit(ask_words), ask_state], dim=1))
        keys = self.line(torch.cat([_unit(line_words), line_state], dim=2))
        place = self.sharpness[0] * about + self.sharpness[1] * near
        place = (place + 0.1 * scale * torch.einsum("nd,nsd->ns", query, keys)).masked_fill(~there, float("-inf"))
        each = seen.repeat_interleave(count, dim=0)
        place = torch.cat([place, self._frame_places(query, each, times, there, count)], dim=1)
        share = _softmax(place)

        told = torch.einsum("ns,nsd->nd", share[:, :slots], keys)
        sight = torch.einsum("ns,nsd->nd", share[:, :slots], line_saw)
        if each.shape[1]:
            sight = sight + torch.einsum("nf,nfd->nd", share[:, slots:], self._value(each))
        whole = _mean(saw, (mask & option).to(saw.dtype))
        mine = self.answer(torch.cat([_unit(option_words), option_state], dim=1))
        cosines = torch.stack(
            [
                (F.normalize(ask_words, dim=1) * F.normalize(option_words, dim=1)).sum(dim=1),
                (share[:, :slots] * near).sum(dim=1),
                near.masked_fill(~there, -1.0).amax(dim=1) if slots else near.new_zeros(len(near)),
            ],
            dim=1,
        )
        z = self._vector(both[:, 0], told, sight, whole, mine, cosines, self.gate(_unit(ask_words)))
        return z, Looked(place, share, near)

    def _vector(
        self, first: Tensor, told: Tensor, sight: Tensor, whole: Tensor, mine: Tensor, cosines: Tensor, gates: Tensor
    ) -> Tensor:
        gates = 2 * torch.sigmoid(gates)
        products = [told * mine * gates[:, :1]]
        if self.frames is not None:
            products += [self.sight(sight) * mine * gates[:, 1:2], self.clip(whole) * mine * gates[:, 2:3]]
        else:
            products += [torch.zeros_like(mine)] * 2
        return torch.cat([first, told, sight, mine, *products, cosines * gates[:, 3:]], dim=1)

    def _value(self, frames: Tensor) -> Tensor:
        value: Tensor = self.attention.value(frames)
        return value

    def _seen(self, frames: ClipFrames | None, rows: int) -> tuple[Tensor, Tensor]:
        weight = self.weigh.weight
        if self.frames is None:
            return weight.new_zeros(rows, 0, self.config.width), weight.new_zeros(rows, 0)
        if frames is None or frames.features.shape[2] != self.config.features:
            there = "no frames" if frames is None else f"frames of {frames.features.shape[2]} features"
            raise ShapeError(
                f"The batch has {there}; the network takes frames of {self.config.features} features.",
                "Set encoder.features to what the data have; 0 for none.",
            )
        return self.dropout(self.frames(frames.features)), frames.times

    def _attend(self, states: Tensor, inputs: OptionTokens, lines: Tensor, seen: Tensor, times: Tensor) -> Tensor:
        if not seen.shape[1]:
            return torch.zeros_like(states)
        rows, there = len(lines), ~times.isnan()
        tokens = states.reshape(rows, -1, states.shape[2])
        if self.alignment == "global":
            sees = there.unsqueeze(1)
        else:
            sees = seen_by(inputs.line.reshape(rows, -1), windows(lines, times, self.slack), there)
        return self.attention(tokens, seen, sees).reshape(states.shape)

    def _in_order(self, state: Tensor, saw: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        if self.rnn is None or not there.shape[1]:
            return state, saw
        x = torch.cat([state, saw], dim=2)
        last = (there * torch.arange(1, there.shape[1] + 1, device=there.device)).amax(dim=1).clamp(min=1)
        packed = pack_padded_sequence(x, last.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])
        more = self.order(self.dropout(out))
        state_more, saw_more = more.chunk(2, dim=2)
        return state + state_more, saw + saw_more

    def _frame_places(self, query: Tensor, frames: Tensor, times: Tensor, there: Tensor, count: int) -> Tensor:
        if not frames.shape[1]:
            return query.new_zeros(len(query), 0)
        found = torch.einsum("nd,nfd->nf", query, self.find(frames)) * frames.shape[2] ** -0.5
        usable = ~times.isnan().repeat_interleave(count, dim=0) & ~there.any(dim=1, keepdim=True)
        return found.masked_fill(~usable, float("-inf"))


class QuestionTower(nn.Module):
    """Questions with their options to a logit an option.

    The last layer belongs to a task: a tower that takes the weights of one of another task begins it anew.

    Args:
        config: the sizes.
        alignment: as the encoder has it.
        slack: as the encoder has it.
        task: 'answer' or 'question'.

    Attributes:
        dim: dimensions of what a logit is read off.
    """

    def __init__(
        self,
        config: QuestionEncoderConfig,
        alignment: Alignment = "local",
        slack: float = 0.0,
        task: QuestionTask = "answer",
    ) -> None:
        super().__init__()
        self.encoder_config = config
        self.encoder = QuestionEncoder(config, alignment, slack)
        self.dim = self.encoder.dim
        d = config.width
        self.head = nn.Linear(self.dim, 1)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.weight.normal_(std=0.02)
            self.head.weight[0, 4 * d : 7 * d] = d**-0.5
            self.head.weight[0, 7 * d :] = 1.0
        self.register_buffer("task", torch.tensor(get_args(QuestionTask).index(task)))

    def forward(self, options: OptionTokens, lines: Tensor, frames: ClipFrames | None) -> QuestionScores:
        """What the network says of a batch: of :class:`kinema.core.questions.QuestionBatch`, three of its fields.

        Raises:
            ShapeError: frames or tokens are not what the network takes.
        """
        rows = len(lines)
        z, looked = self.encoder(options, lines, frames)
        logits = self.head(z).reshape(rows, -1)
        times = lines.new_zeros(rows, 0) if frames is None or not self.encoder.config.features else frames.times
        return QuestionScores(
            logits,
            z.reshape(rows, -1, self.dim),
            looked.place.reshape(rows, logits.shape[1], -1),
            torch.cat([lines, _stretches(times)], dim=1),
        )

    def vectors(self, inputs: OptionTokens, lines: Tensor, frames: ClipFrames | None) -> Tensor:
        """What a logit is read off, float [N, dim]: of one input a question, N is B."""
        z: Tensor = self.encoder(inputs, lines, frames)[0]
        return z

    def take(self, state: Mapping[str, Tensor], what: str) -> None:
        """Loads a tower's weights, strictly; of one that was trained for another task, all but the last layer.

        Raises:
            CheckpointError: keys or shapes do not fit; they are named.
        """
        known = state.get("task")
        if known is not None and int(known) != int(self.task):
            own = {key: x for key, x in self.state_dict().items() if key == "task" or key.startswith("head.")}
            state = {**state, **own}
        load_strictly(self, state, what)


@torch.no_grad()
def _stretches(times: Tensor) -> Tensor:
    """Stretches of frames that touch, float [B, F] to [B, F, 2]; NaN where there is none. A single frame has 1 s."""
    if times.shape[1] < 2:
        return torch.stack([times - 0.5, times + 0.5], dim=2)
    half = (times[:, 1:] - times[:, :-1]) / 2
    before = torch.cat([half[:, :1], half], dim=1)
    after = torch.cat([half, half[:, -1:]], dim=1)
    before, after = torch.where(before.isnan(), after, before), torch.where(after.isnan(), before, after)
    both = torch.stack([before, after], dim=2).nan_to_num(0.5)
    return torch.stack([times - both[..., 0], times + both[..., 1]], dim=2)


def _unit(x: Tensor) -> Tensor:
    """Rows of length one, times the root of their width: values of the size of a normalised state's."""
    return F.normalize(x, dim=-1) * x.shape[-1] ** 0.5


def _mean(x: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean over tokens, float [N, L, d] to [N, d]; zeros where nothing weighs."""
    return torch.einsum("nl,nld->nd", weight, x) / weight.sum(dim=1, keepdim=True).clamp(min=1e-6)


def _by_line(x: Tensor, weight: Tensor, line: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """The weighted mean of each line's tokens, float [N, L, d] to [N, S, d], and where a line has any, bool [N, S]."""
    rows = len(x)
    flat = (torch.where(line < 0, slots, line) + torch.arange(rows, device=x.device).unsqueeze(1) * (slots + 1)).view(-1)
    total = x.new_zeros(rows * (slots + 1), x.shape[2]).index_add(0, flat, (x * weight.unsqueeze(2)).flatten(0, 1))
    summed = x.new_zeros(rows * (slots + 1)).index_add(0, flat, weight.flatten().to(x.dtype))
    total, summed = total.view(rows, slots + 1, -1)[:, :slots], summed.view(rows, slots + 1)[:, :slots]
    return total / summed.unsqueeze(2).clamp(min=1e-6), summed > 0


def _softmax(logits: Tensor) -> Tensor:
    """The softmax over the last axis; zeros where all of it is -inf."""
    if not logits.shape[-1]:
        return logits
    none = logits.isneginf().all(dim=-1, keepdim=True)
    return logits.masked_fill(none, 0.0).softmax(dim=-1) * ~none

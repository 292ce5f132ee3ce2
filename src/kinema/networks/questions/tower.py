"""The network of questions: text, the frames that each line is spoken over, where to look, and a logit an option.

Axes: B questions, K options of each, N = B K inputs, L tokens of an input, S lines, F frames, M = S + F places, D
features of a frame, d dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ShapeError
from kinema.core.method import load_strictly
from kinema.core.questions import ClipFrames, OptionTokens, Part, QuestionScores, QuestionTask
from kinema.networks.questions.attention import LocalAttention, seen_by, windows
from kinema.networks.questions.config import QuestionEncoderConfig
from kinema.networks.questions.frames import FrameNet, in_order
from kinema.networks.text.build import build_text_tower

Alignment = Literal["local", "global"]
PRODUCTS = 4
"""Products of vectors that a logit is read off."""
FAINT = 0.1
"""What learnt products are worth at first beside these cosines."""
SHARPNESS = (12.0, 4.0)
"""What the cosines of a line with the question and with the option are worth at first, in where to look."""
PATHS = ("text", "sight", "clip", "round", "word", "line", "nearest")
"""What is compared: an option with text and sight of the place looked at, and with what it saw of the whole clip; the
question with the latter; and words by their cosine."""


@dataclass(frozen=True)
class Said:
    """The lines of each input.

    Args:
        words: float [N, S, w], the mean of the embeddings of a line's words.
        keys: float [N, S, d], what it says.
        saw: float [N, S, d], what its words saw.
        there: bool [N, S], where there is a line of which the input has words.
    """

    words: Tensor
    keys: Tensor
    saw: Tensor
    there: Tensor


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
        self.frames: FrameNet | None = None
        if config.features:
            self.frames = FrameNet(config.features, d, context=config.rnn == "gru")
            self.attention = LocalAttention(d, config.heads)
            self.sight, self.clip, self.round = (nn.Linear(d, d) for _ in range(3))
        self.norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(config.dropout)
        self.rnn: nn.GRU | None = None
        if config.rnn == "gru":
            self.rnn = nn.GRU(2 * d, d, batch_first=True, bidirectional=True)
            self.order = nn.Linear(2 * d, 2 * d)
            nn.init.normal_(self.order.weight, std=0.02)
        self.dim = (4 + PRODUCTS) * d + 3

    def _words(self) -> nn.Embedding:
        found: nn.Embedding = self.text.network.get_input_embeddings()  # type: ignore[operator]
        return found

    def stages(self) -> tuple[tuple[nn.Parameter, ...], ...]:
        """The parameters by depth: the text network's stages, then all that is above them."""
        stages = self.text.stages()
        inner = {id(p) for stage in stages for p in stage}
        return (*stages, tuple(p for p in self.parameters() if id(p) not in inner))

    def forward(self, inputs: OptionTokens, lines: Tensor, frames: ClipFrames | None) -> tuple[Tensor, Tensor]:
        """Vectors of the options, and where they looked.

        Args:
            inputs: N = B K inputs.
            lines: float [B, S, 2].
            frames: of B clips; None where the set has none.

        Returns:
            Float [N, dim]; and float [N, M], logits of the places, -inf where there is nothing to look at.

        Raises:
            ShapeError: frames are of another width than the network takes. That there are none is no error.
        """
        seen, times = self._seen(frames, len(lines))
        states = self.dropout(self.project(self.text.hidden(inputs.tokens)))
        words = _wide(self._words()(inputs.tokens.ids))
        weight = self.weigh(F.layer_norm(words, words.shape[-1:])).squeeze(2).clamp(-8, 8).exp()
        saw = _wide(self._attend(states, inputs, lines, seen, times))
        both = _wide(self.norm(states + saw))

        said = self._lines(inputs, words, weight, both, saw, lines.shape[1])
        asked, option = inputs.part == Part.QUESTION, inputs.part == Part.OPTION
        asked = asked | (option & ~asked.any(dim=1, keepdim=True))  # of the pretext, whose options are questions
        ask_words, option_words = _mean(words, weight * asked), _mean(words, weight * option)
        query = self.ask(torch.cat([_unit(ask_words), _mean(both, asked)], dim=1))
        mine = self.answer(torch.cat([_unit(option_words), _mean(both, option)], dim=1))

        near, about = _cosine(option_words, said.words), _cosine(ask_words, said.words)
        place = self.sharpness[0] * about + self.sharpness[1] * near
        place = place + FAINT * _scaled(query, said.keys)
        values = self.attention.value(seen) if seen.shape[1] else seen
        place = torch.cat(
            [
                place.masked_fill(~said.there, float("-inf")),
                self._frame_places(query, mine, values, times).masked_fill(
                    said.there.any(dim=1, keepdim=True), float("-inf")
                ),
            ],
            dim=1,
        )
        share = _softmax(place)
        on_lines, on_frames = share[:, : lines.shape[1]], share[:, lines.shape[1] :]
        told = torch.einsum("ns,nsd->nd", on_lines, said.keys)
        sight = torch.einsum("ns,nsd->nd", on_lines, said.saw) + _over_frames(on_frames, values)
        same = F.cosine_similarity(ask_words, option_words, dim=1)
        best = near.masked_fill(~said.there, -1.0).amax(dim=1) if lines.shape[1] else torch.zeros_like(same)
        cosines = torch.stack([same, (on_lines * near).sum(dim=1), best], dim=1)
        z = self._vector(both[:, 0], (told, sight, _mean(saw, option)), mine, query, cosines, _unit(ask_words))
        return z, place

    def frame_statistics(self, frames: ClipFrames | None) -> dict[str, Tensor]:
        """The statistics of a batch's frames, for :meth:`learn_frames`; empty where the network takes none."""
        if self.frames is None or frames is None:
            return {}
        return self.frames.standard.statistics(frames.features, frames.mask)

    def learn_frames(self, statistics: Mapping[str, Tensor]) -> None:
        """Adds them to those that features are standardised by."""
        if self.frames is not None and statistics:
            self.frames.standard.learn(statistics)

    def _vector(
        self,
        first: Tensor,
        seen: tuple[Tensor, Tensor, Tensor],
        mine: Tensor,
        query: Tensor,
        cosines: Tensor,
        asked: Tensor,
    ) -> Tensor:
        told, sight, whole = seen
        gates = 2 * torch.sigmoid(self.gate(asked))
        products = [told * mine]
        if self.frames is not None:
            products += [self.sight(sight) * mine, self.clip(whole) * mine, self.round(whole) * query]
        products = [each * gates[:, n : n + 1] for n, each in enumerate(products)]
        products += [torch.zeros_like(mine)] * (PRODUCTS - len(products))
        return torch.cat([first, told, sight, mine, *products, cosines * gates[:, PRODUCTS:]], dim=1)

    def _lines(
        self, inputs: OptionTokens, words: Tensor, weight: Tensor, both: Tensor, saw: Tensor, slots: int
    ) -> Said:
        where = torch.where(inputs.part == Part.LINE, inputs.line, -1)
        line_words, there = _by_line(words, weight, where, slots)
        alike = torch.ones_like(weight)
        state, seen = _by_line(both, alike, where, slots)[0], _by_line(saw, alike, where, slots)[0]
        state, seen = self._in_order(state, seen, there)
        return Said(line_words, self.line(torch.cat([_unit(line_words), state], dim=2)), seen, there)

    def _seen(self, frames: ClipFrames | None, rows: int) -> tuple[Tensor, Tensor]:
        if frames is None or not frames.times.shape[1]:
            weight = self.weigh.weight
            return weight.new_zeros(rows, 0, self.config.width), weight.new_zeros(rows, 0)
        if self.frames is None or frames.features.shape[2] != self.config.features:
            takes = f"frames of {self.config.features} features" if self.config.features else "no frames"
            raise ShapeError(
                f"The batch has frames of {frames.features.shape[2]} features; the network takes {takes}.",
                "Set encoder.features to what the data have, or leave frames out of the data.",
            )
        return self.dropout(self.frames(frames.features, frames.mask)), frames.times

    def _attend(self, states: Tensor, inputs: OptionTokens, lines: Tensor, seen: Tensor, times: Tensor) -> Tensor:
        if not seen.shape[1]:
            return torch.zeros_like(states)
        rows, there = len(lines), ~times.isnan()
        tokens = states.reshape(rows, -1, states.shape[2])
        if self.alignment == "global":
            sees = there.unsqueeze(1)
        else:
            sees = seen_by(inputs.line.reshape(rows, -1), windows(lines, times, self.slack), there)
        saw: Tensor = self.attention(tokens, seen, sees)
        return saw.reshape(states.shape)

    def _in_order(self, state: Tensor, saw: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        if self.rnn is None or not there.shape[1]:
            return state, saw
        out = in_order(self.rnn, torch.cat([state, saw], dim=2), there)
        more = self.order(self.dropout(out))
        state_more, saw_more = more.chunk(2, dim=2)
        return state + state_more, saw + saw_more

    def _frame_places(self, query: Tensor, mine: Tensor, values: Tensor, times: Tensor) -> Tensor:
        """How well each frame fits question and option, float [N, F]; -inf where there is none."""
        if not values.shape[1]:
            return query.new_zeros(len(query), 0)
        count = len(query) // len(values)
        width = values.shape[2]
        found = _scaled(query.reshape(-1, count, width), self.round(values))
        found = found + _scaled(mine.reshape(-1, count, width), self.sight(values))
        return found.masked_fill(times.isnan().unsqueeze(1), float("-inf")).flatten(0, 1)


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
        features: D, features of a frame that it takes; 0 for no frames.
    """

    task: Tensor

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
        self.dim, self.features = self.encoder.dim, config.features
        d = config.width
        self.head = nn.Linear(self.dim, 1, bias=False)  # all options would share it
        with torch.no_grad():
            self.head.weight.normal_(std=0.02)
            self.head.weight[0, 4 * d : -3] = d**-0.5
            self.head.weight[0, -3:] = 1.0
        self.register_buffer("task", torch.tensor(get_args(QuestionTask).index(task)))

    def forward(self, options: OptionTokens, lines: Tensor, frames: ClipFrames | None) -> QuestionScores:
        """What the network says of a batch: of :class:`kinema.core.questions.QuestionBatch`, three of its fields.

        Raises:
            ShapeError: frames or tokens are not what the network takes.
        """
        rows = len(lines)
        z, place = self.encoder(options, lines, frames)
        logits = self.head(z).reshape(rows, -1)
        times = lines.new_zeros(rows, 0) if frames is None else frames.times
        return QuestionScores(
            logits,
            z.reshape(rows, -1, self.dim),
            place.reshape(rows, logits.shape[1], -1),
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
        if known is not None and known.numel() == 1 and int(known) != int(self.task):
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
    return F.normalize(x, dim=-1) * math.sqrt(x.shape[-1])


def _wide(x: Tensor) -> Tensor:
    """In float32 at least: means over many tokens are not taken in half precision."""
    return x if x.dtype == torch.float64 else x.float()


def _mean(x: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean over tokens, float [N, L, d] to [N, d]; zeros where nothing weighs."""
    weight = weight.to(x.dtype)
    return torch.einsum("nl,nld->nd", weight, x) / weight.sum(dim=1, keepdim=True).clamp(min=1e-6)


def _cosine(x: Tensor, lines: Tensor) -> Tensor:
    """The cosine with each line, float [N, w] and [N, S, w] to [N, S]."""
    return torch.einsum("nw,nsw->ns", F.normalize(x, dim=1), F.normalize(lines, dim=2))


def _scaled(x: Tensor, others: Tensor) -> Tensor:
    """Products over the root of the width: float [N, d] with [N, S, d], or [B, K, d] with [B, F, d]."""
    if x.dim() == 2:
        return _scaled(x.unsqueeze(1), others).squeeze(1)
    return x @ others.transpose(1, 2) / math.sqrt(x.shape[-1])


def _over_frames(share: Tensor, values: Tensor) -> Tensor:
    """The weighted sum of the frames, float [N, F] and [B, F, d] to [N, d]."""
    rows, count = len(values), len(share) // len(values)
    return (share.reshape(rows, count, share.shape[1]) @ _wide(values)).flatten(0, 1)


def _by_line(x: Tensor, weight: Tensor, line: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """The weighted mean of each line's tokens, float [N, L, d] to [N, S, d], and where a line has any, bool [N, S]."""
    rows = len(x)
    row = torch.arange(rows, device=x.device).unsqueeze(1)
    flat = (torch.where(line < 0, slots, line) + row * (slots + 1)).flatten()
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

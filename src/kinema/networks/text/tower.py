"""A text tower: the encoder of sentences, the head of its masked language model, and a head for training alone.

The encoder is a transformer of ``transformers`` without its language head; a sentence is the mean of its tokens'
states, special tokens included and padding not (Reimers & Gurevych 2019, arXiv 1908.10084; DeCLUTR, arXiv 2006.03659).

Axes: N sequences, L tokens of the longest, K tokens that are to be predicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.spans import IGNORED, Tokens

if TYPE_CHECKING:
    from kinema.networks.text.config import TextConfig

TextHead = Literal["tanh"]


class TextEncoder(nn.Module):
    """Sequences of tokens to embeddings, [N, L] to [N, dim].

    In evaluation mode an embedding depends neither on the other sequences of the batch nor on the padding.

    Args:
        network: a base model of ``transformers``.
        positions: most tokens of a sequence; 0 for no limit.

    Attributes:
        dim: dimensions of an embedding.
        positions: most tokens of a sequence, special ones included; 0 for no limit.
        vocabulary: rows of the embedding of tokens.
    """

    def __init__(self, network: nn.Module, positions: int) -> None:
        super().__init__()
        self.network = network
        settings: Any = network.config
        self.dim: int = settings.hidden_size
        self.vocabulary: int = settings.vocab_size
        self.positions = positions

    def hidden(self, tokens: Tokens) -> Tensor:
        """The states of the last layer, float [N, L, dim]; those of padding mean nothing.

        Raises:
            ShapeError: a sequence is longer than the network has positions, or (on the CPU) an id is outside of the
                vocabulary.
        """
        ids, mask = tokens.ids, tokens.mask
        if self.positions and ids.shape[1] > self.positions:
            raise ShapeError(
                f"A sequence has {ids.shape[1]} tokens, and the network has {self.positions} positions.",
                f"Cut sequences to {self.positions} tokens, special ones included.",
            )
        if not ids.numel():
            return next(self.parameters()).new_zeros((*ids.shape, self.dim))
        if ids.device.type == "cpu" and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary:
            raise ShapeError(
                f"Token ids lie from {int(ids.min())} to {int(ids.max())}, and the network has {self.vocabulary} rows.",
                "Use the tokenizer that the network was trained with.",
            )
        states: Tensor = self.network(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return states

    def pool(self, hidden: Tensor, tokens: Tokens) -> Tensor:
        """The mean of a sequence's states, float [N, L, dim] to [N, dim]; zeros where it has no token."""
        return masked_mean(hidden, tokens.mask)

    def forward(self, tokens: Tokens) -> Tensor:
        """Embeddings, float [N, dim], not normalised."""
        return self.pool(self.hidden(tokens), tokens)

    def stages(self) -> tuple[tuple[nn.Parameter, ...], ...]:
        """The parameters by depth, from input to output: the embeddings, then each block.

        Layers after the blocks belong to the last of them. A network that uses one block again and again, as
        ALBERT does, is one stage.
        """
        layers: int = self.network.config.num_hidden_layers  # type: ignore[union-attr, assignment]
        lists = (m for m in self.network.modules() if isinstance(m, nn.ModuleList) and len(m) == layers)
        blocks = next((m for m in lists if any(True for _ in m.parameters())), ())
        found: list[list[nn.Parameter]] = [[], *(list(block.parameters()) for block in blocks)]
        inner = {id(p) for block in found for p in block}
        before = True
        for parameter in self.network.parameters():
            if id(parameter) in inner:
                before = False
            else:
                found[0 if before else -1].append(parameter)
        return tuple(tuple(stage) for stage in found)


class LanguageHead(nn.Module):
    """The head of a masked language model: states [..., dim] to logits [..., vocabulary].

    Args:
        network: a masked language model of ``transformers`` whose base model is replaced by :class:`Given`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, hidden: Tensor) -> Tensor:
        """Float [..., dim] to [..., vocabulary]."""
        rows = hidden.reshape(1, -1, hidden.shape[-1])
        logits: Tensor = self.network(inputs_embeds=rows).logits
        return logits.reshape(*hidden.shape[:-1], logits.shape[-1])


class Given(nn.Module):
    """Takes the place of a masked language model's base model, and returns the states that it was given."""

    def forward(self, *_: object, inputs_embeds: Tensor, **__: object) -> Any:
        """Float [N, L, dim], as what a base model of ``transformers`` gives out."""
        from transformers.modeling_outputs import BaseModelOutput

        return BaseModelOutput(last_hidden_state=inputs_embeds)


class TanhHead(nn.Module):
    """A linear layer and tanh, [N, dim] to [N, dim]: above the encoder in training, and dropped afterwards.

    Source: Gao, Yao, Chen 2021, "SimCSE", arXiv 2104.08821, section 6.3 and table 6 (MLP in training only).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, dim] to [N, dim], in (-1, 1)."""
        return torch.tanh(self.dense(x))


class TextTower(nn.Module):
    """Sequences to L2-normalised projections [N, dim].

    The language head shares the embedding's weights where the architecture says so. They are one parameter, and stand
    once in ``state_dict()``, under ``encoder``; loading is strict.

    Args:
        config: what it was built from, with no folder left to read.
        encoder: what is used after training.
        language_head: of the masked language model; None where nothing is to be predicted.
        head: 'tanh' for a projection head; None for none.
    """

    view = "text"

    def __init__(
        self, config: TextConfig, encoder: TextEncoder, language_head: LanguageHead | None, head: TextHead | None
    ) -> None:
        super().__init__()
        self.encoder_config, self.head_config = config, head
        self.encoder = encoder
        self.language_head = language_head
        self.head = TanhHead(encoder.dim) if head == "tanh" else nn.Identity()
        self.register_state_dict_post_hook(_leave_out_twins)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_put_in_twins)  # type: ignore[no-untyped-call]

    @property
    def positions(self) -> int:
        """Most tokens of a sequence, special ones included; 0 for no limit."""
        return self.encoder.positions

    def forward(self, tokens: Tokens) -> Tensor:
        """Projections, float [N, dim], rows of length one: what contrastive learning compares in."""
        return F.normalize(self.head(self.encoder(tokens)), dim=1)

    def embed(self, tokens: Tokens) -> Tensor:
        """Embeddings, float [N, dim]: without the head, and not normalised."""
        z: Tensor = self.encoder(tokens)
        return z

    def masked_logits(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """What the language head says of the tokens that are to be predicted, and of no other.

        Args:
            hidden: float [N, L, dim], the encoder's states of the masked sequences.
            targets: int64 [N, L], IGNORED where nothing is to be predicted.

        Returns:
            Float [K, vocabulary], in the order of ``targets[targets != IGNORED]``.

        Raises:
            ConfigError: the tower was built without a language head.
            ShapeError: the targets do not fit the states.
        """
        if self.language_head is None:
            raise ConfigError("The tower has no language head.", "Build it with language=True.")
        if targets.shape != hidden.shape[:2]:
            raise ShapeError(
                f"Targets are {tuple(targets.shape)} beside states {tuple(hidden.shape)}; expected [N, L]."
            )
        logits: Tensor = self.language_head(hidden[targets != IGNORED])
        return logits

    @torch.no_grad()
    def frozen_copy(self) -> TextTower:
        """A copy that no gradient reaches."""
        copy = deepcopy(self)
        return copy.requires_grad_(False)


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean over the tokens of each sequence, in float32 at least.

    Args:
        hidden: float [N, L, dim].
        mask: bool [N, L], True where there is a token.

    Returns:
        Float [N, dim]; zeros where a sequence has no token.
    """
    hidden = hidden if hidden.dtype == torch.float64 else hidden.float()
    total = hidden.masked_fill(~mask.unsqueeze(-1), 0.0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _twins(module: nn.Module) -> dict[str, str]:
    """Names of parameters that are another one by a second name, to that one's name."""
    first: dict[int, str] = {}
    return {
        name: first[id(parameter)]
        for name, parameter in module.named_parameters(remove_duplicate=False)
        if first.setdefault(id(parameter), name) != name
    }


def _leave_out_twins(module: nn.Module, state: dict[str, Any], prefix: str, _: Mapping[str, Any]) -> None:
    for twin in _twins(module):
        state.pop(prefix + twin, None)


def _put_in_twins(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    for twin, original in _twins(module).items():
        if prefix + original in state:
            state.setdefault(prefix + twin, state[prefix + original])

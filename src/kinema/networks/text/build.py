"""From settings to a text tower."""

from __future__ import annotations

from typing import Any

import torch

from kinema.core.errors import ConfigError
from kinema.core.spans import Tokens
from kinema.networks.text.architecture import bert_settings, new_masked_lm, positions_of, settings_from
from kinema.networks.text.config import TextConfig, resolved
from kinema.networks.text.tower import Given, LanguageHead, TextEncoder, TextHead, TextTower


def build_text_tower(config: TextConfig, head: TextHead | None = None, *, language: bool = True) -> TextTower:
    """The tower that ``config`` describes, freshly initialised from torch's global random state.

    From one random state the encoder is the same with and without heads. Weights are not read here, not even those of
    ``config.folder``: see :func:`kinema.networks.text.load_text_weights`.

    Args:
        config: which network.
        head: 'tanh' for a projection head; None for none.
        language: whether the tower has the head of the masked language model.

    Raises:
        ConfigError: there is no such head or architecture, the sizes are not those of the architecture, or it is one
            whose states depend on padding or whose language head needs more than them.
        MissingExtraError: without the extra kinema[text].
    """
    if head not in (None, "tanh"):
        raise ConfigError(f"There is no head '{head}' for text.", "Choose 'tanh' or none.")
    config = resolved(config)
    if config.name == "bert":
        settings = bert_settings(config.sizes)
    else:
        settings = settings_from(config.architecture, "the encoder")
    whole = new_masked_lm(settings)
    encoder, language_head = _parts(whole, config)
    _check(encoder, language_head, settings.model_type)
    return TextTower(config, encoder, language_head if language else None, head)


def _parts(whole: Any, config: TextConfig) -> tuple[TextEncoder, LanguageHead]:
    """The base model and the head of a masked language model; weights that they share stay shared."""
    base, settings = whole.base_model, whole.config
    positions = positions_of(settings, base)
    found = {"layers": settings.num_hidden_layers, "width": settings.hidden_size, "vocabulary": settings.vocab_size}
    found["positions"] = positions
    wrong = [
        f"encoder.{key} is {getattr(config, key)}, not {size}"
        for key, size in found.items()
        if getattr(config, key) != size
    ]
    if wrong:
        raise ConfigError(
            f"The sizes are not those of encoder.architecture: {'; '.join(wrong)}.",
            "Leave the sizes out: the architecture tells them.",
        )
    setattr(whole, whole.base_model_prefix, Given())
    return TextEncoder(base, positions), LanguageHead(whole)


@torch.no_grad()
def _check(encoder: TextEncoder, language_head: LanguageHead, name: str) -> None:
    """Refuses architectures that are not an encoder of tokens with a head above their states."""
    modes = [(module, module.training) for module in (encoder, language_head)]
    ids = torch.full((1, 5), 5, dtype=torch.int64)
    mask = torch.tensor([[True, True, True, False, False]])
    try:
        encoder.eval(), language_head.eval()
        states = encoder.hidden(Tokens(ids[:, :3], mask[:, :3]))
        padded = encoder.hidden(Tokens(ids, mask))[:, :3]
        sound = states.shape == (1, 3, encoder.dim) and torch.allclose(states, padded, atol=1e-4)
        sound = sound and language_head(states).shape == (1, 3, encoder.vocabulary)
    except Exception as error:  # what an architecture that differs raises cannot be listed
        raise ConfigError(_REFUSED.format(name=name, reason=f"{type(error).__name__}: {error}"), _INSTEAD) from error
    finally:
        for module, training in modes:
            module.train(training)
    if not sound:
        raise ConfigError(
            _REFUSED.format(name=name, reason="its states depend on padding, or have another form"), _INSTEAD
        )


_REFUSED = "The architecture '{name}' cannot be used as an encoder of sentences here ({reason})."
_INSTEAD = "Use a masked language model such as BERT, RoBERTa, DistilBERT, MPNet or ModernBERT."

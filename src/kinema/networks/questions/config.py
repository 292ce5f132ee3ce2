"""The settings of the network that answers questions about a video, and what it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from torch import nn

from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.questions import QUESTION_VIEW, weights_of
from kinema.core.reading import read_object
from kinema.networks.text.config import TextConfig, bert, check_positions, check_vocabulary
from kinema.networks.text.start import RECIPE, load_text_start, start_of

QuestionNetName = Literal["question-net"]
RNNName = Literal["gru", "none"]
START = replace(bert("tiny"), width=64)
"""The text network that starts from nothing: 2 layers of width 64."""
TOWER = f"phases/*/tower-{QUESTION_VIEW}.safetensors"


@dataclass(frozen=True)
class QuestionEncoderConfig:
    """The network of a question with its options, lines and frames.

    Args:
        name: the network, 'question-net'; there is no other.
        text: the network that reads question, option and lines.
        features: D, values of a frame; 0 where there are no frames, and until the data are known.
        hidden: d, width of all that is above the text network; 0 for the text network's own.
        heads: of the attention to frames; they divide d.
        rnn: 'gru' over the lines of a question, both ways, or 'none'.
        dropout: of what is above the text network, in training; the text network has its own.
    """

    name: QuestionNetName = "question-net"
    text: TextConfig = START
    features: int = 0
    hidden: int = 0
    heads: int = 2
    rnn: RNNName = "gru"
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name, known in (("name", get_args(QuestionNetName)), ("rnn", get_args(RNNName))):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"encoder.{name} is '{getattr(self, name)}'.", f"Choose one of: {', '.join(map(repr, known))}."
                )
        for name, least in (("features", 0), ("hidden", 0), ("heads", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"encoder.{name} is {getattr(self, name)}; it must be at least {least}.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"encoder.dropout is {self.dropout}; it must be at least 0 and below 1.")
        if self.text.name == "bert" and self.width % self.heads:
            raise ConfigError(
                f"encoder.heads is {self.heads}, and the width is {self.width}.",
                "Choose a number of heads that divides it.",
            )

    @property
    def width(self) -> int:
        """Dimensions of all that is above the text network."""
        return self.hidden or self.text.width

    def check(self, data: Any, needs: Sequence[Any]) -> None:  # noqa: ARG002 - every phase reads inputs of one length
        """Refuses data that are no questions, and inputs that are longer than the text network's positions.

        Raises:
            ConfigError: says what does not fit.
        """
        if data.unit != "questions":
            raise ConfigError(
                f"The network '{self.name}' reads questions about videos, and the data are {data.unit}.",
                "Choose a network that reads them.",
            )
        check_positions(self.text, data.max_length)

    def replaced_by(self, weights: str) -> QuestionEncoderConfig:
        """The network that a run of this method holds, or the one with the text network that the weights hold."""
        run = _run(weights)
        if run is None:
            return replace(self, text=START).with_sizes_of(weights)
        return replace(run, features=self.features or run.features)

    def with_sizes_of(self, weights: str) -> QuestionEncoderConfig:
        """The settings with the sizes of the networks that the weights hold, where they name one.

        Args:
            weights: as :func:`kinema.core.questions.weights_of` reads them.

        Raises:
            ConfigError: what is named is neither a run of questions, nor a text run, nor a folder of ``transformers``;
                or it is of other sizes than those that were set.
        """
        if not weights:
            return self
        run = _run(weights)
        text = start_of(Path(weights_of(weights)[1])).config if run is None else run.text
        own = replace(self.text, vocabulary=START.vocabulary) if self.text.name == "bert" else self.text
        if self.text != text and own not in (START, bert("base")):
            raise ConfigError(
                f"encoder.text is of other sizes than the network in '{weights}'.",
                "Leave it out: the weights tell it.",
            )
        if run is None:
            return replace(self, text=text)
        for name in ("hidden", "heads", "rnn"):
            own_value, there = getattr(self, name), getattr(run, name)
            if own_value not in (there, getattr(QuestionEncoderConfig, name)):
                raise ConfigError(
                    f"encoder.{name} is {own_value}, and {there} in the run '{weights}'.",
                    "Leave it out: the weights tell it.",
                )
        return replace(run, features=self.features or run.features, dropout=self.dropout)

    def fits(self, loaded: Any) -> None:
        """Refuses questions whose frames or tokenizer are others than the network was made for.

        Raises:
            ConfigError: names both sizes.
        """
        if self.features != loaded.features:
            raise ConfigError(
                f"The network takes {self.features} features a frame, and the data have {loaded.features}.",
                "Leave encoder.features out: the data tell it.",
            )
        check_vocabulary(self.text, loaded.tokenizer.size)

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:  # noqa: ARG002 - there is one view
        """Loads a whole tower of another run, all but a head of another task, or its text network alone; strictly.

        Raises:
            CheckpointError: keys or shapes do not fit; they are named.
            ConfigError: there is no such network.
        """
        from kinema.core.weights import read_weights

        network: Any = tower
        if _run(str(path)) is None:
            load_text_start(network.encoder.text, self.text, Path(weights_of(str(path))[1]))
            return True
        folder = Path(weights_of(str(path))[1])
        towers = sorted(folder.glob(TOWER))
        if not towers:
            raise ConfigError(
                f"The run '{folder}' has not finished a phase.", "Go on with it: its command with --resume."
            )
        network.take(read_weights(towers[-1], "Train the run again."), f"the run '{folder}'")
        return True


def _run(weights: str) -> QuestionEncoderConfig | None:
    """The network of a run of questions; None where the weights are of a text network, or there are none."""
    from kinema.core.config import from_plain, make_strict_converter

    if not weights:
        return None
    kind, place = weights_of(weights)
    file = Path(place) / RECIPE
    if kind == "text" or not file.is_file():
        return None
    plain = read_object(file, error=CheckpointError).get("encoder")
    if not isinstance(plain, dict) or plain.get("name") not in get_args(QuestionNetName):
        return None
    return from_plain(plain, QuestionEncoderConfig, make_strict_converter(), f"'{file}'")

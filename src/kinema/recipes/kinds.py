"""The kinds of data and of networks that a recipe in JSON may name."""

from __future__ import annotations

from typing import get_args

from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from
from kinema.data.clips.config import ClipsConfig
from kinema.data.documents.config import DocumentsConfig
from kinema.data.pairs.config import PairsConfig
from kinema.data.questions.config import QuestionsConfig
from kinema.data.sequences.config import SequencesConfig
from kinema.data.tracklets.config import TrackletsConfig
from kinema.networks import EncoderConfig
from kinema.networks.build import EncoderName
from kinema.networks.images.config import ImageConfig, ImageName
from kinema.networks.pairs.config import PairEncoderConfig, PairName
from kinema.networks.questions.config import QuestionEncoderConfig, QuestionNetName
from kinema.networks.sequence import MLPConfig
from kinema.networks.text.config import TextConfig, TextName

DATA: dict[str, type] = {"clips": ClipsConfig, "documents": DocumentsConfig, "sequences": SequencesConfig}
DATA |= {"pairs": PairsConfig, "questions": QuestionsConfig, "tracklets": TrackletsConfig}
"""Settings of data by the name of their kind."""

NETWORKS: dict[str, type] = {**dict.fromkeys(get_args(TextName), TextConfig), "mlp": MLPConfig}
NETWORKS |= dict.fromkeys(get_args(ImageName), ImageConfig) | dict.fromkeys(get_args(PairName), PairEncoderConfig)
NETWORKS |= dict.fromkeys(get_args(QuestionNetName), QuestionEncoderConfig)
"""Settings of networks by the name of the network; every other name is one of a video network."""


def data_kind(name: str) -> type:
    """The settings of data that JSON calls so.

    Raises:
        UsageError: there are none; the message lists the kinds there are.
    """
    if name not in DATA:
        raise UsageError(f"There are no data of the kind '{name}'.", choose_from(name, DATA))
    return DATA[name]


def data_name(config: object) -> str:
    """What JSON calls settings of data."""
    return next(name for name, kind in DATA.items() if kind is type(config))


def network_kind(name: str) -> type:
    """The settings of the network of that name; those of a video network where none is named.

    Raises:
        UsageError: there is none; the message lists the networks there are.
    """
    known = (*get_args(EncoderName), *NETWORKS)
    if name and name not in known:
        raise UsageError(f"There is no network '{name}'.", choose_from(name, known))
    return NETWORKS.get(name, EncoderConfig)

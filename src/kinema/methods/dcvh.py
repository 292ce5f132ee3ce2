"""DCVH: a picture and its words in a few bits, so that either finds the other by counting the bits that differ.

Liu, Qi, "Discriminative Cross-View Binary Representation Learning", WACV 2018, arXiv 1804.01233, on the layer of its
parent, Liu, Rahimpour, Taalimi, Qi, "End-to-end Binary Representation Learning via Direct Binary Embedding" (DBE),
arXiv 1703.04960. Each view has a network and a layer that gives values between 0 and 1, off which a linear classifier
reads several labels; views are aligned by the Hamming distance of their values.

    y_v = tanh(ReLU(BN(W φ_v(x_v))))          the codes are 1[y > .5]
    L   = Σ_v [ω CE_v + ν BCE_v] + λ mean(y_image + y_text - 2 y_image y_text)

Legend: B pairs, K bits, C labels; CE the softmax cross-entropy over the labels present, BCE the binary cross-entropy
whose positives weigh ρ, negatives to positives of the batch and at most 10.

All-equal codes would satisfy the alignment, which is 0 then: the classification is what keeps rows apart, so it cannot
be left out altogether. How balanced bits are, and how much they tell, is among the figures of a run.

One view by itself is hashing of that view alone (DBE), which the paper compares with; there is nothing to align then.

Departures: the views share their classifier (method.classifier=own gives each its own): with two of their own, one
label may be written in two ways that each view holds to, which the alignment hardly mends. The weight ω of the softmax
is this project's, to measure what it is worth; BCE is the mean over labels; the classifier is kept with its tower, so
that a run can name a picture's labels afterwards. The papers leave their text network and most of their training open:
see the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import dropout_from
from kinema.core.pairs import IMAGE, TEXT, VIEWS, PairBatch, PairNeeds, PairView
from kinema.core.spans import Tokens
from kinema.networks.binary import BinaryEmbedding, binary, check_bits
from kinema.networks.pairs import PairEncoderConfig, TextCNN, build_pair_encoder
from kinema.networks.text import TextEncoder
from kinema.objectives import positive_weights, present_cross_entropy, soft_hamming, weighted_bce

Classifier = Literal["shared", "own"]
Takes = Literal["pictures", "features", "vectors", "tokens"]


@dataclass(frozen=True)
class DCVHConfig:
    """Settings of discriminative cross-view hashing.

    Args:
        bits: K of a code, a multiple of 8.
        nu: ν, weight of the binary cross-entropy of labels; 0 leaves it out.
        softmax: ω, weight of the softmax cross-entropy of the labels present; 0 leaves it out.
        rho_cap: most that a positive weighs in the binary cross-entropy.
        alignment: λ, weight of the distance between the codes of a picture and of its text; 0 leaves it out. Of one
            view there is none, and it stays as it is.
        classifier: 'shared' by both views, so that a bit means the same in either, or each its 'own'.
        views: 'image', 'text' or both: the views that are learnt.
    """

    bits: int = 32
    nu: float = 1.0
    softmax: float = 1.0
    rho_cap: float = 10.0
    alignment: float = 1.0
    classifier: Classifier = "shared"
    views: tuple[PairView, ...] = VIEWS

    def __post_init__(self) -> None:
        check_bits(self.bits)
        for name in ("nu", "softmax", "alignment"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ConfigError(f"method.{name} is {value}; it must be a number, and not negative.")
        if not self.nu + self.softmax:
            raise ConfigError(
                "method.nu and method.softmax are both 0: nothing is left but the alignment, which codes that are all "
                "equal would satisfy.",
                "Leave one of them above 0.",
            )
        if self.classifier not in get_args(Classifier):
            raise ConfigError(f"method.classifier is '{self.classifier}'.", "Choose 'shared' or 'own'.")
        if not self.rho_cap > 0:
            raise ConfigError(f"method.rho_cap is {self.rho_cap}; it must be above 0.", "The papers' is 10.")
        assert self.needs is not None, "needs check what they are made of"
        if len(self.views) == 1 and self.alignment != DCVHConfig.alignment:
            raise ConfigError(
                f"method.alignment is {self.alignment}, and there is one view, '{self.views[0]}', with nothing to be "
                "aligned to.",
                "Leave method.alignment out, or learn from both views.",
            )

    @property
    def view(self) -> PairView:
        """The view that is used where none is named: pictures, where they are learnt."""
        found: PairView = IMAGE if IMAGE in self.views else TEXT
        return found

    @property
    def trains(self) -> tuple[PairView, ...]:
        """The views that are learnt."""
        return self.views

    @property
    def needs(self) -> PairNeeds:
        """Those views of each pair, with its labels."""
        return PairNeeds(self.views, labels=True)

    def build(self, encoder: PairEncoderConfig, context: TrainingContext) -> DCVH:
        """The method, freshly initialised.

        Raises:
            ConfigError: there are fewer than two labels, or a network does not know its sizes.
        """
        if context.classes < 2:
            there = "no label is known" if context.classes == 0 else "there is one label"
            raise ConfigError(
                f"DCVH learns codes from what tells pairs apart, and {there} in what is trained on.",
                "Give pairs of at least two labels: a column 'labels' with ';' between those of a pair.",
            )
        return DCVH(self, encoder, context.classes)


class HashTower(nn.Module):
    """The network of one view, the layer that gives codes, and the classifier of labels on them.

    Args:
        view: 'image' or 'text'.
        encoder: settings of the networks.
        bits: K.
        classes: C.

    Attributes:
        view: 'image' or 'text'.
        bits: K.
        dim: K.
    """

    def __init__(self, view: PairView, encoder: PairEncoderConfig, bits: int, classes: int) -> None:
        super().__init__()
        self.view, self.bits, self.dim = view, bits, bits
        self.encoder = build_pair_encoder(encoder, view)
        self._pictures = view == IMAGE and encoder.image.name != "features"
        self.binary = BinaryEmbedding(self.encoder.dim, bits)
        self.classifier = nn.Linear(bits, classes)

    @property
    def takes(self) -> tuple[Takes, int]:
        """What it reads.

        'pictures' and their channels (any height and width), 'features' of pictures or 'vectors' of texts and how many
        values they have, or 'tokens' and how many there are.
        """
        if isinstance(self.encoder, TextEncoder | TextCNN):
            return "tokens", self.encoder.vocabulary
        if self.view == TEXT:
            return "vectors", self.encoder.channels
        return "pictures" if self._pictures else "features", self.encoder.channels

    def forward(self, x: Tensor | Tokens) -> Tensor:
        """Values from 0 to below 1, one a bit, float [N, K].

        Args:
            x: of pictures float [N, 3, H, W], or [N, F]; of texts float [N, V], or tokens.

        Raises:
            ShapeError: it is not what the network takes.
        """
        self._check(x)
        y: Tensor = self.binary(self.encoder(x))
        return y

    def embed(self, x: Tensor | Tokens) -> Tensor:
        """The values as numbers from -1 to below 1, 2y - 1, float [N, K]: a bit of the code is 1 where one is above 0.

        A value above .5 gives one above 0 and no other does, without rounding.
        """
        y: Tensor = self(x)
        return 2 * y - 1

    def codes(self, x: Tensor | Tokens) -> Tensor:
        """The codes, bool [N, K]: 1[y > .5]."""
        return binary(self(x))

    def tags(self, x: Tensor | Tokens) -> Tensor:
        """What the classifier says of each label, float [N, C]; not normalised."""
        return self.classify(self(x))

    def classify(self, y: Tensor) -> Tensor:
        """The same of values that are there already, float [N, K] to [N, C]."""
        logits: Tensor = self.classifier(y)
        return logits

    def _check(self, x: Tensor | Tokens) -> None:
        kind, width = self.takes
        if kind == "tokens":
            fits, wanted = isinstance(x, Tokens), "tokens"
        else:
            axes = 4 if kind == "pictures" else 2
            fits = isinstance(x, Tensor) and x.dim() == axes and x.shape[1] == width
            wanted = f"{kind} [N, {width}{', H, W' if axes == 4 else ''}]"
        if not fits:
            given = str(tuple(x.shape)) if isinstance(x, Tensor) else type(x).__name__
            raise ShapeError(
                f"The view '{self.view}' was given {given}; its network takes {wanted}.",
                "A network takes what it learnt from: pictures or features, vectors or tokens, and as many.",
            )


class DCVH(Method[PairBatch]):
    """A tower for each view that is learnt; a run keeps them with their classifiers."""

    config: DCVHConfig

    def __init__(self, config: DCVHConfig, encoder: PairEncoderConfig, classes: int) -> None:
        super().__init__(config)
        self.classes = classes
        for view in config.views:
            self.add_module(f"tower_{view}", HashTower(view, encoder, config.bits, classes))
        if config.classifier == "shared":
            first, *others = self.towers().values()
            for other in others:
                other.classifier = first.classifier

    def towers(self) -> Mapping[str, HashTower]:
        """The towers by view."""
        return {view: cast(HashTower, getattr(self, f"tower_{view}")) for view in self.config.views}

    def loss(self, batch: PairBatch, generator: torch.Generator) -> Losses:
        """The classification of each view, and the distance between their values."""
        labels = self._labels(batch)
        with dropout_from(generator):
            values = {view: tower(batch.view(cast(PairView, view))) for view, tower in self.towers().items()}
        terms: dict[str, Tensor] = {}
        total = labels.new_zeros((), dtype=torch.float32)
        weights = positive_weights(labels, self.config.rho_cap) if self.config.nu else None
        for view, y in values.items():
            logits = self.towers()[view].classify(y)
            if self.config.softmax:
                terms[f"softmax_{view}"] = present_cross_entropy(logits, labels)
                total = total + self.config.softmax * terms[f"softmax_{view}"]
            if weights is not None:
                terms[f"bce_{view}"] = weighted_bce(logits, labels, weights)
                total = total + self.config.nu * terms[f"bce_{view}"]
        if len(values) > 1:
            terms["alignment"] = soft_hamming(values[IMAGE], values[TEXT])
            total = total + self.config.alignment * terms["alignment"]
        reported = {name: x.detach() for name, x in terms.items()}
        for view, y in values.items():
            reported |= {f"{name}_{view}": x for name, x in bit_figures(y.detach()).items()}
        return Losses(total, terms=reported, embeddings=values[self.view].detach())

    def embed(self, x: Tensor | Tokens) -> Tensor:
        """Values of the run's view from -1 to below 1, float [N, K]; a bit is 1 where one is above 0."""
        return self.towers()[self.view].embed(x)

    def _labels(self, batch: PairBatch) -> Tensor:
        if batch.labels is None:
            raise ShapeError(
                "The method asks for 'labels', and the batch has none.", "Build it from the method's needs.labels."
            )
        if batch.labels.shape[1] != self.classes:
            raise ShapeError(
                f"The batch has {batch.labels.shape[1]} labels, and the classifiers {self.classes}.",
                "Labels are those of the table that the method was built for.",
            )
        return batch.labels


def bit_figures(y: Tensor) -> dict[str, Tensor]:
    """How well values fill their bits.

    Args:
        y: float [N, K], from 0 to 1.

    Returns:
        'bit_imbalance': 2 |share of ones - .5|, the mean over bits: 0 where each is on for half of the rows, 1 where
        each is the same for all. 'bit_entropy': of a bit's share of ones, the mean over bits, in bits: 1 at best, 0 of
        codes that are all equal. 'quantisation': |value - code|, the mean: at most .5.
    """
    codes = binary(y).to(y.dtype)
    ones = codes.mean(dim=0)
    entropy = -(torch.xlogy(ones, ones) + torch.xlogy(1 - ones, 1 - ones)) / torch.log(ones.new_tensor(2.0))
    return {
        "bit_imbalance": 2 * (ones - 0.5).abs().mean(),
        "bit_entropy": entropy.mean(),
        "quantisation": (y - codes).abs().mean(),
    }

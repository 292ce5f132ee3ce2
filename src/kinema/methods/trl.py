"""TRL: the same person again. Tracklets of one identity have one descriptor, learnt from the identities of a training.

Dai, Zhang, Wang, Lu, Wang, "Video person re-identification by temporal residual learning", IEEE Transactions on Image
Processing 28(3), 2019, arXiv 1802.07918. Two BiLSTMs describe what all frames of a tracklet share (generic), and what
each has beside it (specific); a spatial-temporal transformer moves and scales each frame's map, so that the person lies
where the network expects one.

    x_t = rest(align(middle(frame_t)))           a network of pictures, with the transformer between its halves
    g   = mean_t BiLSTM_g(x)_t                   generic
    s   = mean_t BiLSTM_s(x - g)_t               specific
    descriptor [g; s], of length one afterwards; cross-entropy of the identity on g, on s and on [g; s]

Legend: B tracklets, T frames, D features of a frame, C identities.

Departures: the paper's GoogLeNet is any network of pictures here, and most of its sizes are reconstructed; the
batch-hard triplet loss is an option that it does not have; the transformer sees the map in the middle, pooled into
cells, in place of the network's last features, which would have to be computed twice. Simpler heads stand beside it for
comparison: one BiLSTM ('lstm'), the mean of the frames ('mean'), the middle frame alone ('frame').
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import all_gather_rows, world_size
from kinema.core.tracklets import TrackletBatch, TrackletNeeds
from kinema.networks.images import ImageConfig, build_image_encoder
from kinema.networks.temporal import (
    Alignment,
    MaskedBiLSTM,
    Residual,
    SpatialTemporalTransformer,
    TemporalResidual,
    masked_mean,
    padded,
)
from kinema.objectives.triplet import batch_hard_triplet, check_margin

VIEW = "tracklet"
Head = Literal["trl", "lstm", "mean", "frame"]


@dataclass(frozen=True)
class TRLConfig:
    """Settings of temporal residual learning.

    Args:
        frames: T, frames drawn of each tracklet; afterwards a longer one is described in stretches of so many.
        stride: frames from one that is drawn to the next.
        instances: K, tracklets of each identity in a batch; 0 for tracklets in any order.
        head: 'trl' for generic and specific features, 'lstm' for one BiLSTM, 'mean' for the mean of the frames'
            features, 'frame' for those of the middle frame alone.
        generic: of 'trl': whether g is part of the descriptor.
        specific: of 'trl': whether s is.
        residual: of 'trl': what the specific BiLSTM sees: 'mean' for x_t - g, 'frame' for x_t - h^g_t, 'none' for x_t.
        transformer: whether each frame's map is aligned first; crops alone have one.
        transformer_rate: share of the learning rate that the transformer's θ has.
        identity_weight: of the cross-entropy; 0 leaves it out.
        triplet_weight: of the batch-hard triplet loss; 0 leaves it out.
        margin: of the triplet loss, in Euclidean distance.
        dim: D, to which a linear layer brings a frame's features; 0 for the network's own, without that layer.
    """

    frames: int = 8
    stride: int = 1
    instances: int = 4
    head: Head = "trl"
    generic: bool = True
    specific: bool = True
    residual: Residual = "mean"
    transformer: bool = True
    transformer_rate: float = 0.1
    identity_weight: float = 1.0
    triplet_weight: float = 0.0
    margin: float = 0.3
    dim: int = 0

    def __post_init__(self) -> None:
        if self.head not in get_args(Head):
            raise ConfigError(f"method.head is '{self.head}'.", f"Choose one of: {', '.join(get_args(Head))}.")
        if self.residual not in get_args(Residual):
            raise ConfigError(
                f"method.residual is '{self.residual}'.", f"Choose one of: {', '.join(get_args(Residual))}."
            )
        self._check_parts()
        self._check_losses()
        if not self.transformer_rate > 0:
            raise ConfigError(
                f"method.transformer_rate is {self.transformer_rate}; it must be above 0.",
                "method.transformer=false leaves the transformer out.",
            )
        if self.dim < 0:
            raise ConfigError(f"method.dim is {self.dim}; it must not be negative.", "0 is the network's own.")
        assert self.needs is not None, "needs check what they are made of"

    def _check_parts(self) -> None:
        """Refuses parts that the head does not have, and a descriptor of nothing."""
        if self.head != "trl" and not (self.generic and self.specific and self.residual == "mean"):
            raise ConfigError(
                f"method.generic, specific and residual are of the head 'trl', and the head is '{self.head}'.",
                "Leave them out, or set method.head to trl.",
            )
        if not (self.generic or self.specific):
            raise ConfigError(
                "method.generic and method.specific are both false: nothing is left to describe a tracklet.",
                "Leave one of them in.",
            )
        if not self.specific and self.residual != "mean":
            raise ConfigError(
                f"method.residual is '{self.residual}', which is what specific features are made of, and "
                "method.specific is false.",
                "Leave method.residual out.",
            )
        if self.head == "frame" and self.transformer:
            raise ConfigError(
                "method.transformer aligns a frame by its neighbours, and the head 'frame' sees none.",
                "Set method.transformer to false.",
            )

    def _check_losses(self) -> None:
        check_margin(self.margin)
        if min(self.identity_weight, self.triplet_weight) < 0 or self.identity_weight + self.triplet_weight <= 0:
            raise ConfigError(
                f"method.identity_weight is {self.identity_weight} and triplet_weight {self.triplet_weight}; none may "
                "be negative, and one must be above 0."
            )
        if self.triplet_weight and self.instances < 2:
            raise ConfigError(
                f"method.triplet_weight is {self.triplet_weight} and instances {self.instances}; a triplet needs two "
                "tracklets of one identity in a batch.",
                "Set method.instances to 4, or leave the triplet loss out.",
            )

    @property
    def view(self) -> str:
        """The view that is learnt from."""
        return VIEW

    @property
    def trains(self) -> tuple[str, ...]:
        """The one tower."""
        return (VIEW,)

    @property
    def needs(self) -> TrackletNeeds:
        """Frames of tracklets, several of each identity, with its number."""
        return TrackletNeeds(self.frames, self.stride, self.instances, labels=True)

    def build(self, encoder: ImageConfig, context: TrainingContext) -> TRL:
        """The method, freshly initialised.

        Raises:
            ConfigError: there are fewer than two identities, or the parts do not fit the network.
        """
        if context.classes < 2:
            there = "no identity is known" if context.classes == 0 else "all tracklets are of one identity"
            raise ConfigError(
                f"TRL learns to tell persons apart, and {there} in what is trained on.",
                "Give tracklets of at least two identities: a folder IDENTITY/CAMERA, or a column 'identity'.",
            )
        return TRL(self, encoder, context.classes)


class TrackletTower(nn.Module):
    """A network of pictures, the transformer between its halves, and the head over time: all that describes a tracklet.

    Args:
        config: the method's settings.
        encoder: the network's.

    Attributes:
        clip: frames of the stretches that it learnt from.
        stride: frames from one of a stretch to the next.
        single: whether it looks at one frame of a tracklet alone.
        dim: dimensions of a descriptor.

    Raises:
        ConfigError: the head or the transformer does not fit the network, or nothing of the tower would be learnt.
    """

    def __init__(self, config: TRLConfig, encoder: ImageConfig) -> None:
        super().__init__()
        self.config, self.clip, self.stride = config, config.frames, config.stride
        self.single = config.head == "frame"
        self.encoder = build_image_encoder(encoder)
        self.kind: Literal["crops", "features"] = "features" if encoder.name == "features" else "crops"
        self.transformer = self._transformer(encoder) if config.transformer else None
        dim = config.dim or self.encoder.dim
        self.projection = nn.Linear(self.encoder.dim, dim) if config.dim else None
        self.temporal: TemporalResidual | MaskedBiLSTM | None = None
        if config.head == "trl":
            self.temporal = TemporalResidual(
                dim, generic=config.generic, specific=config.specific, residual=config.residual
            )
            dim *= config.generic + config.specific
        elif config.head == "lstm":
            self.temporal = MaskedBiLSTM(dim, dim)
        self.dim = dim
        if not any(p.requires_grad for p in self.parameters()):
            raise ConfigError(
                f"Frames are features already, and the head '{config.head}' has nothing to be learnt.",
                "Set method.dim to the dimensions that a linear layer is to give, or take the head trl or lstm.",
            )

    def _transformer(self, encoder: ImageConfig) -> SpatialTemporalTransformer:
        if not self.encoder.middle_channels:
            what = "frames are features" if encoder.name == "features" else f"'{encoder.model}' has none in its middle"
            raise ConfigError(
                f"The transformer aligns maps of crops, and {what}.",
                "Leave it out: --method.transformer false.",
            )
        return SpatialTemporalTransformer(self.encoder.middle_channels)

    @property
    def takes(self) -> tuple[Literal["crops", "features"], int]:
        """What a frame is: 'crops' and its channels (any height and width), or 'features' and how many."""
        return self.kind, self.encoder.channels

    def forward(self, frames: Tensor, mask: Tensor) -> tuple[dict[str, Tensor], Alignment | None]:
        """The parts of descriptors, by name, and how frames were aligned.

        Args:
            frames: float [N, T, 3, H, W], or [N, T, F].
            mask: bool [N, T], True where there is a frame; padding is at the end, and is looked at by no network.

        Returns:
            'generic' and 'specific', or 'all' of a head without parts, each float [N, d]; None without a transformer.

        Raises:
            ShapeError: frames are not what the network takes.
        """
        self._check(frames, mask)
        if self.config.head == "frame":
            frames, mask = _middle(frames, mask)
        x, alignment = frames[mask], None
        if self.transformer is not None:
            maps, alignment = self.transformer(self.encoder.middle(x), mask)
            x = self.encoder.rest(maps)
        else:
            x = self.encoder(x)
        if self.projection is not None:
            x = self.projection(x)
        x = padded(x, mask)
        if isinstance(self.temporal, TemporalResidual):
            return self.temporal(x, mask), alignment
        if self.temporal is not None:
            x = self.temporal(x, mask)
        return {"all": masked_mean(x, mask)}, alignment

    def _check(self, frames: Tensor, mask: Tensor) -> None:
        axes = 3 if self.kind == "features" else 5
        if frames.dim() != axes or frames.shape[2] != self.encoder.channels or mask.shape != frames.shape[:2]:
            wanted = f"{self.encoder.channels}" + (", H, W" if axes == 5 else "")
            raise ShapeError(
                f"Frames {tuple(frames.shape)} with a mask {tuple(mask.shape)} were given; the network takes frames "
                f"[N, T, {wanted}] with a mask [N, T].",
                "A network that learnt from crops takes crops, and one that learnt from features takes as many.",
            )

    def embed(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Descriptors of length one, float [N, T, 3, H, W] or [N, T, F] and bool [N, T] to [N, dim]."""
        return normalize(descriptor(self(frames, mask)[0]).float(), dim=1)


def descriptor(parts: Mapping[str, Tensor]) -> Tensor:
    """The parts one after the other, float [N, dim]."""
    return torch.cat(list(parts.values()), dim=1)


def _middle(frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The middle frame of each tracklet by itself, [N, 1, …], and a mask of ones."""
    rows = torch.arange(len(frames), device=frames.device)
    return frames[rows, mask.sum(dim=1) // 2][:, None], mask[:, :1]


class TRL(Method[TrackletBatch]):
    """A tower, and a linear classifier of identities on each part of its descriptors, which a run does not keep."""

    config: TRLConfig

    def __init__(self, config: TRLConfig, encoder: ImageConfig, classes: int) -> None:
        super().__init__(config)
        self.tower = TrackletTower(config, encoder)
        widths = {"all": self.tower.dim}
        if config.head == "trl" and config.generic and config.specific:
            widths |= dict.fromkeys(("generic", "specific"), self.tower.dim // 2)
        used = widths if config.identity_weight else {}
        self.classifiers = nn.ModuleDict({name: nn.Linear(width, classes) for name, width in used.items()})

    def towers(self) -> Mapping[str, TrackletTower]:
        """The one tower, under its view."""
        return {VIEW: self.tower}

    def groups(self, decay: float = 1.0) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """The learnt parameters; θ of the transformer learns at its own share of the rate."""
        groups = super().groups(decay)
        if self.tower.transformer is None:
            return groups
        theta = list(self.tower.transformer.theta.parameters())
        own = {id(p) for p in theta}
        others = [([p for p in group if id(p) not in own], share) for group, share in groups]
        return [*others, (theta, self.config.transformer_rate)]

    def loss(self, batch: TrackletBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - the contract
        """The mean cross-entropy of the identity over the parts and the whole, and the triplet loss beside it."""
        if batch.labels is None:
            raise ShapeError(
                "The method asks for 'labels', and the batch has none.", "Build it from the method's needs.labels."
            )
        parts, alignment = self.tower(batch.frames, batch.mask)
        z = descriptor(parts)
        terms: dict[str, Tensor] = {}
        total = z.new_zeros(())
        if self.config.identity_weight:
            identity, terms = self._identity({**parts, "all": z}, batch.labels)
            total = total + self.config.identity_weight * identity
        if self.config.triplet_weight:
            labels = all_gather_rows(batch.labels)
            terms["triplet"] = batch_hard_triplet(all_gather_rows(z), labels, self.config.margin)
            total = total + self.config.triplet_weight * terms["triplet"]
        if alignment is not None:
            terms["shift"] = alignment.shift.abs().mean()
            terms["scale"] = (alignment.scale - 1).abs().mean()
        return Losses(total, terms={name: x.detach() for name, x in terms.items()}, embeddings=z.detach())

    def _identity(self, parts: Mapping[str, Tensor], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the classifiers of their mean over the tracklets of all ranks whose identity is known."""
        known = labels >= 0
        every = all_gather_rows(known.sum().reshape(1)).sum().clamp_min(1)
        terms: dict[str, Tensor] = {}
        for name, classifier in self.classifiers.items():
            scores = classifier(parts[name])
            summed = cross_entropy(scores, labels, ignore_index=-1, reduction="sum")
            terms[name] = summed * world_size() / every
            if name == "all":
                right = (scores.argmax(dim=1) == labels) & known
                accuracy = right.sum() / known.sum().clamp_min(1)
        identity = torch.stack(list(terms.values())).mean()
        named = {f"identity_{name}": x for name, x in terms.items() if name != "all"}
        return identity, {**named, "identity": identity, "accuracy": accuracy.float()}

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Descriptors of length one, float [N, dim].

        Args:
            x: float [N, T, 3, H, W], or [N, T, F].
            mask: bool [N, T], True where there is a frame; all by default.
        """
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        return self.tower.embed(x, mask)

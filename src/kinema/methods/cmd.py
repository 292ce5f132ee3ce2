"""CMD: context and motion decoupled: appearance is learnt from a keyframe, motion from the motion vectors.

Huang, Liu, Wang, Pan, Xu, Jin, "Self-supervised video representation learning by context and motion decoupling",
CVPR 2021, arXiv 2104.00862. Both targets are in the compressed stream and cost hardly any decoding.

    context matching    a clip recognises the keyframe of its video among those of the batch
    motion prediction   a clip predicts the motion shortly after it, cell by cell, among the true motion of all cells,
                        of all clips, and of other moments of its own video, which share its scene

Legend: B clips, N hard negatives (motion clips of other moments), P positions of the motion map, d dimensions;
v clip features, c their keyframes', m̂ predicted and m true motion features.

Departures from the authors' code:
- The tower that is used afterwards has the head of context matching, which in training reads the fused map; later
  phases and diagnostics put it on the last level.
- The motion clips' magnitude is scaled with the crop, and a flip negates dx. It does neither.
- Where the stream has no vectors (a keyframe) a motion clip takes the mean of its other frames; zeros would reveal a
  moment by its place between keyframes. A motion clip that a video has no room for is left out of the loss.
- Keyframes of the same recording's other clips are no negatives (``siblings='ignored'``).
- Motion maps are in units of the view (``kinema.data.clips.transforms.MOTION_UNIT``) and not in tens of pixels.
- The temperature of context matching may begin higher than it ends (``first_temperature``); see docs/methods/cmd.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from kinema.core.clips import ClipBatch, ClipNeeds, Companions, MotionClips
from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.ops import all_gather_rows, rank_slice
from kinema.networks import EncoderConfig, HeadConfig, Predictor, PredictorConfig, ResNet10, Tower, fuse
from kinema.networks.video.layers import norm_factory
from kinema.objectives import multi_positive_nce

MOTION_NETS: Mapping[int, tuple[tuple[int, ...], int]] = {
    1: ((1, 2, 2, 2), 7),
    2: ((1, 2, 2, 1), 3),
    4: ((1, 2, 1, 1), 3),
}
"""Strides and stem of the network for motion, by ``shrink``: a cell of its map is always 16 pixels of the clip."""


@dataclass(frozen=True)
class CMDConfig:
    """CMD's settings; the defaults are the paper's but for dropout and the head.

    Args:
        view: the view that is learnt.
        context_weight: weight of context matching; at 0 its networks are not built and keyframes not read.
        motion_weight: weight of motion prediction; at 0 its networks are not built and motion clips not read.
        temperature: τ, the temperature of both losses.
        first_temperature: τ of context matching at the first step, from which it falls evenly to ``temperature``
            where it is above that; None for one τ throughout. A clip and its keyframe go through networks that begin
            unlike one another; a higher τ at first may help them to converge (figures in docs/methods/cmd.md).
        cooling: steps in which it falls.
        motion_frames: frames of a motion clip.
        ahead: frames from the clip's last to the first of the motion that is predicted.
        negatives: N, the negatives of a clip.
        reach: frames before and after the clip among which its keyframe may be.
        siblings: whether keyframes of the same recording count as negatives (the paper) or are left out.
        grid: rows and columns of the motion map, P = grid²; 7 is a sixteenth of the paper's 112 pixels.
        shrink: pixels of the clip, each way, for one of a motion clip: 1, 2 or 4. The network for motion goes down in
            fewer steps then, to the same map, and begins with a smaller kernel.
        width: channels of the first stage of the networks for keyframes and for motion.
        predictor: the transformer from what the clip shows to what comes next.
        head: the head of the tower and of the three other features that are compared.
        geometry: 'own' gives the keyframe and the hard negatives a crop and a flip of their own, as the authors' code
            does; with the clip's ('clip', as it was here before) a keyframe is found by its pixels, and nothing need be
            learnt.
        reads: 'fused' has both tasks read the fused map, the last level brought to its size by the nearest cell (the
            authors' code); with 'last', as it was here before, context matching reads the last level alone, and the map
            is fused linearly.
    """

    view: str = "rgb"
    context_weight: float = 1.0
    motion_weight: float = 1.0
    temperature: float = 0.1
    first_temperature: float | None = None
    cooling: int = 400
    motion_frames: int = 8
    ahead: int = 3
    negatives: int = 3
    reach: int = 5
    siblings: Literal["ignored", "negatives"] = "ignored"
    grid: int = 7
    shrink: Literal[1, 2, 4] = 1
    width: int = 64
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    head: HeadConfig = field(default_factory=lambda: HeadConfig(layers=2, norm=True, affine=True))
    geometry: Literal["own", "clip"] = "own"
    reads: Literal["fused", "last"] = "fused"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"method.temperature is {self.temperature}; it must be above 0.")
        if self.first_temperature is not None and self.first_temperature <= 0:
            raise ConfigError(f"method.first_temperature is {self.first_temperature}; it must be above 0, or null.")
        weights = (self.context_weight, self.motion_weight)
        if min(weights) < 0 or max(weights) == 0:
            raise ConfigError(
                f"method.context_weight is {weights[0]} and method.motion_weight {weights[1]}; neither may be "
                "negative, and one of them must be above 0."
            )
        for name, choices in (("geometry", ("own", "clip")), ("reads", ("fused", "last"))):
            if getattr(self, name) not in choices:
                raise ConfigError(f"method.{name} is '{getattr(self, name)}'.", f"Choose {' or '.join(choices)}.")
        if self.shrink not in MOTION_NETS:
            raise ConfigError(f"method.shrink is {self.shrink}; it is one of 1, 2 and 4.")
        least_of = {"cooling": 1, "motion_frames": 1, "ahead": 1, "negatives": 0, "reach": 0, "grid": 1}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise ConfigError(f"method.{name} is {getattr(self, name)}; it must be at least {least}.")

    @property
    def needs(self) -> ClipNeeds:
        """One variant of each clip, and a keyframe and motion clips, as far as a loss needs them."""
        frames, still = self.motion_frames if self.motion_weight else 0, self.context_weight > 0
        own = self.geometry == "own"
        companions = Companions(frames, self.ahead, self.negatives, still, self.reach, self.shrink, own)
        return ClipNeeds((self.view,), variants=1, companions=companions)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> CMD:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return CMD(self, encoder)


class CMD(Method[ClipBatch]):
    """One variant in, one tower out; beside it the networks that only guide: gradients flow through the keys too."""

    config: CMDConfig

    steps: Tensor

    def __init__(self, config: CMDConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        still = config.context_weight > 0
        self.first_temperature = config.first_temperature if still else None
        if self.first_temperature is not None:
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.tower = Tower(config.view, encoder, config.head)
        dim, norm = int(self.tower.encoder.dim), norm_factory(encoder.norm)

        if still:
            self.keyframe_net = ResNet10(3, config.width, norm, time=1)
            self.keyframe_head = config.head.build(self.keyframe_net.dim, dim)
        else:
            self.tower.head.requires_grad_(False)
        if config.motion_weight:
            steps, stem = MOTION_NETS[config.shrink]
            self.motion_net = ResNet10(2, config.width, norm, steps=steps, stem=stem)
            self.motion_head = config.head.build(self.motion_net.dim, dim)
            self.predictor = Predictor(dim, config.grid**2, config.predictor)
            self.predicted_head = config.head.build(config.predictor.width, dim)

    def towers(self) -> Mapping[str, Tower]:
        """The one tower, under its view."""
        return {self.view: self.tower}

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """The weighted sum of context matching and motion prediction."""
        cfg = self.config
        before, last = self.tower.encoder.levels(batch.view(0, self.view))
        fused = fuse(before, last, "nearest" if cfg.reads == "fused" else "trilinear")
        embeddings = (fused if cfg.reads == "fused" else last).mean(dim=(2, 3, 4))
        total, terms = embeddings.new_zeros(()), {}
        if cfg.context_weight:
            v = embeddings = self.tower.head(embeddings)
            c = self.keyframe_head(self.keyframe_net(batch.keyframe()[:, :, None]))
            terms["context"] = context_matching(v, c, batch.source, self.context_temperature(), cfg.siblings)
            total = total + cfg.context_weight * terms["context"]
        if cfg.motion_weight:
            clips = batch.motion_clips()
            predicted = self.predictor(fused, generator)
            m_hat = self.predicted_head(predicted.flatten(0, 1)).view(*predicted.shape[:2], -1)
            terms["motion"] = motion_prediction(m_hat, self.true_motion(clips), clips.valid, cfg.temperature)
            total = total + cfg.motion_weight * terms["motion"]
            terms["motion_clips_missing"] = (~clips.valid).sum().float()
        logged = {name: value.detach() for name, value in terms.items()}
        return Losses(total, terms=logged, embeddings=embeddings.detach())

    def context_temperature(self) -> float | Tensor:
        """τ of context matching in the next step."""
        first, last = self.first_temperature, self.config.temperature
        if first is None:
            return last
        left = (1 - self.steps / self.config.cooling).clamp(min=0)
        return last + max(0.0, first - last) * left

    def commit(self, losses: Losses) -> None:
        """Counts the steps by which the temperature of context matching falls."""
        if self.first_temperature is not None and losses.ready:
            self.steps += 1

    def true_motion(self, clips: MotionClips) -> Tensor:
        """What the motion network makes of every position of every motion clip.

        Args:
            clips: those that are not valid are never shown to the network, and 0 in the result.

        Returns:
            Float [B, 1 + N, P, d], of unit length.

        Raises:
            ShapeError: the map of such clips has fewer rows or columns than ``grid``.
        """
        grid, there, flat = self.config.grid, clips.valid, clips.values.flatten(0, 1)
        shown = there.flatten() if there.any() else torch.ones_like(there).flatten()
        maps = self.motion_net.feature_map(flat if shown.all() else flat[shown]).mean(dim=2)
        if min(maps.shape[2:]) < grid:
            raise ShapeError(
                f"Motion clips of {flat.shape[3]} x {flat.shape[4]} pixels give a map of "
                f"{maps.shape[2]} x {maps.shape[3]}; method.grid is {grid}.",
                f"Set method.grid to {min(maps.shape[2:])} or less, or clip.size to {16 * grid} or more.",
            )
        cells = F.adaptive_avg_pool2d(maps, grid).flatten(2).transpose(1, 2)
        features = self.motion_head(cells.flatten(0, 1)).view(*cells.shape[:2], -1)
        if not shown.all():
            features = features.new_zeros(len(flat), *features.shape[1:]).index_put((shown,), features)
        found: Tensor = features.view(*there.shape, *features.shape[1:])
        return found


def context_matching(
    v: Tensor, c: Tensor, source: Tensor, temperature: float | Tensor, siblings: str = "ignored"
) -> Tensor:
    """InfoNCE from each clip to its keyframe among those of the batch, over all ranks; not the other way.

    Args:
        v: float [B, d], clips, of unit length.
        c: float [B, d], their keyframes, of unit length.
        source: int64 [B], the recordings.
        temperature: τ, a scalar.
        siblings: 'ignored' leaves the keyframes of a recording's other clips out of the negatives.

    Returns:
        A scalar; log B where all are equally similar.

    Raises:
        ShapeError: the two are not of one shape.
    """
    _check_features("context_matching", v, c.shape == v.shape, c)
    keys, sources = all_gather_rows(c), all_gather_rows(source)
    own = torch.arange(len(v), device=v.device) + rank_slice(len(v)).start
    positives = torch.zeros(len(v), len(keys), dtype=torch.bool, device=v.device).scatter(1, own[:, None], True)
    candidates = source[:, None] != sources if siblings == "ignored" else torch.ones_like(positives)
    return multi_positive_nce(v @ keys.T / temperature, positives, candidates)


def motion_prediction(m_hat: Tensor, m: Tensor, there: Tensor, temperature: float | Tensor) -> Tensor:
    """InfoNCE from each predicted position to the true one, among all positions of all motion clips of all ranks.

    Args:
        m_hat: float [B, P, d], predicted, of unit length.
        m: float [B, 1 + N, P, d], true, of unit length: the target and N hard negatives.
        there: bool [B, 1 + N], which motion clips there are; the others are no keys, and a clip without a target says
            nothing.
        temperature: τ, a scalar.

    Returns:
        A scalar; log((1 + N) B P) where all are equally similar and all are there.

    Raises:
        ShapeError: the shapes do not fit.
    """
    b, p, d = m_hat.shape
    _check_features("motion_prediction", m_hat, m.shape == (*there.shape, p, d) and len(there) == b, m)
    keys, counted = all_gather_rows(m), all_gather_rows(there)
    clip = torch.arange(b, device=m.device) + rank_slice(b).start
    own = (clip * there.shape[1] * p)[:, None] + torch.arange(p, device=m.device)
    logits = m_hat.flatten(0, 1) @ keys.flatten(0, 2).T / temperature
    target = there[:, :1].repeat_interleave(p, dim=0)
    positives = torch.zeros_like(logits, dtype=torch.bool).scatter(1, own.view(-1, 1), target)
    candidates = counted.flatten().repeat_interleave(p).expand_as(positives)
    return multi_positive_nce(logits, positives, candidates)


def _check_features(name: str, queries: Tensor, fits: bool, keys: Tensor) -> None:
    if not fits:
        raise ShapeError(
            f"{name} was given queries {tuple(queries.shape)} and keys {tuple(keys.shape)}, which do not fit together.",
            "A tower that comes from another method must have a head of the same method.head.out.",
        )

"""XDC, cross-modal deep clustering: the clusters that one view finds supervise the other.

Alwassel, Mahajan, Korbar, Torresani, Ghanem, Tran, "Self-supervised learning by cross-modal audio-video clustering",
NeurIPS 2020, arXiv 1911.12667. Every few epochs the features of all videos are clustered in each view; then each
network learns, by cross entropy, to classify a clip by its video's cluster. Four forms differ in whose clusters:

    sdc   each view's own                      mdc   its own and the other's, two heads
    xdc   the other's alone                    cdc   clusters of both views' features side by side, for both

The method takes any two views: rgb and sound are the paper's, rgb and motion need no sound.

Legend: B clips, N videos, K clusters, d dimensions · f_a, f_b the two encoders · y the pseudo-labels ·
w_y = N / (K |y|), a weight for each cluster

The heads of both networks are one linear layer whose outputs are the clusters of both views in one order, so that the
towers project into one space and a video in one view can be searched for in the other. In xdc a network's outputs for
its own clusters start as the similarity of a feature to their centroids; they learn too, without a gradient to the
encoder. In sdc the outputs for the other's clusters are 0.

Departures from the paper and the authors' code:
- One window of a video is seen a step; features for the clustering are the mean over windows along the whole video.
- Clusters are balanced by a weight in place of a sampler (see ``objectives/cluster_ce.py``).
- In xdc a network's head classifies its own clusters too, from features without a gradient.
- The heads are initialised again after each clustering, and their optimiser state is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kinema.core.clips import VIEWS, ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, Refreshed, TrainingContext
from kinema.core.ops import entropy, normalised_mutual_information
from kinema.core.seeds import generator_at, seed_at
from kinema.mining import Clusters, Engine, PseudoLabels, cluster
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import balanced_weights, cluster_cross_entropy

BOTH = "both"
"""The name of the clusters of both views' features side by side."""

HEAD_STD = 0.01
"""The standard deviation of a head's weights when they are drawn, as DeepCluster's."""


@dataclass(frozen=True)
class XDCConfig:
    """Settings of cross-modal deep clustering.

    Args:
        view: a, the first view, and what is used afterwards.
        guide: b, the second view; both are trained.
        form: whose clusters a network learns: 'xdc' the other's, 'sdc' its own, 'mdc' both, 'cdc' common ones.
        clusters: K (the paper: 64 to 1024, more for more data).
        whiten: dimensions that a whitening PCA leaves of the features before they are clustered; 0 for none.
        every: epochs from one clustering to the next. The heads start again then, so there must be steps enough to
            learn them: with some fifty (one epoch of 900 videos) the loss stays at log K, with two hundred it does not.
        engine: what computes k-means: 'sklearn', 'faiss', or 'auto' (see :func:`kinema.mining.cluster`).
    """

    view: str = "rgb"
    guide: str = "sound"
    form: Literal["xdc", "sdc", "mdc", "cdc"] = "xdc"
    clusters: int = 64
    whiten: int = 0
    every: int = 4
    engine: Engine = "auto"

    def __post_init__(self) -> None:
        if self.view == self.guide:
            raise ConfigError(
                f"method.view and method.guide are both '{self.view}'; XDC needs two views.",
                "Set method.guide to 'sound', or to 'motion' where there is none.",
            )
        for view in (self.view, self.guide):
            if view not in VIEWS:
                raise ConfigError(f"There is no view '{view}'.", f"Choose two of: {', '.join(VIEWS)}.")
        if self.form not in ("xdc", "sdc", "mdc", "cdc"):
            raise ConfigError(f"method.form is '{self.form}'.", "Choose 'xdc', 'sdc', 'mdc' or 'cdc'.")
        if self.clusters < 2 or self.whiten < 0 or self.every < 1:
            raise ConfigError(
                f"method.clusters={self.clusters}, whiten={self.whiten}, every={self.every}: they must be at least "
                "2, 0 and 1."
            )

    @property
    def head(self) -> HeadConfig:
        """The head of both towers: linear, an output for every cluster of what is clustered."""
        return HeadConfig(layers=1, out=self.clusters * (1 if self.form == "cdc" else 2))

    @property
    def needs(self) -> ClipNeeds:
        """One variant of each clip, in both views."""
        return ClipNeeds((self.view, self.guide), variants=1)

    @property
    def trains(self) -> tuple[str, ...]:
        """Both views: their towers are learnt together."""
        return (self.view, self.guide)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> XDC:
        """The method, freshly initialised.

        Raises:
            ConfigError: more clusters than videos.
        """
        return XDC(self, encoder, context.rows)


class XDC(Method[ClipBatch]):
    """Two towers, each a classifier of pseudo-labels that are computed again between epochs."""

    config: XDCConfig

    def __init__(self, config: XDCConfig, encoder: EncoderConfig, videos: int) -> None:
        super().__init__(config)
        self.guide = config.guide
        self.spaces = (BOTH,) if config.form == "cdc" else self.trains
        self.f_a = Tower(self.view, encoder, config.head)
        self.f_b = Tower(self.guide, encoder, config.head)
        self.pseudo = PseudoLabels(videos, config.clusters, self.spaces)

    def towers(self) -> Mapping[str, Tower]:
        """Both towers, under their views."""
        return {self.view: self.f_a, self.guide: self.f_b}

    def learns(self, view: str) -> tuple[str, ...]:
        """Whose clusters the network of a view learns to classify."""
        other = self.guide if view == self.view else self.view
        return {"xdc": (other,), "sdc": (view,), "mdc": (view, other), "cdc": (BOTH,)}[self.config.form]

    def columns(self, space: str) -> slice:
        """The outputs of a head for the clusters of a space."""
        first = self.spaces.index(space) * self.config.clusters
        return slice(first, first + self.config.clusters)

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:  # noqa: ARG002 - nothing is drawn
        """The mean over networks and heads of the balanced cross entropy; not ready before the first clustering.

        In xdc the mean over networks of that of their own clusters is added, which reaches the heads alone.
        """
        seen = {view: batch.view(0, view) for view in self.trains}
        if not self.pseudo.ready:
            nothing = next(iter(seen.values())).new_zeros(())
            return Losses(nothing, ready=False)
        terms: dict[str, Tensor] = {}
        right: dict[str, Tensor] = {}
        features = {view: tower.encoder(seen[view]) for view, tower in self.towers().items()}
        for view, tower in self.towers().items():
            outputs = tower.head.layers(features[view])
            for space in self.learns(view):
                logits, y = outputs[:, self.columns(space)], self.pseudo.labels(space)[batch.index]
                name = f"{view}_to_{space}"
                terms[f"ce_{name}"] = cluster_cross_entropy(logits, y, self.pseudo.weights(space))
                right[f"right_{name}"] = (logits.argmax(dim=1) == y).float().mean()
        total = torch.stack(list(terms.values())).mean()
        if self.config.form == "xdc":
            own = {f"own_{view}": self._own(view, features[view], batch.index) for view in self.trains}
            total, terms = total + torch.stack(list(own.values())).mean(), terms | own
        logged = {name: value.detach() for name, value in (terms | right).items()}
        return Losses(total, terms=logged, embeddings=features[self.view].detach())

    def _own(self, view: str, features: Tensor, index: Tensor) -> Tensor:
        """The cross entropy of a network's own clusters, from features [B, d] that get no gradient."""
        outputs = self.towers()[view].head.layers(features.detach())
        return cluster_cross_entropy(
            outputs[:, self.columns(view)], self.pseudo.labels(view)[index], self.pseudo.weights(view)
        )

    def refreshes(self, epoch: int = 0) -> bool:
        """Whether the clusters are computed again after so many epochs."""
        return epoch % self.config.every == 0

    @torch.no_grad()
    def refresh(self, features: Mapping[str, Tensor]) -> Refreshed:
        """Clusters all videos, initialises the heads again, and returns measures of the clusters without labels.

        Args:
            features: float [N, d] of each view in manifest order; rows that are not finite are in no cluster.
        """
        number = int(self.pseudo.round)
        there = torch.stack([torch.isfinite(features[view]).all(dim=1) for view in self.trains]).all(dim=0)
        rows = {view: normalize(features[view][there].float(), dim=1).cpu() for view in self.trains}
        given = {BOTH: torch.cat([rows[view] for view in self.trains], dim=1)} if self.spaces == (BOTH,) else rows
        found = {space: self._cluster(given[space], space, number) for space in self.spaces}
        figures = self._figures(found, there)
        labels = {space: torch.full((self.pseudo.videos,), -1) for space in self.spaces}
        for space in self.spaces:
            labels[space][there.cpu()] = found[space].labels
        self.pseudo.take(labels, {s: balanced_weights(labels[s], self.config.clusters) for s in self.spaces})
        lengths = {view: float(features[view][there].float().norm(dim=1).mean()) for view in self.trains}
        renewed = [p for view in self.trains for p in self._draw_head(view, found, lengths[view], number)]
        return Refreshed(figures, tuple(renewed))

    def _cluster(self, rows: Tensor, space: str, number: int) -> Clusters:
        seed = seed_at(int(self.pseudo.seed), "clusters", space, number)
        cfg = self.config
        return cluster(rows, cfg.clusters, seed=seed, whiten=cfg.whiten, engine=cfg.engine)

    def _draw_head(self, view: str, found: Mapping[str, Clusters], length: float, number: int) -> list[nn.Parameter]:
        """The outputs that are learnt at random, the others as the clusters' middles have it."""
        linear = self.towers()[view].head.layers[0]
        assert isinstance(linear, nn.Linear)
        draw = generator_at(int(self.pseudo.seed), "head", view, number)
        weight = torch.randn(linear.weight.shape, generator=draw) * HEAD_STD
        bias = torch.zeros_like(linear.bias, device="cpu")
        for space in self.spaces:
            if space not in self.learns(view):
                own = space == view
                weight[self.columns(space)] = found[space].weight / max(length, 1e-12) if own else 0.0
                bias[self.columns(space)] = found[space].bias if own else 0.0
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
        return list(linear.parameters())

    def _figures(self, found: Mapping[str, Clusters], there: Tensor) -> dict[str, float]:
        """Sizes, entropy, and how much a clustering says of the other view's and of the round before."""
        figures: dict[str, float] = {}
        for space, clusters in found.items():
            sizes = torch.bincount(clusters.labels, minlength=self.config.clusters)
            figures |= {
                f"clusters_smallest_{space}": float(sizes.min()),
                f"clusters_largest_{space}": float(sizes.max()),
                f"clusters_reseeded_{space}": float(clusters.reseeded),
                f"clusters_entropy_{space}": entropy(clusters.labels),
            }
            if self.pseudo.ready:
                before = self.pseudo.labels(space)[there].cpu()
                figures[f"nmi_before_{space}"] = normalised_mutual_information(before, clusters.labels)
        if len(found) == 2:
            one, other = found.values()
            figures["nmi_views"] = normalised_mutual_information(one.labels, other.labels)
        return figures

"""TOT and ASOT: the frames of videos of one activity are learnt and clustered into its steps at the same time.

Kumar, Haresh, Ahmed, Konin, Zia, Tran, "Unsupervised activity segmentation by joint representation learning and online
clustering", CVPR 2022, arXiv 2105.13353 (TOT); Xu and Gould, "Temporally consistent unbalanced optimal transport for
unsupervised action segmentation", CVPR 2024, arXiv 2404.01518 (ASOT). Both give each frame a pseudo-label by optimal
transport between the frames of a batch and K prototypes, and learn network and prototypes from it: no more than a batch
is in memory.

    TOT    steps come in one order: a prior on the time of each, all equally long; decoded in that order (Viterbi)
    ASOT   frames near one another belong together; steps may vary in order and length, and return

Legend: B videos of a batch, n frames of each, K clusters, d dimensions; z a frame's feature, C the prototypes, S = z Cᵀ
the scores, Q and T the transported pseudo-labels; ε, σ, τ, ρ, λ, r and α as in the papers.

Departures from the authors' code: TOT's prior and coherence are on, which the released scripts leave off, and without
which they collapse; its transport works in the log domain; bins of equal length cover the whole video; a video shorter
than its bins is drawn from several times. ASOT's prior of a padded video counts its own frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, normalize

from kinema.core.errors import ConfigError, ShapeError, TrainingError
from kinema.core.method import Losses, Method, Refreshed, TrainingContext
from kinema.core.ops import all_gather_rows, k_means, rank_slice, world_size
from kinema.core.ops.viterbi import ordered_path
from kinema.core.sequences import SequenceBatch, SequenceNeeds
from kinema.networks.sequence import FrameMLP, MLPConfig
from kinema.objectives.frame_pairs import frame_pairs
from kinema.objectives.optimal_transport import order_prior, segment_cost, segment_transport, temporal_transport

ALL = "all"
"""The view of a model of all videos, where no activity is named."""
MEMORY = 0.98
"""Share that the running counts of clusters keep of a step before."""


@dataclass(frozen=True)
class TOTSettings:
    """What TOT alone has.

    Args:
        frames: n, frames drawn of each video.
        bins: equal stretches of a video that they are drawn in; also the groups of the coherence loss.
        window: how many frames away, at most, the second frame of a pair lies.
        epsilon: ε of the transport.
        sigma: σ of the temporal prior; 0 leaves the prior out.
        iterations: of Sinkhorn.
        coherence: weight of the temporal coherence loss; 0 leaves it out.
        clusters_weight: weight of the loss of pseudo-labels; 0 learns by coherence alone.
        freeze_steps: steps in which the prototypes rest at first; None for a tenth of the run's.
        background: share of all frames, those that no cluster fits best, that are labelled as none when videos are
            segmented; 0 for none.
    """

    frames: int = 128
    bins: int = 32
    window: int = 30
    epsilon: float = 0.08
    sigma: float = 1.5
    iterations: int = 3
    coherence: float = 1.0
    clusters_weight: float = 1.0
    freeze_steps: int | None = 4000
    background: float = 0.0

    def __post_init__(self) -> None:
        if self.epsilon <= 0 or self.sigma < 0 or self.iterations < 1:
            raise ConfigError(
                f"method.tot.epsilon is {self.epsilon}, sigma {self.sigma} and iterations {self.iterations}; above 0, "
                "at least 0 and at least 1 are needed."
            )
        if min(self.coherence, self.clusters_weight) < 0 or self.coherence + self.clusters_weight <= 0:
            raise ConfigError(
                f"method.tot.coherence is {self.coherence} and clusters_weight {self.clusters_weight}; none may be "
                "negative, and one must be above 0."
            )
        if self.bins < 1:
            raise ConfigError(f"method.tot.bins is {self.bins}; it must be at least 1.")
        if (self.freeze_steps or 0) < 0 or not 0 <= self.background < 1:
            raise ConfigError(
                f"method.tot.freeze_steps is {self.freeze_steps} and background {self.background}; at least 0, and "
                "from 0 to below 1."
            )


@dataclass(frozen=True)
class ASOTSettings:
    """What ASOT alone has.

    Args:
        frames: n, frames drawn of each video; all of a shorter one.
        rho: ρ, weight of the prior on the order of steps; 0 for none.
        radius: r, share of a video within which frames belong together.
        alpha: α in training, share of the structure (Gromov-Wasserstein) in the transport.
        epsilon: ε in training.
        balance: λ in training, how strongly all steps are to be equally long.
        eval_alpha: α when videos are segmented.
        eval_epsilon: ε when videos are segmented.
        eval_balance: λ when videos are segmented.
        iterations: of mirror descent.
        start: where the prototypes begin: 'k-means' of the untrained network's features, or 'random'.
    """

    frames: int = 256
    rho: float = 0.15
    radius: float = 0.04
    alpha: float = 0.3
    epsilon: float = 0.07
    balance: float = 0.11
    eval_alpha: float = 0.6
    eval_epsilon: float = 0.04
    eval_balance: float = 0.01
    iterations: int = 25
    start: Literal["k-means", "random"] = "k-means"

    def __post_init__(self) -> None:
        for name in ("alpha", "eval_alpha"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"method.asot.{name} is {getattr(self, name)}; it must lie in [0, 1].")
        for name in ("epsilon", "eval_epsilon", "radius"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"method.asot.{name} is {getattr(self, name)}; it must be above 0.")
        if min(self.rho, self.balance, self.eval_balance) < 0 or self.iterations < 1:
            raise ConfigError("method.asot.rho, balance and eval_balance must not be negative, iterations at least 1.")
        if self.start not in ("k-means", "random"):
            raise ConfigError(f"method.asot.start is '{self.start}'.", "Choose 'k-means' or 'random'.")


@dataclass(frozen=True)
class TOTConfig:
    """The settings of activity segmentation.

    Args:
        form: 'tot' for steps in one order, 'asot' for steps that vary in order and length, or return.
        clusters: K, steps of the activity; of each activity where there are several.
        activities: K by activity, where they differ; filled in with those that the data have.
        activity: the one that a phase learns; empty for all videos together.
        temperature: τ of the softmax over clusters.
        collapse: largest share of frames that one cluster may have for long; a run in which it has more is stopped.
        tot: what TOT alone has.
        asot: what ASOT alone has.
    """

    form: Literal["tot", "asot"] = "tot"
    clusters: int = 0
    activities: Mapping[str, int] = field(default_factory=dict)
    activity: str = ""
    temperature: float = 0.1
    collapse: float = 0.95
    tot: TOTSettings = field(default_factory=TOTSettings)
    asot: ASOTSettings = field(default_factory=ASOTSettings)

    def __post_init__(self) -> None:
        if self.form not in ("tot", "asot"):
            raise ConfigError(f"method.form is '{self.form}'.", "Choose 'tot' or 'asot'.")
        few = {name: k for name, k in {**self.activities, "": self.clusters}.items() if k < 0 or (name and k < 1)}
        if few:
            raise ConfigError(f"method.clusters is {min(few.values())}; there must be at least 1.")
        if self.temperature <= 0:
            raise ConfigError(f"method.temperature is {self.temperature:g}; it must be above 0.")
        if not 0 < self.collapse <= 1:
            raise ConfigError(f"method.collapse is {self.collapse}; it must lie above 0 and be at most 1.")
        assert self.needs is not None, "needs check what they are made of"

    @property
    def view(self) -> str:
        """The activity, whose model it is."""
        return self.activity or ALL

    @property
    def trains(self) -> tuple[str, ...]:
        """The one model."""
        return (self.view,)

    @property
    def needs(self) -> SequenceNeeds:
        """Frames of the activity's videos."""
        if self.form == "asot":
            return SequenceNeeds(self.asot.frames, activity=self.activity)
        return SequenceNeeds(self.tot.frames, self.tot.bins, self.tot.window, activity=self.activity)

    def of(self, activity: str) -> TOTConfig:
        """The settings of one activity's phase."""
        return replace(self, activity=activity, clusters=self.activities.get(activity, self.clusters), activities={})

    def build(self, encoder: MLPConfig, context: TrainingContext) -> TOT:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return TOT(self, encoder)


def own_network(encoder: MLPConfig, form: str) -> MLPConfig:
    """The network with the form's own sizes where none were set: F → 2d → d = 40 of TOT, F → 128 → 40 of ASOT."""
    return encoder.resolved(0, 40, "sigmoid") if form == "tot" else encoder.resolved(128, 40, "relu")


class SegmentTower(nn.Module):
    """A network of frames and the prototypes of an activity's steps: all that segments a video.

    Args:
        config: the method's settings.
        encoder: the network's.

    Attributes:
        times: float [K], where in its videos each cluster lies on average, from 0 to 1.
    """

    times: Tensor

    def __init__(self, config: TOTConfig, encoder: MLPConfig) -> None:
        super().__init__()
        if config.clusters < 1:
            what = f" of '{config.activity}'" if config.activity else ""
            raise ConfigError(f"It is not known how many steps the activity{what} has.", "Say so: --method.clusters 7.")
        self.config = config
        self.encoder = FrameMLP(own_network(encoder, config.form))
        if config.form == "tot":
            for layer in (self.encoder.first, self.encoder.last):
                nn.init.normal_(layer.weight, 0.0, 0.01)
                nn.init.zeros_(layer.bias)
            self.prototypes = nn.Parameter(0.01 * torch.randn(config.clusters, self.encoder.dim))
        else:
            self.prototypes = nn.Parameter(normalize(torch.randn(config.clusters, self.encoder.dim), dim=1))
        self.register_buffer("times", (torch.arange(config.clusters) + 0.5) / config.clusters)

    def encode(self, x: Tensor) -> Tensor:
        """Features of frames, float [..., F] to [..., d]; of unit length in ASOT."""
        z: Tensor = self.encoder(x)
        return normalize(z, dim=-1) if self.config.form == "asot" else z

    def scores(self, z: Tensor) -> Tensor:
        """S = z Cᵀ, float [..., d] to [..., K]."""
        return z @ self.prototypes.T

    @torch.no_grad()
    def segment(self, z: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The step of each frame of one video, and how sure it is.

        TOT decodes in the fixed order; without its prior the order is that of the clusters' times. ASOT solves its
        transport on all frames.

        Args:
            z: float [T, d] of :meth:`encode`.

        Returns:
            int64 [T] from 0, and float32 [T], the share that the step has of each frame.
        """
        if self.config.form == "asot":
            settings = self.config.asot
            cost = segment_cost(z[None], self.prototypes, settings.rho)
            shares = segment_transport(
                cost,
                alpha=settings.eval_alpha,
                radius=settings.radius,
                epsilon=settings.eval_epsilon,
                balance=settings.eval_balance,
                iterations=settings.iterations,
            )[0]
            found = shares.argmax(dim=1)
            return found.cpu().numpy(), shares.gather(1, found[:, None])[:, 0].float().cpu().numpy()
        likely = log_softmax(self.scores(z) / self.config.temperature, dim=1).double().cpu().numpy()
        order = self.order()
        path = order[ordered_path(likely[:, order])]
        return path, np.exp(likely[np.arange(len(path)), path]).astype(np.float32)

    @torch.no_grad()
    def fit_of(self, z: Tensor) -> NDArray[np.float32]:
        """How well the best cluster fits each frame, float32 [T]: its highest log-likelihood."""
        return log_softmax(self.scores(z) / self.config.temperature, dim=1).amax(dim=1).float().cpu().numpy()

    def order(self) -> NDArray[np.int64]:
        """The clusters in the order of time, int64 [K]: as numbered where a prior holds them there."""
        if self.config.form == "tot" and self.config.tot.sigma > 0:
            return np.arange(self.config.clusters)
        return self.times.argsort(stable=True).cpu().numpy()


class TOT(Method[SequenceBatch]):
    """One tower: a network of frames and the prototypes."""

    config: TOTConfig
    shares: Tensor
    steps: Tensor

    def __init__(self, config: TOTConfig, encoder: MLPConfig) -> None:
        super().__init__(config)
        self.tower = SegmentTower(config, encoder)
        self.register_buffer("shares", torch.full((config.clusters,), 1.0 / config.clusters))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def towers(self) -> Mapping[str, SegmentTower]:
        """The one tower, by its activity."""
        return {self.view: self.tower}

    def loss(self, batch: SequenceBatch, generator: torch.Generator) -> Losses:
        """The cross-entropy of the transported pseudo-labels, and in TOT the coherence of neighbours beside it."""
        z = self.tower.encode(batch.features)
        asot = self.config.form == "asot"
        terms = self._asot(z, batch) if asot else self._tot(z, generator)
        total = torch.stack(list(terms.values())).sum()
        with torch.no_grad():
            pending = self._counts(z, batch)
        logged = {name: value.detach() for name, value in terms.items()}
        logged["largest_cluster"] = pending["counts"].max() / pending["counts"].sum()
        return Losses(total, terms=logged, pending=pending, embeddings=z.detach().flatten(0, 1))

    def _tot(self, z: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """-mean_i Σ_k Q_ik log softmax(S/τ)_ik (eq. 3) with Q of all frames of the batch, and the coherence loss."""
        settings, clusters = self.config.tot, self.config.clusters
        terms = {}
        if settings.clusters_weight:
            frozen = int(self.steps) < (settings.freeze_steps or 0)
            prototypes = self.tower.prototypes.detach() if frozen else self.tower.prototypes
            scores = (z @ prototypes.T).flatten(0, 1)
            with torch.no_grad():
                gathered = all_gather_rows(scores.detach())
                prior = None
                if settings.sigma:
                    own = order_prior(z.shape[1], clusters, settings.sigma, device=z.device, dtype=torch.float32)
                    prior = own.repeat(len(gathered) // z.shape[1], 1)
                q = temporal_transport(gathered.float(), prior, settings.epsilon, settings.iterations)
                q = q[rank_slice(len(scores))].to(scores.dtype)
            terms["clusters"] = settings.clusters_weight * cross_entropy(scores / self.config.temperature, q)
        if settings.coherence:
            pairs = frame_pairs(z, settings.bins, self.config.temperature, generator)
            terms["coherence"] = settings.coherence * pairs
        return terms

    def _asot(self, z: Tensor, batch: SequenceBatch) -> dict[str, Tensor]:
        """-Σ_k T_ik log softmax(XAᵀ/τ)_ik, the mean over frames, with T of each video by itself."""
        settings = self.config.asot
        scores = self.tower.scores(z)
        with torch.no_grad():
            cost = segment_cost(z.detach().float(), self.tower.prototypes.detach(), settings.rho, mask=batch.mask)
            shares = segment_transport(
                cost,
                alpha=settings.alpha,
                radius=settings.radius,
                epsilon=settings.epsilon,
                balance=settings.balance,
                iterations=settings.iterations,
                mask=batch.mask,
            )
        kept = batch.mask.flatten()
        logits = scores.flatten(0, 1)[kept] / self.config.temperature
        return {"clusters": cross_entropy(logits, shares.flatten(0, 1)[kept].to(logits.dtype))}

    def _counts(self, z: Tensor, batch: SequenceBatch) -> dict[str, Tensor]:
        """How many frames each cluster is nearest to, float [K], and the sum of their places in time."""
        nearest = self.tower.scores(z).argmax(dim=2)[batch.mask]
        counts, places = (z.new_zeros(self.config.clusters, dtype=torch.float32) for _ in range(2))
        counts.index_add_(0, nearest, torch.ones_like(nearest, dtype=torch.float32))
        places.index_add_(0, nearest, batch.place[batch.mask].float())
        if world_size() > 1:
            counts, places = (all_gather_rows(x[None]).sum(dim=0) for x in (counts, places))
        return {"counts": counts, "places": places}

    @torch.no_grad()
    def commit(self, losses: Losses) -> None:
        """Counts the clusters' frames, and keeps ASOT's prototypes at unit length.

        Raises:
            TrainingError: one cluster takes all frames, step after step.
        """
        counts, places = losses.pending["counts"], losses.pending["places"]
        self.steps += 1
        self.shares.mul_(MEMORY).add_((1 - MEMORY) * counts / counts.sum())
        times = self.tower.times
        times.copy_(torch.where(counts > 0, MEMORY * times + (1 - MEMORY) * places / counts.clamp_min(1.0), times))
        if self.config.form == "asot":
            self.tower.prototypes.copy_(normalize(self.tower.prototypes, dim=1))
        self._check_collapse()

    def _check_collapse(self) -> None:
        """Stops where one cluster has nearly all frames, once the prototypes have been learnt for a while."""
        config = self.config
        learns = config.form == "asot" or config.tot.clusters_weight > 0
        resting = (config.tot.freeze_steps or 0) if config.form == "tot" else 0
        if config.clusters < 2 or not learns or int(self.steps) < resting + 200:
            return
        largest = float(self.shares.max())
        if largest > config.collapse:
            what = f" of '{config.activity}'" if config.activity else ""
            raise TrainingError(
                f"The steps{what} have collapsed: at step {int(self.steps)}, cluster {int(self.shares.argmax()) + 1} "
                f"of {config.clusters} has {largest:.0%} of all frames.",
                "Take fewer clusters, a lower optimiser.lr, normalize=video, or the other form; method.collapse=1 goes "
                "on all the same.",
            )

    def refreshes(self, epoch: int = 0) -> bool:
        """Once, before the first epoch, where ASOT's prototypes begin at k-means."""
        return epoch == 0 and self.config.form == "asot" and self.config.asot.start == "k-means"

    @torch.no_grad()
    def refresh(self, features: Mapping[str, Tensor]) -> Refreshed:
        """Begins the prototypes at the means of k-means over frames of all videos.

        Args:
            features: of frames, by activity, float [S, d].

        Raises:
            ShapeError: there are fewer frames than clusters.
        """
        z, clusters = features[self.view], self.config.clusters
        if len(z) < clusters:
            raise ShapeError(
                f"{clusters} steps are to be found among {len(z)} frames.", "Set method.clusters lower, or add videos."
            )
        _, means = k_means(z.double().numpy(), clusters, seed=0, starts=10)
        self.tower.prototypes.copy_(normalize(torch.from_numpy(means), dim=1).to(self.tower.prototypes))
        return Refreshed(renewed=(self.tower.prototypes,))

    def embed(self, x: Tensor) -> Tensor:
        """Features of frames, float [..., F] to [..., d]."""
        return self.tower.encode(x)

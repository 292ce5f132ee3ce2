"""CPR, cascade positive retrieval: further positives are found among other videos, by a cascade over two views.

Wu, Lai, Hu, Kadav, "Self-supervised video representation learning with cascade positive retrieval", 2022,
arXiv 2201.07989. Two clips of one action may share little in RGB and much in their motion. A memory of K earlier clips
is cut down in n stages that alternate between the guide view b (frozen) and the trained view a; the k that are left
count as positives beside the clip's own key. With one stage this is CoCLR (Han, Xie, Zisserman, NeurIPS 2020).
A patent application on the idea exists (US 2023/0086023); see docs/methods/cpr.md.

Legend, in the paper's symbols:
    B clips of a batch · K entries of the memory · d dimensions · n stages · r keep ratio · k positives
    q = f_q(x1_a) · key = f_k(x2_a) · p = g_b(x2_b) · Q_a, Q_b the memory, one write index for both

Two forms: :class:`CPR` has a queue, a momentum network and a frozen guide (the CoCLR base); :class:`CPRBank` learns
both views from scratch with memory banks over all N videos (the IIC base; its details are a reconstruction).

Departures from the authors' code:
- Clips are mined by the key variant (``miner='key'``), as the paper says. The code searches view a with the query's q
  and view b with the key variant's guide feature p (``miner='query'``).
- A dropped own key leaves numerator and denominator (``own_key='both'``); in the code it stays in the denominator
  and so becomes a negative (``own_key='numerator'``).
- BatchNorm is not shuffled. The own key, when it counts, is younger than the memory that it is compared with; it counts
  in a tenth of the steps. The other keys of the batch can be negatives too (``negatives_from``).
- One and two stages work. Log-sum-exp takes the place of the log of a masked softmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from kinema.core.clips import ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.moving import sent
from kinema.core.ops import all_gather_rows, rank_slice, update_ema
from kinema.mining import CascadeSettings, FeatureQueue, MemoryBank, cascade, cascade_sizes
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.objectives import check_among, multi_positive_nce, own_negatives, weighed_among


@dataclass(frozen=True)
class CPRConfig:
    """Settings of CPR with a queue (the CoCLR base).

    Args:
        view: a, the view that is trained.
        guide: b, the view whose frozen tower guides the mining.
        stages: n, the stages of the cascade; 1 is CoCLR.
        keep: r, the share that a stage keeps.
        k: positives mined a clip.
        sizes: what each stage keeps, in place of stages, keep and k: the last is k.
        queue: K; a multiple of the batch over all ranks.
        temperature: τ, the temperature of the loss: scores are divided by it.
        momentum: m of the key network.
        miner: what is looked up in the memory's view a: the 'key' (the paper), or the 'query' (the authors' code). In
            view b it is the guide's feature of the key variant in both.
        own_key: what self-dropping takes the own key out of: 'both' numerator and denominator, the 'numerator' only
            (the authors' code), or 'keep' for no dropping.
        drop_own: probability, a step, that the own key is dropped.
        negatives_from: the 'queue' (the paper), the other keys of the 'batch', or 'both'. Mined positives come from the
            queue, so its keys are the negatives of their age; against the batch's fresh keys it would be enough to
            tell old from new.
        head: the projection head of both towers.
        own_among: how many other negatives a clip's own is to weigh among, where a disturbance makes one; 0: as it is.
    """

    view: str = "rgb"
    guide: str = "motion"
    stages: int = 4
    keep: float = 0.5
    k: int = 5
    sizes: tuple[int, ...] | None = None
    queue: int = 1024
    temperature: float = 0.07
    momentum: float = 0.99
    miner: Literal["key", "query"] = "key"
    own_key: Literal["both", "numerator", "keep"] = "both"
    drop_own: float = 0.9
    negatives_from: Literal["queue", "batch", "both"] = "queue"
    head: HeadConfig = field(default_factory=HeadConfig)
    own_among: int = 0

    def __post_init__(self) -> None:
        check_among(self.own_among)
        if self.view == self.guide:
            raise ConfigError(
                f"method.view and method.guide are both '{self.view}'; the cascade needs two views.",
                "Set method.guide to 'motion' or 'residual' for the view 'rgb'.",
            )
        if self.queue < 1 or self.temperature <= 0 or not 0 <= self.momentum < 1 or not 0 <= self.drop_own <= 1:
            raise ConfigError(
                f"method.queue={self.queue}, temperature={self.temperature}, momentum={self.momentum}, "
                f"drop_own={self.drop_own}: they must lie in [1, ∞), (0, ∞), [0, 1) and [0, 1]."
            )
        self.resolved_sizes()

    def resolved_sizes(self) -> tuple[int, ...]:
        """What each stage keeps of the queue.

        Raises:
            ConfigError: the cascade cannot keep k.
        """
        return _resolve(self.sizes, self.queue, self.keep, self.stages, self.k)

    @property
    def cascade(self) -> CascadeSettings:
        """How it mines: the guide is frozen."""
        return CascadeSettings(self.guide, self.resolved_sizes(), self.keep)

    @property
    def needs(self) -> ClipNeeds:
        """Two variants of each clip, in both views."""
        return ClipNeeds((self.view, self.guide), negatives=True)

    @property
    def trains(self) -> tuple[str, ...]:
        """The view whose tower is learnt; the guide is frozen."""
        return (self.view,)

    @property
    def warm_up_clips(self) -> int:
        """How many clips must have passed before a step can mine: the queue's."""
        return self.queue

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> CPR:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return CPR(self, encoder)


class CPR(Method[ClipBatch]):
    """CPR on a queue: the guide is frozen, the trained view has a momentum tower."""

    config: CPRConfig

    def __init__(self, config: CPRConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.guide = config.guide
        self.f_q = Tower(self.view, encoder, config.head)
        self.f_k = self.f_q.frozen_copy()
        self.g_b = Tower(self.guide, encoder, config.head).requires_grad_(False)
        self.queue = FeatureQueue(config.queue, config.head.out, (self.view, self.guide))

    def towers(self) -> Mapping[str, Tower]:
        """The trained tower and the guide, under their views."""
        return {self.view: self.f_q, self.guide: self.g_b}

    def started(self) -> None:
        """The momentum tower starts where the query tower does."""
        self.f_k.load_state_dict(self.f_q.state_dict())

    def train(self, mode: bool = True) -> CPR:
        """Sets the mode; the frozen guide always evaluates."""
        super().train(mode)
        self.g_b.eval()
        return self

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """MIL-NCE (sect. 3) over the own key, the siblings and the mined entries; not ready until the queue is full."""
        cfg = self.config
        with torch.no_grad():
            key = self.f_k(batch.view(1, self.view))
            p = self.g_b(batch.view(1, self.guide))
            n = [self.f_k(x) for x in batch.negatives.view(self.view)]
        pending = {"key": all_gather_rows(key), "p": all_gather_rows(p)}
        pending |= {"source": all_gather_rows(batch.source), "index": all_gather_rows(batch.index)}
        if not self.queue.full:
            return Losses(key.new_zeros(()), pending=pending, embeddings=key, ready=False)

        q = self.f_q(batch.view(0, self.view))
        Q_a, Q_b = self.queue.features(self.view), self.queue.features(self.guide)
        s_q = q @ Q_a.T
        sibling = batch.source[:, None] == self.queue.source
        with torch.no_grad():
            s_a = key @ Q_a.T if cfg.miner == "key" else s_q.detach()
            mined = cascade((p @ Q_b.T, s_a), cfg.resolved_sizes(), excluded=sibling)

        dropped = cfg.own_key != "keep" and float(torch.rand((), generator=generator)) < cfg.drop_own
        positives, candidates = positives_and_candidates(batch.source, pending["source"], sibling, mined, cfg, dropped)
        logits = torch.cat([q @ pending["key"].T, s_q], dim=1) / cfg.temperature
        own = own_negatives(q, n, batch.negatives.valid) / cfg.temperature
        own = weighed_among(own, (candidates & ~positives).sum(dim=1), cfg.own_among)
        total = multi_positive_nce(logits, positives, candidates, own)
        rows = torch.where(mined >= 0, self.queue.index[mined.clamp_min(0)], -1)
        return Losses(total, terms={"mil_nce": total.detach()}, pending=pending, embeddings=q.detach(), mined=rows)

    def commit(self, losses: Losses) -> None:
        """Moves f_k towards f_q and pushes keys, guide features and ids under one write index."""
        if losses.ready:
            update_ema(self.f_k, self.f_q, self.config.momentum)
        pending = losses.pending
        features = {self.view: pending["key"], self.guide: pending["p"]}
        self.queue.push(features, pending["source"], pending["index"])


@dataclass(frozen=True)
class CPRBankConfig:
    """Settings of CPR with memory banks (the IIC base; a reconstruction).

    Args:
        view: the first view, where the cascade starts and what is used afterwards.
        guide: the second view; both are trained.
        stages: n, the stages of the cascade.
        keep: r, the share that a stage keeps.
        k: positives mined a clip.
        sizes: what each stage keeps, in place of stages, keep and k (the paper: top 1000 in RGB, 100 in the residual,
            … 3).
        negatives: entries drawn from the bank a step, 0 for all of it (the paper: 1024).
        temperature: τ, the temperature of the loss: scores are divided by it.
        bank_momentum: how much an entry keeps of itself when its clip is seen again.
        head: the projection head of both towers.
        own_among: how many other negatives a clip's own is to weigh among, where a disturbance makes one; 0: as it is.
    """

    view: str = "rgb"
    guide: str = "residual"
    stages: int = 3
    keep: float = 0.1
    k: int = 3
    sizes: tuple[int, ...] | None = None
    negatives: int = 1024
    temperature: float = 0.07
    bank_momentum: float = 0.5
    head: HeadConfig = field(default_factory=HeadConfig)
    own_among: int = 0

    def __post_init__(self) -> None:
        check_among(self.own_among)
        if self.view == self.guide:
            raise ConfigError(f"method.view and method.guide are both '{self.view}'; the cascade needs two views.")
        if self.negatives < 0 or self.temperature <= 0 or not 0 <= self.bank_momentum < 1:
            raise ConfigError(
                f"method.negatives={self.negatives}, temperature={self.temperature}, "
                f"bank_momentum={self.bank_momentum}: they must lie in [0, ∞), (0, ∞) and [0, 1)."
            )

    @property
    def needs(self) -> ClipNeeds:
        """One variant of each clip, in both views."""
        return ClipNeeds((self.view, self.guide), variants=1, negatives=True)

    @property
    def trains(self) -> tuple[str, ...]:
        """Both views: their towers are learnt together."""
        return (self.view, self.guide)

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> CPRBank:
        """The method, freshly initialised.

        Raises:
            ConfigError: the cascade cannot keep k of so many videos.
        """
        return CPRBank(self, encoder, context.rows)


class CPRBank(Method[ClipBatch]):
    """CPR on memory banks: two towers from scratch, each the other's guide.

    Each view's query is compared with the other view's bank: its own entry there, the mined entries and the negatives
    (contrastive multi-view coding, as in IIC). Nothing is learnt in the first epoch, which fills the banks.
    """

    config: CPRBankConfig

    def __init__(self, config: CPRBankConfig, encoder: EncoderConfig, videos: int) -> None:
        super().__init__(config)
        self.sizes = _resolve(config.sizes, videos, config.keep, config.stages, config.k)
        self.guide = config.guide
        self.f_a = Tower(self.view, encoder, config.head)
        self.f_b = Tower(self.guide, encoder, config.head)
        self.bank = MemoryBank(videos, config.head.out, self.trains, momentum=config.bank_momentum)

    def towers(self) -> Mapping[str, Tower]:
        """Both towers, under their views."""
        return {self.view: self.f_a, self.guide: self.f_b}

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """MIL-NCE of each view against the other's bank, mean of both; not ready until every video was seen."""
        q = {view: tower(batch.view(0, view)) for view, tower in self.towers().items()}
        pending = {view: all_gather_rows(z.detach()) for view, z in q.items()}
        pending |= {"source": all_gather_rows(batch.source), "index": all_gather_rows(batch.index)}
        n = {view: [tower(x) for x in batch.negatives.view(view)] for view, tower in self.towers().items()}
        embeddings = q[self.view].detach()
        if not self.bank.full:
            return Losses(embeddings.new_zeros(()), pending=pending, embeddings=embeddings, ready=False)

        sibling = batch.source[:, None] == self.bank.source[None]
        with torch.no_grad():
            scores = tuple(q[view].detach() @ self.bank.features(view).T for view in (self.view, self.guide))
            mined = cascade(scores, self.sizes, excluded=sibling)
        positives, candidates = _targets(sibling, mined)
        if self.config.negatives:
            draw = sent(torch.rand(len(self.bank.source), generator=generator), embeddings.device)
            chosen = draw.argsort()[: self.config.negatives]
            candidates = torch.zeros_like(candidates).index_fill_(1, chosen, True) | positives
        terms, others = {}, (candidates & ~positives).sum(dim=1)
        for view, other in ((self.view, self.guide), (self.guide, self.view)):
            logits = q[view] @ self.bank.features(other).T / self.config.temperature
            own = own_negatives(q[view], n[other], batch.negatives.valid) / self.config.temperature
            own = weighed_among(own, others, self.config.own_among)
            terms[f"mil_nce_{view}"] = multi_positive_nce(logits, positives, candidates, own)
        total = torch.stack(list(terms.values())).mean()
        logged = {name: value.detach() for name, value in terms.items()}
        return Losses(total, terms=logged, pending=pending, embeddings=embeddings, mined=mined)

    def commit(self, losses: Losses) -> None:
        """Mixes what was seen into the banks."""
        pending = losses.pending
        features = {view: pending[view] for view in self.trains}
        self.bank.update(pending["index"], features, pending["source"])


def positives_and_candidates(
    source: Tensor, gathered: Tensor, sibling: Tensor, mined: Tensor, cfg: CPRConfig, dropped: bool
) -> tuple[Tensor, Tensor]:
    """What counts as a positive and what the denominator sums over, among the batch's keys and the memory's.

    Args:
        source: int64 [B], the recordings of this rank's clips.
        gathered: int64 [N], the recordings of all ranks' clips.
        sibling: bool [B, K], entries of the memory of the same recording.
        mined: int64 [B, k], entries that the cascade found, -1 for none.
        cfg: the settings: ``negatives_from`` and ``own_key``.
        dropped: whether the own key is dropped in this step (self-dropping).

    Returns:
        Bool [B, N + K] twice.
    """
    own = rank_slice(len(source)).start + torch.arange(len(source), device=source.device)
    positives, candidates = _targets(sibling, mined)
    own_positive, own_candidate = _batch_targets(source, gathered, own)
    if cfg.negatives_from == "queue":
        own_candidate = own_positive
    if cfg.negatives_from == "batch":
        candidates = positives
    if dropped:
        own_positive = torch.zeros_like(own_positive)
        own_candidate = own_candidate.scatter(1, own[:, None], cfg.own_key == "numerator")
    return torch.cat([own_positive, positives], dim=1), torch.cat([own_candidate, candidates], dim=1)


def _resolve(sizes: tuple[int, ...] | None, candidates: int, keep: float, stages: int, k: int) -> tuple[int, ...]:
    """Explicit sizes, checked against the memory, or the geometric ones."""
    if sizes is None:
        return cascade_sizes(candidates, keep, stages, k)
    shrinking = all(a >= b for a, b in zip((candidates, *sizes), sizes, strict=False))
    if not sizes or min(sizes) < 1 or not shrinking:
        raise ConfigError(
            f"method.sizes is {list(sizes)} for a memory of {candidates} clips.",
            "Give what each stage keeps: at least 1, never growing, and no more than the memory holds.",
        )
    return sizes


def _targets(sibling: Tensor, mined: Tensor) -> tuple[Tensor, Tensor]:
    """Positives and candidates among the memory, bool [B, K]: siblings and mined entries are positive."""
    K = sibling.shape[1]
    # Column K takes the entries that were not found (-1) and is cut off again.
    found = torch.zeros(len(sibling), K + 1, dtype=torch.bool, device=sibling.device)
    found.scatter_(1, torch.where(mined >= 0, mined, K), True)
    positives = sibling | found[:, :K]
    return positives, torch.ones_like(positives)


def _batch_targets(source: Tensor, gathered: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """The same among the batch's keys, bool [B, B over all ranks]: the own key is positive, siblings are neither."""
    positives = torch.zeros(len(source), len(gathered), dtype=torch.bool, device=source.device)
    positives.scatter_(1, own[:, None], True)
    return positives, (source[:, None] != gathered) | positives

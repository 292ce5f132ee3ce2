"""ELo, evolving losses: many self-supervised tasks in several modalities at once, distilled into one network.

Piergiovanni, Angelova, Ryoo, "Evolving losses for unsupervised video representation learning", CVPR 2020, arXiv
2002.12177. No single pretext task is right for all videos, so all are learnt together, L = Σ λ L_task with every λ in
[0, 1]. Which λ are good is found by evolution, with a fitness that needs no label (``kinema evolve``).

    m.reconstruction  the clip itself, from its feature           m-n.transfer      modality n of the clip, from m's
    m.prediction      the second half of the clip, from the first m-n.contrast      m and n of one clip are similar
    m.order           are the clip's pieces in their order?       m-n.alignment     are m and n of one half of the clip?
    m.direction       does the clip run forwards?                 m-n.distillation  n's feature is as m's, its teacher

Legend: m and n modalities, B clips; f a feature of the encoder, z its projection; λ the weight of a part. One modality
is the *view*, whose encoder is used afterwards; what joins two modalities joins one with the view.

A weight of 0 leaves a part out: its network is not built, its data are not read, it is not in the graph.

A reconstruction where the paper was not available (weights, tasks and distillation are from other papers). Departures:
- Decoders predict the clip averaged to a coarse grid (``kinema.networks.decoder``), not every pixel.
- A teacher learns its own tasks only: no gradient of the distillation reaches it. The distance is divided by √dim, so
  that a λ means the same for any encoder.
- A clip that runs backwards has its residual and motion negated, as a camera would see it; pieces that are reordered
  keep theirs, for a seam would give the answer away.
- Grey is rgb without its colours, made here.
- Flow is the motion of the compressed stream, or the residual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core.clips import VIEWS, ClipBatch, ClipNeeds
from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import Losses, Method, TrainingContext
from kinema.core.moving import sent
from kinema.core.ops import rank_slice, world_size
from kinema.core.seeds import seed_at
from kinema.networks import CoarseDecoder, EncoderConfig, HeadConfig, Tower, coarse
from kinema.objectives import check_margin, max_margin

TASKS = ("reconstruction", "prediction", "order", "direction")
"""The tasks of one modality."""

GREY = "grey"
LUMA = (0.299, 0.587, 0.114)
DIFFERENCES = ("residual", "motion")
"""Views that change their sign when time runs backwards."""

PIECES = 4
"""Pieces that 'order' cuts a clip into."""


@dataclass(frozen=True)
class Part:
    """One term of the loss.

    Args:
        name: 'rgb.order', 'rgb-motion.transfer'.
        task: what follows the dot.
        first: the modality whose feature is used.
        second: the other modality, or '' for a task of one.
    """

    name: str
    task: str
    first: str
    second: str = ""

    @property
    def teaches(self) -> tuple[str, ...]:
        """The modalities whose encoders learn from it."""
        both = {"contrast": (self.first, self.second), "alignment": (self.first, self.second)}
        return both.get(self.task, (self.second,) if self.task == "distillation" else (self.first,))

    @property
    def key(self) -> str:
        """The name as the name of a module."""
        return self.name.replace(".", "_").replace("-", "_")


def parts_of(view: str, others: tuple[str, ...]) -> tuple[Part, ...]:
    """Every part there is for these modalities, in a fixed order.

    Args:
        view: the modality whose encoder is used afterwards.
        others: those beside it.
    """
    others = tuple(m for m in dict.fromkeys(others) if m != view)
    found = [Part(f"{m}.{task}", task, m) for m in (view, *others) for task in TASKS]
    for m in others:
        pairs = (("transfer", view, m), ("transfer", m, view), ("contrast", view, m), ("alignment", view, m))
        for task, first, second in (*pairs, ("distillation", m, view)):
            found.append(Part(f"{first}-{second}.{task}", task, first, second))
    return tuple(found)


@dataclass(frozen=True)
class ELoConfig:
    """ELo's settings.

    Args:
        view: the view whose encoder is used afterwards.
        others: the modalities beside it: views, or 'grey', which is made of rgb.
        weights: λ of parts by their names ('rgb.order', 'rgb-motion.transfer'), each in [0, 1]; 0 leaves a part out.
        rest: λ of every part that ``weights`` does not name.
        margin: of the contrast between modalities.
        moments: cells along time of the decoders' targets.
        grid: cells a side of the decoders' targets.
        head: the projection heads in which modalities are contrasted.
    """

    view: str = "rgb"
    others: tuple[str, ...] = ("motion", GREY)
    weights: Mapping[str, float] = field(default_factory=dict)
    rest: float = 1.0
    margin: float = 0.5
    moments: int = 4
    grid: int = 8
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self) -> None:
        check_margin(self.margin)
        for name in ("moments", "grid"):
            if getattr(self, name) < 1:
                raise ConfigError(f"method.{name} is {getattr(self, name)}; it must be at least 1.")
        known = (*VIEWS, GREY)
        strange = next((m for m in self.others if m not in known), None)
        if strange is not None or self.view not in VIEWS:
            what = f"method.others names '{strange}'" if strange is not None else f"method.view is '{self.view}'"
            raise ConfigError(f"{what}, which is no modality.", f"Choose from: {', '.join(known)}.")
        parts = {part.name for part in self.every_part}
        unknown = [name for name in self.weights if name not in parts]
        if unknown:
            raise ConfigError(
                f"method.weights names '{unknown[0]}', and there is no such part.", f"There are: {', '.join(parts)}."
            )
        for name, weight in (("rest", self.rest), *((f"weights['{n}']", w) for n, w in self.weights.items())):
            if not 0 <= weight <= 1:
                raise ConfigError(f"method.{name} is {weight}; a weight lies in [0, 1].")
        if not any(self.view in part.teaches for part in self.active):
            raise ConfigError(
                f"No part with a weight above 0 teaches the view '{self.view}'.",
                f"Give one a weight: method.weights '{{\"{self.view}.reconstruction\": 1}}'.",
            )

    @property
    def every_part(self) -> tuple[Part, ...]:
        """Every part there is for these modalities, whatever its weight."""
        return parts_of(self.view, self.others)

    @property
    def views(self) -> tuple[str, ...]:
        """The views that the modalities are made of: the most that the data must give."""
        return tuple(dict.fromkeys(_view_of(m) for m in (self.view, *self.others)))

    @property
    def active(self) -> tuple[Part, ...]:
        """The parts with a weight above 0."""
        return tuple(part for part in self.every_part if self.weight(part.name) > 0)

    @property
    def taught(self) -> frozenset[str]:
        """The modalities whose encoders learn."""
        return frozenset(m for part in self.active for m in part.teaches)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that have an encoder, teachers first."""
        needed = {m for part in self.active for m in (*part.teaches, part.first)}
        return tuple(m for m in self._teachers_first if m in needed)

    @property
    def shown(self) -> tuple[str, ...]:
        """The modalities that a batch must hold: those with an encoder, and those that a decoder predicts."""
        targets = {part.second for part in self.active if part.task == "transfer"}
        return tuple(m for m in self._teachers_first if m in {*self.modalities, *targets})

    @property
    def _teachers_first(self) -> tuple[str, ...]:
        return (*dict.fromkeys(m for m in self.others if m != self.view), self.view)

    @property
    def needs(self) -> ClipNeeds:
        """One variant of each clip, in the views of the modalities that are shown."""
        return ClipNeeds(tuple(dict.fromkeys(_view_of(m) for m in reversed(self.shown))), variants=1)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return tuple(m for m in reversed(self.modalities) if m in VIEWS and m in self.taught)

    def weight(self, name: str) -> float:
        """λ of a part."""
        return float(self.weights.get(name, self.rest))

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> ELo:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return ELo(self, encoder)


Seen = Mapping[str, Tensor]
"""What an encoder makes of the clips of a batch, float [B, dim] each: of the 'whole' clips, of their pieces 'shuffled',
of them 'backwards', and of their 'first' and 'second' halves; as far as a part needs them."""


class ELo(Method[ClipBatch]):
    """A tower a modality, a head a part; all passes of a modality share as few batches as they can."""

    config: ELoConfig

    def __init__(self, config: ELoConfig, encoder: EncoderConfig) -> None:
        super().__init__(config)
        self.active, self.modalities, self.shown = config.active, config.modalities, config.shown
        taught = config.taught
        projected = {m for part in self.active if part.task == "contrast" for m in part.teaches}
        self.projects = config.view in projected
        start = int(torch.randint(2**62, ()))
        for m in self.modalities:
            with _start(start, m):
                tower = Tower(_view_of(m), encoder, config.head)
            tower.head.requires_grad_(m in projected)
            setattr(self, f"tower_{m}", tower.requires_grad_(False) if m not in taught else tower)
        self.heads = nn.ModuleDict()
        for part in self.active:
            if part.task != "contrast":
                with _start(start, part.name):
                    self.heads[part.key] = self._head(part)

    def _tower(self, m: str) -> Tower:
        tower: Tower = getattr(self, f"tower_{m}")
        return tower

    def towers(self) -> Mapping[str, Tower]:
        """Those of views; grey's only helps."""
        return {m: self._tower(m) for m in self.modalities if m in VIEWS}

    def _head(self, part: Part) -> nn.Module:
        """What a part puts on features, or on what it compares them with."""
        cfg, dim = self.config, self._tower(part.first).encoder.dim
        if part.task in ("order", "direction"):
            return nn.Linear(dim, 1)
        if part.task == "distillation":
            own = self._tower(part.second).encoder.dim
            return nn.Identity() if own == dim else nn.Linear(own, dim)
        if part.task == "alignment":
            both = dim + self._tower(part.second).encoder.dim
            return nn.Sequential(nn.Linear(both, dim), nn.ReLU(inplace=True), nn.Linear(dim, 1))
        return CoarseDecoder(dim, VIEWS[_view_of(part.second or part.first)], cfg.moments, cfg.grid)

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """Σ λ L over the parts; one draw a clip, the order of its pieces, which all modalities share."""
        shown = {m: self._shown(batch, m) for m in self.shown}
        draw = torch.rand(len(batch) * world_size(), PIECES, generator=generator)[rank_slice(len(batch))]
        seen = {m: self._seen(m, shown[m], draw) for m in self.modalities}
        terms = {part.name: self._term(part, seen, shown, batch.source) for part in self.active}
        total = torch.stack([self.config.weight(name) * value for name, value in terms.items()]).sum()
        return Losses(
            total,
            terms={name: value.detach() for name, value in terms.items()},
            embeddings=self._embeddings(seen[self.view]),
        )

    def _shown(self, batch: ClipBatch, m: str) -> Tensor:
        """A modality of the batch, float [B, C, T, S, S], or of sound [B, C, bands, times]."""
        x = batch.view(0, _view_of(m))
        if x.shape[1] != VIEWS[_view_of(m)]:
            raise ShapeError(
                f"The view '{_view_of(m)}' is {tuple(x.shape)}; expected [B, {VIEWS[_view_of(m)]}, …].",
                "Build the batch with the transform that the run's recipe names.",
            )
        return grey(x) if m == GREY else x

    def _seen(self, m: str, x: Tensor, draw: Tensor) -> Seen:
        """The features of one modality that the parts need; clips of one length go through the encoder in one batch.

        BatchNorm then sees real and changed clips in one batch, and its statistics do not distinguish them.
        """
        wanted = {name for part in self.active for name in _features_of(part, m)}
        found: dict[str, Tensor] = {}
        for group in (("whole", "shuffled", "backwards"), ("first", "second")):
            made = {name: _changed(name, m, x, draw) for name in group if name in wanted}
            if made:
                features = self._tower(m).encoder(torch.cat(list(made.values())))
                found |= zip(made, features.chunk(len(made)), strict=True)
        return found

    def _term(self, part: Part, seen: Mapping[str, Seen], shown: Mapping[str, Tensor], source: Tensor) -> Tensor:
        """L of one part, a scalar."""
        f, moments, grid = seen[part.first], self.config.moments, self.config.grid
        if part.task == "contrast":
            z = [self._tower(m).head(seen[m]["whole"]) for m in (part.first, part.second)]
            return max_margin(z[0], z[1], source, self.config.margin)
        head = self.heads[part.key]
        match part.task:
            case "order" | "direction":
                changed = f["shuffled" if part.task == "order" else "backwards"]
                return _discrimination_loss(head(f["whole"]), head(changed))
            case "alignment":
                g = seen[part.second]
                fits, clashes = (
                    torch.cat([torch.cat([f[a], g[b]], dim=1) for a, b in pairs])
                    for pairs in (
                        (("first", "first"), ("second", "second")),
                        (("first", "second"), ("second", "first")),
                    )
                )
                return _discrimination_loss(head(fits), head(clashes))
            case "distillation":
                return distance(f["whole"].detach(), head(seen[part.second]["whole"]))
            case "prediction":
                return F.mse_loss(head(f["first"]), coarse(half(shown[part.first], 1), moments, grid))
            case _:
                return F.mse_loss(head(f["whole"]), coarse(shown[part.second or part.first], moments, grid))

    @torch.no_grad()
    def _embeddings(self, own: Seen) -> Tensor:
        """What collapse is judged by: the view's projections where they are learnt, or its features."""
        features = own["whole" if "whole" in own else "first"].detach()
        projected: Tensor = self._tower(self.view).head(features) if self.projects else features
        return projected


@contextmanager
def _start(seed: int, name: str) -> Iterator[None]:
    """Random values by name: a network starts the same whichever other parts there are, so that weights compare."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_at(seed, name))
        yield


def grey(rgb: Tensor) -> Tensor:
    """Clips without their colours, float [B, 3, T, S, S] to the same, the three channels equal."""
    weights = rgb.new_tensor(LUMA)[None, :, None, None, None]
    return (rgb * weights).sum(1, keepdim=True).expand_as(rgb)


def half(x: Tensor, which: int) -> Tensor:
    """The first (0) or the second (1) half of clips in time; of an odd number of frames the middle one is left out."""
    axis = _time(x)
    frames = x.shape[axis] // 2
    return x.narrow(axis, 0 if which == 0 else x.shape[axis] - frames, frames)


def backwards(m: str, x: Tensor) -> Tensor:
    """Clips of the modality ``m`` from their end to their beginning."""
    turned = x.flip(_time(x))
    return -turned if m in DIFFERENCES else turned


def reordered(x: Tensor, draw: Tensor) -> Tensor:
    """Clips whose pieces have another order, neither their own nor the reverse.

    Args:
        x: float [B, C, T, S, S] or [B, C, bands, times].
        draw: float [B, PIECES], random numbers.

    Raises:
        ShapeError: fewer than 3 frames, which have no other order.
    """
    axis = _time(x)
    frames = x.shape[axis]
    pieces = min(PIECES, frames)
    if pieces < 3:
        raise ShapeError(
            f"Clips of {frames} frames have no order but their own and the reverse.",
            "Set clip.frames to 3 or more, or the weight of every part 'order' to 0.",
        )
    order, own = draw[:, :pieces].argsort(1), torch.arange(pieces)
    trivial = (order == own).all(1) | (order == own.flip(0)).all(1)
    order = torch.where(trivial[:, None], torch.cat([own[:2].flip(0), own[2:]]), order)
    piece = torch.arange(frames) * pieces // frames
    place = order.argsort(1)[:, piece] * frames + torch.arange(frames)
    clip = torch.arange(len(x), device=x.device)[:, None]
    taken: Tensor = x.movedim(axis, 1)[clip, sent(place.argsort(1), x.device)]
    return taken.movedim(1, axis)


def distance(teacher: Tensor, student: Tensor) -> Tensor:
    """‖teacher − student‖₂ / √dim, the mean over clips, float [B, dim] both."""
    norms: Tensor = torch.linalg.vector_norm(teacher - student, dim=1)
    return norms.mean() / sqrt(teacher.shape[1])


def _changed(name: str, m: str, x: Tensor, draw: Tensor) -> Tensor:
    """The clips of the modality ``m`` as one of the names of :data:`Seen` has them."""
    match name:
        case "shuffled":
            return reordered(x, draw)
        case "backwards":
            return backwards(m, x)
        case "first" | "second":
            return half(x, int(name == "second"))
        case _:
            return x


def _discrimination_loss(yes: Tensor, no: Tensor) -> Tensor:
    """Binary cross entropy of logits, [N, 1] that should be high and [N, 1] that should be low; log 2 by guessing."""
    logits = torch.cat([yes, no])
    right = torch.cat([torch.ones_like(yes), torch.zeros_like(no)])
    return F.binary_cross_entropy_with_logits(logits, right)


def _features_of(part: Part, m: str) -> tuple[str, ...]:
    """Which features of the modality ``m`` a part needs."""
    of_one = {"prediction": ("first",), "order": ("whole", "shuffled"), "direction": ("whole", "backwards")}
    if m == part.first:
        return ("first", "second") if part.task == "alignment" else of_one.get(part.task, ("whole",))
    if m != part.second or part.task == "transfer":
        return ()
    return ("first", "second") if part.task == "alignment" else ("whole",)


def _time(x: Tensor) -> int:
    """The axis of time: of clips the third, of sound the last."""
    return 2 if x.dim() == 5 else x.dim() - 1


def _view_of(m: str) -> str:
    """The view that a modality is made of."""
    return "rgb" if m == GREY else m

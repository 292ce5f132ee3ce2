"""Runs the diagnostics that need no labels: from a model and its videos to a result.

The figures come from :mod:`kinema.evaluation.diagnostics`, which sees arrays only. Names without an ending are of the
encoder's features, which are used afterwards; those that end in ``_projected`` are of the head's, which were trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from kinema.core.records import Result
from kinema.data import ClipStore, Manifest
from kinema.evaluation import diagnostics
from kinema.evaluation.diagnostics import K, Shared, T
from kinema.model import Features, Model
from kinema.training.run_folder import source_version

PRESET = f"k{K}-t{T:g}"
"""Neighbours that are compared, and uniformity's t."""

SCENE = "scene"
"""The attribute of a manifest that says where a video was taken."""


def diagnosed(manifest: Manifest, where: Mapping[str, str] | None) -> tuple[str, Manifest]:
    """Which videos are measured, with the selection's name.

    Args:
        manifest: the whole data.
        where: selects them; by default the split 'test' where there is one, or all.
    """
    usable = manifest.usable()
    if where is None:
        where = {"split": "test"} if any(video.split == "test" for video in usable.videos) else {}
    return ",".join(f"{key}={value}" for key, value in where.items()) or "all", usable.select(where)


def measure_diagnostics(
    model: Model,
    other: Model | None,
    manifest: Manifest,
    extract: Callable[[Model, Manifest], Features],
    *,
    windows: Literal["coclr", "vcop"],
    open_store: Callable[[Manifest, Model], ClipStore],
    progress: Callable[[str], Any],
    device: str | None,
    where: Mapping[str, str] | None,
    data: str,
) -> Result:
    """What can be said of an encoder without labels.

    Args:
        model: what is measured.
        other: an encoder of another view, for the neighbours that both share; or None.
        manifest: the whole data.
        extract: gives the features of a manifest's videos.
        windows: how a video is cut.
        open_store: gives the clips of a manifest as a model needs them.
        progress: makes a context that shows progress under a title.
        device: where to compute; None for a GPU.
        where: selects what it is measured on; see :func:`diagnosed`.
        data: the data as the user named it.

    Raises:
        DataError: there are too few videos, or one cannot be read.
    """
    began = time.monotonic()
    selection, videos = diagnosed(manifest, where)
    whole, store = extract(model, videos), open_store(videos, model)

    def features(title: str, **how: Any) -> Features:
        with progress(f"{model.name} · {model.view} · {title}") as told:
            return model.features(store, device=device, progress=told, **how)

    apart = torch.tensor([store.frames[row] > store.spec.span for row in sorted(store.frames)])
    first = features("first clips", windows=lambda _: (0,))
    last = features("last clips", windows=lambda frames: (max(0, frames - store.spec.span),))
    metrics = _ranks_and_distances(whole, first, last, apart)
    stills = features("stills", windows=windows, still=True).encoded
    second = None if other is None else extract(other, videos).encoded
    shared, metrics["still_r@1"] = _shared(whole.encoded, stills, second, videos)
    return Result(
        protocol="diagnostics",
        preset=PRESET,
        metrics=metrics | {name: figure.share for name, figure in shared.items()},
        encoder=model.name,
        view=model.view,
        data=data,
        digest=manifest.digest,
        queries=len(videos),
        gallery=len(videos),
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details=_details(shared, other, selection, windows, int(apart.sum())),
    )


def _shared(
    encoded: Tensor, stills: Tensor, second: Tensor | None, videos: Manifest
) -> tuple[dict[str, Shared], float]:
    """The figures of neighbours: of stills, of a second view where there is one, of scenes where they are known.

    The float is ``still_r@1``.
    """
    sources = torch.tensor(videos.source_ids())
    reliance, own = diagnostics.still_reliance(encoded, stills, sources)
    shared = {"still_reliance": reliance}
    if second is not None:
        shared["neighbour_overlap"] = diagnostics.neighbour_overlap(encoded, second, sources)
    scenes = [video.attributes.get(SCENE) for video in videos.videos]
    if all(scenes) and len(set(scenes)) > 1:
        numbers = {scene: number for number, scene in enumerate(dict.fromkeys(scenes))}
        kinds = torch.tensor([numbers[scene] for scene in scenes])
        shared["same_scene"] = diagnostics.same_kind(encoded, kinds, sources)
    return shared, own


def _ranks_and_distances(whole: Features, first: Features, last: Features, apart: Tensor) -> dict[str, float]:
    """Ranks of whole videos; distances of single clips. Alignment is of videos with two clips that differ."""
    metrics: dict[str, float] = {}
    spaces = (
        ("", whole.encoded, first.encoded, last.encoded),
        ("_projected", whole.projected, first.projected, last.projected),
    )
    for ending, video, one, another in spaces:
        metrics[f"rankme{ending}"] = diagnostics.rankme(video)
        if apart.any():
            metrics[f"alignment{ending}"] = diagnostics.alignment(one[apart], another[apart])
        metrics[f"uniformity{ending}"] = diagnostics.uniformity(one)
    return metrics


def _details(
    shared: Mapping[str, Shared], other: Model | None, selection: str, windows: str, pairs: int
) -> dict[str, Any]:
    return {
        "selection": selection,
        "windows": "all along the video, 15/32 of a clip apart" if windows == "coclr" else "ten, spread evenly",
        "by_chance": {name: figure.chance for name, figure in shared.items()},
        "neighbours_compared": K,
        "t": T,
        "other_view": None if other is None else other.view,
        "alignment_pairs": pairs,
    }

"""Measures an encoder by a protocol."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from kinema.api.models import load, two_streams
from kinema.api.opening import AnyData, cache_folder, named, open_named
from kinema.core.devices import chosen_device
from kinema.core.errors import UsageError
from kinema.core.progress import Shown, Steps
from kinema.core.protocol import Protocol
from kinema.core.results import Results
from kinema.data import ClipStore, Manifest, with_sound
from kinema.data.clips.config import has_motion
from kinema.data.clips.joined import PLUS, TWO_STREAMS, JoinedModel
from kinema.data.clips.reader import Model
from kinema.data.clips.store import held_message
from kinema.data.video.hearing import silent_message
from kinema.protocols.fit import FitConfig
from kinema.protocols.request import Request
from kinema.protocols.table import PROTOCOLS, check, check_one_encoder, find, two_views
from kinema.recipes.json import recipe_from_plain
from kinema.training.run_folder import RunFolder

log = logging.getLogger(__name__)


def evaluate(
    protocol: str,
    model: str | PathLike[str] | Model | Any,
    data: AnyData,
    *,
    preset: str | None = None,
    view: str | None = None,
    views: Sequence[str] | None = None,
    untrained: bool = False,
    query: Mapping[str, str] | None = None,
    gallery: Mapping[str, str] | None = None,
    shares: Sequence[float] | None = None,
    draws: int | None = None,
    background: Sequence[str] | None = None,
    fit: FitConfig | None = None,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    device: str | None = None,
    console: Shown = None,
) -> Results:
    """Measures an encoder by a protocol; results of a run are kept in its folder.

    Args:
        protocol: a name of :data:`kinema.protocols.table.PROTOCOLS`.
        model: a run's folder, or a model.
        data: labelled videos: a folder, a known data set as NAME:PATH, a manifest, or a manifest's file. For a protocol
            of text, its sentences: a file or a folder; of sequences, a folder of features with labels of frames; of
            tracklets, pairs or questions, as in training.
        preset: the protocol's named settings; figures of two are not comparable.
        view: which view's encoder of a run; by default the one it is for, and by retrieval 'rgb+motion' too where the
            run has both. Several with a plus between them are measured side by side (see :func:`kinema.load`).
        views: the two views of the run, for a protocol that compares two.
        untrained: measure the run's encoder as it was before training.
        query: which videos are queries or tested; by default the split 'test', part by part. Where there is no split,
            all are queries, and protocols that train a classifier hold a test out by source.
        gallery: which videos are ranked or trained on; by default the split 'train', or all.
        shares: of the labels, for protocols that take some of them; by default the presets'.
        draws: of few labels; 5 by default.
        background: labels of frames that are left out, for the protocol of segmentation; by default those that a known
            data set calls background.
        fit: how a classifier is trained on clips, for protocols that train one.
        out: where such classifiers are trained, and resumed; by default in the run's folder.
        cache: where decoded videos are stored.
        device: 'cpu', 'cuda', …; a GPU where there is one, by default.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Returns:
        A list that shows itself as a table: a result for each selection of queries, the main one first; and for each
        share, or way across two views. Those of 'rgb+motion' that were not asked for come last.

    Raises:
        UsageError: there is no such protocol or preset, or it has no such option.
        DataError: labels are missing, or a video cannot be read.
    """
    presets = check(
        protocol, preset, {"views": views, "shares": shares, "draws": draws, "background": background, "fit": fit}
    )
    chosen_device(device)
    known = find(protocol)
    models = _models(known, model, view, views, untrained)
    store = functools.partial(model_store, cache=cache, console=console)
    _check_modality(known, models[0])
    results = known.measure(
        Request(
            models,
            data,
            named(data),
            presets,
            lambda: _with_sound(models, open_named(data)),
            store,
            query,
            gallery,
            tuple(shares or ()),
            draws,
            background=tuple(background or ()),
            fit=fit,
            out=None if out is None else Path(out),
            open_cache=functools.partial(cache_folder, cache),
            device=device,
            console=console,
        )
    )
    if (run := models[0].run) is not None:
        for result in results:
            RunFolder.open(run).add_result(result)
    return Results(results)


def _check_modality(protocol: Protocol[Request], model: Any) -> None:
    """Refuses an encoder that the protocol cannot measure."""
    if model.modality != protocol.modality:
        names = ", ".join(each.name for each in PROTOCOLS.values() if each.modality == model.modality)
        raise UsageError(
            f"{protocol.name} measures encoders of {protocol.modality}; '{model.run or model.name}' is one of "
            f"{model.modality}.",
            f"Choose one of: {names}.",
        )


def _with_sound(models: Sequence[Model], manifest: Manifest) -> tuple[Manifest, Mapping[str, str]]:
    """The videos that models can be measured on, and why not the others: one that hears needs their sound."""
    if held := held_message([v.frames for v in manifest.videos if v.health != "unreadable"], models[0].clip):
        log.warning("%s", held)
    if all(each.sound_spec is None for each in models):
        return manifest, {}
    chosen, silent = with_sound(manifest.usable())
    if silent:
        log.warning("%s", silent_message(silent, len(chosen) + len(silent)))
    return chosen, silent


def _models(
    protocol: Protocol[Request],
    model: str | PathLike[str] | Any,
    view: str | None,
    views: Sequence[str] | None,
    untrained: bool,
) -> tuple[Model, ...]:
    """The encoders that a protocol measures: of one view, that and another one, the two that are named, or of all."""
    if not isinstance(model, str | PathLike):
        if not hasattr(model, "modality"):
            raise UsageError(
                f"A {type(model).__name__} is no encoder.", "Name a run's folder, or give what kinema.load gave of one."
            )
        _check_modality(protocol, model)
    if protocol.models == "every view":
        return _every(model, view, untrained)
    if protocol.models != "two views":
        first = load(model, view=view, untrained=untrained) if isinstance(model, str | PathLike) else model
        if not protocol.joins:
            check_one_encoder(protocol, first)
        if protocol.models == "one and two streams":
            return (first, *_two_streams(model, first, untrained)) if view is None else (first,)
        return (first,) if protocol.models == "one" else (first, *_others(first, untrained))
    run = model if isinstance(model, str | PathLike) else model.run
    if run is None or view is not None:
        raise UsageError(
            f"{protocol.name} compares two views of one run.", "Name the run's folder, and views=('rgb', …)."
        )
    chosen = two_views(protocol.name, views)
    if joined := [each for each in chosen if PLUS in each]:
        raise UsageError(f"{protocol.name} compares one view with another; '{joined[0]}' are several.", "Name two.")
    return tuple(load(run, view=each, untrained=untrained) for each in chosen)


def _two_streams(model: str | PathLike[str] | Any, first: Model, untrained: bool) -> tuple[Model, ...]:
    """The encoders of RGB and of motion vectors side by side, where the run that is named has both."""
    if not isinstance(model, str | PathLike) or not isinstance(first, Model) or len(first.readers) > 1:
        return ()
    if two_streams(model, untrained=untrained) is None:
        return ()
    each = [first if view == first.view else load(model, view=view, untrained=untrained) for view in TWO_STREAMS]
    return (JoinedModel(each, first if first in each else None),)


def _every(model: str | PathLike[str] | Any, view: str | None, untrained: bool) -> tuple[Any, ...]:
    """The encoders of all views that a run trained, or of the one that is named."""
    if not isinstance(model, str | PathLike):
        return (model,)
    recipe = recipe_from_plain(RunFolder.open(Path(model)).read("recipe.json"))
    return tuple(load(model, view=each, untrained=untrained) for each in ((view,) if view else recipe.trains))


def _others(model: Model, untrained: bool) -> tuple[Model, ...]:
    """The encoder of another view that the model's run trained; none where there is none."""
    if model.run is None or not isinstance(model, Model):
        return ()
    recipe = recipe_from_plain(RunFolder.open(model.run).read("recipe.json"))
    views = set(recipe.trains) - set(model.views)
    return (load(model.run, view=min(views), untrained=untrained),) if views else ()


def model_store(
    manifest: Manifest, model: Model, *, cache: str | Path | None = None, console: Shown = None
) -> ClipStore:
    """The clips of a manifest as a model needs them, decoded once."""
    with Steps("decoding", console) as progress:
        return ClipStore(
            manifest,
            model.clip,
            motion=model.needs_motion or has_motion(manifest),
            cache=cache_folder(cache),
            progress=progress,
            sound=model.sound_spec,
        )

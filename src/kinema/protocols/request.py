"""What a protocol measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kinema.core.progress import Shown, Steps
from kinema.data import Manifest
from kinema.protocols.features import Extract, OpenStore, extractor
from kinema.protocols.fit import FitConfig

Where = Mapping[str, str]

OpenManifest = Callable[[], tuple[Manifest, Mapping[str, str]]]
"""Gives a manifest, and by path the reasons why videos were left out."""


@dataclass(frozen=True)
class Request:
    """Models and data, and which of the data are queries and gallery.

    Args:
        models: what is measured; one, or the two of a protocol that takes two.
        source: what the user named as data: a place, or a manifest.
        data: the data as the user named it.
        presets: the protocol's named settings; several where all of them are measured.
        open_manifest: gives the videos that the models can be measured on, and why not the others.
        open_store: gives the clips of a manifest as a model needs them.
        query: selects the queries or test videos; None for the protocol's default.
        gallery: selects the videos that are ranked or trained on; None for the protocol's default.
        shares: of the labels, where the protocol takes few of them; by default those that the presets name.
        draws: of few labels; None for the usual number.
        background: labels of frames that are left out, where the protocol measures frames; empty for the data's own.
        fit: how a classifier is trained on clips; None for the usual settings.
        out: where the training of classifiers goes; by default into the model's run.
        open_cache: gives the folder where crops, and features of them, are kept; None for nowhere.
        device: where to compute; a GPU where there is one, by default.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.
    """

    models: tuple[Any, ...]
    source: Any
    data: str
    presets: tuple[str, ...]
    open_manifest: OpenManifest
    open_store: OpenStore
    query: Where | None = None
    gallery: Where | None = None
    shares: tuple[float, ...] = ()
    draws: int | None = None
    background: tuple[str, ...] = ()
    fit: FitConfig | None = None
    out: Path | None = None
    open_cache: Callable[[], Path] | None = None
    device: str | None = None
    console: Shown = None

    @cached_property
    def _opened(self) -> tuple[Manifest, Mapping[str, str]]:
        return self.open_manifest()

    @property
    def manifest(self) -> Manifest:
        """The videos: the whole data, as far as the models can be measured on it."""
        return self._opened[0]

    @property
    def left_out(self) -> Mapping[str, str]:
        """Videos that the models cannot be measured on, and why."""
        return self._opened[1]

    @cached_property
    def extract(self) -> Extract:
        """Gives the features of a manifest's videos, each computed once a model."""
        return extractor(
            windows="vcop" if self.presets == ("vcop",) else "coclr",
            open_store=self.open_store,
            progress=lambda title: Steps(title, self.console),
            device=self.device,
        )

    @property
    def cache(self) -> Path | None:
        """Where crops, and features of them, are kept; None for nowhere."""
        return self.open_cache() if self.open_cache is not None else None

    @property
    def model(self) -> Any:
        """The one model, or the first."""
        return self.models[0]

    @property
    def preset(self) -> str:
        """The one preset, or the first."""
        return self.presets[0]

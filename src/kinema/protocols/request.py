"""What a protocol measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from kinema.core.progress import Steps
from kinema.data import Manifest
from kinema.data.clips.reader import Model
from kinema.protocols.features import Extract, OpenStore, extractor
from kinema.protocols.fit import FitConfig

Where = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """Models and videos, and which videos are queries and gallery.

    Args:
        models: what is measured; one, or the two of a protocol that takes two.
        manifest: the whole data.
        data: the data as the user named it.
        presets: the protocol's named settings; several where all of them are measured.
        open_store: gives the clips of a manifest as a model needs them.
        query: selects the queries or test videos; None for the protocol's default.
        gallery: selects the videos that are ranked or trained on; None for the protocol's default.
        shares: of the labels, where the protocol takes few of them; by default those that the presets name.
        draws: of few labels; None for the usual number.
        fit: how a classifier is trained on clips; None for the usual settings.
        out: where the training of classifiers goes; by default into the model's run.
        device: where to compute; a GPU where there is one, by default.
        console: where progress is shown.
    """

    models: tuple[Model, ...]
    manifest: Manifest
    data: str
    presets: tuple[str, ...]
    open_store: OpenStore
    query: Where | None = None
    gallery: Where | None = None
    shares: tuple[float, ...] = ()
    draws: int | None = None
    fit: FitConfig | None = None
    out: Path | None = None
    device: str | None = None
    console: Console | None = None

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
    def model(self) -> Model:
        """The one model, or the first."""
        return self.models[0]

    @property
    def preset(self) -> str:
        """The one preset, or the first."""
        return self.presets[0]

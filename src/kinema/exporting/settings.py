"""model.json: all that is needed to build a model again, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kinema.core.bounds import check_numbers
from kinema.core.clips import SOUND, ClipSpec, SoundSpec
from kinema.core.config import from_plain, make_strict_converter, to_plain
from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.version import RELEASE
from kinema.data.clips.reader import Model
from kinema.networks import EncoderConfig, HeadConfig, omit_unused_settings

KIND = "kinema model"
FORMAT = 1
NOT_STATED = "not stated"


@dataclass(frozen=True)
class ModelSettings:
    """The contents of model.json.

    Args:
        kind: marks the file as ours.
        format: the version of this format.
        kinema: the release that wrote it.
        name: what made the encoder: 'cpr', 'infonce', …
        view: the view it sees.
        seed: the seed of its training.
        clip: what a clip is.
        encoder: which network.
        head: which projection head.
        licence: the licence of the weights, in the words of who exported them.
        sound: the stretch of sound of a clip; only for the view 'sound'.
        origin: where it came from, by :func:`kinema.exporting.origin.origin_of`; loading does not read it.
    """

    kind: Literal["kinema model"]
    format: int
    kinema: str
    name: str
    view: Literal["rgb", "residual", "motion", "sound"]
    seed: int
    clip: ClipSpec
    encoder: EncoderConfig
    head: HeadConfig
    licence: str = NOT_STATED
    origin: Mapping[str, Any] = field(default_factory=dict)
    sound: SoundSpec = field(default_factory=SoundSpec)

    def __post_init__(self) -> None:
        for name in ("clip", "encoder", "head", "sound"):
            check_numbers(getattr(self, name), name)


def settings_of(model: Model, *, licence: str, origin: Mapping[str, Any]) -> ModelSettings:
    """The settings of a model."""
    tower = model.tower
    return ModelSettings(
        kind="kinema model",
        format=FORMAT,
        kinema=RELEASE,
        name=model.name,
        view=model.view,  # type: ignore[arg-type]
        seed=model.seed,
        clip=model.clip,
        encoder=tower.encoder_config,
        head=tower.head_config,
        licence=licence,
        origin=origin,
        sound=model.sound,
    )


def settings_to_plain(settings: ModelSettings) -> dict[str, Any]:
    """The settings as JSON values."""
    plain: dict[str, Any] = to_plain(settings, omit_unused_settings(make_strict_converter()))
    if settings.view != SOUND:
        del plain["sound"]
    return plain


def settings_from_plain(value: Any, where: str) -> ModelSettings:
    """The settings that :func:`settings_to_plain` gave.

    Args:
        value: what was read.
        where: the file's name, for the message.

    Raises:
        CheckpointError: it is no model of kinema's, of another format, or a key is missing, unknown or wrong.
    """
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise CheckpointError(f'{where} does not describe a model of kinema\'s: it has no "kind": "{KIND}".')
    if value.get("format") != FORMAT:
        raise CheckpointError(
            f"{where} is of format {value.get('format')}, written by kinema {value.get('kinema')}; "
            f"kinema {RELEASE} reads format {FORMAT}.",
            "Load it with the release that wrote it, or export the run again with this one.",
        )
    try:
        return from_plain(value, ModelSettings, make_strict_converter(), where)
    except ConfigError as error:
        raise CheckpointError(error.message, "The file was changed or damaged; export the run again.") from error

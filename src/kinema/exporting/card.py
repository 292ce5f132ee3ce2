"""The card of an exported model: what a stranger must know of it, and no more than the run can prove."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kinema.exporting.header import header
from kinema.exporting.settings import NOT_STATED, ModelSettings

SEES = {
    "rgb": "the colours of a clip",
    "residual": "the difference of each frame from the one before",
    "sound": "the sound of a clip as a log-mel spectrogram; a video without sound has no place here",
    "motion": "the motion vectors that the video's stream holds; it reads H.264, MPEG-1, -2 and -4 files only",
}
Rows = Sequence[Mapping[str, Any]]


def card(settings: ModelSettings, parameters: int) -> str:
    """The card as Markdown.

    Args:
        settings: the model's, with its origin.
        parameters: how many the encoder has.
    """
    origin = settings.origin
    evaluations = origin.get("evaluations", [])
    title = f"{settings.name} · {settings.view}"
    tags = ["video", "self-supervised-learning", settings.name, settings.view]
    own = [row for row in evaluations if _is_own(settings, row)]
    parts = [
        header("kinema", "feature-extraction", tags, settings.licence, title, own),
        _head(settings, parameters),
        _loading(),
        _training(settings, origin),
        _figures(settings, evaluations),
        _limits(settings),
        f"## Licence\n\nOf these weights: {settings.licence}.\n" + _licence_note(settings),
    ]
    if origin.get("recipe"):
        recipe = json.dumps(origin["recipe"], indent=2, ensure_ascii=False)
        parts.append(f"## Recipe\n\n```json\n{recipe}\n```\n")
    return "\n".join(parts)


def joined_card(name: str, views: Sequence[str], licence: str) -> str:
    """The card of several encoders side by side, each of which has a card of its own.

    Args:
        name: what made the encoders.
        views: what they see, in the order of an embedding's parts.
        licence: of the weights.
    """
    parts = "".join(f"- [`{view}`]({view}/README.md): {SEES[view]}\n" for view in views)
    title = f"{name} · {'+'.join(views)}"
    tags = ["video", "self-supervised-learning", name, *views]
    return (
        f"{header('kinema', 'feature-extraction', tags, licence, title, [])}\n"
        f"# {title}\n\n"
        f"{len(views)} encoders of one run, each in a folder with a card of its own:\n\n{parts}\n"
        "An embedding is theirs side by side, each scaled to one length; the cosine of two is the mean of the cosines "
        "that the encoders find.\n\n"
        f'{_loading()}\n`kinema.load("model", view="{views[0]}")` is one of them alone.\n\n'
        f"## Licence\n\nOf these weights: {licence}.\n"
        + ("Ask whoever gave you this folder before you use it.\n" if licence == NOT_STATED else "")
    )


def _head(settings: ModelSettings, parameters: int) -> str:
    clip, sound = settings.clip, settings.sound
    network = settings.encoder.sound if settings.view == "sound" else settings.encoder.name
    sound_row = (
        f"| of it is heard | {sound.seconds:g} s at {sound.rate} Hz, {sound.bands} bands by {sound.frames} frames |\n"
        if settings.view == "sound"
        else ""
    )
    return (
        f"# {settings.name} · {settings.view} · {network}\n\n"
        f"An encoder of video, trained with kinema {settings.kinema}. It sees "
        f"{SEES[settings.view]}.\n\n"
        f"| | |\n|---|---|\n"
        f"| network | {network}, {parameters:,} parameters |\n"
        f"| a clip | {clip.frames} frames, {clip.stride} video frames apart, {clip.size} x {clip.size} pixels |\n"
        f"{sound_row}"
        f"| seed | {settings.seed} |\n"
    )


def _loading() -> str:
    return (
        "## Use it\n\nWith this folder beside you as `model`:\n\n```python\nimport kinema\n\n"
        'model = kinema.load("model")\nz = model.encode(["a.mp4", "b.mp4"])  # float32 [2, d], of unit length\n```\n'
    )


def _training(settings: ModelSettings, origin: Mapping[str, Any]) -> str:
    if not origin:
        return "## Training\n\nNot known: the model was exported without its run.\n"
    data, versions = origin.get("data", {}), origin.get("versions", {})
    chosen = ", ".join(f"{key}={value}" for key, value in (data.get("where") or {}).items())
    labels = "with" if settings.name == "supervised" else "without"
    if settings.name == "random":
        intro = "This encoder is untrained: it is the run's as it was before training.\n\n"
    else:
        intro = (
            f"Trained by the method `{origin.get('method')}`, {labels} labels, in the phases of the recipe below.\n\n"
        )
    rows = {
        "data": f"{data.get('name')}{f' ({chosen})' if chosen else ''}",
        "videos": data.get("videos"),
        "digest of the data": data.get("digest"),
        "made by": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    return f"## Training\n\n{intro}| | |\n|---|---|\n" + "".join(
        f"| {key} | {value} |\n" for key, value in rows.items()
    )


def _figures(settings: ModelSettings, evaluations: Rows) -> str:
    """A table for each protocol, preset and data set; figures of two are never in one column."""
    if not evaluations:
        return "## Figures\n\nThis model has not been evaluated.\n"
    tables: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in evaluations:
        tables.setdefault((row["protocol"], row["preset"], row["digest"]), []).append(row)
    own = sum(_is_own(settings, row) for row in evaluations)
    intro = "Rows in bold are this model; the others are what it was compared with.\n\n"
    if not own:
        intro = "This model itself has not been evaluated; these are figures of other encoders of its run.\n\n"
    return f"## Figures\n\n{intro}" + "\n".join(_table(settings, key, rows) for key, rows in tables.items())


def _table(settings: ModelSettings, key: tuple[str, str, str], rows: Rows) -> str:
    protocol, preset, digest = key
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    heads = ["encoder", "view", "selection", "queries", "gallery", "seed", *names, "95 % of the first figure"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in sorted(rows, key=lambda row: not _is_own(settings, row)):
        name = f"**{row['encoder']}**" if _is_own(settings, row) else row["encoder"]
        figures = [_number(row["metrics"].get(metric)) for metric in names]
        interval = row.get("interval")
        between = f"{_number(interval[0])} to {_number(interval[1])}" if interval else ""
        facts = [row["view"], row.get("selection", ""), row["queries"], row["gallery"], row["seed"]]
        lines.append(f"| {' | '.join(str(cell) for cell in [name, *facts, *figures, between])} |")
    shown = digest[:12] if digest else "not known"
    return f"`{protocol}`, preset `{preset}`, on {rows[0]['data']} (digest {shown}):\n\n" + "\n".join(lines) + "\n"


def _is_own(settings: ModelSettings, row: Mapping[str, Any]) -> bool:
    return bool(row["encoder"] == settings.name and row["view"] == settings.view)


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _limits(settings: ModelSettings) -> str:
    span = settings.clip.span
    return (
        "## Intended use and limits\n\n"
        "For finding, grouping and classifying videos like those that it was trained on, by their features. It gives "
        "features and names nothing by itself.\n\n"
        f"- A video needs at least {span} frames. What lies outside of the largest centred square is not seen.\n"
        "- Nothing is known of it beyond the tables above: on other footage, measure first "
        "(`kinema evaluate retrieval FOLDER LABELLED`).\n"
        "- It repeats whatever its training videos have in common. It was not examined for fairness between groups of "
        "people, and must not decide about them.\n"
    )


def _licence_note(settings: ModelSettings) -> str:
    return "Ask whoever gave you this folder before you use it.\n" if settings.licence == NOT_STATED else ""

"""Where a model came from, by its run's folder, without a path of the machine that it was trained on."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import Any

from kinema.core.results import Result
from kinema.data.clips.reader import Model
from kinema.data.documents.reader import TextReader
from kinema.training.run_folder import RunFolder

UNNAMED = "unnamed"


def origin_of(model: Model | TextReader) -> dict[str, Any]:
    """Data, recipe, versions and figures of a model, as JSON values.

    Args:
        model: loaded from a run, or from an export, whose own origin is then returned.

    Returns:
        Empty for a model that was made by hand. Otherwise 'data' (name, videos, classes, digest, where), 'method',
        'recipe', 'versions' and 'evaluations', all that the run keeps, also those of the encoders it was compared with;
        and 'together' (:attr:`kinema.data.clips.reader.Model.run_digest`).

    Raises:
        RunError: a file of the run is damaged.
    """
    if model.run is None:
        return dict(model.origin)
    run = RunFolder.open(model.run)
    environment, recipe = run.read("environment.json"), run.read("recipe.json")
    data = {
        "name": place_name(str(environment.get("data", ""))),
        "videos": environment.get("videos"),
        "classes": environment.get("classes"),
        "digest": environment.get("manifest_digest", ""),
        "where": {key: _without_absolute(f"={value}")[1:] for key, value in (environment.get("where") or {}).items()},
    }
    return {
        "data": data,
        "method": recipe.get("name", ""),
        "recipe": without_places(recipe),
        "versions": {key: environment[key] for key in ("kinema", "commit", "torch", "python") if key in environment},
        "evaluations": [_evaluation(result) for result in run.results()],
        "together": model.run_digest if isinstance(model, Model) else model.digest,
    }


def _evaluation(result: Result) -> dict[str, Any]:
    """A figure with what it was measured on; per-class figures and neighbours stay with the run."""
    details = result.details
    chosen = {
        key: details[key] for key in ("selection", "interval", "chance", "windows") if details.get(key) is not None
    }
    facts = {key: getattr(result, key) for key in ("protocol", "preset", "encoder", "view", "digest", "queries")}
    facts |= {key: getattr(result, key) for key in ("gallery", "seed", "commit")}
    chosen |= {"selection": _without_absolute(str(chosen["selection"]))} if "selection" in chosen else {}
    return {**facts, **chosen, "data": place_name(result.data), "metrics": dict(result.metrics)}


def place_name(data: str) -> str:
    """The name of a data set in place of its path: 'ucf101' of 'ucf101:/data/u', 'videos' of '/home/me/videos'."""
    known = re.fullmatch(r"([a-z][a-z0-9-]+):.+", data)
    if known:
        return known.group(1)
    return PureWindowsPath(data).name if "\\" in data else Path(data).name or UNNAMED


def without_places(value: Any) -> Any:
    """JSON values in which every text that is a path, absolute or with folders in it, is its last part alone."""
    if isinstance(value, dict):
        return {str(key): without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    return place_name(value) if isinstance(value, str) and re.search(r"[/\\]", value) else value


def _without_absolute(selection: str) -> str:
    """A selection of videos, 'key=value,…', in which a value that is an absolute path is its last part alone."""
    pairs = [pair.partition("=") for pair in selection.split(",")]
    absolute = re.compile(r"[/~\\]|[A-Za-z]:[/\\]")
    return ",".join(f"{k}{e}{place_name(v) if absolute.match(v) else v}" for k, e, v in pairs)

"""The shapes of a run's JSON files, as far as anything reads them; further keys may be there."""

from __future__ import annotations

from typing import Any, Required, TypedDict


class PlannedMethod(TypedDict, total=False):
    """The settings of a method in recipe.json."""

    name: str
    view: str
    guide: str | None
    stages: int | None
    sizes: list[int] | None
    method: dict[str, Any]


class PlannedPhase(TypedDict, total=False):
    """A phase in recipe.json."""

    name: str
    method: PlannedMethod
    epochs: int
    start: dict[str, str]


class RecipeFile(TypedDict, total=False):
    """recipe.json; :func:`kinema.recipes.json.recipe_from_plain` reads all of it."""

    name: str
    view: str
    phases: list[PlannedPhase]


class EnvironmentFile(TypedDict, total=False):
    """environment.json."""

    kinema: str
    commit: str
    torch: str
    python: str
    platform: str
    threads: int
    wait_policy: str
    threads_by: str
    cpus: int
    device: str
    seed: int
    data: str
    where: dict[str, str]
    manifest_digest: str
    videos: int
    classes: int
    command: Any


class StatusFile(TypedDict, total=False):
    """status.json."""

    state: str
    phase: str | None
    seconds: float
    error: str | None


class PhaseFile(TypedDict, total=False):
    """phase.json."""

    name: str
    method: str
    view: str
    guide: str | None
    trains: list[str]
    epochs: int
    steps: Required[int]
    clips: int
    seconds: Required[float]
    data_wait: float
    device_busy: float | None
    loss: Required[float | None]
    state: str


class Hit(TypedDict, total=False):
    """A clip among the nearest of a query."""

    path: Required[str]
    label: str | None
    score: float | None
    same: bool | None


class Asked(TypedDict, total=False):
    """A query and its nearest clips."""

    query: Required[str]
    label: str | None
    hits: Required[list[Hit]]


class Laid(TypedDict, total=False):
    """Videos in the plane."""

    places: list[tuple[float, float]]
    paths: list[str]
    labels: list[str | None]
    method: str


class EvaluationDetails(TypedDict, total=False):
    """The details of a result, in evaluations/NAME.json."""

    selection: str | None
    against: str | None
    interval: list[float | None] | None
    chance: float | None
    per_class: dict[str, float | dict | None]  # type: ignore[type-arg]
    labelled: int | None
    confusion: dict[str, dict[str, int]]
    layout: Laid
    neighbours: list[Asked]
    asked: str
    right: list[str]
    windows: str | None
    crops: str | None
    epochs: int | None
    fit: str | None


SHAPES: dict[str, type] = {
    "recipe.json": RecipeFile,
    "environment.json": EnvironmentFile,
    "status.json": StatusFile,
    "phase.json": PhaseFile,
}
"""By the last part of a file's name."""

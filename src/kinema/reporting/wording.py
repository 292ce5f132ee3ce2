"""How encoders, figures and times are written for a person."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable

NAMES = {
    "random": "Untrained network",
    "infonce": "InfoNCE",
    "moco": "InfoNCE (MoCo)",
    "simclr": "SimCLR",
    "coclr": "CPR, 1 stage (CoCLR)",
    "cpr": "CPR",
    "cpr-bank": "CPR with memory banks",
    "cmd": "CMD (context and motion)",
    "supervised": "Supervised (told the labels)",
}
SHORT = {"random": "Untrained", "coclr": "CoCLR", "supervised": "Supervised", "moco": "MoCo", "cpr-bank": "CPR bank"}
PROTOCOLS = {
    "knn": "Nearest-neighbour classifier",
    "linear": "Linear probe",
    "few-label": "Linear probe",
    "finetune": "Fine-tuning",
    "cross-modal": "Retrieval across views",
}
VIEWS = {"rgb": "RGB", "residual": "residual", "motion": "motion vectors"}
BASELINES = ("infonce", "moco", "simclr")
REFERENCES = ("random", "supervised", *BASELINES)
DASH = "–"
SPACE = "\u00a0"


def encoder_name(encoder: str) -> str:
    """The encoder's name as a reader sees it."""
    return NAMES.get(encoder, encoder)


def short_name(encoder: str) -> str:
    """The same, short enough for a narrow column."""
    return SHORT.get(encoder, encoder_name(encoder))


def view_name(view: str) -> str:
    """The view's name as a reader sees it."""
    return VIEWS.get(view, view)


def encoder_order(encoder: str) -> tuple[int, str]:
    """Sorts encoders: untrained, baselines, the methods judged against them, supervised."""
    order = ("random", *BASELINES, "coclr", "cpr", "cpr-bank")
    if encoder in order:
        return (order.index(encoder), encoder)
    return (len(order) + (encoder == "supervised"), encoder)


def natural(text: str) -> list[tuple[int, int | str]]:
    """Sorts 'r@5' before 'r@10'."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part]


def percent(value: float | None, decimals: int = 1) -> str:
    """A fraction of 1 as per cent."""
    return DASH if value is None else f"{100 * value:.{decimals}f}{SPACE}%"


def number(value: float | None) -> str:
    """A figure with four significant digits."""
    return DASH if value is None else f"{value:.4g}"


def points(difference: float, decimals: int = 0) -> str:
    """A difference of two fractions in percentage points, unsigned."""
    text = f"{100 * abs(difference):.{decimals}f}"
    return f"{text}{SPACE}point" + ("" if float(text) == 1 else "s")


def signed_points(low: float, high: float) -> str:
    """An interval of differences in percentage points."""
    return f"{100 * low:+.1f} to {100 * high:+.1f}{SPACE}points".replace("-", "−")


def duration(seconds: float | None) -> str:
    """A time in words: '42 s', '3 min 20 s', '2 h 5 min'."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}{SPACE}s" if seconds < 9.95 else f"{whole}{SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{SPACE}min {whole % 60}{SPACE}s"
    return f"{whole // 3600}{SPACE}h {whole % 3600 // 60}{SPACE}min"


def evaluate_command(run: str, data: object) -> str:
    """What to type to measure retrieval; DATA stands for data that the run does not name."""
    return shlex.join(["kinema", "evaluate", "retrieval", run, str(data or "DATA")])


def protocol_name(protocol: str) -> str:
    """A protocol's name as a reader sees it."""
    return PROTOCOLS.get(protocol, protocol[:1].upper() + protocol[1:])


def metric_name(metric: str) -> str:
    """A metric as a column's head."""
    named = {
        "mining_precision": "Mining precision",
        "mining_r@1": "Mining R@1",
        "class_mining_recall_median": "Class recall, median",
        "class_mining_recall_mean": "Class recall, mean",
        "class_mining_recall_std": "Class recall, spread",
        "accuracy": "Accuracy",
        "accuracy_top5": "Top-5 accuracy",
        "mean_class_accuracy": "Accuracy, mean of classes",
        "median_rank": "Median rank",
    }
    return named.get(metric, "R" + metric[1:] if metric.startswith("r@") else metric)


def metric_value(metric: str, value: float | None) -> str:
    """A figure as its metric is told: ranks and distances as numbers, all else as per cent."""
    plain = metric.endswith("_rank") or metric.startswith(("rankme", "alignment", "uniformity"))
    return number(value) if plain else percent(value)


def protocol_heading(protocol: str, preset: str) -> str:
    """A protocol and its preset as a table's head."""
    name = protocol_name(protocol)
    if preset.endswith("%"):
        return f"{name}, {preset} of the labels"
    return name + (f", preset {preset}" if preset else "")


def join(words: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last

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
    "be": "BE (background erasing)",
    "dsm": "DSM (scene and motion apart)",
    "cmd": "CMD (context and motion)",
    "supervised": "Supervised (told the labels)",
}
SHORT = {"random": "Untrained", "coclr": "CoCLR", "supervised": "Supervised", "moco": "MoCo", "cpr-bank": "CPR bank"}
SHORT |= {"be": "BE", "dsm": "DSM"}
PROTOCOLS = {
    "knn": "Nearest-neighbour classifier",
    "linear": "Linear probe",
    "few-label": "Linear probe",
    "finetune": "Fine-tuning",
    "cross-modal": "Retrieval across views",
}
JUDGED = ("retrieval", "knn", "linear", "few-label", "finetune")
"""Protocols by which encoders are compared."""
ORDER = ("retrieval", "cross-modal", "knn", "few-label", "linear", "finetune", "mining", "diagnostics")
"""The order in which protocols are told."""
HOW_COMPARED = (
    "In brackets is the 95 % interval of the lead, and whether it was taken query by query, where both were asked the "
    "same and every answer was kept, or from the two figures’ own intervals. A lead is noise if that holds zero."
)
FROM_SCRATCH = "Supervised from scratch"
VIEWS = {"rgb": "RGB", "residual": "residual", "motion": "motion vectors", "sound": "sound"}
BASELINES = ("infonce", "moco", "simclr")
REFERENCES = ("random", "supervised", *BASELINES)
DASH = "–"
SPACE = "\u00a0"


def encoder_name(encoder: str, protocol: str = "") -> str:
    """The encoder's name as a reader sees it; fine-tuned, an untrained one is supervised training from scratch."""
    return FROM_SCRATCH if (encoder, protocol) == ("random", "finetune") else NAMES.get(encoder, encoder)


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


def seeds_told(seeds: Iterable[int]) -> str:
    """Which seeds, and how many where there are several: '3 (0, 1, 2)'."""
    told = list(seeds)
    return str(told[0]) if len(told) == 1 else f"{len(told)} ({', '.join(map(str, told))})"


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


def preset_options(preset: str) -> list[str]:
    """The options of 'kinema evaluate' that give a preset: a share of the labels, a name, or both."""
    found = re.fullmatch(r"(?:(.+)-)?(\d+(?:\.\d+)?)%", preset)
    if found is None:
        return ["--preset", preset] if preset else []
    named = ["--preset", found[1]] if found[1] else []
    return [*named, "--shares", f"{float(found[2]) / 100:g}"]


def protocol_name(protocol: str) -> str:
    """A protocol's name as a reader sees it."""
    return PROTOCOLS.get(protocol, protocol[:1].upper() + protocol[1:])


METRICS = {
    "mining_precision": "Mining precision",
    "mining_r@1": "Mining R@1",
    "class_mining_recall_median": "Class recall, median",
    "class_mining_recall_mean": "Class recall, mean",
    "class_mining_recall_std": "Class recall, spread",
    "accuracy": "Accuracy",
    "accuracy_top5": "Top-5 accuracy",
    "mean_class_accuracy": "Accuracy, mean of classes",
    "median_rank": "Median rank",
    "rankme": "RankMe",
    "alignment": "Alignment",
    "uniformity": "Uniformity",
    "neighbour_overlap": "Neighbours shared with the other view",
    "still_reliance": "Neighbours kept by a still",
    "still_r@1": "Stills that find their own video",
    "same_scene": "Neighbours of the same scene",
}


def metric_name(metric: str) -> str:
    """A metric as a column's head; of the head's projections where its name ends so."""
    plain, projected, _ = metric.partition("_projected")
    if plain in METRICS:
        return METRICS[plain] + (", projections" if projected else "")
    return "R" + metric[1:] if metric.startswith("r@") else metric


def protocol_short(protocol: str, preset: str) -> str:
    """A protocol and its preset within a sentence."""
    told = f"{preset} of the labels" if preset.endswith("%") else preset
    return protocol_name(protocol) + (f" ({told})" if told else "")


def protocol_order(protocol: str, preset: str) -> tuple[int, list[tuple[int, int | str]]]:
    """Sorts protocols and their presets: retrieval first, then from what asks least of the labels to what asks most."""
    return (ORDER.index(protocol) if protocol in ORDER else len(ORDER), natural(preset))


def metric_with_spread(metric: str, value: float | None, deviation: float | None) -> str:
    """A mean over seeds with its standard deviation, where there is one."""
    told = metric_value(metric, value)
    if value is None or deviation is None:
        return told
    if told.endswith("%"):
        return f"{100 * value:.1f}{SPACE}±{SPACE}{100 * deviation:.1f}{SPACE}%"
    return f"{told}{SPACE}±{SPACE}{deviation:.2g}"


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

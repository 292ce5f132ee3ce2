"""The figures of benchmarks/results that the pages compare, by seed: what their tables and charts are made of.

Only JSON is read here, so that charts and differences need neither torch nor the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from paired import Comparison

RESULTS = Path(__file__).parent / "results"
Values = dict[int, float]
"""A figure by its seed."""

TEXT_TASKS = ("sts12_mean", "sts13_mean", "sts14_mean", "sts15_mean", "sts16_mean", "stsb", "sickr")


@cache
def load(name: str) -> dict[str, Any]:
    """A file of results, read once: it is not to be changed."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def at(cell: Any, path: tuple[str, ...]) -> float | None:
    """A figure in a cell, None where it is not there."""
    for key in path:
        if key not in cell:
            return None
        cell = cell[key]
    return float(cell)


def of(name: str, where: str, row: str, *path: str) -> Values:
    """A figure of a row over the seeds that were run, from cells 'SET seedN ROW'.

    Raises:
        KeyError: no cell has it, so a name is wrong or the table is not that far.
    """
    found: Values = {}
    for key, cell in load(name)["cells"].items():
        of_set, seed, of_row = key.split(" ", 2)
        value = at(cell, path) if (of_set, of_row) == (where, row) else None
        if value is not None:
            found[int(seed.removeprefix("seed"))] = value
    if not found:
        raise KeyError(f"results/{name}.json has no {'/'.join(path)} of '{where}', '{row}'")
    return found


def compared(name: str, row: str, figure: str) -> Values:
    """A figure of an encoder of benchmarks/compare.py, from cells 'seedN RUN' that hold several encoders."""
    found: Values = {}
    for key, cell in load(name)["cells"].items():
        if row in cell and figure in cell[row]:
            found[int(key.split()[0].removeprefix("seed"))] = cell[row][figure]
    return found


def text(row: str, figure: str, name: str = "claims-text", which: str = "mini_1") -> Values:
    """A figure of a row of benchmarks/claims/text.py, from cells 'ROW_SIZE_SHARE_seedN'."""
    start = f"{row.replace(' ', '-')}_{which}_seed"
    cells = {key: cell for key, cell in load(name)["cells"].items() if key.startswith(start)}
    return {int(key.removeprefix(start)): c["figures"][figure] for key, c in cells.items() if figure in c["figures"]}


def tfidf() -> float:
    """TF-IDF's mean of the seven STS tasks, by 'mean'."""
    figures = [each["mean"] for each in load("text-floors")["sts"].values()]
    return float(sum(figures) / len(figures))


def same(value: float, like: Mapping[int, float]) -> Values:
    """What nothing is drawn for, beside each seed of another row."""
    return dict.fromkeys(like, value)


def mining() -> list[Comparison]:
    rows = {
        row: compared("compare-mocap-24", row, "r@1") for row in ("cpr-motion", "coclr-motion", "infonce", "random")
    }
    return [
        Comparison("CPR, 4 stages − InfoNCE", rows["cpr-motion"], rows["infonce"]),
        Comparison("1 stage (CoCLR) − InfoNCE", rows["coclr-motion"], rows["infonce"]),
        Comparison("CPR, 4 stages − 1 stage", rows["cpr-motion"], rows["coclr-motion"]),
        Comparison("InfoNCE − untrained", rows["infonce"], rows["random"]),
    ]


def mining_first_edition() -> list[Comparison]:
    name = "mocap-first-edition/compare-mocap-24"
    rows = {row: compared(name, row, "r@1") for row in ("cpr-motion", "coclr-motion", "cpr-residual", "infonce")}
    return [
        Comparison("CPR, 4 stages − InfoNCE", rows["cpr-motion"], rows["infonce"]),
        Comparison("CPR, 4 stages − 1 stage", rows["cpr-motion"], rows["coclr-motion"]),
        Comparison("CPR by motion − CPR by the residual", rows["cpr-motion"], rows["cpr-residual"]),
        Comparison("CPR by the residual − InfoNCE", rows["cpr-residual"], rows["infonce"]),
    ]


def hand_signs() -> list[Comparison]:
    rows = ("cpr-motion", "coclr-motion", "cpr-residual", "coclr-residual", "infonce", "random")
    found = {row: compared("compare-asl-24", row, "r@1") for row in rows}
    return [
        Comparison("InfoNCE − untrained", found["infonce"], found["random"]),
        Comparison("CPR, 4 stages, by motion − InfoNCE", found["cpr-motion"], found["infonce"]),
        Comparison("1 stage, by motion − InfoNCE", found["coclr-motion"], found["infonce"]),
        Comparison("CPR, 4 stages, by the residual − InfoNCE", found["cpr-residual"], found["infonce"]),
        Comparison("1 stage, by the residual − InfoNCE", found["coclr-residual"], found["infonce"]),
    ]


def demonstration() -> list[Comparison]:
    """The demonstration's encoders, R@1."""

    def found(row: str) -> Values:
        cells = load("demo-seeds")["cells"]
        return {int(key.split()[1].removeprefix("seed")): each["r@1"][row] for key, each in cells.items()}

    both = found("CPR, both views")
    return [
        Comparison("CPR − InfoNCE, RGB", found("CPR"), found("InfoNCE")),
        Comparison("both views: CPR − InfoNCE with the same guide", both, found("InfoNCE with the guide")),
        Comparison("CPR, both views − the guide", both, found("the guide")),
        Comparison("CPR, both views − InfoNCE, RGB", both, found("InfoNCE")),
    ]


def two_views() -> list[Comparison]:
    """RGB and motion vectors side by side against each alone, R@1."""
    both, unscaled = two_views_of("rgb+motion"), two_views_of("side by side, unscaled")
    return [
        Comparison("both − motion vectors", both, two_views_of("motion")),
        Comparison("both − RGB", both, two_views_of("rgb")),
        Comparison("both − both unscaled", both, unscaled),
    ]


def two_views_of(view: str) -> Values:
    """R@1 by a view of the runs of benchmarks/two_views.py."""
    return {run["seed"]: run["views"][view]["r@1"] for run in load("two-views")["runs"]}


METHODS = {"simclr": "SimCLR", "be": "BE", "dsm": "DSM", "cmd": "CMD", "cpr": "CPR"}


def scenes(figure: str) -> list[Comparison]:
    """Each method over MoCo where another class' scene misleads: bias .95, first edition, 'r@1' or 'linear'."""
    name = "mocap-first-edition/claims-video"
    moco = of(name, "bias0.95", "moco", figure, "swapped")
    return [
        Comparison(f"{title} − MoCo", of(name, "bias0.95", row, figure, "swapped"), moco)
        for row, title in METHODS.items()
    ]


REST = {
    "random": "untrained",
    "moco": "MoCo",
    "be-without-frame": "the release's baseline",
    "be": "BE",
    "dsm": "DSM",
}
"""Rows with a camera at rest. BE's and DSM's authors compare with one window, another of the video as a negative."""
FIGURES = {
    "r@1": "R@1",
    "linear": "probe",
    "finetune": "fine-tuned with all labels",
    "finetune10": "fine-tuned with a tenth",
}


def at_rest(part: str) -> list[Comparison]:
    """BE and DSM over the release's baseline, camera at rest, bias .95, second edition, by each figure."""
    return [
        Comparison(f"{REST[row]} − {REST['be-without-frame']}, {title}", *(rest_of(r, figure, part) for r in rows))
        for row in ("be", "dsm")
        for figure, title in FIGURES.items()
        for rows in ((row, "be-without-frame"),)
    ]


def rest_of(row: str, figure: str, part: str) -> Values:
    """A figure of a row with a camera at rest, by seed."""
    return of("claims-video", "rest0.95", row, figure, part)


def scenes_mining() -> list[Comparison]:
    """CPR over MoCo by how much the scene gives away, first edition."""
    name = "mocap-first-edition/claims-video"
    return [
        Comparison(
            f"bias {bias.removeprefix('0') or '0'}",
            *(of(name, f"bias{bias}", row, "r@1", "unbiased") for row in ("cpr", "moco")),
        )
        for bias in ("0", "0.5", "0.95")
    ]


def segmentation() -> list[Comparison]:
    def mof(where: str, row: str, figure: str = "mof") -> Values:
        return of("claims-segmentation", where, row, "metrics", figure)

    ordered = mof("hapt-ordered", "tot")
    found = [
        Comparison(f"fixed order: TOT − {title}", ordered, mof("hapt-ordered", "tot", f"{floor}_mof"))
        for floor, title in (
            ("uniform", "equal parts"),
            ("kmeans", "k-means"),
            ("kmeans_time", "k-means with the time"),
        )
    ]
    parts = {
        "tot-offline": "clustered afterwards",
        "tot-no-prior": "without the prior",
        "tot-no-coherence": "without coherence",
    }
    found += [
        Comparison(f"fixed order: TOT − {title}", ordered, mof("hapt-ordered", row)) for row, title in parts.items()
    ]
    sets = ("hapt-repeats", "50salads-mid", "50salads-eval", "mocap6", "coffee5")
    found += [Comparison(f"{where}: ASOT − TOT", mof(where, "asot"), mof(where, "tot")) for where in sets]
    found += [
        Comparison(f"{where}: ASOT − k-means", mof(where, "asot"), mof(where, "asot", "kmeans_mof")) for where in sets
    ]
    return found


def footage() -> list[Comparison]:
    def mof(where: str, row: str, figure: str = "mof") -> Values:
        return of("claims-footage", where, row, "metrics", figure)

    found = []
    for where in ("mocap-steps", "thermal"):
        steps = mof(where, "motion")
        found.append(Comparison(f"{where}: pretrained − untrained", steps, mof(where, "motion-untrained")))
        for floor, title in (
            ("uniform", "equal parts"),
            ("kmeans", "k-means"),
            ("kmeans_time", "k-means with the time"),
        ):
            found.append(Comparison(f"{where}: pretrained − {title}", steps, mof(where, "motion", f"{floor}_mof")))
    return found


def reid() -> list[Comparison]:
    def figure(where: str, row: str, name: str = "map") -> Values:
        return of("claims-reid", where, row, "metrics", "official", name)

    trl = figure("market-osnet", "trl")
    others = {
        "mean": "mean over frames",
        "lstm": "BiLSTM",
        "trl-no-residual": "TRL without the residual",
        "frame": "one frame",
    }
    found = [Comparison(f"Market: TRL − {title}", trl, figure("market-osnet", row)) for row, title in others.items()]
    found.insert(1, Comparison("Market: TRL − features as they are", trl, figure("market-osnet", "mean", "mean_map")))
    for where, title in (
        ("body-frozen", "Mocap-people, frozen"),
        ("hapt", "walking"),
        ("people-body", "Mocap-people, from nothing"),
    ):
        found.append(Comparison(f"{title}: TRL − mean", figure(where, "trl"), figure(where, "mean")))
    return found


def hashing() -> list[Comparison]:
    def figure(row: str, direction: str, *, unseen: bool = False) -> Values:
        return of("claims-hashing", "fashion", row, "metrics", f"{'unseen_' if unseen else ''}map_{direction}")

    found = []
    for direction, arrow in (("image_to_text", "i→t"), ("text_to_image", "t→i")):
        codes = figure("dcvh@64", direction, unseen=True)
        ridge = figure("ridge", direction, unseen=True)[0]
        found += [
            Comparison(f"64 bits, unseen, {arrow}: DCVH − LSH", codes, figure("ridge-lsh@64", direction, unseen=True)),
            Comparison(f"64 bits, unseen, {arrow}: DCVH − ridge, real-valued", codes, same(ridge, codes)),
        ]
    parts = {
        "dcvh-l0": "without the alignment",
        "dcvh-bce": "without the softmax",
        "dcvh-softmax": "without the binary one",
    }
    parts["own"] = "one classifier a view"
    for row, title in parts.items():
        for direction, arrow in (("image_to_text", "i→t"), ("text_to_image", "t→i")):
            found.append(
                Comparison(
                    f"32 bits, {arrow}: DCVH − {title}", figure("dcvh@32", direction), figure(f"{row}@32", direction)
                )
            )
    alone = (("image_to_image", "i→i", "image-only"), ("text_to_text", "t→t", "text-only"))
    for direction, arrow, row in alone:
        found.append(
            Comparison(
                f"32 bits, {arrow}: DCVH − one view alone", figure("dcvh@32", direction), figure(f"{row}@32", direction)
            )
        )
    return found


def sentences() -> list[Comparison]:
    row = {
        name: text(name, "sts_mean")
        for name in ("untrained", "masked-lm", "simcse", "declutr", "then masked-lm", "then simcse", "then declutr")
    }
    return [
        Comparison("DeCLUTR − masked-LM alone", row["declutr"], row["masked-lm"]),
        Comparison("DeCLUTR − SimCSE", row["declutr"], row["simcse"]),
        Comparison("DeCLUTR − untrained", row["declutr"], row["untrained"]),
        Comparison("then DeCLUTR − then masked-LM", row["then declutr"], row["then masked-lm"]),
        Comparison("then SimCSE − then masked-LM", row["then simcse"], row["then masked-lm"]),
        Comparison("masked-LM alone − untrained", row["masked-lm"], row["untrained"]),
        Comparison("SimCSE − untrained", row["simcse"], row["untrained"]),
        Comparison("DeCLUTR − TF-IDF", row["declutr"], same(tfidf(), row["declutr"])),
    ]


def sentence_axes() -> list[Comparison]:
    def axis(row: str, which: str) -> Values:
        return text(row, "sts_mean", "claims-text-axes", which)

    return [
        Comparison("2.9 − 0.6 million parameters", axis("declutr", "3x192_1"), axis("declutr", "1x64_1")),
        Comparison("2.9 − 1.5 million parameters", axis("declutr", "3x192_1"), axis("declutr", "tiny_1")),
        Comparison("2,067 − 259 documents", axis("declutr", "tiny_1"), axis("declutr", "tiny_0.125")),
    ]


def mocap_qa() -> list[Comparison]:
    def figure(features: str, row: str, kind: str, part: str = "test") -> Values:
        return of("mocap-answers", features, row, part, kind)

    local = figure("truth", "both", "while")
    return [
        Comparison("`while`: local − global", local, figure("truth", "global", "while")),
        Comparison("`while`: local − text only", local, figure("none", "text only", "while")),
        Comparison("`while`: local − sight only", local, figure("truth", "sight only", "while")),
        Comparison("`while`: local − local, subtitles late", local, figure("truth", "both", "while", "late")),
        Comparison("`said`: local − text only", figure("truth", "both", "said"), figure("none", "text only", "said")),
        Comparison(
            "`which`: local − sight only", figure("truth", "both", "which"), figure("truth", "sight only", "which")
        ),
        Comparison("all: local − global", figure("truth", "both", "all"), figure("truth", "global", "all")),
        Comparison(
            "`while`, MoCo's features: local − global",
            figure("moco", "both", "while"),
            figure("moco", "global", "while"),
        ),
    ]


def episodes() -> list[Comparison]:
    def figure(row: str, name: str = "accuracy") -> Values:
        return of("video-qa", "pororoqa", row, "metrics", name)

    return [
        Comparison("the whole episode − nothing of it", figure("whole"), figure("none")),
        Comparison("the scene that answers − the whole episode", figure("stretch"), figure("whole")),
        Comparison("the whole episode − shared words, TF-IDF", figure("whole"), figure("whole", "accuracy_tfidf")),
        Comparison(
            "the scene − shared words of that scene", figure("stretch"), figure("stretch", "accuracy_tfidf_stretch")
        ),
        Comparison(
            "nothing of it − options only, a count of words", figure("none"), figure("none", "accuracy_options_only")
        ),
        Comparison("local − global attention", figure("local"), figure("global")),
        Comparison("with − without the contrast", figure("whole"), figure("no contrast")),
    ]

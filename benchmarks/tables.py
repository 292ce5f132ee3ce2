"""The tables of the results' pages, made of benchmarks/results.

    python benchmarks/tables.py          writes every table of benchmarks/pages anew
    python benchmarks/tables.py --check  names the pages whose tables are not those of the figures

A table stands below a comment that names it, so after new figures nothing is copied by hand. The charts are drawn by
benchmarks/charts.py.
"""

from __future__ import annotations

import argparse
import importlib
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parent / name) for name in (".", "claims", "data")]

import figures
import speed_tables
from figures import TEXT_TASKS, Values, compared, load, of, text
from paired import Comparison, signed, table
from speed_tables import markdown

PAGES = Path(__file__).parent / "pages"
PLACE = re.compile(r"<!-- table: (?P<name>\S+) -->\n\n(?P<rows>(?:\|.*\n)*)\n*")

ENCODERS = {
    "random": "untrained",
    "infonce": "InfoNCE",
    "coclr-motion": "CPR, 1 stage (CoCLR), by motion",
    "cpr-motion": "CPR, 4 stages, by motion",
    "coclr-residual": "CPR, 1 stage, by the residual",
    "cpr-residual": "CPR, 4 stages, by the residual",
    "guide motion": "the guide: InfoNCE on motion vectors, 12 epochs",
    "guide residual": "the guide: InfoNCE on the residual, 12 epochs",
}
SENTENCES = {
    "untrained": "untrained",
    "masked-lm": "masked-LM alone",
    "simcse": "SimCSE",
    "declutr": "DeCLUTR",
    "then masked-lm": "then masked-LM alone",
    "then simcse": "then SimCSE",
    "then declutr": "then DeCLUTR",
}
TASKS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
TRANSFER = ("mr", "cr", "subj", "mpqa", "sst2", "trec")


def spread(values: Iterable[float], scale: float = 100) -> str:
    """Mean ± standard deviation over seeds; empty without any."""
    found = list(values)
    if not found:
        return ""
    mean = f"{scale * statistics.mean(found):.1f}"
    return mean + (f" ± {scale * statistics.stdev(found):.1f}" if len(found) > 1 else "")


def printed(module: str, name: str, *path: str) -> str:
    """The table that a benchmark prints of its own figures."""
    found: Any = load(name)
    for key in path:
        found = found[key]
    return "\n".join(importlib.import_module(module).lines(found))


def encoders(name: str) -> str:
    """Encoders that benchmarks/compare.py measured, those that there are."""

    def told(row: str) -> list[str]:
        one, five = compared(name, row, "r@1"), compared(name, row, "r@5")
        last = compared(name, row, "mining_precision")
        first = compared(name, row, "first mining_precision")
        mined = f"{spread(first.values())} → {spread(last.values())}" if last else ""
        return [spread(one.values()), spread(five.values()), mined, str(len(one))]

    there = {row: title for row, title in ENCODERS.items() if compared(name, row, "r@1")}
    head = ["encoder", "R@1", "R@5", "mining precision, first → last epoch", "seeds"]
    return markdown(head, ([title, *told(row)] for row, title in there.items()))


def scenes() -> str:
    """R@1 and the probe by the part of the test, bias .95, first edition."""
    name = "mocap-first-edition/claims-video"
    rows = {"random": "untrained", "moco": "MoCo", **figures.METHODS}
    columns = [(figure, part) for figure in ("r@1", "linear") for part in ("unbiased", "swapped")]

    def told(row: str) -> list[str]:
        found = [of(name, "bias0.95", row, *column) for column in columns]
        return [*(spread(each.values()) for each in found), str(len(found[0]))]

    head = ["first edition, bias .95", "R@1 unbiased", "swapped", "linear unbiased", "swapped", "seeds"]
    return markdown(head, ([title, *told(row)] for row, title in rows.items()))


def rest() -> str:
    """Camera at rest, bias .95, second edition: every figure before another class' scene, and two before any."""
    columns = [(figure, "swapped") for figure in figures.FIGURES]
    columns += [("r@1", "unbiased"), ("linear", "unbiased"), ("finetune10", "unbiased")]

    def told(row: str) -> list[str]:
        found = [measured(figures.rest_of, row, *column) for column in columns]
        return [*(spread(each.values()) for each in found), str(len(found[0]))]

    head = [
        "camera at rest, bias .95",
        *(f"`swapped`: {title}" if at == 0 else title for at, title in enumerate(figures.FIGURES.values())),
    ]
    head += ["`unbiased`: R@1", "probe", "fine-tuned with a tenth", "seeds"]
    return markdown(head, ([title, *told(row)] for row, title in figures.REST.items() if told(row)[0]))


def measured(find: Callable[..., Values], *path: str) -> Values:
    """A figure by its seed; nothing where the table is not that far."""
    try:
        return find(*path)
    except KeyError:
        return {}


def demo_seeds() -> str:
    """Each demonstration, seed by seed."""
    cells = load("demo-seeds")["cells"]
    rows = ("untrained", "InfoNCE", "CPR", "the guide", "InfoNCE with the guide", "CPR, both views")

    def ahead(lead: float, interval: Iterable[float]) -> str:
        return f"{signed(100 * lead)} [{', '.join(signed(100 * end) for end in interval)}]"

    def told(each: Mapping[str, Any]) -> list[str]:
        leads = [ahead(each["lead"], each["lead_interval"]), ahead(each["both_lead"], each["both_interval"])]
        return [each["short"], *leads, *(f"{100 * each['r@1'][row]:.1f}" for row in rows)]

    head = ["seed", "the page says", "CPR − InfoNCE, RGB", "the same with the guide", *rows]
    seeds = sorted((int(key.split()[1].removeprefix("seed")), each) for key, each in cells.items())
    return markdown(head, ([str(seed), *told(each)] for seed, each in seeds))


def two_views() -> str:
    """R@1 of each view, and of both side by side."""
    rows = {"rgb": "RGB", "motion": "motion vectors, the guide", "rgb+motion": "**both**"}
    rows["side by side, unscaled"] = "both, unscaled"
    found = {title: figures.two_views_of(view) for view, title in rows.items()}
    return markdown(["view", "R@1", "seeds"], ([row, spread(of.values()), str(len(of))] for row, of in found.items()))


def segmentation() -> str:
    """MOF of each set."""
    sets = ("hapt-ordered", "hapt-repeats", "50salads-mid", "50salads-eval", "coffee5", "mocap6")

    def told(where: str) -> list[str]:
        floors = [of("claims-segmentation", where, "tot", "metrics", f"{floor}_mof")[0] for floor in FLOORS]
        rows = [of("claims-segmentation", where, row, "metrics", "mof") for row in ("tot", "asot")]
        return [*(f"{100 * value:.1f}" for value in floors), *(spread(row.values()) for row in rows)]

    head = ["MOF, per cent", "equal parts", "k-means", "k-means with the time", "TOT", "ASOT"]
    return markdown(head, ([where, *told(where)] for where in sets))


FLOORS = ("uniform", "kmeans", "kmeans_time")


def reid() -> str:
    """The rows of market-osnet, by the official rule."""
    rows = {
        "frame": "one frame",
        "mean": "mean over the frames",
        "lstm": "BiLSTM",
        "trl-no-residual": "TRL, the second network reads the frames",
        "trl": "TRL",
    }

    def told(row: str) -> list[str]:
        found = [of("claims-reid", "market-osnet", row, "metrics", *path) for path in SHOWN]
        return [*(spread(each.values()) for each in found), str(len(found[0]))]

    def floor(name: str) -> list[str]:
        found = [
            of("claims-reid", "market-osnet", "mean", "metrics", "official", f"{name}_{f}") for f in ("rank-1", "map")
        ]
        return [*(spread(each.values()) for each in found), "", str(len(found[0]))]

    body = [["colours", *floor("hsv")], ["features as they are", *floor("mean")]]
    body += [[title, *told(row)] for row, title in rows.items()]
    return markdown(["Market, OSNet frozen", "R1", "mAP", "R1, people learnt from", "draws"], body)


SHOWN = (("official", "rank-1"), ("official", "map"), ("trained", "rank-1"))


def hashing() -> str:
    """The rows of fashion that carry the answer, at 32 and 64 bits."""
    rows = {
        "random@64": "codes by chance, 64 bits",
        "ridge-lsh@64": "LSH of the ridge, 64 bits",
        "dcvh@64": "DCVH, 64 bits",
        "ridge": "ridge, real-valued",
        "dcvh@32": "DCVH, 32 bits",
        "image-only@32": "pictures alone, 32 bits",
        "text-only@32": "texts alone, 32 bits",
    }
    directions = ("image_to_text", "text_to_image", "image_to_image", "text_to_text")

    def values(row: str, figure: str) -> Values:
        try:
            return of("claims-hashing", "fashion", row, "metrics", figure)
        except KeyError:
            return {}

    def told(row: str) -> list[str]:
        found = [values(row, f"unseen_map_{each}") for each in directions]
        found += [values(row, f"map_{each}") for each in directions[:2]]
        return [*(spread(each.values()) for each in found), str(max(map(len, found)))]

    head = ["fashion, mAP, per cent", "unseen i→t", "t→i", "i→i", "t→t", "gallery learnt from: i→t", "t→i", "seeds"]
    return markdown(head, ([title, *told(row)] for row, title in rows.items()))


def sentences() -> str:
    """The means of the tasks."""

    def told(row: str) -> list[str]:
        found = [text(row, figure) for figure in ("sts_mean", "sts_all", "transfer")]
        return [*(seeded(each, len(found[0])) for each in found), str(len(found[0]))]

    ceiling = load("claims-text-ceiling")["cells"]["ceiling"]["figures"]
    body = [[title, *told(row)] for row, title in SENTENCES.items()]
    body += [["*floor: TF-IDF*", f"{100 * figures.tfidf():.1f}", "", "", ""]]
    body += [
        ["*ceiling: all-MiniLM-L6-v2*", *(f"{100 * ceiling[name]:.1f}" for name in ("sts_mean", "sts_all")), "", ""]
    ]
    head = ["from random weights; then: from what masked-LM came to", "mean of seven STS tasks", "the same, `all`"]
    return markdown([*head, "transfer, mean of six", "seeds"], body)


def seeded(values: Values, seeds: int) -> str:
    """Mean and deviation, with a word where fewer seeds were measured than of the row."""
    return "not measured" if not values else spread(values.values()) + (" (one seed)" if len(values) < seeds else "")


def sentences_full() -> str:
    """Each STS task."""
    head = ["from random weights; then: from what masked-LM came to", *TASKS]
    return markdown(
        head,
        ([title, *(spread(text(row, task).values()) for task in TEXT_TASKS)] for row, title in SENTENCES.items()),
    )


def transfer() -> str:
    """Each transfer task."""
    rows = [row for row in SENTENCES if text(row, "mr")]
    head = ["transfer, accuracy", *(task.upper() for task in TRANSFER)]
    body = (
        [SENTENCES[row], *(seeded(text(row, task), 3 if row == "masked-lm" else 0) for task in TRANSFER)]
        for row in rows
    )
    return markdown(head, body)


AXIS = {"1x64": "1, 64 (0.6 million)", "tiny": "2, 128 (1.5 million)", "3x192": "3, 192 (2.9 million)"}
SHARES = {"0.125": "259", "0.25": "517", "0.5": "1,034", "1": "2,067"}
ON_AXES = ("sts_mean", "sts_all", "stsb", "sickr")


def axis(row: str, which: str) -> list[str]:
    return [spread(text(row, figure, "claims-text-axes", which).values()) for figure in ON_AXES]


def parameters() -> str:
    head = ["layers, width (parameters)", "learnt", "mean of the seven", "the same, `all`", "STS-B", "SICK-R"]
    names = {"untrained": "no", "declutr": "DeCLUTR"}
    body = ([title, names[row], *axis(row, f"{size}_1")] for size, title in AXIS.items() for row in names)
    return markdown(head, body)


def documents() -> str:
    head = ["documents (2 layers, width 128)", "mean of the seven", "the same, `all`", "STS-B", "SICK-R"]
    return markdown(head, ([title, *axis("declutr", f"tiny_{share}")] for share, title in SHARES.items()))


def floors_of_text(part: str) -> str:
    module, found = importlib.import_module("text_floors"), load("text-floors")
    if part == "sts":
        return str(module.table("TF-IDF, Spearman", ("mean", "all"), found["sts"]))
    return str(module.table("bag of words, accuracy", ("chosen", "fixed", "majority"), found["transfer"]))


def floors_of_answers(part: str) -> str:
    module, sets = importlib.import_module("answer_floors"), load("answer-floors")["sets"]
    return str(module.table(sets) if part == "sets" else module.types_table(sets["nextqa"]))


def archive() -> str:
    found = load("archive")
    rows = {"chance": "by chance", "random": "the encoder before training", "cpr": "**CPR**"}
    body = ([title, *(f"{100 * found[row][figure]:.1f}" for figure in ("r@1", "r@5"))] for row, title in rows.items())
    return markdown(["333 letters of another person", "R@1", "R@5"], body)


def differences(comparisons: Callable[[], list[Comparison]], figure: str) -> Callable[[], str]:
    """The paired table of a page."""
    return lambda: table(comparisons(), figure)


TABLES: Mapping[str, Callable[[], str]] = {
    "demo-seeds": demo_seeds,
    "demo-seeds-paired": differences(figures.demonstration, "R@1"),
    "mining": lambda: encoders("compare-mocap-24"),
    "mining-paired": differences(figures.mining, "R@1"),
    "mining-first-edition-paired": differences(figures.mining_first_edition, "R@1"),
    "hand-signs": lambda: encoders("compare-asl-24"),
    "hand-signs-paired": differences(figures.hand_signs, "R@1"),
    "archive": archive,
    "two-views": two_views,
    "two-views-paired": differences(figures.two_views, "R@1"),
    "scenes-rest": rest,
    "scenes-rest-swapped-paired": differences(lambda: figures.at_rest("swapped"), "the figure on swapped"),
    "scenes-rest-unbiased-paired": differences(lambda: figures.at_rest("unbiased"), "the figure on unbiased"),
    "scenes": scenes,
    "scenes-paired": differences(lambda: figures.scenes("r@1"), "R@1 on swapped"),
    "scenes-mining-paired": differences(figures.scenes_mining, "R@1 on unbiased, CPR − MoCo"),
    "segmentation": segmentation,
    "segmentation-paired": differences(figures.segmentation, "MOF"),
    "segmentation-full": lambda: printed("segmentation", "claims-segmentation", "cells"),
    "footage": lambda: printed("from_footage", "claims-footage", "cells"),
    "footage-paired": differences(figures.footage, "MOF"),
    "segmentation-memory": speed_tables.segmentation_memory,
    "transport": lambda: importlib.import_module("transport").table(load("transport")["cells"]),
    "reid": reid,
    "reid-paired": differences(figures.reid, "mAP"),
    "reid-full": lambda: printed("reid", "claims-reid", "cells"),
    "tracklets": speed_tables.tracklets,
    "hashing": hashing,
    "hashing-paired": differences(figures.hashing, "mAP"),
    "hashing-full": lambda: printed("hashing", "claims-hashing", "cells"),
    "sentences": sentences,
    "sentences-paired": differences(figures.sentences, "the mean of seven"),
    "sentences-full": sentences_full,
    "transfer": transfer,
    "documents": documents,
    "parameters": parameters,
    "sentence-axes-paired": differences(figures.sentence_axes, "the mean of seven"),
    "text-floors-sts": lambda: floors_of_text("sts"),
    "text-floors-transfer": lambda: floors_of_text("transfer"),
    "mocap-qa": lambda: printed("mocap_answers", "mocap-answers", "cells"),
    "mocap-qa-paired": differences(figures.mocap_qa, "accuracy"),
    "episodes": lambda: printed("video_qa", "video-qa", "cells"),
    "episodes-paired": differences(figures.episodes, "accuracy"),
    "answer-floors": lambda: floors_of_answers("sets"),
    "answer-floors-types": lambda: floors_of_answers("types"),
    "question-speed": lambda: printed("question_speed", "question-speed", "rows"),
    "search": speed_tables.search,
    "embedding": speed_tables.embedding,
    "served": speed_tables.served,
    "codes": speed_tables.codes,
    "serving": speed_tables.serving,
    "motion-small": lambda: speed_tables.motion("320x240"),
    "motion-large": lambda: speed_tables.motion("1280x720"),
    "clips": speed_tables.clips,
    "duplicates": speed_tables.duplicates,
    "long-video": speed_tables.long_video,
    "steps": speed_tables.steps,
    "cascade": speed_tables.cascade,
    "golden": speed_tables.golden,
    "export": speed_tables.export,
}
"""The table that stands below each name."""


def rewritten(page: str) -> str:
    """A page with every table made anew.

    Raises:
        KeyError: the page names a table that is not one of ``TABLES``.
    """
    made = PLACE.sub(lambda place: f"<!-- table: {place['name']} -->\n\n{TABLES[place['name']]()}\n\n", page)
    return made.rstrip("\n") + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="writes nothing; fails where a table is not that of today")
    check, stale = parser.parse_args().check, []
    for file in sorted(PAGES.glob("*.md")):
        before = file.read_text(encoding="utf-8")
        after = rewritten(before)
        if after != before:
            stale.append(file.name)
            if not check:
                file.write_text(after, encoding="utf-8")
    print("\n".join(stale) or "every table is that of the figures")
    if check and stale:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

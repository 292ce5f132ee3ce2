"""The charts of the results' pages, drawn from benchmarks/results.

    python benchmarks/charts.py

writes results/charts/NAME.svg, one a claim. After new figures run this and benchmarks/tables.py; a test holds that
charts and tables are those of the figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import figures
from figures import RESULTS, Values, compared, load, of
from paired import Comparison, Difference
from svg import BLUE, GREEN, GREY, Bar, Group, bars, differences, logarithmic

CHARTS = RESULTS / "charts"


def hundred(values: Values) -> list[float]:
    """Figures in per cent, by seed."""
    return [100 * values[seed] for seed in sorted(values)]


def named(comparisons: Sequence[Comparison], start: str = "") -> list[tuple[str, Difference]]:
    """Label and difference of the comparisons whose title begins so; the beginning is left out."""
    return [(one.title.removeprefix(start), one.difference) for one in comparisons if one.title.startswith(start)]


def mining() -> str:
    rows = {
        "random": ("untrained", GREY),
        "infonce": ("InfoNCE", GREY),
        "coclr-motion": ("mined, 1 stage", GREEN),
        "cpr-motion": ("mined, 4 stages", GREEN),
        "guide motion": ("the guide: motion", BLUE),
    }
    found = [
        Bar(label, hundred(compared("compare-mocap-24", row, "r@1")), colour) for row, (label, colour) in rows.items()
    ]
    return bars(
        "Does mining help?",
        "R@1 in %, Mocap-15, a dot a seed",
        [Group("", found)],
        most=100,
        reference=("chance", 100 / 15),
    )


def hand_signs() -> str:
    rows = {
        "random": ("untrained", GREY),
        "infonce": ("InfoNCE", GREEN),
        "coclr-motion": ("1 stage, by motion", GREY),
        "cpr-motion": ("4 stages, by motion", GREY),
        "coclr-residual": ("1 stage, by residual", GREY),
        "cpr-residual": ("4 stages, by residual", GREY),
        "guide motion": ("guide: motion", BLUE),
        "guide residual": ("guide: residual", BLUE),
    }
    found = [
        Bar(label, hundred(compared("compare-asl-24", row, "r@1")), colour) for row, (label, colour) in rows.items()
    ]
    return bars(
        "Hand-sign letters of another person",
        "R@1 in %, asl_letters24; 2 seeds, by the residual 1",
        [Group("", found)],
        most=40,
        reference=("chance", 100 / 24),
    )


def scene_shortcuts() -> str:
    return differences(
        "Over MoCo, where the scene misleads",
        "points, bias .95, swapped; first edition, 3 seeds",
        [
            (title, [(one.title.split(" − ")[0], one.difference) for one in figures.scenes(figure)])
            for figure, title in (("r@1", "R@1"), ("linear", "linear probe"))
        ],
    )


def scenes_at_rest() -> str:
    colours = {"be": GREEN, "dsm": GREEN, "be-without-frame": BLUE}
    return bars(
        "Where another class' scene misleads",
        "%, camera at rest, bias .95, a dot a seed",
        [
            Group(
                title,
                [
                    Bar(label, hundred(figures.rest_of(row, figure, "swapped")), colours.get(row, GREY))
                    for row, label in figures.REST.items()
                ],
            )
            for figure, title in figures.FIGURES.items()
        ],
        most=80,
        reference=("chance", 100 / 15),
    )


def activity_segmentation() -> str:
    found = figures.segmentation()
    order = named(found, "fixed order: TOT − ")
    sets = [(title.split(":")[0], each) for title, each in named(found) if title.endswith("ASOT − TOT")]
    means = [(title.split(":")[0], each) for title, each in named(found) if title.endswith("ASOT − k-means")]
    groups = [
        ("fixed order, TOT minus …", order),
        ("ASOT minus TOT", sets),
        ("ASOT minus k-means", means),
    ]
    return differences("Steps found without labels", "MOF, points; 3 seeds", groups)


def footage_to_steps() -> str:
    def mof(where: str, row: str, figure: str = "mof") -> list[float]:
        return hundred(of("claims-footage", where, row, "metrics", figure))

    titles = {"mocap-steps": "mocap-steps: 7 steps in one order", "thermal": "thermal: 9 activities in any order"}
    groups = [
        Group(
            title,
            [
                Bar("equal parts", mof(where, "motion", "uniform_mof")),
                Bar("k-means with the time", mof(where, "motion", "kmeans_time_mof")),
                Bar("steps, untrained", mof(where, "motion-untrained")),
                Bar("steps, pretrained", mof(where, "motion"), GREEN),
            ],
        )
        for where, title in titles.items()
    ]
    return bars("From files to steps", "MOF in %, encoder of motion vectors, a dot a seed", groups, most=100)


def segmentation_memory() -> str:
    rows = load("segmentation-memory")["rows"]
    groups = [
        Group(
            f"{row['minutes']} minutes of footage",
            [
                Bar(way, [row[way]["mib"]], colour, f"{row[way]['mib']:.0f} MiB")
                for way, colour in (("online", GREEN), ("offline", GREY))
            ],
        )
        for row in rows
    ]
    return bars("Memory by the length of the footage", "MiB: TOT online, k-means offline", groups)


def re_identification() -> str:
    def mean_ap(row: str, figure: str = "map") -> list[float]:
        return hundred(of("claims-reid", "market-osnet", row, "metrics", "official", figure))

    found = [
        Bar("one frame", mean_ap("frame")),
        Bar("features as they are", mean_ap("mean", "mean_map")),
        Bar("mean over frames", mean_ap("mean")),
        Bar("BiLSTM", mean_ap("lstm")),
        Bar("TRL", mean_ap("trl"), GREEN),
        Bar("TRL, no residual", mean_ap("trl-no-residual"), GREEN),
    ]
    return bars(
        "A head over frozen features", "mAP in %, Market, new people; a dot a draw", [Group("", found)], most=80
    )


def hashing() -> str:
    groups = []
    for direction, title in (("image_to_text", "picture → text"), ("text_to_image", "text → picture")):
        figure = f"unseen_map_{direction}"
        rows = {
            "random@64": ("codes by chance", GREY),
            "ridge-lsh@64": ("LSH of ridge, 64 bits", GREY),
            "dcvh@64": ("DCVH, 64 bits", GREEN),
            "ridge": ("ridge, real-valued", BLUE),
        }
        found = [
            Bar(label, hundred(of("claims-hashing", "fashion", row, "metrics", figure)), colour)
            for row, (label, colour) in rows.items()
        ]
        groups.append(Group(title, found))
    return bars("64 bits against real values", "mAP in %, fashion, items never learnt from", groups, most=100)


def sentence_embeddings() -> str:
    rows = {
        "untrained": ("untrained", GREY),
        "masked-lm": ("masked-LM alone", GREY),
        "simcse": ("SimCSE", GREY),
        "declutr": ("DeCLUTR", GREEN),
    }
    found = [Bar(label, hundred(figures.text(row, "sts_mean")), colour) for row, (label, colour) in rows.items()]
    found.append(Bar("TF-IDF", [100 * figures.tfidf()], BLUE))
    ceiling = load("claims-text-ceiling")["cells"]["ceiling"]["figures"]["sts_mean"]
    found.append(Bar("all-MiniLM-L6-v2", [100 * ceiling], BLUE))
    return bars(
        "Sentence embeddings, from random weights",
        "Spearman × 100, mean of seven STS tasks, a dot a seed",
        [Group("", found)],
        most=100,
    )


def video_qa() -> str:
    def right(features: str, row: str, kind: str, part: str = "test") -> list[float]:
        return hundred(of("mocap-answers", features, row, part, kind))

    kinds = (
        ("while", "`while`: seen as a line is spoken"),
        ("said", "`said`: in the text"),
        ("which", "`which`: seen"),
    )
    groups = []
    for kind, title in kinds:
        found = [
            Bar("text only", right("none", "text only", kind)),
            Bar("sight only", right("truth", "sight only", kind)),
        ]
        found += [
            Bar("both, global", right("truth", "global", kind)),
            Bar("both, local", right("truth", "both", kind), GREEN),
        ]
        if kind == "while":
            found.append(Bar("local, subtitles late", right("truth", "both", kind, "late"), BLUE))
        groups.append(Group(title.replace("`", ""), found))
    return bars(
        "Which question needs what",
        "right in %, Mocap-QA, true motions; a dot a seed",
        groups,
        most=110,
        reference=("chance", 25),
    )


def video_qa_episodes() -> str:
    def right(row: str, figure: str = "accuracy") -> list[float]:
        return hundred(of("video-qa", "pororoqa", row, "metrics", figure))

    networks = [
        Bar("nothing of it", right("none")),
        Bar("the episode", right("whole"), GREEN),
        Bar("the scene", right("stretch"), GREEN),
    ]
    floors = {
        "options_only": "options only",
        "tfidf": "the episode",
        "tfidf_stretch": "the scene",
    }
    words = [Bar(label, right("whole", f"accuracy_{name}"), BLUE) for name, label in floors.items()]
    return bars(
        "Questions about episodes",
        "right in %, PororoQA, one seed",
        [Group("the network, which reads …", networks), Group("counting words that are shared", words)],
        most=60,
        reference=("chance", 20),
    )


def search_speed() -> str:
    rows = load("search")["searching"]
    ways = {
        "torch": "plain torch, all rows",
        "faiss flat": "FAISS flat",
        "faiss hnsw": "FAISS HNSW",
        "kinema exact": "kinema exact",
        "kinema ivf-pq": "kinema IVF-PQ",
    }
    groups = []
    for number in ("100000", "1000000"):
        found = [
            Bar(
                label + missing(rows[number][way]),
                [rows[number][way]["p50_ms"]],
                GREEN if way.startswith("kinema") else GREY,
                f"{three(rows[number][way]['p50_ms'])} ms",
            )
            for way, label in ways.items()
        ]
        groups.append(Group(f"{int(number):,} rows", found))
    return logarithmic(
        "How fast an archive answers", "median ms a query, tenfold steps; recall@10 is 1 but where told", groups
    )


def missing(row: Mapping[str, float]) -> str:
    """Recall@10 where not all is found."""
    return "" if row["recall@10"] > 0.9995 else f", {row['recall@10']:.3f}".replace("0.", ".")


def three(value: float) -> str:
    """Three figures of a time."""
    return (
        f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.{2 if value > 0.1 else 3}f}"
    )


def code_search() -> str:
    rows = load("codes")["searching"]
    ways = {
        "faiss flat": "FAISS flat",
        "kinema numpy": "kinema, numpy",
        "kinema faiss": "kinema, faiss",
        "kinema multi-index": "kinema, multi-index",
        "faiss multi-index": "FAISS multi-index",
        "faiss ivf": "FAISS IVF",
    }
    groups = []
    for number in ("1000000", "10000000"):
        there = {way: label for way, label in ways.items() if way in rows[number]}
        found = [
            Bar(
                label,
                [rows[number][way]["p50_cpu_ms"]],
                GREEN if way == "kinema multi-index" else GREY,
                f"{three(rows[number][way]['p50_cpu_ms'])} ms",
            )
            for way, label in there.items()
        ]
        groups.append(Group(f"{int(number):,} codes", found))
    return logarithmic("A search among codes of 64 bits", "median ms of processor a query (tenfold steps)", groups)


def reading_video() -> str:
    rows = [row for row in load("data-motion")["rows"] if row["processes x threads"] == "2 x 1"]
    ways = {
        "decode": ("libavcodec alone", GREY),
        "export": ("… with vectors", GREY),
        "motion-vector-extractor": ("m.-v.-extractor", GREY),
        "kinema": ("kinema", GREEN),
        "kinema, RGB": ("kinema with RGB", GREEN),
    }
    groups = []
    for size in ("320x240", "1280x720"):
        of_size = {row["way"]: row for row in rows if row["size"] == size}
        found = [
            Bar(label, [of_size[way]["of_decode"] * 100], colour, f"{of_size[way]['frames_per_second']:,.0f} frames/s")
            for way, (label, colour) in ways.items()
        ]
        groups.append(Group(size, found))
    return bars("Reading motion vectors", "in % of plain decoding, two processes", groups, most=100)


def export() -> str:
    rows = load("export")["encoders"]
    found = [
        Bar(name, [row["onnx_is_faster_by"]], GREEN if row["onnx_is_faster_by"] > 1 else GREY, told(row))
        for name, row in rows.items()
    ]
    return bars(
        "ONNX Runtime against eager PyTorch",
        "times as fast on two cores (range of 15 turns)",
        [Group("", found)],
        reference=("as fast", 1),
    )


def told(row: Mapping[str, Sequence[float]]) -> str:
    """The ratio and its range."""
    low, high = row["ratios"]
    return f"{row['onnx_is_faster_by']:.2f} ({low:.2f} to {high:.2f})"


def overview() -> str:
    """What each page compares first, in one picture: the first page's."""

    def one(comparisons: Sequence[Comparison], title: str, label: str) -> tuple[str, Difference]:
        return label, next(each.difference for each in comparisons if each.title == title)

    mined, scenes, learnt = figures.mining(), figures.scenes("r@1"), figures.sentences()
    steps, people, codes = figures.segmentation(), figures.reid(), figures.hashing()
    groups = [
        (
            "learning from video, R@1",
            [
                one(mined, "1 stage (CoCLR) − InfoNCE", "1 stage − InfoNCE"),
                one(mined, "CPR, 4 stages − InfoNCE", "4 stages − InfoNCE"),
                one(mined, "CPR, 4 stages − 1 stage", "4 stages − 1 stage"),
                one(scenes, "CPR − MoCo", "1st edition: CPR − MoCo"),
            ],
        ),
        (
            "sentence embeddings, Spearman",
            [
                one(learnt, "DeCLUTR − masked-LM alone", "DeCLUTR − masked-LM"),
                one(learnt, "DeCLUTR − TF-IDF", "DeCLUTR − TF-IDF"),
            ],
        ),
        (
            "steps of an activity, MOF",
            [
                one(steps, "fixed order: TOT − k-means", "TOT − k-means"),
                one(steps, "fixed order: TOT − k-means with the time", "… with the time"),
                one(steps, "50salads-mid: ASOT − TOT", "ASOT − TOT, 50salads"),
                one(figures.footage(), "mocap-steps: pretrained − untrained", "pretraining, Mocap"),
                one(figures.footage(), "thermal: pretrained − untrained", "pretraining, thermal"),
            ],
        ),
        (
            "people, and codes of 64 bits, mAP",
            [
                one(people, "Market: TRL − mean over frames", "TRL − mean"),
                one(people, "Market: TRL − TRL without the residual", "TRL − no residual"),
                one(codes, "64 bits, unseen, i→t: DCVH − LSH", "DCVH − LSH"),
                one(codes, "64 bits, unseen, i→t: DCVH − ridge, real-valued", "DCVH − ridge"),
            ],
        ),
    ]
    return differences("What is ahead of what", "points of a hundred, 3 seeds each, 95 % intervals", groups)


NAMES: Mapping[str, Callable[[], str]] = {
    "overview": overview,
    "mining": mining,
    "hand-signs": hand_signs,
    "scene-shortcuts": scene_shortcuts,
    "scenes-at-rest": scenes_at_rest,
    "activity-segmentation": activity_segmentation,
    "footage-to-steps": footage_to_steps,
    "segmentation-memory": segmentation_memory,
    "re-identification": re_identification,
    "hashing": hashing,
    "sentence-embeddings": sentence_embeddings,
    "video-qa": video_qa,
    "video-qa-episodes": video_qa_episodes,
    "search-speed": search_speed,
    "code-search": code_search,
    "reading-video": reading_video,
    "export": export,
}


def main() -> None:
    CHARTS.mkdir(exist_ok=True)
    for name, draw in NAMES.items():
        (CHARTS / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()

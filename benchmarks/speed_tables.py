"""Tables of speed and memory for the results' pages, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from figures import load

WAYS = {
    "torch": "plain torch, all rows",
    "faiss flat": "FAISS, flat",
    "faiss hnsw": "FAISS, HNSW",
    "kinema exact": "kinema, exact",
    "kinema ivf-pq": "kinema, IVF-PQ",
    "kinema hnsw": "kinema, HNSW",
}
CODES = {
    "faiss flat": "FAISS flat (`IndexBinaryFlat`)",
    "kinema faiss": "kinema, `faiss` (the usual engine)",
    "kinema numpy": "kinema, `numpy`",
    "kinema multi-index": "**kinema, `multi-index`**",
    "faiss multi-index": "FAISS multi-index (`IndexBinaryMultiHash`, 4 × 16, one bit turned)",
    "faiss ivf": "FAISS IVF (1,000 lists, 10 opened)",
}
STEPS = {
    "supervised": "supervised",
    "moco": "MoCo",
    "simclr": "SimCLR",
    "be": "BE",
    "dsm": "DSM",
    "cmd": "CMD",
    "cpr": "CPR",
    "cpr+be": "CPR on BE",
    "cpr+dsm": "CPR on DSM",
}
MOTION = {
    "decode": "libavcodec alone",
    "export": "the same, vectors exported",
    "kinema": "**kinema**",
    "kinema, RGB": "kinema with RGB",
    "motion-vector-extractor": "motion-vector-extractor",
}
CASCADE = {
    "products alone": "the two products alone",
    "kinema": "**kinema**",
    "top-k and gather": "top-k and gather on the scores",
    "loop over samples": "a loop over the samples",
}


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: the first column at the left, figures at the right."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def time_ms(value: float) -> str:
    """Milliseconds in three figures."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def search() -> str:
    found = load("search")["searching"]

    def told(number: str, way: str) -> list[str]:
        row = found[number].get(way)
        if row is None:
            return ["not measured", "", "", ""]
        built = f"{row['build_seconds']:.1f}" if "build_seconds" in row else ""
        return [time_ms(row["p50_ms"]), time_ms(row["p99_ms"]), f"{row['recall@10']:.3f}", built]

    head = ["", "100,000 rows: p50, ms", "p99, ms", "recall@10", "built in, s"]
    head += ["1,000,000 rows: p50, ms", "p99, ms", "recall@10", "built in, s"]
    return markdown(head, ([name, *told("100000", way), *told("1000000", way)] for way, name in WAYS.items()))


def served() -> str:
    found = load("search")["serving"]["1000000 videos"]
    titles = {
        "torch, all in memory": "plain torch, all rows",
        "memory, without HTTP": "**the server's search**",
        "memory": "the same, over HTTP",
        "memory, a twentieth": "the same, a condition leaves a twentieth",
    }
    keys = ("p50_cpu_ms", "p50_ms", "p99_ms")
    rows = (
        [title, *(time_ms(found[way][key]) for key in keys), f"{found[way]['recall@10']:.3f}"]
        for way, title in titles.items()
    )
    return markdown(["", "p50, ms of processor", "p50, ms", "p99, ms", "recall@10"], rows)


def embedding() -> str:
    found = load("search")["embedding"]["encoders"]
    titles = {
        "slim": "slim, 8 × 64 × 64, 40 videos of 500 frames",
        "r3d18": "R3D-18, 16 × 112 × 112, 4 videos of 500 frames",
    }
    head = ["", "bare encoder", "reading alone", "both", "new table", "added to a table", "share of the bare encoder"]
    keys = ("bare", "reading", "bound", "new table", "embedding")
    return markdown(
        head,
        ([title, *(time_ms(found[k][key]) for key in keys), f"{found[k]['share']:.2f}"] for k, title in titles.items()),
    )


def codes() -> str:
    found = load("codes")["searching"]

    def told(number: str, way: str) -> list[str]:
        row = found[number].get(way)
        if row is None:
            return ["not measured", "", ""]
        return [f"{row['p50_cpu_ms']:.3g}", f"{row['ratio_to_faiss_flat']:.2f}", f"{row['memory_mib']:.3g}"]

    head = ["way", "10⁶ codes: ms", "to FAISS flat", "MiB", "10⁷ codes: ms", "to FAISS flat", "MiB", "recall@10 at 10⁶"]
    rows = (
        [name, *told("1000000", way), *told("10000000", way), f"{found['1000000'][way]['recall@10']:.3f}"]
        for way, name in CODES.items()
    )
    return markdown(head, rows)


def serving() -> str:
    found = load("serving")["serving"]
    titles = {
        "one search at a time": "one search at a time",
        "searches": "200 searches at once",
        "ranges of 64 KiB": "200 ranges of 64 KiB at once",
    }
    return markdown(
        ["asked", "errors", "p50, ms", "p99, ms", "a second"],
        (
            [title, *(time_ms(found[key][name]) if name != "errors" else str(found[key][name]) for name in NAMED)]
            for key, title in titles.items()
        ),
    )


NAMED = ("errors", "p50_ms", "p99_ms", "per_second")


def motion(size: str) -> str:
    """One size of frames; two processes of one thread, and one of one."""
    found: Mapping[Any, Any] = {
        (row["way"], row["processes x threads"]): row for row in load("data-motion")["rows"] if row["size"] == size
    }
    head = [size.replace("x", "×"), "frames/s, 1 process", "of decoding", "of the package"]
    head += ["frames/s, 2 processes", "of decoding", "of the package"]

    def told(way: str, how: str) -> list[str]:
        row = found[way, how]
        return [f"{row['frames_per_second']:,.0f}", f"{row['of_decode']:.2f}", f"{row['of_peer']:.2f}"]

    return markdown(head, ([name, *told(way, "1 x 1"), *told(way, "2 x 1")] for way, name in MOTION.items()))


def clips() -> str:
    found = load("data-clips")["sizes"]
    small, large = found["320x240"]["rows"], found["1280x720"]["rows"]
    head = ["", "320×240: clips/s", "kinema is faster by", "mean difference of 255"]
    head += ["1280×720: clips/s", "kinema is faster by", "mean difference of 255"]

    def told(row: Mapping[str, float], own: bool) -> list[str]:
        beside = ["", ""] if own else [f"{row['kinema_is_faster_by']:.2f}", f"{row['mean_difference']:.1f}"]
        return [f"{row['clips_per_second']:.1f}", *beside]

    return markdown(
        head, ([way, *told(small[way], way == "kinema"), *told(large[way], way == "kinema")] for way in small)
    )


def long_video() -> str:
    found = load("data-long-video")["minutes"]
    return markdown(
        ["length, minutes", "before a video is read, MB", "peak, MB"],
        ([minutes, f"{row['before']:.0f}", f"{row['peak']:.0f}"] for minutes, row in found.items()),
    )


def steps() -> str:
    found = load("steps")["rows"]

    def told(parts: Mapping[str, float]) -> list[str]:
        shares = [parts[name] / parts["step"] for name in ("read", "transform", "disturbances", "method")]
        figures = [f"{100 * share:.1f} %" if share else "" for share in (*shares, 1 - sum(shares))]
        return [f"{1000 * parts['step']:.0f}", *figures]

    head = ["", "step, ms", "reading", "augmentation", "disturbances", "the method's own", "networks"]
    return markdown(head, ([name, *told(found[row])] for row, name in STEPS.items()))


def cascade() -> str:
    rows = {row["way"]: row for row in load("cascade")["rows"]}
    head = ["way", "median, ms", "times the two products", "peak extra memory, MB", "repeats"]
    return markdown(
        head,
        (
            [
                name,
                f"{1000 * rows[way]['seconds_median']:,.1f}",
                f"{rows[way]['ratio_to_products']:.3g}",
                f"{rows[way]['peak_extra_bytes'] / 1e6:.0f}",
                str(rows[way]["repeats"]),
            ]
            for way, name in CASCADE.items()
        ),
    )


def golden() -> str:
    parts = ("all phases", "towers", "resumed", "export")
    return markdown(
        ["method", "phases", "steps", "before", "now", "all"],
        (
            [
                name,
                str(row["phases"]),
                str(row["steps"]),
                f"`{row['before']}`",
                f"`{row['now']}`",
                "equal" if row["before"] == row["now"] and all(row[part] for part in parts) else "NOT EQUAL",
            ]
            for name, row in load("golden")["rows"].items()
        ),
    )


def export() -> str:
    head = ["encoder", "eager, clips/s", "ONNX Runtime, clips/s", "ONNX is faster by (range)", "difference"]

    def speed(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"

    def told(row: Mapping[str, Any]) -> list[str]:
        low, high = row["ratios"]
        ratio = f"{row['onnx_is_faster_by']:.2f} ({low:.2f}–{high:.2f})"
        speeds = [speed(row[f"{way}_clips_per_second"]) for way in ("eager", "onnx")]
        return [*speeds, ratio, f"{row['difference']['relative']:.1e}".replace("e-0", "e-")]

    return markdown(head, ([name, *told(row)] for name, row in load("export")["encoders"].items()))


def segmentation_memory() -> str:
    head = ["minutes at 30 frames a second", "frames", "online: MiB", "seconds", "offline: MiB", "seconds", "memory"]

    def told(row: Mapping[str, Any]) -> list[str]:
        parts = [f"{row[way][name]:.{digits}f}" for way in ("online", "offline") for name, digits in KEPT]
        return [str(row["minutes"]), f"{row['frames']:,}", *parts, f"{row['memory_ratio']:.1f} ×"]

    return markdown(head, (told(row) for row in load("segmentation-memory")["rows"]))


KEPT = (("mib", 0), ("seconds", 1))


def tracklets() -> str:
    rows = load("tracklets")["memory"]
    return markdown(
        ["frames", "MiB", "seconds"], ([f"{r['frames']:,}", f"{r['mib']:.0f}", f"{r['seconds']:.1f}"] for r in rows)
    )


def duplicates() -> str:
    """Copies that were found, by how they were changed."""
    found = [load(f"data-duplicates-{name}")["copies"] for name in ("asl_letters24", "kinema-mocap15")]

    def told(kind: str) -> list[str]:
        return [f"{copies[kind]['found']} of {copies[kind]['copies']}" for copies in found]

    return markdown(["copies found", "letters", "Mocap-15"], ([kind, *told(kind)] for kind in found[0]))

"""What an export costs and gains: ONNX Runtime on the CPU against eager PyTorch, for every encoder.

    python benchmarks/export.py

Both compute features and projections of the same clips with the same number of threads, in turns, so that a noisy
machine disturbs both alike. The weights are random and their norms have settled on noise: the speed does not depend on
what was learnt, and the difference is one of rounding. Needs the extra kinema[onnx]. Writes results/export.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import record
import torch
from rich.console import Console
from rich.table import Table

from kinema.core.clips import VIEWS, ClipSpec
from kinema.data.clips.reader import Model
from kinema.exporting.agreement import Difference, noise
from kinema.exporting.onnx_file import make_onnx, open_onnx
from kinema.exporting.program import Function, clip_shapes
from kinema.networks import EncoderConfig, HeadConfig, Tower

ENCODERS = ("slim", "c3d", "r3d18", "r3d26", "r3d34", "r2plus1d18", "r2plus1d26", "s3d", "i3d")


def model_of(name: str, clip: ClipSpec) -> Model:
    """A network whose norms have seen clips of noise."""
    torch.manual_seed(0)
    tower = Tower("rgb", EncoderConfig(name), HeadConfig())  # type: ignore[arg-type]
    shape = (VIEWS["rgb"], clip.frames, clip.size, clip.size)
    with torch.no_grad():
        for _ in range(3):
            tower.train()(torch.randn(4, *shape))
    return Model(tower, "rgb", clip, name="random")


def measured(name: str, clip: ClipSpec, batch: int, repeats: int) -> dict[str, Any]:
    """Seconds a batch of both, in turns; the first turn warms up."""
    model = model_of(name, clip)
    began = time.perf_counter()
    content, difference = make_onnx(model, "{}")
    exporting = time.perf_counter() - began
    session, eager = open_onnx(content), Function(model)
    x = noise(clip_shapes(model)["clips"], batch)
    given = {"clips": x.numpy()}
    seconds: dict[str, list[float]] = {"eager": [], "onnx": []}
    for turn in range(repeats + 1):
        began = time.perf_counter()
        with torch.inference_mode():
            eager(x)
        between = time.perf_counter()
        session.run(None, given)
        if turn:
            seconds["eager"].append(between - began)
            seconds["onnx"].append(time.perf_counter() - between)
    return told(seconds, difference, batch) | {"export_seconds": exporting, "bytes": len(content)}


def told(seconds: dict[str, list[float]], difference: Difference, batch: int) -> dict[str, Any]:
    """Medians, and the median of what one is faster than the other, turn by turn."""
    ratios = [eager / onnx for eager, onnx in zip(seconds["eager"], seconds["onnx"], strict=True)]
    return {
        "eager_clips_per_second": batch / statistics.median(seconds["eager"]),
        "onnx_clips_per_second": batch / statistics.median(seconds["onnx"]),
        "onnx_is_faster_by": statistics.median(ratios),
        "ratios": [min(ratios), max(ratios)],
        "difference": {"absolute": difference.absolute, "relative": difference.relative},
    }


def main() -> None:
    """Prints the table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=ENCODERS)
    parser.add_argument("--repeats", type=int, default=15, help="turns")
    parser.add_argument("--batch", type=int, default=8, help="clips at a time")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="pixels of a clip's side")
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    clip = ClipSpec(frames=arguments.frames, stride=1, size=arguments.size, short_side=arguments.size)
    found = {name: measured(name, clip, arguments.batch, arguments.repeats) for name in arguments.encoders}
    table = Table("encoder", "eager, clips/s", "ONNX, clips/s", "ONNX is faster by", "largest difference", "relative")
    for name, row in found.items():
        table.add_row(
            name,
            f"{row['eager_clips_per_second']:.1f}",
            f"{row['onnx_clips_per_second']:.1f}",
            f"{row['onnx_is_faster_by']:.2f}",
            f"{row['difference']['absolute']:.1e}",
            f"{row['difference']['relative']:.1e}",
        )
    Console().print(table)
    if not arguments.dry:
        command = f"python benchmarks/export.py --repeats {arguments.repeats} --batch {arguments.batch}"
        command += f" --frames {clip.frames} --size {clip.size} --encoders {' '.join(arguments.encoders)}"
        shape = {"batch": arguments.batch, "frames": clip.frames, "size": clip.size, "turns": arguments.repeats}
        record.write("export", command, packages=("onnx", "onnxruntime", "onnxscript"), **shape, encoders=found)


if __name__ == "__main__":
    main()

"""How long it takes to draw 1,500 recordings of Mocap-15 as H.264.

    python benchmarks/mocap_build.py

Writes benchmarks/results/mocap_build.json.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import record

from kinema.data.mocap import MocapConfig, write_mocap


def main() -> None:
    """Draws into a temporary folder, prints and writes the time."""
    with tempfile.TemporaryDirectory() as folder:
        summary = write_mocap(Path(folder) / "set", MocapConfig(clips_per_class=100, test_per_class=0), workers=2)
    print(f"{summary.videos} videos in {summary.seconds:.1f} s")
    record.write(
        "mocap_build",
        "python benchmarks/mocap_build.py",
        workers=2,
        videos=summary.videos,
        seconds=round(summary.seconds, 1),
        digest=summary.digest,
    )


if __name__ == "__main__":
    main()

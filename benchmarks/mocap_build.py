"""How long it takes to draw 1,500 recordings of Mocap-15 as H.264.

    python benchmarks/mocap_build.py

Writes benchmarks/results/mocap_build.json.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from kinema.data.mocap import MocapConfig, write_mocap
from kinema.training.run_folder import source_version

RESULTS = Path(__file__).parent / "results" / "mocap_build.json"


def main() -> None:
    """Draws into a temporary folder, prints and writes the time."""
    with tempfile.TemporaryDirectory() as folder:
        summary = write_mocap(Path(folder) / "set", MocapConfig(clips_per_class=100, test_per_class=0), workers=2)
    result = {
        "command": "python benchmarks/mocap_build.py",
        "commit": source_version(),
        "cores": os.cpu_count(),
        "workers": 2,
        "videos": summary.videos,
        "seconds": round(summary.seconds, 1),
        "digest": summary.digest,
    }
    print(json.dumps(result))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Labels of frames for the overhead videos of ``fir_rgb_thermal_activity``: NAME.txt, a label a line, and mapping.txt.

    python benchmarks/data/thermal.py OUT --data DATA

Their activities are written for the rows of a thermal recording made beside the video, some 7.8 a second, and not for
its frames. So a file has a line a row of that recording: of 7 videos it is known how many it has, of the others it is
the duration at the mean rate of those 7. What no activity covers is 'none'. ``kinema segment --labels`` takes such
files and scales them by time. The two recordings may begin a few seconds apart, which no figure here can undo.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
from pathlib import Path

from kinema.data import scan

NONE = "none"
FOLDER = "fir_rgb_thermal_activity"
VIDEOS = "video_160x120_8fps"


def read_labels(data: Path) -> dict[str, list[str]]:
    """The labels of each video by its name, a label a row of the thermal recording."""
    folder = data / FOLDER
    durations = {Path(video.path).stem: video.duration for video in scan(folder / VIDEOS).videos}
    rows = {file.name.removesuffix(".csv.gz"): _rows(file) for file in (folder / "thermal_csv").glob("*.csv.gz")}
    rate = sum(rows.values()) / sum(durations[name] for name in rows)
    found = {}
    with (folder / "labels_thermal_frame_index.csv").open(newline="") as file:
        for name, *rest in csv.reader(file):
            stem = name.strip().removesuffix(".csv")
            if stem not in durations:
                continue
            labels = [NONE] * rows.get(stem, round(durations[stem] * rate))
            cells = [cell.strip() for cell in rest if cell.strip()]
            for start, end, label in zip(cells[::3], cells[1::3], cells[2::3], strict=True):
                last = min(int(end), len(labels))
                labels[int(start) : last] = [label] * max(0, last - int(start))
            found[stem] = labels
    return found


def write(data: Path, out: Path) -> None:
    """Writes OUT/groundTruth/NAME.txt and OUT/mapping.txt."""
    labels = read_labels(data)
    (out / "groundTruth").mkdir(parents=True, exist_ok=True)
    for name, lines in labels.items():
        (out / "groundTruth" / f"{name}.txt").write_text("".join(f"{label}\n" for label in lines))
    classes = [NONE, *sorted({label for lines in labels.values() for label in lines} - {NONE})]
    (out / "mapping.txt").write_text("".join(f"{number} {name}\n" for number, name in enumerate(classes)))


def _rows(file: Path) -> int:
    with gzip.open(file, "rt") as lines:
        return sum(1 for _ in lines) - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    arguments = parser.parse_args()
    write(arguments.data, arguments.out)


if __name__ == "__main__":
    main()

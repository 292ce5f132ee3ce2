"""Pairs of pictures and texts with labels, from published sets, as ``pairs.csv``.

    python benchmarks/data/hashing_sets.py SET OUT --data DATA

    fashion            2,000 product photographs as CLIP's vectors (ViT-B/32), and their titles; labels: the kind of
                       product and its colour, those that 40 products or more have; 500 queries, 1,500 learnt from,
                       drawn by seed 0
    fashion-photos     the same, the photographs themselves (60 x 80 pixels)
    exercises          two photographs of each of 873 exercises (192 pixels), and how it is done; labels: the muscles
                       that it is mainly for and its equipment; a quarter of the exercises are queries
    exercises-named    the same; texts begin with the exercise's name

DATA is the folder that holds ``dcvh`` and ``exercise_imgtext`` (or the environment variable KINEMA_DATA names it).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

LEAST = 40
"""Products that have a label, at least."""

QUERIES = 500


def write_fashion(data: Path, out: Path, *, photos: bool) -> int:
    """Writes the products; gives how many pairs there are.

    Args:
        data: holds ``dcvh/fashion2000``.
        out: the folder to write.
        photos: the pictures themselves, in place of CLIP's vectors.
    """
    folder = data / "dcvh" / "fashion2000"
    order = (folder / "image_ids.txt").read_text().split()
    with (folder / "styles.csv").open(newline="", encoding="utf-8") as file:
        about = {row["id"]: row for row in csv.DictReader(file)}
    products = [about[Path(each).stem] for each in order]
    counts = Counter(row[column] for row in products for column in ("subCategory", "baseColour"))
    test = set(np.random.RandomState(0).permutation(len(products))[:QUERIES].tolist())
    out.mkdir(parents=True)
    if photos:
        shutil.copytree(folder / "images", out / "images", copy_function=shutil.copyfile)
        os.chmod(out / "images", 0o755)
    else:
        shutil.copyfile(folder / "clip_vitb32_embeddings.npy", out / "clip.npy")
    rows = []
    for number, row in enumerate(products):
        labels = [row[column] for column in ("subCategory", "baseColour") if counts[row[column]] >= LEAST]
        picture = f"images/{row['id']}.jpg" if photos else f"clip.npy[{number}]"
        split = "test" if number in test else "train"
        rows.append(
            {"name": row["id"], "image": picture, "text": row["productDisplayName"], "labels": labels, "split": split}
        )
    return _write(out, rows)


def write_exercises(data: Path, out: Path, *, named: bool) -> int:
    """Writes the exercises, a pair a photograph; gives how many there are.

    Args:
        data: holds ``exercise_imgtext``.
        out: the folder to write.
        named: texts begin with the exercise's name.
    """
    folder = data / "exercise_imgtext"
    exercises = json.loads((folder / "exercises.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True)
    with tarfile.open(folder / "images_192px.tar") as pack:
        pack.extractall(out / "images", filter="data")
    chosen = set(np.random.RandomState(0).permutation(len(exercises))[: len(exercises) // 4].tolist())
    rows: list[dict[str, object]] = []
    for number, each in enumerate(exercises):
        labels = [*each["primaryMuscles"], *([each["equipment"]] if each["equipment"] else [])]
        text = " ".join([*([each["name"] + "."] if named else []), *each["instructions"]])
        rows.extend(
            {
                "name": Path(picture).with_suffix("").as_posix(),
                "image": f"images/{picture}",
                "text": text,
                "labels": labels,
                "split": "test" if number in chosen else "train",
                "source": each["id"],
            }
            for picture in each["images"]
            if (out / "images" / picture).exists() and text
        )
    return _write(out, rows)


def _write(out: Path, rows: Iterable[Mapping[str, object]]) -> int:
    listed = [{**row, "labels": ";".join(row["labels"])} for row in rows]  # type: ignore[arg-type]
    with (out / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(listed[0]))
        table.writeheader()
        table.writerows(listed)
    return len(listed)


WRITERS = {
    "fashion": lambda data, out: write_fashion(data, out, photos=False),
    "fashion-photos": lambda data, out: write_fashion(data, out, photos=True),
    "exercises": lambda data, out: write_exercises(data, out, named=False),
    "exercises-named": lambda data, out: write_exercises(data, out, named=True),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=WRITERS)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    arguments = parser.parse_args()
    print(f"{WRITERS[arguments.set](arguments.data, arguments.out)} pairs")

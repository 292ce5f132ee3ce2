"""A whole archive of real footage, learnt from in part, embedded whole, and searched from one person to another.

    python benchmarks/archive.py FOLDER OUT

FOLDER holds asl_letters24 (letters of a hand alphabet, shown by jack and by tom) among whatever other videos. Two
encoders are compared: one before training, and one that CPR (preset small) taught on jack's letters, without labels.
Each embeds every video below FOLDER that can be read. Then every letter of tom's is a query:

    across    among jack's letters: whether one of the five videos found shows the same letter (R@5; R@1 beside it)
    archive   among everything: the share of the five nearest videos, other than the query, that are hand letters at all

The run and the tables stay in OUT; a command that was stopped goes on there. Writes results/archive.json.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import record
from rich.console import Console
from sets import clips_of

from kinema import api
from kinema.api import searching
from kinema.core.progress import Steps
from kinema.data.clips.reader import Model
from kinema.recipes.table import preset

console = Console(stderr=True)
LETTERS, PEOPLE = "asl_letters24", ("jack", "tom")
NEAREST = 5


def taught(folder: Path, out: Path, epochs: int) -> Path:
    """The run that learns from jack's letters."""
    run = out / "cpr"
    plan = replace(preset("small", "cpr"), epochs=epochs)
    recipe = plan.with_data(clips_per_video=2, clip=replace(clips_of(plan).clip, stride=2)).recipe()
    letters = api.scan(folder / LETTERS, out=out / "letters.parquet").select({"person": PEOPLE[0]})
    resume = (run / "recipe.json").exists()
    api.pretrain(
        recipe.name if resume else recipe,
        letters,
        run,
        resume=resume,
        cache=out / "cache",
        device="cpu",
        console=console,
    )
    return run


def letter(video: str) -> str:
    """What a video of the alphabet shows: its folder's name."""
    return Path(video).parent.name


def judged(model: Model, folder: Path, table: Path) -> dict[str, float]:
    """R@1 and R@5 from tom to jack, and how much of what is nearest in the whole archive is of the alphabet."""
    queries = sorted((folder / LETTERS).glob(f"*/{PEOPLE[1]}_*"))
    right: Counter[str] = Counter()
    gallery = f"video LIKE '{LETTERS}/%/{PEOPLE[0]}\\_%'"
    with Steps("searching", console) as told:
        for done, query in enumerate(queries, 1):
            settings: dict[str, Any] = {"table": table, "k": NEAREST, "over": "videos", "others": True}
            found = [letter(hit.video) for hit in searching.search(model, query, where=gallery, **settings).hits]
            right["r@1"] += letter(str(query)) == found[0]
            right["r@5"] += letter(str(query)) in found
            near = searching.search(model, query, **settings).hits
            right["letters"] += sum(hit.video.startswith(f"{LETTERS}/") for hit in near)
            told(done, len(queries))
    share = {name: right[name] / len(queries) for name in ("r@1", "r@5")}
    return share | {"archive": right["letters"] / (NEAREST * len(queries)), "queries": len(queries)}


def chance(folder: Path) -> dict[str, float]:
    """R@1 and R@5 of somebody who names five of jack's videos blindly."""
    own = Counter(file.parent.name for file in (folder / LETTERS).glob(f"*/{PEOPLE[0]}_*"))
    asked = Counter(file.parent.name for file in (folder / LETTERS).glob(f"*/{PEOPLE[1]}_*"))
    everything, missed = sum(own.values()), 0.0
    for name, count in asked.items():
        none = 1.0
        for drawn in range(NEAREST):
            none *= (everything - own[name] - drawn) / (everything - drawn)
        missed += count * none
    first = sum(count * own[name] for name, count in asked.items()) / everything
    return {"r@1": first / sum(asked.values()), "r@5": 1 - missed / sum(asked.values())}


def main() -> None:
    """Prints what was found and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=32)
    asked = parser.parse_args()
    if not (asked.folder / LETTERS).is_dir():
        sys.exit(f"'{asked.folder}' holds no folder {LETTERS}.")
    run = taught(asked.folder, asked.out, asked.epochs)
    found: dict[str, Any] = {"chance": chance(asked.folder)}
    for name in ("random", "cpr"):
        model, table = api.load(run, untrained=name == "random"), asked.out / f"table-{name}"
        done = searching.embed(model, asked.folder, out=table, console=console)
        told = {key: value for key, value in asdict(done).items() if key in ("videos", "windows", "seconds")}
        failed = Counter(reason for reason in done.failed.values())
        found[name] = judged(model, asked.folder, table) | told | {"failed": dict(failed)}
        console.print(name, found[name], highlight=False)
    record.write("archive", f"python benchmarks/archive.py FOLDER OUT --epochs {asked.epochs}", **found)


if __name__ == "__main__":
    main()

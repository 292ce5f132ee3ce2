"""What answers questions about videos: which input, which part of video QA, and how far above the floors?

    python benchmarks/video_qa.py OUT --data DATA

Two sets, five folds of their episodes or videos, of which seed s leaves out fold s. Neither has pictures: where frames
are shown, a frame a second is what the descriptions of that second come to by LSA (64 components of TF-IDF, fitted to
all descriptions and to no question), so that a line and the frames it is spoken over belong together.

    pororoqa    8,807 questions about 166 episodes; lines are descriptions of scenes, the scene's number their time
    nextqa      4,993 questions of NExT-QA's validation part about 570 videos; lines are captions, one a second

DATA is the folder that holds ``video-qa`` and ``videoqa``; sets are written to OUT/sets. All rows are the preset
``small`` (2 layers of width 64, from nothing) on the lines nearest to question and options, 96 tokens or 128, without
frames, without the pretraining and with λ .5 and τ .1, but for what their name says:

    none, whole, stretch     what of the clip is read: nothing, all of it, the scene that answers (pororoqa)
    frames                   the frames in place of the lines
    local, global            lines and frames; a line sees the frames it is spoken over, or all
    labels S                 the share S of the training's answers
    labels S, questions      the same after the pretraining by the relevant question on all of the training
    no contrast              λ 0
    λ L, τ T                 other weights and temperatures of the contrast (pororoqa)
    text nothing, declutr    with the tokenizer of a DeCLUTR run on the lines of the training: its network from nothing,
                             or as the run left it

Epochs are --epochs with all labels, more with fewer (``EPOCHS_OF``), and --pretrain-epochs before them; nothing is
chosen by what is measured. Floors of the same questions stand in every cell. ``--minutes`` stops between two cells; a
command that was stopped goes on where it was. results/video-qa.json. One thread: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

sys.path.append(str(Path(__file__).parent / "claims"))

import record
from answer_floors import nextqa
from table import spread

from kinema import api
from kinema.core.files import write_json
from kinema.data.questions.reading import read_questions
from kinema.data.questions.table import Questions
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

console = Console(stderr=True)
NAME = "video-qa"
SETS = ("pororoqa", "nextqa")
FOLDS, COMPONENTS = 5, 64
LENGTHS = {"pororoqa": 96, "nextqa": 128}
"""Tokens of an input: about six descriptions, or one or two captions."""

EPOCHS_OF = {1.0: 1.0, 0.1: 4.0, 0.01: 8.0}
"""Times the epochs, by the share of labels: fewer questions make shorter epochs."""

SHARES = (1.0, 0.1, 0.01)
SWEEP = tuple((weight, temperature) for weight in (0.1, 0.5, 1.0) for temperature in (0.05, 0.1, 0.5, 1.0))
BASE: Mapping[str, Any] = {"pretrain_epochs": 0, "contrast": 0.5, "temperature": 0.1}
BASE_DATA: Mapping[str, Any] = {
    "folds": FOLDS,
    "choose": "nearest",
    "frames": False,
    "frame_limit": 192,
}
QUESTIONS = ", questions"


def share_name(share: float) -> str:
    """'labels .1'."""
    return f"labels {share:g}".replace(" 0.", " .")


METHODS: Mapping[str, Mapping[str, Any]] = {
    "local": {"alignment": "local", "window": 0.0},
    "global": {"alignment": "global"},
    "no contrast": {"contrast": 0.0},
    **{
        f"λ {weight:g}, τ {temperature:g}".replace(" 0.", " ."): {"contrast": weight, "temperature": temperature}
        for weight, temperature in SWEEP
        if (weight, temperature) != (BASE["contrast"], BASE["temperature"])
    },
}
"""Settings of the method, by row."""

DATA: Mapping[str, Mapping[str, Any]] = {
    "none": {"context": "none"},
    "stretch": {"context": "stretch"},
    "frames": {"frames": True, "subtitles": False},
    "local": {"frames": True},
    "global": {"frames": True},
    **{share_name(share): {"labelled": share} for share in SHARES},
    **{share_name(share) + QUESTIONS: {"labelled": share} for share in SHARES},
}
"""Settings of the data, by row."""

TEXT = ("text nothing", "text declutr")
ROWS = (
    *("none", "whole", "stretch", "frames", "local", "global", "no contrast"),
    *(share_name(share) + after for share in SHARES for after in ("", QUESTIONS) if share < 1 or after),
    *TEXT,
    *(name for name in METHODS if name.startswith("λ")),
)
ALONE = ("stretch", *(name for name in METHODS if name.startswith("λ")))
"""Rows of the first set alone."""

FLOORS = ("options_only", "question_only", "longest_option", "tfidf", "tfidf_stretch")


def data_of(arguments: argparse.Namespace, where: str) -> Path:
    """A folder of questions with their lines and the frames that are made of them, written once."""
    out: Path = arguments.out / "sets" / where
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            place = f"pororoqa:{arguments.data / 'video-qa' / 'pororoqa'}"
            if where == "nextqa":
                (source := Path(folder) / "source").mkdir()
                place = nextqa(arguments.data, source)
            write(read_questions(place, held_out=0.0), made := Path(folder) / where)
            made.rename(out)
    return out


def write(table: Questions, out: Path) -> None:
    """Writes a set as questions.jsonl, its lines as subtitles and their LSA as frames."""
    for name in ("subtitles", "features"):
        (out / name).mkdir(parents=True)
    keys = ("id", "video", "question", "answer", "type", "group")
    with (out / "questions.jsonl").open("w", encoding="utf-8") as file:
        for row in table.rows:
            span = {"start": row.start, "end": row.end} if row.timed else {}
            record_ = {key: getattr(row, key) for key in keys} | {"options": list(row.options)} | span
            file.write(json.dumps(record_, ensure_ascii=False) + "\n")
    seen: dict[str, dict[int, str]] = {}
    for video in table.videos:
        lines = table.lines(video)
        told = [{"start": line.start, "end": line.end, "text": line.text} for line in lines]
        text = json.dumps(told, ensure_ascii=False)
        (out / "subtitles" / f"{video}.json").write_text(text, encoding="utf-8")
        of_second: dict[int, str] = defaultdict(str)
        for line in lines:
            of_second[int(line.start)] += f" {line.text}"
        seen[video] = of_second
    lsa = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, stop_words="english"), TruncatedSVD(COMPONENTS, random_state=0)
    )
    lsa.fit([text for each in seen.values() for text in each.values()])
    for video, each in seen.items():
        frames = np.zeros((max(each, default=0) + 1, COMPONENTS), np.float32)
        if each:
            frames[list(each)] = lsa.transform(list(each.values()))
        np.save(out / "features" / f"{video}.npy", frames)
    write_json(out / "features" / "features.json", {"frames_a_second": 1})


def text_run(arguments: argparse.Namespace, where: str, seed: int) -> Path:
    """A DeCLUTR run on the lines of the videos that are learnt from, trained once a set and seed."""
    run: Path = arguments.out / "text" / f"{where}-seed{seed}"
    if run.exists():
        return run
    table = read_questions(data_of(arguments, where), folds=FOLDS, fold=seed)
    learnt = sorted({row.video for row in table.rows if row.split == "train"})
    documents = run.with_name(f"{run.name}-documents")
    shutil.rmtree(documents, ignore_errors=True)
    documents.mkdir(parents=True)
    for video in learnt:
        text = " ".join(line.text for line in table.lines(video))
        (documents / f"{video}.txt").write_text(text, encoding="utf-8")
    made = preset("small", "declutr")
    small: Any = preset("small", "video-qa").encoder
    encoder: Any = replace(made.encoder, width=small.text.width)
    part = run.with_name(f"{run.name}-part")
    shutil.rmtree(part, ignore_errors=True)
    api.pretrain(
        replace(made, encoder=encoder, seed=seed, epochs=arguments.text_epochs), documents, part, logger="none"
    )
    part.rename(run)
    return run


def plan(arguments: argparse.Namespace, where: str, seed: int, row: str) -> Plan:
    """The plan of a row: the preset ``small`` with what the row's name says."""
    made = preset("small", "video-qa")
    method: dict[str, Any] = {**BASE, **METHODS.get(row, {})}
    if row.endswith(QUESTIONS):
        method["pretrain_epochs"] = arguments.pretrain_epochs
    data: dict[str, Any] = {**BASE_DATA, **DATA.get(row, {}), "max_length": LENGTHS[where], "fold": seed}
    weights = ""
    if row in TEXT:
        run = text_run(arguments, where, seed)
        weights, data["tokenizer"] = (f"text={run}", "") if row == "text declutr" else ("", str(run))
    epochs = round(arguments.epochs * EPOCHS_OF[data.get("labelled", 1.0)])
    config: Any = replace(made.method, **method)  # type: ignore[type-var]
    return replace(made, method=config, seed=seed, epochs=epochs, weights=weights).with_data(**data)


def measured(arguments: argparse.Namespace, where: str, seed: int, row: str) -> dict[str, Any]:
    """The figures of a cell."""
    data = data_of(arguments, where)
    run = arguments.out / "runs" / f"{where}-seed{seed}-{row}".replace(" ", "").replace(",", "-")
    shutil.rmtree(run, ignore_errors=True)
    made = plan(arguments, where, seed, row)
    done = api.pretrain(made, data, run, logger="none", console=console if arguments.progress else None)
    result = api.evaluate("answers", run, data)[0]
    shutil.rmtree(run)
    details = {key: result.details[key] for key in ("interval", "per_type", "groups", "tied")}
    return {
        "metrics": dict(result.metrics),
        "details": details,
        "questions": result.queries,
        "epochs": made.epochs,
        "pretrain_epochs": getattr(made.method, "pretrain_epochs", 0),
        "seconds": done.seconds,
    }


def wanted(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and row of every cell: a seed of both sets at a time, the sweep last."""
    for swept in (False, True):
        for seed in arguments.seeds:
            for where in arguments.sets:
                for row in ROWS:
                    there = where == SETS[0] or row not in ALONE
                    if there and row in arguments.rows and row.startswith("λ") == swept:
                        yield where, seed, row


def lines(cells: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown; of every row mean and deviation over the seeds, and of a set its floors."""
    yield "| set | row | accuracy | looked where it is told | seeds |"
    yield "|---|---|---:|---:|---:|"
    for where in SETS:
        of_set = {key.split(" ", 2)[2]: None for key in cells if key.startswith(f"{where} ")}
        first = [
            cell["metrics"] for key, cell in cells.items() if key.startswith(f"{where} ") and key.endswith(" whole")
        ]
        for name in FLOORS if first else ():
            values = [each[f"accuracy_{name}"] for each in first if f"accuracy_{name}" in each]
            if values:
                yield f"| {where} | *floor: {name.replace('_', ' ')}* | {spread(values)} | | {len(values)} |"
        for row in sorted(of_set, key=ROWS.index):
            found = [
                cell["metrics"]
                for key, cell in cells.items()
                if key.startswith(f"{where} ") and key.split(" ", 2)[2] == row
            ]
            place = [each["temporal_miou"] for each in found if "temporal_miou" in each]
            yield (
                f"| {where} | {row} | {spread([each['accuracy'] for each in found])} | "
                f"{spread(place) if place else ''} | {len(found)} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], choices=range(FOLDS))
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--pretrain-epochs", type=int, default=2)
    parser.add_argument("--text-epochs", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--progress", action="store_true", help="shows the progress of each training")
    arguments = parser.parse_args()
    cells = record.filled(
        NAME,
        "python benchmarks/video_qa.py OUT --data DATA",
        wanted(arguments),
        lambda where, seed, row: measured(arguments, where, seed, row),
        minutes=arguments.minutes,
        tell=lambda key, cell: console.print(key, round(cell["metrics"]["accuracy"], 3), f"{cell['seconds']:.0f} s"),
    )
    print("\n".join(lines(cells)))


if __name__ == "__main__":
    main()

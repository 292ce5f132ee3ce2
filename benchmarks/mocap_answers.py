"""Which question about a video needs what: Mocap-QA by the type of question, by what is shown, and with late subtitles.

    python benchmarks/mocap_answers.py OUT

The set of seed s is Mocap-QA of seed s as `kinema dataset mocap-qa` writes it, and its network is trained by seed s;
people of the test are on no other side. Frames, four a second, are

    none     left out
    truth    what no encoder has: the motion of each moment, one of ten, as a one, with noise (deviation .3) on all ten;
             so that sight itself is no question
    moco     what a run of MoCo sees of the videos by `kinema features`: trained on those of the training people for
             --encoder-epochs epochs, without a label

Rows are the preset ``small`` with --epochs epochs and without the pretraining, but for what their name says:

    options, question + option    what words alone give away: logistic regression on the words of an option, and on
                                  each word of the question with the option, learnt on the training's questions
    text only                     without frames
    both                          frames and subtitles: a line sees the frames it is spoken over
    global                        the same, but that a line sees all frames
    sight only                    without subtitles
    questions                     both, after --pretrain-epochs epochs of the pretraining by the relevant question
    no localization               both, without the supervision of where to look

The test's questions are answered once more with all subtitles two seconds late, about one motion: 'late'. --epochs was
chosen by the part 'val' of seed 0 with the features truth; of the test nothing was chosen. Questions of the part 'val'
stand in every cell. ``--minutes`` stops between two cells; a command that was stopped goes on where it was.
results/mocap-answers.json. One thread: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

sys.path.append(str(Path(__file__).parent / "claims"))
sys.path.append(str(Path(__file__).parent / "data"))

import record
from mocap_qa import RATE, SHIFT, crossed, learnt, right
from table import spread

import kinema
from kinema import api
from kinema.core.files import write_json, write_text
from kinema.core.seeds import seed_at
from kinema.data.mocap.qa import TYPES, MocapQAConfig, write_mocap_qa
from kinema.data.mocap.qa.plan import plan_films
from kinema.data.mocap.qa.questions import questions_of
from kinema.data.mocap.qa.writer import subtitles_of
from kinema.data.mocap.steps.config import STEPS
from kinema.evaluation.answers import hits
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

console = Console(stderr=True)
NAME = "mocap-answers"
NOISE = 0.3
FEATURES = ("none", "truth", "moco")
FLOORS = ("options", "question + option")
METHODS: Mapping[str, Mapping[str, Any]] = {
    "global": {"alignment": "global"},
    "no localization": {"localization": 0.0},
}
"""Settings of the method, by row."""

DATA: Mapping[str, Mapping[str, Any]] = {"text only": {"frames": False}, "sight only": {"subtitles": False}}
"""Settings of the data, by row."""

MAIN, FURTHER = ("both", "global", "sight only"), ("questions", "no localization")
ROWS = (*FLOORS, "text only", *MAIN, *FURTHER)
BLIND = ROWS[:3]
"""Rows without frames."""

LATE = {"both", "global", "text only"}
"""Rows that are asked with late subtitles too."""


def folder_of(arguments: argparse.Namespace, features: str, seed: int) -> Path:
    """A folder of questions and subtitles, the same that the set has, with one kind of features beside them."""
    out: Path = arguments.out / "sets" / f"{features}-seed{seed}"
    config = MocapQAConfig(seed=seed)
    films = plan_films(config)
    if not out.exists():
        part = out.with_name(f"{out.name}-part")
        shutil.rmtree(part, ignore_errors=True)
        questions = [question for film in films for question in questions_of(film, seed)]
        write_text(part / "questions.jsonl", "".join(f"{json.dumps(row)}\n" for row in questions))
        for film in films:
            write_text(part / "subtitles" / f"{film.name}.srt", subtitles_of(film.lines))
        if features == "truth":
            (part / "features").mkdir()
            names = STEPS[: config.motions]
            for film in films:
                times = (np.arange(int(RATE * film.frames / film.fps)) + 0.5) / RATE
                ends = np.array([segment.stop for segment in film.segments]) / film.fps
                motions = [names.index(film.segments[row].label) for row in np.searchsorted(ends, times, "right")]
                noise = np.random.default_rng(seed_at(seed, "truth", film.name)).normal(size=(len(times), len(names)))
                seen = np.eye(len(names))[motions] + NOISE * noise
                np.save(part / "features" / f"{film.name}.npy", seen.astype(np.float32))
            write_json(part / "features" / "features.json", {"frames_a_second": RATE})
        part.rename(out)
    if features == "moco" and len(list((out / "features").glob("*.npy"))) < len(films):
        drawn = arguments.out / "drawn" / f"seed{seed}"
        write_mocap_qa(drawn, config, workers=1)
        run = encoder(arguments, drawn, seed)
        kinema.features(run, drawn, out=out / "features", rate=RATE, console=shown(arguments))
    return out


def encoder(arguments: argparse.Namespace, drawn: Path, seed: int) -> Path:
    """A run of MoCo on the videos of the training people, trained once a seed."""
    run: Path = arguments.out / "moco" / f"seed{seed}"
    if not run.exists():
        part = run.with_name(f"{run.name}-part")
        shutil.rmtree(part, ignore_errors=True)
        settings: dict[str, Any] = {"epochs": arguments.encoder_epochs, "temporal": 0.0, "clips_per_video": 8}
        where = {"split": "train"}
        api.pretrain(
            "moco", drawn, part, logger="none", where=where, seed=seed, console=shown(arguments), workers=1, **settings
        )
        part.rename(run)
    return run


def shown(arguments: argparse.Namespace) -> Console | None:
    """Where progress is shown."""
    return console if arguments.progress else None


def plan(arguments: argparse.Namespace, seed: int, row: str) -> Plan:
    """The plan of a row: the preset ``small`` with what the row's name says."""
    made = preset("small", "video-qa")
    first = arguments.pretrain_epochs if row == "questions" else 0
    config: Any = replace(made.method, pretrain_epochs=first, **METHODS.get(row, {}))  # type: ignore[type-var]
    return replace(made, method=config, seed=seed, epochs=arguments.epochs).with_data(**DATA.get(row, {}))


def floor(seed: int, row: str) -> dict[str, float]:
    """What words alone find in the test's questions, by type."""
    config = MocapQAConfig(seed=seed)
    questions = [question for film in plan_films(config) for question in questions_of(film, seed)]
    words = crossed if row == FLOORS[1] else lambda _, option: [*option.split(), option]
    scores = learnt(questions, words)
    test = [number for number, question in enumerate(questions) if question["split"] == "test"]
    found = right(scores[test], [questions[number] for number in test])
    return found | {"all": float(np.mean([found[kind] for kind in TYPES]))}


def answered(model: Any, data: Path, part: str, shift: float = 0.0) -> dict[str, float]:
    """How often a model is right in the questions of a part, by type and in all."""
    table = model.open(data).select({"split": part})
    shares = model.answers(table, shift=shift).shares
    found = hits(shares, np.array([row.answer for row in table.rows]))
    of_type = {kind: float(found[[row.type == kind for row in table.rows]].mean()) for kind in TYPES}
    return of_type | {"all": float(found.mean())}


def measured(arguments: argparse.Namespace, features: str, seed: int, row: str) -> dict[str, Any]:
    """The figures of a cell."""
    if row in FLOORS:
        return {"test": floor(seed, row)}
    data = folder_of(arguments, features, seed)
    run = arguments.out / "runs" / f"{features}-seed{seed}-{row}".replace(" ", "-")
    shutil.rmtree(run, ignore_errors=True)
    made = plan(arguments, seed, row)
    done = api.pretrain(made, data, run, logger="none", console=shown(arguments))
    model = api.load(run)
    result = api.evaluate("answers", run, data)[0]
    cell = {
        "test": {kind: result.metrics[f"accuracy_{kind}"] for kind in TYPES} | {"all": result.metrics["accuracy"]},
        "val": answered(model, data, "val"),
        "metrics": dict(result.metrics),
        "interval": result.details["interval"],
        "epochs": made.epochs,
        "pretrain_epochs": getattr(made.method, "pretrain_epochs", 0),
        "seconds": done.seconds,
    }
    if features == "moco":
        cell["encoder_epochs"] = arguments.encoder_epochs
    if row in LATE:
        cell["late"] = answered(model, data, "test", SHIFT)
    shutil.rmtree(run)
    return cell


def wanted(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Features, seed and row of every cell: all seeds of the main rows first."""
    for rows in ((*BLIND, *MAIN), FURTHER):
        for features in arguments.features:
            for seed in arguments.seeds:
                for row in rows:
                    if row in arguments.rows and (features == "none") == (row in BLIND):
                        yield features, seed, row


def lines(cells: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown; mean and deviation over the seeds."""
    yield f"| features | row | {' | '.join(TYPES)} | all | looked where it is told | seeds |"
    yield f"|---|---|{'---:|' * (len(TYPES) + 3)}"
    for features in FEATURES:
        for row in ROWS:
            found = [cell for key, cell in cells.items() if _is(key, features, row)]
            for name, part in ((row, "test"), (f"{row}, subtitles late", "late")):
                each = [cell[part] for cell in found if part in cell]
                if not each:
                    continue
                place = [cell["metrics"]["temporal_miou"] for cell in found if part == "test" and "metrics" in cell]
                told = f"*floor: {name}*" if row in FLOORS else name
                figures = " | ".join(spread([one[kind] for one in each]) for kind in (*TYPES, "all"))
                yield f"| {features} | {told} | {figures} | {spread(place)} | {len(each)} |"


def _is(key: str, features: str, row: str) -> bool:
    of, _, name = key.split(" ", 2)
    return (of, name) == (features, row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--features", nargs="+", default=FEATURES, choices=FEATURES)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--pretrain-epochs", type=int, default=2)
    parser.add_argument("--encoder-epochs", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--progress", action="store_true", help="shows the progress of each training")
    arguments = parser.parse_args()
    cells = record.filled(
        NAME,
        "python benchmarks/mocap_answers.py OUT",
        wanted(arguments),
        lambda features, seed, row: measured(arguments, features, seed, row),
        minutes=arguments.minutes,
        tell=lambda key, cell: console.print(
            key, {kind: round(figure, 2) for kind, figure in cell["test"].items()}, f"{cell.get('seconds', 0):.0f} s"
        ),
    )
    print("\n".join(lines(cells)))


if __name__ == "__main__":
    main()

"""Mocap-QA: its size, what words alone find, and what an encoder's features find when a linear probe reads them.

    python benchmarks/data/mocap_qa.py OUT

Floors, of sets that are planned and not drawn, one a seed; on questions of the test people, by type:

    options             logistic regression on the words of an option, learnt on the training's questions
    question + option   and on each word of the question with the option
    longest option      the option of most letters
    option in lines     TF-IDF cosine of option and all subtitles of the video
    right line          of option and the subtitles within the stretch that is asked about

Then the set of seed 0 is drawn into OUT, where it is not there yet. Of each encoder, trained on the training people's
videos for --epochs epochs, and untrained: features by `kinema.features`, a logistic regression from a frame's feature
to its motion, learnt on the training videos, and what its probabilities answer when they are read as each question
wants. 'shifted' is `while` with subtitles two seconds late, 'whole' with the mean of the whole video.
Writes benchmarks/results/data-mocap-qa.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record

import kinema
from kinema.data.mocap.qa import TYPES, MocapQAConfig, write_mocap_qa
from kinema.data.mocap.qa.plan import Line, plan_films
from kinema.data.mocap.qa.questions import questions_of
from kinema.data.mocap.qa.wordings import DOES, TIMES

RATE, SHIFT = 4.0, 2.0
ENCODERS: Mapping[str, dict[str, Any]] = {
    "moco, pictures": {"method": "moco", "temporal": 0.0},
}
Question: TypeAlias = dict[str, Any]
Scores: TypeAlias = NDArray[np.float64]
MOTIONS = {does: motion for motion, does in DOES.items()}


def words_of(text: str) -> list[str]:
    """Its words."""
    return re.findall(r"[a-z]+", text.lower())


def right(scores: Scores, questions: Sequence[Question]) -> dict[str, float]:
    """The share of right answers of each type; options that tie share the answer.

    Args:
        scores: float [N, 4].
        questions: N of them.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for row, question in zip(scores, questions, strict=True):
        best = np.flatnonzero(row >= row.max() - 1e-12)
        found[question["type"]].append(float(question["answer"] in best) / len(best))
    return {kind: float(np.mean(found[kind])) for kind in TYPES if kind in found}


def learnt(questions: Sequence[Question], tokens: Callable[[Question, str], list[str]]) -> Scores:
    """How likely each option of the test's questions is right, learnt on the training's of the same type.

    Args:
        questions: of all splits.
        tokens: what is read of an option.
    """
    scores = np.zeros((len(questions), 4))
    for kind in TYPES:
        mine = [row for row, question in enumerate(questions) if question["type"] == kind]
        train = [row for row in mine if questions[row]["split"] == "train"]
        texts = {row: [tokens(questions[row], option) for option in questions[row]["options"]] for row in mine}
        counted = CountVectorizer(analyzer=list, binary=True)
        given = counted.fit_transform([text for row in train for text in texts[row]])
        truth = [place == questions[row]["answer"] for row in train for place in range(4)]
        model = LogisticRegression(C=0.1, solver="liblinear").fit(given, truth)
        for row in mine:
            scores[row] = model.decision_function(counted.transform(texts[row]))
    return scores


def crossed(question: Question, option: str) -> list[str]:
    """The words of an option, the whole of it, and each word of the question with it."""
    return [*option.split(), option, *(f"{word}+{option}" for word in words_of(question["question"]))]


def cosines(questions: Sequence[Question], texts: Sequence[str]) -> Scores:
    """TF-IDF cosine of each option and the text of its question, float [N, 4]."""
    counted = TfidfVectorizer().fit([*texts, *(option for each in questions for option in each["options"])])
    said = counted.transform(texts)
    return np.stack(
        [
            (counted.transform(question["options"]) @ said[row].T).toarray()[:, 0]
            for row, question in enumerate(questions)
        ]
    )


def floors(config: MocapQAConfig) -> dict[str, dict[str, float]]:
    """What words alone find in the test's questions."""
    films = plan_films(config)
    questions = [question for film in films for question in questions_of(film, config.seed)]
    lines = {film.name: film.lines for film in films}
    test = [row for row, question in enumerate(questions) if question["split"] == "test"]
    asked = [questions[row] for row in test]
    whole = [" ".join(line.text for line in lines[each["video"]]) for each in asked]
    then = [" ".join(line.text for line in lines[each["video"]] if overlaps(line, each)) for each in asked]
    return {
        "options": right(learnt(questions, lambda _, option: [*option.split(), option])[test], asked),
        "question + option": right(learnt(questions, crossed)[test], asked),
        "longest option": right(np.array([[len(each) for each in one["options"]] for one in asked], float), asked),
        "option in lines": right(cosines(asked, whole), asked),
        "right line": right(cosines(asked, then), asked),
    }


def overlaps(line: Line, question: Question) -> bool:
    """Whether a line lies in the stretch of a question; none does where there is no stretch."""
    return "start" in question and bool(line.start < question["end"] - 1e-3 and line.end > question["start"] + 1e-3)


def probed(folder: Path, features: Path, questions: Sequence[Question]) -> dict[str, float]:
    """How often a linear probe names the motion of a frame, and what it answers."""
    with (folder / "segments.csv").open(newline="", encoding="utf-8") as file:
        segments: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
        for row in csv.DictReader(file):
            segments[Path(row["video"]).stem].append((float(row["start"]), float(row["end"]), row["step"]))
    split = {question["video"]: question["split"] for question in questions}
    seen = {name: np.load(features / f"{name}.npy") for name in split}
    truth = {name: [motion_at(segments[name], (f + 0.5) / RATE) for f in range(len(seen[name]))] for name in split}
    train = [name for name in split if split[name] == "train"]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500))
    model.fit(np.concatenate([seen[name] for name in train]), [each for name in train for each in truth[name]])
    names = list(model.classes_)
    shares = {name: model.predict_proba(seen[name]) for name in split if split[name] == "test"}
    hits, inside = [], []
    for name, each in shares.items():
        times = (np.arange(len(each)) + 0.5) / RATE
        hits += [names[best] == motion for best, motion in zip(each.argmax(axis=1), truth[name], strict=True)]
        edges = np.array([end for _, end, _ in segments[name][:-1]])
        inside += (np.abs(times[:, None] - edges).min(axis=1) > 0.5).tolist()
    asked = [question for question in questions if question["split"] == "test" and question["type"] != "said"]
    found = {
        "frame": float(np.mean(hits)),
        "frame, half a second from a change": float(np.mean(np.array(hits)[inside])),
    }
    found |= right(np.array([answered(each, shares[each["video"]], names) for each in asked]), asked)
    quoted = [question for question in asked if question["type"] == "while"]
    for what, start, end in (("shifted", SHIFT, SHIFT), ("whole", -1e9, 1e9)):
        late = [{**each, "start": each["start"] + start, "end": each["end"] + end} for each in quoted]
        scores = np.array([answered(each, shares[each["video"]], names) for each in late])
        found[f"while, {what}"] = right(scores, quoted)["while"]
    return found


def motion_at(segments: Iterable[tuple[float, float, str]], time: float) -> str:
    """The motion of a moment; the last one's after the end."""
    some = list(segments)
    return next((motion for start, end, motion in some if start <= time < end), some[-1][2])


def answered(question: Question, shares: Scores, names: Sequence[str]) -> list[float]:
    """A score for each option of a question, read from the probabilities of motions [F, C] as its type wants."""
    times, kind = (np.arange(len(shares)) + 0.5) / RATE, question["type"]
    logs = np.log(shares + 1e-6)
    near = np.stack([logs[np.abs(times - time) < 0.8].mean(axis=0) for time in times])
    if kind == "often":
        motion = named_in(question["question"])
        is_it = np.array([names[best] == motion for best in near.argmax(axis=1)])
        times_seen = int((is_it & ~np.concatenate([[False], is_it[:-1]])).sum())
        return [-abs(TIMES.index(option) - min(times_seen, 3)) for option in question["options"]]
    columns = [names.index(MOTIONS[option]) for option in question["options"]]
    if kind == "which":
        return [float(each) for each in near[:, columns].max(axis=0)]
    if kind == "after":
        at = times[near[:, names.index(named_in(question["question"]))].argmax()]
        then = (times > at + 1.0) & (times < at + 3.0)
    else:
        then = (times > question["start"]) & (times < question["end"])
    if not then.any():
        return [0.0] * len(columns)
    return [float(each) for each in logs[then][:, columns].mean(axis=0)]


def named_in(question: str) -> str:
    """The motion that a question names."""
    return MOTIONS[max((does for does in MOTIONS if re.search(rf"\b{does}\b", question)), key=len)]


def encoders(folder: Path, out: Path, questions: Sequence[Question], epochs: int) -> dict[str, Any]:
    """What each encoder finds, trained and before training."""
    found: dict[str, Any] = {}
    for name, settings in ENCODERS.items():
        run = out / f"run-{name.replace(', ', '-')}"
        plain = {key: value for key, value in settings.items() if key != "method"}
        if not (run / "recipe.json").exists():
            plain |= {"epochs": epochs, "clips_per_video": 8}
            kinema.pretrain(settings["method"], folder, run, logger="none", where={"split": "train"}, **plain)
        for untrained in (False, True):
            place = out / f"features-{run.name}{'-untrained' if untrained else ''}"
            kinema.features(run, folder, out=place, rate=RATE, untrained=untrained)
            found[f"{name}{', untrained' if untrained else ''}"] = probed(folder, place, questions)
    return found


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    asked = parser.parse_args()
    each = [floors(MocapQAConfig(seed=seed)) for seed in range(asked.seeds)]
    folder = asked.out / "seed0"
    write_mocap_qa(folder, MocapQAConfig())
    questions = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    card = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    weight = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    sizes = {**card["counts"], "mb": round(weight / 1e6, 1)}
    seen = encoders(folder, asked.out, questions, asked.epochs)
    figures = {
        f"{name}, {kind}": {
            "mean": float(np.mean([found[name][kind] for found in each])),
            "deviation": float(np.std([found[name][kind] for found in each], ddof=1)) if len(each) > 1 else 0.0,
        }
        for name in each[0]
        for kind in each[0][name]
    }
    console = Console()
    for name, figure in figures.items():
        console.print(f"{name}: {100 * figure['mean']:.1f} ± {100 * figure['deviation']:.1f}")
    for name, found in seen.items():
        console.print(f"{name}: " + ", ".join(f"{what} {100 * figure:.1f}" for what, figure in found.items()))
    command = f"python benchmarks/data/mocap_qa.py OUT --seeds {asked.seeds} --epochs {asked.epochs}"
    record.write("data-mocap-qa", command, sizes=sizes, figures=figures, encoders=seen)


if __name__ == "__main__":
    main()

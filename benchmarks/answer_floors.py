"""What an answer to a question about a video has to beat: floors that see no video, or read its text without a network.

    python benchmarks/answer_floors.py DATA

DATA is the folder that holds ``video-qa`` (``pororoqa``, ``nextqa_captions``) and ``videoqa/nextqa``. An option is
compared by the cosine of TF-IDF with the question, with all that is said in the clip (PororoQA: the descriptions of an
episode's scenes; NExT-QA: a caption a second), and with the scene that answers the question; PororoQA's question also
with each scene of its episode. Frequencies are of all options, questions and lines. Settings:

    stated      scikit-learn's English stop words, logarithms of counts, the first of equal options: the settings that
                give the figures of the specification
    kinema      what the protocol ``answers`` has beside every result: numbers are no stop words, equal options share
    all words   the same without stop words

'options only' is learnt on four fifths of the episodes or videos and asked of the rest, in three draws of five folds.
Figures go to results/answer-floors.json.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import record
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from kinema.data.questions.reading import read_questions
from kinema.data.questions.table import Questions
from kinema.evaluation.answer_floors import Tfidf, longest, options_only, tfidf_scores
from kinema.evaluation.answers import group_interval, hits

FOLDS, DRAWS = 5, 3
VARIANTS = ("stated", "kinema", "all words")
SPECIFICATION: Mapping[str, Mapping[str, float]] = {
    "pororoqa": {
        "question only": 0.244,
        "longest option": 0.282,
        "all that is said": 0.422,
        "what is said then": 0.485,
        "question → its scene": 0.133,
        "a scene by chance": 0.015,
    },
    "nextqa": {"question only": 0.243, "all that is said": 0.448},
}
TYPES = {"DL": 0.786, "DO": 0.534, "CW": 0.450, "CH": 0.435, "TC": 0.439, "TN": 0.381, "TP": 0.370, "DC": 0.153}
"""By type, NExT-QA's captions, as an earlier measurement had them."""

Vectors = Callable[[Sequence[str]], Any]
Right = NDArray[np.float64]


def vectors(variant: str, texts: Sequence[str]) -> Vectors:
    """TF-IDF by the settings of a variant."""
    if variant == "stated":
        fitted = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit(texts)
        return lambda each: fitted.transform(each)
    return Tfidf(texts, stop_words=variant != "all words")


def right(variant: str, scores: NDArray[np.float64], answer: NDArray[np.int64]) -> Right:
    """How right each answer is: of equal options the first is taken, or all share."""
    return (scores.argmax(axis=1) == answer).astype(np.float64) if variant == "stated" else hits(scores, answer)


def folded(data: str) -> Iterator[tuple[int, list[Any], list[Any]]]:
    """The draw, what is learnt from, and what is asked, of every fold of every draw."""
    for draw in range(DRAWS):
        for fold in range(FOLDS):
            rows = read_questions(data, folds=FOLDS, fold=fold, split=draw).rows
            yield draw, [row for row in rows if row.split == "train"], [row for row in rows if row.split == "test"]


def told_by_options(data: str) -> dict[str, float]:
    """How often the options' words alone are right: mean and deviation over the draws."""
    found: list[list[Right]] = [[] for _ in range(DRAWS)]
    for draw, learnt, asked in folded(data):
        answers = [row.answer for row in learnt]
        scores = options_only([row.options for row in learnt], answers, [row.options for row in asked])
        found[draw].append(hits(scores, np.array([row.answer for row in asked])))
    means = [float(np.concatenate(each).mean()) for each in found]
    return {"mean": float(np.mean(means)), "deviation": float(np.std(means, ddof=1))}


def floors(table: Questions, variant: str) -> dict[str, Right]:
    """How right each answer is, by floor."""
    rows = table.rows
    answer = np.array([row.answer for row in rows])
    options = [row.options for row in rows]
    said = {video: table.lines(video) for video in table.videos}
    tfidf = vectors(
        variant,
        [*(each for row in options for each in row), *(row.question for row in rows)]
        + [line.text for each in said.values() for line in each],
    )
    whole = {video: " ".join(line.text for line in each) for video, each in said.items()}
    against = {"question only": [row.question for row in rows], "all that is said": [whole[row.video] for row in rows]}
    if all(row.timed for row in rows):
        against["what is said then"] = [
            " ".join(line.text for line in said[row.video] if row.start <= line.start < row.end) for row in rows
        ]
    found = {name: right(variant, tfidf_scores(tfidf, options, texts), answer) for name, texts in against.items()}
    found["longest option"] = right(variant, longest(options), answer)
    if "what is said then" in against:
        found["question → its scene"], found["a scene by chance"] = scenes(table, tfidf, variant)
    return found


def scenes(table: Questions, tfidf: Vectors, variant: str) -> tuple[Right, Right]:
    """Whether the scene nearest to a question is its own, and how often one drawn by chance is."""
    found, chance = np.zeros(len(table)), np.zeros(len(table))
    for video in table.videos:
        numbers = [number for number, row in enumerate(table.rows) if row.video == video]
        texts: dict[float, str] = {}
        for line in table.lines(video):
            texts[line.start] = f"{texts.get(line.start, '')} {line.text}"
        asked = tfidf([table.rows[number].question for number in numbers])
        scores = np.asarray((asked @ tfidf(list(texts.values())).T).todense())
        own = np.array([list(texts).index(table.rows[number].start) for number in numbers])
        found[numbers], chance[numbers] = right(variant, scores, own), 1 / len(texts)
    return found, chance


def measured(data: str) -> dict[str, Any]:
    """All floors of a set, by settings; and by type where there are types."""
    table = read_questions(data, held_out=0.0)
    groups = [row.group for row in table.rows]
    types = np.array([row.type for row in table.rows])
    found: dict[str, Any] = {"questions": len(table), "left out": len(table.lost), "groups": len(set(groups))}
    for variant in VARIANTS:
        each = floors(table, variant)
        found[variant] = {name: float(value.mean()) for name, value in each.items()}
        if any(types):
            said = each["all that is said"]
            found[variant]["types"] = {kind: float(said[types == kind].mean()) for kind in np.unique(types).tolist()}
        if variant == "kinema":
            found["interval"] = {name: group_interval(value, groups) for name, value in each.items()}
    return {**found, "options only": told_by_options(data)}


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3f}".lstrip("0")


def table(sets: Mapping[str, Mapping[str, Any]]) -> str:
    """The floors in Markdown."""
    lines = ["| set | floor | specification | stated | kinema | 95 % | all words |", "|---|---|---|---|---|---|---|"]
    names = ("question only", "longest option", "all that is said", "what is said then")
    for title, found in sets.items():
        for name in (*names, "question → its scene", "a scene by chance"):
            if name not in found["kinema"]:
                continue
            low, high = found["interval"][name]
            cells = [number(SPECIFICATION[title][name]) if name in SPECIFICATION[title] else ""]
            cells += [number(found[each][name]) for each in ("stated", "kinema")]
            cells += [f"{number(low)}–{number(high)}", number(found["all words"][name])]
            lines.append(f"| {title} | {name} | {' | '.join(cells)} |")
        alone = found["options only"]
        lines.append(f"| {title} | options only | | | {number(alone['mean'])} ± {number(alone['deviation'])} | | |")
    return "\n".join(lines)


def types_table(found: Mapping[str, Any]) -> str:
    """All that is said, by type, in Markdown."""
    lines = [f"| {' | '.join(['type', *TYPES])} |", "|---|" + "---|" * len(TYPES)]
    lines.append(f"| earlier | {' | '.join(number(value) for value in TYPES.values())} |")
    lines += [f"| {each} | {' | '.join(number(found[each]['types'][kind]) for kind in TYPES)} |" for each in VARIANTS]
    return "\n".join(lines)


def nextqa(data: Path, out: Path) -> str:
    """NExT-QA's validation part with its captions in one folder, as the layout wants it."""
    shutil.copyfile(data / "videoqa" / "nextqa" / "val.csv", out / "val.csv")
    captions = "nextqa_allcaps_1fps.zip"
    shutil.copyfile(data / "video-qa" / "nextqa_captions" / captions, out / captions)
    return f"nextqa:{out}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data
    with tempfile.TemporaryDirectory() as folder:
        places = {"pororoqa": f"pororoqa:{data / 'video-qa' / 'pororoqa'}", "nextqa": nextqa(data, Path(folder))}
        sets = {name: measured(place) for name, place in places.items()}
    print(table(sets))
    print("\n" + types_table(sets["nextqa"]))
    record.write("answer-floors", "python benchmarks/answer_floors.py DATA", ("scikit-learn",), sets=sets)


if __name__ == "__main__":
    main()

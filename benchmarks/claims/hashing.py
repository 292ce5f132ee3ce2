"""Does DCVH find pictures by words with few bits, and which of its parts does it? Floors and a ceiling beside it.

    python benchmarks/claims/hashing.py OUT --data DATA

Sets (benchmarks/data/hashing_sets.py says what they hold); the seed is the training's and that of all that is drawn:

    fashion            products, CLIP's vectors and titles
    fashion-photos     the same from their pixels, by the small network from nothing
    exercises          photographs of exercises from their pixels, and how they are done
    wikipedia          2,866 articles of 10 classes: 128 counts of visual words, 10 shares of topics (Rasiwasia 2010)
    mirflickr          MIRFLICKR-25K by its tags alone, DCMH's split: 24 labels, 2,000 queries, 10,000 learnt from
    words              Mocap-words, 1,500 pairs of a drawn picture and a made sentence

Every cell has two galleries: what does not ask, as the sets' protocols have it, so that what was learnt from is sought
('map'); and the queries among themselves, none of which was learnt from ('unseen_map').

DATA is the folder that holds ``dcvh`` and ``exercise_imgtext``; sets are written to OUT/sets. Rows without bits:

    ridge              real-valued: scores of the labels by ridge regression, from CLIP's vectors and TF-IDF, cosine; of
                       photographs, from their pixels at 16 x 16

Rows at 16, 32 and 64 bits (``dcvh`` from 8 to 256):

    random             codes by chance
    ridge-lsh          signs of random projections of the scores
    ridge-itq          ITQ of the scores (Gong and Lazebnik 2011), where there are as many labels as bits
    dcvh               DCVH, λ = 1; with the figures of its real-valued vectors beside it
    dcvh-l0, -l.1, -l10   other λ
    dcvh-softmax       without the binary cross-entropy
    dcvh-bce           without the softmax
    own, own-l0, own-l10   a classifier for each view, in place of one for both; λ = 1, 0, 10
    image-only, text-only   one view alone: single-view hashing

'ridge-sign', signs of the scores themselves, has as many bits as there are labels. ``--minutes`` stops between two
cells; a command that was stopped goes on where it was. results/claims-hashing.json beside this folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.stats import hypergeom
from sklearn.feature_extraction.text import TfidfVectorizer

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "data"))

import hashing_sets
import record
from table import spread

from kinema import api
from kinema.core.codes import hamming, pack
from kinema.core.pairs import IMAGE, TEXT, VIEWS
from kinema.data.mocap.words import MocapWordsConfig, write_mocap_words
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.store import StoredVectors, pictures_of
from kinema.data.pairs.table import Pairs, stored_row
from kinema.evaluation.hashing import hashing_figures
from kinema.evaluation.hashing_floors import itq_codes, lsh_codes, random_codes, ridge
from kinema.evaluation.tagging import tagging_figures
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

console = Console(stderr=True)
NAME = "claims-hashing"
SETS = ("fashion", "fashion-photos", "exercises", "wikipedia", "mirflickr", "words")
BITS = (16, 32, 64)
CURVE = (8, 128, 256)
"""More bits, of ``dcvh`` alone."""

WORDS = 1500
"""Pairs of the drawn set."""

FLOORS = ("ridge", "ridge-sign", "random", "ridge-lsh", "ridge-itq")
WITHOUT_BITS = ("ridge", "ridge-sign")
TRAINED: Mapping[str, Mapping[str, Any]] = {
    "dcvh": {},
    "dcvh-l0": {"alignment": 0.0},
    "dcvh-l.1": {"alignment": 0.1},
    "dcvh-l10": {"alignment": 10.0},
    "dcvh-softmax": {"nu": 0.0},
    "dcvh-bce": {"softmax": 0.0},
    "own": {"classifier": "own"},
    "own-l0": {"classifier": "own", "alignment": 0.0},
    "own-l10": {"classifier": "own", "alignment": 10.0},
    "image-only": {"views": ("image",)},
    "text-only": {"views": ("text",)},
}
PARTS = tuple(name for name in TRAINED if name != "dcvh")
ORDER = (*FLOORS, *TRAINED)
DATA: Mapping[str, Mapping[str, Any]] = {"wikipedia": {"text": "vectors"}}
"""Settings of a set's data."""

LABELS = {"fashion": 21, "fashion-photos": 21, "exercises": 29, "wikipedia": 10, "mirflickr": 24, "words": 23}
"""How many labels there are, and so bits of ITQ at most."""

CURVED = ("fashion", "words")
"""Sets with the curve to 256 bits."""

RECALLS = (1, 5, 10)
OF_TEXT = ("mirflickr",)
"""Sets without pictures."""

THUMB = 16
"""Pixels of a side, of what the ridge of photographs sees."""

Vectors = dict[str, NDArray[Any]]


def data_of(arguments: argparse.Namespace, where: str) -> str:
    """What ``kinema pretrain`` is given, written first where it is not there."""
    if where in ("wikipedia", "mirflickr"):
        name, folder = {"wikipedia": ("wikipedia", "wikipedia"), "mirflickr": ("mirflickr25k", "mirflickr25k_tags")}[
            where
        ]
        return f"{name}:{arguments.data / 'dcvh' / folder}"
    out: Path = arguments.out / "sets" / where
    if where == "words":
        write_mocap_words(out, MocapWordsConfig(pairs=WORDS))
    elif not (out / "pairs.csv").exists():
        shutil.rmtree(out, ignore_errors=True)
        hashing_sets.WRITERS[where](arguments.data, out)
    return str(out)


def plan(arguments: argparse.Namespace, where: str, seed: int, row: str, bits: int) -> Plan:
    """The plan of a row: the preset ``small`` with that part changed."""
    made = preset("small", "dcvh")
    changes = {**({"views": ("text",)} if where in OF_TEXT else {}), **TRAINED[row]}
    config: Any = replace(made.method, bits=bits, **changes)  # type: ignore[type-var]
    return replace(made, method=config, seed=seed, epochs=arguments.epochs or made.epochs).with_data(
        **DATA.get(where, {})
    )


def measured(arguments: argparse.Namespace, where: str, seed: int, row: str) -> dict[str, Any]:
    """The figures of a cell."""
    data = data_of(arguments, where)
    name, _, bits = row.partition("@")
    if name in FLOORS:
        return {"metrics": floor(arguments, where, seed, name, int(bits or 0))}
    run = arguments.out / "runs" / f"{where}-seed{seed}-{row}"
    shutil.rmtree(run, ignore_errors=True)
    made = plan(arguments, where, seed, name, int(bits))
    done = api.pretrain(made, data, run, logger="none", cache=arguments.out / "cache")
    result = api.evaluate("hashing", run, data, cache=arguments.out / "cache")[0]
    test = {"split": "test"}
    among = api.evaluate("hashing", run, data, query=test, gallery=test, cache=arguments.out / "cache")[0]
    steps = [json.loads(line) for line in next(run.glob("phases/*/metrics.jsonl")).read_text().splitlines()]
    bit_figures = {key: x for each in steps for key, x in each.items() if key.split("_")[0] in ("bit", "quantisation")}
    metrics = {**dict(result.metrics), **recalls(arguments, run, data)}
    metrics |= {
        f"unseen_{name}": x for name, x in among.metrics.items() if name.startswith("map_") and "_at_" not in name
    }
    shutil.rmtree(run)
    return {"metrics": metrics, "bits": bit_figures, "seconds": done.seconds}


def recalls(arguments: argparse.Namespace, run: Path, data: str) -> dict[str, float]:
    """R@k of a test's text that looks for the pictures that it stands beside, and the other way round.

    A text that several pictures have is one; ties are expected values over all orders.
    """
    model = api.load(run)
    if len(model.views) < 2:
        return {}
    table = model.config.open(data).usable()
    test = replace(table, rows=tuple(row for row in table.rows if row.split == "test" and row.text.strip()))
    vectors = {view: model.features(test, view, cache=arguments.out / "cache") for view in model.views}
    texts = np.array([row.text for row in test.rows])
    _, once = np.unique(texts, return_index=True)
    found: dict[str, float] = {}
    for kind in ("code", "real"):
        if kind == "code":
            codes = {view: pack(x) for view, x in vectors.items()}
            distances = hamming(codes["text"][once], codes["image"]).astype(np.float64)
        else:
            distances = np.round(1 - vectors["text"][once].astype(np.float64) @ vectors["image"].T, 6)
        own = texts[once][:, None] == texts[None]
        for direction, far, right in (("text_to_image", distances, own), ("image_to_text", distances.T, own.T)):
            for k in RECALLS:
                found[f"{kind}_recall_{k}_{direction}"] = float(recall_ties(far, right, k).mean())
    return found


def recall_ties(distances: NDArray[np.float64], right: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """The probability that one of the right items is among the first ``k``, over all orders of ties, float64 [Q].

    Args:
        distances: [Q, G].
        right: bool [Q, G], at least one of each query.
        k: places.
    """
    best = np.where(right, distances, np.inf).min(axis=1, keepdims=True)
    before, tied = (distances < best).sum(axis=1), (distances == best)
    room = np.clip(k - before, 0, tied.sum(axis=1))
    return np.asarray(1 - hypergeom.pmf(0, tied.sum(axis=1), (tied & right).sum(axis=1), room))


def inputs(arguments: argparse.Namespace, where: str) -> tuple[Pairs, Vectors]:
    """The pairs, and what floors see of each view, [rows, F]: a view that is not there is left out."""
    config = preset("small", "dcvh").data
    assert isinstance(config, PairsConfig)
    views = (TEXT,) if where in OF_TEXT else VIEWS
    table = config.open(data_of(arguments, where)).usable()
    table = replace(table, rows=tuple(row for row in table.rows if all(row.has(view) for view in views)))
    every = np.arange(len(table))
    found: Vectors = {}
    if IMAGE in views:
        small = replace(config, height=THUMB, width=THUMB)
        found[IMAGE] = pictures_of(table, small, arguments.out / "cache").read(every).reshape(len(table), -1)
        if found[IMAGE].dtype == np.uint8:
            found[IMAGE] = found[IMAGE] / 255
    if stored_row(table.rows[0].text):
        found[TEXT] = StoredVectors(table, TEXT).read(every)
    else:
        tfidf = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")
        tfidf.fit([row.text for row in table.rows if row.split == "train"])
        found[TEXT] = tfidf.transform([row.text for row in table.rows])
    return table, found


def floor(arguments: argparse.Namespace, where: str, seed: int, name: str, bits: int) -> dict[str, float]:
    """The figures of what needs no training by gradients."""
    table, seen = inputs(arguments, where)
    train = np.array([row.split == "train" for row in table.rows])
    test = np.array([row.split == "test" for row in table.rows])
    labels = table.label_matrix()
    train &= labels.any(axis=1)
    scores = {view: ridge(x[train], labels[train], [x])[0] for view, x in seen.items()}
    found: dict[str, float] = {}
    for asked, a in made(name, scores, train, bits, seed).items():
        for ranked, b in made(name, scores, train, bits, seed).items():
            figures = hashing_figures(a[test], b[~test], labels[test], labels[~test])
            found |= {f"{key}_{asked}_to_{ranked}": value for key, value in figures.metrics.items()}
            found[f"chance_{asked}_to_{ranked}"] = figures.chance
            among = hashing_figures(
                a[test], b[test], labels[test], labels[test], own=np.arange(test.sum()), ks=(), ns=()
            )
            found[f"unseen_map_{asked}_to_{ranked}"] = among.metrics["map"]
    for view in scores:
        tags = tagging_figures(scores[view][test], labels[test]).metrics
        found |= {f"tag_{key}_{view}": value for key, value in tags.items()} if name == "ridge" else {}
    return found


def made(name: str, scores: Vectors, train: NDArray[np.bool_], bits: int, seed: int) -> Vectors:
    """What a floor compares items by, of each view: vectors, or codes."""
    fitted = np.concatenate([x[train] for x in scores.values()])
    each = list(scores.values())
    if name == "ridge":
        return scores
    if name == "ridge-sign":
        whole = -fitted.shape[1] % 8
        signs = [np.pad(x - fitted.mean(axis=0), ((0, 0), (0, whole)), constant_values=-1.0) for x in each]
        return {view: pack(x) for view, x in zip(scores, signs, strict=True)}
    if name == "random":
        return {view: random_codes(len(x), bits, seed=2 * seed + n) for n, (view, x) in enumerate(scores.items())}
    how = itq_codes if name == "ridge-itq" else lsh_codes
    return dict(zip(scores, how(fitted, each, bits, seed=seed), strict=True))


def wanted(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and row of every cell, a seed at a time."""
    for seed in arguments.seeds:
        for where in arguments.sets:
            for row in rows_of(where, seed):
                name, _, bits = row.partition("@")
                if name in arguments.rows and (not bits or int(bits) in arguments.bits):
                    yield where, seed, row


def rows_of(where: str, seed: int) -> Iterator[str]:
    """The rows of a set: what needs no draw once, DCVH at all bits, its parts at 32."""
    if seed == 0:
        yield from WITHOUT_BITS
    for bits in BITS:
        yield f"random@{bits}"
        yield f"ridge-lsh@{bits}"
        if bits <= LABELS[where]:
            yield f"ridge-itq@{bits}"
    for bits in sorted((*BITS, *(CURVE if where in CURVED else ()))):
        yield f"dcvh@{bits}"
    yield from (f"{part}@32" for part in PARTS if where not in OF_TEXT or part in ("dcvh-softmax", "dcvh-bce"))


def lines(cells: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown."""
    directions = ("image_to_text", "text_to_image", "image_to_image", "text_to_text")
    yield (
        "| set | row | bits | i→t | t→i | i→i | t→t | unseen i→t | t→i | i→i | t→t | vectors i→t | t→i "
        "| F1 of tags, pictures | texts | seeds |"
    )
    yield "|---|---|---:|" + "---:|" * 13
    for where in SETS:
        of_set = {key.split(" ", 2)[2]: None for key in cells if key.startswith(f"{where} ")}
        for row in sorted(of_set, key=lambda each: (ORDER.index(each.split("@")[0]), int((each + "@0").split("@")[1]))):
            found = [
                cell["metrics"]
                for key, cell in cells.items()
                if key.startswith(f"{where} ") and key.endswith(f" {row}")
            ]
            names = [f"map_{each}" for each in directions] + [f"unseen_map_{each}" for each in directions]
            names += [f"real_map_{each}" for each in directions[:2]]
            names += [f"tag_f1_{view}" for view in VIEWS]
            shown = [spread([each[name] for each in found if name in each]) for name in names]
            name, _, bits = row.partition("@")
            yield f"| {where} | {name} | {bits} | " + " | ".join(shown) + f" | {len(found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rows", nargs="+", default=ORDER, choices=ORDER)
    parser.add_argument("--bits", type=int, nargs="+", default=sorted((*BITS, *CURVE)))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--epochs", type=int, default=None)
    arguments = parser.parse_args()
    cells = record.filled(
        NAME,
        "python benchmarks/claims/hashing.py OUT --data DATA",
        wanted(arguments),
        lambda where, seed, row: measured(arguments, where, seed, row),
        minutes=arguments.minutes,
        tell=lambda key, cell: console.print(
            key,
            {name: round(x, 3) for name, x in cell["metrics"].items() if name.startswith("map_") and "at" not in name},
        ),
    )
    print("\n".join(lines(cells)))


if __name__ == "__main__":
    main()

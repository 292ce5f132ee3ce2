"""Every task of sentence embeddings in one go: STS12-16, the STS benchmark, SICK-R and SentEval's transfer tasks.

    python benchmarks/claims/text_tasks.py DATA MODEL          a folder in the format of sentence-transformers

DATA is the folder that holds ``declutr`` (``sts``, ``sick``, ``transfer``) and ``text/stsbenchmark``. Printed is one
JSON object of figures; ``text_figures`` gives the same to other benchmarks, for any function that embeds sentences:

    sts12_mean … sts16_all   Spearman of a year by both aggregates
    stsb, sickr              Spearman at test
    sts_mean, sts_all        mean of the seven STS tasks by one aggregate
    mr … trec                accuracy
    transfer                 mean of the six
    tasks                    mean of all thirteen, the years by 'mean'
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinema.core.errors import DataError
from kinema.data.sentences import TASKS, SentencePairs, read_pairs, read_transfer
from kinema.evaluation.sts import STS_PRESETS, cosine_similarities, sts_figures
from kinema.protocols.sentences import Encode, encode_sentences
from kinema.protocols.transfer import measure_transfer

YEARS = ("STS12", "STS13", "STS14", "STS15", "STS16")
FILES = {"stsb": "text/stsbenchmark/sts-test.csv", "sickr": "declutr/sick/SICK_test_annotated.txt"}


def text_figures(encode: Encode, data: Path, *, preset: str = "senteval", transfer: bool = True) -> dict[str, float]:
    """The figures above, by name.

    Args:
        encode: sentences to float [N, d].
        data: the folder of the data.
        preset: of the transfer tasks.
        transfer: whether to measure them; they take most of the time.

    Raises:
        DataError: a year or a task is missing.
    """
    years = {pairs.name[:5]: pairs for pairs in read_pairs(data / "declutr" / "sts")}
    if set(years) != set(YEARS):
        raise DataError(f"'{data / 'declutr' / 'sts'}' holds {sorted(years)}; expected {list(YEARS)}.")
    found: dict[str, float] = {}
    for year in YEARS:
        for aggregate, figure in spearman(encode, years[year]).items():
            found[f"{year.lower()}_{aggregate}"] = figure
    for name, file in FILES.items():
        found[name] = spearman(encode, *read_pairs(data / file))["all"]
    for aggregate in STS_PRESETS:
        names = [*(f"{year.lower()}_{aggregate}" for year in YEARS), *FILES]
        found[f"sts_{aggregate}"] = mean_of(found, names)
    if not transfer:
        return found
    tasks = read_transfer(data / "declutr" / "transfer")
    if tasks.missing:
        raise DataError(f"Transfer tasks are missing: {dict(tasks.missing)}.")
    metrics = measure_transfer(encode, tasks, preset).metrics
    found |= {name.lower(): metrics[name] for name in TASKS}
    found["transfer"] = metrics["accuracy"]
    found["tasks"] = mean_of(found, [*(f"{year.lower()}_mean" for year in YEARS), *FILES, *map(str.lower, TASKS)])
    return found


def spearman(encode: Encode, pairs: SentencePairs) -> dict[str, float]:
    """Spearman by both aggregates; the sentences are encoded once."""
    vectors = encode_sentences(encode, [*pairs.first, *pairs.second])
    cosines = cosine_similarities(vectors[: len(pairs)], vectors[len(pairs) :])
    return {
        preset: sts_figures(cosines, pairs.scores, pairs.subsets, preset=preset).metrics["spearman"]
        for preset in STS_PRESETS
    }


def mean_of(figures: dict[str, float], names: Sequence[str]) -> float:
    return float(np.mean([figures[name] for name in names]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", help="a folder that SentenceTransformer(FOLDER) loads")
    parser.add_argument("--preset", default="senteval", help="of the transfer tasks")
    arguments = parser.parse_args()
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(arguments.model)

    def encode(sentences: Sequence[str]) -> Any:
        return model.encode(list(sentences), batch_size=64, show_progress_bar=False)

    print(json.dumps(text_figures(encode, arguments.data, preset=arguments.preset), indent=2))


if __name__ == "__main__":
    main()

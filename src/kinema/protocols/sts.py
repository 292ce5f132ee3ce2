"""Semantic textual similarity: does the cosine of two sentences follow the similarity that people gave them?"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result

if TYPE_CHECKING:
    from kinema.data.sentences import SentencePairs
    from kinema.protocols.request import Request
    from kinema.protocols.sentences import Encode, Measured


def measure(request: Request) -> list[Result]:
    """One result a file or a year, which is the result's selection.

    Raises:
        DataError: no pairs are there, or one cannot be read.
    """
    from kinema.data.sentences import read_pairs
    from kinema.protocols.sentences import encoder_of, record_sentences

    encode, seed = encoder_of(request), request.model.seed
    results = []
    for pairs in read_pairs(request.source):
        figures = partial(measure_sts, encode, pairs, request.preset, seed=seed)
        results.append(record_sentences(request, STS.name, figures, pairs))
    return results


STS: Protocol[Request] = Protocol(
    name="sts",
    title="Semantic textual similarity",
    question="does the cosine of two sentences follow their similarity?",
    explains="People said of every pair of sentences how similar they are in meaning. Spearman is the rank correlation "
    "of their scores and the cosines of the sentences’ vectors, Pearson the linear one; 1 is best, 0 is chance. "
    "The bar shows Spearman, the whisker its 95 % interval (bootstrap over the pairs).",
    presets={
        "mean": "of a year, the mean over its subsets (Giorgi et al. 2021)",
        "all": "of a year, the pairs of all subsets pooled (Gao et al. 2021)",
    },
    metrics={"spearman": Metric("Spearman", share=False), "pearson": Metric("Pearson", share=False)},
    main="spearman",
    measure=measure,
    judged=True,
    headline=True,
    heading="Does it agree with people?",
    finding="has a Spearman correlation of {} with the similarity that people gave pairs of sentences",
    needs=("pairs of sentences with scores",),
    modality="text",
    unit="sentences",
    data="PAIRS.csv",
)


def measure_sts(encode: Encode, pairs: SentencePairs, preset: str = "mean", *, seed: int = 0) -> Measured:
    """Spearman and Pearson of one file or one year.

    Args:
        encode: sentences to float [N, d].
        pairs: of one file or one year.
        preset: 'mean' or 'all', how a year's subsets are brought into one figure.
        seed: of the bootstrap.

    Returns:
        Metrics 'spearman' and 'pearson', from -1 to 1; details with the interval of Spearman, the figures of each
        subset, the pairs that had no score, and the vectors' dimensions.

    Raises:
        ConfigError: an unknown preset.
        DataError: a subset of fewer than two pairs, or with one score for all.
        ShapeError: ``encode`` did not give one finite vector a sentence.
    """
    from kinema.evaluation.sts import cosine_similarities, sts_figures
    from kinema.protocols.sentences import Measured, encode_sentences

    vectors = encode_sentences(encode, [*pairs.first, *pairs.second])
    similarities = cosine_similarities(vectors[: len(pairs)], vectors[len(pairs) :])
    figures = sts_figures(similarities, pairs.scores, pairs.subsets, preset=preset, seed=seed)
    details = {
        "interval": list(figures.interval),
        "per_subset": {name: asdict(each) for name, each in figures.per_subset.items()},
        "without_score": pairs.skipped,
        "dimensions": vectors.shape[1],
    }
    return Measured(figures.metrics, details, len(pairs))

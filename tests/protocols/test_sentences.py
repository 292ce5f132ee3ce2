"""The protocols of sentences, with functions in place of encoders."""

import json
from pathlib import Path

import numpy as np
import pytest

from kinema.core.errors import DataError, ShapeError
from kinema.data.sentences import SentencePairs, TransferTask, TransferTasks, read_pairs, read_transfer
from kinema.evaluation import transfer as evaluation
from kinema.protocols.sentences import encode_sentences
from kinema.protocols.sts import measure_sts
from kinema.protocols.transfer import measure_transfer

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def letters(sentences):
    """How often each letter occurs."""
    return np.array([[s.lower().count(chr(97 + i)) for i in range(26)] for s in sentences], dtype=np.float32)


PAIRS = SentencePairs(
    "year",
    ("a dog runs", "a cat", "the sky is blue", "numbers add up"),
    ("a dog ran", "a cat", "red apples fall", "zzz"),
    (4.0, 5.0, 2.0, 0.0),
    ("one", "one", "two", "two"),
    skipped=3,
)


def test_each_sentence_is_encoded_once_and_in_its_place():
    asked = []

    def encode(sentences):
        asked.extend(sentences)
        return letters(sentences)

    found = encode_sentences(encode, ["b", "a", "b", "c"])
    assert asked == ["b", "a", "c"]
    np.testing.assert_array_equal(found, letters(["b", "a", "b", "c"]))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((2, 4)), r"3 sentences were encoded as \(2, 4\)"),
        (np.full((3, 2), np.nan), "vectors of 3 of 3 sentences are not finite"),
        (np.ones(3), r"encoded as \(3,\)"),
    ],
)
def test_encoders_that_give_something_else_are_refused(vectors, message):
    with pytest.raises(ShapeError, match=message):
        encode_sentences(lambda sentences: vectors, ["a", "b", "c"])


def test_sts_says_its_figures_and_what_they_were_measured_on():
    metrics, details, queries = measure_sts(letters, PAIRS, "all")
    assert list(metrics) == ["spearman", "pearson"]
    assert metrics["spearman"] == pytest.approx(1.0)
    assert queries == 4
    assert details["without_score"] == 3
    assert {name: each["pairs"] for name, each in details["per_subset"].items()} == {"one": 2, "two": 2}
    json.dumps([metrics, details], allow_nan=False)


def test_sentences_and_scores_must_belong_together():
    swapped = SentencePairs("year", PAIRS.first, PAIRS.second[::-1], PAIRS.scores, PAIRS.subsets)
    assert measure_sts(letters, swapped, "all").metrics["spearman"] < 0.5


def tasks():
    rng = np.random.default_rng(0)
    words = [["ab", "abc", "aab"], ["yz", "xyz", "zz"]]
    labels = tuple(int(label) for label in rng.integers(0, 2, 60))
    sentences = tuple(" ".join(rng.choice(words[label], 3)) + f" {row}" for row, label in enumerate(labels))
    parts = ("train", "dev", "test") * 20
    return TransferTasks(
        (
            TransferTask("MR", sentences, labels, ("positive", "negative")),
            TransferTask("SST2", sentences, labels, ("negative", "positive"), parts),
        ),
        {"CR": "custrev.pos"},
    )


def test_transfer_says_each_task_and_their_mean(monkeypatch):
    monkeypatch.setattr(evaluation, "FOLDS", 3)
    begun = []
    metrics, details, queries = measure_transfer(letters, tasks(), progress=begun.append)
    assert metrics == {"accuracy": 1.0, "MR": 1.0, "SST2": 1.0}
    assert next(iter(metrics)) == "accuracy"
    assert begun == ["MR", "SST2"]
    assert queries == 60 + 20
    assert details["missing"] == {"CR": "custrev.pos"}
    assert [each["asked"] for each in details["per_task"].values()] == ["3 folds", "train, dev, test"]
    json.dumps([metrics, details], allow_nan=False)


def test_an_encoder_that_tells_nothing_apart_names_the_most_frequent_class(monkeypatch):
    monkeypatch.setattr(evaluation, "FOLDS", 3)
    metrics, details, _ = measure_transfer(lambda s: np.ones((len(s), 4)), tasks())
    assert metrics["MR"] == pytest.approx(details["per_task"]["MR"]["majority"])


@pytest.mark.data
def test_the_published_sets_have_their_published_sizes():
    if not (DATA / "declutr").is_dir():
        pytest.skip("the sentences (../shared/data/declutr) are not here")
    years = read_pairs(f"sts:{DATA / 'declutr' / 'sts'}")
    assert [len(year) for year in years] == [3108, 1500, 3750, 3000, 1186]
    assert [len(set(year.subsets)) for year in years] == [5, 3, 6, 5, 5]
    assert len(*read_pairs(DATA / "declutr" / "sick" / "SICK_test_annotated.txt")) == 4927
    benchmark = [read_pairs(DATA / "text" / "stsbenchmark" / f"sts-{part}.csv")[0] for part in ("train", "dev", "test")]
    assert [len(pairs) for pairs in benchmark] == [5749, 1500, 1379]
    assert all(0 <= score <= 5 for pairs in (*years, *benchmark) for score in pairs.scores)
    found = read_transfer(DATA / "declutr" / "transfer")
    assert {task.name: len(task) for task in found.tasks} == {
        "MR": 10662,
        "CR": 3771,
        "SUBJ": 10000,
        "MPQA": 10603,
        "SST2": 9613,
        "TREC": 5952,
    }
    assert not found.missing


@pytest.mark.data
def test_tf_idf_has_its_known_figures():
    """Measured with another program: 'all' and 'mean' of a year."""
    if not (DATA / "declutr").is_dir():
        pytest.skip("the sentences (../shared/data/declutr) are not here")
    from sklearn.feature_extraction.text import TfidfVectorizer

    from kinema.evaluation.sts import sts_figures

    for number, known in ((0, (0.565, 0.600)), (1, (0.709, 0.597))):
        year = read_pairs(DATA / "declutr" / "sts")[number]
        names, cosines = np.array(year.subsets), np.zeros(len(year))
        for subset in set(year.subsets):
            rows = np.flatnonzero(names == subset)
            first, second = ([column[row] for row in rows] for column in (year.first, year.second))
            vectors = TfidfVectorizer().fit_transform(first + second)
            cosines[rows] = np.asarray(vectors[: len(rows)].multiply(vectors[len(rows) :]).sum(1)).ravel()
        found = [
            sts_figures(cosines, year.scores, year.subsets, preset=preset).metrics["spearman"]
            for preset in ("all", "mean")
        ]
        assert found == pytest.approx(known, abs=6e-4)


def test_an_empty_year_is_refused():
    with pytest.raises(DataError, match="holds no pair"):
        SentencePairs("STS17", (), (), (), ())

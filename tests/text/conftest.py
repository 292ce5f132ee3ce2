"""A corpus, small plans for it, runs on it, and how the command line is called."""

from dataclasses import replace

import pytest
from tiny_corpus import write_corpus

import kinema
from kinema.recipes.table import preset

pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

WIDTH, VOCABULARY = 32, 128
SMALL = ["--epochs", 1, "--batch_size", 4, "--logger", "none", "--device", "cpu", "--vocabulary", VOCABULARY]
SMALL += ["--encoder.vocabulary", VOCABULARY, "--encoder.width", WIDTH]


def small_plan(name, epochs=3):
    """Three batches an epoch of the corpus, the last one topped up; a checkpoint after every batch."""
    plan = preset("small", name)
    encoder = replace(plan.encoder, width=WIDTH, vocabulary=VOCABULARY)
    plan = replace(plan, encoder=encoder, epochs=epochs, batch_size=4, collapse_rank=0.0, checkpoint_seconds=0.0)
    return plan.with_data(vocabulary=VOCABULARY)


@pytest.fixture(scope="session")
def plan_of():
    return small_plan


@pytest.fixture(scope="session")
def small():
    """The options of a run of a second on the command line."""
    return SMALL


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("text") / "documents")


@pytest.fixture(scope="session")
def text_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("text-cache")


@pytest.fixture(scope="session")
def runs(corpus, text_cache, tmp_path_factory):
    """A whole run of each method of sentences."""
    folder = tmp_path_factory.mktemp("text-runs")
    options = {"cache": text_cache, "device": "cpu", "logger": "none"}
    return {name: kinema.pretrain(small_plan(name), corpus, folder / name, **options) for name in ("declutr", "simcse")}

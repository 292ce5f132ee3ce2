"""The report is written by the vocabulary alone: a protocol and encoders that it has never seen make a whole page."""

from __future__ import annotations

import dataclasses
import io

import pytest
from reports import VOCABULARY
from rich.console import Console

from kinema import reporting
from kinema.core.errors import ConfigError, UsageError
from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result
from kinema.core.vocabulary import Contrast, EncoderEntry, Vocabulary
from kinema.protocols.table import PROTOCOLS
from kinema.recipes.table import ENCODERS, METHODS
from kinema.training.run_folder import RunFolder

LIKENESS = Protocol(
    name="likeness",
    title="Likeness of sentences",
    question="is the cosine of two sentences as people judge them?",
    explains="Spearman is the rank correlation of cosines and judgements.",
    presets={"mean": "the mean over files"},
    metrics={"spearman": Metric("Spearman", share=False), "pearson": Metric("Pearson", share=False)},
    main="spearman",
    measure=lambda request: [],
    judged=True,
    headline=True,
    heading="Does it agree with people?",
    finding="has a Spearman correlation of {}",
    needs=("sentences",),
    modality="text",
    unit="sentences",
    data="PAIRS.csv",
)
SURPRISE = dataclasses.replace(
    LIKENESS, name="surprise", title="Surprise", main="perplexity", higher_is_better=False, finding="has perplexity {}",
    metrics={"perplexity": Metric("Perplexity", share=False, inline="perplexity")},
)  # fmt: skip
TEXT = {
    "words": EncoderEntry("Masked words", role="baseline", modality="text", unit="documents"),
    "spans": EncoderEntry(
        "Spans",
        contrast=Contrast("spans-alone", "Against spans alone ({}), the sum is"),
        priority=1,
        modality="text",
        unit="documents",
    ),
    "spans-alone": EncoderEntry("Spans alone", method="spans", modality="text", unit="documents"),
}


def vocabulary(*protocols):
    """The protocols of video, and further ones."""
    video = [each for each in PROTOCOLS.values() if each.modality == "video"]
    return Vocabulary(ENCODERS | TEXT, {each.name: each for each in (*video, *protocols)})


def text_run(maker, protocol, figures, interval=0.02, **more):
    run = maker.run("text", phases=("spans-text",), documents=4000, classes=0, data="corpus")
    phase = {"name": "spans-text", "method": {"name": "spans", "view": "text"}, "epochs": 4}
    environment = {key: value for key, value in run.read("environment.json").items() if key != "videos"}
    run.write("environment.json", environment)
    run.write("recipe.json", {"name": "spans", "view": "text", "seed": 0, "phases": [phase]})
    for encoder, value in figures.items():
        details = {"interval": [value - interval, value + interval], **more}
        metrics = {protocol.main: value}
        told = ("pairs.csv", "e" * 64, 1379, 0, 0, "abc123", 2.0, details)
        run.add_result(Result(protocol.name, "mean", metrics, encoder, "text", *told))
    return run


def made(maker, protocol, figures, **more):
    run = text_run(maker, protocol, figures, **more)
    return reporting.collect([run], vocabulary(protocol), RunFolder.open)


def plain(text):
    return text.replace("\u00a0", " ")


def test_its_headline_says_what_the_protocol_says(maker):
    report = made(maker, LIKENESS, {"random": 0.31, "words": 0.52, "spans": 0.71, "spans-alone": 0.7})
    head = report.headline
    assert (head.verdict, head.candidate, head.baseline) == ("helped", "spans", "words")
    assert head.sentence.startswith(
        "Spans has a Spearman correlation of 0.71; Masked words 0.52; an untrained network 0.31. It is 0.190 ahead of "
        "Masked words, and the difference is larger than the uncertainty"
    )
    assert "interval of the lead: +0.162 to +0.218)" in head.sentence
    assert head.basis.startswith("Spearman of text encoders, likeness with preset mean, on pairs.csv: 1,379 queries; ")
    assert any(
        "Against spans alone (0.7), the sum is 0.010 ahead, not more than the uncertainty" in n for n in head.notes
    )
    assert report.advice.lines[0].startswith("Likeness of sentences (mean): Spans has 0.71. Spans alone has 0.7, 0.010")


def test_its_page_has_no_word_of_videos_or_classes(maker):
    text = reporting.page(made(maker, LIKENESS, {"random": 0.31, "words": 0.52, "spans": 0.71}))
    assert "<h2>Does it agree with people?</h2>\n<p>Spearman is the rank correlation of cosines and judgements." in text
    assert '<th scope="col">Spearman</th>' in text
    assert "0.690–0.730<" in text
    assert "4,000 documents" in text
    assert "the main figure, Spearman, on the main selection" in text
    assert "kinema evaluate likeness" in text
    for word in ("video", "R@1", "mining", "retrieval"):
        assert word not in text.partition("</style>")[2].partition("<script")[0], word


def test_markdown_and_terminal_write_its_figures_as_numbers(maker):
    report = made(maker, LIKENESS, {"words": 0.52, "spans": 0.71})
    told = reporting.markdown(report)
    assert "## Likeness of sentences, preset mean" in told
    assert "| Spans (4 epochs) | text | all: 1,379 | 0.71 | 0.69 to 0.73 | 0 |" in told
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(reporting.table(report))
    cells = [line.split() for line in console.export_text().splitlines()]
    assert ["encoder", "Spearman", "95", "%"] in cells
    assert ["Spans", "0.71", "0.690–0.730"] in cells
    assert reporting.rows(report)[0]["metrics"] == {"spearman": 0.52}


def test_unmeasured_it_names_the_protocol_of_its_modality_and_what_data_it_takes(maker):
    run = text_run(maker, LIKENESS, {})
    head = reporting.collect([run], vocabulary(LIKENESS), RunFolder.open).headline
    assert head.verdict == "not evaluated"
    assert head.sentence.startswith("The protocol likeness was not measured, so this page cannot say")
    assert head.notes == (f"To measure it: kinema evaluate likeness {run.path} PAIRS.csv",)


def test_a_lower_figure_can_be_the_better_one(maker):
    report = made(maker, SURPRISE, {"words": 24.0, "spans": 21.0}, interval=0.5)
    assert report.headline.verdict == "helped"
    assert "Spans has perplexity 21; Masked words 24. It is 3.000 ahead of Masked words" in report.headline.sentence
    assert report.advice.sentence.startswith("Keep Spans: by Surprise (mean), it is ahead of every other")
    assert "Masked words has 24, 3.000 behind, more than the noise" in report.advice.lines[0]
    worse = made(maker, SURPRISE, {"words": 21.0, "spans": 24.0}, interval=0.5)
    assert worse.headline.verdict == "hurt"
    assert "The lowest perplexity on this page" not in str(worse.headline.notes), "the baseline is compared already"


@pytest.fixture
def maker(maker):
    """A run may be made twice."""
    first = maker.run
    count = iter(range(99))
    maker.run = lambda name, **options: first(f"{name}{next(count)}", **options)
    return maker


def test_every_method_has_a_title_and_baselines_come_before_what_is_judged():
    assert set(METHODS) <= set(ENCODERS)
    assert VOCABULARY.title("elo") != "elo"
    order = sorted(["supervised", "new", "cpr", "xdc", "infonce", "random"], key=VOCABULARY.encoder_place)
    assert order == ["random", "infonce", "cpr", "xdc", "new", "supervised"]
    assert VOCABULARY.title("infonce+be-regulariser") == "InfoNCE + BE's regulariser"
    assert VOCABULARY.title("random", "finetune") == "Supervised from scratch"
    assert VOCABULARY.title("another") == VOCABULARY.short("another") == "another"
    assert (VOCABULARY.method_of("coclr"), VOCABULARY.method_of("infonce+be-regulariser")) == ("cpr", "moco")


def test_figures_are_written_as_their_protocol_has_them():
    retrieval = PROTOCOLS["retrieval"]
    assert (retrieval.metric("r@5").title, retrieval.metric("accuracy")) == ("R@5", None)
    assert sorted(["median_rank", "r@5", "r@1"], key=PROTOCOLS["cross-modal"].place)[-1] == "median_rank"
    assert VOCABULARY.main("retrieval", {"accuracy": 1}) is None
    assert VOCABULARY.main("class-mean", {"accuracy": 1}) == "accuracy"
    assert VOCABULARY.protocol("class-mean").title == "Class-mean"
    assert (
        PROTOCOLS["linear"].family("features") == PROTOCOLS["few-label"].family("1%") != PROTOCOLS["linear"].family("x")
    )
    with pytest.raises(UsageError, match="known by its results alone"):
        VOCABULARY.protocol("class-mean").measure(None)


def test_a_protocol_whose_main_figure_it_does_not_have_is_refused():
    with pytest.raises(ConfigError, match=r"'likeness' is 'kendall'; its metrics are: spearman, pearson"):
        dataclasses.replace(LIKENESS, main="kendall")


FLOORED = dataclasses.replace(LIKENESS, floors={"spearman_length": "sentences of one length"})


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.5, "is ahead of sentences"), (0.41, "is level with sentences"), (0.39, "is not ahead of sentences")],
)
def test_a_lead_over_a_floor_within_the_interval_is_no_lead(maker, value, verdict):
    run = text_run(maker, FLOORED, {})
    details = {"interval": [value - 0.02, value + 0.02]}
    metrics = {"spearman": value, "spearman_length": 0.4}
    run.add_result(
        Result("likeness", "mean", metrics, "spans", "text", "p.csv", "e" * 64, 9, 0, 0, "abc", 2.0, details)
    )
    head = reporting.collect([run], vocabulary(FLOORED), RunFolder.open).headline
    assert verdict in head.short
    assert ("within its 95 % interval" in head.sentence) == (verdict == "is level with sentences")


def test_the_page_says_what_a_method_learns_from_and_exports_only_what_can_be(maker):
    entry = EncoderEntry("Asker", modality="question", unit="questions", learns_from="their answers")
    asked = dataclasses.replace(LIKENESS, name="asked", modality="question", unit="questions")
    run = text_run(maker, asked, {"spans": 0.5})
    words = Vocabulary(ENCODERS | {"spans": entry}, {"asked": asked})
    text = reporting.page(reporting.collect([run], words, RunFolder.open))
    assert "These encoders learnt from the questions and from their answers" in text
    assert "without their labels" not in text
    assert "kinema export" not in text
    plainly = reporting.page(made(maker, LIKENESS, {"random": 0.31, "spans": 0.71}))
    assert "without their labels" in plainly
    assert "kinema export" in plainly

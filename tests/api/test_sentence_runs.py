"""A run on documents is measured by the protocols of sentences, reported, and refused by those of video."""

import random

import pytest

from kinema import api
from kinema.core.errors import UsageError
from kinema.reporting import page, rows
from kinema.training.run_folder import RunFolder

pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

TEXT = "the a dog cat runs sleeps red blue sky tree house old new man woman walks sings river stone"
WORDS = TEXT.split()


def sentence(draw, words=9):
    return " ".join(draw.choices(WORDS, k=words))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("sentences"), random.Random(0)
    (folder / "corpus").mkdir()
    for number in range(16):
        text = ". ".join(sentence(draw) for _ in range(10))
        (folder / f"corpus/{number}.txt").write_text(f"{text}.")
    api.pretrain("simcse", folder / "corpus", folder / "run", device="cpu", epochs=1, batch_size=8)
    return folder / "run"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A sentence and its beginning, the more of it the more alike."""
    file, draw = tmp_path_factory.mktemp("pairs") / "pairs.csv", random.Random(1)
    lines = ["sentence1,sentence2,score"]
    for number in range(40):
        words = sentence(draw, 5).split()
        common = number % 6
        lines.append(f"{' '.join(words)},{' '.join([*words[:common], *draw.choices(WORDS, k=5 - common)])},{common}")
    file.write_text("\n".join(lines))
    return file


def test_sts_alone_makes_a_whole_report(run, pairs):
    (result,) = api.evaluate("sts", run, pairs, device="cpu")
    assert (result.protocol, result.preset, result.encoder, result.view) == ("sts", "mean", "simcse", "text")
    assert (result.queries, result.details["selection"], result.data) == (40, "pairs", str(pairs))
    assert result.metrics["spearman"] > 0.5
    api.evaluate("sts", run, pairs, device="cpu", untrained=True)
    assert {each.encoder for each in RunFolder.open(run).results()} == {"simcse", "random"}
    path, report = api.report(run)
    assert report.headline.sentence.startswith("SimCSE has a Spearman correlation of 0.")
    assert "an untrained network 0." in report.headline.sentence
    assert (report.headline.candidate, report.headline.baseline) == ("simcse", "random")
    assert {row["encoder"] for row in rows(report)} == {"simcse", "random"}
    assert next(row.epochs for row in report.rows if row.encoder == "simcse") == 1
    text = path.read_text(encoding="utf-8")
    assert text == page(report)
    assert "<h2>Does it agree with people?</h2>" in text
    assert "16 documents" in text


def test_a_protocol_of_video_refuses_it_and_names_those_of_text(run, pairs):
    with pytest.raises(UsageError, match=r"knn measures encoders of video; '.*run' is one of text") as caught:
        api.evaluate("knn", run, pairs)
    assert caught.value.hint == "Choose one of: sts, transfer."

"""What ``--help`` shows: every option has words and a group, the file that it is read from is that of the parsers."""

import re
import subprocess
import sys

import pytest

from kinema.cli import catalogue, describing
from kinema.cli import help as help_of
from kinema.cli.verbs import VERBS
from kinema.recipes.table import METHODS

WRITE = "python scripts/options.py"


@pytest.fixture(scope="module")
def parsed():
    return describing.catalogue()


def test_every_option_has_a_description_and_a_group_for_people(parsed):
    assert {words.split()[0] for words in parsed} == set(VERBS)
    assert {words.split()[1] for words in parsed if words.startswith("pretrain ")} == {"auto", *METHODS}
    for words, entry in parsed.items():
        speechless = [option.key for option in entry.options if len(re.findall(r"\w\w+", option.help)) < 2]
        ungrouped = [title for title in entry.groups if not title or "kinema." in title]
        assert (speechless, ungrouped) == ([], []), words


def test_the_file_is_what_the_parsers_say(parsed):
    assert catalogue.FILE.read_text(encoding="utf-8") == catalogue.written(parsed, describing.lists()), WRITE


def test_first_what_matters_then_everything(call):
    first, everything = (call("pretrain", "cpr", *asked) for asked in (("--help",), ("--help", "all")))
    assert first[::2] == everything[::2] == (0, "")
    assert call("pretrain", "cpr", "--help-all") == everything
    shown = re.findall(r"^  (?:-\w, )?--([\w.]+)", first[1], re.MULTILINE)
    assert shown == ["out", "epochs", "preset", "batch_size", "device", "workers", "dry_run", "resume", "method.guide",
                     "method.stages"]  # fmt: skip
    assert "  --epochs N                epochs in which the run's view is trained" in first[1]
    assert "(default: 16)" in first[1]
    assert set(shown) < set(re.findall(r"^  (?:-\w, )?--([\w.]+)", everything[1], re.MULTILINE))
    for title in ("The run", "Data and clips", "Method: CPR", "Encoder", "Optimiser", "Running"):
        assert f"\n{title}:\n" in everything[1]
    assert "(default: 400)" in call("pretrain", "cpr", "--help", "--preset", "paper")[1]


def test_what_a_method_does_not_use_is_left_out(call):
    assert "--sound.rate" not in call("pretrain", "cpr", "--help", "all")[1]
    assert "--sound.rate" in call("pretrain", "xdc", "--help", "all")[1]


@pytest.mark.parametrize("words", [("pretrain", "moco"), ("search",), ("pretrain", "cpr", "--preset", "paper")])
def test_without_the_file_the_parser_says_the_same(call, monkeypatch, words):
    held = call(*words, "--help", "all")[1]
    monkeypatch.setattr(help_of, "known", lambda words: None)
    assert call(*words, "--help", "all")[1] == held


def test_help_of_a_method_loads_nothing_heavy():
    heavy = ("torch", "pytorch_lightning", "sklearn", "jsonargparse", "rich", "numpy")
    code = (
        "import sys\nfrom kinema import cli\ntry:\n    cli.main(['pretrain', 'cpr', '--help'])\nexcept SystemExit:\n"
        f"    print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr.strip() == "[]"
    assert "--method.guide" in run.stdout


def test_options_are_spelt_either_way_and_answer_to_old_names(call, tmp_path, monkeypatch):
    """What is refused is the folder or the run: the words before it were understood, in every spelling."""
    monkeypatch.chdir(tmp_path)
    for verb, *words in (
        ("features", "no-run", "no-data", "--batch-size", "4"),
        ("embed", "no-run", "no-data", "--batch_size=4", "--table", "t"),
        ("serve", "no-run", "--name", "box", "--read-only"),
    ):
        status, out, err = call(verb, *words)
        assert (status, out) == (1, "")
        assert "no-run" in err
        assert ("--name of 'serve' is called --host_name now" in err) == (verb == "serve")


ON_DEVICES = {
    "pretrain": "moco x --out y", "evolve": "x --out y", "evaluate": "knn run x", "embed": "run x", "search": "run x",
    "features": "run x", "segment": "run x", "serve": "run", "ask": "run x y --options a b",
}  # fmt: skip
"""Words that each verb which computes is happy with."""


def test_every_verb_has_one_word_for_a_device(call):
    having = {words.split()[0] for words in catalogue.names() if "--device" in str(catalogue.known(words))}
    assert having == set(ON_DEVICES)
    for verb, words in ON_DEVICES.items():
        status, out, err = call(verb, *words.split(), "--device", "tpu")
        assert (status, out) == (2, "")
        assert "The device 'tpu' is no device.\n        Choose one of: auto, cpu, cuda, cuda:1, mps." in err

"""What cannot be is said in a sentence: what is there, which methods read it, and what to do. Never a traceback."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import recording
from tiny_corpus import story, write_corpus
from tiny_texts import library_model, tokenizer

import kinema
from kinema.core.errors import ConfigError, DataError, RunError, UsageError
from kinema.data.documents import read_documents
from kinema.data.documents.config import DocumentsConfig
from kinema.methods import DeCLUTRConfig, MoCoConfig, SimCLRConfig
from kinema.networks.text import TextConfig
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset

VIDEO = next(recording.VIDEOS.rglob("*.mp4"))


@pytest.fixture
def refused(call, tmp_path):
    """Runs a command line that must fail, as a person and as a program would read it; gives what it says."""

    def run(*arguments, status=None):
        before = sorted(tmp_path.rglob("*"))
        left, out, err = call(*arguments, "--json")
        assert left in (1, 2)
        assert status in (None, left)
        assert "Traceback" not in err
        error = json.loads(out)["error"]
        assert error.keys() == {"kind", "message", "hint"}
        assert error["message"] in err
        assert sorted(tmp_path.rglob("*")) == before, "nothing is written"
        return error

    return run


@pytest.fixture(scope="module")
def video_run(tmp_path_factory):
    """A run on videos with a finished phase."""
    return shutil.copytree(recording.HERE / "run", tmp_path_factory.mktemp("video") / "run")


@pytest.fixture
def videos(tmp_path):
    return shutil.copytree(recording.VIDEOS, tmp_path / "videos")


@pytest.fixture
def mixed(tmp_path):
    """Two videos and four documents."""
    write_corpus(tmp_path / "mixed", 4)
    for number in range(2):
        shutil.copy(VIDEO, tmp_path / "mixed" / f"{number}.mp4")
    return tmp_path / "mixed"


@pytest.mark.parametrize("name", ["declutr", "simcse"])
def test_a_corpus_of_one_document(refused, tmp_path, name):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/alone.txt").write_text(story(0, 20))
    error = refused("pretrain", name, tmp_path / "one", "--out", tmp_path / "run", status=1)
    assert error["kind"] == "data"
    assert "1 of 1 documents" in error["message"]
    assert "at least 2" in error["message"]
    assert "scan" in error["hint"]
    assert "cut into several" in error["hint"]
    assert "at least 2" in refused("pretrain", name, tmp_path / "one/alone.txt", "--out", tmp_path / "run")["message"]
    (tmp_path / "one/twin.txt").write_text(story(0, 20))
    (tmp_path / "one/short.txt").write_text("Too short.")
    assert "1 of 3" in refused("pretrain", name, tmp_path / "one", "--out", tmp_path / "run")["message"]


def test_documents_too_short_for_two_anchors_are_named(refused, tmp_path):
    (tmp_path / "short").mkdir()
    for number in range(3):
        (tmp_path / f"short/{number}.txt").write_text(story(number, 4))
    options = ["--out", tmp_path / "run", "--method.anchors", 90]
    error = refused("pretrain", "declutr", tmp_path / "short", *options, status=1)
    assert "0 documents to learn from" in error["message"]
    assert "'0.txt'" in error["message"]
    assert "at least 180 are needed" in error["message"]


def test_an_empty_folder_and_none(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("empty", "nowhere"):
        assert place in refused("pretrain", "declutr", tmp_path / place, "--out", tmp_path / "run")["message"]


def test_a_mixed_folder_is_scanned_for_what_is_asked(refused, call, mixed):
    status, out, err = call("scan", mixed, "--json")
    assert status == 0
    assert json.loads(out)["videos"] == 2
    assert "the videos are scanned, and --reads documents scans the others" in " ".join(err.split())
    status, out, _ = call("scan", mixed, "--reads", "documents", "--json")
    assert (status, json.loads(out)["documents"]) == (0, 4)
    status, out, _ = call("scan", mixed, "--reads", "videos", "--json")
    assert (status, json.loads(out)["videos"]) == (0, 2)
    assert "nothing" in refused("scan", mixed, "--reads", "nothing", status=2)["message"]


def test_a_method_takes_of_a_mixed_folder_what_it_reads_and_says_so(mixed, small, call, text_cache, caplog, tmp_path):
    command = ["pretrain", "declutr", mixed, "--out", tmp_path / "run", *small, "--cache", text_cache, "--json"]
    status, out, err = call(*command)
    assert status == 0, err
    assert json.loads(out)["steps"] == 1, "four documents are one batch"
    (warning,) = [record.message for record in caplog.records if "mixed" in record.message]
    assert "holds 2 videos and 4 documents" in warning
    assert "reads the documents and leaves the videos alone" in warning


@pytest.mark.parametrize("name", ["moco", "cpr", "supervised", "elo", "xdc"])
def test_documents_for_a_method_of_video(refused, corpus, tmp_path, name):
    error = refused("pretrain", name, corpus, "--out", tmp_path / "run", status=1)
    assert "holds 10 documents" in error["message"]
    assert "reads videos" in error["message"]
    assert "declutr" in error["hint"]
    assert "kinema pretrain --list" in error["hint"]
    file = next(corpus.rglob("*.txt"))
    assert "holds 1 document." in refused("pretrain", name, file, "--out", tmp_path / "run")["message"]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_videos_for_a_method_of_text(refused, videos, tmp_path, dry):
    error = refused("pretrain", "declutr", videos, "--out", tmp_path / "run", *dry, status=1)
    assert "reads documents" in error["message"]
    assert "holds 12 videos" in error["message"]
    assert "cpr" in error["hint"]
    file = next(videos.rglob("*.mp4"))
    assert "holds 1 video." in refused("pretrain", "simcse", file, "--out", tmp_path / "run", *dry)["message"]


def test_tables_of_another_kind(corpus, tiny_manifest, tmp_path):
    with pytest.raises(DataError, match="a Documents was given") as caught:
        kinema.pretrain("moco", read_documents(corpus), tmp_path / "run")
    assert "declutr" in caught.value.hint
    with pytest.raises(DataError, match="a Manifest was given") as caught:
        kinema.pretrain("declutr", tiny_manifest, tmp_path / "run")
    assert "cpr" in caught.value.hint
    for name in ("moco", "declutr"):
        with pytest.raises(DataError, match="a list was given"):
            kinema.pretrain(name, [1, 2], tmp_path / "run")


def test_plans_of_parts_that_do_not_fit():
    documents = DocumentsConfig()
    for plan in (
        Plan(DeCLUTRConfig()),
        Plan(DeCLUTRConfig(), data=documents),
        Plan(DeCLUTRConfig(), encoder=TextConfig()),
        Plan(MoCoConfig(), data=documents, encoder=TextConfig()),
        Plan(MoCoConfig(), encoder=TextConfig()),
        replace(preset("small", "declutr"), beside=(SimCLRConfig(),)),
        replace(preset("small", "moco"), beside=(DeCLUTRConfig(),)),
        replace(preset("small", "cpr"), base=DeCLUTRConfig()),
    ):
        with pytest.raises(ConfigError) as caught:
            plan.recipe()
        assert caught.value.hint


@pytest.mark.parametrize("option", ["transforms", "beside", "base", "clip.frames", "temporal"])
def test_what_is_of_clips_is_no_option_of_text(refused, corpus, tmp_path, option):
    error = refused("pretrain", "declutr", corpus, "--out", tmp_path / "run", f"--{option}", "moco", status=2)
    assert option in error["message"]


def test_spans_longer_than_the_models_positions(refused, corpus, tmp_path):
    command = ["pretrain", "declutr", corpus, "--out", tmp_path / "run", "--method.max_length"]
    error = refused(*command, 127, status=2)
    assert "129 tokens" in error["message"]
    assert "128 positions" in error["message"]
    assert "encoder.positions to 129" in error["hint"]
    with pytest.raises(ConfigError, match="31 positions"):
        kinema.pretrain("simcse", corpus, tmp_path / "run", encoder={"positions": 31})


def test_a_tokenizer_larger_than_the_network(refused, corpus, tmp_path):
    error = refused("pretrain", "simcse", corpus, "--out", tmp_path / "run", "--vocabulary", 9000, status=2)
    assert "9000 tokens" in error["message"]
    assert "8192 rows" in error["message"]
    assert "encoder.vocabulary" in error["hint"]


@pytest.fixture
def published(tmp_path):
    """A folder of transformers: a BERT of 300 tokens and 24 positions."""
    library_model("bert").save_pretrained(tmp_path / "published")
    tokenizer().write(tmp_path / "published/tokenizer.json")
    return tmp_path / "published"


def test_a_tokenizer_that_does_not_fit_the_weights(refused, corpus, published, tmp_path):
    words = [f"{first}{second}{third}" for first in "abcdefghij" for second in "klmnopqrst" for third in "uvwxyz"]
    other = tokenizer().learn([" ".join(words)] * 2, 500)
    assert other.size > 300
    other.write(tmp_path / "other.json")
    options = ["--weights", published, "--method.max_length", 20]
    command = ["pretrain", "declutr", corpus, "--out", tmp_path / "run", *options]
    error = refused(*command, "--tokenizer", tmp_path / "other.json", status=2)
    assert f"{other.size} tokens" in error["message"]
    assert "300 rows" in error["message"]
    assert "nowhere.json" in refused(*command, "--tokenizer", tmp_path / "nowhere.json")["message"]
    (tmp_path / "broken.json").write_text("{}")
    assert "broken.json" in refused(*command, "--tokenizer", tmp_path / "broken.json")["message"]


def test_spans_longer_than_the_positions_of_weights(refused, corpus, published, tmp_path):
    command = ["pretrain", "declutr", corpus, "--out", tmp_path / "run", "--weights", published]
    error = refused(*command, "--method.max_length", 23, status=2)
    assert "25 tokens" in error["message"]
    assert "24 positions" in error["message"]


def test_weights_of_another_modality(refused, corpus, video_run, videos, runs, tmp_path):
    tower = next(video_run.rglob("tower-rgb.safetensors"))
    error = refused("pretrain", "declutr", corpus, "--out", tmp_path / "run", "--weights", tower)
    assert str(tower) in error["message"] or "encoder" in error["message"]
    text = next(runs["declutr"].folder.rglob("tower-text.safetensors"))
    error = refused("pretrain", "moco", videos, "--out", tmp_path / "run", "--weights", text)
    assert error["kind"] in ("checkpoint", "config")


@pytest.mark.parametrize("protocol", ["retrieval", "knn", "linear", "few-label", "mining", "diagnostics"])
def test_a_run_on_documents_for_a_protocol_of_video(refused, runs, videos, protocol):
    error = refused("evaluate", protocol, runs["declutr"].folder, videos, status=2)
    assert f"{protocol} measures encoders of video" in error["message"]
    assert "one of text" in error["message"]
    assert "sts" in error["hint"]


@pytest.mark.parametrize("protocol", ["sts", "transfer"])
def test_a_run_on_videos_for_a_protocol_of_sentences(refused, video_run, tmp_path, protocol):
    (tmp_path / "pairs.csv").write_text("sentence1,sentence2,score\na river,a stone,1\na light,light,5\none,two,0\n")
    error = refused("evaluate", protocol, video_run, tmp_path / "pairs.csv", status=2)
    assert f"{protocol} measures encoders of text" in error["message"]
    assert "retrieval" in error["hint"]


def test_pairs_that_are_none(refused, runs, corpus, tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for place in (tmp_path / "table.csv", corpus, tmp_path / "nowhere.csv"):
        assert str(place) in refused("evaluate", "sts", runs["declutr"].folder, place)["message"]


GONE = {
    "a method": lambda recipe: recipe["phases"][0]["method"].update(name="declutr-2019"),
    "a setting": lambda recipe: recipe["phases"][0]["method"].update(declutr_2019=3),
    "data": lambda recipe: recipe["data"].update(name="declutr-2019"),
    "a network": lambda recipe: recipe["encoder"].update(name="declutr-2019"),
    "a disturbance": lambda recipe: recipe["phases"][0].update(disturb=[{"name": "declutr-2019"}]),
}


@pytest.fixture
def old(runs, tmp_path):
    """A run whose recipe is changed."""

    def made(change):
        run = shutil.copytree(runs["declutr"].folder, tmp_path / "old", dirs_exist_ok=True)
        recipe = json.loads((run / "recipe.json").read_text())
        change(recipe)
        (run / "recipe.json").write_text(json.dumps(recipe))
        return run

    return made


@pytest.mark.parametrize("change", GONE.values(), ids=GONE)
def test_an_old_run_whose_recipe_names_what_is_gone(refused, old, corpus, tmp_path, change):
    run = old(change)
    (tmp_path / "pairs.csv").write_text("sentence1,sentence2,score\na river,a stone,1\na light,light,5\none,two,0\n")
    for command in (
        ("evaluate", "sts", run, tmp_path / "pairs.csv"),
        ("pretrain", "declutr", corpus, "--out", run, "--resume"),
        ("export", run, "-o", tmp_path / "export"),
    ):
        error = refused(*command)
        assert "declutr" in error["message"].replace("'declutr'", "").replace("declutr_2019", "declutr-2019")
        assert "recipe.json" in error["message"]
        assert "version of kinema" in error["hint"]
    with pytest.raises(ConfigError, match=r"declutr.2019"):
        kinema.load(run)


def test_a_recipe_that_is_no_object(old):
    run = old(lambda _: None)
    for damaged in ("[1, 2]", "{broken", ""):
        (run / "recipe.json").write_text(damaged)
        with pytest.raises(RunError, match=r"recipe\.json"):
            kinema.load(run)


def test_a_run_without_its_tokenizer(old):
    run = old(lambda _: None)
    (run / "tokenizer.json").unlink()
    with pytest.raises(RunError, match=r"no tokenizer\.json"):
        kinema.load(run)


@pytest.mark.parametrize(
    ("items", "named"),
    [
        (3, "type int"),
        (None, "None"),
        ([VIDEO.read_bytes()], "type bytes"),
        (VIDEO, "path"),
        ([str(VIDEO)], "path of a video"),
        (["a river", 3], "Item 1"),
        (np.zeros((2, 3)), r"\(2, 3\)"),
    ],
)
def test_what_is_no_sentence_is_named(runs, items, named):
    with pytest.raises(UsageError, match=named) as caught:
        runs["declutr"].model.encode(items)
    assert "a list of sentences" in caught.value.hint


def test_a_view_that_a_run_on_documents_has_not(runs):
    with pytest.raises(RunError, match="no encoder of 'rgb'; it trains: text"):
        kinema.load(runs["declutr"].folder, view="rgb")


def test_going_on_with_other_data_or_another_method(refused, runs, corpus, tmp_path):
    run = runs["declutr"].folder
    assert "declutr" in refused("pretrain", "simcse", corpus, "--out", run, "--resume")["message"]
    other = write_corpus(tmp_path / "other", 6)
    assert "changed" in refused("pretrain", "declutr", other, "--out", run, "--resume")["message"]
    assert "epochs" in refused("pretrain", "declutr", corpus, "--out", run, "--resume", "--epochs", 9)["message"]

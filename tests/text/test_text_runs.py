"""Whole runs on documents: what a run keeps, going on where it was stopped, embeddings, and the command line."""

import json
import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch
from recording import stopped
from tiny_runs import assert_same_run
from tiny_texts import library_model, tokenizer

import kinema
from kinema.api.run import Run
from kinema.api.settings import PretrainSettings
from kinema.data.documents import read_documents
from kinema.recipes.changes import fields_of_data
from kinema.recipes.json import recipe_from_plain
from kinema.recipes.table import METHODS, preset
from kinema.training.checkpoints import read_tower
from kinema.training.run_folder import RunFolder

METHODS_OF_TEXT = ("declutr", "simcse")
SENTENCES = ["A river of light.", "", "Winter garden and silver morning, " * 40, "Zebra 42!"]

every_method = pytest.mark.parametrize("name", METHODS_OF_TEXT)


def one_object(out):
    value = json.loads(out)
    assert isinstance(value, dict)
    assert out.count("\n") == 1
    return value


@every_method
def test_a_run_keeps_all_that_it_needs(runs, name):
    run = runs[name]
    assert isinstance(run, Run)
    assert (run.epochs, run.steps) == (3, 9), "three batches an epoch, in every epoch"
    assert run.seconds > 0
    assert run.loss > 0
    phase = run.folder / "phases" / f"01-{name}-text"
    written = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    of_phase = {f"phases/{phase.name}/{file}" for file in ("checkpoint.pt", "metrics.jsonl", "phase.json")}
    assert written >= {"recipe.json", "environment.json", "manifest.parquet", "status.json", "tokenizer.json"}
    assert written >= {"left_out.json", f"phases/{phase.name}/tower-text.safetensors"} | of_phase
    folder = RunFolder.open(run.folder)
    assert folder.read("status.json")["state"] == "done"
    assert folder.read("left_out.json") == {"videos": 0, "reasons": {}}
    rows = [row for row in folder.metrics(phase) if row["event"] == "epoch"]
    assert [row["step"] for row in rows] == [3, 6, 9]
    state = read_tower(phase / "tower-text.safetensors")
    assert {key.partition(".")[0] for key in state} == {"encoder", "language_head" if name == "declutr" else "head"}


@every_method
def test_the_recipe_of_a_run_reads_as_the_plan(runs, name, plan_of):
    plain = RunFolder.open(runs[name].folder).read("recipe.json")
    assert recipe_from_plain(plain) == plan_of(name).recipe()
    assert (plain["view"], plain["data"]["name"], plain["encoder"]["name"]) == ("text", "documents", "bert")


@every_method
@pytest.mark.parametrize("saves", [2, 6])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(runs, name, saves, plan_of, corpus, text_cache, tmp_path):
    table = read_documents(corpus)
    broken = tmp_path / "broken"
    stopped(plan_of(name), table, broken, text_cache, saves)
    assert RunFolder.open(broken).read("status.json")["state"] != "done"
    assert not list(broken.glob("phases/*/phase.json"))
    resumed = kinema.pretrain(name, table, broken, cache=text_cache, device="cpu", resume=True, logger="none")
    assert (resumed.steps, resumed.loss) == (runs[name].steps, runs[name].loss)
    assert_same_run(runs[name].folder, broken)


def test_the_seed_decides_and_the_cache_does_not(runs, plan_of, corpus, tmp_path):
    options = {"device": "cpu", "logger": "none"}
    again = kinema.pretrain(plan_of("declutr"), corpus, tmp_path / "again", cache=tmp_path / "cache", **options)
    assert_same_run(runs["declutr"].folder, again.folder)
    settings = {"epochs": 3, "batch_size": 4, "seed": 1, "vocabulary": 128, "collapse_rank": 0.0}
    settings |= {"encoder": {"width": 32, "vocabulary": 128}, "cache": tmp_path / "cache"}
    other = kinema.pretrain("declutr", corpus, tmp_path / "other", **settings, **options)
    assert other.loss != again.loss


@every_method
def test_sentences_are_encoded(runs, name):
    model = kinema.load(runs[name].folder)
    assert (model.view, model.dim, model.name) == ("text", 32, name)
    z = model.encode(SENTENCES)
    assert (z.dtype, z.shape) == (np.float32, (4, 32))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert np.array_equal(runs[name].model.encode(SENTENCES), z)
    alone = model.encode(SENTENCES[0])
    assert alone.shape == (32,)
    np.testing.assert_allclose(alone, z[0], atol=1e-5)
    np.testing.assert_allclose(model.encode(SENTENCES[::-1], batch_size=1), z[::-1], atol=1e-5)
    assert model.encode([]).shape == (0, 32)
    assert np.array_equal(model.encode(SENTENCES), z), "dropout is off"
    untrained = kinema.load(runs[name].folder, untrained=True)
    assert untrained.name == "random"
    assert not np.allclose(untrained.encode(SENTENCES), z, atol=1e-2)


def test_a_run_of_the_command_line(call, corpus, small, text_cache, tmp_path):
    out = tmp_path / "run"
    command = ["pretrain", "declutr", corpus, "--out", out, *small, "--cache", text_cache, "--json"]
    status, told, err = call(*command)
    assert status == 0, err
    found = one_object(told)
    assert list(found) == ["run", "method", "epochs", "steps", "seconds", "loss"]
    assert (found["run"], found["method"], found["epochs"], found["steps"]) == (str(out), "declutr", 1, 3)
    assert found["loss"] > 0
    assert "documents/s" in err
    assert "clip" not in err
    assert kinema.load(out).encode(["a river"]).shape == (1, 32)
    status, told, _ = call(*command)
    assert status == 1
    assert "exists" in one_object(told)["error"]["message"]


@every_method
def test_a_run_starts_from_the_weights_of_a_folder_and_takes_its_sizes(call, corpus, text_cache, tmp_path, name):
    published = tmp_path / "published"
    library = library_model("bert")
    library.save_pretrained(published)
    tokenizer().write(published / "tokenizer.json")
    command = ["pretrain", name, corpus, "--out", tmp_path / "run", "--weights", published, "--cache", text_cache]
    command += ["--epochs", 1, "--method.max_length", 20, "--logger", "none", "--device", "cpu", "--json"]
    status, _, err = call(*command)
    assert status == 0, err
    encoder = RunFolder.open(tmp_path / "run").read("recipe.json")["encoder"]
    sizes = (encoder["name"], encoder["width"], encoder["vocabulary"], encoder["positions"])
    assert sizes == ("transformers", 32, 300, 24)
    shutil.rmtree(published)
    model = kinema.load(tmp_path / "run")
    assert model.tokenizer == tokenizer()
    assert model.encode(SENTENCES).shape == (4, 32)
    learnt, began = (dict(each.named_parameters()) for each in (model.tower.encoder.network, library.base_model))
    words = "embeddings.word_embeddings.weight"
    assert not torch.equal(learnt[words], began[words])
    torch.testing.assert_close(learnt[words], began[words], atol=0.02, rtol=0)


def test_the_next_step_is_one_for_documents(call, corpus, small, text_cache, tmp_path):
    status, told, err = call("pretrain", "simcse", corpus, "--out", tmp_path / "run", *small, "--cache", text_cache)
    assert status == 0, err
    assert f"Next: {METHODS['simcse'].next_step.format(run=tmp_path / 'run', data=corpus)}" in told
    assert "retrieval" not in told


def test_a_table_of_documents_feeds_it(call, corpus, small, text_cache, tmp_path):
    lines = [json.dumps({"text": file.read_text(), "label": file.parent.name}) for file in corpus.rglob("*.txt")]
    (tmp_path / "documents.jsonl").write_text("\n".join(lines))
    command = ["pretrain", "simcse", tmp_path / "documents.jsonl", "--out", tmp_path / "run", *small, "--json"]
    status, told, err = call(*command, "--cache", text_cache, "--where", "label=even")
    assert status == 0, err
    assert one_object(told)["steps"] == 2, "five documents in batches of four"


@every_method
def test_a_dry_run_writes_nothing(call, name, corpus, small, tmp_path):
    command = ["pretrain", name, corpus, "--out", tmp_path / "run", *small, "--cache", tmp_path / "cache"]
    status, told, err = call(*command, "--dry-run", "--json")
    assert status == 0, err
    found = one_object(told)
    assert (found["method"], found["videos"], found["batch_size"], found["steps"]) == (name, 10, 4, 3)
    (phase,) = found["phases"]
    assert (phase["name"], phase["trains"], phase["steps_per_epoch"]) == (f"{name}-text", ["text"], 3)
    assert phase["seconds"] > 0
    assert list(tmp_path.iterdir()) == []
    status, told, _ = call(*command, "--dry-run")
    assert status == 0
    assert "10 documents" in " ".join(told.split()), "wherever a narrow terminal breaks the line"


def test_methods_names_every_method(call):
    status, told, _ = call("pretrain", "--list", "--json")
    rows = {row["name"]: row for row in one_object(told)["methods"]}
    assert status == 0
    assert list(rows) == list(METHODS)
    assert all(rows[name]["modalities"] == ["text"] for name in METHODS_OF_TEXT)


@every_method
def test_help_speaks_of_documents(call, name):
    status, told, _ = call("pretrain", name, "--help-all")
    assert status == 0
    words = told.replace("clip_norm", "").replace("CLIP_NORM", "").lower()
    assert [word for word in ("clip", "video", "motion", "transform ", "--sound", "--base") if word in words] == []
    assert all(f"--{option}" in told for option in ("tokenizer", "vocabulary", "repeats", "method.temperature"))
    assert "column 'text'" in told


@pytest.mark.parametrize("name", ["moco", "declutr"])
def test_an_editor_completes_every_setting_of_a_plan_and_its_data(name):
    plan = preset("small", name)
    own = {field.name for field in fields(plan)} - {"method", "data"}
    assert {*own, *fields_of_data(plan)} <= PretrainSettings.__annotations__.keys()


def test_the_documentation_of_python_is_a_corpus(call, tmp_path):
    status, told, _ = call("dataset", "pydoc", tmp_path / "docs", "--json")
    found = one_object(told)
    assert status == 0
    assert {"data", "documents", "words", "python", "digest", "seconds"} == found.keys()
    status, told, _ = call("scan", tmp_path / "docs", "--json")
    scanned = one_object(told)
    assert status == 0
    assert scanned["documents"] == scanned["ok"] == found["documents"] > 100
    assert scanned["words"]["total"] == found["words"]


def test_a_scan_tells_what_is_there(call, corpus, tmp_path):
    (tmp_path / "texts").mkdir()
    for file in corpus.rglob("*.txt"):
        (tmp_path / "texts" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "texts/empty.txt").write_text(" ")
    (tmp_path / "texts/broken.txt").write_bytes(b"caf\xe9 au lait with \xff milk")
    (tmp_path / "texts/short.txt").write_text("too short")
    (tmp_path / "texts/twin.txt").write_bytes((corpus / "even/2.txt").read_bytes())
    status, told, _ = call("scan", tmp_path / "texts", "--json")
    found = one_object(told)
    assert status == 0
    counts = {key: found[key] for key in ("documents", "ok", "empty", "short", "duplicate", "unreadable")}
    assert counts == {"documents": 14, "ok": 10, "empty": 1, "short": 1, "duplicate": 1, "unreadable": 1}
    named = {health: [each["id"] for each in of["first"]] for health, of in found["problems"].items()}
    expected = {"unreadable": "broken", "duplicate": "twin", "short": "short", "empty": "empty"}
    assert named == {health: [f"{name}.txt"] for health, name in expected.items()}

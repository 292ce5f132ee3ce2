"""Searches that really train: killed and resumed, by one worker or two, by Ray; and what they leave."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import assert_same_run, tiny_plan

import kinema
from kinema import api, cli
from kinema.api.evolution import evolve, settings_file
from kinema.cli.pretrain import _pretraining
from kinema.core.errors import RunError, UsageError
from kinema.evolving.history import SearchFolder
from kinema.evolving.run import EvolveConfig
from kinema.recipes.changes import changed
from kinema.recipes.table import preset

SCRIPT = Path(__file__).with_name("killed_evolve.py")
CONFIG = EvolveConfig("tournament", candidates=4, population=3, epochs=1, k=3)
PLAN = tiny_plan("elo", method={"others": ("motion",)}, epochs=2)


def judged(history):
    return [replace(each, seconds=0.0) for each in history]


@pytest.fixture(scope="module")
def searched(tiny_manifest, tiny_cache, tmp_path_factory):
    """One search without an interruption, by two workers."""
    out = tmp_path_factory.mktemp("evolve") / "whole"
    return evolve(tiny_manifest, out, config=CONFIG, preset=PLAN, workers=2, cache=tiny_cache, device="cpu", keep=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_and_resumed_by_one_worker_equals_uninterrupted_by_two(searched, tiny_folder, tiny_cache, tmp_path):
    command = [sys.executable, str(SCRIPT), str(tiny_folder), str(tmp_path / "s"), str(tiny_cache), "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[1]), *filter(None, sys.path)])}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list((tmp_path / "s/candidates").glob("*.json"))) == 2
    assert not (tmp_path / "s/best.json").exists()
    again = evolve(
        tiny_folder, tmp_path / "s", config=CONFIG, preset=PLAN, workers=1, resume=True, cache=tiny_cache, device="cpu"
    )
    assert judged(again.history) == judged(searched.history)
    assert again.best.number == searched.best.number
    assert (tmp_path / "s/best.json").read_text() == searched.config.read_text()


@pytest.fixture
def one_thread():
    """Threads of torch as a candidate has them: its sums depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(CONFIG.threads)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("one_thread")
def test_what_a_search_leaves(searched, tiny_manifest, tiny_cache, tmp_path):
    assert all(each.fitness is not None for each in searched.history), [each.reason for each in searched.history]
    assert searched.best.fitness == min(each.fitness for each in searched.history)
    assert len({each.fitness for each in searched.history}) == 4
    assert not (searched.out / "work").exists()
    told = json.loads((searched.out / "history.json").read_text())
    assert told["best"]["fitness"] == searched.best.fitness
    assert len((searched.out / "history.csv").read_text().splitlines()) == 5
    assert (searched.out / "chart.svg").read_text().startswith("<svg")
    kept = searched.out / "runs" / f"{searched.best.number:04d}"
    assert api.load(kept).name == "elo"
    anew = replace(PLAN, epochs=1, method=replace(PLAN.method, weights=searched.weights, rest=0.0))
    api.pretrain(anew, tiny_manifest, tmp_path / "anew", cache=tiny_cache, device="cpu", logger="none")
    assert_same_run(kept, tmp_path / "anew")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_searches_do_not_share_a_folder(searched, tiny_manifest, tiny_cache):
    settings = {"config": CONFIG, "preset": PLAN, "cache": tiny_cache, "device": "cpu", "resume": True}
    with SearchFolder(searched.out).held():
        (searched.out / "work").mkdir()  # of the search that is under way
        with pytest.raises(RunError, match=rf"Another process \(number {os.getpid()}\) is searching in"):
            evolve(tiny_manifest, searched.out, **settings)
        assert (searched.out / "work").is_dir()
    assert evolve(tiny_manifest, searched.out, **settings).best.number == searched.best.number


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_line_and_its_settings_file(tiny_folder, tiny_cache, tmp_path, capsys):
    size = {"clip.frames": 4, "clip.stride": 1, "clip.size": 16, "clip.short_side": 16, "encoder.width": 4}
    size |= {"batch_size": 4, "collapse_rank": 0, "cache": tiny_cache, "device": "cpu", "epochs": 1}
    small = [word for name, value in size.items() for word in (f"--{name}", str(value))]
    search = ["--search", "equal", "--k", "3", "--candidate-epochs", "1", "--method.others", "[motion]", "--finish"]
    with pytest.raises(SystemExit) as left:
        cli.main(["evolve", str(tiny_folder), "--out", str(tmp_path / "s"), *search, *small, "--json"])
    out = capsys.readouterr().out
    assert left.value.code == 0
    told = json.loads(out)
    assert (told["candidates"], told["failed"], set(told["best"]["weights"].values())) == (1, 0, {1.0})
    assert kinema.load(told["run"]).name == "elo"
    run = ["--out", str(tmp_path / "r"), "--config", told["config"], "--cache", str(tiny_cache), "--device", "cpu"]
    with pytest.raises(SystemExit) as left:
        cli.main(["pretrain", "elo", str(tiny_folder), *run])
    assert left.value.code == 0
    assert_same_run(tmp_path / "r", Path(told["run"]))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_finds_what_processes_find(searched, tiny_manifest, tiny_cache, tmp_path):
    pytest.importorskip("ray", reason="Ray needs the extra kinema[ray]")
    found = evolve(
        tiny_manifest,
        tmp_path / "s",
        config=CONFIG,
        preset=PLAN,
        workers=2,
        engine="ray",
        cache=tiny_cache,
        device="cpu",
    )
    assert judged(found.history) == judged(searched.history)


def test_the_settings_file_is_read_as_the_plan_it_was_made_of(tmp_path):
    plan = preset("small", "elo")
    chosen = replace(
        plan, method=replace(plan.method, weights={"rgb.order": 0.25, "rgb-motion.transfer": 1.0}, rest=0.0)
    )
    file = tmp_path / "best.json"
    file.write_text(json.dumps(settings_file(chosen)))
    _, settings = _pretraining("elo", "small", ["videos", "--out", "run", "--config", str(file)])
    assert settings["method_settings"].items() >= {"weights": dict(chosen.method.weights), "rest": 0.0}.items()
    assert not {"epochs", "clip", "transform", "encoder", "optimiser"} & set(settings)
    assert changed(plan, {"method_settings": settings["method_settings"]}) == chosen
    assert api.encoder_name(chosen.recipe().phases[0].method) == "elo"


def test_weights_cannot_be_given_to_the_search_for_them(tiny_manifest, tmp_path):
    for method in ({"rest": 0.5}, {"weights": {"rgb.order": 1.0}}):
        plan = replace(PLAN, method=replace(PLAN.method, **method))
        with pytest.raises(UsageError, match="what is searched for"):
            evolve(tiny_manifest, tmp_path / "s", config=CONFIG, preset=plan)
    assert not (tmp_path / "s").exists()

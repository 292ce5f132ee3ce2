"""Where the curves go: by name, without the network, and never at the cost of a training."""

import json
import logging
import sys
import types

import pytest
from tiny_runs import rows, tiny_plan, towers

from kinema import api
from kinema.core.errors import MissingExtraError, TrainingError, UsageError
from kinema.training import loggers

PLAN = tiny_plan(epochs=2)


class StandIn:
    """A run of W&B and a client of MLflow that write down how they were asked and what they were told."""

    def __init__(self, **settings):
        self.settings, self.metrics, self.ended = settings, [], 0

    def define_metric(self, name, **settings):
        pass

    def log(self, figures):
        self.metrics.append(figures)

    def finish(self):
        self.ended += 1

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        self.settings["experiment"] = name
        return "7"

    def create_run(self, experiment, run_name):
        self.settings |= {"number": experiment, "name": run_name}
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id="r"))

    def log_batch(self, run, metrics):
        self.metrics += metrics

    def set_terminated(self, run):
        self.ended += 1


@pytest.fixture
def told(monkeypatch):
    """The packages of W&B and MLflow replaced by ones that give stand-ins; the stand-ins that were given."""
    asked = []

    def given(**settings):
        asked.append(StandIn(**settings))
        return asked[-1]

    modules = {
        "wandb": {"init": given},
        "mlflow": {},
        "mlflow.tracking": {"MlflowClient": lambda address: given(tracking_uri=address)},
        "mlflow.entities": {"Metric": lambda *values: values},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(loggers, "find_spec", lambda name: object())
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_ERROR_REPORTING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.delenv(name, raising=False)
    return asked


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_extra_is_named_before_anything_is_written(name, tiny_manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda wanted: None)
    with pytest.raises(MissingExtraError, match=f"package '{name}'") as caught:
        api.pretrain(PLAN, tiny_manifest, tmp_path / "run", logger=name, cache=tmp_path / "cache")
    assert f"kinema[{name}]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_lists_those_there_are(tiny_manifest, tmp_path):
    with pytest.raises(UsageError, match="no logger 'tensorbored'") as caught:
        api.pretrain(PLAN, tiny_manifest, tmp_path / "run", logger="tensorbored")
    assert all(name in caught.value.hint for name in loggers.LOGGERS)
    assert list(tmp_path.iterdir()) == []


def test_a_logger_changes_no_result(tiny_manifest, tiny_cache, tmp_path):
    for name in ("tensorboard", "none"):
        api.pretrain(PLAN, tiny_manifest, tmp_path / name, logger=name, cache=tiny_cache)
    assert list((tmp_path / "tensorboard/tensorboard").rglob("events.*"))
    assert not (tmp_path / "none/tensorboard").exists()
    one, other = (towers(tmp_path / name) for name in ("tensorboard", "none"))
    assert all((one[file][key] == other[file][key]).all() for file in one for key in one[file])
    assert rows(tmp_path / "tensorboard") == rows(tmp_path / "none")
    recipes = [(tmp_path / name / "recipe.json").read_text() for name in ("tensorboard", "none")]
    assert recipes[0] == recipes[1]
    assert "logger" not in recipes[0]


def test_wandb_is_offline_unless_the_user_says_otherwise(told, tmp_path, monkeypatch):
    loggers.open_logger("wandb", tmp_path, "cpr-rgb")
    assert told[0].settings["mode"] == "offline"
    assert told[0].settings["dir"] == str(tmp_path.resolve())
    assert loggers.os.environ["WANDB_ERROR_REPORTING"] == "false"
    monkeypatch.setenv("WANDB_MODE", "online")
    loggers.open_logger("wandb", tmp_path, "cpr-rgb")
    assert "mode" not in told[1].settings


def test_mlflow_writes_into_the_run_unless_the_user_says_otherwise(told, tmp_path, monkeypatch):
    loggers.open_logger("mlflow", tmp_path, "cpr-rgb")
    assert told[0].settings["tracking_uri"] == (tmp_path.resolve() / "mlruns").as_uri()
    assert loggers.os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    loggers.open_logger("mlflow", tmp_path, "cpr-rgb")
    assert told[1].settings["tracking_uri"] == "http://localhost:5000"


def test_each_phase_has_its_own_and_is_ended(told, tiny_manifest, tiny_cache, tmp_path):
    api.pretrain(tiny_plan("cpr", epochs=4), tiny_manifest, tmp_path / "run", logger="wandb", cache=tiny_cache)
    phases = [path.name[3:] for path in sorted((tmp_path / "run/phases").iterdir())]
    assert len(phases) == 3
    assert [logger.settings["name"] for logger in told] == [f"run · {phase}" for phase in phases]
    assert [logger.ended for logger in told] == [1, 1, 1]
    for phase, logger in zip(phases, told, strict=True):
        assert all(name.startswith((f"{phase}/", "trainer/")) for figures in logger.metrics for name in figures)
    last = rows(tmp_path / "run")[-1]
    assert told[-1].metrics[-1][f"{phases[-1]}/loss"] == last["loss"]
    assert told[-1].metrics[-1]["trainer/global_step"] == last["step"]


def test_mlflow_is_told_every_figure_at_its_step(told, tiny_manifest, tiny_cache, tmp_path):
    api.pretrain(PLAN, tiny_manifest, tmp_path / "run", logger="mlflow", cache=tiny_cache)
    (logger,) = told
    assert (logger.settings["experiment"], logger.settings["name"], logger.ended) == ("run", "moco-rgb", 1)
    losses = [(value, step) for name, value, _, step in logger.metrics if name == "moco-rgb/loss"]
    assert losses[-1] == (rows(tmp_path / "run")[-1]["loss"], rows(tmp_path / "run")[-1]["step"])


def test_a_logger_that_fails_costs_its_curves_alone(told, tiny_manifest, tiny_cache, tmp_path, monkeypatch, caplog):
    def refuse(self, run, metrics):
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(StandIn, "log_batch", refuse)
    with caplog.at_level(logging.WARNING):
        api.pretrain(PLAN, tiny_manifest, tmp_path / "run", logger="mlflow", cache=tiny_cache)
    assert [r.getMessage() for r in caplog.records if "the server is gone" in r.getMessage()] == [
        "The logger failed and is left alone; metrics.jsonl has every figure: the server is gone"
    ]
    assert len([row for row in rows(tmp_path / "run") if row["event"] == "epoch"]) == 2


def test_a_logger_that_does_not_start_is_told_in_our_words(told, tiny_manifest, tiny_cache, tmp_path, monkeypatch):
    def refuse(address):
        raise RuntimeError("no such\nserver")

    monkeypatch.setattr(sys.modules["mlflow.tracking"], "MlflowClient", refuse)
    with pytest.raises(TrainingError, match="'mlflow' could not be started: no such server"):
        api.pretrain(PLAN, tiny_manifest, tmp_path / "run", logger="mlflow", cache=tiny_cache)
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "failed"
    api.pretrain("moco", tiny_manifest, tmp_path / "run", logger="none", resume=True, cache=tiny_cache)
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "done"

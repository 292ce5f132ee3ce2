"""Methods on top of one another, as they are typed."""

import json

import pytest
from tiny_commands import SMALL

from kinema.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def cache(tiny_cache):
    return ["--cache", tiny_cache]


def recipe_of(run):
    return RunFolder.open(run).read("recipe.json")


def test_transforms_a_base_and_a_loss_beside(call, tiny_folder, cache, tmp_path):
    run = tmp_path / "run"
    on_top = ["--transforms", "iic", "static-frame", "--base", "be", "--beside", "be-regulariser"]
    more = ["--beside-weights", "[0.5]", "--method.guide", "residual"]
    status, out, err = call("pretrain", "cpr", tiny_folder, "--out", run, *SMALL, *cache, *on_top, *more, "--json")
    assert status == 0, err
    told = recipe_of(run)
    assert [phase["name"] for phase in told["phases"]] == ["be-rgb", "infonce-residual", "cpr-rgb"]
    assert [phase["method"]["name"] for phase in told["phases"]] == ["joined", "moco", "joined"]
    assert told["phases"][2]["method"]["weights"] == [0.5]
    assert [each["name"] for each in told["data"]["transform"]["disturb"]] == ["broken-motion", "static-frame"]
    assert [each["name"] for each in told["phases"][2]["disturb"]] == ["static-frame", "elsewhere"]
    assert told["phases"][0]["method"]["method"]["queue"] == 8
    assert (told["name"], told["data"]["temporal"]) == ("cpr", 0.0)
    terms = [row for path in RunFolder.open(run).phases() for row in RunFolder.open(run).metrics(path)]
    assert {row["phase"] for row in terms} == {"be-rgb", "infonce-residual", "cpr-rgb"}
    status, out, err = call("pretrain", "cpr", tiny_folder, "--out", run, "--resume", *cache, "--json")
    assert status == 0, err
    status, out, err = call("evaluate", "mining", run, tiny_folder, *cache, "--json")
    assert status == 0, err
    status, out, err = call("evaluate", "retrieval", run, tiny_folder, *cache, "--json")
    assert (status, json.loads(out)["encoder"]) == (0, "cpr+be-regulariser"), err


@pytest.mark.parametrize("name", ["be", "dsm"])
def test_be_and_dsm_train_by_name(name, call, tiny_folder, cache, tmp_path):
    small = [*SMALL[:14], *SMALL[-4:], "--method.queue", "8"]
    status, _, err = call("pretrain", name, tiny_folder, "--out", tmp_path / "run", *small, *cache, "--json")
    assert status == 0, err
    assert recipe_of(tmp_path / "run")["data"]["temporal"] == 0.0
    status, out, err = call("evaluate", "retrieval", tmp_path / "run", tiny_folder, *cache, "--json")
    assert (status, json.loads(out)["encoder"]) == (0, name), err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("moco", "--transforms", "be", "bee"), "no transform 'bee'"),
        (("moco", "--base", "be"), "unrecognized arguments: --base be"),
        (("cpr", "--base", "supervised"), "'supervised' cannot be the base"),
        (("moco", "--beside", "cpr"), "'cpr' cannot stand beside"),
        (("be-regulariser",), "learns nothing by itself"),
        (("supervised", "--transforms", "iic"), "compares with no negatives"),
        (("cpr-bank", "--method.stages", "1", "--transforms", "dsm"), "takes 1"),
        (("moco", "--beside", "be-regulariser", "--beside-weights", "[1, 2]"), "2 weights for 1 methods"),
    ],
)
def test_errors_name_what_is_wrong(arguments, named, call, tiny_folder, tmp_path):
    method, *more = arguments
    status, out, _ = call("pretrain", method, tiny_folder, "--out", tmp_path / "run", *more, "--json")
    assert status == 2
    assert named in json.loads(out)["error"]["message"]
    assert not (tmp_path / "run").exists()

"""Completion of a shell, asked as a shell asks it, and the name that was meant by a mistyped one."""

import os
import shutil
import subprocess
import sys

import pytest

from kinema.cli import VERBS
from kinema.cli.completion import SCRIPTS, candidates
from kinema.recipes.table import METHODS


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["pretr"], ["pretrain"]),
        (["--c"], ["--completion"]),
        (["--completion", ""], ["bash", "zsh", "fish"]),
        (["pretrain", "cp"], ["cpr", "cpr-bank"]),
        (["pretrain", "cpr", "videos", "--method.gu"], ["--method.guide"]),
        (["pretrain", "cpr", "videos", "--clips-per"], ["--clips_per_video"]),
        (["pretrain", "cpr", "--preset", ""], ["small", "paper"]),
        (["pretrain", "cpr", "--device", "cu"], ["cuda", "cuda:1"]),
        (["pretrain", "moco", "--optimiser.name", "adam"], ["adam", "adamw"]),
        (["evaluate", "retr"], ["retrieval"]),
        (["dataset", "mocap-w"], ["mocap-words"]),
        (["search", "run", "clip.mp4", "--wh"], ["--where"]),
        (["search", "ru"], []),
        (["nonsense", ""], []),
    ],
)
def test_what_may_come_next(words, found):
    assert candidates(words) == found


def test_every_verb_and_method_is_offered():
    assert candidates([""]) == list(VERBS)
    assert candidates(["pretrain", ""]) == ["auto", *METHODS]
    for verb in VERBS:
        words = [verb, *candidates([verb, ""])[:1]] if verb in ("pretrain", "evaluate", "dataset") else [verb]
        assert "--json" in candidates([*words, "--"]), verb


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_by_the_script_that_it_sources(tmp_path):
    (tmp_path / "kinema").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from kinema.cli import main; main()" "$@"\n'
    )
    (tmp_path / "kinema").chmod(0o755)
    (tmp_path / "clip.mp4").touch()
    asked = """
    source <(kinema --completion bash)
    complete -p kinema
    ask() { COMP_WORDS=(kinema "$@"); COMP_CWORD=$#; COMPREPLY=(); _kinema; echo "${COMPREPLY[*]}"; }
    ask seg
    ask pretrain simc
    ask pretrain cpr data --method.gui
    ask motion cl
    """
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        ["bash", "--norc", "-c", asked], capture_output=True, text=True, env=os.environ | path, cwd=tmp_path, check=True
    )
    assert run.stdout.splitlines() == [
        "complete -F _kinema kinema", "segment", "simclr simcse", "--method.guide", "clip.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize("shell", SCRIPTS)
def test_each_shell_has_a_script_that_it_can_read(call, shell, tmp_path):
    status, out, err = call("--completion", shell)
    assert (status, err) == (0, "")
    assert "kinema --complete" in out
    if shutil.which(shell):
        (tmp_path / "script").write_text(out)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("pretain moco x", "pretrain"),
        ("--completion bahs", "bash"),
        ("pretrain mocco x --out y", "moco"),
        ("pretrain moco x --out y --preset papr", "paper"),
        ("pretrain moco x --out y --epocs 3", "--epochs"),
        ("search run x --vews rgb", "--view"),
        ("evaluate knm run x", "knn"),
        ("evaluate retrieval run x --preset coclar", "coclr"),
        ("dataset mocp x", "mocap"),
    ],
)
def test_did_you_mean(call, words, meant):
    status, out, err = call(*words.split())
    assert (status, out) == (2, "")
    assert f"Did you mean '{meant}'?" in err


def test_a_view_is_meant_too(call, tiny_folder, tmp_path):
    status, out, err = call("pretrain", "moco", tiny_folder, "--out", tmp_path / "y", "--method.view", "moton")
    assert (status, out) == (2, "")
    assert "Did you mean 'motion'?" in err

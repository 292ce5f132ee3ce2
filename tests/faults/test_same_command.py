"""The same command goes on, however it is spelled; verbs without --resume do not speak of it."""

import signal
from dataclasses import replace

import pytest
from made_sequences import write_sequences
from signalled import signalled
from tiny_runs import tiny_plan

from kinema import cli
from kinema.api import demonstration
from kinema.cli import pretrain as verb
from kinema.core.errors import KinemaError, RunError, StorageError, UsageError, WorkerError
from kinema.data.sequences.reading import read_sequences
from kinema.recipes.going_on import PLAN, continued, plan_to_plain
from kinema.recipes.json import recipe_to_plain
from kinema.recipes.resolve import as_asked, planned
from kinema.training import loop
from kinema.training.phase import InterruptedRunError
from kinema.training.run_folder import RunFolder
from kinema.training.stopping import going_on_by_itself


def asked(name, words):
    """What the command line makes of words: the settings, and the preset."""
    rest = ["d", "--out", "o", *words]
    settings = verb._pretraining(name, verb._preset(rest), rest)[1]
    for other in ("where", "cache", "device", "logger", "console", "norms", "compile", "checkpoint_activations"):
        del settings[other]
    return settings, settings.pop("preset", None)


def begun(folder, name, words, table, *, plan_kept=True):
    """A run as the command begins it, and the rows it is of."""
    settings, chosen = asked(name, words)
    plan = planned(name, lambda config: table, chosen, settings)
    run = RunFolder(folder)
    run.write("recipe.json", recipe_to_plain(plan.recipe()))
    if plan_kept:
        run.write(PLAN, plan_to_plain(as_asked(name, chosen, settings), chosen))
    return run, plan.recipe()


def goes_on(run, name, words, table):
    settings, chosen = asked(name, [*words, "--resume"])
    return continued(run, name, settings, chosen, lambda config: table)


def test_the_preset_is_the_one_that_is_named_however_it_is_spelled(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("preset: paper\nclip:\n  size: 96\n")
    whole = asked("moco", ["--preset", "paper", "--clip.size", "96"])
    assert whole[1] == "paper"
    for words in (["--preset=paper", "--clip.size=96"], ["--pres", "paper", "--clip", '{"size": 96}']):
        assert asked("moco", words) == whole
    for words in (["--config", str(file)], [f"--config={file}"]):
        assert asked("moco", words) == whole
    with pytest.raises(UsageError, match="There is no preset 'papers'"):
        asked("moco", ["--preset=papers"])


@pytest.mark.parametrize("plan_kept", [True, False])
def test_equal_settings_pass_in_any_spelling_and_others_are_named(plan_kept, tiny_manifest, tmp_path):
    """Also of a run that was begun with a recipe, as those of the demonstration are."""
    words = ["--epochs", "4", "--clip.size", "96", "--workers", "2", "--preset", "paper"]
    run, recipe = begun(tmp_path / "run", "moco", words, tiny_manifest, plan_kept=plan_kept)
    file = tmp_path / "settings.json"
    file.write_text('{"epochs": 4, "clip": {"size": 96}, "preset": "paper"}')
    for same in (words, ["--epochs=4"], ["--clip", '{"size": 96}'], ["--config", str(file)], []):
        assert goes_on(run, "moco", same, tiny_manifest) == recipe, same
    free = goes_on(run, "moco", ["--epochs", "4", "--workers", "0", "--failure_budget", "0.5"], tiny_manifest)
    assert (free.data.workers, free.data.failure_budget) == (0, 0.5)
    with pytest.raises(UsageError) as caught:
        goes_on(run, "moco", ["--epochs", "5", "--clip.size", "96", "--method.queue", "64"], tiny_manifest)
    for said in ("epochs is 4 in the run, and 5 was asked", f"method.queue is {recipe.phases[0].method.queue} in the"):
        assert said in caught.value.message
    assert "clip" not in caught.value.message


def test_a_cascade_without_a_plan_goes_on_with_what_began_it(tiny_manifest, tmp_path):
    words = [
        "--epochs",
        "4",
        "--clip.size",
        "48",
        "--clip.short_side",
        "54",
        "--schedule.turns",
        "2",
        "--batch_size",
        "4",
    ]
    run, recipe = begun(tmp_path, "cpr", words, tiny_manifest, plan_kept=False)
    for same in (words, words[:2], words[2:6], ["--method.k", str(recipe.phases[-1].method.k)]):
        assert goes_on(run, "cpr", same, tiny_manifest) == recipe
    with pytest.raises(UsageError, match=r"schedule is not recorded in the run, and .*4.* was asked"):
        goes_on(run, "cpr", ["--schedule.turns", "4"], tiny_manifest)


def test_a_method_that_is_fitted_to_its_data_goes_on_with_the_same_command(tmp_path):
    """The run holds what the settings came to, and not the settings."""
    write_sequences(tmp_path / "data")
    table = read_sequences(tmp_path / "data")
    words = ["--method.clusters", "3", "--repeats", "0"]
    run, recipe = begun(tmp_path / "run", "tot", words, table)
    assert recipe.data.repeats > 0
    for same in (words, words[:2], ["--repeats", str(recipe.data.repeats)]):
        assert goes_on(run, "tot", same, table) == recipe
    with pytest.raises(UsageError, match="clusters"):
        goes_on(run, "tot", ["--method.clusters", "4"], table)


def test_verbs_that_go_on_by_themselves_do_not_speak_of_resume():
    for error, said in (
        (InterruptedRunError("Stopped.", "Run the same command with --resume to go on."), "Run the same command again"),
        (WorkerError("Killed.", "Go on with fewer processes (--workers, 0 for none)."), "Run the same command again"),
        (RunError("Another.", "Wait until it has ended, or stop it and go on with --resume."), "Wait until it has"),
        (StorageError("Full.", "Free some space and run the same command again."), "Free some space"),
        (UsageError("No.", "Choose another."), "Choose another."),
    ):
        with pytest.raises(KinemaError) as caught, going_on_by_itself():
            raise error
        assert caught.value.hint.startswith(said)
        assert "--" not in caught.value.hint


def interrupted(monkeypatch):
    """The next step of a training is interrupted."""
    after = loop.PhaseLoop._after_step

    def then(self, terms):
        signalled(signal.SIGINT)
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", then)


def test_an_interrupted_demonstration_goes_on_by_the_same_command_alone(
    tiny_manifest, tiny_cache, tmp_path, monkeypatch, capsys
):
    recipe = tiny_plan("moco").recipe()
    monkeypatch.setattr(demonstration, "demo_data", lambda *_: tiny_manifest)
    monkeypatch.setattr(demonstration, "side_by_side", lambda plan, **_: {"moco": replace(recipe, seed=plan.epochs)})

    def call(*words):
        with pytest.raises(SystemExit) as left:
            cli.main(["demo", str(tmp_path / "demo"), *words])
        return left.value.code, capsys.readouterr().err

    with monkeypatch.context() as patch:
        interrupted(patch)
        code, told = call("--epochs", "3")
    assert code == 1
    assert "Stopped in epoch 1" in told
    assert "Run the same command again: it goes on where this one stopped." in told
    assert "--resume" not in told
    code, told = call("--epochs", "4")
    assert code == 2
    assert "seed is 3 in the run, and 4 was asked" in told
    assert "Give the settings that the folder was begun with" in told
    assert "--resume" not in told

"""Disturbances in whole runs: on every base, resumed, and refused where they make no sense."""

import signal
from dataclasses import replace

import pytest
from signalled import signalled
from tiny_runs import assert_same_run, rows, tiny_plan

from kinema import api
from kinema.core.errors import ConfigError, DataError
from kinema.data.clips.transforms import BrokenMotion, LocalWarp, StaticFrame, TransformConfig
from kinema.recipes.disturbances import TRANSFORMS, transforms_named
from kinema.training.loop import PhaseLoop
from kinema.training.phase import InterruptedRunError
from kinema.training.run_folder import RunFolder

ALL = transforms_named(["be", "dsm"])


def plan_with(name, disturb=ALL, **changes):
    return tiny_plan(name, transform=TransformConfig(disturb=disturb), **changes)


def pretrain(plan, folder, out, cache, **settings):
    return api.pretrain(plan, folder, out, cache=cache, device="cpu", logger="none", **settings)


@pytest.mark.parametrize("name", ["moco", "simclr", "cpr"])
def test_every_base_learns_under_all_of_them(name, tiny_folder, tiny_cache, tmp_path):
    pretrain(plan_with(name), tiny_folder, tmp_path / "with", tiny_cache)
    pretrain(tiny_plan(name), tiny_folder, tmp_path / "without", tiny_cache)
    losses = [[row["loss"] for row in rows(tmp_path / run) if row["event"] == "epoch"] for run in ("with", "without")]
    assert len(losses[0]) == len(losses[1])
    assert losses[0] != losses[1]


def test_a_run_that_was_stopped_goes_on_as_if_it_was_not(tiny_folder, tiny_cache, tmp_path, monkeypatch):
    plan = plan_with("moco")
    pretrain(plan, tiny_folder, tmp_path / "whole", tiny_cache)
    after = PhaseLoop._after_step

    def stop(self, terms):
        if self.progress.step == 4:
            signalled(signal.SIGINT)
        after(self, terms)

    monkeypatch.setattr(PhaseLoop, "_after_step", stop)
    with pytest.raises(InterruptedRunError, match="Stopped"):
        pretrain(plan, tiny_folder, tmp_path / "parts", tiny_cache)
    monkeypatch.undo()
    pretrain(plan, tiny_folder, tmp_path / "parts", tiny_cache, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_the_recipe_of_the_run_names_them(tiny_folder, tiny_cache, tmp_path):
    pretrain(plan_with("moco", epochs=3), tiny_folder, tmp_path / "run", tiny_cache)
    told = RunFolder.open(tmp_path / "run").read("recipe.json")["data"]["transform"]["disturb"]
    assert [each["name"] for each in told] == ["static-frame", "elsewhere", "local-warp", "broken-motion"]


@pytest.mark.parametrize(
    ("name", "disturb", "named"),
    [
        ("supervised", (BrokenMotion(),), "BrokenMotion makes a negative .* the method compares with no negatives"),
        ("supervised", (LocalWarp(),), "LocalWarp acts on variant 1 .* takes 1"),
        ("cpr-bank", (LocalWarp(),), "LocalWarp acts on variant 1 .* takes 1"),
        ("moco", (StaticFrame(variant=2),), "StaticFrame acts on variant 2 .* takes 2"),
    ],
)
def test_what_a_method_cannot_take_is_refused_before_anything_is_written(
    name, disturb, named, tiny_folder, tiny_cache, tmp_path
):
    with pytest.raises(ConfigError, match=named):
        pretrain(plan_with(name, disturb), tiny_folder, tmp_path / "run", tiny_cache)
    assert not (tmp_path / "run").exists()


def test_a_method_without_negatives_may_be_disturbed_in_place(tiny_folder, tiny_cache, tmp_path):
    pretrain(plan_with("supervised", (StaticFrame(),)), tiny_folder, tmp_path / "run", tiny_cache)
    assert rows(tmp_path / "run")


def test_videos_without_room_or_motion_are_refused_in_words(tiny_folder, tiny_cache, tmp_path):
    plan = plan_with("moco", TRANSFORMS["be"])
    long = plan.with_data(clip=replace(plan.data.clip, frames=22))
    with pytest.raises(DataError, match="12 of 12 videos have no room for a window elsewhere"):
        pretrain(long, tiny_folder, tmp_path / "run", tiny_cache)

"""A run that clusters: labels before the first step, rounds in its metrics, and resumed as if it had not stopped."""

import pytest
from tiny_runs import assert_same_run, rows, tiny_plan

from kinema import api
from kinema.training.phase import InterruptedRunError
from kinema.training.settings import OptimiserConfig

PLAN = {"view": "rgb", "guide": "motion", "clusters": 3, "every": 1}


@pytest.fixture(scope="module")
def whole(tiny_manifest, tiny_cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("xdc") / "run"
    api.pretrain(tiny_plan("xdc", method=PLAN), tiny_manifest, out, cache=tiny_cache, device="cpu", logger="none")
    return out


def test_every_epoch_has_a_round_of_clusters(whole):
    rounds = [row for row in rows(whole) if row["event"] == "refresh"]
    assert [row["epoch"] for row in rounds] == [0, 1, 2]
    assert [row["step"] for row in rounds] == [0, 3, 6]
    assert all("nmi_views" in row and row["clusters_smallest_rgb"] >= 1 for row in rounds)
    assert "nmi_before_rgb" not in rounds[0]
    assert "nmi_before_rgb" in rounds[1]
    assert all(row["loss"] > 0 for row in rows(whole) if row["event"] == "epoch"), "the first epoch learns too"


@pytest.mark.parametrize("stop_at", [2, 4])
def test_a_stopped_run_goes_on_as_if_it_had_not(whole, stop_at, tiny_manifest, tiny_cache, tmp_path, monkeypatch):
    from kinema.training import loop

    after = loop.PhaseLoop._after_step

    def stopping(self, terms):
        if self.progress.step == stop_at:
            monkeypatch.setattr(loop.PhaseLoop, "_after_step", after)
            self.save()
            raise InterruptedRunError("stopped")
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", stopping)
    plan, out = tiny_plan("xdc", method=PLAN), tmp_path / "run"
    shared = {"cache": tiny_cache, "device": "cpu", "logger": "none"}
    with pytest.raises(InterruptedRunError):
        api.pretrain(plan, tiny_manifest, out, **shared)
    api.pretrain(plan, tiny_manifest, out, resume=True, **shared)
    assert_same_run(out, whole)


def test_both_encoders_are_kept_and_the_views_share_a_space(whole, tiny_folder, tiny_cache):
    assert {api.load(whole, view=view).view for view in ("rgb", "motion")} == {"rgb", "motion"}
    both = api.evaluate("cross-modal", whole, tiny_folder, views=("rgb", "motion"), cache=tiny_cache, device="cpu")
    assert [each.view for each in both] == ["rgb to motion", "motion to rgb"]


def test_the_rate_starts_again_with_every_clustering(tiny_manifest, tiny_cache, tmp_path, monkeypatch):
    """Three steps an epoch; clusters before epochs 0 and 2 of 4."""
    from kinema.training import loop

    after, seen = loop.PhaseLoop._after_step, []

    def watched(self, terms):
        seen.append(self.optimiser.param_groups[-1]["lr"])
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", watched)
    restarts = OptimiserConfig(lr=1e-3, schedule="restarts", warmup_epochs=0)
    plan = tiny_plan("xdc", method={**PLAN, "every": 2}, optimiser=restarts, epochs=4)
    api.pretrain(plan, tiny_manifest, tmp_path / "run", cache=tiny_cache, device="cpu", logger="none")
    assert len(seen) == 12
    assert seen[:6] == pytest.approx(seen[6:])
    assert seen[6] > 0.9e-3
    assert seen[5] == pytest.approx(0)

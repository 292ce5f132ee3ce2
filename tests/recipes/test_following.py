"""Queue, stages and k follow the size of a set where nobody set them."""

import json
from dataclasses import replace

import pytest
from debug_size import CLIP
from hypothesis import given, settings
from hypothesis import strategies as st

import kinema
from kinema.core.errors import ConfigError, KinemaError
from kinema.methods import CPRBankConfig, CPRConfig, MoCoConfig
from kinema.networks import EncoderConfig
from kinema.recipes.following import set_by_hand
from kinema.recipes.plan import Plan
from kinema.recipes.resolve import followed
from kinema.recipes.table import preset

SMALL = {"clip": CLIP, "encoder": {"width": 4}, "batch_size": 4, "collapse_rank": 0.0, "device": "cpu"}


def sized(plan, rows, by_hand=()):
    return followed(plan, lambda: rows, frozenset(by_hand)).method


def fills(plan, method, rows):
    """Whether every phase that waits for the queue sees more than it, in whole batches."""
    seen = -(-rows // plan.batch_size) * plan.batch_size
    phases = [p for p in replace(plan, method=method).recipe().phases if getattr(p.method, "warm_up_clips", 0)]
    return all(p.epochs * seen > p.method.queue for p in phases)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([("small", "cpr"), ("paper", "cpr"), ("paper", "moco"), ("small", "moco"), ("paper", "be")]),
    st.integers(32, 3000),
    st.integers(8, 60),
)
def test_a_set_has_the_presets_sizes_or_those_that_it_fills(name, rows, epochs):
    plan = replace(preset(*name), epochs=epochs)
    found = sized(plan, rows)
    if fills(plan, plan.method, rows):
        assert found == plan.method, "large enough: the recipe of before"
    else:
        assert fills(plan, found, rows)
        assert found.queue < plan.method.queue
        assert found.queue % plan.batch_size == 0
        assert found.queue <= max(rows, plan.batch_size), "no video is there twice"
        assert replace(found, queue=plan.method.queue) == replace(
            plan.method, **{n: getattr(found, n) for n in ("stages", "k") if hasattr(found, n)}
        )


@pytest.mark.parametrize(
    ("rows", "sizes"), [(52, (48, 4, 5)), (64, (64, 4, 5)), (65, (512, 4, 5)), (900, (512, 4, 5)), (17, (16, 4, 2))]
)
def test_the_small_preset_on_small_sets(rows, sizes, caplog):
    found = sized(preset("small", "cpr"), rows)
    assert (found.queue, found.stages, found.k) == sizes
    assert (f"method.queue 512 → {sizes[0]}" in caplog.text) is (sizes[0] != 512)
    assert ("fewer than 800 recordings" in caplog.text) is (sizes[0] != 512)


def test_a_bank_of_few_videos(caplog):
    plan = preset("small", "cpr-bank")
    assert sized(plan, 300) == plan.method
    assert [(m.stages, m.k) for m in (sized(plan, rows) for rows in (299, 100, 99, 16))] == [
        (3, 2),
        (3, 1),
        (2, 3),
        (2, 1),
    ]
    assert "method.stages 3 → 2" in caplog.text
    paper = preset("paper", "cpr-bank")
    assert sized(paper, 1000) == paper.method
    assert sized(paper, 999).sizes is None


def test_what_a_person_set_stays_and_what_fits_is_named():
    plan = preset("small", "cpr")
    assert sized(plan, 52, {"queue"}) == plan.method, "refused where the memory is checked"
    many = replace(plan, method=replace(plan.method, k=20))
    assert (sized(many, 52, {"k"}).stages, sized(many, 52, {"k"}).k) == (2, 20)
    with pytest.raises(ConfigError, match=r"4 stages .* of 48 candidates leaves 6 .* take 20; 52 videos") as caught:
        sized(many, 52, {"k", "stages"})
    assert "method.stages to 2 at most, or method.k to 6 at most" in caught.value.hint


def test_too_few_videos_to_mine_among():
    for name, rows in (("cpr", 15), ("cpr-bank", 15)):
        with pytest.raises(ConfigError, match=f"{rows} are fewer than a batch of 16") as caught:
            sized(preset("small", name), rows)
        assert "cpr and cpr-bank work from 16 videos on" in caught.value.hint


def test_a_batch_that_does_not_divide_the_presets_queue():
    plan = replace(preset("small", "moco"), batch_size=24)
    assert sized(plan, 900).queue == 504
    assert sized(plan, 900, {"queue"}).queue == 512


def test_who_set_what():
    own = CPRConfig(queue=256, stages=4, momentum=0.5)
    assert set_by_hand(own, {}, named=False) == {"queue", "momentum"}
    assert set_by_hand(own, {"method_settings": {"k": 5}}, named=False) == {"queue", "momentum", "k"}
    assert set_by_hand(own, {"method_settings": {"k": 5}}, named=True) == {"k"}
    assert set_by_hand(own, {}, named=True) == set()
    assert set_by_hand(CPRBankConfig(), {}, named=False) == set_by_hand(MoCoConfig(), {}, named=False) == set()


def queue_of(run):
    return json.loads((run / "recipe.json").read_text())["phases"][-1]["method"]["queue"]


def test_a_run_of_a_small_set(tiny_folder, tiny_cache, tmp_path, call):
    small = {**SMALL, "cache": tiny_cache}
    with pytest.raises(ConfigError, match="its queue holds 512") as caught:
        kinema.pretrain("cpr", tiny_folder, tmp_path / "no", epochs=2, method_settings={"queue": 512}, **small)
    assert "8 at most" in caught.value.hint
    kinema.pretrain("cpr", tiny_folder, tmp_path / "run", epochs=2, **small)
    assert queue_of(tmp_path / "run") == 4
    kinema.pretrain("cpr", tiny_folder, tmp_path / "run", resume=True, cache=tiny_cache, device="cpu")
    with pytest.raises(KinemaError, match=r"method\.queue is 4 in the run, and 512 was asked"):
        kinema.pretrain("cpr", tiny_folder, tmp_path / "run", resume=True, method_settings={"queue": 512})
    options = ["--clip.frames", "4", "--clip.size", "16", "--clip.short_side", "16", "--clip.stride", "1"]
    options += ["--batch_size", "4", "--epochs", "2", "--cache", tiny_cache, "--encoder.width", "4"]
    status, _, err = call("pretrain", "cpr", tiny_folder, "--out", tmp_path / "no", "--method.queue", "512", *options)
    assert (status, "its queue holds 512" in err) == (2, True), "the preset's own value, written by hand"


def test_a_plan_of_ones_own_goes_on(tiny_folder, tiny_cache, tmp_path):
    plan = Plan(MoCoConfig(), epochs=2, batch_size=4, encoder=EncoderConfig("slim", width=4), collapse_rank=0.0)
    plan = plan.with_data(clip=CLIP)
    for resume in (False, True):
        kinema.pretrain(plan, tiny_folder, tmp_path / "run", resume=resume, cache=tiny_cache, device="cpu")
    assert queue_of(tmp_path / "run") == 12
    other = replace(plan, method=MoCoConfig(queue=512))
    with pytest.raises(ConfigError, match="its queue holds 512"):
        kinema.pretrain(other, tiny_folder, tmp_path / "no", cache=tiny_cache, device="cpu")

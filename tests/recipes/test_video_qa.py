"""The recipe of questions about videos: its phases, what only the data know, and a run from nothing to an answer."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_questions import made_row, write_questions, write_rows

import kinema
from kinema.core.errors import ConfigError
from kinema.data.questions.config import QuestionsConfig
from kinema.networks.text import TextConfig
from kinema.recipes.json import recipe_from_plain, recipe_to_plain
from kinema.recipes.table import METHODS, preset
from kinema.recipes.video_qa import fit


def plan(name="small", **changes):
    return replace(preset(name, "video-qa"), **changes)


def test_the_presets_are_whole_plans_of_two_phases():
    for name in METHODS["video-qa"].presets:
        recipe = preset(name, "video-qa").recipe()
        first, main = recipe.phases
        assert (first.method.task, main.method.task, dict(main.start)) == (
            "question",
            "answer",
            {"question": first.name},
        )
        assert (first.needs.masked, main.needs.masked) == (0.0, 0.15)
        assert recipe_from_plain(json.loads(json.dumps(recipe_to_plain(recipe)))) == recipe
    settings = preset("small", "video-qa").method
    assert [p.method.task for p in plan(method=replace(settings, pretrain_epochs=0)).recipe().phases] == ["answer"]
    assert [p.epochs for p in plan(method=replace(settings, task="question")).recipe().phases] == [plan().epochs]


def test_the_data_tell_the_width_of_frames_and_the_rows_of_the_embedding(tmp_path):
    table = QuestionsConfig().open(write_questions(tmp_path / "seen"))
    got = fit(plan(), table)
    assert got.encoder.features == 6
    assert got.encoder.text.vocabulary < 200
    assert fit(got, table) == got
    blind = fit(plan(data=QuestionsConfig(frames=False)), table)
    assert blind.encoder.features == 0
    own = TextConfig(layers=1, width=16, vocabulary=500)
    assert fit(plan(encoder=replace(plan().encoder, text=own)), table).encoder.text == own
    with pytest.raises(ConfigError, match=r"takes 5 features a frame, .* frames of 6 features"):
        fit(plan(encoder=replace(plan().encoder, features=5)), table)


def test_inputs_longer_than_the_text_network_and_other_data_are_refused():
    with pytest.raises(ConfigError, match=r"600 tokens.*512"):
        plan(data=QuestionsConfig(max_length=600)).recipe()
    with pytest.raises(ConfigError, match="data are clips"):
        plan(data=type(preset("small", "moco").data)()).recipe()


def test_a_run_learns_in_two_phases_and_answers(tmp_path):
    data = write_questions(tmp_path / "data", videos=8)
    houses = [(video, place) for video in range(8) for place in range(4)]  # else all clips have the same questions
    write_rows(data, [made_row(v, p, question=f"What do they do in room {p} of house {v}?") for v, p in houses])
    kinema.pretrain(
        "video-qa",
        data,
        out=tmp_path / "run",
        epochs=2,
        batch_size=8,
        method_settings={"pretrain_epochs": 1, "candidates": 3},
        encoder=replace(plan().encoder, text=TextConfig(layers=1, width=16, positions=256)),
    )
    phases = json.loads((tmp_path / "run" / "recipe.json").read_text("utf-8"))["phases"]
    assert [phase["name"] for phase in phases] == ["pretrain-question", "video-qa-question"]
    model = kinema.load(tmp_path / "run")
    table = model.open(data)
    got = model.answers(table)
    assert got.shares.shape == (len(table), 4)
    np.testing.assert_allclose(got.shares.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(got.spans).all()
    assert np.isfinite(model.answers(table, without=("frames",)).shares).all()
    assert np.isfinite(model.answers(table, without=("subtitles",)).shares).all()

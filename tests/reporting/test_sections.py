"""What protocols other than retrieval add to the page: learning curves, confusions, layouts; the page as Markdown."""

import re

import numpy as np
import pytest
import torch
from reports import collect, section

from kinema.core.errors import ShapeError
from kinema.evaluation.projection import MOST, chosen_rows, lay_out
from kinema.reporting import markdown, page
from kinema.reporting.confusion import CLASSES

NAMES = ["crawl", "jump", "walk"]
LABELS, CONFUSIONS, LAYOUTS = "How many labels does it take?", "What is taken for what", "What lies together"


def probed(maker, run, encoder, accuracy, labelled, protocol="few-label", preset="10%", seed=None):
    details = {"labelled": labelled, "confusion": {"jump": {"jump": 3, "walk": 1}, "walk": {"walk": 4}}}
    more = {} if seed is None else {"seed": seed}
    metrics = {"accuracy": accuracy, "mean_class_accuracy": accuracy}
    maker.result(run, encoder, 0.5, protocol=protocol, preset=preset, metrics=metrics, details=details, **more)


def laid_out(maker, run, encoder, r1):
    paths = [f"{name}/{number}.mp4" for name in NAMES for number in range(2)]
    places = [[0.1 * n, 1 - 0.1 * n] for n in range(6)]
    layout = {"method": "t-SNE", "places": places, "paths": paths, "labels": [p.split("/")[0] for p in paths]}
    maker.result(run, encoder, r1, details={"layout": layout})


def test_accuracy_over_labels_joins_the_probe_on_few_with_the_probe_on_all(maker):
    run = maker.run()
    for encoder, values in {"random": (0.1, 0.2, 0.4), "cpr": (0.3, 0.5, 0.6)}.items():
        for labelled, value, protocol, preset in zip(
            (10, 100, 1000), values, ("few-label", "few-label", "linear"), ("1%", "10%", "features"), strict=True
        ):
            probed(maker, run, encoder, value, labelled, protocol, preset)
    told = section(collect([run]), LABELS)
    assert told.count("<figure") == 1
    assert "Linear probe on stored features" in told
    for point in ("CPR, labelled videos 10: 30.0", "Untrained network, labelled videos 1000: 40.0"):
        assert point in told
    places = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"[^>]*class="dot"', told)]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.1)


def test_one_number_of_labels_is_no_curve(maker):
    run = maker.run()
    probed(maker, run, "cpr", 0.3, 10)
    assert section(collect([run]), LABELS) == ""


def test_seeds_are_one_point_of_the_curve(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in (0, 1)]
    for run, value in zip(runs, (0.2, 0.4), strict=True):
        probed(maker, run, "cpr", value, 10)
        probed(maker, run, "cpr", value + 0.2, 100, preset="100%")
    assert "CPR, labelled videos 10: 30.0" in section(collect(runs), LABELS)


def test_the_confusion_shows_shares_of_the_true_class(maker):
    run = maker.run()
    probed(maker, run, "cpr", 0.8, 10, "finetune", "100%")
    told = section(collect([run]), CONFUSIONS)
    assert "3 of 4 videos of jump are taken for jump" in told
    assert "1 of 4 videos of jump are taken for walk" in told
    assert 'style="--share:0.75"' in told
    assert told.count("<td") == 1 + 4


def test_of_many_classes_the_commonest_mistakes_are_named(maker):
    run = maker.run()
    counts = {f"c{n:02d}": {f"c{n:02d}": 9, f"c{(n + 1) % 40:02d}": n} for n in range(CLASSES + 16)}
    maker.result(run, "cpr", 0.5, protocol="linear", metrics={"accuracy": 0.5}, details={"confusion": counts})
    told = section(collect([run]), CONFUSIONS)
    assert "<table" not in told
    assert told.index("c39 taken for c00: 39 of 48 (81") < told.index("c38 taken for c39: 38 of 47")
    assert "c20 taken" not in told
    assert "of 39 kinds" in told


def test_the_layout_stands_for_the_encoders_that_are_compared_and_names_its_dots(maker):
    run = maker.run()
    for encoder, r1 in (("random", 0.1), ("infonce", 0.3), ("coclr", 0.4), ("cpr", 0.6)):
        laid_out(maker, run, encoder, r1)
    told = section(collect([run]), LAYOUTS)
    assert re.findall(r"<strong>([^<]*)</strong>", told) == ["Untrained network", "InfoNCE", "CPR"]
    assert told.count("<title>jump: jump/1.mp4</title>") == 3
    assert len(set(re.findall(r"--hue:(\d+)", told))) == len(NAMES)
    assert "t-SNE." in told
    assert section(collect([maker.run("other")]), LAYOUTS) == ""


def test_what_was_kept_reaches_the_page(maker):
    run = maker.run()
    laid_out(maker, run, "cpr", 0.6)
    probed(maker, run, "cpr", 0.8, 10)
    probed(maker, run, "cpr", 0.9, 100, preset="100%")
    told = page(collect([run]))
    for heading in (LABELS, CONFUSIONS, LAYOUTS):
        assert f"<h2>{heading}</h2>" in told


def test_markdown_keeps_protocols_apart_and_lets_no_name_become_markup(maker):
    run = maker.run()
    maker.result(run, "cpr", 0.6)
    probed(maker, run, "evil|name*", 0.8, 10)
    told = markdown(collect([run]))
    assert "## Retrieval, preset coclr" in told
    assert "## Linear probe, 10% of the labels" in told
    assert "evil\\|name\\*" in told
    for line in (line for line in told.splitlines() if line.startswith("|")):
        assert len(re.findall(r"(?<!\\)\|", line)) in (8, 11)
    assert "60.0 %" in told


def test_like_features_lie_together():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(3, 16, generator=generator) * 4
    features = centres.repeat_interleave(20, dim=0) + 0.3 * torch.randn(60, 16, generator=generator)
    places = lay_out(features)
    assert places.shape == (60, 2)
    assert places.min() == 0
    assert places.max() == 1
    groups = places.reshape(3, 20, 2)
    middle = groups.mean(axis=1)
    within = np.linalg.norm(groups - middle[:, None], axis=2).mean()
    between = np.linalg.norm(middle[:, None] - middle, axis=2)[np.triu_indices(3, 1)].min()
    assert between > 3 * within
    np.testing.assert_array_equal(places, lay_out(features))


@pytest.mark.parametrize("features", [torch.randn(1, 4), torch.randn(4, 1), torch.ones(30, 8), torch.randn(3, 8)])
def test_hardly_any_features_have_places_too(features):
    places = lay_out(features)
    assert places.shape == (len(features), 2)
    assert np.isfinite(places).all()


def test_features_that_cannot_be_placed():
    with pytest.raises(ShapeError, match="finite"):
        lay_out(torch.full((4, 3), torch.nan))


def test_of_many_videos_evenly_spaced_ones_are_placed():
    assert chosen_rows(7) == list(range(7))
    many = chosen_rows(4 * MOST)
    assert (len(many), many[0], many[-1]) == (MOST, 0, 4 * MOST - 1)

"""Runs that differ in nothing but the seed are one line: mean, spread, and every seed's figure within reach."""

import io
import json
import math
import re
import statistics

import pytest
from reports import collect, read_json, section
from rich.console import Console

from kinema.reporting import markdown, page, recipes, table, words, write_json
from kinema.reporting.places import without_places

VALUES = (0.30, 0.46, 0.65)
MEAN, DEVIATION = statistics.fmean(VALUES), statistics.stdev(VALUES)


@pytest.fixture
def seeded(maker):
    """Three seeds of one recipe, and another recipe of one."""
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(3)]
    for run, value in zip(runs, VALUES, strict=True):
        maker.result(run, "cpr", value, metrics={"r@1": value, "r@5": 0.9})
    runs.append(maker.run("other", stages=5))
    maker.result(runs[-1], "cpr", 0.4, metrics={"r@1": 0.4, "r@5": 0.9})
    return collect(runs)


def test_seeds_of_one_recipe_are_one_group(seeded):
    pooled, other = seeded.groups
    assert (pooled.seeds, pooled.runs, pooled.rows) == ((0, 1, 2), ("seed0", "seed1", "seed2"), (0, 2, 3))
    assert [seeded.rows[number].runs[0] for number in pooled.rows] == ["seed0", "seed1", "seed2"]
    assert pooled.main.each["r@1"] == VALUES
    assert (pooled.main.metrics["r@1"], pooled.main.deviation["r@1"]) == pytest.approx((MEAN, DEVIATION))
    assert (other.seeds, other.main.metrics["r@1"], other.main.deviation["r@1"]) == ((0,), 0.4, None)
    half = math.hypot(0.04, 4.302652729749 * DEVIATION / math.sqrt(3))
    assert pooled.main.interval == (pytest.approx(max(0, MEAN - half)), pytest.approx(min(1, MEAN + half)))
    assert other.main.interval == pytest.approx((0.36, 0.44))


def test_every_form_of_the_report_has_mean_spread_and_each_seed(seeded, tmp_path):
    text = page(seeded)
    cells = re.search(r"<h3>Retrieval, preset coclr</h3>.*?</table>", text, re.DOTALL).group()
    assert cells.count("<tr") == 1 + 2
    assert "47.0\u00a0±\u00a017.5\u00a0%</td>" in cells
    assert "seed 0: 30.0\u00a0%; seed 1: 46.0\u00a0%; seed 2: 65.0\u00a0%" in cells
    assert cells.count('class="seed"') == 3
    assert "3<small>0, 1, 2</small>" in cells
    provenance = re.search(r"Where every figure comes from.*?</table>", text, re.DOTALL).group()
    assert provenance.count("R@1 ") == 4, "each seed by itself"
    told = markdown(seeded)
    assert "| 47.0 ± 17.5 % |" in told
    assert "| 3 (0, 1, 2) |" in told
    assert "R@1: seed 0: 30.0 %; seed 1: 46.0 %; seed 2: 65.0 %" in told
    write_json(seeded, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == without_places(seeded)
    group = json.loads((tmp_path / "report.json").read_text())["groups"][0]["figures"][0]
    assert (group["each"]["r@1"], group["seeds"]) == (list(VALUES), [0, 1, 2])
    first = recipes(seeded)[0]
    assert (first["each"]["r@1"], first["seeds"]) == (list(VALUES), [0, 1, 2])
    assert first["deviation"]["r@1"] == pytest.approx(DEVIATION)


def test_the_terminal_has_one_line_a_recipe(seeded):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(seeded))
    lines = [line.split() for line in console.export_text().splitlines()]
    (line,) = [line for line in lines if "seed0," in line]
    assert line[:5] == ["CPR", "47.0", "±", "17.5", "90.0"]
    assert line[6] == "3"


def test_other_data_is_another_recipe_and_an_untrained_encoder_goes_by_its_shape(maker):
    one = maker.run("one", stages=3)
    two = maker.run("two", stages=3, seed=1, manifest_digest="e" * 64)
    for run, r1 in ((one, 0.1), (two, 0.2)):
        maker.result(run, "random", r1)
        maker.result(run, "cpr", r1 + 0.3)
    groups = {(group.encoder, group.runs): group for group in collect([one, two]).groups}
    assert groups.keys() == {("random", ("one", "two")), ("cpr", ("one",)), ("cpr", ("two",))}
    small = maker.run("small", seed=2)
    recipe = small.read("recipe.json")
    small.write("recipe.json", {**recipe, "encoder": {"name": "small"}})
    maker.result(small, "random", 0.3)
    assert len([g for g in collect([one, two, small]).groups if g.encoder == "random"]) == 2


def test_a_seed_without_a_figure_leaves_no_mean(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(2)]
    maker.result(runs[0], "cpr", 0.4, metrics={"r@1": 0.4, "r@5": 0.5})
    maker.result(runs[1], "cpr", 0.6, metrics={"r@1": 0.6, "r@5": math.nan})
    (group,) = collect(runs).groups
    assert group.main.metrics == {"r@1": pytest.approx(0.5), "r@5": None}
    assert group.main.deviation["r@5"] is None


def test_a_selection_of_one_seed_alone_is_told_as_such(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(2)]
    for run in runs:
        maker.result(run, "cpr", 0.4)
    maker.result(runs[1], "cpr", 0.2, details={"selection": "part=swapped"})
    (group,) = collect(runs).groups
    assert {figure.selection: figure.seeds for figure in group.figures} == {"split=test": (0, 1), "part=swapped": (1,)}


def test_figures_against_another_gallery_are_other_figures(maker):
    run = maker.run()
    maker.result(run, "cpr", 0.4)
    maker.result(run, "cpr", 0.8, details={"against": "half=b"})
    (group,) = collect([run]).groups
    assert {figure.selection: figure.metrics["r@1"] for figure in group.figures} == {
        "split=test": 0.4,
        "split=test, against half=b": 0.8,
    }


def test_curves_of_seeds_are_one_line_with_its_spread(maker):
    runs = [maker.run(f"seed{seed}", seed=seed, phases=("infonce-rgb",)) for seed in range(2)]
    file = runs[1].phases()[0] / "metrics.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**row, "loss": row["loss"] + 1.0}) + "\n" for row in rows))
    training = section(collect(runs), "How training went")
    loss = next(f for f in re.findall(r"<figure.*?</figure>", training, re.DOTALL) if ">Loss<" in f)
    assert loss.count('class="mark"') == 4
    assert loss.count('class="spread"') == 4
    assert "infonce-rgb, epoch 1: 6.5 ± 0.7071" in loss


def test_learning_curves_keep_recipes_apart_and_show_the_spread(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(2)] + [maker.run("other", stages=5)]
    for run, value in zip(runs, (0.2, 0.4, 0.9), strict=True):
        for labelled, preset in ((10, "1%"), (100, "10%")):
            told = {"protocol": "few-label", "preset": preset, "metrics": {"accuracy": value}}
            maker.result(run, "cpr", 0.5, details={"labelled": labelled}, **told)
    chart = section(collect(runs), "How many labels does it take?")
    assert "CPR (seed0, seed1), labelled videos 10: 30.0\u00a0% ± 14.1\u00a0%" in chart
    assert "CPR (other), labelled videos 100: 90.0\u00a0%</title>" in chart
    assert chart.count('class="spread"') == 2


def test_the_confusions_of_seeds_are_added_up(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(2)]
    for run, counts in zip(runs, ({"jump": 3, "walk": 1}, {"jump": 4}), strict=True):
        told = {"protocol": "knn", "metrics": {"accuracy": 0.8}, "details": {"confusion": {"jump": counts}}}
        maker.result(run, "cpr", 0.8, **told)
    told = section(collect(runs), "What is taken for what")
    assert "7 of 8 videos of jump are taken for jump" in told
    assert "(2 seeds together)" in told


def test_eighty_columns_hold_the_whole_table_and_every_word(maker):
    runs = [maker.run(f"seed{seed}", seed=seed) for seed in range(3)]
    metrics = {f"r@{k}": 0.5 for k in (1, 5, 10, 20, 50)}
    for run, value in zip(runs, VALUES, strict=True):
        maker.result(run, "cpr", value, metrics={**metrics, "r@1": value})
        maker.result(run, "infonce", value, metrics={**metrics, "r@1": value}, view="motion")
    report, console = collect(runs), Console(width=80, file=io.StringIO())
    console.print(table(report), words(report))
    lines = console.file.getvalue().splitlines()
    head = next(line for line in lines if "encoder" in line)
    assert [name in head for name in ("R@1 %", "R@10 %", "view", "seeds")] == [True] * 4
    shown = " ".join(" ".join(lines).split())
    assert " ".join(report.headline.sentence.split()) in shown
    assert " ".join(report.advice.sentence.split()) in shown

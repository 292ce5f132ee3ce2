"""The pages of results say what the figures say: tables, charts, quoted differences, and a way to each page."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PAGES = sorted((BENCHMARKS / "pages").glob("*.md"))
QUOTED = re.compile(r"[+−][\d.]+\s\[[+−][\d.]+,\s[+−][\d.]+\],\s\d+\sseeds")


def test_every_table_is_that_of_the_figures_and_stands_on_one_page(benchmark_module):
    tables = benchmark_module("tables")
    texts = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    assert {name for name, text in texts.items() if tables.rewritten(text) != text} == set()
    named = [place["name"] for text in texts.values() for place in tables.PLACE.finditer(text)]
    assert sorted(named) == sorted(tables.TABLES)


def test_a_table_with_another_figure_is_made_anew(benchmark_module):
    tables = benchmark_module("tables")
    page = (BENCHMARKS / "pages" / "mining.md").read_text(encoding="utf-8")
    changed = page.replace("| InfoNCE | 61.5", "| InfoNCE | 71.5")
    assert changed != page
    assert tables.rewritten(changed) == page


def test_every_chart_is_that_of_the_figures_and_is_shown(benchmark_module):
    charts = benchmark_module("charts")
    on_disk = {file.stem: file.read_text(encoding="utf-8") for file in charts.CHARTS.glob("*.svg")}
    assert on_disk == {name: draw() for name, draw in charts.NAMES.items()}
    texts = [page.read_text(encoding="utf-8") for page in (*PAGES, BENCHMARKS / "README.md")]
    shown = re.findall(r"\]\((?:\.\./)?results/charts/(\S+)\.svg\)", "".join(texts))
    assert sorted(shown) == sorted(on_disk)


def test_every_difference_that_is_quoted_is_one_of_the_figures(benchmark_module):
    tables, written = benchmark_module("tables"), benchmark_module("paired").written
    made = "".join(make() for name, make in tables.TABLES.items() if name.endswith("-paired"))
    known = set(QUOTED.findall(made))
    texts = [page.read_text(encoding="utf-8") for page in (*PAGES, BENCHMARKS / "README.md")]
    quoted = [" ".join(found.split()) for text in texts for found in QUOTED.findall(text)]
    assert len(quoted) > 50
    assert set(quoted) <= known
    assert written(benchmark_module("figures").mining()[0].difference) in quoted


def test_the_first_page_leads_to_every_page_and_is_short():
    first = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(pages/{page.name})" not in first] == []
    long = {page.name: len(page.read_text("utf-8").splitlines()) for page in (*PAGES, BENCHMARKS / "README.md")}
    assert {name: lines for name, lines in long.items() if lines > 130} == {}


def test_a_paired_difference_is_that_of_a_t_test(benchmark_module):
    paired = benchmark_module("paired")
    first, second = [0.77, 0.775, 0.725], [0.57, 0.6875, 0.59]
    found = paired.paired(first, second)
    from scipy.stats import ttest_rel

    low, high = ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(sum(first) / 3 - sum(second) / 3)
    assert found.seeds == 3
    one = paired.paired([0.5], [0.48])
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert paired.written(one) == "+2.0, one seed"
    with pytest.raises(ValueError, match="3 and 2 figures"):
        paired.paired(first, second[:2])


@pytest.mark.parametrize(
    ("ends", "reading"),
    [
        ((0.01, 0.2, 3), "ahead"),
        ((-0.2, -0.01, 3), "behind"),
        ((-0.002, 0.282, 3), "not decided by 3 seeds"),
        ((0.0, 0.2, 2), "not decided by 2 seeds"),
        ((math.nan, math.nan, 1), "one seed: not decided"),
    ],
)
def test_ahead_is_said_where_the_interval_is_above_zero_and_nowhere_else(benchmark_module, ends, reading):
    paired = benchmark_module("paired")
    assert paired.Difference(sum(ends[:2]) / 2, *ends).reading == reading


def test_differences_are_written_in_points_and_only_of_seeds_that_both_have(benchmark_module):
    paired = benchmark_module("paired")
    assert paired.written(paired.Difference(0.14, -0.002, 0.282, 3)) == "+14.0 [−.2, +28.2], 3 seeds"
    assert [paired.signed(value) for value in (0.0, -0.03, 0.96, -1.25)] == ["0", "−.03", "+1.0", "−1.2"]
    comparison = paired.Comparison("a − b", {0: 0.5, 1: 0.7, 2: 0.9}, {2: 0.4, 0: 0.2})
    assert comparison.each == pytest.approx([0.3, 0.5])
    assert comparison.difference.seeds == 2


def test_a_figure_that_is_not_there_is_named(benchmark_module):
    with pytest.raises(KeyError, match=r"no metrics/mof of 'hapt-ordered', 'nothing'"):
        benchmark_module("figures").of("claims-segmentation", "hapt-ordered", "nothing", "metrics", "mof")

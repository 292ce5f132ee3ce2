"""The tables of the first edition are those that the commands beside them print; test_results.py has today's pages."""

import json
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def figures(name):
    return json.loads((BENCHMARKS / "results" / f"{name}.json").read_text(encoding="utf-8"))


def missing(text, page="mocap-first-edition.md"):
    """Lines of a text that are not in a page, by default that of the first edition."""
    page = (BENCHMARKS / page).read_text(encoding="utf-8").splitlines()
    return [line for line in text.splitlines() if line and line not in page]


def test_methods_against_the_scene(benchmark_module):
    assert missing(benchmark_module("table").tables(figures("mocap-first-edition/claims-video")["cells"])) == []


def test_two_trainings_side_by_side(benchmark_module):
    table = benchmark_module("side_by_side").table(figures("side-by-side")["rows"])
    assert missing(table, "../docs/how-to/several-runs.md") == []


def test_the_worth_of_a_fitness(benchmark_module):
    elo, found = benchmark_module("elo"), figures("mocap-first-edition/claims-elo")
    assert missing(elo.correlations(found)) == []
    assert missing(elo.rows_table(found)) == []


def test_sound_and_clusters(benchmark_module):
    assert missing(benchmark_module("sound").tables(figures("mocap-first-edition/claims-sound")["cells"])) == []


def test_an_unknown_bias_is_one_of_those_of_which_no_row_is_missing(benchmark_module):
    table = benchmark_module("table")

    def filled(name, **rows):
        parts = {row: dict.fromkeys(("matched", "unbiased", "swapped"), value) for row, value in rows.items()}
        return {f"{name} seed0 {row}": {"r@1": some, "linear": some} for row, some in parts.items()}

    none, half = filled("bias0", random=0.2, moco=0.4), filled("bias0.95", moco=0.6, be=0.5)
    assert table.unknown_bias(none | half) == ""
    whole = filled("bias0.95", random=0.1, moco=0.6)
    assert table.unknown_bias(none | whole | filled("bias0.5", random=0.2)).splitlines()[::2] == [
        "| bias 0, .95 | R@1, mean of the parts unbiased | R@1, worst part | linear, mean | linear, worst part |",
        "| untrained | 15.0 | 10.0 | 15.0 | 10.0 |",
    ]
    assert (
        table.unknown_bias(none | filled("bias0.5", moco=0.6, random=0.1, be=0.3)).splitlines()[-1].startswith("| BE |")
    )


def test_a_chart_a_set_with_the_parts_that_it_has(benchmark_module, tmp_path):
    judged = {"asl": ("tom",), "bias0": ("matched", "unbiased", "swapped")}
    benchmark_module("table").charts(
        {
            f"{name} seed{seed} {row}": {"r@1": dict.fromkeys(parts, 0.25)}
            for name, parts in judged.items()
            for row in ("random", "cpr+dsm")
            for seed in (0, 1)
        },
        tmp_path,
    )
    for name, parts in judged.items():
        chart = (tmp_path / f"claims-video-{name}.svg").read_text(encoding="utf-8")
        assert all(f">{part}</text>" in chart and f"CPR on DSM, {part}: 25.0 ± 0.0" in chart for part in parts)
        assert chart.count("<title>") == 1 + 2 * len(parts)


def test_a_mean_and_its_deviation_over_seeds(benchmark_module):
    table = benchmark_module("table")
    assert table.spread([0.5]) == "50.0"
    assert table.spread([0.4, 0.6]) == "50.0 ± 14.1"
    assert table.set_title("bias0") == "bias 0"
    assert table.set_title("rest0.95") == "camera at rest, bias .95"

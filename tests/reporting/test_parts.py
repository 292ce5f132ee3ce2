"""The parts of the page by themselves: axes, bars, strips, words, the terminal's table."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from reports import VOCABULARY, collect
from rich.console import Console

from kinema.core.errors import UsageError
from kinema.reporting import table, with_strips
from kinema.reporting.charts import axis, interval_bar
from kinema.reporting.strips import HEIGHT, draw, evenly
from kinema.reporting.wording import (
    duration,
    join,
    metric_with_spread,
    natural,
    percent,
    points,
    preset_options,
    seed_list,
    signed_points,
)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0.0, 0.43, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        (-1.0, 4.0, (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)),
        (3.0, 3.0, (1.0, 2.0, 3.0, 4.0, 5.0)),
    ],
)
def test_an_axis_holds_its_values_and_has_round_ticks(low, high, ticks):
    made = axis(low, high)
    assert made.low <= low <= high <= made.high
    assert made.ticks == pytest.approx(ticks)
    assert made.place(made.low, 10, 90) == 10
    assert made.place(made.high, 10, 90) == 90


def test_epochs_have_whole_ticks():
    assert all(tick == int(tick) for tick in axis(1, 3, whole=True).ticks)


def test_a_strip_is_four_frames_side_by_side_as_jpeg():
    frames = [np.full((100, 150, 3), shade, dtype=np.uint8) for shade in (0, 20, 80, 120, 160, 200, 250)]
    uri = draw(frames)
    assert uri.startswith("data:image/jpeg;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert image.size == (4 * HEIGHT * 3 // 2 + 3, HEIGHT)
    middles = [image.getpixel((HEIGHT * 3 // 4 + n * (HEIGHT * 3 // 2 + 1), HEIGHT // 2))[0] for n in range(4)]
    assert middles == pytest.approx([0, 80, 160, 250], abs=6)


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_frames_of_another_kind_are_refused(frame):
    with pytest.raises(UsageError, match="uint8"):
        draw([frame])


def test_no_frames_and_no_queries_are_refused(maker):
    with pytest.raises(UsageError, match="at least one frame"):
        draw([])
    with pytest.raises(UsageError, match="queries is 0"):
        with_strips(collect([maker.run()]), lambda path: [], queries=0)


def test_evenly_takes_the_middles_of_equal_parts():
    items = [str(n) for n in range(12)]
    assert evenly(items, 4) == ["1", "4", "7", "10"]
    assert evenly(items[:2], 4) == ["0", "1"]
    assert evenly([], 4) == []


def test_words():
    assert percent(0.1234) == "12.3\u00a0%"
    assert percent(None) == "–"
    assert points(-0.014, 1) == "1.4\u00a0points"
    assert points(0.01) == "1\u00a0point"
    assert signed_points(-0.02, 0.1) == "−2.0 to +10.0\u00a0points"
    assert [duration(s) for s in (3.21, 42.4, 200, 7500, None)] == [
        "3.2\u00a0s",
        "42\u00a0s",
        "3\u00a0min 20\u00a0s",
        "2\u00a0h 5\u00a0min",
        "–",
    ]
    assert join(["a", "b", "c"]) == "a, b and c"
    assert VOCABULARY.metric("r@10").title == "R@10"
    shares = [["--shares", "0.01"], ["--preset", "end-to-end", "--shares", "0.125"], ["--preset", "coclr"]]
    assert [preset_options(name) for name in ("1%", "end-to-end-12.5%", "coclr")] == shares
    assert VOCABULARY.metric("alignment_projected").title == "Alignment, projections"
    assert metric_with_spread(VOCABULARY.metric("accuracy"), 0.5, 0.0321) == "50.0\u00a0±\u00a03.2\u00a0%"
    assert metric_with_spread(VOCABULARY.metric("rankme"), 12.345, 0.678) == "12.35\u00a0±\u00a00.68"
    assert metric_with_spread(VOCABULARY.metric("r@1"), 0.5, None) == "50.0\u00a0%"
    assert (seed_list([4]), seed_list([0, 1])) == ("4", "2 (0, 1)")
    assert sorted(["r@10", "r@5", "r@1"], key=natural) == ["r@1", "r@5", "r@10"]


def printed(report, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(report))
    return console.export_text()


def test_the_terminal_shows_the_four_encoders_in_eighty_columns(maker):
    run = maker.run()
    for encoder, r1 in (("random", 0.12), ("infonce", 0.38), ("coclr", 0.44), ("cpr", 0.46)):
        maker.result(run, encoder, r1)
    lines = printed(collect([run])).splitlines()
    assert lines[0].strip() == "CPR helped, with one seed"
    cells = [line.split() for line in lines]
    assert ["CPR", "46.0", "50.0", "55.0", "65.0", "95.0", "42.0–50.0"] in cells
    assert [row[0] for row in cells[4:8]] == ["Untrained", "InfoNCE", "CoCLR", "CPR"]


def test_the_terminal_says_what_to_run_and_takes_no_markup_from_names(maker):
    run = maker.run("[bold]odd[/nonsense]", state="failed")
    text = printed(collect([run]), width=300)
    assert "kinema evaluate retrieval" in text
    assert "[bold]odd[/nonsense]".partition("/")[0] in text


def test_the_terminal_keeps_presets_apart(maker):
    run = maker.run()
    maker.result(run, "cpr", 0.4)
    maker.result(run, "cpr", 0.2, preset="vcop")
    text = printed(collect([run]))
    assert text.index("preset coclr") < text.index("40.0") < text.index("preset vcop") < text.index("20.0")


def test_the_small_bar_places_value_interval_and_chance_on_one_scale():
    bar = interval_bar(0.4, (0.3, 0.5), 0.1, top=0.5)
    assert (bar.width, bar.interval, bar.chance) == (96, (72, 120), pytest.approx(24))
    assert interval_bar(0.4, None, None, 0.5, each=(0.4,)).seeds == (), "a single seed is the value itself"
    assert interval_bar(0.4, None, None, 0.5, each=(0.3, None, 0.5)).seeds == (72, 120)

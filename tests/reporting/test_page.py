"""The page is one file, holds what it must, and cannot be injected into."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from reports import collect

from kinema.core.errors import VideoError
from kinema.reporting import page, with_strips, write_page

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.problems = [], [], "", []
        self.feed(text)
        self.close()
        self.problems += self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data):
        self.text += data if not self.open or self.open[-1] not in ("style", "script") else ""

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def frames(path):
    shade = len(path) * 3 % 200
    return [np.full((48, 64, 3), shade + n, dtype=np.uint8) for n in range(8)]


def full(maker):
    first, second = maker.run("cpr"), maker.run("coclr", stages=1)
    for run, encoder, r1 in ((first, "cpr", 0.46), (second, "coclr", 0.44)):
        for name, value in (("random", 0.12), ("infonce", 0.38), (encoder, r1)):
            maker.result(run, name, value)
            maker.result(run, name, value - 0.1, queries=100, details={"selection": "part=swapped"})
        maker.mining(run, encoder)
    return collect([first, second], title="A report")


def test_the_page_is_whole_and_asks_for_nothing_outside(maker):
    text = page(with_strips(full(maker), frames))
    reader = Reader(text)
    assert reader.problems == []
    for tag, attrs in reader.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not any(key.startswith("on") for key in attrs)
        for key in ("src", "href", "data", "action"):
            assert attrs.get(key, "data:").startswith("data:")
    assert "@import" not in text
    assert "url(" not in text


def test_only_the_script_of_the_page_may_run(maker):
    text = page(full(maker))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_headings_descend_without_a_gap_and_tables_have_scopes(maker):
    reader = Reader(page(with_strips(full(maker), frames)))
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert reader.all("html")[0]["lang"] == "en"
    assert all("scope" in attrs for attrs in reader.all("th"))
    assert all(attrs.get("alt") for attrs in reader.all("img"))
    assert all("aria-label" in attrs or attrs.get("aria-hidden") for attrs in reader.all("svg"))


def test_the_four_encoders_stand_side_by_side_with_their_selections(maker):
    text = page(full(maker))
    table = re.search(r"<h3>Retrieval, preset coclr</h3>.*?</table>.*?</p>", text, re.DOTALL).group()
    names = re.findall(r'<th scope="row"><span>(.*?)</span>', table)
    assert names == ["Untrained network", "InfoNCE", "CPR, 1 stage (CoCLR)", "CPR"]
    heads = re.findall(r'<th scope="col">(.*?)</th>', table)
    assert heads[:7] == ["Encoder", "R@1", "95 % interval", "R@5", "R@10", "R@20", "R@50"]
    assert "R@1, swapped part" in heads
    assert "42.0–50.0 %" in table
    assert "seed 0, commit abc123" in table
    assert "300 queries against 1,200" in table


def test_charts_have_axes_legend_and_a_value_at_every_point(maker):
    text = page(full(maker))
    mining = next(f for f in re.findall(r"<figure.*?</figure>", text, re.DOTALL) if "Mining precision" in f)
    assert ">epoch</text>" in mining
    assert "share of mined clips" in mining
    assert mining.count('class="mark"') == 8
    assert "<title>cpr: cpr-rgb, epoch 4: 35.0\u00a0%</title>" in mining
    assert mining.count("<polyline") == 4, "two lines, and each once more in the legend"


def test_a_gap_interrupts_the_line(maker):
    run = maker.run(phases=("infonce-rgb",))
    file = run.phases()[0] / "metrics.jsonl"
    lines = file.read_text().splitlines()
    lines[3] = lines[3].replace(re.search(r'"loss": ([\d.]+)', lines[3]).group(1), "NaN")
    file.write_text("\n".join(lines) + "\n")
    loss = re.search(r"<figure.*?</figure>", page(collect([run])), re.DOTALL).group()
    assert loss.count('class="mark"') == 3
    assert "nan" not in loss.lower()


def test_hostile_names_stay_text(maker):
    evil = "<script>alert(1)</script>"
    run = maker.run("evil<b>", data=evil, command=evil)
    run.update_status(state="failed", error=evil)
    neighbours = [
        {
            "query": evil,
            "label": '"><b>',
            "hits": [{"path": "x' onerror='a", "label": evil, "score": 1.0, "same": True}],
        }
    ]
    for encoder in ("infonce", "cpr", evil):
        layout = {"method": evil, "places": [[0.5, 0.5]], "paths": [evil], "labels": [evil]}
        details = {"neighbours": neighbours, "per_class": {evil: 0.5}, "selection": evil, "windows": evil}
        details |= {"confusion": {evil: {evil: 1}}, "layout": layout}
        maker.result(run, encoder, 0.4, data=evil, preset=evil, commit=evil, details=details)
    text = page(with_strips(collect([run], title=evil), frames))
    reader = Reader(text)
    assert len(reader.all("script")) == 1
    assert reader.all("b") == []
    assert not any(key.startswith("on") for _, attrs in reader.elements for key in attrs)
    assert reader.text.count(evil) > 10
    assert {"layout", "confusion"} <= {name for _, attrs in reader.elements for name in attrs.get("class", "").split()}


def test_strips_show_evenly_spaced_queries_with_marks_of_their_own(maker):
    report = with_strips(full(maker), frames, queries=3)
    shown = list(dict.fromkeys(strip.query.query for strip in report.strips))
    assert [int(name.split("/")[-1].removesuffix(".mp4")) for name in shown] == [1, 4, 7]
    assert {strip.encoder for strip in report.strips} == {"cpr", "infonce"}
    assert report.strip_rule.startswith("3 of 9 queries, evenly spaced")
    text = page(report)
    hits = [hit for strip in report.strips for hit in strip.query.hits]
    assert text.count('class="clip same"') == sum(hit.same for hit in hits)
    assert text.count('class="clip other"') == sum(not hit.same for hit in hits)
    assert text.count('title="same class">✓') == text.count('class="clip same"')
    assert text.count('title="another class">✗') == text.count('class="clip other"')


def test_without_common_queries_the_encoder_in_question_is_shown_alone(maker):
    run = maker.run()
    maker.result(run, "infonce", 0.3, details={"neighbours": []})
    maker.result(run, "cpr", 0.4)
    assert {strip.encoder for strip in with_strips(collect([run]), frames).strips} == {"cpr"}
    other = maker.run("other")
    maker.result(other, "infonce", 0.3, details={"neighbours": [{"query": "elsewhere.mp4", "hits": []}]})
    maker.result(other, "cpr", 0.4)
    assert {strip.encoder for strip in with_strips(collect([other]), frames).strips} == {"cpr"}


def test_a_video_that_cannot_be_read_is_a_note(maker):
    def broken(path):
        raise VideoError(f"'{path}' is broken.")

    text = page(with_strips(full(maker), broken, queries=1))
    assert "is broken." in Reader(text).text
    assert "<img" not in text


def test_a_page_with_strips_is_below_three_megabytes(maker, tmp_path):
    def noise(path):
        generator = np.random.default_rng(len(path))
        return list(generator.integers(0, 256, (8, 128, 171, 3), dtype=np.uint8))

    write_page(with_strips(full(maker), noise, queries=6), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_an_unfinished_run_without_evaluations_has_a_page(maker, state):
    run = maker.run(state=state)
    reader = Reader(page(collect([run])))
    assert reader.problems == []
    assert state in reader.text
    assert "kinema evaluate retrieval" in reader.text


def test_a_run_that_has_hardly_begun_has_a_page(maker):
    run = maker.run(state="running")
    for name in ("environment.json", "status.json"):
        (run.path / name).unlink()
    for folder in run.phases():
        (folder / "metrics.jsonl").write_text("")
        (folder / "phase.json").unlink()
    reader = Reader(page(collect([run])))
    assert reader.problems == []
    assert "No epoch has ended yet" in reader.text


def test_figures_that_are_no_numbers_are_dashes(maker):
    run = maker.run()
    maker.result(run, "cpr", 0.4, metrics={"r@1": math.nan, "r@5": 0.5}, details={"interval": [math.nan, math.nan]})
    maker.result(run, "infonce", 0.4, metrics={})
    text = page(collect([run]))
    assert Reader(text).problems == []
    assert "nan" not in re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL).lower()


def test_many_classes_are_folded_and_none_is_lost(maker):
    run = maker.run()
    for encoder, scale in (("infonce", 0.2), ("cpr", 0.3)):
        per_class = {f"class{n:03d}": scale * (n % 7) / 7 for n in range(100)}
        maker.result(run, encoder, 0.4, details={"per_class": per_class})
    text = Reader(page(collect([run]))).text
    assert "70 more classes" in text
    assert all(text.count(f"class{n:03d}") == 1 for n in range(100))


def test_a_falling_loss_falls_on_the_chart(maker):
    loss = re.search(r"<figure.*?</figure>", page(collect([maker.run(phases=("infonce-rgb",))])), re.DOTALL).group()
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="2.2"', loss)
    across, down = zip(*((float(x), float(y)) for x, y in dots), strict=True)
    assert list(across) == sorted(across)
    assert list(down) == sorted(down), "y of SVG grows downwards"
    assert down[0] < down[-1]


def test_shares_start_at_zero_and_losses_need_not(maker):
    text = page(collect([maker.run()]))
    ticks = {
        name: re.findall(r'text-anchor="end">(.*?)</text>', next(f for f in text.split("</figure>") if name in f))
        for name in ("Mining precision", ">Loss<")
    }
    assert ticks["Mining precision"][0] == "0 %"
    assert ticks[">Loss<"][0] == "3"


def test_classes_go_from_the_greatest_gain_to_the_greatest_loss(maker):
    run = maker.run()
    gains = {"jump": 0.1, "walk": 0.3, "crawl": -0.2}
    maker.result(run, "infonce", 0.3, details={"per_class": dict.fromkeys(gains, 0.4)})
    maker.result(run, "cpr", 0.4, details={"per_class": {name: 0.4 + gain for name, gain in gains.items()}})
    classes = re.search(r'<ul class="classes">.*', page(collect([run])), re.DOTALL).group()
    assert re.findall(r'<strong class="long">(.*?)</strong>', classes)[:3] == ["walk", "jump", "crawl"]
    assert re.findall(r'style="width:([\d.]+)%"', classes)[:2] == ["40.0", "70.0"]

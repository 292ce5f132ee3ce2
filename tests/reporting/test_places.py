"""A report can be passed on: no path of the machine, no release that is called a commit, no '1 videos'."""

import re

import pytest
from reports import collect

from kinema.core.errors import VideoError
from kinema.core.plurals import counted
from kinema.reporting import markdown, page, rows, with_strips, write_json
from kinema.reporting.wording import source


def forms(report, folder):
    """Everything of a report that is passed on, as text."""
    write_json(report, folder / "report.json")
    return {
        "page": re.sub(r"<(style|script)>.*?</\1>", "", page(report), flags=re.DOTALL),
        "markdown": markdown(report),
        "json": (folder / "report.json").read_text(),
    }


def test_no_absolute_path_is_passed_on(maker, tmp_path):
    place = tmp_path / "a place" / "videos"

    def broken(path):
        raise VideoError(f"'{place / path}' is broken.")

    data = {"first": str(place), "second": f"ucf101:{place}"}
    runs = [maker.run(name, data=told, command=["kinema", "pretrain", "cpr", told]) for name, told in data.items()]
    for run in runs:
        told = run.read("environment.json")["data"]
        maker.result(run, "cpr", 0.5, data=told)
        maker.result(run, "random", 0.3, data=told)
        run.update_status(state="failed", error=f"{run.path}/phases/01-a is full; see file:///home/some/one.log")
    report = with_strips(collect(runs), broken)
    for form, text in forms(report, tmp_path).items():
        assert str(tmp_path) not in text, form
        assert not re.search(r"/(home|tmp|work|root|Users)/", text), form
        assert "kinema evaluate finetune first " in text, form
        assert "ucf101:videos" in text or form == "markdown", form
        assert "one.log" in text, form
        assert "first/phases/01-a is full" in text, form
    assert str(runs[0].path) in " ".join(report.advice.steps), "what the terminal prints can be typed"


@pytest.mark.parametrize(
    "text",
    ["R@1 and/or 5 %", "https://arxiv.org/abs/2201.07989", "</script>", "a / b", "train/walk/1.mp4", "../videos"],
)
def test_what_is_no_absolute_path_stays(maker, text):
    run = maker.run(note=text)
    assert collect([run]).runs[0].environment["note"] == text
    assert text in forms(collect([run]), maker.root)["json"]


def test_a_release_is_no_commit(maker, tmp_path):
    run = maker.run(commit="0.1.0")
    for encoder, r1 in (("cpr", 0.5), ("random", 0.3)):
        maker.result(run, encoder, r1, commit="0.1.0")
    report = collect([run])
    text = forms(report, tmp_path)
    for form in ("page", "markdown"):
        assert "kinema 0.1.0" in text[form]
        assert not re.search(r"[Cc]ommit(</th><td><code>| )0\.1\.0", text[form])
    assert '<th scope="row">Commit</th>' not in text["page"]
    assert report.headline.basis.endswith("seed 0; kinema 0.1.0.")
    assert [row["commit"] for row in rows(report)] == [None, None]
    assert source(["0.1.0", "1a2b3c", "1a2b3c"]) == "commit 1a2b3c and kinema 0.1.0"
    assert source([""]) == ""


def test_one_is_not_named_in_the_plural(maker, tmp_path):
    run = maker.run(epochs=1, videos=1, classes=1, threads=1, stages=1)
    neighbours = {"neighbours": [maker.neighbours(0, "cpr")], "labelled": 1, "confusion": {"walk": {"walk": 1}}}
    maker.result(run, "infonce", 0.3, queries=1, gallery=1, details=neighbours)
    maker.result(run, "coclr", 0.5, queries=1, gallery=1, details=neighbours | {"asked": "q", "right": ["1"]})
    report = collect([run])
    for form, text in forms(report, tmp_path).items():
        assert not re.search(r"\b1 (videos|queries|epochs|classes|threads|stages|seeds|labelled videos)\b", text), form
    assert "1 video, 1 class" in page(report)
    assert [counted(n, "queries") for n in (0, 1, 1200)] == ["0 queries", "1 query", "1,200 queries"]
    assert counted(1, "more classes") == "1 more class"

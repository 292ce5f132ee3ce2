"""Which method 'auto' takes, over made-up scans, and that it says so wherever it is asked."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import kinema
from kinema.core.errors import UsageError
from kinema.data import Manifest
from kinema.data.video.manifest import Video
from kinema.recipes.choice import NOTES, PRESETS, RULES, Footage, chosen, footage_of
from kinema.recipes.table import METHODS

ROOT = Path(__file__).resolve().parents[2]
MANY = Footage(videos=900, recordings=900, moving=900, seconds=3.0)
OPTIONS = ("--clip.frames", "4", "--clip.size", "16", "--clip.short_side", "16", "--clip.stride", "1")
SMALL = (*OPTIONS, "--batch_size", "4", "--epochs", "1", "--encoder.width", "4", "--device", "cpu")


@pytest.mark.parametrize(
    ("footage", "method", "because"),
    [
        (MANY, "cpr", "all 900 videos have motion vectors"),
        (replace(MANY, moving=899, still_codecs=("vp9",)), "simclr", r"1 of 900 videos .* \(vp9\)"),
        (replace(MANY, moving=0, still_codecs=("av1", "vp9")), "simclr", r"900 of 900 videos .* \(av1, vp9\)"),
        (replace(MANY, recordings=799), "simclr", "799 recordings are fewer than the 800"),
        (replace(MANY, recordings=800), "cpr", "motion vectors"),
        (Footage(videos=52, recordings=52, moving=52), "simclr", "52 recordings are fewer"),
    ],
)
def test_the_rules(footage, method, because):
    choice = chosen(footage)
    assert choice.method == method
    assert re.search(because, choice.because)
    assert f"auto takes {method}: {choice.because}" in choice.words
    assert "Another method: its name in place of 'auto'" in choice.words
    said = any("cannot know whether motion tells" in note for note in choice.notes)
    assert said is (method == "cpr"), "what a scan cannot know is said with mining"


def test_what_is_said_beside_the_choice():
    def notes(**changes):
        return " ".join(chosen(replace(MANY, **changes)).notes)

    assert "sound" not in notes() + notes(sounding=800)
    assert "xdc learns from it" in notes(sounding=810)
    assert "--clips_per_video" not in notes(seconds=59.0)
    assert "Half of the videos last 60 s or more" in notes(seconds=60.0)
    assert "So few" in notes(recordings=99)
    assert "So few" not in notes(recordings=100)


def test_what_is_read_of_a_scan():
    heard = Video("a.mp4", codec="h264", duration=2.0, source="one", audio_codec="aac", audio_silent=False)
    silent = Video("b.mp4", codec="h264", duration=4.0, source="one", audio_codec="aac", audio_silent=True)
    still = Video("c.webm", codec="vp9", duration=9.0)
    found = footage_of(Manifest(Path(), (heard, silent, still)))
    assert found == Footage(3, 2, 2, sounding=1, seconds=4.0, still_codecs=("vp9",))


def test_every_reason_has_its_place_and_every_method_its_presets():
    for source in {part.source for part in (*RULES, *NOTES)}:
        page, _, anchor = source.partition("#")
        heads = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {""} | {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert anchor in slugs, source
    for rule in RULES:
        assert set(PRESETS) <= set(METHODS[rule.method].presets)


def test_it_is_taken_said_and_gone_on_with(tiny_folder, tiny_cache, tmp_path, call):
    run = tmp_path / "run"
    asked = ("pretrain", "auto", tiny_folder, "--out", run, "--cache", tiny_cache)
    status, out, err = call(*asked, *SMALL, "--dry-run", "--json")
    assert (status, run.exists()) == (0, False), err
    tried = kinema.core.reading.parse_json(out)
    assert (tried["method"], tried["choice"]["method"]) == ("simclr", "simclr")
    assert any("auto takes simclr: 12 recordings" in note for note in tried["notes"])
    status, out, err = call(*asked, *SMALL, "--json")
    assert status == 0, err
    assert "auto takes simclr: 12 recordings" in " ".join(err.split())
    done = kinema.core.reading.parse_json(out)
    assert (done["method"], done["choice"]["because"]) == ("simclr", chosen(Footage(12, 12, 12)).because)
    status, out, err = call(*asked, "--resume", "--device", "cpu")
    assert status == 0, err
    assert "Next: kinema evaluate retrieval" in out
    gone_on = kinema.pretrain("auto", tiny_folder, run, resume=True, cache=tiny_cache, device="cpu")
    assert (gone_on.method, gone_on.choice["method"]) == ("simclr", "simclr")


@pytest.mark.parametrize(
    "option", [("--method.queue", "8"), ("--transforms", "be"), ("--base", "be"), ("--schedule.turns", "2")]
)
def test_options_of_one_method_are_refused(option, tiny_folder, tmp_path, call):
    status, _, err = call("pretrain", "auto", tiny_folder, "--out", tmp_path / "run", *option)
    assert status == 2
    assert f"'{option[0][2:].partition('.')[0]}' belongs to one method" in err


def test_settings_of_one_method_are_refused(tiny_folder, tmp_path):
    for settings in ({"method_settings": {"queue": 8}}, {"preset": "coclr"}, {"beside": ["be-regulariser"]}):
        for face in (kinema.pretrain, kinema.dry_run):
            with pytest.raises(UsageError, match="belongs to one method"):
                face("auto", tiny_folder, tmp_path / "run", **settings)


def test_it_stands_first_where_methods_are_listed(call):
    for words in (("pretrain", "--list"), ("pretrain", "--help")):
        out = call(*words)[1]
        assert re.search(r"^ *auto +picks", out, re.MULTILINE).start() < out.index("cpr ")
    out = call("pretrain", "auto", "--help")[1]
    assert "--epochs" in out
    assert "--method" not in out
    assert "--schedule" not in out

"""A known data set by its name, from the scan to the page."""

import json
import shutil

import pytest
from tiny_commands import SMALL

from kinema.data.video.manifest import Manifest
from kinema.training.run_folder import RunFolder


@pytest.fixture
def ucf101(tiny_folder, tmp_path):
    """Three classes of four groups with a clip each; three groups are training in split 1, one in split 2."""
    root, lists = tmp_path / "ucf", tmp_path / "ucf" / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    names = {}
    for video in sorted(tiny_folder.glob("*/*.mp4")):
        label, group = video.parent.name.title(), int(video.stem[-1]) + 1
        names[f"{label}/v_{label}_g{group:02d}_c01.avi"] = group
        path = root / "UCF-101" / label / f"v_{label}_g{group:02d}_c01.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, path)
    for split, training in ((1, (1, 2, 3)), (2, (4,))):
        for part, wanted in (("train", True), ("test", False)):
            chosen = [f"{name} 1" if wanted else name for name, group in names.items() if (group in training) == wanted]
            (lists / f"{part}list0{split}.txt").write_text("\n".join(chosen))
    return root


def test_scan(call, ucf101, tmp_path):
    status, out, err = call("scan", f"ucf101:{ucf101}", "-o", tmp_path / "m.parquet", "--json")
    assert status == 0, err
    assert json.loads(out)["ok"] == 12
    manifest = Manifest.read(tmp_path / "m.parquet")
    assert manifest.classes() == ("Down", "Left", "Right")
    assert len(manifest.select({"split": "train"})) == len(manifest.select({"split1": "train"})) == 9
    assert {video.source for video in manifest.select({"split2": "train"}).videos} == {
        "v_Down_g04",
        "v_Left_g04",
        "v_Right_g04",
    }
    status, out, _ = call("scan", f"ucf102:{ucf101}", "--json")
    assert (status, json.loads(out)["error"]["kind"]) == (2, "usage")
    status, out, _ = call("scan", f"hmdb51:{ucf101}", "--json")
    assert (status, json.loads(out)["error"]["kind"]) == (1, "data")


def test_pretrain_evaluate_and_report(call, ucf101, tiny_cache, tmp_path):
    run, data, cache = tmp_path / "run", f"ucf101:{ucf101}", ("--cache", tiny_cache)
    status, _, err = call("pretrain", "cpr", data, "--out", run, *SMALL, *cache, "--json")
    assert status == 0, err
    assert RunFolder.open(run).read("environment.json")["data"] == data
    manifest = Manifest.read(run / "manifest.parquet")
    assert {video.split for video in manifest.videos} == {"train"}
    assert len(manifest) == 9
    status, out, err = call("evaluate", "retrieval", run, data, *cache, "--json")
    assert status == 0, err
    assert json.loads(out)["selection"] == "split=test"
    assert call("report", run, "--json")[0] == 0
    report = json.loads((run / "report.json").read_text())
    assert report["images"]  # the neighbours' pictures were found below the folder that the name speaks of
    assert report["undrawn"] == {}

"""The verbs of search as a user meets them."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from searching_tables import model_of

import kinema
from kinema.cli import evaluate as evaluate_verb
from kinema.cli import search as search_verb
from kinema.searching.hits import Hit


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_folder):
    pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")
    folder = tmp_path_factory.mktemp("search")
    kinema.export(model_of(), folder / "run", licence="CC0")
    shutil.copytree(tiny_folder, folder / "videos")
    (folder / "videos/left/broken.mp4").write_bytes(b"no video")
    shutil.copy(folder / "videos/down/down0.mp4", folder / "videos/down/copy.mp4")
    return folder


def test_the_verbs_in_turn(call, place, monkeypatch):
    monkeypatch.chdir(place)
    status, out, err = call("embed", "run", "videos", "--json", "--device", "cpu")
    told = json.loads(out)
    assert status == 0
    assert told["failed"] == [{"path": "left/broken.mp4", "reason": told["failed"][0]["reason"]}]
    assert "1 video could not be embedded" in err
    assert "left/broken.mp4" in err
    keys = (
        "table view videos windows added changed updated deleted kept unlisted unchanged held seconds failed index cut"
    )
    assert told.keys() == set(keys.split())
    assert (told["videos"], told["added"], told["index"]) == (13, 13, None)
    status, out, _ = call("embed", "run", "videos")
    assert status == 0
    assert out.splitlines()[1:] == ["13 videos unchanged"]
    assert f"13 videos, cut into {told['windows']} windows" in out

    query = "videos/left/left0.mp4@0.2-0.6"
    status, out, err = call("search", "run", query, "-k", "3", "--json", "--where", "label = 'left'")
    told = json.loads(out)
    assert (status, err) == (0, "")
    assert told.keys() == {"query", "hits", "seconds"}
    assert told["query"] == "videos/left/left0.mp4@0.20-0.60"
    assert 1 <= len(told["hits"]) <= 3
    assert all(hit.keys() == {"video", "start", "end", "score"} for hit in told["hits"])
    status, out, _ = call("search", "run", query, "-o", "sheet.html", "--exact", "--others")
    assert status == 0
    assert "The page: sheet.html" in out
    assert "left/left0.mp4" not in out
    assert (place / "sheet.html").read_text().startswith("<!doctype html>")

    cluster_and_name(call)
    find_copies(call, place)


def cluster_and_name(call):
    status, out, _ = call("cluster", "run", "-k", "2", "--json")
    told = json.loads(out)
    assert told.keys() == {"clusters", "noise", "unclustered", "seconds", "kept", "dropped"}
    assert sum(each["size"] for each in told["clusters"]) == 13
    status, out, _ = call("cluster", "run", "--name", "1=cart wheel", "0=[b]bold[/b]")
    assert status == 0
    assert "cart wheel" in out
    assert "[b]bold[/b]" in out
    refused = call("cluster", "run", "--over", "windows")
    assert (refused[0], refused[1]) == (2, "")
    assert "would be lost" in refused[2]
    status, out, err = call("cluster", "run")  # as many as there are, and none of their names is lost
    assert (status, err) == (0, "")
    assert "cart wheel" in out
    status, out, err = call("cluster", "run", "-k", "13")
    assert "are dropped: [b]bold[/b], cart wheel" in err


def find_copies(call, place):
    status, out, _ = call("dedupe", "run", "--json", "--score", "0.9999")
    told = json.loads(out)
    assert status == 0
    assert ("down/copy.mp4", "down/down0.mp4") in {(pair["a"], pair["b"]) for pair in told["alike"]}
    assert [(pair["a"], pair["b"], pair["identical"]) for pair in told["pairs"]] == [
        ("down/copy.mp4", "down/down0.mp4", True)
    ]
    status, out, _ = call("dedupe", "run", "--score", "0.9999", "-o", "pairs.csv")
    assert out.startswith("1 pair shares footage, of 1 pair of the table's videos with a cosine of 0.9999 or more.\n")
    assert "Nearly the same to the encoder" in out
    assert "down/copy.mp4" in (place / "pairs.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "kind", "named"),
    [
        (["search", "run", "nowhere.mp4"], 1, "data", "nowhere.mp4"),
        (["search", "run", "videos/left/left0.mp4", "--where", "x y"], 2, "usage", "--where"),
        (["search", "run", "videos/left/left0.mp4", "-o", "sheet.pdf"], 2, "usage", "sheet.pdf"),
        (["search", "run", "videos/left/left0.mp4", "--table", "empty"], 1, "data", "empty"),
        (["search", "nowhere", "videos/left/left0.mp4"], 1, "data", "nowhere"),
        (["embed", "nowhere", "videos"], 1, "run", "nowhere"),
        (["embed", "run", "nowhere"], 2, "usage", "nowhere"),
        (["embed", "run", "videos", "--length", "soon"], 2, "usage", "soon"),
        (["embed", "run", "videos", "--length", "2f", "-o", "new"], 2, "usage", "spans 5 frames"),
        (["cluster", "run", "--name", "cartwheel"], 2, "usage", "cartwheel"),
        (["dedupe", "run", "--score", "7"], 2, "usage", "7"),
    ],
)
def test_errors_are_ours(call, place, monkeypatch, arguments, status, kind, named):
    monkeypatch.chdir(place)
    if not (place / "run/index").exists():
        kinema.embed("run", "videos", device="cpu")
    left, out, err = call(*arguments, "--json")
    error = json.loads(out)["error"]
    assert (left, error["kind"]) == (status, kind)
    assert named in error["message"]
    assert "Traceback" not in err


def test_without_the_extra_the_error_names_it(call, tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    left, out, _ = call("search", tmp_path, tiny_folder / "left/left0.mp4", "--json")
    error = json.loads(out)["error"]
    assert (left, error["kind"]) == (1, "missing_extra")
    assert "kinema[search]" in error["hint"]


def test_embedding_and_searching_load_no_trainer(place):
    """Lightning, scikit-learn and SciPy take longer to load than torch, and a person waits for an answer."""
    heavy = ("lightning_fabric", "sklearn", "scipy.optimize", "torch._dynamo")
    code = (
        "import sys\nfrom kinema.cli import main\nrun, videos, query = sys.argv[1:]\n"
        "for told in (['embed', run, videos], ['search', run, query]):\n"
        "    try:\n        main(told)\n    except SystemExit as left:\n        assert left.code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    given = [sys.executable, "-c", code, place / "run", place / "videos", place / "videos/left/left0.mp4"]
    run = subprocess.run(given, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"


def test_hits_of_one_video_stand_together(capsys):
    """The video of the nearest hit first, its name once."""
    hits = [
        Hit("a.mp4", 0, 1, 0.9, "x"),
        Hit("b.mp4", 0, 1, 0.8),
        Hit("a.mp4", 4, 5, 0.7, "x"),
        Hit("b.mp4", 2, 3, 0.6),
    ]
    search_verb._print_hits(hits)
    lines = [line for line in capsys.readouterr().out.splitlines() if "0." in line]
    assert [line.count(".mp4") for line in lines] == [1, 0, 1, 0]
    assert [next(score for score in ("0.9", "0.8", "0.7", "0.6") if f"{score}00" in line) for line in lines] == [
        "0.9", "0.7", "0.8", "0.6",
    ]  # fmt: skip


def test_evaluate_says_interval_and_chance():
    told = {"interval": [0.18333, 0.41667], "chance": 1 / 15}
    result = SimpleNamespace(protocol="retrieval", details=told)
    assert evaluate_verb._how_sure(result) == "  (r@1: 95 % 0.183 to 0.417, chance 0.067)"
    assert evaluate_verb._how_sure(SimpleNamespace(protocol="retrieval", details={})) == ""

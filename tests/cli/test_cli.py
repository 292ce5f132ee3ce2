"""The command line as a user meets it: help, JSON, exit status, and the whole job on tiny videos."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import fields

import pytest
from signalled import signalled
from tiny_commands import SMALL

import kinema
from kinema import cli
from kinema.cli.terminal import helps
from kinema.protocols.table import PROTOCOLS
from kinema.recipes.table import METHODS
from kinema.training import loop
from kinema.training.run_folder import RunFolder


def one_object(out):
    value = json.loads(out)
    assert isinstance(value, dict)
    assert out.count("\n") == 1
    return value


@pytest.fixture(scope="module")
def cache(tiny_cache):
    return ["--cache", tiny_cache]


def test_help_loads_nothing_heavy():
    heavy = ("torch", "lightning_fabric", "av", "sklearn", "pyarrow", "jsonargparse", "rich", "numpy")
    code = (
        "import sys\nfrom kinema import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit as left:\n"
        f"    assert left.code == 0\nprint([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr.strip() == "[]"
    assert all(verb in run.stdout for verb in cli.VERBS)


def test_the_version_and_no_verb(call):
    assert call("--version") == (0, f"kinema {kinema.__version__}\n", "")
    status, out, err = call()
    assert (status, out) == (2, "")
    assert "usage: kinema VERB" in err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help(call, verb):
    for flag in ("--help", "-h"):
        status, out, _ = call(verb, flag)
        assert status == 0
        assert "usage" in out.lower()


@pytest.mark.parametrize("name", METHODS)
def test_help_of_every_method_names_its_settings(call, name):
    status, out, _ = call("pretrain", name, "--help", "all")
    assert status == 0
    missing = [field.name for field in fields(METHODS[name].config) if f"--method.{field.name}" not in out]
    assert missing == []


def test_help_is_what_the_docstring_of_the_settings_says():
    class Config:
        """Settings; rate: none.

        Args:
            rate: from 0 to 100 %, as in :class:`~kinema.core.clips.ClipSpec`,
                see ``rate``: it is one.
            size: pixels.

        Raises:
            ConfigError: a value that cannot be.
        """

    assert helps(Config) == {"rate": "from 0 to 100 %%, as in ClipSpec, see rate: it is one", "size": "pixels"}
    assert helps(type("Bare", (), {})) == {}


def test_methods(call):
    status, out, err = call("pretrain", "--list", "--json")
    assert (status, err) == (0, "")
    status, before, err = call("methods", "--json")
    assert (status, before, err) == (0, out, "kinema: 'methods' is now: kinema pretrain --list\n")
    rows = one_object(out)["methods"]
    assert [row["name"] for row in rows] == list(METHODS)
    assert all(row.keys() == {"name", "paper", "modalities", "summary"} for row in rows)
    status, out, _ = call("pretrain", "--list")
    assert status == 0
    assert all(name in out for name in METHODS)


def test_help_of_evaluate_lists_protocols_and_presets(call):
    status, out, _ = call("evaluate", "--help", "all")
    assert status == 0
    for name, protocol in PROTOCOLS.items():
        assert f"  {name} " in out
        assert all(f"      {preset} " in out for preset in protocol.presets)
    assert "--views" in out


@pytest.mark.parametrize(
    ("arguments", "status", "kind", "named"),
    [
        (("pretain",), 2, "usage", "pretain"),
        (("pretrain", "mocco", "x", "--out", "y"), 2, "usage", "mocco"),
        (("pretrain", "moco", "x"), 2, "usage", "out"),
        (("pretrain", "moco", "x", "--out", "y", "--velocity", "3"), 2, "usage", "velocity"),
        (("pretrain", "moco", "x", "--out", "y", "--epochs", "many"), 2, "usage", "epochs"),
        (("pretrain", "moco", "no-such-folder", "--out", "y"), 2, "usage", "no-such-folder"),
        (("pretrain", "moco", "x", "--out", "y", "--preset", "huge"), 2, "usage", "huge"),
        (("evaluate", "retrieval", "no-such-run", "x"), 1, "run", "no-such-run"),
        (("evaluate", "probing", "no-such-run", "x"), 2, "usage", "probing"),
        (("evaluate", "retrieval", "r", "x", "--query", "test"), 2, "usage", "test"),
        (("evaluate", "knn", "no-such-run", "x", "--preset", "coclr"), 2, "usage", "coclr"),
        (("evaluate", "knn", "no-such-run", "x", "--shares", "0.1"), 2, "usage", "shares"),
        (("evaluate", "cross-modal", "no-such-run", "x"), 2, "usage", "two views"),
        (("evaluate", "few-label", "no-such-run", "x", "--draws", "3"), 1, "run", "no-such-run"),
        # What selects videos is understood, one KEY=VALUE or several: the errors are about the run and the folder.
        (("evaluate", "retrieval", "no-such-run", "x", "--query", "part=swapped"), 1, "run", "no-such-run"),
        (
            ("evaluate", "retrieval", "no-such-run", "x", "--query", "a=b", "c=d", "--gallery", "split=train"),
            1,
            "run",
            "no-such-run",
        ),
        (("pretrain", "moco", "no-such-folder", "--out", "y", "--where", "a=b", "c=d"), 2, "usage", "no-such-folder"),
        (("scan", "no-such-folder"), 1, "data", "no-such-folder"),
        (("motion", "no-such-video.mp4", "-o", "m.npz"), 1, "video", "no-such-video.mp4"),
        (("motion", "no-such-video.mp4", "-o", "m.gif"), 2, "usage", "m.gif"),
        (("motion", "no-such-video.mp4"), 2, "usage", "out"),
        (("report", "no-such-run"), 1, "run", "no-such-run"),
        (("dataset", "kinetics", "x"), 2, "usage", "kinetics"),
        (("export", "no-such-run", "-o", "m"), 1, "run", "no-such-run"),
        (("export", "no-such-run", "-o", "m", "--format", "pickle"), 2, "usage", "pickle"),
        (("export", "no-such-run"), 2, "usage", "out"),
    ],
)
def test_errors_name_what_is_wrong(call, arguments, status, kind, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left, out, err = call(*arguments, "--json")
    assert left == status
    error = one_object(out)["error"]
    assert error.keys() == {"kind", "message", "hint"}
    assert error["kind"] == kind
    assert named in error["message"]
    assert "Traceback" not in err
    left, out, err = call(*arguments)
    assert (left, out) == (status, "")
    assert named in err
    assert not list(tmp_path.iterdir())


def test_scan_names_the_broken_file(call, tiny_folder, tmp_path):
    shutil.copytree(tiny_folder / "left", tmp_path / "videos")
    (tmp_path / "videos/broken.mp4").write_bytes(b"not a video")
    status, out, _ = call("scan", tmp_path / "videos", "--json", "--workers", 1, "-o", tmp_path / "m.json")
    assert status == 0
    told = one_object(out)
    assert told.keys() == {
        "videos", "ok", "partial", "unreadable", "files", "labels", "unlisted", "passed_over", "links_passed_over",
        "picture_folders_passed_over", "names_not_utf8", "special_files", "seconds", "rates", "cut", "too_large",
        "warnings",
    }  # fmt: skip
    assert [told[key] for key in ("videos", "ok", "partial", "unreadable")] == [5, 4, 0, 1]
    broken, whole = told["files"][0], told["files"][1]
    assert whole.keys() == {
        "path", "health", "reason", "codec", "width", "height", "fps", "frames", "duration", "audio", "transient",
        "interlaced", "note",
    }  # fmt: skip
    assert (broken["path"], broken["health"]) == ("broken.mp4", "unreadable")
    assert broken["reason"]
    assert (whole["codec"], whole["width"], whole["frames"], whole["audio"]) == ("h264", 32, 24, False)
    assert (tmp_path / "m.json").is_file()
    status, out, _ = call("scan", tmp_path / "videos", "--workers", 1)
    assert status == 0
    assert "broken.mp4" in out
    (tmp_path / "bad").mkdir()
    (tmp_path / "videos/broken.mp4").rename(tmp_path / "bad/broken.mp4")
    status, out, _ = call("scan", tmp_path / "bad", "--json", "--workers", 1)
    assert (status, one_object(out)["unreadable"]) == (1, 1)


def test_motion_as_arrays_and_drawn(call, tiny_folder, tmp_path):
    video = tiny_folder / "right/right0.mp4"
    for name in ("m.npz", "m.mp4"):
        status, out, err = call("motion", video, "-o", tmp_path / name, "--json")
        assert (status, err) == (0, "")
        told = one_object(out)
        assert told.keys() == {
            "video", "out", "frames", "telling", "width", "height", "bad_packets", "reason", "seconds",
        }  # fmt: skip
        assert [told[key] for key in ("frames", "telling", "width", "height", "bad_packets")] == [24, 22, 32, 32, 0]
        assert (tmp_path / name).stat().st_size > 1000
    status, out, _ = call("motion", video, "-o", tmp_path / "m.npz")
    assert status == 0
    assert "24 frames of 32x32, 22 with motion" in out


def test_motion_loads_no_torch(tiny_folder, tmp_path):
    asked = ["motion", str(tiny_folder / "right/right0.mp4"), "-o", str(tmp_path / "m.npz")]
    code = (
        f"import sys\nfrom kinema import cli\ntry:\n    cli.main({asked})\nexcept SystemExit as left:\n"
        "    assert left.code == 0\nprint([m for m in ('torch', 'sklearn', 'pyarrow') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_pretrain_evaluate_and_report(call, tiny_folder, cache, tmp_path):
    run = tmp_path / "run"
    status, out, err = call("pretrain", "cpr", tiny_folder, "--out", run, *SMALL, *cache, "--json")
    assert status == 0, err
    told = one_object(out)
    assert told.keys() == {"run", "method", "epochs", "steps", "seconds", "loss"}
    assert (told["run"], told["method"], told["steps"]) == (str(run), "cpr", 9)
    assert told["loss"] > 0
    for more in ((), ("--untrained",)):
        status, out, err = call("evaluate", "retrieval", run, tiny_folder, *cache, *more, "--json")
        assert status == 0, err
        told = one_object(out)
        assert {"protocol", "preset", "data", "metrics", "seconds"} <= told.keys()
        assert (told["protocol"], told["preset"]) == ("retrieval", "coclr")
        assert told["encoder"] == ("random" if more else "cpr")
        assert all(name.startswith("r@") and 0 <= value <= 1 for name, value in told["metrics"].items())
        assert "r@1" in told["metrics"]
    status, out, err = call("evaluate", "mining", run, tiny_folder, *cache, "--json")
    assert status == 0, err
    assert 0 <= one_object(out)["metrics"]["mining_precision"] <= 1
    for protocol, preset in (("knn", "k20-t0.07"), ("linear", "features")):
        status, out, err = call("evaluate", protocol, run, tiny_folder, *cache, "--json")
        assert status == 0, err
        told = one_object(out)
        assert (told["protocol"], told["preset"]) == (protocol, preset)
        assert told["metrics"].keys() == {"accuracy", "mean_class_accuracy"}
    status, out, err = call("evaluate", "few-label", run, tiny_folder, *cache, "--draws", 2, "--json")
    assert status == 0, err
    assert [part["preset"] for part in one_object(out)["parts"]] == ["1%", "10%"]
    across = ("evaluate", "cross-modal", run, tiny_folder, *cache, "--views", "rgb", "motion")
    status, out, err = call(*across, "--json")
    assert status == 0, err
    assert [part["view"] for part in one_object(out)["parts"]] == ["rgb to motion", "motion to rgb"]
    status, out, err = call("report", run, "--json")
    assert status == 0, err
    told = one_object(out)
    assert told.keys() >= {"rows", "report"}
    assert {row["encoder"] for row in told["rows"]} >= {"random", "cpr"}
    assert (run / "report.html").is_file()
    status, out, err = call("pretrain", "cpr", tiny_folder, "--out", run, *SMALL, *cache, "--json")
    assert (status, one_object(out)["error"]["kind"]) == (1, "run")
    status, out, err = call("pretrain", "cpr", tiny_folder, "--out", run, "--resume", *cache, "--json")
    assert (status, one_object(out)["steps"]) == (0, 9), err


def test_export_and_what_comes_of_it(call, tiny_folder, cache, tmp_path):
    run, out = tmp_path / "run", tmp_path / "model"
    assert call("pretrain", "simclr", tiny_folder, "--out", run, *SMALL[:14], *SMALL[-4:], *cache)[0] == 0
    status, told, err = call("export", run, "-o", out, "--licence", "CC0", "--json")
    assert (status, err) == (0, "")
    told = one_object(told)
    assert told.keys() == {"run", "out", "format", "view", "bytes", "seconds"}
    assert (told["out"], told["format"], told["view"]) == (str(out), "safetensors", "rgb")
    status, told, err = call("evaluate", "retrieval", out, tiny_folder, *cache, "--json")
    assert (status, one_object(told)["encoder"]) == (0, "simclr"), err
    status, told, err = call("export", out, "-o", tmp_path / "m.pt2", "--format", "program", "--json")
    assert status == 0, err
    assert 0 <= one_object(told)["difference"]["absolute"] <= 1e-5
    status, told, err = call("export", run, "-o", out, "--json")
    assert (status, one_object(told)["error"]["kind"]) == (1, "storage")
    status, told, err = call("export", run, "-o", tmp_path / "again")
    assert told.startswith(f"{tmp_path / 'again'}: rgb as safetensors, ")


def test_retrieval_without_labels_says_what_needs_none(call, tiny_flat_folder, cache, tmp_path):
    run = tmp_path / "run"
    assert call("pretrain", "moco", tiny_flat_folder, "--out", run, *SMALL[:16], "--epochs", 3, *cache)[0] == 0
    status, out, _ = call("evaluate", "retrieval", run, tiny_flat_folder, *cache, "--json")
    assert status == 1
    error = one_object(out)["error"]
    assert error["kind"] == "data"
    assert "label" in error["message"]
    assert "pretrain" in error["hint"]


def test_ctrl_c_leaves_with_status_1_and_goes_on(call, tiny_folder, cache, tmp_path, monkeypatch):
    run, after = tmp_path / "run", loop.PhaseLoop._after_step

    def send(self, terms):
        if self.progress.step == 4:
            signalled(signal.SIGINT)
        after(self, terms)

    monkeypatch.setattr(loop.PhaseLoop, "_after_step", send)
    status, out, _ = call("pretrain", "moco", tiny_folder, "--out", run, *SMALL[:16], *cache, "--json")
    assert (status, one_object(out)["error"]["kind"]) == (1, "interrupted")
    assert RunFolder.open(run).read("status.json")["state"] == "interrupted"
    monkeypatch.undo()
    status, out, _ = call("pretrain", "moco", tiny_folder, "--out", run, "--resume", *cache, "--json")
    assert (status, one_object(out)["steps"]) == (0, 6)

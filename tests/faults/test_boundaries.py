"""What crosses a boundary: names, devices, homes, numbers, and every file that kinema reads back."""

import ast
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import hostile_state
import pytest
import torch
from rich.console import Console
from rooms import SOURCE, parsed

import kinema
from kinema import api
from kinema.cli import main
from kinema.core import devices
from kinema.core.bounds import check_numbers
from kinema.core.clips import ClipSpec, SoundSpec
from kinema.core.devices import accelerator_of, check_precision, chosen_device, named_device
from kinema.core.errors import CheckpointError, ConfigError, DataError, KinemaError, RunError, StorageError, UsageError
from kinema.core.files import write_json
from kinema.core.printing import Table, make_console, plain, show
from kinema.core.reading import DEEPEST, load_json, parse_json, read_object, shaped
from kinema.core.results import Result
from kinema.data import Manifest, scan
from kinema.recipes.json import read_recipe, recipe_from_plain, recipe_to_plain
from kinema.training.run_folder import RunFolder
from kinema.training.settings import OptimiserConfig, Phase

NAMES = ("[draft] take 1", "[/x]", "[bold]b", ":smile:", "[link=file:///]l")


def status_of(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


@pytest.fixture(scope="module")
def state(tmp_path_factory, make_tiny_video):
    return hostile_state.State(tmp_path_factory.mktemp("state"), make_tiny_video)


# Text of users is never markup.


def printed(thing, console=None):
    out = io.StringIO()
    console = console or Console(file=out, width=200)
    console.file = out
    console.print(thing)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_a_table_shows_names_whole_on_any_console(name):
    table = Table("file", name, title=f"Videos in {name}", title_style="bold")
    table.add_column(f"more {name}")
    table.add_row(name, f"{name} again", "")
    table.caption = f"and {name}"
    for console in (None, make_console()):
        if console is not None:
            console.width = 200
        assert printed(table, console).count(name) == 6


@pytest.mark.parametrize("name", NAMES)
def test_lines_and_bars_show_names_whole(name):
    from rich.progress import Progress

    from kinema.core.printing import title_column

    out = io.StringIO()
    show(Console(file=out), f"a {name} b")
    assert out.getvalue() == f"a {name} b\n"
    bar = Progress(title_column(), console=Console(file=io.StringIO(), width=100))
    bar.add_task(name)
    assert name in printed(bar.get_renderable())
    assert name in printed(plain(name, "bold"))


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def markup_of(tree):
    """The places of a module where rich would take text for markup, or where a console or table is made elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.markup", "rich.table", "rich", "rich.logging"):
            wrong = [alias.name for alias in node.names if alias.name != "box"]
            if wrong:
                yield f"{node.lineno}: imports {', '.join(wrong)}"
    for call in calls(tree):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if name in ("Console", "RichHandler"):
            yield f"{call.lineno}: makes a {name}"
        if name == "TextColumn" and not any(each.arg == "markup" for each in call.keywords):
            yield f"{call.lineno}: a column of a bar with markup"
        if name in ("from_markup", "render"):
            yield f"{call.lineno}: reads markup" if name == "from_markup" else ""
        owner = getattr(call.func, "value", None)
        console = "console" in str(getattr(owner, "id", getattr(owner, "attr", "")))
        if name == "print" and console and any(isinstance(each, ast.JoinedStr | ast.Constant) for each in call.args):
            yield f"{call.lineno}: prints a text with markup"


def test_the_search_for_markup_finds_it():
    told = "from rich.table import Table\nConsole()\nconsole.print(f'{x}')\nTextColumn('{x}')\nText.from_markup(x)"
    assert len(list(markup_of(ast.parse(told)))) == 5


def test_no_module_prints_text_of_users_as_markup():
    found = {}
    for path in SOURCE.rglob("*.py"):
        if path != SOURCE / "core/printing.py":
            wrong = list(filter(None, markup_of(parsed(path))))
            found |= {path.name: wrong} if wrong else {}
    assert found == {}


def test_scan_and_report_print_names_whole(state, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    broken = state.videos / "[red]" / "[draft] broken.mp4"
    broken.write_bytes(b"nothing")
    try:
        assert status_of("scan", state.videos) == 0
    finally:
        broken.unlink()
    out = capsys.readouterr().out
    assert "[draft] broken.mp4" in out
    assert "[x] videos" in " ".join(out.split()) or "[x]videos" in out.replace("\n", "")
    assert status_of("report", state.run) == 0
    assert "runs [v2]" in capsys.readouterr().out.replace("\n", "")


def test_search_and_cluster_print_names_whole(state, capsys, monkeypatch):
    pytest.importorskip("lancedb")
    monkeypatch.setenv("COLUMNS", "300")
    state.embedded()
    assert status_of("search", state.run, state.videos / "[red]" / "[draft] take 0.mp4", "--device", "cpu") == 0
    assert "[red]/[draft] take 0.mp4" in capsys.readouterr().out
    assert status_of("cluster", state.run, "--name", "0=[/x]") == 0
    out = capsys.readouterr().out
    assert "[/x]" in out
    assert "[draft] take" in out


# Names that are not UTF-8.


@pytest.fixture
def latin(tiny_folder, tmp_path):
    """Two good videos, and a file and a folder in Latin-1."""
    root = tmp_path / "videos"
    root.mkdir()
    good = sorted(tiny_folder.rglob("*.mp4"))[:2]
    (root / "a.mp4").write_bytes(good[0].read_bytes())
    (root / "b.mp4").write_bytes(good[1].read_bytes())
    try:
        (root / os.fsdecode(b"caf\xe9.mp4")).write_bytes(good[0].read_bytes())
        (root / os.fsdecode(b"\xe9t\xe9")).mkdir()
        (root / os.fsdecode(b"\xe9t\xe9") / "c.mp4").write_bytes(good[1].read_bytes())
    except OSError:
        pytest.skip("this file system takes no such names")
    return root


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_a_name_that_is_not_utf8_is_left_out_and_named(latin, tmp_path, capsys, ending):
    out, quarantine = tmp_path / f"m.{ending}", tmp_path / "q.csv"
    assert status_of("scan", latin, "-o", out, "--quarantine", quarantine) == 1
    shown = capsys.readouterr()
    assert "caf\\xe9.mp4" in shown.out
    assert "convmv" in shown.out
    found = Manifest.read(out)
    assert [video.path for video in found.videos] == ["a.mp4", "b.mp4"]
    assert found.overlooked.misnamed == ("\\xe9t\\xe9", "caf\\xe9.mp4")
    quarantine.read_bytes().decode("utf-8")


def test_such_a_name_in_json(latin, capsys):
    assert status_of("scan", latin, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["names_not_utf8"] == ["\\xe9t\\xe9", "caf\\xe9.mp4"]
    assert told["ok"] == 2


def test_a_folder_with_such_a_name_is_refused_as_a_root(latin):
    with pytest.raises(DataError, match=r"\\xe9t\\xe9' is not UTF-8"):
        scan(latin / os.fsdecode(b"\xe9t\xe9"))
    with pytest.raises(DataError, match=r"caf\\xe9.mp4' is not UTF-8"):
        scan([latin / os.fsdecode(b"caf\xe9.mp4")])


def test_such_a_name_among_documents(tmp_path):
    from kinema.api.scans import scan_documents

    (tmp_path / "a.txt").write_text("some words")
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("more words")
    except OSError:
        pytest.skip("this file system takes no such names")
    found = {row.id: row.health for row in scan_documents(tmp_path).rows}
    assert found["caf\\xe9.txt"] == "unreadable"


def test_json_with_half_a_character_is_written_and_read(tmp_path):
    write_json(tmp_path / "a.json", {"command": ["caf\udce9"]})
    assert load_json(tmp_path / "a.json") == {"command": ["caf\udce9"]}


# Devices and precisions.


@pytest.mark.parametrize("name", ["cuda:99", "foo", "", "cuda:x", "cpu:1:2", "-1"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(UsageError, match="Choose one of: auto, cpu") as error:
        chosen_device(name)
    assert f"'{name}'" in error.value.message


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "gpu", "cuda:0"])
def test_a_gpu_where_there_is_none(name, state, tmp_path):
    for act in (
        lambda: kinema.pretrain("moco", state.videos, tmp_path / "run", device=name),
        lambda: kinema.dry_run("moco", state.videos, device=name),
        lambda: kinema.evaluate("retrieval", state.run, state.videos, device=name),
        lambda: kinema.load(state.run).encode(sorted(state.videos.rglob("*.mp4"))[:1], device=name),
    ):
        with pytest.raises(UsageError, match="is not on this machine"):
            act()
    assert not (tmp_path / "run").exists()


def test_devices_that_are_there():
    assert chosen_device("CPU") == "cpu"
    assert accelerator_of("cpu") == ("cpu", 1)
    assert accelerator_of("auto") == accelerator_of(chosen_device(None))


def test_the_name_before_goes_on_answering_with_a_word(caplog):
    devices._tell_of_gpu.cache_clear()
    assert [named_device("gpu"), named_device("GPU")] == ["cuda", "cuda"]
    assert caplog.text.count("'gpu' is called 'cuda' now") == 1
    assert [named_device(name) for name in (None, "auto", "CUDA:1", "mps")] == ["auto", "auto", "cuda:1", "mps"]


@pytest.mark.parametrize("precision", ["fp8", "16-mixed", "16", "", "32-mixed"])
def test_a_precision_that_cannot_be_is_refused_before_anything_is_written(precision, state, tmp_path):
    with pytest.raises(UsageError, match=r"32-true") as error:
        kinema.pretrain("moco", state.videos, tmp_path / "run", device="cpu", precision=precision)
    assert f"'{precision}'" in error.value.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("precision", ["32-true", "32", "bf16-mixed", "64-true"])
def test_precisions_of_a_processor(precision):
    check_precision(precision, "cpu")


# No home.


def test_without_a_home_the_cache_is_the_users_own_temporary_folder(tmp_path, monkeypatch):
    for name in ("KINEMA_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError("no home"))))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = api.cache_folder()
    assert place.parent.parent == tmp_path
    assert (place.parent.stat().st_mode & 0o777) == 0o700
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StorageError, match="KINEMA_CACHE"):
        api.cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert api.cache_folder() == tmp_path / "x" / "kinema"
    monkeypatch.setenv("KINEMA_CACHE", str(tmp_path / "k"))
    assert api.cache_folder() == tmp_path / "k"


def test_a_home_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("no folder")
    for name in ("KINEMA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert api.cache_folder().parent.parent == tmp_path


@pytest.mark.slow
def test_a_user_without_an_entry_trains(state, tmp_path):
    code = (
        "import os, pwd\n"
        "def nobody(*_): raise KeyError('getpwuid(): uid not found: 54321')\n"
        "pwd.getpwuid = pwd.getpwnam = nobody\n"
        "from tiny_runs import tiny_plan\nfrom kinema import api\n"
        "plan = tiny_plan('moco', epochs=1, batch_size=2, method={'queue': 4})\n"
        f"api.pretrain(plan, {str(state.videos)!r}, {str(tmp_path / 'run')!r}, device='cpu')\n"
    )
    names = ("HOME", "KINEMA_CACHE", "XDG_CACHE_HOME", "LOGNAME", "USER", "LNAME", "USERNAME")
    kept = {key: value for key, value in os.environ.items() if key not in names}
    kept |= {"PYTHONPATH": f"{SOURCE.parent}:{Path(__file__).parents[1]}", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "KINEMA_CACHE moves" in done.stderr
    assert list(tmp_path.glob("kinema-*/cache/*"))


# Numbers in settings.


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: OptimiserConfig(lr=math.nan), "optimiser.lr is nan"),
        (lambda: OptimiserConfig(lr=math.inf), "optimiser.lr is inf"),
        (lambda: OptimiserConfig(weight_decay=math.nan), "optimiser.weight_decay is nan"),
        (lambda: ClipSpec(frames=10**9), "clip.frames is 1000000000; it must be at most 10,000"),
        (lambda: ClipSpec(size=10**6, short_side=10**6), "clip.size is 1000000; it must be at most 8,192"),
        (lambda: SoundSpec(seconds=math.inf), "sound.seconds is inf"),
        (lambda: SoundSpec(rate=10**9), "sound.rate is 1000000000"),
    ],
)
def test_numbers_that_cannot_be(make, said):
    with pytest.raises(ConfigError) as error:
        make()
    assert said in error.value.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 10**12}, "epochs is"),
        ({"batch_size": 10**12}, "batch_size is"),
        ({"collapse_rank": math.nan}, "collapse_rank is nan"),
        ({"checkpoint_seconds": math.inf}, "checkpoint_seconds is inf"),
        ({"method_settings": {"queue": 10**15}}, "method.queue is"),
        ({"method_settings": {"temperature": math.nan}}, "temperature"),
        ({"optimiser": {"lr": math.nan}}, "optimiser.lr is nan"),
    ],
)
def test_plans_with_such_numbers_leave_nothing(settings, said, state, tmp_path):
    with pytest.raises(ConfigError, match=said):
        kinema.pretrain("moco", state.videos, tmp_path / "run", device="cpu", **settings)
    assert not (tmp_path / "run").exists()


def test_recipes_with_such_numbers(state):
    plain = recipe_to_plain(read_recipe(state.run / "recipe.json"))
    for path, value, said in (
        (("phases", 0, "method", "head", "out"), 10**9, "out is 1000000000; it must be at most 65,536"),
        (("encoder", "width"), 10**9, "width is 1000000000"),
        (("phases", 0, "epochs"), 1e12, "expected int"),
        (("checkpoint_seconds",), math.nan, "expected a finite number"),
        (("phases", 0, "name"), "..", "A phase is named '..'"),
    ):
        changed = json.loads(json.dumps(plain))
        inside = changed
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = value
        with pytest.raises(ConfigError) as error:
            recipe_from_plain(changed, "'recipe.json'")
        assert said in error.value.message
        assert "'recipe.json'" in error.value.message


def test_every_number_in_settings_is_looked_at():
    check_numbers(Phase("a", OptimiserConfig(), 3))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"x\.epochs is 10{30}; it must be at most 1,000,000"):
        check_numbers(Phase("a", OptimiserConfig(), 10**30), "x")  # type: ignore[arg-type]


# One strict reader.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, f"more than {DEEPEST} levels"),
        ('{"a":' * 200 + "1" + "}" * 200, f"more than {DEEPEST} levels"),
        ("9" * 5000, "a number of 5000 digits"),
        (b"\xff", "codec"),
        ("", "Expecting value"),
        ('{"a": 1', "delimiter"),
    ],
)
def test_json_within_bounds(text, said):
    with pytest.raises(ValueError, match=said):
        parse_json(text)


def test_files_that_are_too_large(tmp_path):
    (tmp_path / "a.json").write_text('{"a": "' + "x" * 100 + '"}')
    with pytest.raises(ValueError, match="larger than"):
        load_json(tmp_path / "a.json", largest=50)


class Inner(TypedDict, total=False):
    epochs: int | None
    start: dict[str, str]


class Outer(TypedDict, total=False):
    phases: list[Inner]
    seconds: float


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"phases": [{"epochs": "3"}]}, r"expected int or null, got '3' @ phases\[0\].epochs"),
        ({"phases": "abc"}, "expected a list, got 'abc' @ phases"),
        ({"phases": [{"start": []}]}, r"expected an object, got a list @ phases\[0\].start"),
        ({"seconds": True}, "expected float, got True @ seconds"),
        ([], "is a list in place of an object"),
    ],
)
def test_shapes_name_the_key(value, said):
    with pytest.raises(RunError, match=said):
        shaped(value, Outer, "'x'")
    assert shaped({"seconds": 3, "more": 1}, Outer, "'x'") == {"seconds": 3, "more": 1}


@pytest.mark.parametrize("content", [b"[]", b"null", b"{", b"\xff\x00", b"[" * 50_000])
@pytest.mark.parametrize("name", ["recipe.json", "environment.json", "status.json", "evaluation", "phase.json"])
def test_a_runs_files_that_hold_something_else(state, name, content):
    path = {
        "evaluation": next((state.run / "evaluations").iterdir()),
        "phase.json": state.phase / "phase.json",
    }.get(name, state.run / name)

    def read():
        folder = RunFolder.open(state.run)
        folder.update_status(state="done")
        return [folder.read(str(path.relative_to(state.run))), *folder.results()]

    with pytest.raises(KinemaError) as error:
        hostile_state.with_content(path, content, read)
    assert str(path) in error.value.message


def test_results_with_a_wrong_detail_name_the_file(state):
    path = next((state.run / "evaluations").iterdir())
    plain = json.loads(path.read_text())
    for key, value in (("interval", "x"), ("per_class", []), ("neighbours", [{"hits": 3}]), ("chance", "x")):
        changed = plain | {"details": plain["details"] | {key: value}}
        read = lambda: list(RunFolder.open(state.run).results())  # noqa: E731
        with pytest.raises(RunError, match=key) as error:
            hostile_state.with_content(path, json.dumps(changed).encode(), read)
        assert str(path) in error.value.message
    assert all(isinstance(result, Result) for result in RunFolder.open(state.run).results())


def test_metrics_with_a_damaged_line(state):
    path = state.phase / "metrics.jsonl"
    whole = path.read_bytes()
    read = lambda: RunFolder.open(state.run).metrics(state.phase)  # noqa: E731
    assert hostile_state.with_content(path, whole + b'{"cut', read) == read()
    for line in (b"[]", b'{"event": "epoch"}', b'{"loss": "x"}', b'{"epoch": null}', b"[" * 50_000):
        with pytest.raises(RunError, match=r"metrics\.jsonl' line 1 is damaged"):
            hostile_state.with_content(path, line + b"\n" + whole, read)


def test_checkpoints_whose_values_are_others(state):
    from kinema.training.checkpoints import Checkpoint

    path = state.phase / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    for key, value in (
        ("progress", {"epoch": -1}),
        ("progress", {"epoch": "1"}),
        ("progress", []),
        ("method", {"a": 3}),
        ("identity", None),
        ("format", torch.zeros(3)),
        ("progress", content["progress"] | {"metrics_bytes": -5}),
        ("progress", content["progress"] | {"seconds": math.nan}),
    ):
        file = io.BytesIO()
        torch.save(content | {key: value}, file)
        with pytest.raises(CheckpointError) as error:
            hostile_state.with_content(path, file.getvalue(), lambda: Checkpoint.read(path, {}))
        assert str(path) in error.value.message


def test_a_checkpoint_that_does_not_fit_its_metrics_is_refused(state, tmp_path):
    import shutil

    shutil.copytree(state.run, tmp_path / "run")
    phase = next((tmp_path / "run/phases").iterdir())
    (phase / "phase.json").unlink()
    (phase / "metrics.jsonl").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"bytes of metrics\.jsonl, which has 0"):
        api.pretrain("moco", state.videos, tmp_path / "run", resume=True, device="cpu", logger="none")


@pytest.mark.parametrize("kind", ["recipes", "checkpoints", "weights", "manifests", "tables"])
def test_damaged_state_is_read_as_it_was_or_refused(kind, state):
    """A small part of it; the whole: python benchmarks/reliability.py."""
    if kind == "tables":
        pytest.importorskip("lancedb")
    counts, bad = hostile_state.tried(hostile_state.KINDS[kind](state, 1, {"tables": 6, "recipes": 8}.get(kind, 24)))
    assert bad == []
    assert counts["refused"] > 0 or kind == "tables"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match=r"a\.json' cannot be read: No such file"):
        read_object(tmp_path / "a.json")

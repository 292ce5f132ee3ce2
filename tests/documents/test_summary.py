import io
import json

from rich.console import Console

from kinema.data.documents import read_documents
from kinema.data.documents.summary import documents_json, documents_table


def corpus(folder):
    for number in range(30):
        (folder / f"short{number:02d}.txt").write_text("one")
    rows = [{"text": " ".join(["word"] * n + [str(n)]), "label": "ab"[n % 2], "split": "train"} for n in range(4, 14)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]) + "[bad json]\n[")
    (folder / "bad.txt").write_bytes(b"[/red] \xff")
    return read_documents(folder)


def test_counts_reasons_and_quantiles_are_plain_values(tmp_path):
    found = documents_json(corpus(tmp_path), 1.5)
    assert json.loads(json.dumps(found)) == found
    assert found["documents"] == 44
    assert {name: found[name] for name in ("ok", "empty", "short", "duplicate", "unreadable")} == {
        "ok": 10,
        "empty": 0,
        "short": 30,
        "duplicate": 1,
        "unreadable": 3,
    }
    assert list(found["problems"]) == ["unreadable", "duplicate", "short"]
    assert found["problems"]["short"]["count"] == 30
    assert len(found["problems"]["short"]["first"]) == 20
    assert found["problems"]["duplicate"]["first"] == [
        {"id": "rows.jsonl#11", "reason": "the same text as 'rows.jsonl#1'"}
    ]
    assert found["words"] == {"total": 95, "least": 5, "tenth": 5, "median": 9, "nine_tenths": 13, "most": 14}
    assert found["labels"] == {"a": 5, "b": 5}
    assert found["splits"] == {"train": 10}
    assert found["seconds"] == 1.5


def test_the_table_names_what_is_left_out_as_it_is_written(tmp_path):
    (tmp_path / "[bold].txt").write_bytes(b"\xff")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(documents_table(corpus(tmp_path)))
    text = console.export_text()
    assert "45 documents" in text
    assert "10 ok, 30 short, 1 duplicate, 4 unreadable" in text
    assert "[bold].txt" in text
    assert "byte 0xff at offset 0 is not UTF-8" in text
    assert "and 15 more" in text

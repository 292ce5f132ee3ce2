import subprocess
import sys

import pytest

from kinema.core.errors import StorageError
from kinema.data.documents import read_documents
from kinema.data.documents.pydoc import write_pydoc


@pytest.fixture(scope="module")
def pydoc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pydoc") / "documents"
    return write_pydoc(folder)


def test_the_library_is_written_as_documents_that_can_be_learnt_from(pydoc):
    table = read_documents(pydoc.folder)
    assert len(table) == len(table.usable()) == pydoc.documents > 150
    assert table.digest == pydoc.digest
    assert sum(row.words for row in table.rows) == pydoc.words > 100_000
    assert min(row.words for row in table.rows) >= 100
    assert {"topics", "asyncio", "json", "builtins"} <= set(table.classes())
    asyncio = [row for row in table.rows if row.label == "asyncio"]
    assert len(asyncio) > 5
    assert {row.source for row in asyncio} == {"asyncio"}


def test_a_document_holds_the_docstrings_of_its_module(pydoc):
    heapq = (pydoc.folder / "heapq.txt").read_text()
    assert heapq.startswith("heapq\n\nHeap queue algorithm")
    assert "heappush(heap, item)\nPush item onto heap" in heapq
    assert 'The "assert" statement' in (pydoc.folder / "topics.assert.txt").read_text()
    assert "str.split" in (pydoc.folder / "builtins.txt").read_text()


def test_it_is_the_same_every_time_and_an_existing_folder_is_left_alone(pydoc, tmp_path):
    code = "import sys, pathlib; from kinema.data.documents.pydoc import write_pydoc; before = set(sys.modules)\n"
    code += f"print(write_pydoc(pathlib.Path({str(tmp_path / 'again')!r})).digest)\n"
    code += "print(sorted({'antigravity', 'this', 'idlelib', 'turtle', 'tkinter'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.splitlines() == [pydoc.digest, "[]"]
    with pytest.raises(StorageError, match="exists already"):
        write_pydoc(pydoc.folder)

import pytest

from kinema.core.errors import DataError
from kinema.data.documents.kinds import kind_of


@pytest.fixture
def mixed(tmp_path):
    (tmp_path / "films").mkdir()
    for name in ("a.mp4", "b.webm"):
        (tmp_path / "films" / name).write_bytes(b"0")
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number:05d}.jpg").write_bytes(b"0")
    (tmp_path / "one.txt").write_text("text")
    (tmp_path / "labels.csv").write_text("path,text\n")
    (tmp_path / "rows.csv").write_text("text\nrow\n")
    (tmp_path / "prices.csv").write_text("price\n3\n")
    (tmp_path / ".hidden.txt").write_text("text")
    return tmp_path


def test_videos_and_documents_are_counted_by_their_names(mixed):
    kinds = kind_of(mixed)
    assert (kinds.videos, kinds.documents, kinds.tables) == (3, 1, 1)
    assert str(kinds) == "3 videos, 1 document and 1 table of documents"
    assert kinds.which("declutr", "documents") == (
        f"'{mixed}' holds {kinds}; declutr reads the documents and leaves the videos alone."
    )
    assert "cpr reads the videos" in kinds.which("cpr", "clips")
    kinds.check("declutr", "documents")
    kinds.check("cpr", "clips")


def test_a_place_of_the_other_modality_is_refused_with_a_sentence(mixed):
    with pytest.raises(DataError, match=r"declutr reads documents, and '.*films' holds 2 videos"):
        kind_of(mixed / "films").check("declutr", "documents")
    with pytest.raises(DataError, match=r"cpr reads videos, and '.*one\.txt' holds 1 document\."):
        kind_of(mixed / "one.txt").check("cpr", "clips")
    assert kind_of(mixed / "films").which("declutr", "documents") == ""


def test_an_empty_place_holds_neither_and_a_missing_one_is_refused(tmp_path):
    assert str(kind_of(tmp_path)) == "neither videos nor documents"
    kind_of(tmp_path).check("declutr", "documents")
    with pytest.raises(DataError, match="There is no folder or file"):
        kind_of(tmp_path / "nowhere")

"""What people write in tables of labels means what they meant, or is named; nothing is passed over without a word."""

import unicodedata
from dataclasses import replace

import pytest

from kinema.core.errors import DataError
from kinema.core.splits import part_of
from kinema.core.tables import training_rows
from kinema.data.labels import class_folders
from kinema.data.layouts import apply_labels
from kinema.data.layouts.folder import labelled_videos
from kinema.data.layouts.tree import rows as rows_of
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.summary import labels_json, scan_table
from kinema.protocols.parts import split_parts, trained_and_tested

ROWS = [("path", "label", "split"), ("a.mp4", "hère", "test"), ("b.mp4", "hère", "train"), ("c.mp4", "là", "train")]
WANTED = [("hère", "test"), ("hère", "train"), ("là", "train")]


def table(rows=ROWS, separator=",", end="\r\n"):
    return "".join(separator.join(row) + end for row in rows)


def read(root, content, *paths, encoding="utf-8", strict=True):
    """The videos of the paths with what labels.csv says, and how it was read."""
    (root / "labels.csv").write_bytes(content.encode(encoding))
    paths = paths or ("a.mp4", "b.mp4", "c.mp4")
    videos, reading = labelled_videos(root, [Video(path) for path in paths], strict=strict)
    return Manifest(root, videos, reading=reading)


def said(manifest):
    return [(video.label, video.split) for video in manifest.videos]


def of(*splits):
    """A manifest with a video a split, each labelled and of its own recording."""
    return Manifest("/x", tuple(Video(f"{n}.mp4", split=s, label="ab"[n % 2]) for n, s in enumerate(splits)))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("encoding", "name", "guessed"),
    [
        ("utf-8", "UTF-8", False),
        ("utf-8-sig", "UTF-8", False),
        ("utf-16", "UTF-16", False),
        ("cp1252", "Windows-1252", True),
    ],
)
def test_separators_and_encodings(tmp_path, separator, encoding, name, guessed):
    manifest = read(tmp_path, table(separator=separator), encoding=encoding)
    assert said(manifest) == WANTED
    assert (manifest.reading.encoding, manifest.reading.guessed) == (name, guessed)
    assert any("not UTF-8" in sentence for sentence in manifest.reading.warnings()) is guessed
    assert manifest.reading.separator == {",": "commas", ";": "semicolons", "\t": "tabs"}[separator]


@pytest.mark.parametrize(
    "head", ["Path,Label,Split", "path, label, split", "PATH ,\u00a0Label,SPLIT ", '"path","label","split"']
)
def test_heads(tmp_path, head):
    assert said(read(tmp_path, head + "\n" + table(ROWS[1:]))) == WANTED


def test_what_spreadsheets_add(tmp_path):
    assert said(read(tmp_path, "sep=;\n" + table(separator=";") + ";;\r\n;;\r\n")) == WANTED
    extra = read(tmp_path, table([(*row, "") for row in ROWS]))
    assert said(extra) == WANTED
    assert extra.videos[0].attributes == {}
    assert not extra.reading.warnings()
    held = read(tmp_path, table([(*row, "x" if n else "") for n, row in enumerate(ROWS)]))
    assert any("a column without a name" in sentence for sentence in held.reading.warnings())
    with pytest.raises(DataError, match="two columns 'label'"):
        read(tmp_path, table([("path", "label", "Label"), *ROWS[1:]]))


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("x/a.mp4", "./x/a.mp4"),
        ("x/a.mp4", "x\\a.mp4"),
        ("x/a.mp4", " x/a.mp4 "),
        ("x/a.mp4", "{root}/x/a.mp4"),
        ("x/a.mp4", "{name}/x/a.mp4"),
        ("x/a.mp4", "C:\\Users\\me\\films\\x\\a.mp4"),
        ("x/a.mp4", "/elsewhere/films/x/a.mp4"),
        ("x/a.mp4", "x/a.MP4"),
        ("Clip.MP4", "Clip.mp4"),
        ("Clip.MP4", "clip.mp4"),
        (unicodedata.normalize("NFD", "été.mp4"), unicodedata.normalize("NFC", "été.mp4")),
        (unicodedata.normalize("NFC", "été.mp4"), unicodedata.normalize("NFD", "été.mp4")),
    ],
)
def test_spellings_of_a_path(tmp_path, file, written):
    written = written.format(root=tmp_path, name=tmp_path.name)
    manifest = read(tmp_path, f"path,label\n{written},one\n", file, "other.mp4")
    assert [video.label for video in manifest.videos] == ["one", None]
    assert manifest.videos[0].path == file
    assert manifest.reading.unlisted.first == ("other.mp4",)


def test_a_loose_spelling_is_used_only_where_one_file_has_it(tmp_path):
    with pytest.raises(DataError, match=r"1 of 1 files are not there: 'a\.Mp4'"):
        read(tmp_path, "path,label\na.Mp4,one\n", "a.mp4", "a.MP4")
    with pytest.raises(DataError, match=r"1 of 2 files are not there: 'A\.mp4'"):  # the one it means has its own row
        read(tmp_path, "path,label\na.mp4,one\nA.mp4,two\n", "a.mp4")


def test_labels_are_one_class_but_for_capitals(tmp_path):
    nfc, nfd = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    manifest = read(tmp_path, table([("path", "label"), ("a.mp4", nfc), ("b.mp4", f" {nfd} "), ("c.mp4", "É")]))
    assert manifest.classes() == ("É", nfc)
    assert any("'É' and 'é'" in sentence for sentence in labels_json(manifest)["warnings"])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("train", ("train", "Train", "TRAINING", " trn", "train ", "training_set", "Training-Set")),
        ("val", ("val", "Valid", "VALIDATION", "dev ", "validation set")),
        ("test", ("test", "Test", "TESTING", "tst", "test_set", "test ")),
        (None, ("", "tset", "fold 1", "train/test", None)),
    ],
)
def test_words_for_a_split(tmp_path, part, words):
    assert {part_of(word) for word in words} == {part}
    if part is not None:
        for word in words:
            assert read(tmp_path, f"path,split\na.mp4,{word}\n", "a.mp4").videos[0].split == part


@pytest.mark.parametrize("other", ["Test", "val", "VALIDATION", "dev", "tst "])
def test_what_is_held_out_is_not_trained_on(other):
    for train in ("Train", "training", None):  # also as an older manifest holds them
        chosen = training_rows(of(train, train, other, other), None, "videos", "")
        assert [video.path for video in chosen.videos] == ["0.mp4", "1.mp4"]
        test, ranked = split_parts(of(train, train, other, other), None, None)
        assert [video.path for video in ranked.videos] == ["0.mp4", "1.mp4"]
        assert [[video.path for video in part.videos] for part in test.values()] == [["2.mp4", "3.mp4"]]
        sides = trained_and_tested(of(train, train, other, other), None, None, "linear")
        assert [video.path for video in sides.training.videos] == ["0.mp4", "1.mp4"]
    for choose in (
        lambda m: training_rows(m, None, "videos", ""),
        lambda m: trained_and_tested(m, None, None, "linear"),
    ):
        with pytest.raises(
            DataError, match=r"None of the 2 videos may be trained on: their splits are '(test|val)' \(2\)"
        ):
            choose(of(other, other))


def test_splits_that_are_not_known_are_named_and_refused(caplog):
    unknown = of("fold 1", "fold 1", "tset", None)
    for choose in (
        lambda: training_rows(unknown, None, "videos", ""),
        lambda: split_parts(unknown, None, None),
        lambda: split_parts(of("train", "train", "tset"), None, None),
        lambda: trained_and_tested(unknown, None, None, "linear"),
    ):
        with pytest.raises(DataError, match=r"'tset' \(1\)(.|\n)*Write train, val or test") as caught:
            choose()
    assert "'fold 1' (2), 'tset' (1)" in caught.value.message
    assert len(training_rows(unknown, {"split": "Fold 1 ".strip().lower()}, "videos", "")) == 2
    assert len(training_rows(of("train", "train", "tset"), None, "videos", "")) == 2
    assert "not known are left out: 'tset' (1)" in caplog.text


def test_a_value_is_chosen_as_it_is_meant():
    manifest = of("Train", "training", "test", None)
    assert len(manifest.select({"split": "TRAIN"})) == 2
    assert [video.path for video in manifest.select({"split": ""}).videos] == ["3.mp4"]
    named = replace(
        manifest, videos=tuple(replace(v, label=unicodedata.normalize("NFC", "é")) for v in manifest.videos)
    )
    assert len(named.select({"label": unicodedata.normalize("NFD", "é ")})) == 4


def test_rows_and_videos_that_do_not_meet_are_named(tmp_path, caplog):
    manifest = read(tmp_path, "path,label,split\na.mp4,x,train\ngone.mp4,y,train\n", strict=False)
    told = labels_json(manifest)
    assert told["rows_without_video"] == {"count": 1, "first": ("gone.mp4",)}
    assert told["videos_without_row"] == {"count": 2, "first": ("b.mp4", "c.mp4")}
    with pytest.raises(DataError, match="1 of 3 videos can be trained on"):
        training_rows(manifest, None, "videos", "")
    assert "labels.csv names 1 videos that are not there: 'gone.mp4'" in caplog.text
    assert "2 videos stand in no row of labels.csv" in caplog.text
    for name in ("m.json", "m.parquet"):
        manifest.write(tmp_path / name)
        assert Manifest.read(tmp_path / name).reading == manifest.reading
    with pytest.raises(DataError, match="2 of 2 files are not there"):
        read(tmp_path, "path,label\nx.mp4,a\ny.mp4,b\n", strict=False)
    with pytest.raises(DataError, match="1 of 2 files are not there"):
        apply_labels(tmp_path, [Video("x.mp4")])


def test_a_test_video_under_another_name_is_not_trained_on(tmp_path):
    manifest = read(tmp_path, "path,split\na.mp4,test\ngone.mp4,test\n", strict=False)
    with pytest.raises(DataError, match=r"holds out 1 videos that are not there(.|\n)*Mend the paths"):
        training_rows(manifest, None, "videos", "")


def test_a_stray_file_leaves_the_class_folders_their_labels(tmp_path):
    inside = [f"{name}/{n}.mp4" for name in "AB" for n in range(6)]
    videos, reading = labelled_videos(tmp_path, [Video(path) for path in (*inside, "motion.mp4")])
    assert [video.label for video in videos] == [*"AAAAAABBBBBB", None]
    assert reading.beside.first == ("motion.mp4",)
    manifest = Manifest(tmp_path, videos, reading=reading)
    sides = trained_and_tested(manifest, None, None, "linear")
    assert len(sides.training) + sum(map(len, sides.test.values())) == 12
    assert any("'motion.mp4'" in sentence for sentence in labels_json(manifest)["warnings"])
    assert not class_folders([*inside, *(f"{n}.mp4" for n in range(6))])[0]


@pytest.mark.parametrize(
    ("content", "paths", "why"),
    [
        (None, ("a.mp4", "b.mp4"), "There is no labels.csv, and no file lies in a class folder"),
        ("path,klass\na.mp4,x\n", ("a.mp4",), "labels.csv has no column 'label' among: path, klass"),
        ("path,label\na.mp4,\n", ("a.mp4",), "labels.csv has no label for any of the 1 files"),
    ],
)
def test_why_there_are_no_labels(tmp_path, content, paths, why):
    if content is not None:
        (tmp_path / "labels.csv").write_text(content)
    videos, reading = labelled_videos(tmp_path, [Video(path) for path in paths])
    assert reading.why.startswith(why)
    with pytest.raises(DataError) as caught:
        trained_and_tested(Manifest(tmp_path, videos, reading=reading), None, None, "linear")
    assert why in caught.value.message


def test_a_table_that_is_none_is_an_error(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"p\0a\0t\0h\0")
    with pytest.raises(DataError, match=r"labels\.csv' could not be read"):
        apply_labels(tmp_path, [Video("a.mp4")])


def test_the_lists_of_known_data_sets_are_read_alike(tmp_path):
    (tmp_path / "t.csv").write_bytes(" Youtube_ID ;Label\nx; é \n".encode("utf-16"))
    assert [dict(row) for _, row in rows_of(tmp_path / "t.csv", ("youtube_id",), ("label",))] == [
        {"youtube_id": "x", "label": "é"}
    ]


def test_a_scan_says_it(tmp_path):
    from rich.console import Console

    manifest = read(tmp_path, "path,label,split\na.mp4,x,Train\ngone.mp4,y,odd\nb.mp4,X,odd\n", strict=False)
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(scan_table(manifest))
    text = console.export_text()
    for sentence in ("'gone.mp4'", "'odd' (1)", "'X' and 'x'", "3 rows of labels.csv, UTF-8, separated by commas"):
        assert sentence in text

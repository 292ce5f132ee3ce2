import pytest

from kinema.core.errors import DataError, UsageError
from kinema.data.layouts import apply_labels, open_data
from kinema.data.video.manifest import Manifest, Video


def videos(*paths):
    return [Video(path) for path in paths]


def labels(root, text):
    (root / "labels.csv").write_text(text, encoding="utf-8")


def test_class_folders_only_where_every_video_is_one_deep(tmp_path):
    assert [v.label for v in apply_labels(tmp_path, videos("a/1.mp4", "b/2.mp4"))] == ["a", "b"]
    for paths in (("a/1.mp4", "2.mp4"), ("1.mp4", "2.mp4"), ("a/1.mp4", "b/c/2.mp4")):
        assert [v.label for v in apply_labels(tmp_path, videos(*paths))] == [None, None]


def test_labels_csv(tmp_path):
    labels(tmp_path, '\ufeffpath,label,source,split,scene\na/1.mp4,kick,r1,train,"park, dark"\n./a/2.mp4,,,,\n')
    one, two, three = apply_labels(tmp_path, videos("a/1.mp4", "a/2.mp4", "a/3.mp4"))
    assert (one.label, one.source, one.split, one.attributes) == ("kick", "r1", "train", {"scene": "park, dark"})
    assert (two.label, two.source, two.split, two.attributes) == (None, "a/2.mp4", None, {"scene": ""})
    assert (three.label, three.attributes) == (None, {})


def test_without_a_label_column_the_folders_are_the_classes(tmp_path):
    labels(tmp_path, "path,person\na/1.mp4,tom\n")
    (video,) = apply_labels(tmp_path, videos("a/1.mp4"))
    assert (video.label, video.attributes) == ("a", {"person": "tom"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n1.mp4,a\n", r"line 1: there is no column 'path' among: file, label"),
        ("", r"no column 'path' among: none"),
        ("path,label\n1.mp4,a\n1.mp4,b\n", r"line 3, column 'path': '1\.mp4' stands in line 2"),
        ("path,label\n1.mp4,a\n9.mp4,b\n8.mp4,b\n", r"2 of 3 files are not there: '9\.mp4' \(line 3\), '8\.mp4'"),
        ("path,label\n1.mp4,a,b\n", r"line 2: it has more columns"),
        ("path,label\n1.mp4\n", r"line 2: it has fewer columns"),
        ("path,label\n,a\n", r"line 2, column 'path': it is empty"),
    ],
)
def test_errors_give_line_and_column(tmp_path, text, message):
    labels(tmp_path, text)
    with pytest.raises(DataError, match=message):
        apply_labels(tmp_path, videos("1.mp4"))


def test_labels_that_are_not_utf8(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"path,label\n\xff\xfe,a\n")
    with pytest.raises(DataError, match=r"labels\.csv' could not be read"):
        apply_labels(tmp_path, videos("1.mp4"))


def test_open_data(class_folder, tmp_path):
    manifest = open_data(class_folder)
    assert manifest.classes() == ("jump", "wave")
    assert not [path for path in class_folder.iterdir() if path.is_file()]  # nothing is left in the user's folder
    manifest.write(tmp_path / "m.json")
    assert open_data(str(tmp_path / "m.json")) == Manifest(class_folder.resolve(), manifest.videos)
    for data, message in (("mine:/x", "no layout 'mine'"), (tmp_path / "gone", "There is no"), (__file__, "not a")):
        with pytest.raises(UsageError, match=message):
            open_data(data)


def test_a_listed_file_that_is_no_video_is_named(tmp_path, caplog):
    names = ["poster.png", *(f"{n}.heic" for n in range(5))]
    for name in names:
        (tmp_path / name).touch()
    labels(tmp_path, "path,label\n1.mp4,a\n" + "".join(f"{name},b\n" for name in names))
    assert [v.label for v in apply_labels(tmp_path, videos("1.mp4"))] == ["a"]
    assert "labels.csv', column 'path': 6 of 7 files are passed over" in caplog.text
    assert "'poster.png' (line 3), '0.heic' (line 4)" in caplog.text
    assert "'3.heic' (line 7) and 1 more. Rename them" in caplog.text


def test_a_listed_video_that_was_not_asked_for_is_not_named(tmp_path, caplog):
    (tmp_path / "2.mp4").touch()
    labels(tmp_path, "path,label\n1.mp4,a\n2.mp4,b\n")
    apply_labels(tmp_path, videos("1.mp4"))
    assert caplog.text == ""

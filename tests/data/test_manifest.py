import json
import pkgutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kinema.core.errors import DataError
from kinema.data.video.manifest import Manifest, Video

VIDEOS = (
    Video("b/2.mp4", label="b", source="r1", split="train", frames=9, keyframes=(0, 4), attributes={"actor": "x"}),
    Video(
        "a/1.mp4",
        label="a",
        source="r2",
        split="test",
        size=7,
        mtime_ns=3,
        fps=29.97,
        b_frames=True,
        audio_silent=False,
        audio_duration=2.5,
    ),
    Video("c.mp4", health="unreadable", reason="empty", audio_codec="aac", audio_rate=16000, audio_silent=True),
)


@pytest.fixture
def manifest(tmp_path):
    return Manifest(tmp_path, VIDEOS)


@pytest.mark.parametrize("name", ["m.parquet", "m.json"])
def test_reads_what_it_wrote(manifest, tmp_path, name):
    manifest.write(tmp_path / name)
    assert Manifest.read(tmp_path / name) == Manifest(tmp_path.resolve(), VIDEOS)


def test_parquet_is_typed(manifest, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    manifest.write(tmp_path / "m.parquet")
    schema = pq.read_schema(tmp_path / "m.parquet")
    assert schema.field("attributes").type == pa.map_(pa.string(), pa.string())
    assert schema.field("keyframes").type == pa.list_(pa.int32())
    assert schema.metadata[b"digest"].decode() == manifest.digest


def test_a_moved_folder_is_found_beside_its_manifest(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "c.mp4").touch()
    Manifest(old, VIDEOS[2:]).write(old / "m.json")
    old.rename(new)
    assert Manifest.read(new / "m.json").root == new.resolve()


def test_digest_is_of_what_learning_depends_on(manifest):
    same = Manifest(Path("/elsewhere"), (VIDEOS[2], VIDEOS[0], replace(VIDEOS[1], mtime_ns=99, fps=1.0)))
    assert same.digest == manifest.digest
    changes = [
        {"size": 8},
        {"label": "z"},
        {"source": "z"},
        {"split": "z"},
        {"frames": 1},
        {"path": "z"},
        {"attributes": {"k": "v"}},
    ]
    digests = {Manifest(manifest.root, (replace(VIDEOS[1], **change),)).digest for change in changes}
    assert len(digests | {Manifest(manifest.root, VIDEOS[1:2]).digest}) == len(changes) + 1


def test_select(manifest):
    assert manifest.select({"split": "train", "actor": "x"}).videos == VIDEOS[:1]
    assert manifest.select({"health": "ok"}).videos == VIDEOS[:2]
    with pytest.raises(DataError, match="No video has 'colour'") as error:
        manifest.select({"colour": "red"})
    assert "label, source, split, health, actor" in error.value.hint
    with pytest.raises(DataError, match="split=val") as error:
        manifest.select({"split": "val"})
    assert "test, train" in error.value.hint


def test_ids_are_numbers_of_sorted_names(manifest):
    assert manifest.classes() == ("a", "b")
    assert manifest.labels() == ("b", "a", None)
    assert manifest.label_ids() == (1, 0, -1)
    assert manifest.source_ids() == (1, 2, 0)  # c.mp4 < r1 < r2
    assert len(manifest.usable()) == 2


def test_errors_name_the_file(tmp_path, manifest):
    with pytest.raises(DataError, match=r"no manifest .*gone\.parquet"):
        Manifest.read(tmp_path / "gone.parquet")
    (tmp_path / "bad.parquet").write_text("no")
    (tmp_path / "bad.json").write_text('{"videos": []}')
    for name in ("bad.parquet", "bad.json"):
        with pytest.raises(DataError, match=name):
            Manifest.read(tmp_path / name)
    with pytest.raises(DataError, match=r"1 paths more than once: c\.mp4"):
        Manifest(tmp_path, (VIDEOS[2], VIDEOS[2]))


def test_loads_neither_torch_nor_av():
    code = "import sys, kinema.data, kinema.data.video.manifest; print({'torch', 'av', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_resolves():
    import kinema.data

    for name in kinema.data.__all__:
        assert getattr(kinema.data, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = kinema.data.nonsense


@pytest.mark.parametrize("name", ["m.parquet", "m.json"])
def test_an_older_manifest_says_nothing_of_silence(manifest, tmp_path, name):
    manifest.write(tmp_path / name)
    if name.endswith("json"):
        content = json.loads((tmp_path / name).read_text())
        content["videos"] = [
            {key: value for key, value in row.items() if key not in ("audio_silent", "audio_duration")}
            for row in content["videos"]
        ]
        (tmp_path / name).write_text(json.dumps(content))
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(tmp_path / name).drop_columns(["audio_silent", "audio_duration"])
        pq.write_table(table, tmp_path / name)
    read = Manifest.read(tmp_path / name)
    assert [(video.audio_silent, video.audio_duration) for video in read.videos] == [(None, 0.0)] * len(VIDEOS)
    assert [video.audio_codec for video in read.videos] == [video.audio_codec for video in VIDEOS]
    assert read.digest == manifest.digest


def test_no_module_hides_a_public_name():
    import kinema.data

    modules = {module.name for module in pkgutil.iter_modules(kinema.data.__path__)}
    assert {"clips", "video", "layouts"} <= modules
    assert modules & set(kinema.data.__all__) == set()

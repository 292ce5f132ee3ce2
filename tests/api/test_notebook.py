"""What a person in a notebook relies on: encode takes what is at hand, progress and results show themselves."""

import copy
import errno
import io
import os
import pty
import subprocess
import sys
import types

import av
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_plan

import kinema
from kinema.core.errors import DataError, ShapeError, StorageError, UsageError
from kinema.core.progress import Steps, watched
from kinema.core.results import Result, Results
from kinema.data.clips.given import Encoded
from kinema.data.clips.joined import JoinedModel
from kinema.searching.query import read_query


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook") / "run"
    return kinema.pretrain(tiny_plan("moco", epochs=1), tiny_manifest, folder, cache=tiny_cache, device="cpu")


@pytest.fixture(scope="module")
def model(run):
    return run.model


@pytest.fixture(scope="module")
def files(tiny_folder):
    return sorted(tiny_folder.rglob("*.mp4"))


def frames_of(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def other_view(model):
    other = copy.copy(model)
    other.tower, other.view = copy.deepcopy(model.tower), "residual"
    return other


def same(one, other):
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_files_in_memory_are_the_files(model, files):
    z = model.encode(files[:3])
    content = files[1].read_bytes()
    with files[2].open("rb") as stream:
        same(model.encode([files[0], content, stream]), z)
    assert model.encode(io.BytesIO(content)).shape == (32,)
    same(model.encode(memoryview(content)), z[1])
    with files[0].open(encoding="latin-1") as text, pytest.raises(UsageError, match="a stream of str") as caught:
        model.encode(text)
    assert '"rb"' in caught.value.hint
    with pytest.raises(DataError, match="Video 0 is empty"):
        model.encode(io.BytesIO(b""))
    with pytest.raises(DataError, match="1 of 1 videos cannot be read"):
        model.encode(b"no video at all")


def test_a_full_temporary_folder_is_said_and_is_no_video_to_skip(model, files, monkeypatch):
    def full(path, mode):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kinema.data.clips.given.open_plain", full)
    for errors in ("raise", "skip"):
        with pytest.raises(StorageError, match="The disk is full"):
            model.encode(files[0].read_bytes(), errors=errors)


def test_files_frames_and_pictures_may_stand_in_one_list(model, files):
    video, other = frames_of(files[0]), frames_of(files[1])
    held = np.repeat(video[:1], model.clip.span, axis=0)
    frames = [Image.fromarray(frame) for frame in other]
    z = model.encode([files[2], video, frames, Image.fromarray(video[0]), torch.from_numpy(other)])
    same(z, [model.encode(each) for each in (files[2], video, other, held, other)])
    with pytest.raises(ShapeError, match="frames of video 0 differ in size"):
        model.encode([[video[0], video[0][:, :16]]])
    with pytest.raises(ShapeError, match=r"permute\(0, 2, 3, 1\)"):
        model.encode(torch.from_numpy(video).permute(0, 3, 1, 2))
    with pytest.raises(UsageError, match="A frame of video 0 is of type PosixPath"):
        model.encode([[files[0], files[1]]])


def test_pictures_and_stretches_are_what_a_search_asks_with(model, run, files, tmp_path, caplog):
    Image.fromarray(frames_of(files[0])[3]).save(tmp_path / "picture.png")
    same(model.encode(tmp_path / "picture.png"), read_query(model, tmp_path / "picture.png").vector)
    same(model.encode((tmp_path / "picture.png").read_bytes()), model.encode(tmp_path / "picture.png"))
    late = f"{files[0]}@0.5-0.9"
    same(model.encode(late), read_query(model, late).vector)
    early, whole = model.encode([f"{files[0]}@0-0.4", files[0]])
    assert np.abs(model.encode(late) - early).max() > 1e-3
    assert np.abs(whole - early).max() > 1e-3
    model.encode(f"{files[0]}@0.5-0.55")
    assert "was widened to one" in caplog.text
    with pytest.raises(UsageError, match=r"lasts 0\.96 s"):
        model.encode(f"{files[0]}@7-9")
    with pytest.raises(UsageError, match="A still picture has nothing of the view 'residual'"):
        other_view(model).encode(tmp_path / "picture.png")


def test_a_folder_is_its_videos_in_order(model, tiny_folder, files):
    same(model.encode(tiny_folder), model.encode(files))
    assert model.encode(str(tiny_folder / "left")).shape == (4, 32)
    with pytest.raises(UsageError, match="is a folder, among other things"):
        model.encode([tiny_folder, files[0]])
    with pytest.raises(DataError, match=r"no folder|cannot be read"):
        model.encode(tiny_folder / "nowhere")


def test_a_generator_is_taken_in_portions(model, files, monkeypatch):
    monkeypatch.setattr("kinema.data.clips.given.AT_ONCE", 2)
    video, alive, most = frames_of(files[0]), [], []

    def made():
        import weakref

        for _ in range(7):
            alive[:] = [ref for ref in alive if ref() is not None]
            most.append(len(alive))
            one = video.copy()
            alive.append(weakref.ref(one))
            yield one
            del one

    told = []
    z = model.encode(made(), progress=lambda done, total: told.append((done, total)))
    same(z, np.repeat(model.encode(video)[None], 7, axis=0))
    assert max(most) <= 3
    assert told[-1] == (7, 7)


def test_what_cannot_be_read_is_left_out_and_said(model, files, tmp_path, caplog):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    given = [tmp_path / "broken.mp4", files[0], b"nothing", files[1], tmp_path / "bad.jpg"]
    with pytest.raises(DataError) as caught:
        model.encode(given[:4])
    assert 'errors="skip"' in caught.value.hint
    found = model.encode(given, errors="skip")
    assert isinstance(found, Encoded)
    same(found.embeddings, model.encode(files[:2]))
    assert (found.kept, found.names) == ((1, 3), (str(files[0]), str(files[1])))
    assert [(each.position, each.name) for each in found.left_out] == [
        (0, str(tmp_path / "broken.mp4")),
        (2, "video 2"),
        (4, str(tmp_path / "bad.jpg")),
    ]
    assert all(each.reason for each in found.left_out)
    assert "2 rows of 5 videos, left out: " in caplog.text
    with pytest.raises(TypeError):
        found[0]
    alone = model.encode(tmp_path / "broken.mp4", errors="skip")
    assert (alone.embeddings.shape, alone.kept, len(alone.left_out)) == ((0, 32), (), 1)
    with pytest.raises(UsageError, match="Video 1 is of type dict"):
        model.encode([files[0], {}], errors="skip")
    with pytest.raises(UsageError, match="errors is 'ignore'"):
        model.encode(files[0], errors="ignore")


def test_what_breaks_within_is_left_out_without_a_substitute(model, files, tmp_path, monkeypatch):
    from kinema.data.clips.store import ClipStore, VideoError

    bad = tmp_path / "late.mp4"
    bad.write_bytes(files[1].read_bytes())
    read = ClipStore.read

    def failing(self, video, *given, **named):
        if self.manifest.videos[video].path.endswith("late.mp4"):
            raise VideoError("'late.mp4' ends early.")
        return read(self, video, *given, **named)

    monkeypatch.setattr(ClipStore, "read", failing)
    found = model.encode([files[0], bad, files[2]], errors="skip")
    same(found.embeddings, model.encode([files[0], files[2]]))
    assert found.kept == (0, 2)
    assert "ends early" in found.left_out[0].reason


def test_a_model_stays_on_its_device(run, files, monkeypatch):
    model = kinema.load(run)
    monkeypatch.setattr("kinema.core.devices.possible", lambda: ["cpu", "cuda", "cuda:0", "meta"])
    monkeypatch.setattr("kinema.core.devices.named_device", lambda name: name or "auto")
    assert model.device == "cuda"
    assert model.to("cpu") is model
    assert model.device == "cpu"
    assert model.encode(files[0]).shape == (32,)
    joined = JoinedModel([model, other_view(model)])
    assert joined.to("meta").device == model.device == "meta"
    assert {part.device.type for reader in joined.readers for part in reader.tower.parameters()} == {"meta"}
    monkeypatch.undo()
    model = kinema.load(run)
    assert model.to(torch.device("cpu")).encode(files[0]).shape == (32,)
    with pytest.raises(UsageError, match="cuda:97"):
        model.to("cuda:97")


def test_a_run_knows_its_model_and_is_taken_for_its_folder(run, files, tiny_manifest, tiny_cache):
    same(run.model.encode(files[0]), kinema.load(run.folder).encode(files[0]))
    assert run.model is run.model
    with pytest.warns(FutureWarning, match=r"kinema\.load\(run, view=…\)"):
        assert run.model(untrained=True).name == "random"
    with pytest.raises(TypeError, match="is no function"):
        kinema.load(run)(files[0])
    results = kinema.evaluate("retrieval", run, tiny_manifest, cache=tiny_cache)
    assert results[0].metrics == run.evaluate("retrieval", tiny_manifest, cache=tiny_cache)[0].metrics
    page, _ = run.report()
    assert page == run.folder / "report.html"
    assert kinema.report(run)[0] == page
    assert str(run).startswith(f"moco in '{run.folder}': 1 epoch, ")


def test_results_are_a_short_table_and_escaped_html():
    common = ("rgb", "videos", "0" * 64, 12, 24, 0, "abc", 1.0)
    one = Result("retrieval", "coclr", {"r@1": 0.5, "r@5": 0.75}, "cpr", *common, details={"selection": "<b>test</b>"})
    two = Result("knn", "k20", {"accuracy": 0.25}, "random", *common, details={"interval": [0.1, 0.4], "chance": 0.2})
    head, first, second = str(Results([one, two])).splitlines()
    assert head.split() == ["encoder", "view", "protocol", "selection", "r@1", "r@5", "accuracy", "interval", "chance"]
    assert first.split()[-3:] == ["<b>test</b>", "0.500", "0.750"]
    assert second.split() == ["random", "rgb", "knn", "(k20)", "0.250", "0.100", "to", "0.400", "0.200"]
    assert len(repr(one)) < 120
    assert repr(Results([one, two])) == str(Results([one, two]))
    assert str(Results([one]) + Results([two])) == str(Results([one, two]))
    page = Results([one, two])._repr_html_()
    assert page.count("<tr>") == 3
    assert "&lt;b&gt;test&lt;/b&gt;" in page
    assert "<b>" not in page
    assert one._repr_html_() == Results([one])._repr_html_()
    assert (str(Results([])), Results([])._repr_html_()) == ("no results", "no results")


_WATCHED = "from kinema.core.progress import watched; print(watched(None) is not None)"


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe():
    def asked(stderr):
        done = subprocess.run(
            [sys.executable, "-c", _WATCHED], stdout=subprocess.PIPE, stderr=stderr, check=True, text=True,
            env=os.environ | {"FORCE_COLOR": "1"}, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    ours, theirs = pty.openpty()
    assert asked(theirs) == "True"
    assert asked(subprocess.PIPE) == "False"
    for each in (ours, theirs):
        os.close(each)


@pytest.fixture
def notebook(monkeypatch):
    """As in a notebook: what its outputs show, each a list of what it was, one after another."""
    outputs = []

    class HTML(str):
        __slots__ = ()

    def display(what, display_id=False):
        shown = [str(what)]
        outputs.append(shown)
        return types.SimpleNamespace(update=lambda new: shown.append(str(new)))

    fake = types.ModuleType("IPython.display")
    fake.HTML, fake.display = HTML, display
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("kinema.core.progress._PAUSE", 0)
    return outputs


def test_a_notebook_shows_a_bar_that_goes_away(notebook, model, files, tiny_manifest, tiny_cache, tmp_path, capfd):
    model.encode(files[:3], batch_size=1)
    (bar,) = notebook
    assert (bar[0], bar[-1]) == ("", "")
    assert any("encoding" in each and "2/3" in each for each in bar)
    model.encode(files[:3], progress=False)
    with Steps("<script>", False) as step:
        step(1, 2)
    assert len(notebook) == 1
    with Steps("<script>") as step:
        step(1, 2)
    assert "&lt;script&gt;" in "".join(notebook[1])
    kinema.scan(tiny_manifest.root)
    assert any("scanning" in each for each in notebook[2])
    kinema.pretrain(tiny_plan("moco", epochs=1), tiny_manifest, tmp_path / "r", cache=tiny_cache, device="cpu")
    assert any("moco" in each and "clips/s" in each for output in notebook for each in output)
    assert capfd.readouterr() == ("", "")
    assert watched(False) is None

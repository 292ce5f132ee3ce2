"""State that is not what it says: files that changed after the scan, and damaged caches, checkpoints and weights."""

import json
import logging
import os
import random
import shutil

import numpy as np
import pytest
import torch
from lived_towers import lived_tower
from tiny_runs import tiny_plan

import kinema
from kinema import api
from kinema.core.clips import ClipSpec
from kinema.core.errors import CheckpointError, DataError, StorageError, VideoError
from kinema.core.weights import read_weights, write_weights
from kinema.data import ClipStore, scan
from kinema.data.clips.reader import Model
from kinema.training.checkpoints import Checkpoint
from kinema.training.run_folder import RunFolder

SPEC = ClipSpec(frames=4, stride=2, size=32, short_side=32)


@pytest.fixture
def folder(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "videos")
    return tmp_path / "videos"


def store(manifest, cache, motion=True):
    return ClipStore(manifest, SPEC, motion=motion, cache=cache)


def windows(found):
    return {row: found.read(row, (0, 5)) for row in found.frames if row not in found.failures}


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for row, one in ours.items():
        np.testing.assert_array_equal(one.frames, theirs[row].frames)
        np.testing.assert_array_equal(one.motion, theirs[row].motion)


# A manifest says which files it means.


def test_a_file_that_changed_after_the_scan_is_not_stored_as_what_it_was(folder, tmp_path):
    manifest = scan(folder)
    first = manifest.file(0)
    was, times = first.read_bytes(), (first.stat().st_atime_ns, first.stat().st_mtime_ns)
    shutil.copy(manifest.file(5), first)
    found = store(manifest, tmp_path / "cache")
    assert found.failures == {0: "it has changed since it was scanned: scan again"}
    first.write_bytes(was)
    os.utime(first, ns=times)
    again = store(manifest, tmp_path / "cache")
    assert again.failures == {}
    assert_equal(windows(again), windows(store(manifest, None)))


def test_a_file_that_could_not_be_reached_is_tried_again(folder, tmp_path):
    manifest = scan(folder)
    first = manifest.file(0)
    first.rename(tmp_path / "away.mp4")
    assert "cannot be reached now" in store(manifest, tmp_path / "cache").failures[0]
    (tmp_path / "away.mp4").rename(first)
    assert store(manifest, tmp_path / "cache").failures == {}


def test_a_file_that_changed_is_not_read_without_a_cache_either(folder):
    manifest = scan(folder)
    found = store(manifest, None)
    shutil.copy(manifest.file(5), manifest.file(0))
    with pytest.raises(VideoError, match=r"down0\.mp4' is not read: it has changed since it was scanned"):
        found.read(0, (0,))


def test_a_folder_in_which_every_file_changed_says_so(folder, tmp_path):
    manifest = scan(folder)
    for row in range(len(manifest)):
        os.utime(manifest.file(row), ns=(1, 1))
    with pytest.raises(DataError, match="it has changed since it was scanned: scan again"):
        store(manifest, tmp_path / "cache")


# A damaged cache heals itself.


@pytest.fixture(scope="module")
def made(tiny_folder, tmp_path_factory):
    """A manifest, a cache of it, and what is read from there."""
    manifest, cache = scan(tiny_folder), tmp_path_factory.mktemp("whole") / "cache"
    return manifest, cache, windows(store(manifest, cache))


def zero_a_frame(flat):
    content = bytearray(flat.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3072] = bytes(3072)
    flat.write_bytes(content)


def flip_a_bit(flat):
    content = bytearray(flat.read_bytes())
    content[len(content) // 3] ^= 4
    flat.write_bytes(content)


def halve(flat):
    flat.write_bytes(flat.read_bytes()[: flat.stat().st_size // 2])


@pytest.mark.parametrize("kind", ["rgb", "motion"])
@pytest.mark.parametrize(
    "harm", [zero_a_frame, flip_a_bit, halve, lambda flat: flat.unlink(), lambda flat: flat.write_bytes(b"")]
)
def test_damaged_frames_are_decoded_again(harm, kind, made, tmp_path, caplog):
    manifest, cache, whole = made
    shutil.copytree(cache, tmp_path / "cache")
    harm(max((tmp_path / "cache").glob(f"*/*.{kind}"), key=lambda flat: flat.stat().st_size))
    with caplog.at_level(logging.WARNING):
        healed = windows(store(manifest, tmp_path / "cache"))
    assert "was damaged in" in caplog.text
    assert "they are decoded again" in caplog.text
    assert_equal(healed, whole)
    caplog.clear()
    assert_equal(windows(store(manifest, tmp_path / "cache")), whole)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "harm", [flip_a_bit, halve, lambda index: index.write_text("[]"), lambda index: index.unlink()]
)
def test_a_store_with_a_damaged_index_is_made_again(harm, made, tmp_path):
    manifest, cache, whole = made
    shutil.copytree(cache, tmp_path / "cache")
    harm(next((tmp_path / "cache").glob("*/index.json")))
    assert_equal(windows(store(manifest, tmp_path / "cache")), whole)


# Checkpoints, towers and exports are what was written, or are refused.


def flipped(content, draw):
    """The content with one bit changed."""
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def same(ours, theirs):
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs


def read_or_refused(read):
    """What is read, or the error of ours."""
    try:
        return read()
    except CheckpointError as error:
        return error


def test_a_checkpoint_with_a_flipped_bit_is_refused_or_is_what_it_was(tiny_folder, tiny_cache, tmp_path):
    api.pretrain(tiny_plan("moco", epochs=1), tiny_folder, tmp_path / "run", cache=tiny_cache, device="cpu")
    folder = RunFolder.open(tmp_path / "run")
    path = tmp_path / "run/phases" / folder.phases()[0].name / "checkpoint.pt"
    whole, content, draw, refused = Checkpoint.read(path, {}), path.read_bytes(), random.Random(0), 0
    for _ in range(25):
        path.write_bytes(flipped(content, draw))
        found = read_or_refused(lambda: Checkpoint.read(path, {}))
        if isinstance(found, CheckpointError):
            assert str(path) in found.message
            refused += 1
        else:
            assert same(vars(found), vars(whole)), "read, and something else"
    assert refused > 18


def test_weights_with_a_flipped_bit_are_refused_or_are_what_they_were(tmp_path):
    state = {
        "a.weight": torch.arange(200.0).reshape(10, 20),
        "b": torch.tensor(3),
        "c": torch.ones(7, dtype=torch.bool),
    }
    write_weights(tmp_path / "w.safetensors", state)
    content, draw, refused = (tmp_path / "w.safetensors").read_bytes(), random.Random(0), 0
    for _ in range(300):
        (tmp_path / "w.safetensors").write_bytes(flipped(content, draw))
        found = read_or_refused(lambda: read_weights(tmp_path / "w.safetensors", "do this"))
        assert isinstance(found, CheckpointError) or same(found, state), "read, and something else"
        refused += isinstance(found, CheckpointError)
    assert refused > 250


def test_weights_of_before_have_no_checksum_and_are_read(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(3)}, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.safetensors", "").keys() == {"a"}


def test_an_export_whose_settings_are_not_those_of_its_weights_is_refused(tmp_path):
    kinema.export(Model(lived_tower(), "rgb", SPEC, name="made"), tmp_path / "model", licence="CC0")
    settings = json.loads((tmp_path / "model/model.json").read_text())
    (tmp_path / "model/model.json").write_text(json.dumps(settings | {"licence": "CC BY 4.0"}))
    assert kinema.load(tmp_path / "model").clip == SPEC
    settings["clip"]["stride"] = 3
    (tmp_path / "model/model.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"model\.json' was not written with the weights beside it"):
        kinema.load(tmp_path / "model")


def test_a_table_whose_files_are_not_what_was_written(tiny_folder, tmp_path):
    pytest.importorskip("lancedb")
    from kinema.searching import checksums, database

    model, uri = Model(lived_tower(), "rgb", SPEC, name="made"), str(tmp_path / "index")
    kinema.embed(model, tiny_folder, out=uri, workers=1)
    files = [path for path in (tmp_path / "index").rglob("*") if path.is_file() and ".lance" in path.as_posix()]
    assert len(files) > 3
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(StorageError, match=rf"{path.name}' is not what was written"):
            database.require_table(uri)
        path.write_bytes(content)
    rows = database.require_table(uri).count_rows()
    large = max(files, key=lambda path: path.stat().st_size)
    content = large.read_bytes()
    with pytest.MonkeyPatch.context() as patch:  # a large table: sizes when it is opened, all before it is changed
        patch.setattr(checksums, "AT_ONCE", 0)
        large.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        database.require_table(uri)
        with pytest.raises(StorageError, match="is not what was written"):
            kinema.embed(model, tiny_folder, out=uri, workers=1)
        large.write_bytes(content[:-1])
        with pytest.raises(StorageError, match="is not what was written"):
            database.require_table(uri)
    large.write_bytes(content)
    table = database.require_table(uri)
    table.delete("kind = 'window'")  # by another program, which leaves no checksums
    assert database.require_table(uri).count_rows() < rows

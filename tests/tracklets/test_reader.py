"""Descriptors of tracklets in a user's hands: whatever is given, however long, and whoever stands beside it."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch
from made_tracklets import crop, save, write_listing, write_onnx, write_people
from torch import nn

from kinema.core.errors import DataError, UsageError
from kinema.core.tracklets import TrackletNeeds
from kinema.data.pictures import read_picture
from kinema.data.tracklets.config import TrackletsConfig
from kinema.data.tracklets.encoding import descriptors

SMALL = {"height": 32, "width": 16, "held_out": 0.0}


class MeanTower(nn.Module):
    """The mean of features that a layer makes of each frame."""

    def __init__(self, takes=("crops",), clip=4, dim=8):
        super().__init__()
        torch.manual_seed(0)
        width = takes[1] if takes[0] == "features" else 3 * 32 * 16
        self.stride, self.single = 1, False
        self.layer, self.clip, self.dim, self.takes, self.seen = nn.Linear(width, dim), clip, dim, takes, []

    def embed(self, frames, mask):
        self.seen.append(tuple(mask.shape))
        x = self.layer(frames.flatten(2)) * mask[..., None]
        return nn.functional.normalize(x.sum(1) / mask.sum(1, keepdim=True), dim=1)


class Counting:
    """Features that are numbers of frames, and how many frames were asked for at once."""

    def __init__(self, lengths, width=6):
        self.lengths, self.asked, self.shape = lengths, [], (width,)

    def length(self, row):
        return self.lengths[row]

    def read(self, row, places):
        self.asked.append(len(places))
        return np.sin((row + 1) * (places[:, None] + 1) * np.arange(1, self.shape[0] + 1)).astype(np.float32)


def reader(tower=None, **config):
    return TrackletsConfig(**{**SMALL, **config}).reader(tower or MeanTower(), "tracklet", name="trl")


def people(tmp_path, **how):
    return TrackletsConfig(**SMALL).open(write_people(tmp_path / "people", **how))


def test_a_table_a_folder_paths_and_arrays_give_the_same(tmp_path):
    table, model = people(tmp_path, frames=11), reader()
    found = model.features(table)
    assert found.shape == (8, 8)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)
    folders = [table.root / row.name for row in table.rows]
    paths = [[table.root / file for file in row.files] for row in table.rows]
    arrays = [np.stack([read_picture(path) for path in each]) for each in paths]
    for items in (table, folders, paths, arrays, [torch.from_numpy(each) for each in arrays]):
        assert model.encode(items) == pytest.approx(found, abs=1e-6)
    for item in (str(folders[2]), list(map(str, paths[2])), arrays[2]):
        assert model.encode(item).shape == (8,)
        assert model.encode(item) == pytest.approx(found[2], abs=1e-6)
    assert model.features(table, cache=tmp_path / "cache") == pytest.approx(found, abs=1e-6)
    assert (model.dim, model.unit, model.digest) == (8, "tracklets", "")


def test_a_long_tracklet_is_the_mean_of_its_stretches_by_their_frames():
    tower, source = MeanTower(("features", 6), clip=4), Counting([10])
    found = descriptors(tower, source, [0], device="cpu", batch_size=2)
    frames = torch.from_numpy(source.read(0, np.arange(10)))
    parts = [tower.embed(part[None], torch.ones(1, len(part), dtype=torch.bool))[0] for part in frames.split(4)]
    expected = nn.functional.normalize(4 * parts[0] + 4 * parts[1] + 2 * parts[2], dim=0)
    assert found[0] == pytest.approx(expected.detach().numpy(), abs=1e-6)


def test_neighbours_change_nothing_and_batches_are_full():
    lengths = [1, 17, 3, 4, 9, 1, 30]
    tower, source = MeanTower(("features", 6)), Counting(lengths)
    seen = []
    together = descriptors(
        tower, source, range(7), device="cpu", batch_size=8, progress=lambda *done: seen.append(done)
    )
    stretches = sum(-(-length // 4) for length in lengths)
    assert [rows for rows, _ in tower.seen] == [8] * (stretches // 8) + [stretches % 8] * (stretches % 8 > 0)
    assert seen[-1] == (7, 7)
    for row in range(7):
        alone = descriptors(tower, source, [row], device="cpu", batch_size=1)
        assert together[row] == pytest.approx(alone[0], abs=1e-5)


def test_memory_is_flat_for_ten_thousand_frames():
    def peak(length):
        tower, source = MeanTower(("features", 1000)), Counting([length], 1000)
        tracemalloc.start()
        descriptors(tower, source, [0], device="cpu", batch_size=16)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert max(source.asked) == 4
        return top

    assert peak(10_000) < peak(200) + 10_000 * 200, "a frame kept would be 4,000 bytes"


def test_rows_that_cannot_be_read_are_named(tmp_path):
    folder = write_people(tmp_path / "people")
    for path in (folder / "ben" / "hall").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 8 tracklets cannot be read: 'ben/hall'.*the file is empty"):
        reader().features(TrackletsConfig(**SMALL).open(folder))


def test_a_model_of_features_takes_features_or_makes_them(tmp_path):
    model = reader(MeanTower(("features", 3)))
    x = np.random.default_rng(0).normal(size=(9, 3))
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", x[:2])
    table = TrackletsConfig(**SMALL).open(write_listing(tmp_path, ["a.npy,a,x", "b.npy,b,x"], "path,identity,camera"))
    assert model.features(table) == pytest.approx(model.encode([x, x[:2]]), abs=1e-6)
    for wrong, says in (
        (np.ones((2, 4)), "takes 3 features of each frame, and was given 4"),
        (crop()[None], "pictures"),
    ):
        with pytest.raises(DataError, match=says):
            model.encode(wrong)
    with pytest.raises(DataError, match="Array 1 is"):
        model.encode([x, np.full((2, 3), np.inf)])
    with pytest.raises(DataError, match="takes pictures, and was given 3 features"):
        reader().encode(x)
    config = {"features": write_onnx(tmp_path / "net.onnx")}
    pictures = people(tmp_path)
    made = reader(MeanTower(("features", 3)), **config)
    found = made.features(pictures, cache=tmp_path / "cache")
    assert made.encode(pictures) == pytest.approx(found, abs=1e-5)
    assert made.encode(np.stack([crop(0, frame) for frame in range(3)])) == pytest.approx(found[0], abs=1e-5)


@pytest.mark.parametrize(
    "items", [3, b"x", {"a": 1}, [3], np.ones((2, 2, 2)), np.ones((2, 4, 4, 3)), np.ones((0, 4, 4, 3), np.uint8), None]
)
def test_something_else(items):
    with pytest.raises(UsageError, match="given"):
        reader().encode(items)


def test_paths_that_are_no_tracklet(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="There is no picture"):
        reader().encode(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be read"):
        reader().encode([tmp_path / "gone.jpg"])
    with pytest.raises(UsageError, match="beside folders"):
        reader().encode([save(tmp_path / "a.png", crop()), tmp_path])
    assert reader().encode([]).shape == (0, 8)


@pytest.mark.parametrize("frames", [1, 3])
def test_the_example_is_what_it_says(frames):
    example = TrackletsConfig().example()
    needs = TrackletNeeds(frames=frames)
    batch = example.batch(needs, 1)
    assert batch.frames.shape == (8, frames, 3, 16, 8)
    assert set(Counter(batch.labels.tolist()).values()) == {2}
    assert torch.equal(example.batch(needs, 1).frames, batch.frames)
    assert torch.equal(example.batch(needs, 1, rows=slice(4, 8)).index, batch.index[4:])
    assert torch.equal(torch.cat([example.batch(needs, step).index for step in (0, 1)]), torch.arange(16))
    assert not batch.frames[~batch.mask].any()
    assert batch.mask[:, 0].all()

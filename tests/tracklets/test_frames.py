"""From files of pictures and videos to crops, and from crops to what a method sees."""

import numpy as np
import pytest
import torch
from made_tracklets import crop, save, write_listing, write_onnx, write_people, write_video
from PIL import Image

from kinema.core.errors import ConfigError, DataError, MissingExtraError
from kinema.core.tracklets import TrackletNeeds
from kinema.data.pictures import MEAN, STD, read_picture, resized, size_of_picture
from kinema.data.tracklets.boxes import cut, within
from kinema.data.tracklets.config import FROZEN, TrackletsConfig
from kinema.data.tracklets.frozen import FrozenNetwork
from kinema.data.tracklets.transforms import augmented, coloured, erased, normalised, shifted

NEEDS = [TrackletNeeds(frames=3)]
SMALL = {"height": 32, "width": 16, "held_out": 0.0}


# Pictures


def test_grey_deep_and_clear_pictures_become_rgb(tmp_path):
    shades = np.array([[0, 128, 255]], np.uint8)
    for name, picture in {
        "grey": Image.fromarray(shades),
        "deep": Image.fromarray(shades.astype(np.uint16) * 257),
        "palette": Image.fromarray(shades).convert("P"),
        "clear": Image.merge("LA", [Image.fromarray(shades), Image.fromarray(np.full_like(shades, 255))]),
    }.items():
        picture.save(tmp_path / f"{name}.png")
        assert (read_picture(tmp_path / f"{name}.png") == shades[..., None]).all(), name
    hidden = np.dstack([crop(), np.zeros((32, 16), np.uint8)])
    assert not read_picture(save(tmp_path / "hidden.png", hidden)).any()


@pytest.mark.parametrize(("turn", "size"), [(1, (32, 16)), (3, (32, 16)), (6, (16, 32))])
def test_pictures_are_turned_as_the_camera_was_held(turn, size, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(tmp_path / "a.png", crop(), exif=exif)
    assert read_picture(path).shape[:2] == size_of_picture(path) == size
    if turn == 6:
        assert (read_picture(path) == np.rot90(crop(), -1)).all()


def test_boxes_are_cut_to_their_picture():
    assert within((-4, -4, 10, 100), 32, 16) == (0, 0, 6, 32)
    assert within((15.8, 0, 10, 10), 32, 16) is None
    assert (cut(crop(), (2.4, 0, 3.2, 5)) == crop()[:5, 2:6]).all()
    assert cut(crop(), (15.5, 31.5, 0.5, 0.5)).shape == (1, 1, 3)


def test_smaller_crops_are_means_and_keep_no_moire():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    assert abs(resized(stripes, 8, 8).astype(int) - 100).max() < 8
    assert resized(crop(), 32, 16).shape == (3, 32, 16)


# Loading


def people(tmp_path):
    return TrackletsConfig(**SMALL).open(write_people(tmp_path / "people"))


def pixels(loaded, row):
    return loaded.frames.read(row, np.arange(loaded.frames.length(row)))


def test_crops_are_decoded_once_and_are_those_of_the_files(tmp_path, caplog):
    table, config = people(tmp_path), TrackletsConfig(**SMALL)
    seen = []
    loaded = config.load(table, NEEDS, cache=tmp_path / "cache", progress=lambda *done: seen.append(done))
    lazy = config.load(table, NEEDS)
    assert seen[-1] == (24, 24)
    assert (pixels(loaded, 0) == np.stack([crop(0, frame).transpose(2, 0, 1) for frame in range(3)])).all()
    assert all((pixels(loaded, row) == pixels(lazy, row)).all() for row in range(len(table)))
    (stored,) = (tmp_path / "cache" / "tracklets").iterdir()
    assert (loaded.cost(tmp_path / "cache").there, loaded.cost(tmp_path / "elsewhere").there) == (True, False)
    before = stored.stat().st_mtime_ns
    config.load(table, NEEDS, cache=tmp_path / "cache")
    assert stored.stat().st_mtime_ns == before
    damaged = bytearray(stored.read_bytes())
    damaged[700] ^= 1
    stored.write_bytes(damaged)
    again = config.load(table, NEEDS, cache=tmp_path / "cache")
    assert "was damaged and is made again" in caplog.text
    assert (pixels(again, 0) == pixels(lazy, 0)).all()


def test_crops_above_the_bound_are_read_as_they_are_needed(tmp_path):
    config = TrackletsConfig(**SMALL, cache_gib=1e-6)
    loaded = config.load(people(tmp_path), NEEDS, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert loaded.cost(tmp_path / "cache").state == "too large"
    assert pixels(loaded, 0).shape == (3, 3, 32, 16)


def test_a_picture_that_is_gone_since_is_named(tmp_path):
    table = people(tmp_path)
    (tmp_path / "people" / "anna" / "door" / "0001.png").unlink()
    with pytest.raises(DataError, match=r"0001.png' cannot be read: No such file"):
        TrackletsConfig(**SMALL).load(table, NEEDS, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.crops"))


def test_crops_of_a_video_are_those_of_its_frames(tmp_path):
    write_video(tmp_path / "film.mp4")
    rows = [f"film.mp4,{who},door,{frame},{4 * frame},8,8,16" for who in ("a", "b") for frame in (0, 1, 5)]
    table = TrackletsConfig(**SMALL).open(
        write_listing(tmp_path, rows, "path,identity,camera,frame,left,top,width,height")
    )
    stored = TrackletsConfig(**SMALL).load(table, NEEDS, cache=tmp_path / "cache")
    lazy = TrackletsConfig(**SMALL).load(table, NEEDS)
    for row in range(2):
        assert pixels(stored, row).min() == 255, "the boxes follow the white square"
        assert (pixels(lazy, row) == pixels(stored, row)).all()


def test_a_picture_of_several_people_is_read_once(tmp_path, monkeypatch):
    whole = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for frame in range(3):
        save(tmp_path / f"{frame}.png", whole + frame)
    rows = [f"{frame}.png,{who},door,{frame},{8 * who},4,16,32" for who in range(3) for frame in range(3)]
    table = TrackletsConfig(**SMALL).open(
        write_listing(tmp_path, rows, "path,identity,camera,frame,left,top,width,height")
    )
    read = []
    monkeypatch.setattr(
        "kinema.data.tracklets.store.read_picture", lambda path: read.append(path) or read_picture(path)
    )
    loaded = TrackletsConfig(**SMALL).load(table, NEEDS, cache=tmp_path / "cache")
    assert len(read) == 3
    for who in range(3):
        expected = [(whole + frame)[4:36, 8 * who : 8 * who + 16].transpose(2, 0, 1) for frame in range(3)]
        assert (pixels(loaded, who) == np.stack(expected)).all()
        assert (pixels(TrackletsConfig(**SMALL).load(table, NEEDS), who) == np.stack(expected)).all()


def test_features_in_arrays_are_taken_as_they_are(tmp_path):
    for number, name in enumerate("ab"):
        np.save(tmp_path / f"{name}.npy", np.full((4, 3), number, np.float64))
    path = write_listing(tmp_path, ["a.npy,a,door", "b.npy,b,door"], "path,identity,camera")
    config = TrackletsConfig(**SMALL)
    table = config.open(path)
    loaded = config.load(table, NEEDS, cache=tmp_path / "cache")
    assert (loaded.features, config.feature_width(table)) == (3, 3)
    assert pixels(loaded, 1).dtype == np.float32
    assert (pixels(loaded, 1) == 1).all()
    with pytest.raises(ConfigError, match="features already"):
        TrackletsConfig(**SMALL, features="x.onnx").load(table, NEEDS)
    np.save(tmp_path / "b.npy", np.ones((4, 2)))
    with pytest.raises(DataError, match=r"several widths: 2 .*, 3 "):
        config.load(config.open(path), NEEDS).frames.shape  # noqa: B018 - it is told when it is asked for


def test_pictures_beside_features_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 3)))
    save(tmp_path / "b.png", crop())
    table = TrackletsConfig(**SMALL).open(write_listing(tmp_path, ["a.npy,a,x", "b.png,b,x"], "path,identity,camera"))
    with pytest.raises(DataError, match="'a/x' is an array of features, and 'b/x' is of pictures"):
        TrackletsConfig(**SMALL).load(table, NEEDS)


# Frozen features


def means(pictures):
    """What the file gives: the mean of normalised colours, [n, 3]."""
    return (np.stack(pictures).mean((2, 3)) / 255 - MEAN) / STD


@pytest.mark.parametrize(("batch", "height", "size"), [("n", 8, (8, 4)), (2, "h", (32, 16))])
def test_features_are_what_the_file_makes_of_crops_of_its_size(batch, height, size, tmp_path):
    config = TrackletsConfig(**SMALL, features=write_onnx(tmp_path / "net.onnx", batch, height))
    table = people(tmp_path)
    loaded = config.load(table, NEEDS, cache=tmp_path / "cache")
    assert loaded.features == config.feature_width(table) == 3
    expected = means([resized(crop(0, frame), *size) for frame in range(3)])
    assert pixels(loaded, 0) == pytest.approx(expected, abs=1e-4)
    assert pixels(config.load(table, NEEDS), 0) == pytest.approx(expected, abs=1e-4)
    assert loaded.cost(tmp_path / "cache").there


def test_features_of_a_part_are_not_made_again(tmp_path, monkeypatch):
    config = TrackletsConfig(**SMALL, features=write_onnx(tmp_path / "net.onnx"))
    table = people(tmp_path)
    config.load(table.select({"identity": "cy"}), NEEDS, cache=tmp_path / "cache")
    made = []
    run = FrozenNetwork._run
    monkeypatch.setattr(FrozenNetwork, "_run", lambda self, crops: made.append(len(crops)) or run(self, crops))
    loaded = config.load(table, NEEDS, cache=tmp_path / "cache")
    assert sum(made) == 1 + 18, "a crop to try the network, and those of the other people"
    lazy = config.load(table, NEEDS)
    assert all(pixels(loaded, row) == pytest.approx(pixels(lazy, row), abs=1e-5) for row in range(len(table)))
    made.clear()
    config.load(table.select({"identity": "ben"}), NEEDS, cache=tmp_path / "cache")
    assert sum(made) == 1


def test_a_run_keeps_the_network_of_its_features(tmp_path):
    config = TrackletsConfig(**SMALL, features=write_onnx(tmp_path / "net.onnx"))
    table = people(tmp_path)
    loaded = config.load(table, NEEDS, cache=tmp_path / "cache")
    loaded.save(tmp_path)
    (tmp_path / "net.onnx").unlink()
    assert (tmp_path / FROZEN).is_file()
    assert (pixels(config.load(table, NEEDS, folder=tmp_path), 0) == pixels(loaded, 0)).all()
    with pytest.raises(ConfigError, match="There is no file"):
        config.load(table, NEEDS)


def test_a_file_that_makes_no_features_of_crops(tmp_path, monkeypatch):
    write_onnx(tmp_path / "four.onnx", channels=4)
    (tmp_path / "words.onnx").write_text("no network")
    for name, says in (("four", r"takes x tensor\(float\) \['n', 4"), ("words", "is no network"), ("gone", "no file")):
        with pytest.raises(ConfigError, match=says):
            TrackletsConfig(**SMALL, features=str(tmp_path / f"{name}.onnx")).load(people(tmp_path), NEEDS)
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"kinema\[onnx\]"):
        TrackletsConfig(**SMALL, features=str(tmp_path / "four.onnx")).load(people(tmp_path), NEEDS)


# Transforms

PLAIN = {"flip": False, "colours": 0.0}


def crops(b=4, t=3):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (b, t, 3, 16, 8), dtype=np.uint8))


def draw(config, seed=0, x=None):
    return augmented(
        crops() if x is None else x, TrackletsConfig(**{**PLAIN, **config}), torch.Generator().manual_seed(seed)
    )


def test_nothing_is_done_where_nothing_is_asked_for():
    expected = (crops().float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    assert torch.allclose(draw({}), expected, atol=1e-6)
    assert torch.allclose(normalised(crops()), expected, atol=1e-6)


@pytest.mark.parametrize("config", [{"flip": True}, {"shift": 0.2}, {"erase": 0.5}, {"colours": 0.3}])
def test_draws_come_from_the_generator(config):
    assert torch.equal(draw(config), draw(config))
    assert not torch.equal(draw(config), draw(config, seed=1))


def test_a_tracklet_is_turned_over_whole():
    plain = normalised(crops(64))
    same, turned = ((draw({"flip": True}, x=crops(64)) == each).flatten(1).all(1) for each in (plain, plain.flip(-1)))
    assert (same ^ turned).all()
    assert 16 < turned.sum() < 48


def test_shifts_are_whole_pixels_that_repeat_the_edge():
    x = crops().float()
    by = torch.zeros(4, 3, 2, dtype=torch.int64)
    by[0, 1] = torch.tensor([2, -1])
    moved = shifted(x, by)
    assert torch.equal(moved[0, 1, :, 2:, :-1], x[0, 1, :, :-2, 1:])
    assert torch.equal(moved[0, 1, :, 0, :-1], x[0, 1, :, 0, 1:])
    by[0, 1] = 0
    assert torch.equal(moved[1:], x[1:])
    assert torch.equal(shifted(x, by), x)


def test_colours_keep_grey_grey_and_one_is_no_change():
    x = crops().float() / 255
    assert torch.allclose(coloured(x, torch.ones(4, 3)), x, atol=1e-6)
    grey = coloured(x, torch.tensor([[1.0, 1.0, 0.0]]).repeat(4, 1))
    assert torch.allclose(grey[:, :, 0], grey[:, :, 2], atol=1e-5)
    factors = torch.tensor([[0.5, 1.0, 1.0]]).repeat(4, 1)
    assert torch.allclose(coloured(x, factors), x / 2, atol=1e-6)


def test_erased_parts_are_rectangles_of_a_share():
    found = erased(400, 32, 16, 0.5, torch.Generator().manual_seed(0))
    area = found.flatten(1).float().mean(1)
    assert 150 < (area > 0).sum() < 250
    assert area[area > 0].min() > 0.01
    assert area.max() < 0.45
    for one in found[area > 0]:
        assert torch.equal(one, one.any(1)[:, None] & one.any(0)[None, :])


@pytest.mark.parametrize(
    "setting", [{"shift": 2}, {"erase": -1}, {"height": 0}, {"gap": 0}, {"cache_gib": float("nan")}]
)
def test_settings_out_of_range(setting):
    with pytest.raises(ConfigError, match=next(iter(setting)) if "height" not in setting else "pixels"):
        TrackletsConfig(**setting)

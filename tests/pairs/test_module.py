"""Pairs loaded, shown in batches, and changed in training."""

import logging
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from made_pairs import picture, save, write_pairs, write_table, write_vectors
from torch import nn

from kinema.cli.terminal import helps
from kinema.core.errors import ConfigError, DataError
from kinema.core.pairs import PairNeeds
from kinema.data.pairs.config import PairsConfig, run_labels
from kinema.data.pairs.store import FilePictures, StoredPictures, nearest
from kinema.data.pairs.transforms import augmented, cropped, ready

BOTH = PairNeeds()
CONFIG = PairsConfig(height=12, width=12, held_out=0, flip=False, crop=0, colours=0)


def loaded(folder, config=CONFIG, needs=BOTH, **how):
    table, _ = config.usable(config.open(folder), [needs])
    return config.load(table, [needs], **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    write_pairs(root)
    return root


def test_an_epoch_shows_every_pair_and_fills_its_last_batch(folder):
    module = loaded(folder).module(BOTH, batch_size=5, seed=0)
    raws = list(module.loader(0))
    assert [len(raw) for raw in raws] == [5, 5, 5]
    shown = torch.cat([raw.index for raw in raws])
    assert set(shown[:12].tolist()) == set(range(12))
    assert torch.equal(shown[12:], shown[:3])
    with pytest.raises(ConfigError, match="batch_size is 0"):
        loaded(folder).module(BOTH, batch_size=0, seed=0)


def test_batches_are_a_function_of_seed_epoch_and_place(folder):
    data = loaded(folder)
    whole = [raw.index for raw in data.module(BOTH, batch_size=5, seed=0).loader(2)]
    for first in range(len(whole)):
        rest = [raw.index for raw in data.module(BOTH, batch_size=5, seed=0).loader(2, first)]
        assert all(torch.equal(one, two) for one, two in zip(whole[first:], rest, strict=True))
    for seed, epoch in ((1, 2), (0, 3)):
        other = [raw.index for raw in data.module(BOTH, batch_size=5, seed=seed).loader(epoch)]
        assert any(not torch.equal(one, two) for one, two in zip(whole, other, strict=True))


def test_ranks_share_a_batch(folder, monkeypatch):
    data = loaded(folder)
    alone = [raw.index for raw in data.module(BOTH, batch_size=10, seed=0).loader(0)]
    monkeypatch.setattr("kinema.data.pairs.module.world_size", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr("kinema.data.pairs.module.rank_slice", lambda rows, r=rank: slice(r * rows, (r + 1) * rows))
        parts.append([raw.index for raw in data.module(BOTH, batch_size=5, seed=0).loader(0)])
    for one, two, both in zip(*parts, alone, strict=True):
        assert torch.equal(torch.cat([one, two]), both)


def test_what_a_method_sees(folder):
    data = loaded(folder)
    module = data.module(BOTH, batch_size=4, seed=0)
    raw, seconds = module.sample()
    assert seconds >= 0
    batch = module.batch(raw, torch.Generator(), labels=True)
    rows = [data.table.rows[row] for row in raw.index.tolist()]
    assert data.table.classes() == ("blue", "green", "red", "square", "stripe")
    assert [[label in row.labels for label in data.table.classes()] for row in rows] == batch.labels.tolist()
    colour = next(label for label in rows[0].labels if label in ("blue", "green", "red"))
    shape = next(label for label in rows[0].labels if label in ("square", "stripe"))
    expected = ready(torch.from_numpy(picture(colour, shape).transpose(2, 0, 1).copy())[None])[0]
    assert torch.equal(batch.images[0], expected)
    assert batch.texts.shape == (4, data.text_features)
    assert torch.allclose(batch.texts.norm(dim=1), torch.ones(4))
    assert module.batch(raw, torch.Generator()).labels is None
    assert len(raw.first(2)) == len(raw.to("cpu").first(2).labels) == 2


@pytest.mark.parametrize("view", ["image", "text"])
def test_one_view_alone(folder, view):
    needs = PairNeeds((view,), labels=False)
    data = loaded(folder, needs=needs)
    batch = data.module(needs, batch_size=4, seed=0)
    seen = batch.batch(next(iter(batch.loader(0))), torch.Generator())
    assert (seen.images is None, seen.texts is None) == (view == "text", view == "image")


def test_words_are_ids(folder):
    data = loaded(folder, replace(CONFIG, text="words", max_length=3))
    assert (data.text_features, data.text_vocabulary) == (0, 8 + 2)
    assert replace(CONFIG, text="words").text_width(data.table, [BOTH]) == (0, 10)
    assert data.module(BOTH, batch_size=4, seed=0).sample()[0].texts.ids.shape == (4, 3)


def test_pictures_are_read_once_into_the_cache(folder, tmp_path, monkeypatch):
    (told := []).clear()
    data = loaded(folder, cache=tmp_path, progress=lambda done, of: told.append((done, of)))
    assert isinstance(data.pictures, StoredPictures)
    assert told[-1] == (12, 12)
    assert data.cost(tmp_path).there
    files = FilePictures(data.table, 12, 12)
    rows = np.arange(12)[::-1]
    assert np.array_equal(data.pictures.read(rows), files.read(rows))
    store = data.cost(tmp_path).path
    monkeypatch.setattr("kinema.data.pairs.store.read_picture", lambda path: pytest.fail(f"{path} is read again"))
    loaded(folder, cache=tmp_path)
    monkeypatch.undo()
    content = bytearray(store.read_bytes())
    content[5] ^= 1
    store.write_bytes(content)
    assert np.array_equal(loaded(folder, cache=tmp_path).pictures.read(rows), files.read(rows))
    small = loaded(folder, replace(CONFIG, cache_gib=0.0), cache=tmp_path)
    assert isinstance(small.pictures, FilePictures)


def test_a_picture_of_several_texts_is_held_once(tmp_path):
    save(tmp_path / "a.png", picture())
    save(tmp_path / "b.png", picture("blue"))
    write_table(tmp_path, ["a.png,one,x", "b.png,two,y", "a.png,three,x", "a.png,four,y"])
    data = loaded(tmp_path, cache=tmp_path / "cache")
    assert len(data.pictures.array) == 2
    found = data.pictures.read(np.arange(4))
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_frames_of_videos(tmp_path, make_tiny_video):
    for name, motion in (("one", (2, 0)), ("two", (0, 2))):
        make_tiny_video(tmp_path / f"{name}.mp4", motion, 3)
    rows = ["one.mp4,words,x,0.5", "two.mp4,words,y,0.0", "one.mp4,words,y,0.13", "one.mp4,words,x,0.96"]
    save(tmp_path / "a.png", picture())
    rows += ["one.mp4,words,x,99", "a.png,words,x,0.5", "two.mp4,words,x,"]
    write_table(tmp_path, rows, "image,text,labels,at")
    data = loaded(tmp_path, replace(CONFIG, height=32, width=32), cache=tmp_path / "cache")
    assert data.table.rows[0].name == "one.mp4@0.500"
    why = {row.name: row.reason for row in CONFIG.open(tmp_path).rows if row.health != "ok"}
    assert list(why) == ["one.mp4@99.000", "a.png@0.500", "two.mp4"]
    for said, reason in zip(("at 99.000 of 0.960 s", "no video", "'at' does not say"), why.values(), strict=True):
        assert said in reason
    from kinema.data.video.pieces import decode_pieces

    whole = decode_pieces(tmp_path / "one.mp4", pixels=range(24), short_side=None).pixels
    found = data.pictures.read(np.arange(4)).transpose(0, 2, 3, 1)
    for place, frame in ((0, 12), (2, 3), (3, 23)):
        assert np.array_equal(found[place], whole[frame]), frame
    assert [nearest((0.0, 1.0, 2.0), at) for at in (0.0, 0.5, 0.6, 1.5, 9.0)] == [0, 0, 1, 1, 2]
    (tmp_path / "one.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"one\.mp4"):
        FilePictures(data.table, 32, 32).read(np.array([0]))


def test_vectors_that_change_after_they_were_looked_at(tmp_path):
    write_vectors(tmp_path, "v.npy", 4, 3)
    write_table(tmp_path, [f"v.npy[{row}],words {row},{'xy'[row % 2]}" for row in range(4)])
    data = loaded(tmp_path)
    write_vectors(tmp_path, "v.npy", 2, 3)
    with pytest.raises(DataError, match="has 2 rows, and row 3"):
        data.pictures.read(np.array([0, 3]))


def test_training_changes_pictures_and_not_texts(folder):
    config = replace(CONFIG, flip=True, crop=0.2, colours=0.3)
    module = loaded(folder, config).module(BOTH, batch_size=12, seed=0)
    raw = next(iter(module.loader(0)))
    one, again, other = (module.batch(raw, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)
    assert torch.equal(one.texts, other.texts)
    assert torch.equal(augmented(raw.images, CONFIG, torch.Generator()), ready(raw.images))
    vectors = torch.randn(3, 5)
    assert augmented(vectors, config, torch.Generator()) is vectors


def test_a_crop_shows_what_is_left():
    x = torch.arange(8.0).repeat(1, 3, 8, 1)
    assert torch.allclose(cropped(x, torch.zeros(1, 4)), x, atol=1e-5)
    half = cropped(x, torch.tensor([[0.0, 0.0, 0.25, 0.25]]))[0, 0, 0]
    assert torch.allclose(half, torch.linspace(1.75, 5.25, 8), atol=1e-4), "columns 2 to 5, from edge to edge"
    down = cropped(x.mT, torch.tensor([[0.25, 0.0, 0.0, 0.0]]))[0, 0, :, 0]
    assert down[0] > 1.5
    assert torch.isclose(down[-1], torch.tensor(7.0), atol=0.2)


def test_a_run_keeps_its_labels_and_words(folder, tmp_path, caplog):
    data = loaded(folder)
    data.save(tmp_path)
    assert run_labels(tmp_path) == data.table.classes()
    table = replace(data.table, rows=tuple(replace(row, text="zebra") for row in data.table.rows[:5]))
    with caplog.at_level(logging.WARNING):
        again = CONFIG.load(table, [BOTH], folder=tmp_path)
    assert again.coder == data.coder
    assert "5 texts are of no word that is kept" in caplog.text
    assert not again.module(BOTH, batch_size=5, seed=0).sample()[0].texts.any()


def test_what_towers_make_of_all_pairs(folder):
    class Mean(nn.Module):
        dim = 1

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def embed(self, x):
            assert not self.training
            return self.scale * x.flatten(1).sum(dim=1, keepdim=True)

    class Method:
        def towers(self):
            return {"image": Mean(), "text": Mean()}

    data = loaded(folder)
    found = data.module(BOTH, batch_size=4, seed=0).features(Method())
    images = ready(torch.from_numpy(data.pictures.read(np.arange(12))))
    assert torch.allclose(found["image"], images.flatten(1).sum(dim=1, keepdim=True), atol=1e-3)
    assert found["text"].shape == (12, 1)


def test_every_setting_has_a_help_and_a_place_in_what_a_run_must_agree_with():
    names = {field.name for field in fields(PairsConfig)}
    assert names <= set(helps(PairsConfig))
    assert set(PairsConfig.identity) | set(PairsConfig.changeable) == names


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"height": 0}, "0 x 64"),
        ({"text": "sounds"}, "text is 'sounds'"),
        ({"labels": "some"}, "labels is 'some'"),
        ({"vocabulary": 0}, "vocabulary is 0"),
        ({"min_count": 0}, "min_count is 0"),
        ({"max_length": 0}, "max_length is 0"),
        ({"crop": 0.5}, "crop is 0.5"),
        ({"colours": 2.0}, "colours is 2.0"),
        ({"held_out": 1.0}, "held_out is 1.0"),
        ({"cache_gib": -1.0}, "cache_gib is -1.0"),
        ({"labels": "words", "text": "vectors"}, "hold no words"),
    ],
)
def test_settings_out_of_range(changes, said):
    with pytest.raises(ConfigError, match=said):
        PairsConfig(**changes)


def test_needs_and_tokenizers_that_are_not_there(folder, tmp_path):
    with pytest.raises(ConfigError, match="needs int"):
        PairsConfig().check([3])
    with pytest.raises(ConfigError, match="there is no tokenizer"):
        loaded(folder, replace(CONFIG, text="tokens"))
    with pytest.raises(DataError, match="int was given"):
        PairsConfig().open(3)
    assert PairsConfig().with_weights(f"text={tmp_path}") == PairsConfig()
    (tmp_path / "vocab.txt").write_text("[PAD]")
    assert PairsConfig().with_weights(f"text={tmp_path}") == PairsConfig(text="tokens", tokenizer=str(tmp_path))
    assert PairsConfig().with_weights(f"image={tmp_path}") == PairsConfig()


@pytest.mark.parametrize("text", ["bag", "words", "tokens", "vectors"])
def test_the_example_gives_equal_batches_for_equal_steps(text):
    example = PairsConfig(text=text).example()
    one, two, part = example.batch(BOTH, 1), example.batch(BOTH, 1), example.batch(BOTH, 1, rows=slice(2, 5))
    assert torch.equal(one.images, two.images)
    assert torch.equal(part.labels, one.labels[2:5])
    assert len(one) == example.size
    assert 1 < one.labels.sum(dim=1).float().mean() + 1 < example.classes
    both = torch.cat([example.batch(BOTH, step).index for step in range(2)])
    assert set(both.tolist()) == set(range(example.rows))
    if text in ("words", "tokens"):
        assert torch.equal(part.texts.ids, one.texts.ids[2:5])
        assert int(one.texts.ids.max()) < 26
        assert not one.texts.ids[~one.texts.mask].any()
    else:
        assert torch.allclose(one.texts.norm(dim=1), torch.ones(8))

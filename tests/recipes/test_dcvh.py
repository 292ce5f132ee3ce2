"""The recipe of cross-view hashing: what only the data know, and what networks start from."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from kinema.core.errors import CheckpointError, ConfigError
from kinema.core.files import write_json
from kinema.core.method import TrainingContext
from kinema.data.pairs.table import Pair, Pairs
from kinema.networks.images import ImageConfig, build_image_encoder
from kinema.networks.pairs import PairEncoderConfig, PairTextConfig
from kinema.recipes.dcvh import fit
from kinema.recipes.json import recipe_from_plain, recipe_to_plain
from kinema.recipes.table import METHODS, preset
from kinema.training.checkpoints import write_tower
from kinema.training.trainer import build_method, check_weights, start_from_weights

CONTEXT = TrainingContext(rows=8, classes=2)
WORDS = ("a red ball", "a blue ball", "the red box", "the blue box")
KNOWN = {"a", "red", "ball", "blue", "the", "box"}


def table(folder, image="{}.png", text="{1}"):
    """Eight pairs of two labels; nothing of their pictures is looked at before they are loaded."""
    rows = [
        Pair(str(n), image.format(n), text=text.format(n, WORDS[n % 4]), labels=("red" if n % 2 else "blue",))
        for n in range(8)
    ]
    for name, width in (("images", 6), ("texts", 5)):
        np.save(folder / f"{name}.npy", np.ones((8, width), np.float32))
    return Pairs(folder, tuple(rows))


def plan(name="small", **changes):
    return replace(preset(name, "dcvh"), **changes)


def test_the_presets_are_whole_plans():
    for name in METHODS["dcvh"].presets:
        recipe = preset(name, "dcvh").recipe()
        assert recipe.view == "image"
        assert recipe_from_plain(json.loads(json.dumps(recipe_to_plain(recipe)))) == recipe


def test_pictures_and_words_keep_the_preset(tmp_path):
    got = fit(plan(), table(tmp_path))
    assert got.encoder == PairEncoderConfig(text=PairTextConfig(features=len(KNOWN)))
    assert (got.data, fit(got, table(tmp_path))) == (plan().data, got)


def test_stored_vectors_take_the_networks_of_vectors(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        got = fit(plan(), table(tmp_path, "images.npy[{}]", "texts.npy[{0}]"))
    assert got.encoder.image == ImageConfig("features", features=6)
    assert got.encoder.text == PairTextConfig(features=5)
    assert got.data.text == "vectors"
    assert "6 features each: the network 'convnet' is left out" in caplog.text
    assert got.recipe().phases


@pytest.mark.parametrize("said", ["network", "data"])
def test_words_in_their_order_take_the_convolutional_network(tmp_path, said):
    """Whichever of the two settings is given, the other one follows."""
    changes = {"network": {"encoder": PairEncoderConfig(text=PairTextConfig("cnn"))}}
    changes["data"] = {"data": replace(plan().data, text="words")}
    got = fit(plan(**changes[said]), table(tmp_path))
    assert got.encoder.text == PairTextConfig("cnn", vocabulary=len(KNOWN) + 2)
    assert got.data.text == "words"
    assert got.recipe().phases


def test_a_view_that_is_not_learnt_is_not_looked_at(tmp_path):
    image = fit(plan(method=replace(plan().method, views=("image",))), table(tmp_path))
    assert image.encoder == PairEncoderConfig()
    text = fit(plan(method=replace(plan().method, views=("text",))), table(tmp_path, "images.npy[{}]"))
    assert text.encoder.image == ImageConfig()
    for got in (image, text):
        assert build_method(got.recipe(), got.recipe().phases[0], CONTEXT).towers().keys() == set(got.method.views)


def test_what_does_not_fit_the_data_is_refused(tmp_path):
    rows = table(tmp_path)
    for image, message in (
        (ImageConfig("features", features=5), "takes 5 features a picture, and the data have 6"),
        (None, "stored vectors, and the data have pictures"),
    ):
        encoder = PairEncoderConfig(image=image or ImageConfig("features"))
        with pytest.raises(ConfigError, match=message):
            fit(plan(encoder=encoder), table(tmp_path, "images.npy[{}]") if image else rows)
    with pytest.raises(ConfigError, match="takes 9 values a text, and the data have 6"):
        fit(plan(encoder=PairEncoderConfig(text=PairTextConfig(features=9))), rows)
    stored = table(tmp_path, text="texts.npy[{0}]")
    with pytest.raises(ConfigError, match=r"data.text is 'vectors', and the network 'cnn'"):
        fit(plan(encoder=PairEncoderConfig(text=PairTextConfig("cnn"))), stored).recipe()
    unnamed = plan(encoder=PairEncoderConfig(text=PairTextConfig("transformer"))).with_data(text="tokens")
    with pytest.raises(ConfigError, match="not known which"):
        fit(unnamed, rows).recipe()


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    """Makes the folder of a text run: its recipe, tokenizer and tower, as training leaves them."""
    pytest.importorskip("tokenizers")
    pytest.importorskip("transformers")
    from kinema.data.documents.tokenizer import Tokenizer
    from kinema.networks.text import TextConfig, build_text_tower

    def make(words=WORDS, rows=64, positions=80):
        folder = tmp_path_factory.mktemp("text")
        config = TextConfig(layers=1, width=8, heads=2, vocabulary=rows, positions=positions)
        made = replace(preset("small", "simcse"), encoder=config)
        made = made.with_data(vocabulary=rows) if rows < 8192 else made
        write_json(folder / "recipe.json", recipe_to_plain(made.recipe()))
        Tokenizer.learn(list(words) * 4, rows).write(folder / "tokenizer.json")
        with torch.random.fork_rng():
            torch.manual_seed(5)
            tower = build_text_tower(config, "tanh", language=False)
        (folder / "phases/01-simcse-text").mkdir(parents=True)
        write_tower(folder / "phases/01-simcse-text/tower-text.safetensors", tower)
        return folder, config, tower

    return make


def begun(got):
    recipe = got.recipe()
    method = build_method(recipe, recipe.phases[0], CONTEXT)
    before = {view: {k: x.clone() for k, x in t.encoder.state_dict().items()} for view, t in method.towers().items()}
    check_weights(recipe, CONTEXT)
    assert start_from_weights(method, recipe, recipe.phases[0])
    return method, before


def test_texts_start_from_a_run_of_text(tmp_path, text_run):
    folder, config, tower = text_run()
    got = fit(plan(weights=f"text={folder}"), table(tmp_path))
    assert (got.encoder.text.name, got.encoder.text.transformer) == ("transformer", config)
    assert (got.data.text, got.data.tokenizer) == ("tokens", str(folder))
    method, before = begun(got)
    theirs, ours = tower.encoder.state_dict(), method.towers()["text"].encoder.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], x) for key, x in ours.items())
    assert not all(torch.equal(before["text"][key], x) for key, x in ours.items())
    image = method.towers()["image"].encoder.state_dict()
    assert all(torch.equal(before["image"][key], x) for key, x in image.items())
    plain = json.loads(json.dumps(recipe_to_plain(got.recipe())))
    assert recipe_from_plain(plain) == got.recipe()
    named = plan(weights=str(folder)).recipe()  # a folder by itself is a text's
    assert named.encoder.text == got.encoder.text


def test_texts_start_from_a_folder_of_transformers(tmp_path):
    pytest.importorskip("transformers")
    from tiny_texts import library_model, tokenizer

    theirs = library_model()
    theirs.save_pretrained(tmp_path / "bert")
    tokenizer().write(tmp_path / "bert/tokenizer.json")
    got = fit(plan(weights=f"text={tmp_path / 'bert'}").with_data(max_length=20), table(tmp_path))
    method, _ = begun(got)
    own = method.towers()["text"].encoder.network.state_dict()
    base = theirs.base_model.state_dict()
    assert all(torch.equal(base[key], x) for key, x in own.items())


def test_a_text_run_of_another_vocabulary_is_refused(tmp_path, text_run):
    folder, _, _ = text_run()
    other, _, _ = text_run(words=("entirely different speech", "about nothing we know"), rows=80)
    rows, weights = table(tmp_path), f"text={folder}"
    with pytest.raises(ConfigError, match=r"of \d+ tokens, and the network of texts in .* another one, of \d+\.") as e:
        fit(plan(weights=weights).with_data(text="tokens", tokenizer=str(other)), rows)
    assert "data.tokenizer out" in e.value.hint
    again = fit(plan(weights=weights).with_data(text="tokens", tokenizer=str(folder)), rows)
    assert again.data.tokenizer == str(folder)
    with pytest.raises(ConfigError, match=r"up to 64 tokens.* 32 positions"):
        fit(plan(weights=f"text={text_run(positions=32)[0]}"), rows).recipe()


def test_weights_that_nothing_can_start_from_are_refused(tmp_path, text_run):
    folder, _, _ = text_run()
    rows = table(tmp_path)
    one = replace(plan().method, views=("image",))
    with pytest.raises(ConfigError, match="the view 'text' is not learnt"):
        fit(plan(method=one, weights=f"text={folder}"), rows)
    with pytest.raises(ConfigError, match="no such folder"):
        fit(plan(weights=f"text={tmp_path / 'absent'}"), rows)
    with pytest.raises(ConfigError, match="'cnn' of texts starts at random"):
        fit(plan(weights=f"text={folder}", encoder=PairEncoderConfig(text=PairTextConfig("cnn"))), rows)
    with pytest.raises(ConfigError, match="'features' has no weights"):
        fit(plan(weights="image=a.pth", encoder=PairEncoderConfig(image=ImageConfig("features"))), rows)
    hashing = tmp_path / "hashing"
    hashing.mkdir()
    write_json(hashing / "recipe.json", recipe_to_plain(plan().recipe()))
    with pytest.raises(ConfigError, match="its network is 'image-text', and no text network"):
        fit(plan(weights=f"text={hashing}"), rows)
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "recipe.json").write_bytes((folder / "recipe.json").read_bytes())
    with pytest.raises(ConfigError, match="has not finished a phase"):
        fit(plan(weights=f"text={unfinished}"), rows)


def test_pictures_start_from_a_file(tmp_path):
    network = build_image_encoder(ImageConfig())
    file = tmp_path / "net.pth"
    torch.save(network.state_dict(), file)
    method, _ = begun(fit(plan(weights=f"image={file}"), table(tmp_path)))
    ours = method.towers()["image"].encoder.state_dict()
    assert all(torch.equal(ours[key], x) for key, x in network.state_dict().items())
    torch.save({"conv.weight": torch.zeros(2)}, file)
    with pytest.raises(CheckpointError, match="does not fit the encoder 'convnet'"):
        begun(fit(plan(weights=f"image={file}"), table(tmp_path)))

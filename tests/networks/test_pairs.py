"""The networks of pairs: of vectors, of words, and the layer that gives codes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.pairs import PairNeeds
from kinema.core.spans import Tokens, joined
from kinema.networks.binary import BinaryEmbedding, binary
from kinema.networks.images import ImageConfig
from kinema.networks.pairs import PairEncoderConfig, PairTextConfig, TextCNN, VectorMLP, build_pair_encoder
from kinema.networks.text import TextConfig


def words(*rows):
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    return Tokens(ids, torch.tensor([[n < len(row) for n in range(longest)] for row in rows]))


@pytest.fixture
def cnn():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TextCNN(20, 6, 4, (3, 4, 5), 0.0)


def test_filters_see_every_window_that_holds_a_word(cnn):
    """Against a loop over windows of the text between zeros."""
    rows = ([7], [3, 4], [5, 6, 7, 8, 9, 2])
    got = cnn(words(*rows))
    for row, z in zip(rows, got, strict=True):
        found = []
        for conv, k in zip(cnn.convolutions, (3, 4, 5), strict=True):
            zeros = torch.zeros(k - 1, 6)
            x = torch.cat([zeros, cnn.embedding.weight[list(row)], zeros])
            answers = [
                torch.stack([(conv.weight[c] * x[t : t + k].T).sum() + conv.bias[c] for c in range(4)])
                for t in range(len(x) - k + 1)
            ]
            found.append(torch.stack(answers).relu().amax(dim=0))
        torch.testing.assert_close(z, torch.cat(found))


def test_words_depend_neither_on_padding_nor_on_neighbours(cnn):
    with torch.no_grad():
        cnn.convolutions[0].bias.fill_(3.0)  # a window of padding alone would answer it
        alone = words([3, 4])
        beside = joined([words([9] * 12), alone])
        other = Tokens(beside.ids.masked_fill(~beside.mask, 11), beside.mask)
        z = cnn(alone)[0]
        torch.testing.assert_close(cnn(beside)[1], z)
        assert torch.equal(cnn(other), cnn(beside))
        nothing = Tokens(torch.zeros(2, 3, dtype=torch.int64), torch.tensor([[True] * 3, [False] * 3]))
        assert not cnn(nothing)[1].any()
        assert cnn(Tokens(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool))).shape == (2, 12)


def test_words_of_another_vocabulary_are_refused(cnn):
    with pytest.raises(ShapeError, match=r"from 3 to 20.* 20 rows"):
        cnn(words([3, 20]))
    with pytest.raises(ShapeError, match="takes tokens"):
        cnn(torch.zeros(2, 20))
    with pytest.raises(ShapeError, match=r"\[N, 5\], and vectors \(2, 4\)"):
        VectorMLP(5, 3, 0.0)(torch.zeros(2, 4))


def test_codes_have_two_values():
    y = torch.tensor([0.0, 0.5, 0.5 + 2**-24 * 2, 1.0, -0.0, float(torch.tensor(0.5).nextafter(torch.tensor(0.0)))])
    assert binary(y).tolist() == [False, False, True, True, False, False]
    assert torch.equal(2 * y - 1 > 0, binary(y))


def test_the_layer_is_that_of_the_paper():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer, x = BinaryEmbedding(5, 16), torch.randn(12, 5)
    y = layer(x)
    u = x @ layer.linear.weight.T
    mean, deviation = u.mean(dim=0), u.std(dim=0, correction=0)
    torch.testing.assert_close(y, torch.tanh(((u - mean) / deviation).clamp_min(0)), atol=1e-4, rtol=1e-4)
    assert 0 == float(y.detach().min()) < float(y.detach().max()) < 1
    layer.eval()
    torch.testing.assert_close(layer(x[3:4]), layer(x)[3:4])
    layer.train()
    with pytest.raises(ShapeError, match="A batch of one row"):
        layer(x[:1])
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.float32


@pytest.mark.parametrize(("bits", "near"), [(12, 16), (0, 8), (-8, 8), (33, 32)])
def test_bits_that_fill_no_bytes_are_refused(bits, near):
    with pytest.raises(ConfigError, match=rf"bits is {bits}; it must be a multiple of 8") as caught:
        BinaryEmbedding(4, bits)
    assert caught.value.hint.endswith(f" {near}.")


def test_each_view_has_its_network():
    config = PairEncoderConfig(text=PairTextConfig(features=9))
    assert build_pair_encoder(config, "text").channels == 9
    assert build_pair_encoder(config, "image").dim == 256
    stored = replace(config, image=ImageConfig("features", features=7))
    assert isinstance(build_pair_encoder(stored, "image"), VectorMLP)
    assert build_pair_encoder(replace(stored, hidden=0), "image").dim == 7
    cnn = build_pair_encoder(PairEncoderConfig(text=PairTextConfig("cnn", channels=2, vocabulary=5)), "text")
    assert cnn.dim == 6
    for network in (cnn, build_pair_encoder(stored, "image")):
        staged = [id(p) for stage in network.stages() for p in stage]
        assert sorted(staged) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "lstm"}, "text.name is 'lstm'"),
        ({"hidden": 0}, "text.hidden is 0"),
        ({"name": "cnn", "kernels": ()}, r"kernels is \[\]"),
        ({"name": "cnn", "kernels": (3, 0)}, r"kernels is \[3, 0\]"),
        ({"dropout": 1.0}, r"text.dropout is 1\.0"),
        ({"width": 64}, "width is 64 with the network 'mlp'"),
        ({"name": "cnn", "hidden": 64}, "hidden is 64 with the network 'cnn'"),
        ({"transformer": TextConfig()}, "transformer is .* with the network 'mlp'"),
    ],
    ids=str,
)
def test_settings_of_texts_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        PairTextConfig(**settings)


def test_settings_that_make_no_sense_are_named():
    for settings, message in (
        ({"name": "both"}, "encoder.name is 'both'"),
        ({"hidden": -1}, "encoder.hidden is -1"),
        ({"dropout": -0.1}, r"encoder.dropout is -0\.1"),
    ):
        with pytest.raises(ConfigError, match=message):
            PairEncoderConfig(**settings)
    for view, message in (("text", "how many values"), ("image", "how many values")):
        with pytest.raises(ConfigError, match=message):
            build_pair_encoder(PairEncoderConfig(image=ImageConfig("features")), view)
    with pytest.raises(ConfigError, match="how many words"):
        build_pair_encoder(PairEncoderConfig(text=PairTextConfig("cnn")), "text")
    with pytest.raises(ConfigError, match="not known which") as caught:
        build_pair_encoder(PairEncoderConfig(text=PairTextConfig("transformer")), "text")
    assert "--weights text=RUN" in caught.value.hint


def data(**values):
    return SimpleNamespace(**{"unit": "pairs", "text": "bag", "max_length": 64, **values})


def test_data_that_a_network_cannot_read_are_refused():
    config, needs = PairEncoderConfig(), [PairNeeds()]
    config.check(data(), needs)
    with pytest.raises(ConfigError, match="the data are clips"):
        config.check(data(unit="clips"), needs)
    with pytest.raises(ConfigError, match=r"data.text is 'words'.* 'mlp' of texts reads 'bag' or 'vectors'") as caught:
        config.check(data(text="words"), needs)
    assert "encoder.text.name to cnn" in caught.value.hint
    config.check(data(text="words"), [PairNeeds(("image",))])
    longer = PairEncoderConfig(text=PairTextConfig("transformer", transformer=TextConfig(positions=32)))
    with pytest.raises(ConfigError, match=r"64 tokens.* 32 positions"):
        longer.check(data(text="tokens"), needs)
    with pytest.raises(ConfigError, match="the data are pairs"):
        ImageConfig().check(data(), needs)


def loaded(image=0, text=0, vocabulary=0):
    return SimpleNamespace(image_features=image, text_features=text, text_vocabulary=vocabulary)


def test_rows_of_other_sizes_are_refused():
    text = PairTextConfig(features=9)
    PairEncoderConfig(text=text).fits(loaded(text=9))
    with pytest.raises(ConfigError, match="takes 9 values a text, and the data have 8"):
        PairEncoderConfig(text=text).fits(loaded(text=8))
    with pytest.raises(ConfigError, match="takes 6 words, and the data have 5"):
        PairEncoderConfig(text=PairTextConfig("cnn", vocabulary=6)).fits(loaded(vocabulary=5))
    with pytest.raises(ConfigError, match="'convnet' sees pictures, and the data have 4 features"):
        PairEncoderConfig(text=text).fits(loaded(image=4, text=9))
    stored = PairEncoderConfig(image=ImageConfig("features", features=4), text=text)
    stored.fits(loaded(image=4, text=9))
    with pytest.raises(ConfigError, match="takes 4 features a picture, and the data have 5"):
        stored.fits(loaded(image=5, text=9))
    run = PairEncoderConfig(text=PairTextConfig("transformer", transformer=TextConfig(vocabulary=64)))
    run.fits(loaded(vocabulary=64))
    with pytest.raises(ConfigError, match=r"tokenizer has 65 tokens and the network's embedding 64 rows"):
        run.fits(loaded(vocabulary=65))

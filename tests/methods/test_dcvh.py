"""DCVH: what its loss is made of, what its settings refuse, and that pictures and words come to one code."""

import math
from dataclasses import replace

import pytest
import torch
from debug_size import generator
from torch.nn.functional import one_hot

from kinema.core.codes import pack
from kinema.core.errors import ConfigError, ShapeError
from kinema.core.method import TrainingContext
from kinema.core.pairs import PairBatch
from kinema.core.spans import Tokens
from kinema.methods.dcvh import DCVH, DCVHConfig, HashTower, bit_figures
from kinema.networks.images import ImageConfig
from kinema.networks.pairs import PairEncoderConfig, PairTextConfig
from kinema.networks.text import TextConfig
from kinema.objectives import positive_weights, present_cross_entropy, soft_hamming, weighted_bce
from kinema.training.phase import make_optimiser
from kinema.training.settings import OptimiserConfig

ROWS, CLASSES, BITS = 12, 4, 16
STORED = PairEncoderConfig(
    "image-text",
    ImageConfig("features", features=6),
    PairTextConfig(features=7, hidden=16, dropout=0.0),
    hidden=16,
    dropout=0.0,
)
CONTEXT = TrainingContext(rows=ROWS, classes=CLASSES)


def build(encoder=STORED, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DCVHConfig(**{"bits": BITS, **settings}).build(encoder, CONTEXT).train()


def pairs(step=0):
    """Stored vectors whose first values tell the label, and a second label for every third row."""
    draw, label = generator(step), torch.arange(ROWS) % CLASSES
    told = one_hot(label, CLASSES)
    images = torch.cat([told[:, :3].float(), torch.zeros(ROWS, 3)], dim=1) + 0.1 * torch.randn(ROWS, 6, generator=draw)
    texts = torch.cat([torch.zeros(ROWS, 3), told.float()], dim=1) + 0.1 * torch.randn(ROWS, 7, generator=draw)
    labels = told.bool()
    labels[::3, 0] = True
    return PairBatch(torch.arange(ROWS), images, texts, labels)


def values_of(method, batch):
    return [tower(batch.view(view)) for view, tower in method.towers().items()]


def learnt(method, steps=40):
    optimiser = make_optimiser(method, OptimiserConfig("adam", lr=0.02))
    for step in range(steps):
        losses = method.loss(pairs(step), generator(step))
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
    return losses


@pytest.mark.parametrize("classifier", ["shared", "own"])
def test_the_loss_is_classification_of_both_views_and_their_distance(classifier):
    method, batch = build(classifier=classifier, nu=0.5, softmax=2.0, alignment=3.0, rho_cap=2.0), pairs()
    towers = method.towers()
    assert (towers["image"].classifier is towers["text"].classifier) == (classifier == "shared")
    losses = method.loss(batch, generator(0))
    rho = positive_weights(batch.labels, 2.0)
    values = {view: tower(batch.view(view)) for view, tower in method.towers().items()}
    expected = 3.0 * soft_hamming(values["image"], values["text"])
    for view, tower in method.towers().items():
        z = tower.classifier(values[view])
        softmax, bce = present_cross_entropy(z, batch.labels), weighted_bce(z, batch.labels, rho)
        expected = expected + 2.0 * softmax + 0.5 * bce
        torch.testing.assert_close(losses.terms[f"softmax_{view}"], softmax.detach())
        torch.testing.assert_close(losses.terms[f"bce_{view}"], bce.detach())
    torch.testing.assert_close(losses.total, expected)
    assert torch.equal(losses.embeddings, values["image"])
    figures = ("bit_imbalance", "bit_entropy", "quantisation")
    assert {f"{name}_{view}" for name in figures for view in values} < losses.terms.keys()


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"nu": 0.0}, ("softmax_image", "softmax_text", "alignment")),
        ({"softmax": 0.0}, ("bce_image", "bce_text", "alignment")),
        ({"views": ("image",)}, ("softmax_image", "bce_image")),
        ({"views": ("text",)}, ("softmax_text", "bce_text")),
    ],
    ids=str,
)
def test_parts_can_be_left_out(settings, left):
    method = build(**settings)
    losses = method.loss(pairs(), generator(0))
    assert {name for name in losses.terms if not name.startswith(("bit_", "quantisation"))} == set(left)
    views = settings.get("views", ("image", "text"))
    assert (tuple(method.towers()), method.trains, method.view) == (views, views, views[0])
    assert method.parts().keys() == {f"tower-{view}" for view in views}


def test_the_alignment_alone_collapses_and_classification_keeps_rows_apart():
    """All-equal codes score 0: why method.nu and method.softmax cannot both be 0.

    Where views say nothing of each other the alignment alone comes to that; BatchNorm does not keep it from it.
    """
    equal = torch.ones(ROWS, BITS)
    assert float(soft_hamming(equal, equal)) == 0
    assert bit_figures(equal) == {"bit_imbalance": 1.0, "bit_entropy": 0.0, "quantisation": 0.0}

    def entropies(config):
        method = build(**config)
        optimiser = make_optimiser(method, OptimiserConfig("adam", lr=0.02))
        for step in range(90):
            batch = replace(pairs(step), texts=torch.randn(ROWS, 7, generator=generator(step)))
            losses = method.loss(batch, generator(step))
            optimiser.zero_grad()
            (losses.total if config else soft_hamming(*values_of(method, batch))).backward()
            optimiser.step()
        return [float(losses.terms[f"bit_entropy_{view}"]) for view in ("image", "text")]

    assert max(entropies({})) < 0.05
    assert min(entropies({"alignment": 0.1})) > 0.2
    with pytest.raises(ConfigError, match=r"nu and method\.softmax are both 0"):
        DCVHConfig(nu=0, softmax=0)


def test_a_picture_and_its_words_come_to_one_code():
    method = build(alignment=10.0)
    learnt(method)
    method.eval()
    batch = pairs(99)
    with torch.no_grad():
        codes = {view: tower.codes(batch.view(view)) for view, tower in method.towers().items()}
        tags = {view: tower.tags(batch.view(view)) for view, tower in method.towers().items()}
    apart = (codes["image"][:, None] != codes["text"][None]).float().mean(dim=2)
    shares = (batch.labels[:, None] & batch.labels[None]).any(dim=2)
    assert apart[shares].mean() < 0.5 * apart[~shares].mean()
    for view, z in tags.items():
        best = z.argmax(dim=1)
        assert batch.labels[torch.arange(ROWS), best].float().mean() > 0.9, view
        assert z.shape == (ROWS, CLASSES)


def test_embeddings_have_the_sign_of_the_codes():
    method, batch = build(), pairs()
    tower = method.eval().towers()["text"]
    with torch.no_grad():
        tower.binary.norm.bias[0] = math.atanh(0.5)  # a value at the threshold itself
        tower.binary.norm.weight[0] = 0
        y, z = tower(batch.texts), tower.embed(batch.texts)
    assert set(y[:, 0].tolist()) <= {0.5, float(torch.tanh(torch.tensor(math.atanh(0.5))))}
    assert (y == 0).any()
    assert torch.equal(z > 0, y > 0.5)
    assert torch.equal(tower.codes(batch.texts), y > 0.5)
    packed = pack(z.numpy())
    assert packed.shape == (ROWS, BITS // 8)
    assert (packed == pack((y > 0.5).numpy())).all()
    assert torch.equal(method.embed(batch.images), method.towers()["image"].embed(batch.images))


def test_the_figures_of_bits_against_a_loop():
    y = torch.rand(9, 8, generator=generator(0), dtype=torch.float64)
    figures, codes = bit_figures(y), [[int(v > 0.5) for v in row] for row in y.tolist()]
    imbalance, entropy, error = 0.0, 0.0, 0.0
    for bit in range(8):
        p = sum(row[bit] for row in codes) / 9
        imbalance += 2 * abs(p - 0.5) / 8
        entropy -= sum(q * math.log2(q) for q in (p, 1 - p) if q) / 8
        error += sum(abs(y[n, bit].item() - codes[n][bit]) for n in range(9)) / 72
    assert [float(x) for x in figures.values()] == pytest.approx([imbalance, entropy, error])


@pytest.mark.parametrize(
    ("image", "text", "takes"),
    [
        (ImageConfig(width=4), PairTextConfig(features=7), (("pictures", 3), ("vectors", 7))),
        (ImageConfig("features", features=6), PairTextConfig("cnn", vocabulary=9), (("features", 6), ("tokens", 9))),
    ],
)
def test_a_tower_says_what_it_takes_and_refuses_the_rest(image, text, takes):
    encoder = PairEncoderConfig(image=image, text=text)
    tokens = Tokens(torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool))
    good = {"pictures": torch.zeros(2, 3, 8, 8), "features": torch.zeros(2, 6), "vectors": torch.zeros(2, 7)}
    good["tokens"] = tokens
    for view, own in zip(("image", "text"), takes, strict=True):
        tower = HashTower(view, encoder, BITS, CLASSES).eval()
        assert (tower.takes, tower.dim, tower.view) == (own, BITS, view)
        for kind, x in good.items():
            if kind == own[0]:
                assert tower(x).shape == (2, BITS)
            else:
                with pytest.raises(ShapeError, match=rf"view '{view}' was given .*; its network takes {own[0]}"):
                    tower(x)


def test_a_transformer_reads_tokens():
    small = TextConfig(layers=1, width=8, heads=2, vocabulary=9, positions=8, dropout=0.0)
    encoder = PairEncoderConfig(text=PairTextConfig("transformer", transformer=small))
    method = DCVHConfig(views=("text",)).build(encoder, CONTEXT).train()
    tokens = Tokens(torch.randint(9, (ROWS, 5), generator=generator(0)), torch.ones(ROWS, 5, dtype=torch.bool))
    losses = method.loss(PairBatch(torch.arange(ROWS), None, tokens, pairs().labels), generator(0))
    losses.total.backward()
    assert all(p.grad is not None for p in method.parameters())
    assert method.tower_text.takes == ("tokens", 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 20}, "bits is 20; it must be a multiple of 8"),
        ({"nu": -1.0}, r"nu is -1\.0"),
        ({"softmax": float("nan")}, "softmax is nan"),
        ({"alignment": float("inf")}, "alignment is inf"),
        ({"classifier": "both"}, "classifier is 'both'"),
        ({"rho_cap": 0.0}, r"rho_cap is 0\.0"),
        ({"views": ()}, r"views is \(\)"),
        ({"views": ("image", "sound")}, "views is .*sound"),
        ({"views": ("text",), "alignment": 0.1}, r"alignment is 0\.1, and there is one view, 'text'"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        DCVHConfig(**settings)


def test_what_does_not_fit_the_data_is_named():
    for classes, there in ((0, "no label is known"), (1, "one label")):
        with pytest.raises(ConfigError, match=there):
            DCVHConfig().build(STORED, TrainingContext(rows=4, classes=classes))
    method, batch = build(), pairs()
    with pytest.raises(ShapeError, match="asks for 'labels'"):
        method.loss(replace(batch, labels=None), generator(0))
    with pytest.raises(ShapeError, match="batch has 3 labels, and the classifiers 4"):
        method.loss(replace(batch, labels=batch.labels[:, :3]), generator(0))
    with pytest.raises(ShapeError, match="asks for the view 'text'"):
        method.loss(replace(batch, texts=None), generator(0))
    assert isinstance(method, DCVH)

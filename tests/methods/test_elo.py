"""ELo: every part against a slow restatement, and what a weight of 0 leaves out."""

from dataclasses import replace

import pytest
import torch
from debug_size import BATCH, generator, make_batch, make_config, make_method
from oracles import elo as oracle

from kinema.core.errors import ConfigError, ShapeError
from kinema.methods.elo import PIECES, backwards, grey, half, parts_of, reordered
from kinema.objectives import max_margin

NAMES = [part.name for part in parts_of("rgb", ("motion", "grey"))]


def only(*names, **changes):
    return make_method("elo", weights=dict.fromkeys(names, 1.0), rest=0.0, **changes)


def value_of(method, batch):
    losses = method.loss(batch, generator(0))
    return float(losses.total.detach()), losses


def features(method, m, x):
    with torch.no_grad():
        return getattr(method, f"tower_{m}").encoder(x)


def test_the_parts_and_their_names():
    assert len(NAMES) == len(set(NAMES)) == 3 * 4 + 2 * 5
    assert {"rgb.reconstruction", "grey.direction", "rgb-motion.transfer", "motion-rgb.transfer"} <= set(NAMES)
    assert {"rgb-motion.contrast", "rgb-grey.alignment", "motion-rgb.distillation"} <= set(NAMES)
    assert not {"rgb-motion.distillation", "motion-grey.contrast"} & set(NAMES)
    assert parts_of("rgb", ("motion", "rgb", "motion")) == parts_of("rgb", ("motion",))


WHOLE = [("rgb.reconstruction", "rgb", "rgb"), ("rgb-motion.transfer", "rgb", "motion")]
WHOLE += [("motion-rgb.transfer", "motion", "rgb")]


@pytest.mark.parametrize(("name", "source", "target"), WHOLE)
def test_what_is_foretold_of_whole_clips(name, source, target):
    method = only(name, "rgb.direction")
    batch = make_batch(method, 0)
    f = features(method, source, batch.view(0, source))
    got = method.heads[name.replace(".", "_").replace("-", "_")](f).detach().double()
    wanted = [oracle.coarse(x, 4, 2) for x in batch.view(0, target).double().tolist()]
    error = (got - torch.tensor(wanted)).square().mean()
    assert float(value_of(method, batch)[1].terms[name]) == pytest.approx(float(error), rel=1e-5)


def test_the_future_is_foretold_from_the_first_half():
    method = only("rgb.prediction", moments=2)
    batch = make_batch(method, 0)
    x = batch.view(0, "rgb")
    got = method.heads["rgb_prediction"](features(method, "rgb", x[:, :, :2])).detach().double()
    wanted = torch.tensor([oracle.coarse(clip, 2, 2) for clip in x[:, :, 2:].double().tolist()])
    assert value_of(method, batch)[0] == pytest.approx(float((got - wanted).square().mean()), rel=1e-5)
    blind = replace(batch, variants=({"rgb": torch.cat([x[:, :, :2], x[:, :, 2:].flip(0)], dim=2)},))
    assert value_of(method, blind)[0] != pytest.approx(value_of(method, batch)[0], rel=1e-4)


def test_order_and_direction_tell_real_clips_from_changed_ones():
    method = only("motion.order", "motion.direction", "rgb.direction")
    batch = make_batch(method, 0)
    x = batch.view(0, "motion")
    draw = torch.rand(BATCH, PIECES, generator=generator(0)).tolist()
    mixed = torch.stack([torch.stack(oracle.reordered(list(x[i].unbind(1)), draw[i]), dim=1) for i in range(BATCH)])
    changed = {"order": mixed, "direction": -torch.stack(x.unbind(2)[::-1], dim=2)}
    terms = value_of(method, batch)[1].terms
    for task, other in changed.items():
        yes, no = (method.heads[f"motion_{task}"](features(method, "motion", clip)) for clip in (x, other))
        wanted = oracle.told_apart(yes.flatten().tolist(), no.flatten().tolist())
        assert float(terms[f"motion.{task}"]) == pytest.approx(wanted, rel=1e-5)


def test_alignment_joins_the_halves_of_two_modalities():
    method = only("rgb-motion.alignment")
    batch = make_batch(method, 0)
    f = {(m, h): features(method, m, half(batch.view(0, m), h)) for m in ("rgb", "motion") for h in (0, 1)}
    logit = {
        (a, b): method.heads["rgb_motion_alignment"](torch.cat([f["rgb", a], f["motion", b]], dim=1)).flatten().tolist()
        for a in (0, 1)
        for b in (0, 1)
    }
    wanted = oracle.told_apart(logit[0, 0] + logit[1, 1], logit[0, 1] + logit[1, 0])
    assert value_of(method, batch)[0] == pytest.approx(wanted, rel=1e-5)


def test_contrast_against_every_pair_and_its_theorem():
    method = only("rgb-motion.contrast")
    batch = make_batch(method, 0)
    with torch.no_grad():
        z = [getattr(method, f"tower_{m}")(batch.view(0, m)).double().tolist() for m in ("rgb", "motion")]
    wanted = oracle.max_margin(*z, batch.source.tolist(), 0.5)
    assert value_of(method, batch)[0] == pytest.approx(wanted, rel=1e-4)
    one = torch.nn.functional.normalize(torch.ones(4, 3), dim=1)
    assert float(max_margin(one, one, torch.arange(4), 0.3)) == pytest.approx(0.3)
    assert float(max_margin(one, one, torch.zeros(4), 0.3)) == 0
    far = torch.eye(4)
    assert float(max_margin(far, far, torch.arange(4), 0.5)) == 0
    assert float(max_margin(far, far.flip(0), torch.arange(4), 0.5)) == pytest.approx((4 * 2.5 + 8 * 0.5) / 12)
    with pytest.raises(ShapeError, match=r"a \(4, 4\), b \(3, 4\)"):
        max_margin(far, far[:3], torch.arange(4), 0.5)


def test_distillation_draws_the_view_and_leaves_the_teacher_alone():
    method = only("motion-rgb.distillation")
    batch = make_batch(method, 0)
    teacher, student = (features(method, m, batch.view(0, m)).double().tolist() for m in ("motion", "rgb"))
    total, losses = value_of(method, batch)
    assert total == pytest.approx(oracle.distance(teacher, student), rel=1e-5)
    assert method.trains == ("rgb",)
    losses.total.backward()
    assert all(p.grad is None for p in method.tower_motion.parameters())
    taught = only("motion-rgb.distillation", "motion.order")
    assert taught.trains == ("rgb", "motion")


def test_the_total_is_the_weighted_sum():
    weights = {name: (number % 5) / 4 for number, name in enumerate(NAMES)}
    method = make_method("elo", weights=weights)
    total, losses = value_of(method, make_batch(method, 0))
    assert list(losses.terms) == [name for name in NAMES if weights[name]]
    assert total == pytest.approx(sum(weights[name] * float(x) for name, x in losses.terms.items()), rel=1e-5)
    assert make_config("elo", weights={"rgb.order": 0.25}, rest=0.5).weight("rgb.order") == 0.25
    assert make_config("elo", weights={"rgb.order": 0.25}, rest=0.5).weight("rgb.direction") == 0.5


def test_a_weight_of_zero_leaves_the_part_out_of_network_data_and_graph():
    alone = only("rgb.order")
    assert alone.needs.views == alone.trains == ("rgb",)
    assert {name.split(".")[0] for name, _ in alone.named_parameters()} == {"tower_rgb", "heads"}
    assert list(alone.heads) == ["rgb_order"]
    assert not any(p.requires_grad for p in alone.tower_rgb.head.parameters())
    target = only("rgb-motion.transfer")
    assert (target.needs.views, target.modalities) == (("rgb", "motion"), ("rgb",))
    shades = only("grey-rgb.distillation", "grey.order")
    assert (shades.needs.views, set(shades.towers()), shades.trains) == (("rgb",), {"rgb"}, ("rgb",))
    assert only("rgb.prediction").loss(make_batch(alone, 0), generator(0)).embeddings.shape == (BATCH, 32)


def test_the_order_of_pieces():
    x = torch.arange(8.0).view(1, 1, 8, 1, 1).expand(200, 1, 8, 1, 1)
    draw = torch.rand(200, PIECES, generator=generator(1))
    taken = reordered(x, draw).flatten(1)
    assert taken.tolist() == [oracle.reordered(list(range(8)), row) for row in draw.tolist()]
    assert len({tuple(row) for row in taken.tolist()}) == 22  # 4! less the own order and the reverse
    short = reordered(x[:, :, :3], draw).flatten(1)
    assert len({tuple(row) for row in short.tolist()}) == 4
    with pytest.raises(ShapeError, match=r"2 frames.*(?s:.)*'order' to 0"):
        reordered(x[:, :, :2], draw)
    sound = torch.arange(8.0).view(1, 1, 1, 8).expand(200, 1, 3, 8)
    assert torch.equal(reordered(sound, draw)[:, 0, 2], taken)
    assert half(x[:1, :, :5], 0).flatten().tolist() == [0, 1]
    assert half(x[:1, :, :5], 1).flatten().tolist() == [3, 4]
    assert backwards("rgb", x[:1]).flatten().tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert backwards("motion", sound[:1])[0, 0, 0].tolist() == [-7, -6, -5, -4, -3, -2, -1, 0]


def test_grey_has_no_colours():
    red = torch.zeros(1, 3, 2, 4, 4)
    red[:, 0] = 1
    assert torch.allclose(grey(red), torch.full_like(red, 0.299))
    assert torch.allclose(grey(torch.full_like(red, -2.0)), torch.full_like(red, -2.0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": {"rgb.colour": 0.5}}, "names 'rgb.colour', and there is no such part"),
        ({"weights": {"grey.order": 0.5}, "others": ("motion",)}, r"names 'grey\.order'"),
        ({"weights": {"rgb.order": 1.5}}, r"weights\['rgb\.order'\] is 1\.5"),
        ({"rest": -0.1}, r"rest is -0\.1"),
        ({"weights": {"motion.order": 1.0}, "rest": 0.0}, "No part .* teaches the view 'rgb'"),
        ({"others": ("smell",)}, "others names 'smell'"),
        ({"view": "grey"}, "view is 'grey'"),
        ({"margin": -1.0}, "margin"),
        ({"grid": 0}, "grid is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        make_config("elo", **changes)


def test_a_network_starts_the_same_whichever_other_parts_there_are():
    whole, alone = make_method("elo").state_dict(), only("rgb.order", "rgb.prediction").state_dict()
    assert set(alone) < set(whole)
    assert all(torch.equal(value, whole[key]) for key, value in alone.items())
    other = make_method("elo", seed=1).state_dict()
    assert not torch.equal(other["tower_rgb.encoder.stem.0.weight"], whole["tower_rgb.encoder.stem.0.weight"])

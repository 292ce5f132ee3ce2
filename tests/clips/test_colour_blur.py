import numpy as np
import pytest
import torch
from oracles.transforms import gaussian_blur, hue_of, jitter

from kinema.data.clips.transforms import (
    Colour,
    TransformConfig,
    colour_matrix,
    contrast_offset,
    draw_colour,
    gaussian_matrix,
)
from kinema.data.clips.transforms.blur import draw_sigma


def colour(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0, grey=False):
    values = [torch.tensor([v]) for v in (brightness, contrast, saturation, hue)]
    return Colour(*values, torch.tensor([grey]))


def apply(clip, c):
    """clip [N, T, H, W, 3] through the fast path."""
    x = torch.einsum("nthwc,ndc->nthwd", clip, colour_matrix(c))
    return (x + contrast_offset(x, c.contrast)[:, None, None, None, None]).clamp(0, 1)


CASES = [
    {"brightness": 1.4},
    {"contrast": 0.6},
    {"contrast": 1.4},
    {"saturation": 0.6},
    {"hue": 0.1},
    {"hue": -0.07},
    {"grey": True},
    {"brightness": 0.7, "contrast": 1.3, "saturation": 1.2, "hue": 0.05},
    {"brightness": 1.2, "contrast": 0.8, "saturation": 0.7, "hue": -0.1, "grey": True},
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(c))
def test_one_matrix_equals_the_steps_in_turn(case):
    clip = torch.rand(1, 3, 4, 5, 3, generator=torch.Generator().manual_seed(2))
    full = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0, "grey": False} | case
    np.testing.assert_allclose(apply(clip, colour(**case))[0], jitter(clip[0].numpy(), **full), atol=2e-3)


def test_neutral_jitter_changes_no_bit():
    clip = torch.rand(2, 3, 4, 5, 3)
    assert torch.equal(apply(clip, Colour.neutral(2)), clip)


def test_a_positive_hue_turns_the_way_of_the_colour_circle():
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 1, 1, 1, 3)
    turned = {h: hue_of(apply(red, colour(hue=h)).flatten()) for h in (0.1, -0.1)}
    signed = {h: (v + 0.5) % 1 - 0.5 for h, v in turned.items()}
    assert signed[0.1] * signed[-0.1] < 0
    assert all(0.04 < abs(v) < 0.2 for v in signed.values())


def test_greys_have_no_hue_and_no_saturation_to_lose():
    clip = torch.rand(1, 2, 4, 4, 1).expand(1, 2, 4, 4, 3)
    torch.testing.assert_close(apply(clip, colour(hue=0.1, saturation=0.5)), clip, atol=1e-3, rtol=0)


def test_drawn_jitter_keeps_its_ranges_and_probabilities():
    config = TransformConfig(jitter=(0.4, 0.3, 0.2, 0.1), jitter_p=0.8, grey_p=0.2)
    n = 5000
    drawn = draw_colour(config, n, torch.Generator().manual_seed(0), torch.zeros(n, dtype=torch.bool))
    for name, strength, centre in (
        ("brightness", 0.4, 1),
        ("contrast", 0.3, 1),
        ("saturation", 0.2, 1),
        ("hue", 0.1, 0),
    ):
        change = getattr(drawn, name) - centre
        assert abs((change != 0).float().mean() - 0.8) < 0.02
        assert 0.95 * strength < change.max() <= strength + 1e-6
        assert -strength - 1e-6 <= change.min() < -0.95 * strength
    assert abs(drawn.grey.float().mean() - 0.2) < 0.02


def test_plain_clips_keep_their_colours():
    plain = torch.arange(200) % 2 == 0
    drawn = draw_colour(TransformConfig(jitter_p=1.0, grey_p=1.0), 200, torch.Generator().manual_seed(0), plain)
    assert torch.equal(drawn.grey, ~plain)
    assert torch.equal(drawn.brightness == 1, plain)


def test_blur_equals_the_loops_and_differs_by_clip():
    image = torch.rand(12, 12, dtype=torch.float64)
    sigma = torch.tensor([0.5, 1.7], dtype=torch.float64)
    g = gaussian_matrix(sigma, 12)
    out = g @ image @ g.transpose(1, 2)
    for n, s in enumerate(sigma.tolist()):
        np.testing.assert_allclose(out[n], gaussian_blur(image.numpy(), s), atol=1e-5)


def test_no_blur_is_the_identity_and_a_blur_keeps_flat_pictures():
    g = gaussian_matrix(torch.tensor([0.0, 0.01, 2.0]), 9)
    assert torch.equal(g[0], torch.eye(9))
    assert torch.equal(g[1], torch.eye(9))
    torch.testing.assert_close(g[2].sum(-1), torch.ones(9))
    assert g[2, 4, 4] < 0.25


def test_drawn_blur_keeps_its_range_and_probability():
    sigma = draw_sigma(0.3, (0.5, 1.5), 5000, torch.Generator().manual_seed(0))
    used = sigma[sigma > 0]
    assert abs(len(used) / 5000 - 0.3) < 0.02
    assert 0.5 <= used.min() < 0.52
    assert 1.48 < used.max() <= 1.5

import pytest
import torch
from torch import nn

from kinema.core.errors import ConfigError
from kinema.networks import HeadConfig, ProjectionHead


def x(batch=6, dim=10, seed=0):
    return torch.randn(batch, dim, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("norm", [False, True])
def test_rows_have_length_one(layers, norm):
    head = ProjectionHead(10, 7, out=5, layers=layers, norm=norm)
    z = head(x())
    assert z.shape == (6, 5)
    assert torch.allclose(z.norm(dim=1), torch.ones(6))
    assert sum(isinstance(m, nn.Linear) for m in head.modules()) == layers
    assert sum(isinstance(m, nn.ReLU) for m in head.modules()) == layers - 1
    norms = [m for m in head.modules() if isinstance(m, nn.BatchNorm1d)]
    assert [m.affine for m in norms] == ([True] * (layers - 1) + [False] if norm else [])
    assert all((m.bias is None) == norm for m in head.modules() if isinstance(m, nn.Linear))


def test_the_head_of_cpr():
    """Linear C to C, ReLU, linear C to 128, unit length, said once more by hand."""
    head = ProjectionHead(10, 10)
    first, second = (m for m in head.modules() if isinstance(m, nn.Linear))
    expected = second(first(x()).clamp(min=0))
    expected = expected / expected.square().sum(1, keepdim=True).sqrt()
    assert torch.allclose(head(x()), expected, atol=1e-6)
    assert sum(p.numel() for p in head.parameters()) == 10 * 10 + 10 + 10 * 128 + 128


def test_the_head_with_norm():
    """Said once more by hand: each layer's outputs are centred and scaled over the batch, the last ones too."""
    head = ProjectionHead(10, 7, out=5, norm=True)
    first, second = (m for m in head.modules() if isinstance(m, nn.Linear))
    scaled = next(m for m in head.modules() if isinstance(m, nn.BatchNorm1d))
    with torch.no_grad():
        scaled.weight.copy_(torch.linspace(0.5, 2, 7))
        scaled.bias.copy_(torch.linspace(-1, 1, 7))

    def over_the_batch(y):
        return (y - y.mean(0)) / (y.var(0, unbiased=False) + 1e-5).sqrt()

    hidden = over_the_batch(x() @ first.weight.T) * scaled.weight + scaled.bias
    z = over_the_batch(hidden.clamp(min=0) @ second.weight.T)
    assert torch.allclose(head(x()), z / z.square().sum(1, keepdim=True).sqrt(), atol=1e-5)


def test_without_norm_batch_mates_do_not_matter():
    head = ProjectionHead(10, 10)
    assert torch.allclose(head(x())[:2], head(x()[:2]), atol=1e-6)
    assert not torch.allclose(ProjectionHead(10, 10, norm=True)(x())[:2], ProjectionHead(10, 10, norm=True)(x()[:2]))


def test_refuses_no_layers():
    with pytest.raises(ConfigError, match="0 layers"):
        ProjectionHead(10, 10, layers=0)


def test_settings_of_a_head_build_it():
    head = HeadConfig(layers=2, out=5, norm=True, affine=True, hidden=9).build(10, 7)
    assert [tuple(p.shape) for p in head.parameters() if p.ndim > 1] == [(9, 10), (5, 9)]
    assert head.layers[-1].affine
    plain = HeadConfig(layers=2, out=5, norm=True).build(10, 7)
    assert [tuple(p.shape) for p in plain.parameters() if p.ndim > 1] == [(7, 10), (5, 7)]
    assert not plain.layers[-1].affine
    for wrong, named in (({"affine": True}, "head.affine is set"), ({"hidden": -1}, "head.hidden is -1")):
        with pytest.raises(ConfigError, match=named):
            HeadConfig(**wrong)

import pytest
import torch
from oracles import cascade as oracle

from kinema.core.errors import ConfigError, ShapeError
from kinema.mining import cascade, cascade_sizes, stage_views
from kinema.mining.selection import WORTH_A_THREAD, select_by_sorting


def draw(*shape, seed, levels=None):
    generator = torch.Generator().manual_seed(seed)
    if levels is not None:
        return torch.randint(levels, shape, generator=generator).float() / levels
    return torch.rand(shape, generator=generator)


def as_lists(mined):
    return [[j for j in row if j >= 0] for row in mined.tolist()]


def test_sizes_of_the_paper():
    assert cascade_sizes(2048, 0.5, 7, 5) == (1024, 512, 256, 128, 64, 32, 5)
    assert cascade_sizes(2048, 0.5, 1, 5) == (5,)
    assert cascade_sizes(2048, 0.8, 3, 5) == (1638, 1310, 5)


def test_sizes_are_those_of_decimal_numbers():
    assert cascade_sizes(1000, 0.1, 4, 1) == (100, 10, 1, 1)
    assert cascade_sizes(1000, 0.7, 3, 5) == (700, 490, 5)
    assert cascade_sizes(10, 1.0, 3, 10) == (10, 10, 10)


def test_sizes_refuse_too_few_for_the_last_stage():
    assert cascade_sizes(320, 0.5, 7, 5)[-2:] == (5, 5)
    with pytest.raises(ConfigError, match=r"7 stages that keep 0\.5 of 319 candidates leaves 4 .* take 5") as caught:
        cascade_sizes(319, 0.5, 7, 5)
    assert "fewer stages" in caught.value.hint
    with pytest.raises(ConfigError, match="take 11"):
        cascade_sizes(10, 0.5, 1, 11)


@pytest.mark.parametrize("bad", [(0, 0.5, 1, 1), (8, 0.5, 0, 1), (8, 0.5, 1, 0), (8, 0.0, 2, 1), (8, 1.5, 2, 1)])
def test_sizes_refuse_values_out_of_range(bad):
    with pytest.raises(ConfigError):
        cascade_sizes(*bad)


def test_views_alternate_and_the_guide_has_the_last_word():
    assert stage_views(1) == (0,)
    assert stage_views(2) == (0, 0)
    assert stage_views(3) == (0, 1, 0)
    assert stage_views(6) == (0, 1, 0, 1, 0, 0)
    assert stage_views(7) == (0, 1, 0, 1, 0, 1, 0)


@pytest.mark.parametrize("stages", range(1, 8))
@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("barred", [0.0, 0.3, 0.9, 1.0])
def test_equals_the_oracle(stages, levels, barred):
    guide, trained = draw(4, 150, seed=stages, levels=levels), draw(4, 150, seed=50 + stages, levels=levels)
    excluded = draw(4, 150, seed=99) < barred
    sizes = cascade_sizes(150, 0.6, stages, 5)
    expected = oracle.cascade(
        (guide.tolist(), trained.tolist()), sizes, stage_views(stages), excluded.tolist() if barred else None
    )
    mined = cascade((guide, trained), sizes, excluded=excluded if barred else None)
    assert mined.shape == (4, 5)
    assert mined.dtype == torch.int64
    assert as_lists(mined) == expected
    by_sorting = select_by_sorting((guide, trained), sizes, stage_views(stages), excluded if barred else None)
    assert torch.equal(by_sorting, mined)


def test_one_stage_is_plain_top_k_and_needs_no_second_view():
    guide = draw(6, 400, seed=1)
    assert torch.equal(cascade((guide,), (7,)), guide.topk(7, dim=1).indices)


def test_each_view_has_its_say():
    guide = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.0]])
    trained = torch.tensor([[0.0, 0.1, 0.6, 0.7, 0.9]])
    assert cascade((guide, trained), (1,)).tolist() == [[0]]
    assert cascade((guide, trained), (4, 2, 1)).tolist() == [[2]]
    assert cascade((guide, trained), (4, 1, 1)).tolist() == [[3]]
    assert cascade((guide, trained), (4, 2, 2), order=(1, 0, 1)).tolist() == [[2, 1]]


def test_a_short_row_is_filled():
    guide = draw(2, 6, seed=1)
    excluded = torch.tensor([[True, True, True, True, True, False], [False] * 6])
    mined = cascade((guide, guide.flip(1)), (5, 4, 3), excluded=excluded)
    assert mined[0].tolist() == [5, -1, -1]
    assert (mined[1] >= 0).all()


def test_rows_shared_over_threads_give_the_same():
    rows, candidates = 8, WORTH_A_THREAD // 3
    guide, trained = draw(rows, candidates, seed=3), draw(rows, candidates, seed=4)
    sizes = cascade_sizes(candidates, 0.5, 5, 3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        shared = cascade((guide, trained), sizes)
        torch.set_num_threads(1)
        assert torch.equal(shared, cascade((guide, trained), sizes))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_every_precision_and_layout(kind):
    guide, trained = draw(3, 60, seed=1).to(kind), draw(60, 3, seed=2).to(kind).T
    expected = oracle.cascade((guide.tolist(), trained.tolist()), (20, 10, 4), (0, 1, 0))
    assert cascade((guide, trained), (20, 10, 4)).tolist() == expected


def test_takes_no_gradient_and_changes_nothing():
    guide, trained = draw(2, 20, seed=1).requires_grad_(), draw(2, 20, seed=2)
    before = guide.detach().clone()
    excluded = torch.zeros(2, 20, dtype=torch.bool)
    excluded[:, 3] = True
    assert not cascade((guide, trained), (9, 4, 2), excluded=excluded).requires_grad
    assert torch.equal(guide, before)


def test_refuses_what_does_not_fit():
    guide = draw(2, 20, seed=1)
    with pytest.raises(ShapeError, match=r"\(2, 19\)"):
        cascade((guide, guide[:, :19]), (5, 5))
    with pytest.raises(ShapeError, match="excluded"):
        cascade((guide,), (5,), excluded=torch.zeros(2, 20))
    for sizes in ((), (0,), (21,), (5, 6)):
        with pytest.raises(ConfigError, match="sizes"):
            cascade((guide, guide), sizes)
    with pytest.raises(ConfigError, match="order"):
        cascade((guide,), (5, 4, 3))
    with pytest.raises(ConfigError, match="order"):
        cascade((guide, guide), (5, 4), order=(0,))

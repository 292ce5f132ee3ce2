import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.splits import groups_of, sides

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.evaluation import few, hold_out

mixed = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=60)
shares = st.floats(0.05, 0.95)


@settings(max_examples=300, deadline=None)
@given(mixed, shares, st.integers(0, 5))
def test_no_recording_is_on_both_sides_and_no_class_is_lost(pairs, share, seed):
    labels, sources = (list(column) for column in zip(*pairs, strict=True))
    held = hold_out(torch.tensor(labels), torch.tensor(sources), share, seed)
    counts, both = sides(labels, sources, held.tolist())
    assert both == set()
    assert all(kept > 0 for kept, _ in counts.values())
    assert torch.equal(held, hold_out(torch.tensor(labels), torch.tensor(sources), share, seed))


@settings(max_examples=300, deadline=None)
@given(mixed, shares, st.integers(0, 5))
def test_each_class_gets_its_share_where_recordings_are_of_one_class(pairs, share, seed):
    labels = [label for label, _ in pairs]
    sources = [10 * label + source for label, source in pairs]
    held = hold_out(torch.tensor(labels), torch.tensor(sources), share, seed)
    counts, _ = sides(labels, sources, held.tolist())
    for c, groups in groups_of(labels, sources).items():
        kept, out = counts[c]
        if len(groups) == 1:
            assert out == 0
        else:
            assert kept > 0
            assert out > 0
            assert abs(out - share * (kept + out)) <= max(groups.values())


def test_the_seed_decides_and_nothing_else():
    labels, sources = torch.arange(60) % 3, torch.arange(60)
    drawn = [hold_out(labels, sources, 0.2, seed) for seed in range(5)]
    assert [int(held.sum()) for held in drawn] == [12] * 5
    assert len({tuple(held.tolist()) for held in drawn}) > 1
    state = torch.get_rng_state()
    hold_out(labels, sources, 0.2)
    assert torch.equal(state, torch.get_rng_state())


def test_a_large_recording_is_passed_over():
    labels, sources = torch.zeros(20, dtype=torch.int64), torch.tensor([0] * 16 + [1, 2, 3, 4])
    for seed in range(8):
        assert int(hold_out(labels, sources, 0.2, seed)[:16].sum()) == 0


def test_nothing_is_held_out_of_single_recordings():
    assert not hold_out(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1]), 0.5).any()


@pytest.mark.parametrize(("share", "each"), [(0.01, 1), (0.1, 4), (0.3, 12), (1.0, 40)])
def test_few_are_balanced_and_drawn_by_the_seed(share, each):
    labels = torch.cat([torch.full((40,), 5), torch.full((40,), 7), torch.full((40,), 9)])
    rows = few(labels, share, 3)
    assert torch.bincount(labels[rows]).tolist() == [0] * 5 + [each, 0, each, 0, each]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert torch.equal(rows, few(labels, share, 3))
    assert share == 1 or not torch.equal(rows, few(labels, share, 4))


def test_of_a_rare_class_all_are_drawn():
    labels = torch.tensor([0] * 98 + [1, 1])
    assert torch.bincount(labels[few(labels, 0.1)]).tolist() == [5, 2]


def test_shares_that_cannot_be_are_refused():
    labels = torch.tensor([0, 1])
    for share in (0, 1, -1):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            hold_out(labels, labels, share)
    for share in (0, 1.5):
        with pytest.raises(ConfigError, match="at most 1"):
            few(labels, share)
    with pytest.raises(ShapeError, match="2 labels and 1 sources"):
        hold_out(labels, labels[:1], 0.5)
    with pytest.raises(DataError, match="no video"):
        few(labels[:0], 0.5)

import pytest
import torch
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError, ShapeError
from kinema.mining import FeatureQueue


def rows(batch, seed, dim=3):
    return normalize(torch.randn(batch, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def pushed(queue, batches, batch=2):
    """What was pushed, in order: a list of (rgb, motion, source, index), one of each clip."""
    clips = []
    for step in range(batches):
        index = torch.arange(batch) + step * batch
        rgb, motion = rows(batch, 10 + step), rows(batch, 50 + step)
        queue.push({"rgb": rgb, "motion": motion}, index // 3, index)
        clips += list(zip(rgb, motion, (index // 3).tolist(), index.tolist(), strict=True))
    return clips


def test_starts_empty():
    queue = FeatureQueue(6, 3, ("rgb", "motion"))
    assert not queue.full
    assert not queue.valid.any()
    assert (queue.source == -1).all()
    assert (queue.features("motion") == 0).all()


@pytest.mark.parametrize("batches", [1, 2, 3, 4, 5, 7])
def test_holds_the_last_clips_in_every_view(batches):
    queue = FeatureQueue(6, 3, ("rgb", "motion"))
    clips = pushed(queue, batches)
    assert queue.full == (batches >= 3)
    assert int(queue.valid.sum()) == min(6, 2 * batches)
    for position, (rgb, motion, source, index) in enumerate(clips):
        slot = position % 6
        if position >= len(clips) - 6:
            assert torch.equal(queue.features("rgb")[slot], rgb)
            assert torch.equal(queue.features("motion")[slot], motion)
            assert (int(queue.source[slot]), int(queue.index[slot])) == (source, index)


def test_goes_on_from_its_state():
    queue, other = FeatureQueue(6, 3, ("rgb", "motion")), FeatureQueue(6, 3, ("rgb", "motion"))
    pushed(queue, 2)
    other.load_state_dict(queue.state_dict())
    for each in (queue, other):
        each.push({"rgb": rows(2, 1), "motion": rows(2, 2)}, torch.tensor([8, 9]), torch.tensor([8, 9]))
    assert queue.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(queue.state_dict().values(), other.state_dict().values(), strict=True))
    assert queue.full
    assert not list(queue.parameters())


def test_takes_no_gradient():
    queue = FeatureQueue(2, 3, ("rgb",))
    queue.push({"rgb": rows(2, 1).requires_grad_()}, torch.zeros(2), torch.arange(2))
    assert not queue.features("rgb").requires_grad


def test_refuses_a_batch_that_does_not_divide_it():
    queue = FeatureQueue(10, 3, ("rgb",))
    with pytest.raises(ConfigError, match=r"10 clips.*batch of 4") as caught:
        queue.push({"rgb": rows(4, 1)}, torch.arange(4), torch.arange(4))
    assert "8 or 12" in caught.value.hint
    assert not queue.valid.any()
    with pytest.raises(ConfigError) as caught:
        FeatureQueue.check_batch(10, 16)
    assert "size to 16" in caught.value.hint
    FeatureQueue.check_batch(10, 5)


def test_refuses_rows_it_cannot_hold():
    queue = FeatureQueue(4, 3, ("rgb", "motion"))
    good, ids = rows(2, 1), torch.arange(2)
    with pytest.raises(ShapeError, match=r"\['rgb'\]"):
        queue.push({"rgb": good}, ids, ids)
    with pytest.raises(ShapeError, match="'motion' has length 2"):
        queue.push({"rgb": good, "motion": 2 * good}, ids, ids)
    with pytest.raises(ShapeError, match="length nan"):
        queue.push({"rgb": good, "motion": good * float("nan")}, ids, ids)
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        queue.push({"rgb": good, "motion": good[:, :2]}, ids, ids)
    with pytest.raises(ShapeError, match="-1"):
        queue.push({"rgb": good, "motion": good}, ids, ids - 1)
    with pytest.raises(ShapeError, match="source"):
        queue.push({"rgb": good, "motion": good}, ids[:1], ids)
    assert not queue.valid.any()
    with pytest.raises(ConfigError, match="residual"):
        queue.features("residual")
    with pytest.raises(ConfigError, match="size 0"):
        FeatureQueue(0, 3, ("rgb",))

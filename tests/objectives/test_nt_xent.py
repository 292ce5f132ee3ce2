import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from oracles import objectives as oracle
from torch.nn.functional import normalize

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import multi_positive_nce, nt_xent


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_equals_the_oracle():
    z1, z2 = unit(5, 3, seed=1), unit(5, 3, seed=2)
    assert nt_xent(z1, z2, 0.5).item() == pytest.approx(oracle.nt_xent(z1.tolist(), z2.tolist(), 0.5))


def test_uniform_similarities_give_log_of_the_others():
    z = unit(1, 3).expand(6, 3)
    assert nt_xent(z, z, 0.1).item() == pytest.approx(math.log(2 * 6 - 1))


def test_symmetric_in_views_and_clips():
    z1, z2 = unit(5, 3, seed=1), unit(5, 3, seed=2)
    assert nt_xent(z2, z1, 0.5).item() == pytest.approx(nt_xent(z1, z2, 0.5).item())
    assert nt_xent(z1.flip(0), z2.flip(0), 0.5).item() == pytest.approx(nt_xent(z1, z2, 0.5).item())
    assert nt_xent(z1.flip(0), z2, 0.5).item() != pytest.approx(nt_xent(z1, z2, 0.5).item())


def test_gradients():
    z1, z2 = unit(4, 3, seed=1).requires_grad_(), unit(4, 3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.4), (z1, z2))


def test_refuses_what_does_not_fit():
    with pytest.raises(ConfigError, match="-1"):
        nt_xent(unit(3, 4), unit(3, 4), -1.0)
    with pytest.raises(ShapeError, match=r"\(2, 4\)"):
        nt_xent(unit(3, 4), unit(2, 4), 0.1)


def losses_of(weight, x1, x2, positives):
    z1, z2 = normalize(x1 @ weight, dim=1), normalize(x2 @ weight, dim=1)
    return nt_xent(z1, z2, 0.3) + multi_positive_nce(z1 @ unit(6, 3, seed=7).T / 0.3, positives)


def case():
    positives = torch.arange(36).reshape(6, 6) % 4 == 1
    positives[0], positives[4], positives[5] = False, False, False  # the ranks' counts differ
    return unit(4, 3, seed=3), unit(6, 4, seed=1), unit(6, 4, seed=2), positives


def one_rank(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    weight, x1, x2, positives = case()
    weight.requires_grad_()
    mine = slice(0, 3) if rank == 0 else slice(3, 6)
    loss = losses_of(weight, x1[mine], x2[mine], positives[mine])
    loss.backward()
    mean = torch.cat([weight.grad.flatten(), loss.detach().reshape(1)])
    dist.all_reduce(mean)
    if rank == 0:
        torch.save(mean / 2, f"{folder}/mean.pt")
    dist.destroy_process_group()


def test_two_ranks_give_the_update_of_one(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=environment) for rank in range(2)
    ]
    assert [rank.wait(timeout=100) for rank in ranks] == [0, 0]
    weight, x1, x2, positives = case()
    weight.requires_grad_()
    loss = losses_of(weight, x1, x2, positives)
    loss.backward()
    mean = torch.load(tmp_path / "mean.pt")
    assert torch.allclose(mean, torch.cat([weight.grad.flatten(), loss.detach().reshape(1)]), atol=1e-12)


if __name__ == "__main__":
    one_rank(int(sys.argv[1]), sys.argv[2])

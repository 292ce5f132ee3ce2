"""Trains methods for some steps, on one process or as one rank of several, and writes down what came of it.

Run as ``python ranks.py RANK WORLD MEETING_POINT OUT METHOD …``; see test_two_ranks.py.
"""

import gc
import sys

import torch
import torch.distributed as dist
from debug_size import BATCH, fill, generator, make_batch, make_method, refreshed, snapshot
from torch import nn
from torch.nn.parallel import DistributedDataParallel

STEPS = 2


class Forward(nn.Module):
    """Calls a method's loss where DistributedDataParallel calls forward."""

    def __init__(self, method):
        super().__init__()
        self.method = method

    def forward(self, batch, draw):
        return self.method.loss(batch, draw)


def train(name, rank, world):
    """The loss, the gradients and the state of every step; SGD, so that a gradient's scale counts."""
    method = make_method(name, text_dropout=0.0)  # each rank draws masks of its own
    rows = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    first = 0
    if world == 1:
        first = fill(method)
    else:
        refreshed(method)
        while not (losses := method.loss(make_batch(method, first, rows=rows), generator(first))).ready:
            method.commit(losses)
            first += 1
    told = {"filled": snapshot(method), "steps": []}
    wrapped = Forward(method)
    if world > 1:
        wrapped = DistributedDataParallel(wrapped, broadcast_buffers=False)
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.05)
    for step in range(first, first + STEPS):
        losses = wrapped(make_batch(method, step, rows=rows), generator(step))
        optimiser.zero_grad()
        losses.total.backward()
        gradients = {key: p.grad.clone() for key, p in method.named_parameters() if p.grad is not None}
        optimiser.step()
        method.commit(losses)
        total = losses.total.detach().clone()
        if world > 1:
            dist.all_reduce(total)
            total /= world
        told["steps"].append({"loss": total, "gradients": gradients, "state": snapshot(method), "mined": losses.mined})
    return told


def main(rank, world, meeting_point, out, *names):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting_point}", rank=rank, world_size=world)
    torch.save({name: train(name, rank, world) for name in names}, out)
    gc.collect()  # what wrapped a method holds the group, whose threads would outlive the interpreter
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])

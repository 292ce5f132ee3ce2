"""What makes a training fast on a GPU, as far as a machine without one can tell."""

import shutil
import sys
from copy import deepcopy

import pytest
import torch
from debug_size import make_method
from tiny_runs import assert_same_run, tiny_plan
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from kinema import api
from kinema.core.devices import check_precision, fabric_precision
from kinema.core.errors import ConfigError, UsageError
from kinema.core.moving import at_host, sent
from kinema.core.processes import place
from kinema.core.records import mapped
from kinema.mining.selection import select_by_sorting
from kinema.training import fast
from kinema.training.fast import Fast, checkpoint_blocks, encoders_of, fast_arithmetic, switched
from kinema.training.loop import PhaseLoop
from kinema.training.phase import make_optimiser
from kinema.training.prefetch import BusyClock, ahead, one_ahead
from kinema.training.settings import OptimiserConfig


def switches():
    cudnn = torch.backends.cudnn
    return cudnn.benchmark, cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.mark.parametrize(("precision", "products"), [("tf32", "high"), ("bf16", "high"), ("32-true", "highest")])
def test_the_switches_of_a_training_on_a_gpu_are_put_back(precision, products):
    before = switches()
    with switched(precision):
        assert (torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()) == (True, products)
    assert switches() == before


def test_determinism_is_left_alone_and_a_processor_has_no_switches(monkeypatch):
    with fast_arithmetic("cpu", "bf16-mixed"):
        assert not torch.backends.cudnn.benchmark
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    with switched("tf32"):
        assert not torch.backends.cudnn.benchmark


def test_tf32_is_refused_on_a_processor_and_other_precisions_are_named_that_it_has():
    with pytest.raises(UsageError, match="TF32") as refused:
        check_precision("tf32", "cpu")
    assert "bf16-mixed" in refused.value.hint
    assert "16-mixed" not in refused.value.hint.replace("bf16-mixed", "")
    assert fabric_precision("tf32") == "32-true"


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_an_optimiser_takes_the_state_of_one_with_other_kernels(name, monkeypatch):
    config = OptimiserConfig(name=name, lr=0.01)
    made = {}
    for kind in (False, True):
        net = torch.nn.Linear(3, 2)
        monkeypatch.setattr("kinema.training.phase.fused", lambda *_, kind=kind, **__: {"fused": True} if kind else {})
        net.groups = lambda decay, net=net: [(list(net.parameters()), 1.0)]
        made[kind] = make_optimiser(net, config)
        net(torch.ones(1, 3)).sum().backward()
        made[kind].step()
    for kind in made:
        state = deepcopy(made[not kind].state_dict())
        made[kind].load_state_dict(state)
        assert all(bool(group["fused"]) == kind for group in made[kind].param_groups)
        made[kind].step()


def test_one_item_is_begun_ahead_and_an_error_comes_in_its_turn():
    begun, closed = [], []

    def items():
        try:
            yield from (0, 1, 2)
            raise OSError("the third cannot be read")
        finally:
            closed.append(True)

    reading = one_ahead(items(), lambda item: begun.append(item) or item)
    assert next(reading) == 0
    assert begun == [0, 1]
    assert [next(reading), next(reading)] == [1, 2]
    with pytest.raises(OSError, match="third"):
        next(reading)
    stopped = one_ahead(items(), lambda item: item)
    next(stopped)
    stopped.close()
    assert closed == [True, True]
    batches = [1, 2]
    assert ahead(batches, torch.device("cpu")) is batches
    clock = BusyClock(torch.device("cpu"))
    clock.begin()
    clock.end()
    assert clock.share() is None


def test_on_a_processor_nothing_is_sent_anywhere():
    x = torch.arange(3)
    assert sent(x, "cpu") is x
    assert at_host(x).data_ptr() == x.data_ptr()


def test_what_cannot_go_fast_is_refused_in_words(monkeypatch, tiny_folder, tiny_cache, tmp_path):
    with pytest.raises(UsageError, match="do not go together"):
        Fast(compile=True, checkpoint_activations=True)
    with pytest.raises(UsageError, match="for encoders of videos"):
        Fast(compile=True).check("cpu", videos=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"C\+\+ compiler"):
        api.pretrain(tiny_plan(), tiny_folder, tmp_path / "run", device="cpu", compile=True)
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(fast, "place", lambda: replace_world(place(), 2))
    with pytest.raises(UsageError, match="one process"):
        Fast(checkpoint_activations=True).check("cpu", videos=True)


def replace_world(here, world):
    return here._replace(world=world)


def test_checkpointed_blocks_give_the_same_bits_and_learn_their_statistics_once(tiny_folder, tiny_cache, tmp_path):
    plan = tiny_plan(epochs=3)
    plainly = api.pretrain(plan, tiny_folder, tmp_path / "plain", device="cpu", cache=tiny_cache)
    again = api.pretrain(
        plan, tiny_folder, tmp_path / "again", device="cpu", cache=tiny_cache, checkpoint_activations=True
    )
    assert_same_run(plainly.folder, again.folder)
    assert "--checkpoint_activations" in (tmp_path / "again" / "status.json").read_text()


def test_checkpointed_blocks_are_computed_again():
    method = make_method("moco").train()
    (encoder, *_) = encoders_of(method)
    calls = []
    encoder.blocks[0].main[0].register_forward_hook(lambda *_: calls.append(True))
    checkpoint_blocks(encoder)
    encoder(torch.rand(2, encoder.channels, 4, 32, 32)).sum().backward()
    assert len(calls) == 2
    assert encoder.state_dict().keys() == deepcopy(encoder).state_dict().keys()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
def test_a_compiled_training_learns_about_the_same(tiny_folder, tiny_cache, tmp_path):
    losses = {}
    for way in (False, True):
        plan = tiny_plan(epochs=1, method={"negatives_from": "batch"})
        how = {"device": "cpu", "cache": tiny_cache, "compile": way}
        losses[way] = api.pretrain(plan, tiny_folder, tmp_path / str(way), **how).loss
    assert losses[True] == pytest.approx(losses[False], rel=1e-3)


class Waits(TorchDispatchMode):
    """Counts what would wait for a GPU: reading a number of what comes from batch or method, or choosing by it.

    Args:
        known: tensors that would be on the GPU; what is computed of them would be too.
    """

    READS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "unique", "linalg_inv_ex")

    def __init__(self, known):
        super().__init__()
        self.there, self.found = WeakIdKeyDictionary(), []
        for x in known:
            self.there[x] = True

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        given = [x for x in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        if any(x in self.there for x in given):
            name = function.overloadpacket.__name__
            indexed = args[1] if name in ("index", "index_put_", "index_put") else ()
            if any(name.startswith(each) for each in self.READS) or any(
                x is not None and x.dtype == torch.bool for x in indexed
            ):
                self.found.append(name)
            for x in torch.utils._pytree.tree_leaves(out):
                if isinstance(x, torch.Tensor):
                    self.there[x] = True
        return out


@pytest.mark.parametrize("name", ["moco", "cpr"])
def test_a_step_waits_for_no_number_of_the_gpu(name, tiny_folder, tiny_cache, tmp_path, monkeypatch):
    waits, steps = {}, []
    own = PhaseLoop.step

    def step(loop, raw):
        apart = mapped(raw, lambda x: x.clone())
        apart.extent.kinema_host = raw.extent  # as what was sent has it
        known = [*loop.method.parameters(), *loop.method.buffers()]
        mapped(apart, lambda x: known.append(x) or x)
        with Waits(known) as watch:
            own(loop, apart)
        steps.append(loop.progress.step)
        waits[loop.phase.name, loop.progress.step] = watch.found

    monkeypatch.setattr(PhaseLoop, "step", step)
    monkeypatch.setattr(PhaseLoop, "_after_step", lambda loop, terms: None)
    monkeypatch.setattr("kinema.mining.queue.check_values", lambda features, index: None)  # a processor looks at once
    monkeypatch.setattr("kinema.evaluation.mining.MiningMeter.update", lambda *_: None)
    monkeypatch.setattr(sys.modules["kinema.mining.cascade"], "select_by_threshold", select_by_sorting)
    api.pretrain(tiny_plan(name, epochs=4), tiny_folder, tmp_path / "run", device="cpu", cache=tiny_cache)
    full = {key: found for key, found in waits.items() if key[1] > 5}
    assert full
    assert {key: found for key, found in full.items() if found} == {}

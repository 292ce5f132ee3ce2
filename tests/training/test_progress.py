"""What a person sees of a training: no loss before there is one, then that of the last steps, and a line at the end."""

import io
import re

import pytest
from rich.console import Console
from tiny_runs import tiny_plan

from kinema import api
from kinema.training.progress import PhaseDisplay

TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def shown(monkeypatch):
    """What the bar was told, step by step."""
    told, update = [], PhaseDisplay.update

    def record(self, progress, batches, loss):
        told.append(loss)
        update(self, progress, batches, loss)
        if self._bar is not None:
            self._bar.refresh()

    monkeypatch.setattr(PhaseDisplay, "update", record)
    return told


def trained(manifest, cache, out, *, terminal):
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100, _environ={})
    plan = tiny_plan("moco", epochs=3, method={"queue": 8})
    run = api.pretrain(plan, manifest, out, cache=cache, device="cpu", logger="none", console=console)
    return run, file.getvalue()


def test_the_loss_is_that_of_the_last_steps_and_the_last_line_is_the_last_epoch_s(
    shown, tiny_manifest, tiny_cache, tmp_path
):
    _, on_terminal = trained(tiny_manifest, tiny_cache, tmp_path / "a", terminal=True)
    first = next(number for number, loss in enumerate(shown) if loss is not None)
    assert 0 < first < len(shown)
    assert None not in shown[first:]
    assert min(shown[first:]) > 0
    assert "loss 0.000" not in on_terminal
    drawn = [TERMINAL.sub("", line) for line in re.split(r"[\r\n]", on_terminal)]
    bars = [line for line in drawn if "━" in line and "moco" in line]
    assert any("loss" not in line and "clips/s" in line for line in bars)
    assert any(f"loss {shown[-1]:.3f}" in line for line in bars)

    _, elsewhere = trained(tiny_manifest, tiny_cache, tmp_path / "b", terminal=False)
    last = [line for line in drawn if line.strip()][-1]
    without_rate = [re.sub(r"\d+ clips/s", "", line).strip() for line in (last, elsewhere.strip().splitlines()[-1])]
    assert without_rate[0] == without_rate[1]
    assert re.search(r"1 of 1 · moco-rgb  epoch 3/3  loss \d+\.\d{4}", last)

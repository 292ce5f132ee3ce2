"""Synthetic run folders: every value is made up by a formula and means nothing beyond the test that reads it."""

from __future__ import annotations

import json
import math

import pytest

from kinema.core.files import write_json
from kinema.core.results import Result
from kinema.training.run_folder import RunFolder

CLASSES = ("crawl", "dance_a", "jump", "walk")


class RunMaker:
    def __init__(self, root):
        self.root = root

    def run(
        self, name="first", stages=3, seed=0, state="done", phases=("infonce-rgb", "cpr-rgb"), epochs=4, **environment
    ):
        run = RunFolder.free(self.root / name)
        run.create()
        planned = [{"name": p, "method": self.method(p, stages), "epochs": epochs} for p in phases]
        for phase in planned:
            if phase["name"].startswith("cpr"):
                phase["start"] = {"rgb": "infonce-rgb"}
        run.write("recipe.json", {"name": "cpr", "view": "rgb", "seed": seed, "phases": planned})
        told = {"kinema": "0.1.0", "torch": "2.6.0", "python": "3.11.9", "commit": "abc123", "device": "cpu"}
        told |= {"seed": seed, "data": "videos", "videos": 1200, "classes": 15, "manifest_digest": "d" * 64}
        run.write("environment.json", told | environment)
        run.update_status(state=state, phase=phases[-1], epoch=epochs, step=40, seconds=200.0, error=None)
        for number, phase in enumerate(phases, 1):
            self.phase(run, number, phase, epochs, stages)
        return run

    def method(self, phase, stages):
        if phase.startswith("infonce"):
            return {"name": "moco", "view": phase.removeprefix("infonce-")}
        return {"name": "cpr", "view": "rgb", "guide": "motion", "stages": stages}

    def phase(self, run, number, name, epochs, stages):
        folder = run.phase(number, name)
        folder.mkdir(parents=True)
        rows = []
        for epoch in range(epochs):
            row = {"phase": name, "event": "epoch", "epoch": epoch, "step": 10 * epoch + 10, "lr": 0.001}
            row |= {"loss": 5.0 * math.exp(-epoch / 4) + number, "effective_rank": 8.0 + epoch}
            row |= {"clips_per_second": 150.0, "data_wait": 0.01}
            if name.startswith("cpr"):
                row |= {"mining_precision": 0.2 + 0.05 * stages * (epoch + 1) / epochs, "mining_r@1": 0.4}
                row |= {"class_mining_recall_median": 0.1 + 0.02 * epoch}
            rows.append({**row, "event": "step", "mining_precision": 9.0})
            rows.append(row)
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        told = {"name": name, "method": "CPR", "view": "rgb", "guide": "motion" if name.startswith("cpr") else None}
        write_json(folder / "phase.json", {**told, "epochs": epochs, "state": "done", "seconds": 95.0, "clips": 4800})

    def result(self, run, encoder, r1, **changes):
        details = {"selection": "split=test", "chance": 1 / 15, "windows": "10 windows a video"}
        details |= {"interval": [r1 - 0.04, r1 + 0.04]}
        details |= {"per_class": {c: max(0.0, r1 - 0.1 * n) for n, c in enumerate(CLASSES)}}
        details |= {"neighbours": [self.neighbours(n, encoder) for n in range(9)]}
        metrics = {f"r@{k}": min(1.0, r1 + 0.01 * (k - 1)) for k in (1, 5, 10, 20, 50)}
        seed = run.read("recipe.json")["seed"]
        told = {"protocol": "retrieval", "preset": "coclr", "view": "rgb", "data": "videos", "digest": "d" * 64}
        told |= {"queries": 300, "gallery": 1200, "seed": seed, "commit": "abc123", "seconds": 12.0}
        told |= {key: value for key, value in changes.items() if key in told or key == "metrics"}
        details |= changes.get("details", {})
        result = Result(**{"metrics": metrics, **told}, encoder=encoder, details=details)
        run.add_result(result)
        return result

    def neighbours(self, number, encoder):
        label = CLASSES[number % len(CLASSES)]
        hits = []
        for place in range(5):
            other = CLASSES[(number + (place * len(encoder)) % 3) % len(CLASSES)]
            hits.append(
                {
                    "path": f"train/{other}/{place}.mp4",
                    "label": other,
                    "score": 0.9 - 0.1 * place,
                    "same": other == label,
                }
            )
        return {"query": f"test/{label}/{number}.mp4", "label": label, "hits": hits}

    def mining(self, run, encoder="cpr", precision=0.35):
        metrics = {"mining_precision": precision, "mining_r@1": 0.5, "class_mining_recall_median": 0.12}
        details = {"per_class": {c: {"precision": precision, "recall": 0.1} for c in CLASSES}, "per_epoch": []}
        seed = run.read("recipe.json")["seed"]
        run.add_result(
            Result(
                "mining", "paper", metrics, encoder, "rgb", "videos", "d" * 64, 1200, 1024, seed, "abc123", 3.0, details
            )
        )


@pytest.fixture
def maker(tmp_path):
    return RunMaker(tmp_path / "runs")

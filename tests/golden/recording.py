"""Trains every method for some twenty steps on the videos of this folder and tells what came of it, to the last bit.

    python tests/golden/recording.py OUT.json      (with the environment of ``PORTABLE``; see test_golden.py)

A hash is a function of the weights alone, so a change of the code that is to change nothing must leave it as it is. To
be equal on every x86-64 machine, arithmetic runs in one thread without the instructions that only some processors have.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
VIDEOS = HERE / "videos"
PORTABLE = {
    "OMP_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "TORCH_NUM_THREADS": "1",
}


UNRECORDED = ("elo-sound", "be-triplets", "dsm-released", "simclr-one-batch")
"""Forms without a hash: the videos have no sound, and the others came after the recording."""


class Stopped(BaseException):
    """The training ends here, as if the process had been killed."""


def plans():
    """A plan for every method of clips that learns by itself, in each form with code of its own, and for two joined."""
    from debug_size import CLIPS, FORMS, SMALL
    from tiny_runs import tiny_plan

    from kinema.recipes.table import METHODS

    of_before = {"geometry": "clip", "reads": "last"}  # as CMD was when it was recorded: runs of then go on so
    size = {"cmd": {key: SMALL[key] for key in ("width", "motion_frames", "predictor")} | {"grid": 1} | of_before}
    forms = {label: FORMS[label] for label in FORMS if label in CLIPS and label not in UNRECORDED}
    alone = [name for name, entry in METHODS.items() if entry.alone and name in CLIPS]
    cases = {name: (name, size.get(name, {})) for name in alone} | forms
    as_recorded = {"clips_per_video": 4, "epochs": 2, "short_videos": "error"}  # the last was the default then
    made = {label: tiny_plan(name, method=form, **as_recorded) for label, (name, form) in cases.items()}
    made["cpr"] = replace(made["cpr"], epochs=3, schedule=replace(made["cpr"].schedule, turns=2))
    beside = tiny_plan("be-regulariser").method
    made["joined"] = replace(made["moco"], beside=(replace(beside, head=made["moco"].method.head),))
    return {label: replace(plan, checkpoint_seconds=0.0) for label, plan in made.items()}


def hash_of(state):
    """SHA-256 of tensors by name: their names, types, shapes and bytes."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def phases(run):
    """For each phase of a run: its steps, the hash of its method's state, and what its checkpoint must agree with."""
    import torch

    found = {}
    for path in sorted(run.glob("phases/*/checkpoint.pt")):
        content = torch.load(path, weights_only=True)
        found[path.parent.name] = {
            "steps": content["progress"]["step"],
            "state": hash_of(content["method"]),
            "identity": json.loads(json.dumps(content["identity"])),
        }
    return found


def towers(run):
    """The hash of every file of weights that a run keeps for later."""
    from safetensors.torch import load_file

    return {str(path.relative_to(run)): hash_of(load_file(path)) for path in sorted(run.glob("phases/*/*.safetensors"))}


def stopped(plan, manifest, out, cache, saves):
    """Trains until a checkpoint is written for the ``saves``-th time, and no further."""
    import kinema

    write, written = os.replace, 0

    def stop(source, target, **more):
        nonlocal written
        written += str(target).endswith("checkpoint.pt")
        if written == saves:
            raise Stopped
        write(source, target, **more)

    os.replace = stop
    try:
        kinema.pretrain(plan, manifest, out, cache=cache, device="cpu", logger="none")
    except Stopped:
        pass
    finally:
        os.replace = write


def record(label, plan, manifest, folder, cache):
    """What one method comes to: trained at one go, and stopped in the middle and gone on with."""
    import kinema

    whole, broken = folder / label / "whole", folder / label / "broken"
    kinema.pretrain(plan, manifest, whole, cache=cache, device="cpu", logger="none")
    found = {
        "recipe": json.loads((whole / "recipe.json").read_text()),
        "phases": phases(whole),
        "towers": towers(whole),
    }
    last = max(one["steps"] for one in found["phases"].values())
    stopped(plan, manifest, broken, cache, last // 2 + 3)
    assert phases(broken) != found["phases"], "the training was not stopped"
    name = found["recipe"]["name"]
    kinema.pretrain(name, manifest, broken, cache=cache, device="cpu", resume=True, logger="none")
    found["resumed"] = phases(broken) == found["phases"] and towers(broken) == found["towers"]
    kinema.export(whole, folder / label / "export")
    exported = sorted((folder / label / "export").glob("*.safetensors"))
    from safetensors.torch import load_file

    found["export"] = [hash_of(load_file(path)) for path in exported]
    for protocol in ("retrieval", "diagnostics"):
        result = kinema.evaluate(protocol, whole, manifest, cache=cache, device="cpu")[0]
        found[protocol] = {name: float(value) for name, value in result.metrics.items()}
    return found


def go_on(manifest, folder):
    """What the run in this folder, which was made and stopped before the house was redrawn, comes to."""
    import kinema

    run, cache = shutil.copytree(HERE / "run", folder / "run"), folder / "cache"
    kinema.pretrain("cpr", manifest, run, cache=cache, device="cpu", resume=True, logger="none")
    found = {"phases": phases(run), "towers": towers(run), "figures": {}}
    for phase in found["phases"].values():
        del phase["identity"]
    for protocol in ("retrieval", "linear"):
        result = kinema.evaluate(protocol, run, manifest, cache=cache, device="cpu")[0]
        found["figures"][protocol] = {name: float(value) for name, value in result.metrics.items()}
    return found


def main(out):
    """Records every method and writes JSON."""
    import torch

    import kinema

    torch.backends.mkldnn.enabled = False
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp())
    try:
        videos = shutil.copytree(VIDEOS, folder / "videos")
        for number, file in enumerate(sorted(videos.rglob("*.mp4"))):
            os.utime(file, (number, number))
        manifest = kinema.scan(videos, workers=1)
        methods = {label: record(label, plan, manifest, folder, folder / "cache") for label, plan in plans().items()}
        found = {"torch": torch.__version__.partition("+")[0], "digest": manifest.digest, "methods": methods}
        found["before"] = go_on(manifest, folder)
        Path(out).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main(sys.argv[1])

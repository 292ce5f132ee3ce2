"""Runs whose backbone is a transformer: every method, every protocol, weights of others, and the ways out."""

import json
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from debug_size import BATCH, CLIP, CONTEXT, fill, generator, make_batch, make_config, snapshot
from safetensors.torch import load_file
from signalled import signalled
from tiny_runs import VIDEO_METHODS, assert_same_run, tiny_plan, towers
from tiny_vits import CONFIGS, NAMES, SIZES, as_rgb, as_theirs, library, pixels, their_model

import kinema
from kinema import api
from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError
from kinema.data.clips.reader import Model
from kinema.data.clips.transforms import TransformConfig
from kinema.exporting import program
from kinema.exporting.onnx_file import open_onnx
from kinema.networks import EncoderConfig, HeadConfig, Tower, build_encoder, load_weights, with_sizes_of
from kinema.protocols.fit import FitConfig
from kinema.recipes.json import read_recipe, recipe_from_plain, recipe_to_plain
from kinema.recipes.table import METHODS
from kinema.training.loop import PhaseLoop
from kinema.training.phase import InterruptedRunError
from kinema.training.settings import OptimiserConfig

each = pytest.mark.parametrize("name", NAMES)
FIT = FitConfig(
    1, min_steps=0, validation=0.34, optimiser=OptimiserConfig(lr=3e-3, warmup_epochs=0, layer_decay=0.5), batch_size=4
)
FIT = replace(FIT, transform=TransformConfig(blur_p=0.0), crops="centre")


@pytest.fixture(autouse=True)
def _installed():
    library()


@pytest.fixture(scope="module")
def begun(tiny_manifest, tiny_cache, tmp_path_factory):
    """A run of CPR, whose RGB encoders start from a folder of VideoMAE's weights; and that folder."""
    home = tmp_path_factory.mktemp("vit")
    net = their_model("videomae", "ForPreTraining")
    net.save_pretrained(home / "weights")
    plan = replace(tiny_plan("cpr", epochs=2), encoder=EncoderConfig("videomae"), weights=str(home / "weights"))
    api.pretrain(plan, tiny_manifest, home / "run", cache=tiny_cache, device="cpu")
    return home / "run", net


def stand_in(name):
    """A model that nobody trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Model(Tower("rgb", CONFIGS[name], HeadConfig(out=16)), "rgb", CLIP, name="made")


@each
@pytest.mark.parametrize("method_name", [name for name in VIDEO_METHODS if METHODS[name].alone])
def test_every_method_learns_with_one(name, method_name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = make_config(method_name).build(CONFIGS[name], CONTEXT).train()
    step = fill(method)
    batch, before = make_batch(method, step), snapshot(method)
    first, second = (method.loss(batch, generator(step)) for _ in range(2))
    assert torch.equal(first.total, second.total)
    assert torch.isfinite(first.total)
    after = snapshot(method)
    moved = [key for key in before if not torch.equal(before[key], after[key])]
    assert [key for key in moved if not key.endswith(("running_mean", "running_var", "num_batches_tracked"))] == []
    first.total.backward()
    for view in method.trains:
        encoder = method.towers()[view].encoder
        assert [key for key, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert len(method.stages()) == len(encoder.stages()) + 1
    assert method.eval().embed(batch.view(0, method.view)).shape == (BATCH, 48)


def test_a_recipe_holds_the_sizes_and_not_the_place_they_come_from(begun):
    run, _ = begun
    told = json.loads((run / "recipe.json").read_text())["encoder"]
    assert told["name"] == "videomae"
    assert told["vit"] == {
        "dim": 48,
        "depth": 2,
        "heads": 4,
        "mlp_ratio": 2.0,
        "patch": 8,
        "tubelet": 2,
        "frames": 4,
        "size": 16,
        "final_norm": True,
    }
    base = tiny_plan(encoder=EncoderConfig("vjepa2"), clip=ClipSpec()).recipe()
    assert recipe_to_plain(base)["encoder"]["vit"]["depth"] == 12
    assert recipe_to_plain(tiny_plan().recipe())["encoder"] == {"name": "slim", "width": 4, "norm": "batch"}
    recipe = read_recipe(run / "recipe.json")
    assert recipe_from_plain(json.loads(json.dumps(recipe_to_plain(recipe)))) == recipe


def test_rgb_starts_from_the_weights_and_motion_at_random(tiny_manifest, tiny_cache, tmp_path):
    """At a rate of nearly nothing the trained encoder is the file's."""
    net = their_model("vjepa2")
    net.save_pretrained(tmp_path / "weights")
    still = OptimiserConfig(lr=1e-12, weight_decay=0.0, warmup_epochs=0)
    plan = tiny_plan("moco", epochs=1, optimiser=still, encoder=EncoderConfig("vjepa2"))
    api.pretrain(
        replace(plan, weights=str(tmp_path / "weights")),
        tiny_manifest,
        tmp_path / "run",
        cache=tiny_cache,
        device="cpu",
    )
    x = pixels()
    with torch.no_grad():
        found = api.load(tmp_path / "run").tower.encoder(as_rgb(x))
        expected = net(as_theirs(x), skip_predictor=True).last_hidden_state.mean(1)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    motion = replace(plan, method=replace(plan.method, view="motion"), weights=str(tmp_path / "weights"))
    with pytest.raises(ConfigError, match="No encoder of the recipe starts from the weights"):
        api.pretrain(motion, tiny_manifest, tmp_path / "motion", cache=tiny_cache, device="cpu")


def test_the_run_is_loaded_measured_and_shown(begun, tiny_manifest, tiny_folder, tiny_cache, tmp_path):
    run, _ = begun
    model = kinema.load(run)
    assert (model.dim, model.clip) == (48, CLIP)
    assert kinema.load(run, view="motion").tower.encoder.channels == 2
    files = sorted(tiny_folder.rglob("*.mp4"))[:2]
    z = model.encode(files)
    assert z.shape == (2, 48)
    assert np.allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    for protocol in ("retrieval", "knn", "linear", "few-label", "mining", "diagnostics", "cross-modal"):
        options = {"views": ("rgb", "motion")} if protocol == "cross-modal" else {}
        results = api.evaluate(protocol, run, tiny_manifest, cache=tiny_cache, device="cpu", **options)
        assert results, protocol
        assert all(np.isfinite(list(r.metrics.values())).all() for r in results), protocol


@each
def test_finetuning_moves_every_stage_and_the_first_ones_least(name, tiny_manifest, tiny_cache, tmp_path):
    model = stand_in(name)
    split = replace(
        tiny_manifest,
        videos=tuple(replace(v, split="test" if v.path.endswith("0.mp4") else "train") for v in tiny_manifest.videos),
    )
    optimiser = replace(FIT.optimiser, weight_decay=0.0, layer_decay=0.1)
    asked = {"cache": tiny_cache, "device": "cpu", "out": tmp_path, "shares": [1.0]}
    (result,) = api.evaluate("finetune", model, split, fit=replace(FIT, optimiser=optimiser), **asked)
    assert result.queries == 3
    assert 0 <= result.metrics["accuracy"] <= 1
    (kept,) = tmp_path.glob("*/classifier.safetensors")
    trained, fresh = load_file(kept), model.tower.state_dict()
    moved = [
        max(
            float((trained[f"tower.{key}"] - value).abs().max())
            for key, value in fresh.items()
            if key.startswith(f"encoder.{stage}.")
        )
        for stage in ("patches", "blocks.0", "blocks.1")
    ]
    assert 0 < moved[0] < moved[1] < moved[2], moved


@each
def test_a_run_that_was_stopped_goes_on_without_its_weights(name, tiny_manifest, tiny_cache, tmp_path, monkeypatch):
    """In the middle of the second epoch; the folder is gone when it goes on."""
    their_model(name).save_pretrained(tmp_path / "weights")
    plan = replace(tiny_plan("moco", epochs=3), encoder=EncoderConfig(name), weights=str(tmp_path / "weights"))
    asked = {"cache": tiny_cache, "device": "cpu"}
    api.pretrain(plan, tiny_manifest, tmp_path / "whole", **asked)
    after = PhaseLoop._after_step

    def stop(self, terms):
        if self.progress.step == 4:
            signalled(signal.SIGINT)
        after(self, terms)

    monkeypatch.setattr(PhaseLoop, "_after_step", stop)
    with pytest.raises(InterruptedRunError):
        api.pretrain(plan, tiny_manifest, tmp_path / "run", **asked)
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "weights")
    api.pretrain("moco", tiny_manifest, tmp_path / "run", resume=True, **asked)
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@each
def test_a_run_and_its_export_are_read_strictly(name, tiny_manifest, tiny_cache, tmp_path):
    plan = replace(tiny_plan("simclr", epochs=1), encoder=CONFIGS[name])
    api.pretrain(plan, tiny_manifest, tmp_path / "run", cache=tiny_cache, device="cpu")
    assert towers(tmp_path / "run")
    model = kinema.load(tmp_path / "run")
    api.export(tmp_path / "run", tmp_path / "model")
    again = kinema.load(tmp_path / "model")
    assert again.tower.encoder_config == CONFIGS[name]
    assert json.loads((tmp_path / "model/model.json").read_text())["encoder"]["vit"]["dim"] == 48
    x = torch.randn(2, 3, 4, 16, 16)
    with torch.no_grad():
        assert torch.equal(again.tower(x), model.tower(x))
    ours = build_encoder(CONFIGS[name])
    load_weights(ours, CONFIGS[name], tmp_path / "model")
    assert all(torch.equal(value, ours.state_dict()[key]) for key, value in model.tower.encoder.state_dict().items())


@pytest.mark.slow
@each
@pytest.mark.parametrize("format", ["program", "onnx"])
def test_it_leaves_as_a_graph_that_computes_the_same(name, format, tmp_path):
    if format == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package, reason="the extra kinema[onnx] is not installed")
    table = {"frames": 8, "size": 32} if name == "videomae" else {}  # one that is resampled
    config = EncoderConfig(name, vit=replace(SIZES, depth=1, **table))
    model = Model(Tower("rgb", config, HeadConfig(out=16)), "rgb", CLIP, name="made")
    file = tmp_path / "model"
    told = api.export(model, file, format=format)
    assert told.difference.relative < 1e-4
    x = pixels(5)
    with torch.no_grad():
        features, projected = program.Function(model)(x)
        if format == "program":
            theirs = torch.export.load(file).module()(x)
        else:
            theirs = [torch.from_numpy(v) for v in open_onnx(str(file)).run(None, {"clips": x.numpy()})]
    torch.testing.assert_close(theirs[0], features, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(theirs[1], projected, atol=1e-4, rtol=1e-4)


def test_published_weights_are_measured_as_they_are(begun, tiny_manifest, tiny_cache, tmp_path):
    """Without a training: the way that the page tells."""
    folder = str(begun[0].parent / "weights")
    config = with_sizes_of(EncoderConfig("videomae"), folder)
    tower = Tower("rgb", config, HeadConfig())
    load_weights(tower.encoder, config, folder)
    model = Model(tower, "rgb", CLIP, name="videomae")
    (result,) = api.evaluate("knn", model, tiny_manifest, cache=tiny_cache)
    assert result.encoder == "videomae"
    api.export(model, tmp_path / "model")
    assert kinema.load(tmp_path / "model").name == "videomae"


def test_clips_and_folders_that_do_not_fit_are_refused_before_anything_is_written(begun, tiny_manifest, tmp_path):
    odd = replace(tiny_plan("moco", clip=replace(CLIP, frames=5)), encoder=CONFIGS["videomae"])
    slim = replace(tiny_plan("moco"), weights=str(begun[0].parent / "weights"))
    for plan, message in (
        (odd, r"clip\.frames is 5, which the encoder's tubelets of 2 frames do not divide"),
        (slim, "are of 'videomae', the encoder is 'slim'"),
    ):
        with pytest.raises(ConfigError, match=message):
            api.pretrain(plan, tiny_manifest, tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()


def test_sizes_on_the_command_line(tiny_folder, tiny_cache, tmp_path, capsys):
    from kinema import cli

    vit = "--encoder.name vjepa2 --encoder.vit.dim 24 --encoder.vit.depth 1 --encoder.vit.heads 2 --encoder.vit.patch 8"
    clip = "--clip.frames 4 --clip.stride 1 --clip.size 16 --clip.short_side 16 --epochs 1 --batch_size 4"
    words = ["pretrain", "simclr", str(tiny_folder), "--out", str(tmp_path / "run"), "--json", *vit.split()]
    with pytest.raises(SystemExit) as left:
        cli.main([*words, *clip.split(), "--cache", str(tiny_cache), "--collapse_rank", "0"])
    assert left.value.code == 0, capsys.readouterr().err
    vit = replace(SIZES, dim=24, depth=1, heads=2, mlp_ratio=4.0)
    assert read_recipe(tmp_path / "run" / "recipe.json").encoder == EncoderConfig("vjepa2", vit=vit)
    capsys.readouterr()

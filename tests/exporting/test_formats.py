"""ONNX and programs of PyTorch: they compute what the model computes, or there is no file."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from lived_towers import lived_tower
from torch import nn

import kinema
from kinema.core.clips import VIEWS, ClipSpec
from kinema.core.errors import ExportError, MissingExtraError
from kinema.data.clips.joined import JoinedModel
from kinema.data.clips.reader import Model
from kinema.exporting import agreement, onnx_file, program
from kinema.networks import HeadConfig

CLIP = ClipSpec(frames=8, stride=1, size=32, short_side=32)
ENCODERS = [
    ("slim", "rgb", "batch", HeadConfig(layers=3, out=5)),
    ("slim", "motion", "group", HeadConfig(layers=1, out=7, norm=True)),
    ("c3d", "rgb", "batch", HeadConfig(out=16)),
    ("r3d18", "residual", "batch", HeadConfig(out=16, norm=True)),
    ("s3d", "rgb", "batch", HeadConfig(out=16, norm=True)),
    ("r2plus1d26", "residual", "group", HeadConfig(out=16)),
    ("i3d", "rgb", "batch", HeadConfig(out=16, norm=True)),
]


@pytest.fixture
def onnx():
    pytest.importorskip("onnxscript", reason="the extra kinema[onnx] is not installed")
    pytest.importorskip("onnxruntime", reason="the extra kinema[onnx] is not installed")
    return pytest.importorskip("onnx", reason="the extra kinema[onnx] is not installed")


def model_of(name="slim", view="rgb", norm="batch", head=None):
    return Model(lived_tower(name, view, norm=norm, head=head), view, CLIP, name="made")


def clips(view, batch, seed=5):
    shape = (batch, VIEWS[view], CLIP.frames, CLIP.size, CLIP.size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def outputs(model, x):
    with torch.no_grad():
        features = model.tower.encoder(x)
        return features.numpy(), model.tower.head(features).numpy()


def assert_equal(model, run, view):
    """Unit vectors of the features and projections, within 1e-5."""
    for batch in (1, 4):
        x = clips(view, batch)
        (features, projected), (theirs, also) = outputs(model, x), run(x)
        length = np.linalg.norm(features, axis=1, keepdims=True)
        assert length.min() > 0.1
        assert length.max() < 100
        np.testing.assert_allclose(theirs / length, features / length, rtol=0, atol=1e-5)
        np.testing.assert_allclose(also, projected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "view", "norm", "head"),
    [each if not number else pytest.param(*each, marks=pytest.mark.slow) for number, each in enumerate(ENCODERS)],
)
def test_onnx_equals_the_model(onnx, name, view, norm, head, tmp_path, capfd, recwarn):
    model = model_of(name, view, norm, head)
    done = kinema.export(model, tmp_path / "m.onnx", format="onnx", licence="CC0")
    assert tuple(capfd.readouterr()) == ("", "")
    assert [str(each.message) for each in recwarn] == []
    assert done.size == (tmp_path / "m.onnx").stat().st_size
    # Beside RELATIVE a value may be ABSOLUTE off, which is more of a small vector.
    assert 0 < done.difference.relative < 2 * agreement.RELATIVE
    proto = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(proto, full_check=True)
    about = json.loads({entry.key: entry.value for entry in proto.metadata_props}["kinema"])
    assert (about["view"], about["licence"], about["encoder"]["name"]) == (view, "CC0", name)
    assert not places_in(tmp_path / "m.onnx")
    session = onnx_file.open_onnx(str(tmp_path / "m.onnx"))
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("clips", ["batch", VIEWS[view], 8, 32, 32])]
    dims = [("features", ["batch", model.dim]), ("projected", ["batch", head.out])]
    assert [(o.name, o.shape) for o in session.get_outputs()] == dims
    assert_equal(model, lambda x: session.run(None, {"clips": x.numpy()}), view)


@pytest.mark.parametrize("norm", [nn.BatchNorm3d(3), nn.BatchNorm3d(3, affine=False), nn.BatchNorm1d(3, eps=0.1)])
def test_batch_norm_is_a_factor_and_an_offset(norm):
    draw = torch.Generator().manual_seed(2)
    for value in norm.state_dict().values():
        value.copy_(torch.rand(value.shape, generator=draw) + 0.1 if value.is_floating_point() else value)
    net = nn.Sequential(nn.ReLU(), nn.ModuleDict({"deep": copy.deepcopy(norm)})["deep"]).eval()
    x = torch.randn((4, 3, 2, 2, 2)[: 5 if isinstance(norm, nn.BatchNorm3d) else 2], generator=draw)
    with torch.no_grad():
        expected = net(x)
        found = onnx_file.without_batch_norm(net)(x)
    assert not [module for module in net.modules() if isinstance(module, type(norm))]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_what_cannot_be_translated_is_told_in_a_line(onnx, tmp_path, monkeypatch):
    def stumble(*_, **__):
        raise RuntimeError("\x1b[96mAn operator\x1b[0m.\nand more")

    monkeypatch.setattr(torch.onnx, "export", stumble)
    with pytest.raises(ExportError, match="cannot translate this encoder to ONNX: An operator\\.") as caught:
        kinema.export(model_of(), tmp_path / "m.onnx", format="onnx")
    assert "\x1b" not in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_file_that_does_not_run_is_no_file(onnx, tmp_path, monkeypatch):
    def stumble(*_):
        raise RuntimeError("[ONNXRuntimeError] : bias must be a 1D tensor\nand more")

    class Session:
        run = staticmethod(stumble)

    monkeypatch.setattr(onnx_file, "open_onnx", lambda _: Session)
    with pytest.raises(
        ExportError, match=r"cannot run the export: \[ONNXRuntimeError\] : bias must be a 1D tensor; no"
    ):
        kinema.export(model_of(), tmp_path / "m.onnx", format="onnx")
    assert not list(tmp_path.iterdir())


def places_in(file):
    """The folders of this machine that a file names."""
    here = [str(part).encode() for part in (file.parent, *kinema.__path__, torch.__path__[0])]
    content = file.read_bytes()
    return [place for place in here if place in content]


@pytest.mark.parametrize(
    ("name", "view", "norm", "head"),
    [each if each[0] == "slim" else pytest.param(*each, marks=pytest.mark.slow) for each in ENCODERS],
)
def test_a_program_equals_the_model(name, view, norm, head, tmp_path, capfd, recwarn):
    model = model_of(name, view, norm, head)
    before = {key: value.clone() for key, value in model.tower.state_dict().items()}
    done = kinema.export(model, tmp_path / "m.pt2", format="program", licence="CC0")
    assert tuple(capfd.readouterr()) == ("", "")
    assert [str(each.message) for each in recwarn] == []
    assert all(torch.equal(value, before[key]) for key, value in model.tower.state_dict().items())
    assert 0 <= done.difference.relative < 1e-5
    extra = {"model.json": ""}
    again = torch.export.load(tmp_path / "m.pt2", extra_files=extra).module()
    about = json.loads(extra["model.json"])
    assert (about["view"], about["licence"], about["encoder"]["name"]) == (view, "CC0", name)
    assert not places_in(tmp_path / "m.pt2")
    with torch.no_grad():
        assert_equal(model, lambda x: [value.numpy() for value in again(x)], view)


def test_a_program_runs_without_kinema(tmp_path):
    model = model_of()
    kinema.export(model, tmp_path / "m.pt2", format="program")
    torch.save(clips("rgb", 2), tmp_path / "x.pt")
    code = (
        "import sys, torch\n"
        f"program = torch.export.load({str(tmp_path / 'm.pt2')!r}).module()\n"
        f"features, projected = program(torch.load({str(tmp_path / 'x.pt')!r}))\n"
        f"torch.save((features.detach(), projected.detach()), {str(tmp_path / 'y.pt')!r})\n"
        "assert not [name for name in sys.modules if name.startswith('kinema')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)
    for ours, theirs in zip(outputs(model, clips("rgb", 2)), torch.load(tmp_path / "y.pt"), strict=True):
        np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("package", onnx_file.PACKAGES)
def test_a_missing_extra_is_named(package, tmp_path, monkeypatch):
    for name in onnx_file.PACKAGES[: onnx_file.PACKAGES.index(package)]:
        pytest.importorskip(name, reason="the extra kinema[onnx] is not installed")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'") as caught:
        kinema.export(model_of(), tmp_path / "m.onnx", format="onnx")
    assert "kinema[onnx]" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", [pytest.param("onnx", marks=pytest.mark.slow), "program"])
def test_two_encoders_are_one_function_with_an_input_each(form, request, tmp_path):
    """A row is what both give of one clip, side by side and of one length each."""
    model = JoinedModel([model_of(), model_of(view="motion", head=HeadConfig(out=7))])
    inputs = [clips(view, 3) for view in model.views]
    if form == "onnx":
        request.getfixturevalue("onnx")
    done = kinema.export(model, tmp_path / "both", format=form)
    assert done.view == "rgb+motion"
    if form == "onnx":
        session = onnx_file.open_onnx(str(tmp_path / "both"))
        found = session.run(None, {view: x.numpy() for view, x in zip(model.views, inputs, strict=True)})
    else:
        found = [x.numpy() for x in torch.export.load(tmp_path / "both").module()(*inputs)]
    each = [outputs(reader, x) for reader, x in zip(model.readers, inputs, strict=True)]
    for ours, theirs in zip(zip(*each, strict=True), found, strict=True):
        units = [x / np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(2) for x in ours]
        np.testing.assert_allclose(theirs, np.concatenate(units, axis=1), atol=1e-5)


@pytest.mark.parametrize("form", [pytest.param("onnx", marks=pytest.mark.slow), "program"])
def test_an_export_that_computes_something_else_is_no_file(form, request, tmp_path, monkeypatch):
    """The graph is made of a network whose weights are off by a little more than what is allowed."""
    if form == "onnx":
        request.getfixturevalue("onnx")
    right = program.program_of

    def wrong(function, shape):
        other = copy.deepcopy(function)
        with torch.no_grad():
            next(other.encoder.stem.parameters()).mul_(1.01)
        return right(other, shape)

    for room in (program, onnx_file):
        monkeypatch.setattr(room, "program_of", wrong)
    with pytest.raises(ExportError, match=r"The export differs from the model: features by .* no file was written"):
        kinema.export(model_of(), tmp_path / "m", format=form)
    assert not list(tmp_path.iterdir())


def test_the_limits_of_the_comparison():
    """Just within and just above 1e-4 of a clip's largest value and 1e-5; a NaN and a lost row are never right."""

    class Twice(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1), 0 * x.flatten(1)

    def exported(factor, offset, rows=slice(None)):
        def outputs(x):
            return [(x.flatten(1) * factor).numpy()[rows], (0 * x.flatten(1) + offset).numpy()[rows]]

        return outputs

    shape = (1, 2, 4, 4)
    told = agreement.measure(Twice(), exported(1 + 0.9e-4, 0.9e-5), [shape])
    largest = max(float(agreement.noise(shape, batch).abs().max()) for batch in agreement.BATCHES)
    assert told.absolute == pytest.approx(0.9e-4 * largest, rel=0.02)
    for factor, offset in ((1 + 2e-4, 0.0), (1.0, 1.1e-5), (1.0, float("nan"))):
        with pytest.raises(ExportError, match="differs"):
            agreement.measure(Twice(), exported(factor, offset), [shape])
    with pytest.raises(ExportError, match=r"\(1, 32\), the model \(2, 32\)"):
        agreement.measure(Twice(), exported(1.0, 0.0, slice(0, 1)), [shape])


def test_what_cannot_be_traced_is_told_in_a_line(tmp_path):
    model = model_of()
    model.tower.encoder.register_forward_hook(lambda net, x, y: y if y.sum() > 0 else -y)
    with pytest.raises(ExportError, match="cannot trace this encoder") as caught:
        kinema.export(model, tmp_path / "m.pt2", format="program")
    assert "\n" not in caught.value.message
    assert not list(tmp_path.iterdir())

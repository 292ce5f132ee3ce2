import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracles.transforms import triangle_weights

from kinema.data.clips.transforms import (
    Geometry,
    TransformConfig,
    axis_matrix,
    centre_square,
    draw_geometry,
    resample,
    ten_crops,
)
from kinema.data.clips.transforms import geometry as geometry_module
from kinema.data.clips.transforms.blur import gaussian_matrix


def geometry(top=0.0, left=0.0, height=1.0, width=1.0, flip=False):
    values = [torch.tensor([v]) for v in (top, left, height, width)]
    return Geometry(*values, torch.tensor([flip]))


def show(x, shape, size, extent=None):
    """x [T, H, W, C] through one geometry."""
    extent = torch.tensor([extent or x.shape[1:3]])
    return resample(x[None].float(), *shape.matrices(extent, x.shape[1], x.shape[2], size))[0]


@pytest.mark.parametrize(("height", "width", "size"), [(72, 96, 64), (40, 31, 64), (64, 64, 64), (200, 150, 17)])
def test_whole_frame_equals_torch_antialiased_resize(height, width, size):
    x = torch.rand(2, height, width, 3, generator=torch.Generator().manual_seed(1))
    expected = F.interpolate(x.permute(0, 3, 1, 2), size=(size, size), mode="bilinear", antialias=True)
    torch.testing.assert_close(show(x, geometry(), size), expected.permute(0, 2, 3, 1), atol=1e-5, rtol=0)


def test_crop_of_whole_pixels_is_a_slice():
    x = torch.rand(2, 40, 50, 3)
    out = show(x, geometry(top=7 / 40, left=11 / 50, height=16 / 40, width=16 / 50), 16)
    torch.testing.assert_close(out, x[:, 7:23, 11:27], atol=1e-5, rtol=0)


def test_zoomed_crop_is_a_slice_of_the_zoomed_frame():
    x = torch.rand(1, 30, 40, 3)
    zoomed = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear", antialias=True).permute(0, 2, 3, 1)
    out = show(x, geometry(top=3 / 30, left=5 / 40, height=12 / 30, width=12 / 40), 24)
    torch.testing.assert_close(out, zoomed[:, 6:30, 10:34], atol=1e-5, rtol=0)


def test_flip_mirrors_left_and_right_only():
    x = torch.rand(1, 20, 30, 3)
    crop = {"top": 0.1, "left": 0.2, "height": 0.5, "width": 0.4}
    torch.testing.assert_close(show(x, geometry(**crop, flip=True), 8), show(x, geometry(**crop), 8).flip(2))


def test_mirrored_clip_under_the_mirrored_crop_is_the_mirrored_view():
    x = torch.rand(1, 20, 30, 3)
    out = show(x.flip(2), geometry(left=1 - 0.15 - 0.4, width=0.4), 8)
    torch.testing.assert_close(out, show(x, geometry(left=0.15, width=0.4), 8).flip(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", [(3.3, 20.7, 30, 40, 8), (0, 30, 30, 30, 50), (28.5, 1.5, 30, 33, 4), (0, 1, 1, 5, 3)])
def test_axis_matrix_equals_the_loops(case):
    start, length, extent, size_in, size_out = case
    out = axis_matrix(
        torch.tensor([start / extent]), torch.tensor([length / extent]), torch.tensor([extent]), size_in, size_out
    )
    np.testing.assert_allclose(out[0], triangle_weights(*case), atol=2e-5)


def test_padding_never_leaks():
    x = torch.rand(3, 20, 30, 3)
    padded = torch.full((3, 33, 47, 3), 1e6)
    padded[:, :20, :30] = x
    for shape in (geometry(), geometry(top=0.5, left=0.6, height=0.5, width=0.4, flip=True)):
        torch.testing.assert_close(show(padded, shape, 16, extent=(20, 30)), show(x, shape, 16))


def test_clips_of_one_batch_keep_their_own_geometry():
    x = torch.rand(2, 1, 20, 30, 3)
    both = Geometry(
        *(torch.tensor(v) for v in ([0.0, 0.3], [0.1, 0.2], [0.7, 0.5], [0.4, 0.8])), torch.tensor([True, False])
    )
    out = resample(x, *both.matrices(torch.tensor([[20, 30], [11, 22]]), 20, 30, 8))
    torch.testing.assert_close(out[0], show(x[0], geometry(0.0, 0.1, 0.7, 0.4, True), 8))
    torch.testing.assert_close(out[1], show(x[1, :, :11, :22], geometry(0.3, 0.2, 0.5, 0.8), 8))


def test_channels_are_mixed_by_the_matrix():
    x, matrix = torch.rand(1, 2, 9, 9, 3), torch.randn(1, 2, 3)
    rows, columns = geometry().matrices(torch.tensor([[9, 9]]), 9, 9, 5)
    plain = resample(x, rows, columns)
    torch.testing.assert_close(resample(x, rows, columns, matrix), torch.einsum("nthwc,ndc->nthwd", plain, matrix))


def test_drawn_crops_have_the_area_the_aspect_and_the_place_asked_for():
    extent = torch.tensor([[72, 96]]).expand(4000, 2)
    config = TransformConfig(area_min=0.2, area_max=0.6)
    drawn = draw_geometry(config, extent, torch.Generator().manual_seed(0))
    area, aspect = drawn.height * drawn.width, drawn.width / drawn.height * 96 / 72
    assert area.min() >= 0.2 - 1e-6
    assert area.max() <= 0.6 + 1e-6
    assert abs(area.mean() - 0.4) < 0.01
    assert aspect.min() >= 0.75 - 1e-6
    assert aspect.max() <= 4 / 3 + 1e-6
    assert abs(aspect.log().mean()) < 0.01
    assert abs(drawn.flip.float().mean() - 0.5) < 0.03
    for start, length in ((drawn.top, drawn.height), (drawn.left, drawn.width)):
        assert start.min() >= 0
        assert (start + length).max() <= 1 + 1e-6
        free = (start / (1 - length))[length < 0.99]
        assert abs(free.mean() - 0.5) < 0.02


@pytest.mark.parametrize(("extent", "pixels"), [((10, 100), (10, 10 * 4 / 3)), ((100, 10), (10 / 0.75, 10))])
def test_a_frame_that_no_crop_fits_gives_its_largest_allowed_crop(extent, pixels):
    config = TransformConfig(area_min=0.9, area_max=1.0)
    drawn = draw_geometry(config, torch.tensor([extent]), torch.Generator().manual_seed(0))
    assert drawn.height.item() * extent[0] == pytest.approx(pixels[0])
    assert drawn.width.item() * extent[1] == pytest.approx(pixels[1])


def test_centre_square_is_the_middle_of_the_longer_side():
    x = torch.rand(2, 20, 30, 3)
    torch.testing.assert_close(show(x, centre_square(torch.tensor([[20, 30]])), 20), x[:, :, 5:25], atol=1e-5, rtol=0)
    tall = x.transpose(1, 2)
    torch.testing.assert_close(
        show(tall, centre_square(torch.tensor([[30, 20]])), 20), tall[:, 5:25], atol=1e-5, rtol=0
    )


def test_ten_crops_are_the_corners_and_the_middle_then_mirrored():
    x = torch.rand(2, 40, 56, 3)
    crops = [show(x, crop, 32) for crop in ten_crops(torch.tensor([[40, 56]]), 32 / 40)]
    corners = [(0, 0), (0, 24), (8, 0), (8, 24), (4, 12)]
    expected = [x[:, top : top + 32, left : left + 32] for top, left in corners]
    assert len(crops) == 10
    for crop, wanted in zip(crops, expected + [part.flip(2) for part in expected], strict=True):
        torch.testing.assert_close(crop, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("blurred", [False, True])
@pytest.mark.parametrize(("height", "width", "size"), [(72, 96, 64), (90, 40, 50), (33, 70, 48)])
def test_bands_change_nothing(monkeypatch, height, width, size, blurred):
    """Crops of all places and sizes, mirrored, of frames that are padded; view sizes that bands do not divide."""
    draw = torch.Generator().manual_seed(4)
    n = 12
    extent = torch.stack([torch.randint(20, height + 1, (n,), generator=draw), torch.full((n,), width)], dim=1)
    rows, columns = draw_geometry(TransformConfig(), extent, draw).matrices(extent, height, width, size)
    if blurred:
        kernel = gaussian_matrix(torch.linspace(0, 2, n), size)
        rows, columns = kernel @ rows.float(), kernel @ columns.float()
    x, mix = torch.rand(n, 3, height, width, 3, generator=draw), torch.rand(n, 3, 3, generator=draw)
    found = {}
    for least in (0, 2**60):
        monkeypatch.setattr(geometry_module, "WORTH_BANDS", least)
        found[least] = resample(x, rows.float(), columns.float(), mix)
    assert found[0].is_contiguous()
    torch.testing.assert_close(found[0], found[2**60], atol=2e-6, rtol=0)


def test_a_clip_in_bands_does_not_depend_on_its_batch(monkeypatch):
    monkeypatch.setattr(geometry_module, "WORTH_BANDS", 0)
    draw = torch.Generator().manual_seed(5)
    extent = torch.tensor([[40, 50]] * 4)
    rows, columns = (m.float() for m in draw_geometry(TransformConfig(), extent, draw).matrices(extent, 40, 50, 32))
    x = torch.rand(4, 3, 40, 50, 3, generator=draw)
    together = resample(x, rows, columns)
    for clip in range(4):
        some = slice(clip, clip + 1)
        assert resample(x[some], rows[some], columns[some]).equal(together[some])


@pytest.mark.parametrize("least", [0, 2**60])
def test_whole_numbers_are_resampled_as_they_are(monkeypatch, least):
    monkeypatch.setattr(geometry_module, "WORTH_BANDS", least)
    draw = torch.Generator().manual_seed(6)
    extent = torch.tensor([[40, 50], [30, 44]])
    rows, columns = (m.float() for m in draw_geometry(TransformConfig(), extent, draw).matrices(extent, 40, 50, 32))
    x = torch.randint(0, 256, (2, 3, 40, 50, 3), generator=draw, dtype=torch.uint8)
    made = resample(x, rows, columns)
    assert made.dtype == torch.float32
    assert made.equal(resample(x.float(), rows, columns))


def test_squares_of_one_size_at_any_place():
    extent = torch.tensor([[256, 340]]).repeat(500, 1)
    drawn = draw_geometry(TransformConfig(crop=224 / 256, flip=0.0), extent, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.height * 256, torch.full((500,), 224.0))
    torch.testing.assert_close(drawn.width * 340, torch.full((500,), 224.0))
    assert 0 <= drawn.top.min() < 0.01 < 0.12 < drawn.top.max() <= 0.125
    assert 0 <= drawn.left.min() < 0.01 < 0.33 < drawn.left.max() <= 116 / 340
    assert not drawn.flip.any()

"""Tables of encoders side by side, as 'rgb+motion': the default where a run has both, and what is found in them."""

import shutil

import av
import numpy as np
import pytest
from PIL import Image
from searching_tables import vectors_of
from sounding_runs import make_run, write_tones
from tiny_runs import tiny_plan

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.recipes.json import recipe_to_plain
from kinema.searching import database
from kinema.training.checkpoints import write_tower
from kinema.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory, lancedb):
    """The folder of a run of CPR, with encoders of both views that nobody trained."""
    folder = RunFolder(tmp_path_factory.mktemp("both") / "run")
    folder.create()
    recipe = tiny_plan("cpr").recipe()
    folder.write("environment.json", {"videos": 12})
    folder.write("recipe.json", recipe_to_plain(recipe))
    for view in ("rgb", "motion"):
        phase = next(each for each in recipe.phases if view in each.method.trains)
        place = folder.phase(recipe.number(phase), phase.name)
        place.mkdir(parents=True)
        write_tower(place / f"tower-{view}.safetensors", kinema.load(folder.path, view=view, untrained=True).tower)
    return folder.path


def embed(run, videos, out, **settings):
    return kinema.embed(run, videos, out=out, workers=1, device="cpu", **settings)


@pytest.fixture(scope="module")
def tables(run, tiny_folder):
    """A table for which nobody named a view, and one of each view alone."""
    made = {view: run.parent / f"table-{view}" for view in ("rgb+motion", "rgb", "motion")}
    for view, out in made.items():
        done = embed(run, tiny_folder, out, view=None if "+" in view else view)
        assert (done.view, done.failed) == (view, {})
        assert done.content.endswith(f" windows of {view}")
    return made


def search(run, query, table, **settings):
    return kinema.search(run, query, table=table, k=100, device="cpu", **settings)


def scores(found):
    return {(hit.video, hit.frame): hit.score for hit in found.hits}


@pytest.mark.parametrize("kind", ["window", "video"])
def test_rows_are_those_of_each_view_side_by_side(tables, kind):
    """Each part is centred and scaled by itself, or the longer vectors of one would outvote the other."""
    held = {view: vectors_of(database.require_table(str(at)), f"kind = '{kind}'") for view, at in tables.items()}
    alone = np.concatenate([held["rgb"][0], held["motion"][0]], axis=1)
    assert [row["id"] for row in held["rgb+motion"][1]] == [row["id"] for row in held["rgb"][1]]
    np.testing.assert_allclose(held["rgb+motion"][0], alone / np.sqrt(2), atol=1e-6)


def test_alike_is_by_the_centre_of_the_table_beside_the_run_also_for_one_of_its_encoders(run, tiny_folder, tmp_path):
    own = shutil.copytree(run, tmp_path / "run")
    files = sorted(tiny_folder.rglob("*.mp4"))
    models = {view: kinema.load(own, view=view) for view in ("rgb+motion", "rgb", "motion")}
    plain = {view: model.similarity(files, files) for view, model in models.items()}
    embed(own, tiny_folder, None)
    found = {view: model.similarity(files, files) for view, model in models.items()}
    for seen in (plain, found):
        np.testing.assert_allclose(seen["rgb+motion"], (seen["rgb"] + seen["motion"]) / 2, atol=1e-5)
    alike = {view: (float(found[view].mean()), float(plain[view].mean())) for view in models}
    assert all(centred < 0.3 < 0.8 < as_it_is for centred, as_it_is in alike.values()), alike
    with pytest.raises(UsageError, match="of unit length"):
        models["rgb"].similarity(models["rgb"].encode(files), files)


def test_a_search_needs_no_view_and_is_by_the_mean_of_the_scores(run, tables, tiny_folder):
    query = tiny_folder / "left/left1.mp4"
    both, rgb, motion = (scores(search(run, query, at, over="videos")) for at in tables.values())
    known = both.keys() & rgb.keys() & motion.keys()  # each leaves out what is unlike
    assert len(known) > 2
    assert {row: both[row] for row in known} == {
        row: pytest.approx((rgb[row] + motion[row]) / 2, abs=1e-5) for row in known
    }
    with pytest.raises(DataError, match=r"of the view 'rgb\+motion'.* is of 'rgb'") as error:
        search(run, query, tables["rgb+motion"], view="rgb")
    assert error.value.hint == "Ask with --view rgb+motion."


@pytest.mark.parametrize("view", ["rgb+motion", "rgb", "motion"])
def test_a_server_takes_the_view_of_its_table(run, tables, view):
    pytest.importorskip("fastapi")
    from kinema import serving

    assert serving.app(run, table=tables[view], device="cpu").state.archive.model.view == view


def test_a_picture_is_compared_by_its_colours(run, tables, tiny_folder, tmp_path):
    with av.open(str(tiny_folder / "left/left1.mp4")) as container:
        Image.fromarray(next(container.decode(video=0)).to_ndarray(format="rgb24")).save(tmp_path / "a.png")
    both, rgb = (search(run, tmp_path / "a.png", tables[view], over="videos") for view in ("rgb+motion", "rgb"))
    assert both.notes[0] == "A picture is compared by its colours alone, not by motion: scores are 0.71 at most."
    assert scores(both) == {row: pytest.approx(score / np.sqrt(2), abs=1e-5) for row, score in scores(rgb).items()}


def test_a_table_keeps_its_view(run, tables, tiny_folder, tmp_path):
    shutil.copytree(tables["motion"], tmp_path / "table")
    again = embed(run, tiny_folder, tmp_path / "table")
    assert (again.view, again.added, again.unchanged) == ("motion", 0, 12)
    assert embed(run, tiny_folder, tmp_path / "table", replace=True).view == "rgb+motion"


def test_videos_without_motion_vectors_make_a_table_of_what_is_seen(run, tiny_folder, tmp_path, caplog):
    folder = tmp_path / "videos"
    shutil.copytree(tiny_folder, folder)
    with av.open(str(folder / "silent.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for shade in range(12):
            picture = np.full((32, 32, 3), shade * 20, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    assert embed(run, folder, tmp_path / "rgb").view == "rgb"
    assert "The table is of 'rgb' alone: 1 of 13 videos have no motion vectors ('silent.mkv' is ffv1)" in caplog.text
    done = embed(run, folder, tmp_path / "both", view="rgb+motion")
    assert (list(done.failed), done.videos) == (["silent.mkv"], 12)


def test_projections_are_of_one_view(run, tiny_folder, tmp_path):
    with pytest.raises(UsageError, match=r"Projections compare one view with another, and 'rgb\+motion' are 2"):
        embed(run, tiny_folder, tmp_path / "table", view="rgb+motion", space="projection")


def test_what_is_seen_and_what_is_heard(tmp_path, lancedb):
    """Frames and sound of one clip; nobody asked for both, so the table of a run that has both is of RGB."""
    videos = write_tones(tmp_path / "videos")
    run = make_run(tmp_path / "run", videos)
    made = {view: tmp_path / f"table-{view}" for view in ("rgb+sound", "rgb", "sound")}
    for view, out in made.items():
        assert embed(run, videos, out, view=None if view == "rgb" else view).view == view
    held = {view: vectors_of(database.require_table(str(at))) for view, at in made.items()}
    alone = np.concatenate([held["rgb"][0], held["sound"][0]], axis=1)
    np.testing.assert_allclose(held["rgb+sound"][0], alone / np.sqrt(2), atol=1e-6)
    found = search(run, videos / "c.mkv", made["rgb+sound"], over="videos")
    assert (found.hits[0].video, found.hits[0].score) == ("c.mkv", pytest.approx(1, abs=1e-5))

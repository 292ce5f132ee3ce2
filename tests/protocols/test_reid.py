"""The protocol of re-identification: who asks, who is ranked, who was trained on, and what is refused."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.data.tracklets.config import TrackletsConfig
from kinema.data.tracklets.reader import TrackletReader
from kinema.protocols.reid import REID, SHOWN_FLOORS
from kinema.protocols.request import Request

PEOPLE = ("ann", "bob", "cid", "dot", "eve", "fay")


class Colours(torch.nn.Module):
    """A tower that knows people by the mean colour of their crops, or not at all."""

    def __init__(self, *, blind=False, features=0):
        super().__init__()
        self.blind, self.dim, self.clip = blind, features or 3, 4
        self.stride, self.single = 1, False
        self.takes = ("features", features) if features else ("crops", 16, 8)

    def embed(self, frames, mask):
        x = frames.flatten(3).mean(3) if frames.dim() == 5 else frames
        x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(torch.ones_like(x) if self.blind else x, dim=1)


def model(run=None, *, blind=False, features=0, **settings):
    config = TrackletsConfig(**{"height": 16, "width": 8, **settings})
    return TrackletReader(Colours(blind=blind, features=features), "tracklet", config, name="trl", run=run)


def write(root, people=PEOPLE, cameras=("1", "2"), tracklets=2, pattern="{person}/{camera}/{tracklet}", seed=0):
    """A person's crops are of one colour with some noise; a first tracklet has one frame more."""
    rng = np.random.default_rng(seed)
    for person in people:
        colour = np.random.default_rng(list(person.encode())).integers(30, 220, 3)
        for camera in cameras:
            for tracklet in range(tracklets):
                folder = root / pattern.format(person=person, camera=camera, tracklet=tracklet)
                folder.mkdir(parents=True, exist_ok=True)
                for frame in range(3 - tracklet):
                    crop = np.clip(colour + rng.integers(-9, 10, (16, 8, 3)), 0, 255).astype(np.uint8)
                    Image.fromarray(crop).save(folder / f"{frame:04d}.png")
    return root


def measured(reader, data, preset="official", **options):
    return REID.measure(Request((reader,), str(data), str(data), (preset,), None, None, device="cpu", **options))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("people") / "crops")


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A run that was trained on half of the people: its list of tracklets, as it is kept."""
    run = tmp_path_factory.mktemp("run")
    table = TrackletsConfig().open(folder)
    table.select({"split": "train"}).write(run / "manifest.parquet")
    return run


@pytest.mark.parametrize(("preset", "gallery"), [("official", 12), ("torchreid", 6)])
def test_the_people_who_were_not_trained_on_look_for_one_another(folder, trained, preset, gallery):
    found = measured(model(trained), folder, preset)
    assert found.metrics["rank-1"] == found.metrics["map"] == 1.0
    assert set(found.metrics) == {*(f"rank-{k}" for k in (1, 5, 10, 20)), "map", "hsv_rank-1", "hsv_map"}
    assert (found.queries, found.gallery, found.preset, found.encoder) == (6, gallery, preset, "trl")
    assert found.details["trained_on"] == {"people": 3, "tracklets": 12, "all": False}
    assert (found.details["identities"], found.details["unmatched"]) == (3, 0)
    assert found.details["right"] == ["111111"]
    assert found.details["per_camera"]["1"]["queries"] == 3
    blind = measured(model(trained, blind=True), folder, preset)
    assert (blind.metrics["rank-1"], blind.details["right"]) == (0.0, ["000000"])
    assert (blind.digest, blind.details["asked"]) == (found.digest, found.details["asked"]), "they can be compared"


def test_a_set_that_the_run_never_saw_is_measured_whole(trained, tmp_path):
    other = write(tmp_path, ("ann", "gus", "hal", "ian"), cameras=("1", "2", "3"), seed=1)
    found = measured(model(trained), other)
    assert (found.queries, found.gallery) == (12, 24), "another person of the name 'ann' was not trained on"
    assert found.details["trained_on"]["people"] == 0
    assert found.details["splits"]["halves"] == 10
    assert set(found.details["splits"]["mean"]) == {*(f"rank-{k}" for k in (1, 5, 10, 20)), "map"}


def test_people_who_were_all_trained_on_are_measured_with_a_loud_warning(folder, trained, caplog):
    where = {"split": "train"}
    found = measured(model(trained), folder, query=where, gallery=where)
    assert "THE RUN WAS TRAINED ON ALL 3 people" in caplog.text
    assert found.details["trained_on"]["all"] is True
    assert (found.queries, found.details["selection"], found.details["against"]) == (6, "split=train", "split=train")


def test_who_is_trained_on_is_known_by_content_wherever_the_data_lie(folder, trained, tmp_path):
    for person in PEOPLE:
        shutil.copytree(folder / person, tmp_path / "moved" / f"x{person}")
    found = measured(model(trained), tmp_path / "moved")
    assert (found.queries, found.details["trained_on"]["people"]) == (6, 3)


def test_a_model_without_a_run_is_measured_on_what_is_held_out(folder):
    assert measured(model(), folder).queries == 6
    assert measured(model(held_out=0.0), folder).queries == 12


def test_roles_and_splits_of_the_data_are_followed(tmp_path):
    for role, tracklets in (("query", 1), ("gallery", 2)):
        write(tmp_path, ("ann", "bob"), tracklets=tracklets, pattern=role + "/{person}/{camera}/{tracklet}")
    write(tmp_path, ("cid", "dot"), pattern="train/{person}/{camera}/{tracklet}")
    official, torchreid = (measured(model(), tmp_path, preset) for preset in REID.presets)
    assert (official.queries, official.gallery, torchreid.queries, torchreid.gallery) == (4, 12, 4, 8)


def test_tables_of_features_stand_beside_the_mean_of_their_frames(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["path,identity,camera,tracklet,split"]
    for person in range(4):
        for camera in range(2):
            name = f"{person}-{camera}.npy"
            np.save(tmp_path / name, (np.eye(4)[person] + 0.01 * rng.random((5, 4))).astype(np.float32))
            lines.append(f"{name},p{person},c{camera},t{person}{camera},test")
    (tmp_path / "tracklets.csv").write_text("\n".join(lines), "utf-8")
    found = measured(model(features=4, blind=True), tmp_path / "tracklets.csv")
    assert (found.metrics["mean_rank-1"], found.metrics["mean_map"], found.metrics["rank-1"]) == (1.0, 1.0, 0.0)
    assert "hsv_rank-1" not in found.metrics
    assert {f"{name}_rank-1" for name in SHOWN_FLOORS} == set(REID.floors)


def test_queries_without_a_match_are_counted_apart(tmp_path, caplog):
    write(tmp_path, PEOPLE[:3], cameras=("1", "2"))
    write(tmp_path, PEOPLE[3:5], cameras=("1",))
    found = measured(model(held_out=0.0), tmp_path)
    assert (found.queries, found.details["unmatched"], found.details["asked_of"]) == (6, 2, 8)
    assert "2 of 8 queries have no match" in caplog.text
    assert len(found.details["right"][0]) == 6


def test_what_cannot_be_measured_is_refused_with_what_to_do(folder, tmp_path):
    def refused(data, words, hint, **options):
        with pytest.raises(DataError, match=words) as caught:
            measured(model(), data, **options)
        assert hint in caught.value.hint

    flat = write(tmp_path / "flat", cameras=("",), pattern="{person}")
    refused(flat, "do not say which camera", "IDENTITY/CAMERA")
    refused(write(tmp_path / "one", cameras=("1",)), "None of 3 people was seen by two cameras", "several cameras")
    alone = {"query": {"camera": "1", "split": "test"}, "gallery": {"camera": "1", "split": "test"}}
    refused(folder, "None of 3 people was seen by two cameras", "several cameras", **alone)
    refused(folder, "None of 6 queries has a match", "two cameras", gallery={"split": "train"})
    refused(folder, "No tracklet has camera=7", "1, 2", query={"camera": "7"})
    single = write(tmp_path / "single", tracklets=1)
    refused(single, "All 6 tracklets of people are queries", "camera=1", preset="torchreid", query={"split": "test"})


def test_where_all_tracklets_would_be_queries_one_camera_asks(tmp_path, caplog):
    """As PRID 2011 and iLIDS-VID are measured: otherwise 'torchreid' takes everybody out of the gallery."""
    single = write(tmp_path, tracklets=1, cameras=("1", "2", "3"))
    assert measured(model(), single).queries == 9
    found = measured(model(), single, "torchreid")
    assert (found.queries, found.gallery, found.details["selection"]) == (3, 6, "the first camera of each person")
    assert "only the 3 of each person's first camera are queries" in caplog.text
    assert measured(model(), single, "torchreid", query={"camera": "2"}).gallery == 6


def test_a_protocol_of_another_kind_is_refused(folder):
    with pytest.raises(UsageError, match="one of tracklet") as caught:
        kinema.evaluate("retrieval", model(), folder)
    assert "reid" in caught.value.hint

"""Every protocol of the Python face on tiny videos: what it is measured on, what is kept, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from tiny_runs import tiny_plan

from kinema import api, protocols
from kinema.core.errors import DataError, ShapeError, UsageError
from kinema.data.clips.reader import Features
from kinema.evaluation import KNN_PRESETS, PRESETS
from kinema.protocols.parts import trained_and_tested
from kinema.protocols.table import PROTOCOLS, check, listing
from kinema.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tiny_manifest, tiny_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocols") / "run"
    api.pretrain(tiny_plan("cpr"), tiny_manifest, folder, cache=tiny_cache, device="cpu")
    return folder


@pytest.fixture(scope="module")
def measure(run, tiny_manifest, tiny_cache):
    return lambda protocol, data=tiny_manifest, **options: api.evaluate(
        protocol, run, data, cache=tiny_cache, **options
    )


@pytest.fixture(scope="module")
def split(tiny_manifest):
    """The first video of each class is tested, the other three are trained on."""
    return changed(tiny_manifest, lambda v: {"split": "test" if v.path.endswith("0.mp4") else "train"})


def changed(manifest, changes):
    return replace(manifest, videos=tuple(replace(v, **changes(v)) for v in manifest.videos))


def test_the_table_names_what_there_is():
    assert all(callable(each.measure) and each.metric(each.main) for each in PROTOCOLS.values())
    assert {file.stem for file in Path(protocols.__file__).parent.glob("*.py")} >= {
        name.replace("-", "_") for name in PROTOCOLS
    }
    assert PROTOCOLS["retrieval"].presets.keys() == PRESETS.keys()
    assert PROTOCOLS["knn"].presets.keys() == KNN_PRESETS.keys()
    assert all(name in listing() and all(p in listing() for p in each.presets) for name, each in PROTOCOLS.items())
    assert check("retrieval", None, {}) == ("coclr",)
    assert check("few-label", None, {}) == ("1%", "10%")
    assert check("few-label", "10%", {}) == ("10%",)
    assert check("linear", "end-to-end", {"shares": [0.1]}) == ("end-to-end",)


def test_knn_leaves_the_own_recording_out(run, measure, tiny_manifest, tiny_cache):
    (result,) = measure("knn")
    assert (result.protocol, result.preset, result.queries, result.gallery) == ("knn", "k20-t0.07", 12, 12)
    assert (result.details["selection"], result.details["trained_on"]) == ("all", "all other recordings")
    assert (result.details["k"], result.details["voters"], result.details["hopeless"]) == (3, 3, 0)
    assert (result.seed, result.digest) == (0, tiny_manifest.digest)
    model = api.load(run)
    x = model.features(api.model_store(tiny_manifest, model, cache=tiny_cache)).encoded.double().numpy()
    labels, right = np.array(tiny_manifest.label_ids()), 0
    for i in range(12):
        rest = np.arange(12) != i
        told = KNeighborsClassifier(3, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07))
        right += int(told.fit(x[rest], labels[rest]).predict(x[i : i + 1])[0] == labels[i])
    assert result.metrics["accuracy"] == pytest.approx(right / 12)
    assert result.metrics.keys() == {"accuracy", "mean_class_accuracy"}
    assert result.details["omitted"] == ["accuracy_top5"]


def test_linear_holds_a_test_out_where_there_is_no_split(run, measure, tiny_manifest):
    (result,) = measure("linear")
    assert (result.preset, result.queries, result.gallery) == ("features", 3, 9)
    assert (result.details["selection"], result.details["trained_on"]) == ("held out by source", "the other recordings")
    assert set(result.details["per_class"]) == {"right", "left", "down"}
    assert result.details["siblings"] == 0
    assert result.details["converged"]
    assert result.details["chance"] == pytest.approx(1 / 3)
    assert sum(n for row in result.details["confusion"].values() for n in row.values()) == 3
    kept = [k for k in RunFolder.open(run).results() if k.protocol == "linear"]
    assert [(k.preset, k.metrics) for k in kept] == [("features", dict(result.metrics))]
    assert measure("linear")[0].metrics == result.metrics


def test_linear_is_trained_on_train_and_tested_on_test(measure, split):
    (result,) = measure("linear", split)
    assert (result.queries, result.gallery) == (3, 9)
    assert (result.details["selection"], result.details["trained_on"]) == ("split=test", "split=train")
    assert result.details["penalty_chosen"] == "on 3 training videos held out by source"
    turned = changed(split, lambda v: {"label": {"right": "left", "left": "down", "down": "right"}[v.label]})
    mixed = replace(
        split, videos=tuple(t if t.split == "test" else v for v, t in zip(split.videos, turned.videos, strict=True))
    )
    (other,) = measure("linear", mixed)
    same = ("penalty", "grid", "gradient")
    assert [other.details[name] for name in same] == [result.details[name] for name in same]
    assert other.details["confusion"] != result.details["confusion"]


def test_few_labels_give_a_result_a_share(run, measure, split):
    one, ten = measure("few-label", split, draws=2)
    assert [(r.preset, r.gallery, len(r.details["draws"])) for r in (one, ten)] == [("1%", 3, 2), ("10%", 3, 2)]
    values = [draw["metrics"]["accuracy"] for draw in one.details["draws"]]
    assert one.metrics["accuracy"] == pytest.approx(np.mean(values))
    assert one.details["deviation"]["accuracy"] == pytest.approx(np.std(values, ddof=1))
    assert {draw["penalty_chosen"] for draw in one.details["draws"]} == {"default"}
    (half,) = measure("few-label", split, shares=[2 / 3], draws=3)
    assert (half.preset, half.details["labelled"], half.details["of"]) == ("66.6667%", 6, 9)
    assert len(measure("few-label", split, preset="10%")[0].details["draws"]) == 5
    kept = sorted(k.preset for k in RunFolder.open(run).results() if k.protocol == "few-label")
    assert kept == ["1%", "10%", "66.6667%"]


def test_every_answer_is_kept_by_query(measure, split):
    """Encoders that were asked the same are compared query by query."""
    asked = {}
    for protocol in ("retrieval", "knn", "linear", "few-label"):
        result = measure(protocol, split)[0]
        right = np.array([[int(c) for c in row] for row in result.details["right"]])
        assert right.shape == (5 if protocol == "few-label" else 1, 3)
        figure = result.metrics["r@1" if protocol == "retrieval" else "accuracy"]
        assert right.mean() == pytest.approx(figure)
        low, high = result.details["interval"]
        assert low <= figure <= high
        asked[protocol] = result.details["asked"]
    assert len(set(asked.values())) == 1
    mirrored = replace(split, videos=split.videos[::-1])
    (same,) = measure("linear", mirrored)
    assert same.details["asked"] == asked["linear"]
    by_class = [float(c) for c in same.details["right"][0]]
    assert by_class == [same.details["per_class"][name] for name in sorted(same.details["per_class"])], "by path"
    others = changed(split, lambda v: {"split": "test" if v.path.endswith("1.mp4") else "train"})
    assert measure("knn", others)[0].details["asked"] != asked["knn"]


def test_another_gallery_is_another_result(run, measure, split):
    parts = changed(split, lambda v: {"attributes": {"half": "b" if v.path.endswith("3.mp4") else "a"}})
    for gallery in (None, {"split": "train"}, {"half": "b"}):
        measure("retrieval", parts, gallery=gallery, query={"split": "test"})
    kept = {r.details.get("against"): r for r in RunFolder.open(run).results() if r.digest == parts.digest}
    assert {name: r.gallery for name, r in kept.items()} == {None: 9, "half=b": 3}
    assert (run / "evaluations" / "retrieval-coclr-cpr-rgb-split_test-against-half_b.json").exists()


def test_cross_modal_goes_both_ways_and_needs_no_labels(measure, tiny_manifest):
    unlabelled = changed(tiny_manifest, lambda v: {"label": None})
    forth, back = measure("cross-modal", unlabelled, views=["rgb", "motion"])
    assert [(r.encoder, r.view) for r in (forth, back)] == [("cpr", "rgb to motion"), ("infonce", "motion to rgb")]
    for result in (forth, back):
        assert result.metrics.keys() == {"r@1", "r@5", "r@10", "median_rank"}
        assert 1 <= result.metrics["median_rank"] <= 12
        assert result.details["chance"] == pytest.approx(1 / 12)
    siblings = changed(unlabelled, lambda v: {"source": v.path.split("/")[0]})
    assert measure("cross-modal", siblings, views=["rgb", "motion"])[0].details["chance"] == pytest.approx(1 / 9)


@pytest.mark.parametrize("protocol", ["knn", "linear", "few-label"])
def test_labels_that_do_not_allow_it(protocol, measure, tiny_manifest, split):
    with pytest.raises(DataError, match=r"have no labels(.|\n)*scan and pretrain"):
        measure(protocol, changed(tiny_manifest, lambda v: {"label": None}))
    with pytest.raises(DataError, match="1 of 9 training videos have no label"):
        measure(protocol, changed(split, lambda v: {"label": None} if v.path == "left/left2.mp4" else {}))
    strange = changed(split, lambda v: {"label": "spin"} if v.path == "left/left0.mp4" else {})
    with pytest.raises(DataError, match="no training video shows: 'spin'"):
        measure(protocol, strange)
    two = changed(split, lambda v: {"split": "train" if v.path in ("left/left0.mp4", "down/down0.mp4") else "test"})
    with pytest.raises(DataError, match="no training video shows: 'right'"):  # fewer videos than classes
        measure(protocol, two)
    with pytest.raises(DataError, match="of one class, 'left'"):
        measure(protocol, split, gallery={"label": "left", "split": "train"}, query={"label": "left", "split": "test"})
    with pytest.raises(DataError, match="No video has split=dev"):
        measure(protocol, split, gallery={"split": "dev"})


def test_features_that_are_not_finite_are_named(measure, tiny_manifest, monkeypatch):
    def spoilt(self, store, **told):
        count = len(store.frames)
        return Features(torch.full((count, self.dim), torch.nan), torch.full((count, 16 * len(self.parts)), torch.nan))

    monkeypatch.setattr("kinema.data.clips.reader.Model.features", spoilt)
    for protocol in ("retrieval", "knn", "linear", "few-label"):
        with pytest.raises(ShapeError, match="not finite"):
            measure(protocol)


def test_both_sides_are_kept_apart(tiny_manifest, split):
    sides = trained_and_tested(tiny_manifest, None, None, "linear")
    (part,) = sides.test.values()
    assert not {v.path for v in part.videos} & {v.path for v in sides.training.videos}
    recordings = changed(tiny_manifest, lambda v: {"source": v.label + v.path[-5:-4].translate({51: "2"})})
    sides = trained_and_tested(recordings, None, None, "linear")
    assert {v.source for v in sides.test["held out by source"].videos}.isdisjoint(
        {v.source for v in sides.training.videos}
    )
    shared = changed(split, lambda v: {"source": v.label})
    assert trained_and_tested(shared, None, None, "linear").siblings("split=test") == 3
    for query, gallery in (({"label": "left"}, None), (None, {"label": "left"})):
        with pytest.raises(DataError, match=r"4 of the \d+ test videos .* are training videos too(.|\n)*--gallery"):
            trained_and_tested(tiny_manifest, query, gallery, "linear")
    with pytest.raises(DataError, match=r"No test can be held out of 12 videos(.|\n)*labels\.csv"):
        trained_and_tested(changed(tiny_manifest, lambda v: {"source": v.label}), None, None, "linear")


@pytest.mark.parametrize(
    ("protocol", "options", "told"),
    [
        (
            "probing",
            {},
            "no protocol 'probing'(.|\n)*retrieval, cross-modal, knn, few-label, linear, finetune, mining, diagnostics",
        ),
        ("knn", {"preset": "coclr"}, r"knn has no preset 'coclr'(.|\n)*k20-t0\.07, k200-t0\.07"),
        ("retrieval", {"preset": "k20-t0.07"}, "retrieval has no preset(.|\n)*coclr, vcop"),
        ("linear", {"shares": [0.1]}, "takes neither shares(.|\n)*few-label"),
        ("knn", {"views": ["rgb", "motion"]}, "knn has no option 'views'(.|\n)*cross-modal"),
        ("few-label", {"preset": "1%", "shares": [0.1]}, "a share of the labels already"),
        ("cross-modal", {}, "given: none(.|\n)*--views rgb motion"),
        ("cross-modal", {"views": ["rgb", "rgb"]}, "given: rgb rgb"),
        ("cross-modal", {"view": "rgb", "views": ["rgb", "motion"]}, "two views of one run"),
        ("cross-modal", {"views": ["rgb", "motion"], "gallery": {"label": "left"}}, "takes no gallery"),
    ],
)
def test_what_no_protocol_has(measure, protocol, options, told):
    with pytest.raises(UsageError, match=told):
        measure(protocol, **options)

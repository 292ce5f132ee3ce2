"""The nearest codes are those of a slow count of bits, by every engine and for any number of threads."""

import numpy as np
import pytest

from kinema.core.errors import MissingExtraError, ShapeError, UsageError
from kinema.searching import codes as searching
from kinema.searching.codes import CodeIndex


@pytest.fixture(params=["numpy", "numpy of two threads", "faiss", "multi-index"])
def index(request, monkeypatch):
    """Makes an index; chunks are small, so that there are many."""
    monkeypatch.setattr(searching, "CHUNK", 61)
    engine, *threads = request.param.split()
    if engine == "faiss":
        pytest.importorskip("faiss", reason="the extra kinema[faiss] is not installed")
    make = lambda codes: CodeIndex(codes, engine=engine, threads=2 if threads else 1)  # noqa: E731
    make.engine = engine
    return make


def slow(codes, query):
    """(distance, row) of all codes, by counting the ones of each byte as text."""
    return sorted(
        (sum(bin(a ^ b).count("1") for a, b in zip(code, query.tolist(), strict=True)), row)
        for row, code in enumerate(codes.tolist())
    )


@pytest.mark.parametrize("bits", [8, 16, 24, 32, 64, 96, 128, 256, 512])
def test_the_nearest_and_their_order_are_those_of_a_slow_count_of_bits(index, bits):
    if index.engine == "multi-index" and bits % 16:
        pytest.skip("a multi-index is of words of 16 bits")
    draw = np.random.default_rng(bits)
    codes = draw.integers(0, 256, (500, bits // 8), dtype=np.uint8)
    codes[200:400] = codes[:200]  # ties at every distance
    queries = np.concatenate([codes[[3, 450]], ~codes[[7]]])
    made = index(codes)
    assert (len(made), made.bits) == (500, bits)
    for k in (1, 10, 100, 500, 700):
        distances, rows = made.search(queries, k)
        assert (distances.dtype, rows.dtype) == (np.int32, np.int64)
        for query, near, where in zip(queries, distances, rows, strict=True):
            assert list(zip(near.tolist(), where.tolist(), strict=True)) == slow(codes, query)[:k]
    for radius in (0, bits // 3, bits):
        near, where = made.radius(queries[0], radius)
        expected = [each for each in slow(codes, queries[0]) if each[0] <= radius]
        assert list(zip(near.tolist(), where.tolist(), strict=True)) == expected


def test_an_empty_index_and_codes_that_are_no_copy_answer_too(index):
    empty = index(np.zeros((0, 8), np.uint8))
    assert [each.shape for each in empty.search(np.zeros((2, 8), np.uint8), 3)] == [(2, 0), (2, 0)]
    assert empty.radius(np.zeros(8, np.uint8), 64)[1].tolist() == []
    wide = np.random.default_rng(0).integers(0, 256, (300, 16), dtype=np.uint8)
    distances, rows = index(wide[::3, 2:10]).search(wide[[3, 6], 2:10], 1)
    assert (distances.tolist(), rows.tolist()) == ([[0], [0]], [[1], [2]])


@pytest.mark.parametrize("bits", [16, 32, 64, 128])
def test_a_multi_index_misses_nothing_and_looks_at_few(bits, monkeypatch):
    draw = np.random.default_rng(bits)
    centres = draw.integers(0, 256, (200, bits // 8), dtype=np.uint8)
    noise = np.packbits(draw.random((40_000, bits)) < 0.05, axis=1)
    codes = centres[draw.integers(0, 200, 40_000)] ^ noise
    looked, own = [], searching.MultiIndex._distances
    monkeypatch.setattr(
        searching.MultiIndex,
        "_distances",
        lambda self, query, rows: (looked.append(len(rows)), own(self, query, rows))[1],
    )
    exact, made = CodeIndex(codes, engine="numpy"), CodeIndex(codes, engine="multi-index")
    near = codes[::2000] ^ np.uint8(1)
    for queries in (near, draw.integers(0, 256, (10, bits // 8), dtype=np.uint8)):
        for k in (1, 10, 300):
            for one, other in zip(made.search(queries, k), exact.search(queries, k), strict=True):
                np.testing.assert_array_equal(one, other)
    looked.clear()
    made.search(near, 10)
    assert sum(looked) < len(near) * len(codes) / 8


def test_what_cannot_be_searched_is_refused(index, monkeypatch):
    made = index(np.zeros((4, 2), np.uint8))
    for call, error, words in (
        (lambda: CodeIndex(np.zeros((4, 2), np.float32)), ShapeError, r"Codes are float32 \(4, 2\)"),
        (lambda: CodeIndex(np.zeros(4, np.uint8)), ShapeError, r"Codes are uint8 \(4,\)"),
        (lambda: CodeIndex(np.zeros((4, 2), np.uint8), engine="annoy"), UsageError, "no engine 'annoy'"),
        (lambda: CodeIndex(np.zeros((4, 3), np.uint8), engine="multi-index"), UsageError, "multiple of 16"),
        (lambda: CodeIndex(np.zeros((4, 2), np.uint8), threads=0), UsageError, "threads is 0"),
        (lambda: made.search(np.zeros((1, 4), np.uint8), 1), ShapeError, "have 2 bytes each"),
        (lambda: made.search(np.zeros((1, 2), np.uint8), 0), UsageError, "k is 0"),
        (lambda: made.radius(np.zeros(2, np.uint8), -1), UsageError, "radius is -1"),
    ):
        with pytest.raises(error, match=words):
            call()
    monkeypatch.setattr(searching, "find_spec", lambda name: None)
    assert CodeIndex(np.zeros((4, 2), np.uint8)).engine == "numpy"
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingExtraError, match="faiss"):
        CodeIndex(np.zeros((4, 2), np.uint8), engine="faiss")

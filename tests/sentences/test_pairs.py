"""Readers of sentence pairs: every published form, and what is wrong named with its file and line."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinema.core.errors import DataError
from kinema.data.sentences import SentencePairs, read_pairs

QUOTED = 'He said "no", twice'


def one(path):
    (pairs,) = read_pairs(path)
    return pairs


def test_a_table_with_commas_has_quotes_as_usual_and_columns_in_any_order(tmp_path):
    file = tmp_path / "pairs.csv"
    with file.open("w", newline="", encoding="utf-8-sig") as out:
        csv.writer(out).writerows(
            [["id", "Score", "sentence2", "sentence1"], [7, 2.5, QUOTED, "a\nb"], [8, "4", "é", "x"]]
        )
    pairs = one(file)
    assert (pairs.first, pairs.second, pairs.scores) == (("a\nb", "x"), (QUOTED, "é"), (2.5, 4.0))
    assert (pairs.name, set(pairs.subsets), len(pairs)) == ("pairs", {"pairs"}, 2)


def test_a_header_may_be_quoted(tmp_path):
    file = tmp_path / "r.csv"
    file.write_text('"sentence1","sentence2","score"\n"a","b",1\n"c","d",2\n')
    assert one(file).second == ("b", "d")


def test_a_table_with_tabs_takes_quotes_as_characters(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text('sentence1\tsentence2\tscore\n"A half\tb, c\t1\r\n\nd\t"e"\t2\n')
    assert (one(file).first, one(file).second) == (('"A half', "d"), ("b, c", '"e"'))


def test_the_benchmark_s_own_form(tmp_path):
    file = tmp_path / "sts-test.csv"
    file.write_text(
        'main-captions\tMSRvid\t2012test\t0024\t2.500\tA "girl.\tA, b.\n'
        "main-news\theadlines\t2015\t10\t4\tx\ty\tlicence\tlicence\n"
    )
    assert one(file).first == ('A "girl.', "x")
    assert one(file).scores == (2.5, 4.0)


def test_sick(tmp_path):
    file = tmp_path / "SICK.txt"
    file.write_text(
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\r\n6\ta b\tc\t3.3\tNEUTRAL\r\n"
    )
    assert (one(file).first, one(file).second, one(file).scores) == (("a b",), ("c",), (3.3,))


def write_year(folder, **subsets):
    folder.mkdir(parents=True)
    for name, rows in subsets.items():
        (folder / f"STS.input.{name}.txt").write_text("".join(f"{a}\t{b}\n" for a, b, _ in rows), encoding="utf-8")
        (folder / f"STS.gs.{name}.txt").write_text("".join(f"{score}\n" for _, _, score in rows))
    return folder


ROWS = [("a", "b", "1.0"), ("c", "d\tsource", ""), ("e\x85f", "g", "3")]


def test_a_year_with_unscored_pairs_and_the_file_that_repeats_all(tmp_path):
    year = write_year(tmp_path / "STS15", news=ROWS, belief=ROWS[:1], ALL=ROWS)
    pairs = one(year)
    assert pairs.subsets == ("belief", "news", "news")
    assert (pairs.first, pairs.second, pairs.scores) == (("a", "a", "e\x85f"), ("b", "b", "g"), (1.0, 1.0, 3.0))
    assert (pairs.skipped, pairs.name) == (1, "STS15")
    assert one(f"sts:{year}") == pairs


def test_a_folder_of_years_gives_each(tmp_path):
    for name in ("STS14", "STS12"):
        write_year(tmp_path / name, news=ROWS)
    (tmp_path / "notes").mkdir()
    assert [pairs.name for pairs in read_pairs(tmp_path)] == ["STS12", "STS14"]


HEADER = "sentence1,sentence2,score\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "a,b,1\n\na,b,c,1\n", "line 4: 4 columns; expected 3, as the header has"),
        (HEADER + "a,b,high\n", "line 2: score is 'high', which is not a number"),
        (HEADER + "a,b,nan\n", "line 2: score is 'nan'"),
        (HEADER + "a,b,1_0\n", "line 2: score is '1_0'"),
        (HEADER + "a,b,\n", "line 2: score is ''"),
        (HEADER + 'a,"b\nc",1\n" ",b,1\n', "line 4: sentence1 is empty"),
        (HEADER + 'a,"b,1\nc,d,2\n', "line 2: unexpected end of data"),
        (HEADER, "holds no pair"),
        ("", "line 1: neither the header"),
        ("a,b,1\n", "line 1: neither the header"),
        ("sentence1\tsentence2\tscore\na\tb\n", "line 2: 2 columns; expected 3, as the header has"),
        ("g\tf\ty\t1\t2.0\ta\tb\ng\tf\ty\t1\t2.0\ta\n", "line 2: 6 columns; expected 7 at least"),
        ("g\tf\ty\t1\tx\ta\tb\n", "line 1: score is 'x'"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_line(tmp_path, text, message):
    file = tmp_path / "pairs.csv"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        read_pairs(file)
    assert message in caught.value.message
    assert "pairs" in caught.value.message


def test_bytes_that_are_not_utf_8_are_named_with_their_line(tmp_path):
    (tmp_path / "pairs.csv").write_bytes(HEADER.encode() + b"caf\xe9,b,1\n")
    with pytest.raises(DataError, match=r"pairs.csv', line 2: not UTF-8"):
        read_pairs(tmp_path / "pairs.csv")


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        read_pairs(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"holds no STS.input.NAME.txt"):
        read_pairs(f"sts:{tmp_path}")
    year = write_year(tmp_path / "STS12", news=ROWS)
    (year / "STS.gs.news.txt").unlink()
    with pytest.raises(DataError, match=r"There is no file '.*STS.gs.news.txt'"):
        read_pairs(year)


def test_files_of_a_year_must_fit(tmp_path):
    year = write_year(tmp_path / "STS12", news=ROWS)
    gold = year / "STS.gs.news.txt"
    gold.write_text("1\n2\n")
    with pytest.raises(DataError, match=r"has 3 lines and 'STS.gs.news.txt' 2"):
        read_pairs(year)
    gold.write_text("1\n\nbad\n")
    with pytest.raises(DataError, match=r"STS.gs.news.txt', line 3: the score is 'bad'"):
        read_pairs(year)
    (year / "STS.input.news.txt").write_text("a\tb\nc\te\nlonely\n")
    gold.write_text("1\n\n2\n")
    with pytest.raises(DataError, match=r"STS.input.news.txt', line 3: 1 column"):
        read_pairs(year)


def test_the_digest_knows_all_that_figures_depend_on_and_nothing_else():
    rows = {"first": ("a", "b"), "second": ("c", "d"), "scores": (1.0, 2.0), "subsets": ("x", "x")}
    base = SentencePairs("one", **rows)
    assert SentencePairs("other", **rows, skipped=3).digest == base.digest
    others = [
        {"first": ("b", "a")},
        {"second": ("c", "e")},
        {"scores": (1.0, 2.5)},
        {"subsets": ("x", "y")},
        {"first": ("c", "d"), "second": ("a", "b")},
    ]
    assert len({SentencePairs("one", **rows | other).digest for other in others} | {base.digest}) == 6


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match=r"different length: \[1, 2\]"):
        SentencePairs("x", ("a",), ("b", "c"), (1.0,), ("x",))


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(WORDS, WORDS, st.floats(-1e6, 1e6)), min_size=1, max_size=5))
def test_any_table_that_csv_writes_is_read_back(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("csv") / "t.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("sentence1", "sentence2", "score"), *rows])
    pairs = one(file)
    assert [*zip(pairs.first, pairs.second, pairs.scores, strict=True)] == [
        (a.strip(), b.strip(), c) for a, b, c in rows
    ]

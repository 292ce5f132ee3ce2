"""Subtitles as they are found: SubRip and WebVTT, tidy or not, to plain text with times; what is wrong is named."""

import logging
import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinema.core.errors import DataError
from kinema.data.subtitles import Cue, Subtitles, claims_subtitles, read_subtitles

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello.\n\n2\n00:00:03,000 --> 00:00:04,000\nGood\nbye.\n"
HELLO = (Cue(1.0, 2.5, "Hello."), Cue(3.0, 4.0, "Good bye."))


def written(tmp_path, text, name="a.srt", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SRT, id="plain"),
        pytest.param(SRT.replace("\n", "\r\n"), id="crlf"),
        pytest.param(SRT.replace("\n", "\r\r\n"), id="crcrlf"),
        pytest.param(SRT.replace("\n", "\r"), id="cr"),
        pytest.param("\ufeff" + SRT, id="bom"),
        pytest.param("\n\n" + SRT.rstrip(), id="no last newline"),
        pytest.param(SRT.replace(",", "."), id="dots"),
        pytest.param(SRT.replace("00:00:", "00:"), id="no hours"),
        pytest.param(SRT.replace("00:00:", "0:0:"), id="one digit"),
        pytest.param(SRT.replace(",000", "").replace(",500", ",5"), id="short fractions"),
        pytest.param(SRT.replace(" --> ", "-->"), id="no space"),
        pytest.param(SRT.replace("00:00:", "00 : 00 : "), id="space in times"),
        pytest.param(SRT.replace("2,500\n", "2,500  X1:100 X2:200 Y1:10 Y2:20\n"), id="coordinates"),
        pytest.param(SRT.replace("2\n00:00:03", "17\n00:00:03"), id="gap in numbers"),
        pytest.param(SRT.replace("1\n00", "00").replace("2\n00:00:03", "00:00:03"), id="no numbers"),
        pytest.param(SRT.replace("Hello.\n\n2", "Hello.\n2"), id="no empty line"),
        pytest.param(SRT.replace("2\n00:00:03", "2\n\n00:00:03"), id="empty line below a number"),
        pytest.param(SRT.replace("Good\n", "Good\n\n"), id="empty line in a text"),
        pytest.param(SRT.replace("Hello.", r"{\an8}<i>Hel<b>lo</b></i>."), id="tags"),
        pytest.param(SRT.replace("Hello.", '<font color="#fff">Hello.</font>'), id="font"),
        pytest.param(SRT.replace("Hello.", "{y:i}Hello.\u200e\u00a0"), id="invisible"),
        pytest.param(SRT.replace("Good\nbye.", r"Good\Nbye."), id="break"),
        pytest.param("WEBVTT\n\n" + SRT, id="webvtt with numbers"),
        pytest.param(
            "WEBVTT - a title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:x\n\nNOTE\nlong --> note\n"
            "of two lines\n\nNOTE short\n\nintro\n00:01.000 --> 00:02.500 align:start\n<v Ann>Hello.</v>\n\n"
            "00:03.000 --> 00:04.000\n<c.yellow>Good</c>\n<00:00:03.500><c> bye.</c>\n",
            id="webvtt",
        ),
        pytest.param(
            "WEBVTT\n00:01.000 --> 00:02.500\nHello.\n00:03.000 --> 00:04.000\nGood bye.\n", id="tight webvtt"
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_cues_are_read_however_they_are_written(text, encoding, tmp_path, caplog):
    assert read_subtitles(written(tmp_path, text, encoding=encoding)) == HELLO
    assert caplog.text == ""


def test_what_is_no_tag_stays_and_entities_become_what_they_mean(tmp_path):
    text = SRT.replace("Hello.", "I &lt;3 you &amp; <3 me, 1 < 2 &#39;{so}&#39; &lt;i&gt;, \u2019n\u0303o")
    assert read_subtitles(written(tmp_path, text))[0].text == "I <3 you & <3 me, 1 < 2 '{so}' <i>, \u2019\u00f1o"


def test_a_number_that_somebody_says_is_text(tmp_path):
    said = ["1\n00:00:01,000 --> 00:00:02,000\nHow many?\n", "2\n00:00:03,000 --> 00:00:04,000\n42\n"]
    text = "\n".join([*said, "00:00:05,000 --> 00:00:06,000\nSo.\n"])
    assert [cue.text for cue in read_subtitles(written(tmp_path, text))] == ["How many?", "42", "So."]


def test_times_mean_what_they_say(tmp_path):
    text = (
        "101:00:00.25 --> 101:00:01\nlong\n\n90:10,123456 --> 90:11,5\nminutes\n\n1:59:60,000 --> 2:00:01,000\nsixty\n"
    )
    assert [(cue.start, cue.end) for cue in read_subtitles(written(tmp_path, text))] == [
        (5410.123456, 5411.5),
        (7200.0, 7201.0),
        (363600.25, 363601.0),
    ]


def test_cues_that_cannot_be_used_are_counted_and_named_and_the_others_are_put_in_order(tmp_path, caplog):
    path = written(
        tmp_path,
        "1\n00:00:09,000 --> 00:00:10,000\nlast\n\n2\n00:00:05,000 --> 00:00:04,000\nback\n\n"
        "3\n00:00:xx,000 --> 00:00:04,000\nnone\n\n4\n00:00:06,000 --> 00:00:06,000\nno time\n\n"
        "5\n-00:00:01,000 --> 00:00:01,000\nbefore\n\n6\n00:00:01,000 --> 00:00:08,000\nfirst\n\n"
        "7\n00:00:02,000 --> 00:00:03,000\n<i> </i>&nbsp;\n\n8\n00:00:02,000 --> 00:00:03,000\nwithin\n",
    )
    with caplog.at_level(logging.WARNING):
        assert [cue.text for cue in read_subtitles(path)] == ["first", "within", "last"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    for said in (
        f"'{path}'",
        "4 cues cannot be used (line 6: it ends at 4 s and begins at 5 s; line 10: '00:00:xx,000 --> 00:00:04,000' is ",
        "line 14: it ends at 6 s and begins at 6 s",
        "line 18: '-00:00:01,000",
        "1 cue without text (line 26)",
        "1 cue earlier than the one before (line 22); put in order",
    ):
        assert said in caplog.text
    found = Subtitles.read(path)
    assert (len(found.left_out), found.empty, found.unordered, found.encoding) == (4, (26,), (22,), "UTF-8")


def test_an_encoding_that_is_guessed_is_said(tmp_path, caplog):
    path = written(tmp_path, SRT.replace("Hello.", "Caf\u00e9 \u201cx\u201d"), encoding="cp1252")
    assert read_subtitles(path)[0].text == "Caf\u00e9 \u201cx\u201d"
    assert "it is not UTF-8 and was read as Windows-1252" in caplog.text
    assert Subtitles.read(path).guessed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "are empty"),
        (b"\xef\xbb\xbf \r\n", "are empty"),
        (b"WEBVTT\n\n", "no line with '-->'"),
        (b"{10}{20}MicroDVD", "no line with '-->'"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", "1 cue without text"),
        (b"1\n00:00:09,000 --> 00:00:02,000\nx\n", "line 2: it ends at 2 s and begins at 9 s"),
        (SRT.encode("utf-16-le"), "NUL"),
        (b"\xff\xfe1", "could not be read"),
    ],
)
def test_a_file_without_a_cue_is_refused_by_name(content, said, tmp_path):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=f"'{re.escape(str(path))}'.*{re.escape(said)}"):
        read_subtitles(path)


def test_no_file_a_folder_and_a_file_without_end_are_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "folder.srt").mkdir()
    for name in ("none.srt", "folder.srt"):
        with pytest.raises(DataError, match=name):
            read_subtitles(tmp_path / name)
    monkeypatch.setattr("kinema.data.subtitles.MOST_BYTES", 20)
    with pytest.raises(DataError, match="20 at most"):
        read_subtitles(written(tmp_path, SRT))


def test_endings():
    assert [claims_subtitles(name) for name in ("a.srt", "b.EN.VTT", "c.txt", "srt")] == [True, True, False, False]


WORDS = st.text(st.sampled_from("abcxyz \u00e9\u4e16'!?\n"), min_size=1, max_size=30).filter(
    lambda text: text.strip() and not re.search(r"\n\s*\n", text.strip("\n")) and not text.startswith("\n")
)
TIMES = st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**5)), min_size=1, max_size=8)


def shown(milliseconds, comma):
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{comma}{rest:03d}"


@pytest.mark.parametrize("text", [" \n?", "\t\n \n?"])
def test_lines_of_spaces_before_a_text_end_no_cue(text, tmp_path):
    path = written(tmp_path, f"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{text}\n\n00:00:03.000 --> 00:00:04.000\nb\n")
    assert [cue.text for cue in read_subtitles(path)] == ["?", "b"]


@given(times=TIMES, data=st.data(), vtt=st.booleans(), numbers=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_read(times, data, vtt, numbers, end, tmp_path):
    texts = [data.draw(WORDS) for _ in times]
    comma = "." if vtt else ","
    blocks = ["WEBVTT"] if vtt else []
    for number, ((start, length), text) in enumerate(zip(times, texts, strict=True)):
        head = f"{number + 1}\n" if numbers else ""
        blocks.append(f"{head}{shown(start, comma)} --> {shown(start + length, comma)}\n{text}")
    path = written(tmp_path, ("\n\n".join(blocks) + "\n").replace("\n", end))
    expected = [
        Cue(start / 1000, (start + length) / 1000, " ".join(text.split()))
        for (start, length), text in zip(times, texts, strict=True)
    ]
    assert list(read_subtitles(path)) == sorted(expected, key=lambda cue: (cue.start, cue.end))


PIECES = st.sampled_from(
    [
        "\n",
        "\r",
        "-->",
        " ",
        "00:01,000",
        "00:02",
        "9",
        "WEBVTT",
        "NOTE",
        "{\\an8}",
        "<i",
        ">",
        "&#x0;",
        "&lt",
        "\0",
        "\u2028",
        "x",
    ]
)


@given(st.one_of(st.lists(PIECES, max_size=40).map(lambda some: "".join(some).encode()), st.binary(max_size=200)))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path, content):
    try:
        cues = read_subtitles(written(tmp_path, content))
    except DataError:
        return
    assert cues == tuple(sorted(cues, key=lambda cue: (cue.start, cue.end)))
    for cue in cues:
        assert 0 <= cue.start < cue.end < math.inf
        assert cue.text == " ".join(cue.text.split()) != ""

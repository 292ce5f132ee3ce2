"""The page in a real browser: a clip is dropped, hits appear, the player opens at their second, the lasso chooses.

Screenshots go to the folder that KINEMA_SCREENSHOTS names, or to pytest's own.
"""

import base64
import contextlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

import kinema
from kinema import serving
from kinema.segmenting.segmentation import Segmentation
from kinema.serving.settings import Settings

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OPTIONS += ["--disable-component-update", "--disable-sync"]
FOUND = "#status:has-text('hits among')"
TOKEN = "a-token-of-some-letters"
NAMES = "(buttons) => buttons.map((each) => each.getAttribute('aria-label'))"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"),
]


@contextlib.contextmanager
def listening(app):
    """An application behind a port of this machine."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    with api.sync_playwright() as player:
        made = player.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def url(serve):
    with listening(serve()) as where:
        yield where


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    where = os.environ.get("KINEMA_SCREENSHOTS")
    folder = Path(where) if where else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def nearest(model, table):
    """The name of what a search without the server finds first."""
    return lambda file: Path(kinema.search(model, file, table=table, device="cpu", k=1).hits[0].video).stem


@pytest.fixture
def visit(browser, url):
    """Opens the page in a window of a size; what it complains of fails the test."""
    complaints = []
    with contextlib.ExitStack() as closing:

        def go(size=(1360, 860), scheme="light", where=url, begins="#hits .card", expects="nothing", **more):
            context = browser.new_context(
                viewport=dict(zip(("width", "height"), size, strict=True)), color_scheme=scheme, **more
            )
            closing.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.on(
                "console",
                lambda said: (
                    complaints.append(said.text)
                    if said.type in ("error", "warning") and expects not in said.text
                    else None
                ),
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda asked: asked.url.startswith((where, "blob:")) or complaints.append(asked.url))
            page.goto(where)
            page.wait_for_selector(begins)
            return page

        yield go
    assert complaints == []


def drop(page, file):
    """Drops a file on the page as a person does."""
    held = page.evaluate_handle(
        """([name, told]) => {
            const held = new DataTransfer();
            const bytes = Uint8Array.from(atob(told), (letter) => letter.charCodeAt(0));
            held.items.add(new File([bytes], name, { type: "video/mp4" }));
            return held;
        }""",
        [file.name, base64.b64encode(file.read_bytes()).decode()],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", event, {"dataTransfer": held})
    page.wait_for_selector(FOUND)


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def until(told, limit=30.0):
    """Waits for a condition."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = told()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to be")


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("light", (1360, 860), "light"), ("dark", (1360, 860), "dark"), ("phone", (390, 844), "light")],
)
def test_from_a_clip_to_its_hits_and_the_map(visit, footage, nearest, shots, name, size, scheme):
    page = visit(size, scheme)
    page.screenshot(path=shots / f"{name}-1-start.png")
    assert overflow(page) == 0
    drop(page, footage / "down/down1.mp4")
    assert page.locator("#hits .card").count() == 24
    assert page.locator("#hits .name").first.text_content() == nearest(footage / "down/down1.mp4")
    assert page.locator("#asked-name").text_content() == "down1.mp4"
    until(lambda: page.locator("#hits video.going").count())
    page.screenshot(path=shots / f"{name}-2-hits.png")
    assert overflow(page) == 0
    page.locator("#hits .open").first.click()
    page.wait_for_selector("#timeline-about:has-text('likeness')")
    least, most = map(float, page.get_attribute("#timeline", "data-scale").split())
    assert most - least >= 0.249, "little is made to look much"
    page.screenshot(path=shots / f"{name}-3-player.png")
    assert page.evaluate(
        "document.querySelector('#player').scrollWidth <= document.querySelector('#player').clientWidth"
    )
    page.keyboard.press("Escape")
    page.click("#tab-map")
    page.wait_for_selector("#map-legend li")
    page.screenshot(path=shots / f"{name}-4-map.png", full_page=True)
    assert overflow(page) == 0
    page.click("#tab-videos")
    page.wait_for_selector("#videos .card")
    assert overflow(page) == 0


def test_the_player_opens_at_the_hits_second(visit, footage):
    page = visit()
    drop(page, footage / "down/down1.mp4")
    card = page.locator("#hits .card", has=page.locator(".name", has_text="film")).first
    begins = float(card.locator(".when").text_content().split(" – ")[0].split(":")[1])
    assert 3.8 <= begins <= 5
    card.locator(".open").click()
    now = until(lambda: page.evaluate("document.querySelector('#video').currentTime"))
    assert begins - 0.1 <= now <= begins + 1.5
    page.evaluate("document.querySelector('#video').pause()")
    page.focus("#timeline")
    before = page.evaluate("document.querySelector('#video').currentTime")
    page.keyboard.press("ArrowLeft")
    until(lambda: page.evaluate("document.querySelector('#video').currentTime") == pytest.approx(before - 1, abs=0.1))


def circle(page, left, right):
    """Draws the lasso around a part of the map, told in shares of its width.

    Returns:
        How many windows are chosen, of how many, and the hits among them: video and second.
    """
    page.click("#tab-map")
    page.wait_for_selector("#map-legend li")
    page.click("#lasso")
    assert page.get_attribute("#lasso", "aria-pressed") == "true"
    box = page.locator("#map").bounding_box()
    low, high = (box["x"] + box["width"] * share for share in (left, right))
    top, bottom = box["y"] + 15, box["y"] + box["height"] - 15
    page.mouse.move(low, top)
    page.mouse.down()
    for x, y in ((high, top), (high, bottom), (low, bottom), (low, top)):
        page.mouse.move(x, y, steps=4)
    with page.expect_response("**/api/search") as answer:
        page.mouse.up()
    hits = answer.value.json()["hits"]
    page.wait_for_selector("#lasso-chip .chip")
    told = page.locator("#lasso-chip .chip").text_content(), page.locator("#map-about").text_content()
    page.click("#tab-hits")
    until(lambda: page.locator("#hits .card").count() == len(hits))
    chosen, total = (int(each.split(":")[1].split()[0].replace(",", "")) for each in told)
    return chosen, total, {(hit["video"], hit["start"]) for hit in hits}


def test_the_lasso_chooses_what_is_searched(visit, footage):
    page = visit()
    drop(page, footage / "down/down1.mp4")
    everything = page.locator("#hits .like").evaluate_all(NAMES)
    parts = []
    for left, right in ((0.02, 0.5), (0.5, 0.98)):
        chosen, total, hits = circle(page, left, right)
        assert 0 < chosen < total
        assert 0 < len(hits) <= min(chosen, len(everything))
        page.keyboard.press("Escape")
        until(lambda: page.locator("#hits .like").evaluate_all(NAMES) == everything)
        page.wait_for_selector("#lasso-chip", state="hidden")
        parts.append(hits)
    assert not parts[0] & parts[1], "a hit is in both halves of the map"


def test_filters_and_the_condition(visit, footage):
    page = visit()
    drop(page, footage / "left/left1.mp4")
    page.locator("#facets .chip", has_text="right").first.click()
    until(
        lambda: (
            set(page.locator("#hits .told").all_text_contents())
            and all(told.startswith("right") for told in page.locator("#hits .told").all_text_contents())
        )
    )
    page.click("#clear")
    until(lambda: page.locator("#clear").is_disabled())
    page.fill("#where", "label = 'down'")
    until(lambda: all(told.startswith("down") for told in page.locator("#hits .told").all_text_contents()))


@pytest.mark.parametrize(("name", "size"), [("wide", (1280, 860)), ("phone", (390, 844))])
def test_a_bad_condition_clears_the_hits_and_names_the_columns_that_a_person_needs(visit, footage, shots, name, size):
    page = visit(size, expects="status of 400")
    drop(page, footage / "left/left1.mp4")
    assert page.locator("#hits .card").count()
    if not page.locator("#where").is_visible():
        page.click("#filters summary")
    page.fill("#where", "labl = 'down'")
    page.wait_for_selector("#where-error:has-text('The columns are: video')")
    assert page.locator("#hits .card").count() == 0
    named = page.inner_text("#where-error").split("The columns are: ")[1].rstrip(".").split(", ")
    assert {"label", "duration"} <= set(named)
    assert "Valid fields" not in page.inner_text("#where-error")
    assert not {"id", "kind", "facts", "model", "settings", "mtime_ns", "vector", "thumbnail"} & set(named)
    page.locator("#clear").scroll_into_view_if_needed()
    page.screenshot(path=shots / f"condition-{name}.png")
    assert overflow(page) == 0
    page.click("#clear")
    page.wait_for_selector(FOUND)
    assert page.locator("#hits .card").count()
    assert not page.locator("#where-error").is_visible()


@pytest.mark.parametrize(("name", "size"), [("wide", (1280, 860)), ("phone", (390, 844))])
def test_the_map_says_that_it_is_loading_and_that_it_failed(visit, shots, name, size):
    page = visit(size, expects="status of 503")
    page.route("**/api/map", lambda route: route.fulfill(status=503, json={"error": {"kind": "s", "message": "Full."}}))
    page.click("#tab-map")
    page.wait_for_selector("#map-wait:has-text('could not be loaded')")
    page.unroute("**/api/map")
    page.route("**/api/map", lambda route: None)  # no answer
    page.click("#tab-hits")
    page.click("#tab-map")
    page.wait_for_selector("#map-wait:has-text('Loading the map')")
    assert page.get_attribute("#map", "aria-busy") == "true"
    page.screenshot(path=shots / f"map-{name}-wait.png")
    page.unroute("**/api/map")
    page.reload()
    page.wait_for_selector("#hits .card")
    page.click("#tab-map")
    page.wait_for_selector("#map-legend li")
    assert not page.locator("#map-wait").is_visible()
    page.screenshot(path=shots / f"map-{name}.png")


def test_a_clip_by_the_keyboard_alone(visit, footage, nearest):
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("left2")
    until(lambda: page.locator("#videos .name").all_text_contents() == ["left2"])
    page.locator("#videos .open").focus()
    page.keyboard.press("s")
    page.wait_for_selector(FOUND)
    first = nearest(footage / "left/left2.mp4")
    assert page.locator("#hits .name").first.text_content() == first
    page.locator("#hits .open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#player[open]")
    page.keyboard.press("p")
    until(lambda: first in page.text_content("#player-name"))
    page.keyboard.press("Escape")
    page.wait_for_selector("#player", state="hidden")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")


def test_everything_that_can_be_pressed_has_a_name(visit, footage):
    page = visit()
    drop(page, footage / "left/left1.mp4")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, canvas, video:not([aria-hidden])")]
            .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim() || each.labels?.length
                || each.id === "video"))
            .map((each) => each.outerHTML)"""
    )
    assert nameless == []


def test_a_video_that_no_browser_plays_says_so(visit, shots):
    page = visit()
    page.click("#tab-videos")
    page.fill("#contains", "old.avi")
    until(lambda: page.locator("#videos .name").all_text_contents() == ["old"])
    page.locator("#videos .open").click()
    page.wait_for_selector("#unplayable:has-text('cannot play this video (mpeg4 in avi)')")
    assert page.locator("#still").is_visible()
    until(lambda: page.evaluate("document.querySelector('#still').naturalWidth"))
    page.screenshot(path=shots / "unplayable.png")


PLAYED = "(() => { const it = document.querySelector('#video'); return it.paused ? -1 : it.currentTime; })()"


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("steps-light", (1280, 860), "light"), ("steps-dark", (1280, 860), "dark"), ("steps-phone", (390, 844), "light")],
)
def test_a_step_is_named_and_jumped_to(visit, model, table, file, shots, name, size, scheme):
    with listening(serving.app(model, table=table, segments=file, device="cpu")) as where:
        page = visit(size, scheme, where, expects="status of 400")
        page.keyboard.press("t")
        page.wait_for_selector("#segmented li >> nth=1")
        until(lambda: page.locator("#steps video.going").count() == 2)
        page.screenshot(path=shots / f"{name}-1-view.png", full_page=True)
        assert overflow(page) == 0
        assert page.locator("#steps h3").all_text_contents() == ["step 1", "hold still"]
        assert "old.avi: it is too old" in page.text_content("#left-out ul")

        page.click("#steps .rename >> nth=0")
        page.keyboard.type("hold still")
        page.keyboard.press("Enter")
        page.wait_for_selector("#steps .error:has-text('Two steps would be called')")
        page.fill("#steps .naming input", "<b>pick up</b>")
        page.keyboard.press("Enter")
        until(lambda: page.locator("#steps h3").all_text_contents() == ["<b>pick up</b>", "hold still"])
        assert Segmentation.read(file).titles[1] == "<b>pick up</b>"

        page.get_by_role("button", name="Open videos/films/film.mp4, 3 segments").click()
        page.wait_for_selector("#steps-list li >> nth=2")
        rows = page.locator("#steps-list button")
        assert [each.split(" ", 1)[0] for each in rows.all_text_contents()] == [
            "0:00.0<b>pick",
            "0:02.0hold",
            "0:04.0<b>pick",
        ]
        rows.nth(1).click()
        until(lambda: 2 <= page.evaluate(PLAYED) < 4)
        until(lambda: rows.nth(1).get_attribute("aria-current") == "true")
        page.evaluate("document.querySelector('#video').pause()")
        page.screenshot(path=shots / f"{name}-2-player.png")
        assert (
            page.evaluate(
                "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('#player'))"
            )
            <= 0
        )
        page.focus("#steps-bar")
        page.keyboard.press("ArrowRight")
        until(lambda: page.evaluate(PLAYED) >= 4)
        assert page.get_attribute("#steps-bar", "aria-valuetext").startswith("<b>pick up</b>, 0:04.0")
        page.evaluate("document.querySelector('#video').pause()")

        page.click("#steps-now .rename")
        page.keyboard.press("Escape")
        assert page.locator("#player[open] #steps-now .rename").is_visible(), "only the form was left"
        page.click("#steps-now .rename")
        page.keyboard.type("push in")
        page.keyboard.press("Enter")
        until(lambda: rows.nth(2).text_content() == "0:04.0push in")
        assert page.evaluate("document.activeElement.className") == "rename"
        page.keyboard.press("Escape")
        page.wait_for_selector("#player", state="hidden")
        assert page.locator("#steps h3").all_text_contents() == ["push in", "hold still"]


def test_a_hit_shows_its_steps_and_a_video_without_steps_none(visit, model, table, file):
    with listening(serving.app(model, table=table, segments=file, device="cpu")) as where:
        page = visit(where=where)
        page.get_by_role("button", name="Open films/film.mp4").click()
        page.wait_for_selector("#steps-list li >> nth=2")
        page.wait_for_selector("#timeline-about:has-text('Below: clusters')")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Open left/left1.mp4").click()
        page.wait_for_selector("#timeline-about:has-text('Below: clusters')")
        assert not page.locator("#steps-side").is_visible()
        assert not page.locator("#steps-strip").is_visible()


def test_steps_without_a_table_are_the_whole_page(visit, file, tmp_path, shots):
    place = tmp_path / "run/segments/segments.json"
    place.parent.mkdir(parents=True)
    shutil.move(file, place)
    settings = Settings(read_only=True)
    with listening(serving.app(tmp_path / "run", settings=settings)) as where:
        page = visit((1280, 860), where=where, begins="#segmented li")
        assert page.locator("[role=tab]:visible").all_text_contents() == ["Steps"]
        assert page.locator("#steps .rename").count() == 0
        until(lambda: page.locator("#steps video.going").count() == 2)
        page.screenshot(path=shots / "steps-alone.png")
        assert not page.locator("aside").is_visible()
        bar = page.locator("#segmented .steps-bar >> nth=1").bounding_box()
        page.mouse.click(bar["x"] + bar["width"] * 5 / 7, bar["y"] + 5)
        until(lambda: page.evaluate(PLAYED) >= 4)
        assert not page.locator("#player-search").is_visible()
        assert not page.locator("#timeline").is_visible()
        page.screenshot(path=shots / "steps-alone-player.png")
        page.keyboard.press("s")
        page.keyboard.press("Escape")
        page.keyboard.press("m")
        assert page.locator("#view-steps").is_visible()


def test_the_token_is_asked_for(browser, serve, shots):
    context = browser.new_context()
    with listening(serve(token=TOKEN)) as url:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#token[open]")
        page.fill("#token-text", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#token-error:has-text('not the token')")
        page.screenshot(path=shots / "token.png")
        page.fill("#token-text", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#hits .card")
        until(lambda: page.locator("#hits video.going").count())
    context.close()


def test_the_operations_are_listed(browser, url, shots):
    page = browser.new_page()
    page.goto(f"{url}docs")
    page.wait_for_selector(".operation")
    assert page.locator("#operations .operation").count() == 17
    page.screenshot(path=shots / "docs.png")
    page.close()


def test_words_find_pictures_and_footage_plays_from_its_moment(visit, footage, tmp_path, browser):
    from searching_pairs import reader_of, write_colours

    data = write_colours(tmp_path / "colours", head="image,text,labels,source,at")
    shutil.copy(footage / "films/film.mp4", data / "film.mp4")
    lines = (data / "pairs.csv").read_text("utf-8").replace("shelf 0", "").replace("shelf 1", "")
    (data / "pairs.csv").write_text(f"{lines}film.mp4,a dark one,film,film.mp4,4.4\n", "utf-8")
    reader = reader_of(tmp_path / "run")
    kinema.embed(reader, data, out=tmp_path / "index", device="cpu")
    app = serving.app(reader, table=tmp_path / "index", device="cpu")
    with listening(app) as where:
        page = visit(where=where, begins="#words-text")
        assert page.inner_text("#summary").startswith("13 pictures · 13 texts")
        page.fill("#words-text", "something red")
        page.press("#words-text", "Enter")
        page.wait_for_selector(FOUND)
        first = page.locator("#hits .card").first
        assert "red" in first.locator(".told").inner_text()
        assert page.evaluate("document.querySelector('#hits img').decode().then(() => true)")
        first.locator(".open").click()
        page.wait_for_selector("#picture[open]")
        assert page.evaluate("document.getElementById('picture-whole').decode().then(() => true)")
        page.keyboard.press("Escape")
        page.locator("#hits .open[aria-label*='film.mp4']").click()
        page.wait_for_selector("#player[open]")
        page.wait_for_function("document.getElementById('video').currentTime >= 4.4")
        page.keyboard.press("Escape")
        page.locator("#hits .like").first.click()
        page.wait_for_selector(FOUND)
        page.check("[name=over][value=texts]", force=True)
        page.wait_for_selector("#hits .words-face")
        assert overflow(page) <= 0


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("ask-light", (1280, 860), "light"), ("ask-dark", (1280, 860), "dark"), ("ask-phone", (390, 844), "light")],
)
def test_a_question_gets_a_bar_an_option_and_the_video_jumps(visit, answering, shots, name, size, scheme):
    from made_questions import things_of

    at = "document.querySelector('#ask-video').currentTime"
    app = serving.app(answering / "run", videos=answering / "data/videos", device="cpu")
    with listening(app) as where:
        page = visit(size, scheme, where, begins="#ask-videos button", expects="status of 400")
        assert page.inner_text("#summary") == "2 videos · answers by video-qa"
        assert not page.locator("aside").is_visible()
        assert page.locator("[role=tab]:visible").count() == 0
        page.screenshot(path=shots / f"{name}-1-start.png")
        page.fill("#ask-contains", "v3")
        until(lambda: page.locator("#ask-videos button").all_text_contents() == ["v3.mp4"])
        page.locator("#ask-videos button").click()
        assert page.inner_text("#ask-beside") == "Beside it: features of frames, subtitles."
        page.fill("#ask-question", "What do they do in the garden?")
        page.fill("#ask-options", "jump\n")
        page.click("#ask-send")
        page.wait_for_selector("#status:has-text('two options or more')")
        page.fill("#ask-options", "jump\nJump")
        page.click("#ask-send")
        page.wait_for_selector("#status:has-text('stands twice')")
        page.fill("#ask-options", "<b>jump</b>\nturn\nbow\nkick\nwave\nsit")
        page.press("#ask-options", "Control+Enter")
        page.wait_for_selector("#ask-shares li >> nth=5")
        assert page.locator("#ask-shares .chosen .share-option").text_content() == things_of(3)[1]
        shares = [float(each.split()[0]) for each in page.locator("#ask-shares .share").all_text_contents()]
        assert sum(shares) == pytest.approx(100, abs=0.5)
        widths = page.locator("#ask-shares .share-bar span").evaluate_all(
            "(bars) => bars.map((bar) => bar.clientWidth / bar.parentElement.clientWidth)"
        )
        assert max(widths) == pytest.approx(max(shares) / 100, abs=0.02)
        assert page.inner_text("#ask-play") == "0:02.0 – 0:04.0"
        assert things_of(3)[1] in page.inner_text("#ask-said")
        until(lambda: 2 <= page.evaluate(at) <= 4.5)
        mark, line = (page.locator(each).bounding_box() for each in ("#ask-mark", "#ask-line"))
        assert (mark["x"] - line["x"]) / line["width"] == pytest.approx(0.25, abs=0.02)
        assert mark["width"] / line["width"] == pytest.approx(0.25, abs=0.02)
        until(lambda: page.evaluate(f"{at} >= 4 && document.querySelector('#ask-video').paused"))
        assert page.evaluate(at) < 5, "it stops where the stretch ends"
        page.screenshot(path=shots / f"{name}-2-answer.png", full_page=True)
        assert overflow(page) == 0

        page.fill("#ask-contains", "")
        page.get_by_role("button", name="show/bare.mp4").click()
        assert not page.locator("#ask-answer").is_visible()
        assert page.inner_text("#ask-beside") == "No subtitles or stored features lie beside it."
        page.click("#ask-send")
        page.wait_for_selector("#ask-notes li:has-text('answered without')")
        page.screenshot(path=shots / f"{name}-3-missing.png", full_page=True)
        assert overflow(page) == 0

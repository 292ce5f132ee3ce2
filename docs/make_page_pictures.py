"""Makes the pictures of the page of ``kinema serve``: hits, the player and the map, from a run that has a table.

    kinema demo
    kinema embed kinema-demo/runs/cpr-motion kinema-demo/mocap-15/train
    kinema cluster kinema-demo/runs/cpr-motion -k 12 --over windows
    python docs/make_page_pictures.py kinema-demo/runs/cpr-motion kinema-demo/mocap-15/test/matched/cartwheel/CLIP.mp4

Needs the extras kinema[serve,test] and Chromium. ``--table`` names a table elsewhere.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import threading
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from kinema import serving

HERE = Path(__file__).parent / "images"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SIZE = {"width": 1280, "height": 800}


def opened(browser: Browser, url: str, clip: Path, scheme: str) -> Page:
    """The page with a clip that was searched with."""
    page = browser.new_context(viewport=SIZE, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    page.goto(url)
    page.wait_for_selector("#hits .card")
    page.set_input_files("#file", clip)
    page.wait_for_selector("#status:has-text('hits among')")
    page.wait_for_selector("#hits video.going")
    page.wait_for_timeout(3000)
    return page


def keep(page: Page, name: str) -> None:
    """What the window shows, as small a file as it can be without a loss."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(HERE / name, optimize=True)


def main() -> None:
    """Writes serve-hits.png, serve-player.png and serve-map.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--table", type=Path, default=None)
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with socket.create_server(("127.0.0.1", 0)) as listener, sync_playwright() as player:
        server = uvicorn.Server(uvicorn.Config(serving.app(asked.run, table=asked.table), log_level="warning"))
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        browser = player.chromium.launch(executable_path=chromium, args=OPTIONS)
        page = opened(browser, url, asked.clip, "light")
        keep(page, "serve-hits.png")
        page.locator("#hits .open").first.click()
        page.wait_for_selector("#timeline-about:has-text('likeness')")
        page.wait_for_timeout(1200)
        keep(page, "serve-player.png")
        page = opened(browser, url, asked.clip, "dark")
        page.click("#tab-map")
        page.wait_for_selector("#map-legend li")
        page.wait_for_timeout(500)
        keep(page, "serve-map.png")
        browser.close()
        server.should_exit = True


if __name__ == "__main__":
    main()

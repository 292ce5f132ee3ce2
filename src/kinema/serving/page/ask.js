// Questions about a video: one is picked, a question and options are written, and each option gets its share. The video
// jumps to the stretch that was looked at most.

import * as api from "./api.js";
import { by, clock, count, lastPart, make, many } from "./dom.js";

const PAGE = 60;
const BESIDE = { frames: "features of frames", subtitles: "subtitles", objects: "labels of objects" };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class AskPage {
  // say: tells a line; wrong: tells a problem.
  constructor({ say, wrong }) {
    Object.assign(this, { say, wrong, shown: 0, picked: null, stretch: null, until: null });
    this.video = by("ask-video");
    let later = 0;
    by("ask-contains").addEventListener("input", () => { clearTimeout(later); later = setTimeout(() => this.list(false), 200); });
    by("ask-more").addEventListener("click", () => this.list(true));
    by("ask-form").addEventListener("submit", (event) => { event.preventDefault(); this.ask(); });
    by("ask-options").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); by("ask-form").requestSubmit(); }
    });
    by("ask-play").addEventListener("click", () => this.play());
    by("ask-mark").addEventListener("click", () => this.play());
    this.video.addEventListener("loadedmetadata", () => this.draw());
    this.video.addEventListener("timeupdate", () => {
      by("ask-hand").style.left = `${Math.min(100, (this.video.currentTime / this.video.duration) * 100)}%`;
      if (this.until === null || this.video.currentTime < this.until) return;
      this.until = null;
      this.video.pause();
    });
    // Whoever seeks or plays by hand is not held at the stretch's end.
    for (const each of ["pointerdown", "keydown"]) this.video.addEventListener(each, () => { this.until = null; });
    this.video.addEventListener("error", () => {
      if (!this.video.getAttribute("src")) return;
      this.video.parentElement.hidden = true;
      by("ask-unplayable").hidden = false;
      this.draw();
    });
  }

  // What other pages have and this one has not is hidden.
  open(archive) {
    document.title = "kinema: ask about a video";
    document.body.classList.add("ask-alone");
    for (const name of ["hits", "map", "videos", "steps"]) by(`tab-${name}`).hidden = true;
    document.querySelector("nav[role=tablist]").hidden = true;
    document.querySelector("aside").hidden = true;
    by("view-hits").hidden = true;
    by("show-keys").hidden = true;
    by("view-ask").hidden = false;
    by("ask-form").after(by("status")); // where whoever asks is looking
    by("summary").textContent = `${many(archive.videos, "video")} · answers by ${archive.encoder}`;
    return this.list(false);
  }

  async list(more) {
    this.listing?.abort();
    const mine = this.listing = new AbortController();
    try {
      const found = await api.videos(by("ask-contains").value.trim(), more ? this.shown : 0, PAGE, mine.signal);
      if (this.listing !== mine) return;
      if (!more) { by("ask-videos").replaceChildren(); this.shown = 0; }
      this.shown += found.videos.length;
      by("ask-videos").append(...found.videos.map((video) => this.row(video)));
      by("ask-count").textContent = `${many(found.total, "video")}${this.shown < found.total ? `, ${count(this.shown)} shown` : ""}`;
      by("ask-more").hidden = this.shown >= found.total;
      if (!this.picked && found.videos.length) this.pick(found.videos[0]);
    } catch (problem) { this.wrong(problem); }
  }

  row(video) {
    const button = make("button", { type: "button", className: "name", title: video.name, onclick: () => this.pick(video) }, video.name);
    button.dataset.id = video.id;
    if (video.id === this.picked?.id) button.setAttribute("aria-current", "true");
    return make("li", {}, button);
  }

  pick(video) {
    this.picked = video;
    for (const each of by("ask-videos").querySelectorAll("button")) {
      if (each.dataset.id === video.id) each.setAttribute("aria-current", "true"); else each.removeAttribute("aria-current");
    }
    by("ask-name").textContent = lastPart(video.name);
    by("ask-name").title = video.name;
    by("ask-beside").textContent = video.beside.length
      ? `Beside it: ${video.beside.map((each) => BESIDE[each]).join(", ")}.` : "No subtitles or stored features lie beside it.";
    by("ask-unplayable").hidden = true;
    this.video.parentElement.hidden = false;
    this.video.src = api.file(video.id);
    this.stretch = this.until = null;
    by("ask-answer").hidden = true;
    this.draw();
    this.say("");
  }

  async ask() {
    const { picked } = this;
    const question = by("ask-question").value.trim();
    const options = by("ask-options").value.split("\n").map((each) => each.trim()).filter(Boolean);
    if (!picked) { this.say("Pick a video first.", { error: true }); return; }
    if (options.length < 2) {
      this.say("Write two options or more, one a line.", { error: true });
      by("ask-options").focus();
      return;
    }
    this.say("Answering…", { busy: true });
    by("ask-send").disabled = true;
    try {
      const answer = await api.askAbout({ video: picked.id, question, options });
      if (this.picked === picked) this.show(answer);
    } catch (problem) { if (this.picked === picked) this.wrong(problem); } finally { by("ask-send").disabled = false; }
  }

  show({ options, shares, chosen, start, end, said, notes, seconds }) {
    this.say(`Answered in ${Math.max(1, Math.round(seconds * 1000))} ms.`);
    by("ask-answer").hidden = false;
    by("ask-shares").replaceChildren(...options.map((option, n) => {
      const bar = make("span", { className: "share-bar", "aria-hidden": "true" }, make("span", {}));
      bar.firstChild.style.width = `${shares[n] * 100}%`;
      return make("li", { className: n === chosen ? "chosen" : "" },
        make("span", { className: "share-option", textContent: option }),
        make("span", { className: "share", textContent: `${(shares[n] * 100).toFixed(1)} %` }), bar);
    }));
    by("ask-notes").replaceChildren(...notes.map((note) => make("li", { className: "callout", textContent: note })));
    this.stretch = start === null ? null : [start, end];
    by("ask-alone").hidden = start !== null;
    by("ask-where").hidden = start === null;
    by("ask-said").replaceChildren(...said.map((line) => make("li", {},
      make("span", { className: "soft", textContent: clock(line.start) }), " ", line.text)));
    if (this.stretch) by("ask-play").textContent = `${clock(start)} – ${clock(end)}`;
    this.draw();
    this.play();
    by("ask-answer").scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
  }

  // The stretch on the line of the whole video.
  draw() {
    const length = this.video.duration;
    const there = this.stretch !== null && Number.isFinite(length) && !this.video.parentElement.hidden;
    by("ask-line").hidden = !there;
    if (!there) return;
    const [start, end] = this.stretch;
    by("ask-mark").style.left = `${Math.min(100, (start / length) * 100)}%`;
    by("ask-mark").style.width = `${(Math.min(end, length) - Math.min(start, length)) / length * 100}%`;
    by("ask-mark").setAttribute("aria-label", `Play from ${clock(start)} to ${clock(end)}`);
  }

  // From the stretch's beginning to its end; where things should keep still, it only goes there.
  play() {
    if (!this.stretch || this.video.parentElement.hidden) return;
    if (this.video.readyState < 1) {
      this.video.addEventListener("loadedmetadata", () => this.play(), { once: true });
      return;
    }
    const [start, end] = this.stretch;
    this.video.currentTime = start;
    this.until = end;
    if (!calm.matches) this.video.play().catch(() => {});
  }
}

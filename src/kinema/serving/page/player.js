// One video, opened at a moment: it plays, or shows its pictures where the browser cannot play it.

import * as api from "./api.js";
import { by, clock, typing } from "./dom.js";
import { Stretches } from "./steps.js";
import { Timeline } from "./timeline.js";

export class Player {
  // asks: the query whose likeness is shown, or null; step: opens the next or the hit before; search: with a stretch;
  // steps: those of the archive.
  constructor({ asks, step, search, steps }) {
    this.dialog = by("player");
    this.video = by("video");
    this.still = by("still");
    this.asks = asks;
    this.steps = steps;
    this.stretches = new Stretches(steps, (time) => this.jump(time));
    this.timeline = new Timeline(by("timeline"), (time) => this.seek(time));
    by("steps-now").addEventListener("focusin", (event) => { if (typing(event)) this.video.pause(); });
    by("player-close").addEventListener("click", () => this.dialog.close());
    by("player-prev").addEventListener("click", () => step(-1));
    by("player-next").addEventListener("click", () => step(1));
    by("mark-start").addEventListener("click", () => this.mark(0));
    by("mark-end").addEventListener("click", () => this.mark(1));
    by("player-search").addEventListener("click", () => {
      const [start, end] = this.timeline.marks;
      this.dialog.close();
      const whole = start === null && end === null;
      search(this.about, whole ? null : { start: start ?? 0, end: end ?? this.length });
    });
    this.dialog.addEventListener("close", () => this.stop());
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("keydown", (event) => this.key(event, step));
    for (const event of ["timeupdate", "seeked"]) this.video.addEventListener(event, () => this.at(this.video.currentTime));
    this.video.addEventListener("error", () => { if (this.video.getAttribute("src")) this.unplayable(); });
  }

  get length() { return this.timeline.length; }

  at(time) {
    this.timeline.at(time);
    this.stretches.at(time);
  }

  // about.indexed is false for a video that has steps and is not in the table: it cannot be searched with.
  async open(about, { first, last, hits }) {
    this.about = about;
    const from = about.start ?? 0;
    by("player-name").textContent = about.name;
    by("player-about").textContent = this.told(about);
    by("unplayable").hidden = true;
    by("player-prev").parentElement.hidden = !hits;
    by("player-prev").disabled = first;
    by("player-next").disabled = last;
    const indexed = about.indexed !== false;
    for (const each of [by("timeline").parentElement, by("mark-start").parentElement, by("player-search")]) each.hidden = !indexed;
    this.timeline.marks = [null, null];
    this.label();
    this.video.hidden = false;
    this.still.hidden = true;
    this.timeline.show(null, about.end ?? 0.001, null);
    this.stretches.show(null);
    this.at(from);
    if (!this.dialog.open) this.dialog.showModal();
    if (indexed) this.video.poster = api.thumbnail(about.id, about.frame); else this.video.removeAttribute("poster");
    this.video.src = api.file(about.id);
    this.video.addEventListener("loadedmetadata", () => {
      this.video.currentTime = from;
      this.video.play().catch(() => {});
    }, { once: true });
    if (this.steps.there) this.divide(about);
    if (!indexed) return;
    const asked = this.asks();
    try {
      const [facts, windows] = await Promise.all([api.video(about.id), api.timeline(about.id, asked)]);
      if (this.about !== about) return;
      this.facts = facts;
      by("player-about").textContent = this.told({ ...about, ...facts, start: about.start, end: about.end });
      this.timeline.show(windows, facts.duration, about.score === undefined ? null : [about.start, about.end]);
      this.at(this.video.currentTime || from);
      this.legend(windows);
      if (!by("unplayable").hidden) this.unplayable();
    } catch (problem) {
      by("timeline-about").textContent = problem.message;
    }
  }

  // Shows the steps of the video, if it has some.
  async divide(about) {
    try {
      const [found] = (await api.segments(about.id)).videos;
      if (this.about !== about || !found) return;
      if (about.indexed === false) this.timeline.show(null, found.duration, null);
      this.stretches.show(found);
      this.stretches.at(this.video.currentTime || about.start || 0);
    } catch (problem) {
      if (!("status" in problem)) throw problem;
      by("player-about").textContent = `${problem.message} ${problem.hint}`;
    }
  }

  told(about) {
    const parts = [about.label, about.cluster_name];
    if (about.width) parts.push(`${about.width} × ${about.height}`);
    if (about.fps) parts.push(`${Math.round(about.fps * 100) / 100} frames a second`);
    if (about.codec) parts.push(about.codec);
    if (about.score !== undefined) parts.unshift(`score ${about.score.toFixed(3)} at ${clock(about.start)} – ${clock(about.end)}`);
    return parts.filter(Boolean).join(" · ");
  }

  legend(windows) {
    const box = by("timeline-about");
    const { low, high } = this.timeline;
    const likeness = windows.score?.length
      ? `Above: likeness to the query, ${low.toFixed(3)} to ${high.toFixed(3)}${this.timeline.high - this.timeline.low < 0.25 ? ", which is little: the height stands for .25" : ""}.`
      : "Search first, and the likeness to the query is shown here.";
    const clusters = windows.cluster.some((each) => each !== null) ? "Below: clusters." : "Not clustered yet: kinema cluster RUN.";
    box.replaceChildren(Object.assign(document.createElement("span"), { textContent: `${likeness} ${clusters}` }),
      Object.assign(document.createElement("span"), { textContent: clock(this.length) }));
  }

  seek(time) {
    if (by("unplayable").hidden) this.video.currentTime = time;
    else this.picture(time);
    this.at(time);
  }

  jump(time) {
    this.seek(time);
    if (by("unplayable").hidden) this.video.play().catch(() => {});
  }

  mark(which) {
    const marks = [...this.timeline.marks];
    marks[which] = this.timeline.now;
    if (marks[0] !== null && marks[1] !== null && marks[1] <= marks[0]) marks[1 - which] = null;
    this.timeline.marks = marks;
    this.timeline.draw();
    this.label();
  }

  label() {
    const [from, to] = this.timeline.marks;
    by("player-search").textContent = from === null && to === null
      ? "Search with this video" : `Search with ${clock(from ?? 0)} – ${clock(to ?? this.length)}`;
  }

  // The codec, the container, or the file itself: the page says so and shows what it has.
  unplayable() {
    const facts = this.facts && this.facts.id === this.about.id ? this.facts : null;
    const what = facts?.codec ? ` (${facts.codec} in ${facts.name.slice(facts.name.lastIndexOf(".") + 1) || "its container"})` : "";
    const indexed = this.about.indexed !== false;
    by("unplayable").textContent = `This browser cannot play this video${what}.${indexed ? " You see a picture of each window instead: choose one on the timeline." : ""}`;
    by("unplayable").hidden = false;
    this.video.hidden = true;
    this.still.hidden = !indexed;
    this.picture(this.timeline.now || this.about.start || 0);
  }

  picture(time) {
    this.timeline.now = time;
    if (this.about.indexed === false) return;
    const { windows } = this.timeline;
    const frame = windows?.frame.length ? windows.frame[this.timeline.window(time)] : this.about.frame;
    this.still.src = api.thumbnail(this.about.id, frame);
    this.still.alt = `${this.about.name} at ${clock(time)}`;
  }

  stop() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.still.removeAttribute("src");
  }

  key(event, step) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
    const now = this.timeline.now;
    const done = {
      n: () => { if (!by("player-next").disabled) step(1); },
      p: () => { if (!by("player-prev").disabled) step(-1); },
      s: () => { if (!by("player-search").hidden) by("player-search").click(); },
      "[": () => { if (!by("player-search").hidden) this.mark(0); },
      "]": () => { if (!by("player-search").hidden) this.mark(1); },
    }[event.key.toLowerCase()];
    const onVideo = event.target === this.video;
    if (done) done();
    else if (event.key === "ArrowLeft") this.seek(Math.max(0, now - 1));
    else if (event.key === "ArrowRight") this.seek(Math.min(this.length, now + 1));
    else if (event.key === " " && event.target.tagName !== "BUTTON" && !onVideo) {
      if (this.video.paused) this.video.play().catch(() => {}); else this.video.pause();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

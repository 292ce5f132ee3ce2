// The steps of videos: what they are called, which a click changes, what they look like, and where in a video each is.

import * as api from "./api.js";
import { clear, media } from "./cards.js";
import { group } from "./colours.js";
import { by, clock, count, icon, lastPart, make, many } from "./dom.js";

const PEN = "M4 20l1-4L16.5 4.5l3 3L8 19z";
const PAGE = 48;
const MOST_APART = 150; // segments of a bar between which there is a line

function dot(number) {
  const made = make("span", { className: "dot" });
  made.style.background = group(number - 1);
  return made;
}

// What the server knows of the steps; whoever shows a name listens for 'named'.
export class Steps extends EventTarget {
  constructor() {
    super();
    this.all = new Map();
    this.writable = false;
    this.problem = null;
  }

  get there() { return this.all.size > 0; }

  async load() {
    this.problem = null;
    try {
      const { steps, videos, left_out: left, writable } = await api.steps();
      this.all = new Map(steps.map((step) => [step.number, step]));
      Object.assign(this, { videos, left, writable });
    } catch (problem) {
      if (!("status" in problem)) throw problem;
      this.problem = problem;
    }
  }

  title(number) { return this.all.get(number)?.title ?? `step ${number}`; }

  async rename(number, name) {
    const step = await api.nameStep(number, name);
    this.all.set(number, step);
    this.dispatchEvent(new CustomEvent("named", { detail: number }));
  }

  // A step's name: a button, where it can be changed, that gives way to a form. Whether it follows what is done
  // elsewhere: what is made again anyway need not.
  name(number, { follow = false } = {}) {
    const box = make("span", { className: "step-name" });
    const shown = () => {
      const title = this.title(number);
      box.replaceChildren(this.writable
        ? make("button", { type: "button", className: "rename", title: "Name this step", "aria-label": `Name ${title}`, onclick: form },
          make("span", { textContent: title }), icon(PEN))
        : make("span", { textContent: title }));
    };
    const back = () => {
      shown();
      box.firstChild.focus();
      this.dispatchEvent(new Event("closed"));
    };
    const form = () => {
      const text = make("input", { type: "text", maxLength: 200, value: this.all.get(number).name, placeholder: `step ${number}`, "aria-label": `Name of step ${number}`, autocomplete: "off" });
      const wrong = make("p", { className: "error small", role: "alert", hidden: true });
      const save = async (event) => {
        event.preventDefault();
        try {
          await this.rename(number, text.value);
          back();
        } catch (problem) {
          if (!("status" in problem)) throw problem;
          wrong.textContent = `${problem.message} ${problem.hint}`;
          wrong.hidden = false;
          text.focus();
        }
      };
      const keys = (event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        back();
      };
      box.replaceChildren(make("form", { className: "naming", onsubmit: save, onkeydown: keys }, text,
        make("button", { type: "submit", className: "primary", textContent: "Save" }),
        make("button", { type: "button", textContent: "Cancel", onclick: back }), wrong));
      text.focus();
      text.select();
    };
    if (follow) this.addEventListener("named", ({ detail }) => { if (detail === number && !box.querySelector("form")) shown(); });
    shown();
    return box;
  }
}

// Draws a video's segments as bars: start, end and step are columns; each bar says what it is when it is pointed at.
function draw(box, steps, { start, end, step, duration }) {
  box.classList.toggle("dense", start.length > MOST_APART);
  box.replaceChildren(...start.map((from, n) => {
    const bar = make("span", { title: `${steps.title(step[n])}, ${clock(from)} – ${clock(end[n])}` });
    bar.style.left = `${(from / duration) * 100}%`;
    bar.style.width = `${((end[n] - from) / duration) * 100}%`;
    bar.style.background = group(step[n] - 1);
    bar.dataset.at = n;
    return bar;
  }));
}

// The bars under the player's video, and the list beside it.
export class Stretches {
  // jump: goes to a second and plays.
  constructor(steps, jump) {
    Object.assign(this, { steps, jump, video: null, now: null });
    this.bar = by("steps-bar");
    this.list = by("steps-list");
    this.bar.addEventListener("click", (event) => {
      const box = this.bar.getBoundingClientRect();
      jump(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.video.duration);
    });
    this.bar.addEventListener("keydown", (event) => {
      const last = this.video.start.length - 1;
      const to = { ArrowLeft: this.before(), ArrowRight: this.after(), Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.go(Math.max(0, Math.min(last, to)));
    });
    this.list.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const rows = [...this.list.querySelectorAll("button")];
      rows[rows.indexOf(event.target) + step]?.focus();
    });
    steps.addEventListener("named", () => { if (this.video) this.show(this.video); });
    // While a name was typed, the video may have gone on to another step.
    steps.addEventListener("closed", () => {
      const here = by("player").open && !by("player").contains(document.activeElement.closest("button, input"));
      if (this.video) { this.now = null; this.at(this.time); }
      if (here) by("steps-now").querySelector("button")?.focus();
    });
  }

  // video: with its segments, or null where it has none.
  show(video) {
    const time = this.video === video ? this.time : 0;
    this.video = video?.start.length ? video : null;
    this.now = null;
    by("steps-strip").hidden = by("steps-side").hidden = !this.video;
    by("watch").classList.toggle("with-steps", Boolean(this.video));
    this.list.replaceChildren();
    by("steps-now").replaceChildren();
    if (!this.video) return;
    const { start, end, step } = this.video;
    draw(this.bar, this.steps, this.video);
    this.bar.setAttribute("aria-valuemax", start.length);
    this.list.append(...start.map((from, n) => make("li", {},
      make("button", { type: "button", onclick: () => this.go(n) }, dot(step[n]),
        make("span", { className: "when", textContent: clock(from) }),
        make("span", { className: "title", textContent: this.steps.title(step[n]), title: `${this.steps.title(step[n])}, ${clock(from)} – ${clock(end[n])}` })))));
    by("steps-count").textContent = many(start.length, "segment");
    this.at(time);
  }

  go(n) { this.jump(this.video.start[n], n); }

  // The last segment that has begun; -1 before the first.
  begun(time) {
    const { start } = this.video;
    let low = 0;
    let high = start.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (start[middle] <= time + 1e-4) low = middle + 1; else high = middle;
    }
    return low - 1;
  }

  before() { return this.begun(this.time) - (this.now === -1 ? 0 : 1); }
  after() { return this.begun(this.time) + 1; }

  at(time) {
    this.time = time;
    if (!this.video) return;
    const { start, end, step, duration } = this.video;
    by("steps-hand").style.left = `${Math.min(100, (time / duration) * 100)}%`;
    const begun = this.begun(time);
    const now = begun >= 0 && time < end[begun] ? begun : -1;
    if (now === this.now) return;
    const shown = (n) => (n === null || n < 0 ? [] : [this.bar.children[n], this.list.children[n].firstChild]);
    for (const each of shown(this.now)) each.removeAttribute("aria-current");
    for (const each of shown(now)) each.setAttribute("aria-current", "true");
    this.now = now;
    this.bar.setAttribute("aria-valuenow", begun + 1);
    this.bar.setAttribute("aria-valuetext", now < 0 ? "no step" : `${this.steps.title(step[now])}, ${clock(start[now])} – ${clock(end[now])}`);
    if (!by("steps-now").querySelector("form")) {
      by("steps-now").replaceChildren(...(now < 0 ? ["No step here"] : [dot(step[now]), this.steps.name(step[now])]));
    }
    const row = now < 0 ? null : this.list.children[now];
    if (row) this.list.scrollTop = row.offsetTop - this.list.clientHeight / 2;
  }
}

// The view: each step with its typical clips, and the videos with their bars.
export class StepsView {
  // open: a video at a second.
  constructor(steps, open, wrong) {
    Object.assign(this, { steps, open, wrong, listing: null, shown: [] });
    let later = 0;
    by("segmented-contains").addEventListener("input", () => { clearTimeout(later); later = setTimeout(() => this.list(false), 200); });
    by("segmented-more").addEventListener("click", () => this.list(true));
    steps.addEventListener("named", () => this.titles());
  }

  show() {
    const { all, left, videos } = this.steps;
    by("steps-about").textContent = `${many(all.size, "step")} in ${many(videos, "video")}. ${this.steps.writable ? "A click on a step’s name changes it." : "This server only reads, so names stay as they are."}`;
    clear(by("steps"));
    by("steps").append(...[...all.values()].map((step) => this.step(step)));
    by("left-out").hidden = !left.length;
    by("left-out").querySelector("summary").textContent = `${many(left.length, "video")} left out`;
    by("left-out").querySelector("ul").replaceChildren(...left.map(({ name, reason }) => make("li", {}, make("b", { textContent: name }), `: ${reason}`)));
    return this.list(false);
  }

  step({ number, seconds, segments, typical }) {
    const clips = make("ol", { className: "clips", "aria-label": `Typical clips of step ${number}` }, ...typical.map((clip) => this.clip(clip, number)));
    const about = make("p", { className: "soft small" });
    const tell = () => { about.textContent = `${this.steps.all.get(number).name ? `step ${number} · ` : ""}${clock(seconds)} in ${many(segments, "segment")}`; };
    this.steps.addEventListener("named", tell);
    tell();
    return make("li", { className: "step" },
      make("div", { className: "step-head" }, dot(number), make("h3", {}, this.steps.name(number, { follow: true })), about),
      typical.length ? clips : make("p", { className: "soft small", textContent: "No clip is typical of it." }));
  }

  clip({ video, name, indexed, start, end, share }, number) {
    const about = { id: video, name, frame: null, start, end, indexed };
    const badge = make("span", { className: "badge when", textContent: clock(start) });
    const button = media(about, { label: `Play ${name} at ${clock(start)}, typical of step ${number}`, open: this.open, end, picture: indexed ? api.thumbnail(video) : null }, badge);
    button.title = `${name}, ${clock(start)} – ${clock(end)}; ${Math.round(share * 100)} % of it is this step`;
    return make("li", { className: "card" }, button, make("p", { className: "told soft small", textContent: lastPart(name), title: name }));
  }

  async list(more) {
    this.listing?.abort();
    this.listing = new AbortController();
    const offset = more ? this.shown.length : 0;
    try {
      const found = await api.segmented(by("segmented-contains").value.trim(), offset, PAGE, this.listing.signal);
      if (!more) { this.shown = []; by("segmented").replaceChildren(); }
      this.shown.push(...found.videos);
      by("segmented").append(...found.videos.map((video) => this.video(video)));
      by("segmented-count").textContent = `${many(found.total, "video")}${this.shown.length < found.total ? `, ${count(this.shown.length)} shown` : ""}`;
      by("segmented-more").hidden = this.shown.length >= found.total;
    } catch (problem) { this.wrong(problem); }
  }

  video(video) {
    const about = (start) => ({ id: video.id, name: video.name, frame: null, start, end: video.duration, indexed: video.indexed });
    const bar = make("div", { className: "steps-bar", "aria-hidden": "true", onclick: (event) => {
      const at = event.target.dataset.at;
      if (at !== undefined) this.open(about(video.start[at]));
    } });
    draw(bar, this.steps, video);
    return make("li", {},
      make("button", { type: "button", className: "quiet name", textContent: video.name, title: video.name, "aria-label": `Open ${video.name}, ${many(video.start.length, "segment")}`, onclick: () => this.open(about(0)) }),
      make("span", { className: "soft small", textContent: clock(video.duration) }), bar);
  }

  // The names that bars tell when they are pointed at.
  titles() {
    [...by("segmented").children].forEach((row, n) => draw(row.querySelector(".steps-bar"), this.steps, this.shown[n]));
  }
}

// A table of pairs: words are asked, pictures are shown; a frame of a video plays from its moment.

import * as api from "./api.js";
import { clear } from "./cards.js";
import { by, clock, icon, lastPart, make, many } from "./dom.js";

const LIKE = "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM20 20l-4.8-4.8M10.5 7.6v5.8M7.6 10.5h5.8";

export class PairsPage {
  // say: tells a line; wrong: tells a problem; filters: what counts; play: opens a video at a hit's moment.
  constructor({ say, wrong, filters, play }) {
    Object.assign(this, { say, wrong, filters, play });
    this.asked = null;
    this.hits = [];
    by("words").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = by("words-text").value.trim();
      if (words) this.ask({ words });
    });
    by("picture-close").addEventListener("click", () => by("picture").close());
    by("picture").addEventListener("click", (event) => { if (event.target === by("picture")) by("picture").close(); });
  }

  // What the page of videos has and this one has not is hidden.
  open(archive) {
    document.title = "kinema: search in words";
    for (const name of ["map", "videos"]) by(`tab-${name}`).hidden = true;
    for (const id of ["drop", "over-videos", "others-row"]) by(id).hidden = true;
    for (const id of ["words", "over-pairs"]) by(id).hidden = false;
    by("where").placeholder = "source = 'talk.mp4'";
    const texts = archive.texts ? ` · ${many(archive.texts, "text")}` : "";
    by("summary").textContent = `${many(archive.images, "picture")}${texts} · encoder ${archive.encoder}`;
    document.querySelector(`[name=over][value=${archive.images ? "images" : "texts"}]`).checked = true;
    this.filters.show(archive);
    by("words-text").focus();
  }

  ask(asked) {
    this.asked = asked;
    return this.search();
  }

  async search() {
    if (!this.asked) return;
    this.searching?.abort();
    const mine = this.searching = new AbortController();
    const { k, over, where } = this.filters.asked();
    this.say("Searching…", { busy: true });
    try {
      const found = await api.words({ ...this.asked, k, over, where }, mine.signal);
      if (this.searching !== mine) return;
      this.filters.wrong(null);
      this.hits = found.hits;
      clear(by("hits"));
      by("hits").append(...found.hits.map((hit, n) => this.card(hit, n)));
      const how = found.kept === "vectors" ? "" : ", by codes";
      const took = `${Math.max(1, Math.round(found.seconds * 1000))} ms`;
      this.say(found.hits.length
        ? `${many(found.hits.length, "hit")} among ${many(found.rows, over === "images" ? "picture" : "text")}${how}, in ${took}.`
        : "Nothing satisfies the filters.");
    } catch (problem) { this.wrong(problem); }
  }

  card(hit, n) {
    const score = hit.distance === null ? hit.score.toFixed(3) : `${hit.score.toFixed(3)}, ${many(hit.distance, "bit")}`;
    const badges = [make("span", { className: "badge score", textContent: score })];
    if (hit.video && hit.start !== null) badges.push(make("span", { className: "badge when", textContent: clock(hit.start) }));
    const face = hit.picture
      ? make("img", { src: api.pictureThumbnail(hit.id), alt: "", loading: "lazy", decoding: "async" })
      : make("span", { className: "words-face", textContent: hit.text ?? hit.name });
    const button = make("button", {
      type: "button", className: "open", "aria-label": `Open ${hit.name}, score ${hit.score.toFixed(3)}`, onclick: () => this.show(n),
    }, face, ...badges);
    const told = [hit.text, hit.labels.join(", ")].filter(Boolean).join(" · ");
    return make("li", { className: "card" }, button, make("div", { className: "caption" },
      make("p", { className: "name", textContent: lastPart(hit.name), title: hit.name }),
      make("p", { className: "told" }, make("span", { textContent: told || "no text", title: told })),
      make("button", {
        type: "button", className: "like", title: "More like this (S)", "aria-label": `More like ${hit.name}`,
        onclick: () => this.ask({ like: hit.id }),
      }, icon(LIKE))));
  }

  show(n) {
    const hit = this.hits[n];
    if (!hit) return;
    if (hit.video) {
      const label = [hit.text, hit.labels.join(", ")].filter(Boolean).join(" · ");
      this.play({ ...hit, label, start: hit.start ?? 0, end: hit.end ?? hit.start ?? 0, indexed: false }, n, this.hits.length);
      return;
    }
    by("picture-name").textContent = hit.name;
    by("picture-about").textContent = [hit.text, hit.labels.join(", ")].filter(Boolean).join(" · ");
    by("picture-whole").hidden = !hit.picture;
    if (hit.picture) {
      by("picture-whole").src = api.pictureFile(hit.id);
      by("picture-whole").alt = hit.text ?? hit.name;
    } else by("picture-whole").removeAttribute("src");
    by("picture").showModal();
  }
}

// The archive as points: moved by dragging, made larger by the wheel or two fingers, chosen from with a lasso.

import * as api from "./api.js";
import { NONE, group } from "./colours.js";
import { by, clock, count, make, many, sharp, token } from "./dom.js";

export class Chart {
  // open: a point, with its video; chosen: (polygon and version, or null, number of points).
  constructor({ open, chosen, clusters }) {
    this.canvas = by("map");
    this.points = null;
    this.view = { x: 0.5, y: 0.5, scale: 1 };
    this.whole = { x: 0.5, y: 0.5, wide: 1, tall: 1 };
    this.polygon = null;
    this.drawing = null;
    this.hits = new Set();
    this.hover = -1;
    this.touches = new Map();
    Object.assign(this, { open, chosen, clusters });
    this.listen();
    for (const [id, act] of Object.entries({
      lasso: () => this.arm(!this.armed), "in-view": () => this.chooseView(), "zoom-in": () => this.zoom(1.5),
      "zoom-out": () => this.zoom(1 / 1.5), fit: () => this.fit(),
    })) by(id).addEventListener("click", act);
    by("map-colour").addEventListener("change", () => { this.paint(); this.draw(); });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // Says that it is being read, until it is there.
  async load() {
    if (this.loading) return this.loading;
    this.wait("Loading the map…");
    this.loading = this.read().finally(() => { this.loading = null; });
    try {
      await this.loading;
      this.wait("");
    } catch (problem) {
      this.wait("The map could not be loaded.");
      throw problem;
    }
    return undefined;
  }

  wait(text) {
    by("map-wait-text").textContent = text;
    by("map-wait").hidden = !text;
    by("map-wait").classList.toggle("failed", Boolean(text) && !text.endsWith("…"));
    this.canvas.setAttribute("aria-busy", String(text.endsWith("…")));
  }

  async read() {
    this.points = await api.map();
    const { over, total, x, explained } = this.points;
    const kind = over === "windows" ? "window" : "video";
    const some = total > x.length ? `, ${count(x.length)} of them drawn` : "";
    by("map-about").textContent = `Every dot is a ${kind}: ${many(total, kind)}${some}. What lies together is alike to the `
      + `encoder; the two directions hold ${Math.round(explained * 100)} % of what differs.`;
    this.paint();
    this.box();
  }

  // The middle and the size of what is there, to which 'all of it' fits.
  box() {
    const { x, y } = this.points;
    const ends = (values) => values.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [1, 0]);
    const [left, right] = ends(x);
    const [top, bottom] = ends(y);
    this.whole = { x: (left + right) / 2, y: (top + bottom) / 2, wide: Math.max(0.05, right - left), tall: Math.max(0.05, bottom - top) };
    this.fit();
  }

  paint() {
    const by_label = by("map-colour").value === "label";
    const { cluster, label } = this.points;
    const names = [...new Set(label)].sort((a, b) => (a === null) - (b === null) || String(a).localeCompare(String(b), "en", { numeric: true }));
    const number = new Map(names.map((name, n) => [name, n]));
    this.colour = by_label ? label.map((each) => (each === null ? NONE : group(number.get(each)))) : cluster.map(group);
    const groups = by_label
      ? names.map((name) => [name ?? "no label", name === null ? NONE : group(number.get(name))])
      : [...new Set(cluster)].sort((a, b) => (a ?? 1e9) - (b ?? 1e9)).map((n) => [this.clusterName(n), group(n)]);
    by("map-legend").replaceChildren(...groups.slice(0, 60).map(([name, colour]) => {
      const dot = make("span", { className: "dot" });
      dot.style.background = colour;
      return make("li", {}, dot, make("span", { textContent: name }));
    }));
  }

  clusterName(number) {
    if (number === null || number < 0) return "in no cluster";
    return this.clusters().find((each) => each.cluster === number)?.name ?? `cluster ${number}`;
  }

  show(hits) {
    this.hits = new Set(hits.map((hit) => `${hit.id}@${hit.frame}`));
    this.draw();
  }

  // From the unit square to the canvas and back.
  get size() { return Math.min(this.canvas.clientWidth / this.whole.wide, this.canvas.clientHeight / this.whole.tall) * 0.92 * this.view.scale; }
  toScreen(x, y) {
    return [(x - this.view.x) * this.size + this.canvas.clientWidth / 2, (y - this.view.y) * this.size + this.canvas.clientHeight / 2];
  }
  toPlane(x, y) {
    return [(x - this.canvas.clientWidth / 2) / this.size + this.view.x, (y - this.canvas.clientHeight / 2) / this.size + this.view.y];
  }

  zoom(factor, at = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]) {
    const before = this.toPlane(...at);
    this.view.scale = Math.max(0.5, Math.min(200, this.view.scale * factor));
    const after = this.toPlane(...at);
    this.view.x += before[0] - after[0];
    this.view.y += before[1] - after[1];
    this.keep();
    this.draw();
  }

  fit() { this.view = { x: this.whole.x, y: this.whole.y, scale: 1 }; this.draw(); }
  keep() { for (const axis of ["x", "y"]) this.view[axis] = Math.max(-0.5, Math.min(1.5, this.view[axis])); }

  pan(x, y) {
    this.view.x -= x / this.size;
    this.view.y -= y / this.size;
    this.keep();
    this.draw();
  }

  arm(on) {
    this.armed = on;
    by("lasso").setAttribute("aria-pressed", String(on));
    this.canvas.classList.toggle("lasso", on);
  }

  async choose(polygon) {
    const step = Math.ceil(polygon.length / 1500);
    const some = polygon.filter((_, n) => n % step === 0).map((corner) => corner.map((each) => Math.max(-10, Math.min(10, each))));
    if (some.length < 3) return;
    this.polygon = some;
    this.arm(false);
    this.draw();
    const found = await this.chosen({ version: this.points.version, polygon: some });
    if (found === false) this.letGo();
  }

  chooseView() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    this.choose([this.toPlane(0, 0), this.toPlane(w, 0), this.toPlane(w, h), this.toPlane(0, h)]);
  }

  letGo() { this.polygon = null; this.drawing = null; this.draw(); }

  draw() {
    if (!this.points || !this.canvas.clientWidth) return;
    const { context, width, height } = sharp(this.canvas);
    const { x, y, frame, video, videos } = this.points;
    const radius = Math.max(1.6, Math.min(6, (x.length > 5000 ? 1.8 : x.length > 800 ? 2.4 : 3.5) * Math.sqrt(Math.min(this.view.scale, 6))));
    const rings = [];
    context.globalAlpha = 0.72;
    for (let n = 0; n < x.length; n += 1) {
      const [left, top] = this.toScreen(x[n], y[n]);
      if (left < -8 || top < -8 || left > width + 8 || top > height + 8) continue;
      context.fillStyle = this.colour[n];
      context.beginPath();
      context.arc(left, top, radius, 0, 7);
      context.fill();
      if (this.hits.size && this.hits.has(`${videos[video[n]]}@${frame[n]}`)) rings.push([left, top]);
      if (n === this.hover) rings.push([left, top]);
    }
    context.globalAlpha = 1;
    for (const [colour, wide] of [[token("--panel"), 4], [token("--ink"), 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      for (const [left, top] of rings) { context.beginPath(); context.arc(left, top, radius + 2.5, 0, 7); context.stroke(); }
    }
    this.outline(context, this.drawing ?? this.polygon);
  }

  outline(context, polygon) {
    if (!polygon?.length) return;
    context.beginPath();
    for (const corner of polygon) context.lineTo(...this.toScreen(...corner));
    context.closePath();
    context.fillStyle = token("--accent");
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = token("--accent");
    context.lineWidth = 2;
    context.stroke();
  }

  nearest(left, top) {
    let best = -1;
    let least = 12 ** 2;
    for (let n = 0; n < this.points.x.length; n += 1) {
      const [x, y] = this.toScreen(this.points.x[n], this.points.y[n]);
      const far = (x - left) ** 2 + (y - top) ** 2;
      if (far < least) { least = far; best = n; }
    }
    return best;
  }

  about(n) {
    const { video, videos, names, frame, start, cluster, label, over } = this.points;
    const whole = over === "videos";
    return {
      id: videos[video[n]], name: names[video[n]], frame: whole ? null : frame[n], start: whole ? 0 : start[n],
      end: null, cluster: cluster[n], label: label[n],
    };
  }

  tip(left, top) {
    const found = this.points ? this.nearest(left, top) : -1;
    const tip = by("map-tip");
    if (found !== this.hover) {
      this.hover = found;
      this.draw();
      if (found >= 0) {
        const about = this.about(found);
        tip.replaceChildren(make("img", { src: api.thumbnail(about.id, about.frame), alt: "" }),
          `${about.label ? `${about.label} · ` : ""}${about.name} · ${clock(about.start)}`);
      }
    }
    tip.hidden = found < 0;
    if (found < 0) return;
    const x = left + 180 > this.canvas.clientWidth ? left - tip.offsetWidth - 14 : left + 14;
    const y = Math.min(top + 14, this.canvas.clientHeight - tip.offsetHeight - 4);
    tip.style.transform = `translate(${Math.max(0, x)}px, ${Math.max(0, y)}px)`;
  }

  listen() {
    const { canvas } = this;
    const at = (event) => [event.offsetX, event.offsetY];
    let from = null;
    let gone = 0;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.points) return;
      canvas.setPointerCapture(event.pointerId);
      this.touches.set(event.pointerId, at(event));
      gone = 0;
      from = at(event);
      if (this.touches.size > 1) this.drawing = null;
      else if (this.armed || event.shiftKey) this.drawing = [this.toPlane(...from)];
      canvas.classList.toggle("moving", !this.drawing);
    });
    canvas.addEventListener("pointermove", (event) => {
      const here = at(event);
      if (!this.touches.has(event.pointerId)) { if (this.points) this.tip(...here); return; }
      const before = this.touches.get(event.pointerId);
      gone += Math.hypot(here[0] - before[0], here[1] - before[1]);
      if (this.touches.size === 2) {
        const other = [...this.touches].find(([id]) => id !== event.pointerId)[1];
        const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
        this.zoom(apart(here) / Math.max(1, apart(before)), [(here[0] + other[0]) / 2, (here[1] + other[1]) / 2]);
      } else if (this.drawing) { this.drawing.push(this.toPlane(...here)); this.draw(); }
      else this.pan(here[0] - before[0], here[1] - before[1]);
      this.touches.set(event.pointerId, here);
    });
    const up = (event) => {
      if (!this.touches.delete(event.pointerId)) return;
      canvas.classList.remove("moving");
      const drawn = this.drawing;
      this.drawing = null;
      if (drawn && gone > 12) this.choose(drawn);
      else if (!drawn && gone < 5 && event.type === "pointerup") {
        const found = this.nearest(...at(event));
        if (found >= 0) this.open(this.about(found));
      }
      this.draw();
    };
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, up);
    canvas.addEventListener("pointerleave", () => { this.hover = -1; by("map-tip").hidden = true; this.draw(); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const act = {
        ArrowLeft: () => this.pan(40, 0), ArrowRight: () => this.pan(-40, 0), ArrowUp: () => this.pan(0, 40),
        ArrowDown: () => this.pan(0, -40), "+": () => this.zoom(1.5), "=": () => this.zoom(1.5),
        "-": () => this.zoom(1 / 1.5), 0: () => this.fit(),
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      act();
    });
  }
}

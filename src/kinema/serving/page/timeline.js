// A video's windows in order of time: above, their likeness to the query, as height and shade; below, their clusters.

import { group, shade } from "./colours.js";
import { clock, sharp, token } from "./dom.js";

// The least span of likeness that the height stands for: windows that differ by less look as alike as they are.
const SPAN = 0.25;

export class Timeline {
  constructor(canvas, seek) {
    this.canvas = canvas;
    this.windows = null;
    this.length = 0;
    this.now = 0;
    this.marks = [null, null];
    this.hit = null;
    this.hover = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.length;
    };
    let held = false;
    canvas.addEventListener("pointerdown", (event) => { held = true; canvas.setPointerCapture(event.pointerId); seek(at(event)); });
    canvas.addEventListener("pointermove", (event) => { this.hover = at(event); if (held) seek(this.hover); this.draw(); });
    canvas.addEventListener("pointerup", () => { held = false; });
    canvas.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(windows, length, hit) {
    this.windows = windows;
    this.length = Math.max(length || 0, ...(windows?.end ?? [0]), 0.001);
    this.hit = hit;
    this.canvas.setAttribute("aria-valuemax", this.length.toFixed(2));
    const scores = windows?.score;
    if (scores?.length) {
      this.low = Math.min(...scores);
      this.high = Math.max(...scores);
      const room = Math.max(0, SPAN - (this.high - this.low)) / 2;
      const top = Math.min(1, this.high + room);
      this.scale = [Math.min(this.low, top - SPAN), top];
      this.canvas.dataset.scale = this.scale.map((each) => each.toFixed(3)).join(" ");
    }
    this.draw();
  }

  at(now) {
    this.now = now;
    this.canvas.setAttribute("aria-valuenow", now.toFixed(2));
    this.canvas.setAttribute("aria-valuetext", this.said(now));
    this.draw();
  }

  // The window whose middle is nearest to a moment.
  window(time) {
    const { start, end } = this.windows;
    let best = 0;
    for (let n = 1; n < start.length; n += 1) {
      if (Math.abs((start[n] + end[n]) / 2 - time) < Math.abs((start[best] + end[best]) / 2 - time)) best = n;
    }
    return best;
  }

  said(time) {
    if (!this.windows?.start.length) return clock(time);
    const n = this.window(time);
    const score = this.windows.score ? `, likeness ${this.windows.score[n].toFixed(3)}` : "";
    const cluster = this.windows.cluster[n] !== null && this.windows.cluster[n] >= 0 ? `, cluster ${this.windows.cluster[n]}` : "";
    return `${clock(time)}${score}${cluster}`;
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const { context, width, height } = sharp(this.canvas);
    const x = (time) => (time / this.length) * width;
    const clusters = height - 12;
    context.fillStyle = token("--raised");
    context.fillRect(0, 0, width, clusters - 4);
    const { start = [], end = [], score, cluster = [] } = this.windows ?? {};
    // Windows overlap: each is drawn from the middle between its neighbour's middle and its own.
    const middle = start.map((from, n) => (from + end[n]) / 2);
    for (let n = 0; n < start.length; n += 1) {
      const left = n ? x((middle[n - 1] + middle[n]) / 2) : 0;
      const right = n + 1 < start.length ? x((middle[n] + middle[n + 1]) / 2) : width;
      if (score) {
        const [least, most] = this.scale;
        const share = (score[n] - least) / (most - least);
        const tall = 6 + share * (clusters - 12);
        context.fillStyle = shade(0.2 + 0.8 * share);
        context.fillRect(left, clusters - 4 - tall, Math.max(1, right - left - (right - left > 4 ? 1 : 0)), tall);
      }
      context.fillStyle = group(cluster[n]);
      context.fillRect(left, clusters, Math.max(1, right - left + 0.5), 12);
    }
    this.stroke(context, x, clusters);
    context.fillStyle = token("--ink");
    context.fillRect(Math.min(width - 2, x(this.now)), 0, 2, height);
    if (this.hover !== null) {
      context.globalAlpha = 0.35;
      context.fillRect(x(this.hover), 0, 1, height);
      context.globalAlpha = 1;
    }
  }

  stroke(context, x, tall) {
    context.lineWidth = 2;
    if (this.hit) {
      context.strokeStyle = token("--ink");
      context.strokeRect(x(this.hit[0]) + 1, 1, Math.max(3, x(this.hit[1]) - x(this.hit[0]) - 2), tall - 6);
    }
    const [from, to] = this.marks;
    if (from !== null || to !== null) {
      context.fillStyle = token("--warn");
      context.globalAlpha = 0.22;
      context.fillRect(x(from ?? 0), 0, x(to ?? this.length) - x(from ?? 0), tall - 4);
      context.globalAlpha = 1;
    }
  }
}

// A hit or a video as a card: its picture, which loops while it is in sight, and what is known of it.

import * as api from "./api.js";
import { group } from "./colours.js";
import { clock, icon, lastPart, make } from "./dom.js";

const MOST_AT_ONCE = 16;
const LIKE = "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM20 20l-4.8-4.8M10.5 7.6v5.8M7.6 10.5h5.8";
const going = new Map(); // media buttons in sight, with their videos
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function start(button) {
  if (going.has(button) || going.size >= (button.bare ? 2 : 1) * MOST_AT_ONCE || button.dataset.mute) return;
  const { id, start: from, end: to } = button.about;
  const video = make("video", { muted: true, playsInline: true, preload: "auto", tabIndex: -1, disablePictureInPicture: true });
  video.setAttribute("aria-hidden", "true");
  going.set(button, video);
  video.addEventListener("loadedmetadata", () => { video.currentTime = Math.min(from, Math.max(0, video.duration - 0.05)); });
  video.addEventListener("seeked", () => {
    video.classList.add("going");
    if (!button.bare || !calm.matches) video.play().catch(() => {});
  }, { once: true });
  video.addEventListener("ended", () => { video.currentTime = from; video.play().catch(() => {}); });
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    button.dataset.mute = "1";
    stop(button);
    button.append(make("span", { className: "badge mute", textContent: "picture only", title: "This browser cannot play this video." }));
  });
  video.until = to;
  video.from = from;
  video.src = api.file(id);
  button.querySelector("img").after(video);
}

function stop(button) {
  const video = going.get(button);
  if (!video) return;
  going.delete(button);
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.remove();
}

function loop() {
  for (const video of going.values()) {
    if (video.until !== null && video.currentTime >= video.until - 0.02 && !video.seeking) video.currentTime = video.from;
  }
  requestAnimationFrame(loop);
}
requestAnimationFrame(loop);

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && (target.bare || !calm.matches)) start(target);
    else if (!isIntersecting) stop(target);
  }
  if (!calm.matches) for (const button of sightings()) start(button);
}, { rootMargin: "40px" });
const seen = new Set();
const sightings = () => [...seen].filter((button) => {
  const box = button.getBoundingClientRect();
  return box.width && box.bottom > 0 && box.top < innerHeight;
});

export function clear(grid) {
  for (const button of grid.querySelectorAll(".open")) {
    stop(button);
    sight.unobserve(button);
    seen.delete(button);
  }
  grid.replaceChildren();
}

// A button with a picture of a video, which loops from about.start to end while it is in sight; without a picture it is
// bare, and shows the moment itself.
export function media(about, { label, open, end, picture }, ...badges) {
  const still = make("img", { src: picture, alt: "", loading: "lazy", decoding: "async", hidden: !picture });
  const button = make("button", { type: "button", className: "open", "aria-label": label, onclick: () => open(about) }, still, ...badges);
  button.about = { id: about.id, start: about.start ?? 0, end };
  button.bare = !picture;
  for (const on of ["pointerenter", "focus"]) button.addEventListener(on, () => start(button));
  for (const off of ["pointerleave", "blur"]) button.addEventListener(off, () => { if (calm.matches && picture) stop(button); });
  sight.observe(button);
  seen.add(button);
  return button;
}

// about: { id, name, frame, start, end, score, label, cluster, cluster_name }; end is null for a whole video.
export function card(about, { open, like }) {
  const hit = about.score !== undefined;
  const name = lastPart(about.name).replace(/\.\w{2,5}$/, "");
  const when = hit ? `${clock(about.start)} – ${clock(about.end)}` : clock(about.end ?? 0);
  const told = [about.label, about.cluster_name ?? (about.cluster >= 0 && about.cluster !== null ? `cluster ${about.cluster}` : null)];
  const badges = [make("span", { className: "badge when", textContent: when })];
  if (hit) badges.unshift(make("span", { className: "badge score", textContent: about.score.toFixed(3) }));
  const label = hit
    ? `Open ${about.name} at ${clock(about.start)}, score ${about.score.toFixed(3)}${about.label ? `, ${about.label}` : ""}`
    : `Open ${about.name}`;
  const button = media(about, { label, open, end: hit ? about.end : null, picture: api.thumbnail(about.id, about.frame) }, ...badges);
  const dot = make("span", { className: "dot" });
  dot.style.background = group(about.cluster);
  const text = told.filter(Boolean).join(" · ");
  return make("li", { className: "card" }, button, make("div", { className: "caption" },
    make("p", { className: "name", textContent: name, title: about.name }),
    make("p", { className: "told" }, dot, make("span", { textContent: text || "no label" })),
    make("button", {
      type: "button", className: "like", title: "More like this (S)", "aria-label": `More like ${about.name}${hit ? ` at ${clock(about.start)}` : ""}`,
      onclick: () => like(about),
    }, icon(LIKE))));
}

// Arrow keys go from card to card as they lie on the page.
export function steer(grid) {
  grid.addEventListener("keydown", (event) => {
    const cards = [...grid.querySelectorAll(".open")];
    const at = cards.indexOf(event.target);
    if (at < 0) return;
    if (event.key.toLowerCase() === "s" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      event.stopPropagation();
      event.target.closest(".card").querySelector(".like").click();
      return;
    }
    const top = cards[0].getBoundingClientRect().top;
    const columns = cards.filter((each) => Math.abs(each.getBoundingClientRect().top - top) < 4).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (step === undefined || !cards[at + step]) return;
    event.preventDefault();
    cards[at + step].focus();
  });
}

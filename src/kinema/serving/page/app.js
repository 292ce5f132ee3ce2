// Puts the page together: a query, what counts, the hits, the map, the videos, and the player over them.

import * as api from "./api.js";
import { AskPage } from "./ask.js";
import { card, clear, steer } from "./cards.js";
import { by, clock, count, make, many, typing } from "./dom.js";
import { Filters } from "./filters.js";
import { Chart } from "./map.js";
import { PairsPage } from "./pairs.js";
import { Player } from "./player.js";
import { Steps, StepsView } from "./steps.js";

const state = { archive: null, query: null, file: null, hits: [], opened: -1, searching: null, view: "hits" };
const VIEWS = ["hits", "map", "videos", "steps"];
const views = () => VIEWS.filter((name) => !by(`tab-${name}`).hidden);

const filters = new Filters(() => search());
const steps = new Steps();
const stepsView = new StepsView(steps, (about) => openVideo(about), (problem) => wrong(problem));
const player = new Player({
  steps,
  asks: () => state.query?.query ?? null,
  step: (by_) => { if (state.archive?.words) pairs.show(state.opened + by_); else openHit(state.opened + by_); },
  search: (about, stretch) => askVideo(about, stretch),
});
const pairs = new PairsPage({
  say, wrong, filters,
  play: (hit, n, all) => {
    state.opened = n;
    player.open(hit, { hits: true, first: n === 0, last: n === all - 1 });
  },
});
const questions = new AskPage({ say, wrong });
const chart = new Chart({
  open: (about) => openVideo(about),
  clusters: () => state.archive?.clusters ?? [],
  chosen: async (lasso) => {
    try {
      const { over, count: number } = await api.lasso(lasso.version, lasso.polygon);
      const told = many(number, over === "windows" ? "window" : "video");
      filters.setLasso(lasso, told, () => { chart.letGo(); filters.setLasso(null); });
      if (!state.query) say(`${told} chosen. Bring a query, and only these are searched.`);
      return true;
    } catch (problem) {
      wrong(problem);
      if (problem.kind === "changed") chart.load().catch(wrong);
      return false;
    }
  },
});

function say(text, { busy = false, error = false } = {}) {
  const box = by("status");
  box.classList.toggle("busy", busy);
  box.replaceChildren(error ? make("span", { className: "error", textContent: text }) : text);
}

function wrong(problem) {
  if (problem.name === "AbortError" || problem.status === 401) return;
  if (!("status" in problem)) throw problem;
  const condition = filters.wrong(problem);
  if (condition) forgetHits();
  say(condition ? "The condition is not understood, so nothing was searched." : `${problem.message} ${problem.hint}`, { error: true });
}

// Hits of an earlier search are none of a condition that cannot be asked.
function forgetHits() {
  state.hits = [];
  state.found = null;
  clear(by("hits"));
  if (!state.archive?.words) chart.show([]);
}

function view(name) {
  state.view = name;
  for (const each of VIEWS) {
    by(`view-${each}`).hidden = each !== name;
    by(`tab-${each}`).setAttribute("aria-selected", String(each === name));
    by(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
  if (name === "map" && !chart.points) {
    say(state.query ? told() : "");
    chart.load().then(() => chart.show(state.hits), wrong);
  }
  if (name === "videos" && !by("videos").children.length) list(false);
  if (name === "steps" && steps.problem) wrong(steps.problem);
  else if (name === "steps" && !by("steps").children.length) stepsView.show();
}

// --- the query

async function askVideo(about, stretch) {
  const asked = { video: about.id, ...(stretch ?? {}) };
  if (!stretch && about.score !== undefined) asked.frame = about.frame;
  await ask(() => api.query(asked), null, asked.start === undefined ? "" : "Encoding the stretch…");
}

function askFile(file, stretch) {
  if (file.size > state.archive.upload_bytes) {
    say(`'${file.name}' has ${count(Math.ceil(file.size / 2 ** 20))} MiB; up to ${count(state.archive.upload_bytes / 2 ** 20)} can be brought.`, { error: true });
    return Promise.resolve();
  }
  return ask(() => api.upload(file, stretch), file, `Looking at ${file.name}…`);
}

async function ask(how, file, busy) {
  if (busy) say(busy, { busy: true });
  try {
    state.query = await how();
  } catch (problem) {
    wrong(problem);
    return;
  }
  state.file = file;
  showQuery();
  view(state.view === "map" ? "map" : "hits");
  await search();
}

function showQuery() {
  const { query } = state;
  by("asked").hidden = !query;
  by("drop").classList.toggle("small", Boolean(query));
  by("drop-title").textContent = query ? "Another:" : "Drop a clip here, or";
  const old = by("asked-preview").firstChild;
  if (old?.src?.startsWith("blob:")) URL.revokeObjectURL(old.src);
  by("asked-preview").replaceChildren();
  if (!query) return;
  by("asked-name").textContent = query.about;
  by("asked-name").title = query.about;
  by("asked-when").textContent = query.start === null ? "all of it" : `${clock(query.start)} – ${clock(query.end)}`;
  const still = state.file?.type.startsWith("image/");
  by("stretch").hidden = Boolean(still);
  by("stretch-start").value = query.start === null ? "" : query.start.toFixed(2);
  by("stretch-end").value = query.end === null ? "" : query.end.toFixed(2);
  by("asked-preview").append(state.file ? preview(state.file, still) : indexed(query));
}

function preview(file, still) {
  const src = URL.createObjectURL(file);
  if (still) return make("img", { src, alt: "The picture that is searched with" });
  return looped(make("video", { src, muted: true, playsInline: true, autoplay: true, "aria-label": "The clip that is searched with" }));
}

function indexed(query) {
  const frame = query.query.includes("@") ? query.query.split("@")[1] : null;
  const video = make("video", { src: api.file(query.video), muted: true, playsInline: true, autoplay: true, poster: api.thumbnail(query.video, frame), "aria-label": "The video that is searched with" });
  return looped(video);
}

function looped(video) {
  const { start, end } = state.query;
  const back = () => { video.currentTime = start ?? 0; video.play().catch(() => {}); };
  video.addEventListener("loadedmetadata", () => { if (start) video.currentTime = start; }, { once: true });
  video.addEventListener("ended", back);
  video.addEventListener("timeupdate", () => { if (end !== null && video.currentTime >= end) back(); });
  return video;
}

// --- the hits

function told() {
  const { found } = state;
  if (!found) return "";
  const how = found.exact ? "every one compared" : "by the index, which may miss some";
  return `${many(found.hits.length, "hit")} among ${many(found.rows, "row")}, ${how}, in ${Math.max(1, Math.round(found.seconds * 1000))} ms. ${found.notes.join(" ")}`;
}

async function search() {
  if (state.archive?.words) { await pairs.search(); return; }
  if (!state.query) { filters.wrong(null); return; }
  state.searching?.abort();
  state.searching = new AbortController();
  const mine = state.searching;
  try {
    const found = await api.search({ query: state.query.query, ...filters.asked() }, mine.signal);
    if (state.searching !== mine) return;
    state.found = found;
    filters.wrong(null);
    state.hits = found.hits.map(({ video, ...rest }) => ({ id: video, ...rest }));
    showHits();
    say(found.hits.length ? told() : "Nothing satisfies the filters.");
  } catch (problem) {
    if (problem.kind === "missing" && problem.message.includes("query")) await again(); else wrong(problem);
  }
}

// The server forgets queries in time: what was brought is brought once more.
async function again() {
  if (!state.file) { state.query = null; showQuery(); say("The server has forgotten this query. Bring it again.", { error: true }); return; }
  const { start, end } = state.query;
  await askFile(state.file, start === null ? null : { start, end });
}

function showHits() {
  by("welcome").hidden = true;
  clear(by("hits"));
  by("hits").append(...state.hits.map((hit, n) => card(hit, { open: () => openHit(n), like: (about) => askVideo(about, null) })));
  chart.show(state.hits);
}

function openHit(n) {
  const hit = state.hits[n];
  if (!hit) return;
  state.opened = n;
  player.open(hit, { hits: true, first: n === 0, last: n === state.hits.length - 1 });
}

function openVideo(about) {
  state.opened = -1;
  player.open(about, { hits: false });
}

// --- the videos

let listing = null;

async function list(more) {
  listing?.abort();
  listing = new AbortController();
  const offset = more ? by("videos").children.length : 0;
  try {
    const found = await api.videos(by("contains").value.trim(), offset, 48, listing.signal);
    if (!more) clear(by("videos"));
    by("videos").append(...found.videos.map((video) => videoCard(video)));
    const shown = by("videos").children.length;
    by("videos-count").textContent = `${many(found.total, "video")}${shown < found.total ? `, ${count(shown)} shown` : ""}`;
    by("more").hidden = shown >= found.total;
  } catch (problem) { wrong(problem); }
}

function videoCard(video) {
  const about = { ...video, start: 0, end: video.duration, frame: null };
  return card(about, { open: () => openVideo(about), like: () => askVideo(about, null) });
}

// --- beginning

async function open() {
  const archive = await api.archive();
  state.archive = archive;
  if (archive.asks) { await questions.open(archive); return; }
  by("tab-steps").hidden = !archive.steps;
  if (archive.steps) await steps.load();
  if (!archive.searchable) { openSteps(); return; }
  if (archive.words) { pairs.open(archive); return; }
  by("summary").textContent = `${many(archive.videos, "video")} · ${many(archive.windows, "window")} · encoder ${archive.encoder}, ${archive.view}`;
  const wanted = archive.sounds ? "A video with sound, or a file of sound" : archive.pictures ? "A video, or a still picture" : "A video";
  by("drop-note").textContent = `${wanted}, up to ${count(archive.upload_bytes / 2 ** 20)} MiB. It is deleted when it has been looked at.`;
  if (!archive.pictures) by("file").accept = by("file").accept.replace("image/*,", archive.sounds ? "audio/*," : "");
  filters.show(archive);
  const first = (await api.someVideos(15)).videos;
  const sides = first.filter((video) => video.width && video.height).map((video) => video.width / video.height).sort((a, b) => a - b);
  if (sides.length) document.documentElement.style.setProperty("--aspect", String(Math.max(0.75, Math.min(1.78, sides[sides.length >> 1]))));
  if (!state.query) {
    by("welcome").hidden = false;
    by("hits").append(...first.map((video) => videoCard(video)));
  }
}

// Without a table there is nothing to search: the steps are the whole page.
function openSteps() {
  document.title = "kinema: steps";
  document.body.classList.add("steps-alone");
  for (const name of ["hits", "map", "videos"]) by(`tab-${name}`).hidden = true;
  document.querySelector("aside").hidden = true;
  by("summary").textContent = steps.problem ? "" : `${many(steps.videos, "video")} · ${many(steps.all.size, "step")} · no table to search`;
  view("steps");
}

function askToken() {
  const dialog = by("token");
  if (!dialog.open) dialog.showModal();
}

function setUp() {
  api.needToken(askToken);
  by("token").addEventListener("cancel", (event) => event.preventDefault());
  by("token-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    by("token-error").hidden = true;
    try {
      await api.session(by("token-text").value);
      by("token-text").value = "";
      by("token").close();
      await open();
    } catch (problem) {
      by("token-error").textContent = `${problem.message} ${problem.hint ?? ""}`;
      by("token-error").hidden = false;
    }
  });
  for (const name of VIEWS) by(`tab-${name}`).addEventListener("click", () => view(name));
  document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const there = views();
    const next = there[(there.indexOf(state.view) + step + there.length) % there.length];
    view(next);
    by(`tab-${next}`).focus();
  });
  by("pick").addEventListener("click", () => by("file").click());
  by("file").addEventListener("change", () => { if (by("file").files[0]) askFile(by("file").files[0], null); by("file").value = ""; });
  by("forget").addEventListener("click", () => { state.query = null; state.file = null; state.hits = []; state.found = null; showQuery(); clear(by("hits")); by("welcome").hidden = false; chart.show([]); say(""); open().catch(wrong); });
  by("stretch").addEventListener("submit", (event) => {
    event.preventDefault();
    const [start, end] = ["stretch-start", "stretch-end"].map((id) => Number(by(id).value));
    if (!(end > start)) { say("The stretch must end after it begins.", { error: true }); return; }
    if (state.file) askFile(state.file, { start, end });
    else askVideo({ id: state.query.video }, { start, end });
  });
  let later = 0;
  by("contains").addEventListener("input", () => { clearTimeout(later); later = setTimeout(() => list(false), 200); });
  by("more").addEventListener("click", () => list(true));
  by("show-keys").addEventListener("click", () => by("keys").showModal());
  by("keys-close").addEventListener("click", () => by("keys").close());
  for (const grid of ["hits", "videos"]) steer(by(grid));
  setUpDropping();
  addEventListener("keydown", shortcut);
}

function setUpDropping() {
  let deep = 0;
  const files = (event) => state.archive?.searchable !== false && !state.archive?.words && [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => { if (files(event)) { deep += 1; by("dropping").hidden = false; } });
  addEventListener("dragleave", (event) => { if (files(event) && (deep -= 1) <= 0) { deep = 0; by("dropping").hidden = true; } });
  addEventListener("dragover", (event) => { if (files(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    deep = 0;
    by("dropping").hidden = true;
    if (event.dataTransfer.files[0] && state.archive?.searchable && !state.archive.words) askFile(event.dataTransfer.files[0], null);
  });
}

// Goes to a view, if the page has it.
function go(name) {
  if (!views().includes(name)) return false;
  view(name);
  return true;
}

function shortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (chart.armed) chart.arm(false);
    else if (filters.lasso) by("lasso-chip").querySelector("input").click();
    return;
  }
  if (typing(event)) return;
  const act = {
    h: () => go("hits"), m: () => go("map"), v: () => go("videos"), t: () => go("steps"),
    o: () => { if (state.archive?.searchable && !state.archive.words) by("pick").click(); },
    "/": () => { if (state.archive?.asks) by("ask-contains").focus(); else if (state.archive?.words) by("words-text").focus(); else if (go("videos")) by("contains").focus(); else if (go("steps")) by("segmented-contains").focus(); },
    "?": () => { if (!state.archive?.asks) by("keys").showModal(); },
    l: () => { if (state.view === "map") chart.arm(!chart.armed); },
  }[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

setUp();
open().catch(wrong);

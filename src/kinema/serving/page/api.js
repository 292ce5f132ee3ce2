// Questions to the server. Whatever fails is a Problem, with a sentence and a way out.

export class Problem extends Error {
  constructor(status, told) {
    super(told.message);
    this.status = status;
    this.kind = told.kind;
    this.hint = told.hint || "";
  }
}

let onToken = () => {};
export const needToken = (then) => { onToken = then; };

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { kind: "network", message: "The server cannot be reached.", hint: "Is it still running?" });
  }
  if (answer.ok) return answer.json();
  let told = { kind: "error", message: `The server answered with ${answer.status}.` };
  try {
    told = (await answer.json()).error;
  } catch { /* no JSON: the status is all there is */ }
  if (answer.status === 401 && path !== "api/session") onToken();
  throw new Problem(answer.status, told);
}

const post = (path, body, signal) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const archive = () => ask("api/archive");
export const session = (token) => post("api/session", { token });
export const query = (asked) => post("api/queries", asked);
export const search = (asked, signal) => post("api/search", asked, signal);
export const words = (asked, signal) => post("api/words", asked, signal);
export const askAbout = (asked) => post("api/ask", asked);
export const map = () => ask("api/map");
export const lasso = (version, polygon) => post("api/map/lasso", { version, polygon });
export const video = (id) => ask(`api/videos/${id}`);
export const videos = (contains, offset, limit, signal) =>
  ask(`api/videos?${new URLSearchParams({ contains, offset, limit })}`, { signal });
export const someVideos = (limit) => ask(`api/videos?${new URLSearchParams({ limit, spread: true })}`);
export const timeline = (id, asked) => ask(`api/videos/${id}/timeline${asked ? `?query=${encodeURIComponent(asked)}` : ""}`);

export const steps = () => ask("api/steps");
export const nameStep = (number, name) =>
  ask(`api/steps/${number}`, { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name }) });
export const segments = (video) => ask(`api/segments?${new URLSearchParams({ video })}`);
export const segmented = (contains, offset, limit, signal) =>
  ask(`api/segments?${new URLSearchParams({ contains, offset, limit })}`, { signal });

export function upload(file, stretch) {
  const told = new URLSearchParams({ name: file.name.slice(-300) || "clip", ...(stretch || {}) });
  return ask(`api/uploads?${told}`, {
    method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file,
  });
}

export const pictureThumbnail = (id) => `api/pictures/${id}/thumbnail`;
export const pictureFile = (id) => `api/pictures/${id}/file`;
export const file = (id) => `api/videos/${id}/file`;
export const thumbnail = (id, frame) => `api/videos/${id}/thumbnail${frame === undefined || frame === null ? "" : `?frame=${frame}`}`;

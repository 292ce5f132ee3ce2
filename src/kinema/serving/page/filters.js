// What counts: values of columns, a condition in SQL, what is compared, how many hits.

import { by, count, make } from "./dom.js";

// Columns that are there for the program.
const INNER = new Set(["id", "kind", "facts", "model", "settings", "mtime_ns"]);

export class Filters {
  constructor(changed) {
    this.changed = changed;
    this.fields = {};
    this.lasso = null;
    let later = 0;
    by("where").addEventListener("input", () => {
      clearTimeout(later);
      later = setTimeout(() => this.tell(), 600);
    });
    by("where").addEventListener("change", () => { clearTimeout(later); this.tell(); });
    for (const id of ["others", "k"]) by(id).addEventListener("change", () => this.tell());
    for (const each of document.querySelectorAll("[name=over]")) each.addEventListener("change", () => this.tell());
    by("clear").addEventListener("click", () => this.clear());
    by("filters").open = matchMedia("(min-width: 60rem)").matches;
  }

  show(archive) {
    const facets = archive.columns.filter((each) => each.values.length).map((each) => ({ ...each, names: {} }));
    if (archive.clusters.length) {
      facets.push({
        name: "cluster", values: archive.clusters.map((each) => each.cluster), counts: archive.clusters.map((each) => each.size),
        names: Object.fromEntries(archive.clusters.map((each) => [each.cluster, each.name ?? `cluster ${each.cluster}`])),
      });
    }
    by("facets").replaceChildren(...facets.map((facet, n) => this.facet(facet, n === 0)));
    this.columns = archive.columns.map((each) => each.name).filter((name) => !INNER.has(name));
    by("where").title = this.columns.length ? `Columns: ${this.columns.join(", ")}` : "";
  }

  facet({ name, values, counts, names }, open) {
    const picked = make("b");
    const chips = values.map((value, n) => make("label", { className: "chip" },
      make("input", {
        type: "checkbox", onchange: (event) => {
          const kept = new Set(this.fields[name] ?? []);
          if (event.target.checked) kept.add(value); else kept.delete(value);
          if (kept.size) this.fields[name] = [...kept]; else delete this.fields[name];
          picked.textContent = kept.size || "";
          this.tell();
        },
      }),
      make("span", {}, names[value] ?? value ?? "none", make("small", { textContent: count(counts[n]) }))));
    return make("details", { className: "facet", open },
      make("summary", {}, name.replaceAll("_", " "), picked),
      make("div", { className: "chips", role: "group", "aria-label": name }, ...chips));
  }

  setLasso(lasso, told, letGo) {
    this.lasso = lasso;
    const row = by("lasso-chip");
    row.hidden = !lasso;
    row.replaceChildren();
    if (lasso) {
      row.append(make("label", { className: "chip" },
        make("input", { type: "checkbox", checked: true, "aria-label": `On the map: ${told}. Let it go`, onchange: letGo }),
        make("span", {}, `On the map: ${told}`, make("small", { textContent: "×" }))));
    }
    this.tell();
  }

  asked() {
    return {
      k: Number(by("k").value),
      over: document.querySelector("[name=over]:checked").value,
      others: by("others").checked,
      where: by("where").value.trim() || null,
      fields: this.fields,
      lasso: this.lasso,
    };
  }

  clear() {
    this.fields = {};
    by("where").value = "";
    by("others").checked = false;
    for (const each of by("facets").querySelectorAll("input")) each.checked = false;
    for (const each of by("facets").querySelectorAll("b")) each.textContent = "";
    if (this.lasso) by("lasso-chip").querySelector("input").click(); else this.tell();
  }

  tell() {
    const used = Object.keys(this.fields).length + (by("where").value.trim() ? 1 : 0) + (this.lasso ? 1 : 0);
    by("filter-count").textContent = used;
    by("filter-count").hidden = !used;
    by("clear").disabled = !used && !by("others").checked;
    this.changed();
  }

  wrong(problem) {
    const about = problem && problem.status === 400 && by("where").value.trim() && problem.message.includes("condition");
    by("where-error").hidden = !about;
    const columns = this.columns?.length ? ` The columns are: ${this.columns.join(", ")}.` : "";
    by("where-error").textContent = about ? problem.message.replace(/^The condition "[^]*?" (?=cannot|leaves|is more|closes|nests|holds)/, "It ") + columns : "";
    by("where").setAttribute("aria-invalid", String(Boolean(about)));
    return Boolean(about);
  }
}

// Lists the operations of openapi.json; nothing is fetched from elsewhere.

import { by, make } from "./dom.js";

const said = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  if (schema.anyOf) return schema.anyOf.map(said).join(" or ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${said(schema.items) || (schema.prefixItems ?? []).map(said).join(", ")}`;
  return schema.format ? `${schema.type} (${schema.format})` : schema.type ?? "any";
};

const row = (...cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
const table = (heads, rows) => make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col", textContent: head })))), make("tbody", {}, ...rows));

function content(answer) {
  return Object.entries(answer.content ?? {}).map(([type, { schema }]) => (type === "application/json" ? said(schema) : type)).join(", ");
}

function operation(path, verb, about) {
  const parameters = (about.parameters ?? []).map((each) =>
    row(make("code", { textContent: each.name }), each.in, said(each.schema), each.required ? "needed" : "", each.description ?? ""));
  if (about.requestBody) parameters.push(row(make("code", { textContent: "body" }), "body", content(about.requestBody), "needed", ""));
  const answers = Object.entries(about.responses).map(([status, answer]) => row(make("code", { textContent: status }), content(answer), answer.description));
  return make("details", { className: "operation" },
    make("summary", {}, make("span", { className: "verb" }, make("code", { textContent: verb.toUpperCase() })), make("code", { textContent: path }), make("span", { className: "soft", textContent: about.description ?? about.summary ?? "" })),
    parameters.length ? table(["name", "in", "what", "", ""], parameters) : make("p", { className: "soft", textContent: "No parameters." }),
    table(["status", "answer", "when"], answers));
}

const told = await (await fetch("openapi.json")).json();
by("operations").replaceChildren(...Object.entries(told.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, about]) => operation(path, verb, about))));
by("shapes").replaceChildren(...Object.entries(told.components.schemas).map(([name, shape]) => make("details", { className: "operation" },
  make("summary", {}, make("code", { textContent: name }), make("span", { className: "soft", textContent: shape.description ?? "" })),
  table(["field", "what", "", ""], Object.entries(shape.properties ?? {}).map(([field, schema]) => row(make("code", { textContent: field }), said(schema), (shape.required ?? []).includes(field) ? "needed" : "", schema.description ?? ""))))));

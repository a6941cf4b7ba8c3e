// The page of the HTTP API, made from openapi.json here and not by a script from elsewhere.

import { h } from "./api.js";

const root = document.getElementById("reference");
const api = await (await fetch("/openapi.json")).json();

function resolved(schema) {
  if (!schema) return {};
  if (schema.$ref) return resolved(schema.$ref.split("/").slice(1).reduce((node, part) => node[part], api));
  return schema;
}

function kindOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kindOf).filter((kind) => kind !== "null").join(" or ");
  if (schema.enum) return schema.enum.join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${kindOf(schema.items)}`;
  return schema.type || "any";
}

function limits(schema) {
  const parts = [...(schema.anyOf || []), schema];
  const found = (name) => parts.map((part) => part[name]).find((value) => value !== undefined);
  const words = [];
  if (found("minimum") !== undefined) words.push(`from ${found("minimum")}`);
  if (found("maximum") !== undefined) words.push(`to ${found("maximum")}`);
  if (found("maxLength") !== undefined) words.push(`at most ${found("maxLength")} characters`);
  return words.join(" ");
}

function fields(schema, heading) {
  const whole = resolved(schema.type === "array" ? schema.items : schema);
  const properties = Object.entries(whole.properties || {});
  if (!properties.length) return null;
  return h("details", {}, h("summary", {}, `${heading}: ${kindOf(schema)}`), h("table", {}, h("tbody", {}, properties.map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row" }, h("code", {}, name), (whole.required || []).includes(name) ? h("span.needed", {}, " needed") : null),
      h("td", {}, kindOf(value)), h("td", {}, [value.description || resolved(value).description || "", limits(value)].filter(Boolean).join("; ")))))));
}

function example(schema) {
  const whole = resolved(schema);
  const values = { instruction: "a large tree on the left", turn: 1, count: 4, steps: 1, name: "dusk", title: "Dusk" };
  const needed = whole.required?.length ? whole.required : Object.keys(whole.properties || {}).slice(0, 1);
  return JSON.stringify(Object.fromEntries(needed.filter((name) => name in values).map((name) => [name, values[name]])));
}

function operation(path, method, what) {
  const body = what.requestBody?.content?.["application/json"]?.schema;
  const answer = Object.entries(what.responses || {}).find(([status]) => status.startsWith("2"));
  const answered = answer?.[1].content?.["application/json"]?.schema;
  const parameters = (what.parameters || []).filter((one) => one.in === "query");
  const curl = [`curl -b jar -c jar${method === "get" ? "" : ` -X ${method.toUpperCase()}`} ${location.origin}${path}`,
    body && !path.endsWith("/import") ? ` -H 'content-type: application/json' -d '${example(body)}'` : ""].join("");
  return h("article.operation", {}, h("h3", {}, h(`span.method.${method}`, {}, method.toUpperCase()), " ", h("code", {}, path)),
    h("p", {}, what.description || what.summary || ""),
    parameters.length ? h("p.faint", {}, "Query: ", parameters.map((one) => `${one.name} (${kindOf(one.schema)})${one.description ? `: ${one.description}` : ""}`).join("; ")) : null,
    body ? fields(body, "Body") : null, answered ? fields(answered, `Answer ${answer[0]}`) : h("p.faint", {}, `Answer ${answer?.[0] || "200"}`),
    h("pre", { tabindex: 0, "aria-label": "Example" }, curl));
}

const groups = {};
for (const [path, methods] of Object.entries(api.paths))
  for (const [method, what] of Object.entries(methods)) (groups[what.tags?.[0] || "other"] ||= []).push(operation(path, method, what));
const titles = { studio: "The studio", sessions: "Sessions", turns: "Turns", places: "Places in a drawing", pictures: "Pictures", export: "Files out and in" };
root.replaceChildren(h("h1", {}, "HTTP API"), h("p", {}, api.info.description.replaceAll("`", "")),
  h("p", {}, "The same for programs: ", h("a", { href: "/openapi.json" }, "openapi.json"), ", OpenAPI ", api.openapi, "."),
  ...Object.keys(titles).filter((name) => groups[name]).map((name) => h("section", {}, h("h2", {}, titles[name]), groups[name])));

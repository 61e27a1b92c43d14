"use strict";

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const nameOf = (schema) => schema.$ref.split("/").pop();

// The words and links that describe a type.
function typeOf(schema) {
  if (schema.$ref) {
    const link = element("a", nameOf(schema));
    link.href = "#" + nameOf(schema);
    return [link];
  }
  if (schema.anyOf) return schema.anyOf.flatMap((one, i) => (i ? [" or ", ...typeOf(one)] : typeOf(one)));
  if (schema.enum) return [schema.enum.map((v) => JSON.stringify(v)).join(" | ")];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.type === "object" && schema.additionalProperties) return ["mapping to ", ...typeOf(schema.additionalProperties)];
  return [schema.const !== undefined ? JSON.stringify(schema.const) : schema.type || "anything"];
}

function table(rows) {
  const made = element("table");
  const body = made.createTBody();
  for (const [head, ...cells] of rows) {
    const row = body.insertRow();
    const first = element("th");
    first.scope = "row";
    first.append(element("code", head));
    row.append(first);
    for (const content of cells) {
      const cell = element("td");
      cell.append(...[content].flat());
      row.append(cell);
    }
  }
  const scroll = element("div", undefined, "scroll");
  scroll.append(made);
  return scroll;
}

function fields(schema) {
  return table(Object.entries(schema.properties || {}).map(([name, field]) => {
    const needed = (schema.required || []).includes(name) ? "required" : field.default == null ? "optional" : "default " + JSON.stringify(field.default);
    return [name, typeOf(field), element("span", needed, "quiet"), element("span", field.description || "", "quiet")];
  }));
}

// How a request looks on the command line, with the example that the schema of its body carries.
function curl(path, method, described, schemas) {
  const lines = [`curl ${new URL(path.slice(1), document.baseURI)}`];
  const query = (described.parameters || []).filter((field) => field.in === "query" && field.required);
  if (query.length) lines[0] = `curl -G ${new URL(path.slice(1), document.baseURI)}`;
  for (const field of query) lines.push(`  --data-urlencode '${field.name}=…'`);
  if (described.security) lines.push("  -H 'Authorization: Bearer KEY'");
  const body = described.requestBody && schemaOf(described.requestBody.content);
  if (body) {
    const schema = schemas[nameOf(body)];
    const example = (schema.examples || [])[0] || {};
    lines.push(`  --json '${JSON.stringify(example)}'`);
  }
  return lines.join(" \\\n");
}

const schemaOf = (content) => content && content["application/json"] && content["application/json"].schema;

function operation(path, method, described, schemas) {
  const section = element("section", undefined, "case");
  const title = element("h2");
  title.append(element("span", method.toUpperCase(), "method " + method), element("code", path));
  const about = element("p");
  const summary = described.summary || "";
  about.append(element("b", /\w$/.test(summary) ? summary + "." : summary), " " + (described.description || ""));
  section.append(title, about);
  const body = described.requestBody && schemaOf(described.requestBody.content);
  if (body) {
    const takes = element("p");
    takes.append("Takes ", ...typeOf(body), ".");
    section.append(takes);
  }
  for (const field of described.parameters || []) {
    const taken = element("p", undefined, "quiet");
    taken.append(`${field.in} parameter `, element("code", field.name), ": ", ...typeOf(field.schema));
    section.append(taken);
  }
  section.append(element("pre", curl(path, method, described, schemas), "curl"));
  section.append(element("h3", "Answers"), table(Object.entries(described.responses).map(([status, answer]) => {
    const schema = schemaOf(answer.content);
    return [status, answer.description, schema && Object.keys(schema).length ? typeOf(schema) : ""];
  })));
  return section;
}

// A link to a type opens it.
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named && named.tagName === "DETAILS") named.open = true;
  if (named) named.scrollIntoView();
}

async function start() {
  const described = await (await fetch("openapi.json")).json();
  const place = document.getElementById("document");
  const parts = [];
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, what] of Object.entries(methods)) parts.push(operation(path, method, what, described.components.schemas));
  }
  const section = element("section");
  section.append(element("h2", "What is sent and answered"));
  for (const [name, schema] of Object.entries(described.components.schemas)) {
    const details = element("details");
    details.id = name;
    details.append(element("summary", name), element("p", schema.description || "", "quiet"), fields(schema));
    for (const example of schema.examples || []) details.append(element("pre", JSON.stringify(example, null, 2)));
    section.append(details);
  }
  place.replaceChildren(...parts, section);
  addEventListener("hashchange", openNamed);
  openNamed();
}

start().catch((error) => { document.getElementById("message").textContent = error.message; });

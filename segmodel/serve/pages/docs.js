"use strict";

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const nameOf = (schema) => schema.$ref.split("/").pop();

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (schema.type === "array") return "list of " + typeOf(schema.items);
  if (schema.type === "object" && schema.additionalProperties) return "mapping to " + typeOf(schema.additionalProperties);
  return schema.const !== undefined ? JSON.stringify(schema.const) : schema.type || "anything";
}

function fields(schema) {
  const table = element("table");
  const body = table.createTBody();
  for (const [name, field] of Object.entries(schema.properties || {})) {
    const row = body.insertRow();
    const head = element("th");
    head.scope = "row";
    head.append(element("code", name));
    const needed = (schema.required || []).includes(name) ? "" : field.default === undefined ? "optional" : "default " + JSON.stringify(field.default);
    row.append(head, element("td", typeOf(field)), element("td", needed, "quiet"), element("td", field.description || "", "quiet"));
  }
  const scroll = element("div", undefined, "scroll");
  scroll.append(table);
  return scroll;
}

function operation(path, method, described) {
  const section = element("section");
  const title = element("h2");
  title.append(element("code", method.toUpperCase() + " " + path), " " + (described.summary || ""));
  section.append(title, element("p", described.description || ""));
  const body = described.requestBody && described.requestBody.content["application/json"].schema;
  if (body) section.append(element("p", "Takes " + typeOf(body) + "."));
  for (const field of described.parameters || []) {
    section.append(element("p", `${field.in} parameter ${field.name}: ${typeOf(field.schema)}`, "quiet"));
  }
  const list = element("ul");
  for (const [status, answer] of Object.entries(described.responses)) {
    const schema = answer.content && answer.content["application/json"] && answer.content["application/json"].schema;
    const named = schema && Object.keys(schema).length ? " (" + typeOf(schema) + ")" : "";
    list.append(element("li", `${status}: ${answer.description}${named}`));
  }
  section.append(list);
  return section;
}

async function start() {
  const described = await (await fetch("openapi.json")).json();
  const place = document.getElementById("document");
  const parts = [];
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, what] of Object.entries(methods)) parts.push(operation(path, method, what));
  }
  parts.push(element("h2", "What is sent and answered"));
  for (const [name, schema] of Object.entries(described.components.schemas)) {
    const details = element("details");
    details.append(element("summary", name), element("p", schema.description || "", "quiet"), fields(schema));
    for (const example of schema.examples || []) details.append(element("pre", JSON.stringify(example, null, 2)));
    parts.push(details);
  }
  place.replaceChildren(...parts);
}

start().catch((error) => { document.getElementById("message").textContent = error.message; });

"use strict";
// Every text from the server goes through textContent or an attribute: ids with markup in them stay text.

const SHOWN = 12;
const SHADES = 9;
const at = (id) => document.getElementById(id);
let videos = [];
let answer = null;

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (at("key").value) headers.Authorization = "Bearer " + at("key").value;
  const reply = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const table = await reply.json();
  if (reply.status === 401) at("key-field").hidden = false;
  if (!reply.ok) throw new Error(table.error);
  return table;
}

function say(text, wrong) {
  at("message").textContent = text;
  at("message").className = wrong ? "error" : "";
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const percent = (share) => Math.round(100 * share) + " %";
const seconds = (s) => s.toFixed(1) + " s";

function chooseVideos() {
  const rest = [...videos];
  const chosen = [];
  while (rest.length && chosen.length < SHOWN) chosen.push(rest.splice(Math.floor(Math.random() * rest.length), 1)[0]);
  at("videos").value = chosen.join("\n");
}

function strip(video, figure, low, high) {
  const cells = element("div", undefined, "strip");
  const values = video.segments[figure];
  cells.setAttribute("role", "img");
  cells.setAttribute("aria-label", values.map((v, i) => `from ${video.segments.start_s[i]} s: ${v.toFixed(2)}`).join(", "));
  values.forEach((value, i) => {
    const share = high > low ? (value - low) / (high - low) : 0.5;
    const cell = element("span", undefined, "cell h" + Math.min(SHADES - 1, Math.floor(share * SHADES)));
    if (i === video.skip.segment) cell.className += " leaves";
    const s = video.segments;
    cell.title = `${s.start_s[i]}–${s.end_s[i].toFixed(1)} s: leaves here ${percent(s.skip_probability[i])}, ` +
      `watches past ${percent(s.survival[i])}, interest ${s.interest[i].toFixed(2)}`;
    cells.append(cell);
  });
  return cells;
}

function show() {
  if (!answer) return;
  const figure = at("figure").value;
  const all = answer.predictions.flatMap((video) => video.segments[figure]);
  const [low, high] = figure === "survival" ? [0, 1] : [Math.min(...all), Math.max(...all)];
  at("answer").tBodies[0].replaceChildren(...answer.predictions.map((video) => {
    const row = element("tr");
    const name = element("th", video.video_id);
    name.scope = "row";
    const heat = element("td");
    heat.append(strip(video, figure, low, high));
    row.append(name, heat,
      element("td", `${seconds(video.expected_watch_s)} of ${seconds(video.duration_s)}`),
      element("td", percent(video.completion)),
      element("td", `${video.skip.start_s}–${video.skip.end_s.toFixed(1)} s (${percent(video.skip.probability)})`));
    return row;
  }));
  at("answer").hidden = at("legend").hidden = !answer.predictions.length;
}

async function predict() {
  say("…");
  try {
    answer = await ask("v1/rank", {
      user_id: at("user").value,
      video_ids: at("videos").value.split("\n").map((v) => v.trim()).filter(Boolean),
      by: at("by").value,
      segments: true,
    });
    say(answer.skipped.map((s) => `${s.video_id}: ${s.reason}`).join("; "));
    show();
  } catch (error) {
    say(error.message, true);
  }
}

async function start() {
  try {
    const health = await ask("healthz");
    at("run").textContent = `${health.run} (${health.model}), ${health.users} users, ${health.videos} videos`;
    const known = await ask("v1/catalog");
    videos = known.videos;
    at("users").replaceChildren(...known.users.map((id) => { const option = element("option"); option.value = id; return option; }));
    if (known.users.length) at("user").value = known.users[0];
    chooseVideos();
    if (videos.length) await predict();
  } catch (error) {
    say(error.message, true);
  }
}

at("question").addEventListener("submit", (event) => { event.preventDefault(); predict(); });
at("another").addEventListener("click", () => { chooseVideos(); predict(); });
at("figure").addEventListener("change", show);
at("by").addEventListener("change", predict);
at("key").addEventListener("change", start);
start();

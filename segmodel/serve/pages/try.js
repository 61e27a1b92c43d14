"use strict";
// Every text from the server goes through textContent or an attribute: ids with markup in them stay text.

const SHOWN = 12;
const SHADES = 9;
const at = (id) => document.getElementById(id);
let videos = [];
let answer = null;
const cards = new Map();

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (at("key").value) headers.Authorization = "Bearer " + at("key").value;
  let reply;
  try {
    reply = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (reply.status === 401) at("key-field").hidden = false;
  // Something between here and the server may answer in another language.
  const table = await reply.json().catch(() => ({ error: `The answer is no JSON (${reply.status}).` }));
  if (!reply.ok || table.error) throw new Error(table.error || `The server answered ${reply.status}.`);
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

const percent = (share) => Math.round(100 * share) + "\u00a0%";
const short = (seconds) => String(Math.round(10 * seconds) / 10);

function chooseVideos() {
  const rest = [...videos];
  const chosen = [];
  while (rest.length && chosen.length < SHOWN) chosen.push(rest.splice(Math.floor(Math.random() * rest.length), 1)[0]);
  at("videos").value = chosen.join("\n");
}

// What a colour stands for, the words of its legend, and the share that is written into a cell.
const FIGURES = {
  interest: { less: "less interest", more: "more interest", told: "chance in % of leaving in the segment once there", share: (s, i) => s.skip_probability[i] / (i ? s.survival[i - 1] : 1) },
  survival: { less: "nobody still watches", more: "everybody still watches", told: "chance in % of watching past the segment", share: (s, i) => s.survival[i] },
  skip_probability: { less: "leaves seldom", more: "leaves often", told: "chance in % of leaving in the segment", share: (s, i) => s.skip_probability[i] },
};

function strip(video, figure, low, high, longest_s) {
  const s = video.segments;
  const drawn = element("div");
  drawn.style.width = 100 * video.duration_s / longest_s + "%";
  const cells = element("div", undefined, "heat");
  cells.setAttribute("role", "img");
  cells.setAttribute("aria-label", s.start_s.map((start, i) => `from ${start} s: leaves here ${percent(s.skip_probability[i])}, watches past ${percent(s.survival[i])}`).join("; "));
  s[figure].forEach((value, i) => {
    const level = high > low ? Math.min(SHADES - 1, Math.floor((value - low) / (high - low) * SHADES)) : SHADES >> 1;
    const length_s = s.end_s[i] - s.start_s[i];
    // A short last segment is too narrow for words.
    const words = length_s > 0.45 * s.end_s[0] ? Math.round(100 * FIGURES[figure].share(s, i)) : "";
    const cell = element("span", words, "cell l" + level);
    cell.style.flexGrow = length_s;
    cell.title = `${s.start_s[i]}–${short(s.end_s[i])} s: leaves here ${percent(s.skip_probability[i])}, ` +
      `watches past ${percent(s.survival[i])}, interest ${s.interest[i].toFixed(2)}`;
    cells.append(cell);
  });
  const track = element("div", undefined, "track");
  const diamond = element("span", undefined, "diamond");
  diamond.style.left = 100 * video.watch_ratio + "%";
  track.setAttribute("aria-hidden", "true");
  track.append(diamond);
  drawn.append(cells, track);
  return drawn;
}

// Title and pictures of a video, asked for once.
async function showCard(video, title, pictures) {
  const { video_id, segments } = video;
  if (!cards.has(video_id)) cards.set(video_id, ask("v1/video?video_id=" + encodeURIComponent(video_id)).catch(() => null));
  const card = await cards.get(video_id);
  if (!card) return;
  if (card.title) title.textContent = card.title;
  if (card.thumbnails.some(Boolean)) pictures.replaceChildren(...card.thumbnails.map((picture, i) => {
    const shown = element(picture ? "img" : "span");
    shown.style.flexGrow = segments.end_s[i] - segments.start_s[i];
    if (picture) { shown.src = "data:image/webp;base64," + picture; shown.alt = ""; }
    return shown;
  }));
}

// As the command says it: not at all, where staying to the end is likelier than leaving in any one segment.
function likeliest(video) {
  if (video.completion > video.skip.probability) return `not at all, ${percent(video.completion)}`;
  return `${video.skip.start_s}–${short(video.skip.end_s)} s, ${percent(video.skip.probability)}`;
}

function figureCell(label, text, className) {
  const cell = element("td", text, "n" + (className || ""));
  cell.dataset.label = label;
  return cell;
}

function show() {
  if (!answer) return;
  const figure = at("figure").value;
  const all = answer.predictions.flatMap((video) => video.segments[figure]);
  const [low, high] = figure === "survival" ? [0, 1] : [Math.min(...all), Math.max(...all)];
  const longest_s = Math.max(...answer.predictions.map((video) => video.duration_s));
  at("answer").tBodies[0].replaceChildren(...answer.predictions.map((video) => {
    const row = element("tr");
    const name = element("th", video.video_id);
    name.scope = "row";
    const title = element("span", "", "quiet title");
    name.append(title);
    const heat = element("td", undefined, "strips");
    const pictures = element("div", undefined, "pictures");
    pictures.style.width = 100 * video.duration_s / longest_s + "%";
    if (video.video_known) showCard(video, title, pictures);
    heat.append(pictures, strip(video, figure, low, high, longest_s));
    row.append(name, heat,
      figureCell("watches", `${short(video.expected_watch_s)} of ${short(video.duration_s)} s`),
      figureCell("to the end", percent(video.completion)),
      figureCell("leaves most likely", likeliest(video), " leaves"));
    return row;
  }));
  for (const word of ["less", "more", "told"]) at(word).textContent = FIGURES[figure][word];
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
    const told = answer.skipped.map((s) => `${s.video_id}: ${s.reason}`);
    if (!answer.user_known) told.unshift("Nothing that this user has watched is known: the answer is one for anybody.");
    say(told.join("; "));
    show();
  } catch (error) {
    // What stood there answered another question.
    answer = null;
    at("answer").tBodies[0].replaceChildren();
    at("answer").hidden = at("legend").hidden = true;
    say(error.message, true);
  }
}

async function start() {
  try {
    const health = await ask("healthz");
    at("run").textContent = `Run ${health.run}, model ${health.model}: ${health.users.toLocaleString("en")} users, ${health.videos.toLocaleString("en")} videos.`;
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
at("user").addEventListener("change", () => at("question").requestSubmit());
at("key").addEventListener("change", start);
start();

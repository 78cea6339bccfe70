// Keeps a copy of the sweep's document true by the stream, and shows it. docs/page.md describes the stream.
"use strict";

const token = document.body.dataset.token;
const at = (path, query = {}) => `/${path}?${new URLSearchParams({ ...query, token })}`;
const all = (selector, inside = document) => inside.querySelectorAll(selector);
const one = (selector, inside = document) => inside.querySelector(selector);
let copy = null;
let answers = false; // whether the master is heard

// -- the copy

function apply(target, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key];
    else if (typeof value === "object" && !Array.isArray(value)) {
      const known = target[key];
      target[key] = apply(known && typeof known === "object" && !Array.isArray(known) ? known : {}, value);
    } else target[key] = value;
  }
  return target;
}

function listen() {
  const source = new EventSource(at("stream"));
  source.addEventListener("state", (event) => {
    copy = JSON.parse(event.data);
    gone("");
    show(null);
  });
  source.addEventListener("change", (event) => {
    const patch = JSON.parse(event.data);
    apply(copy, patch);
    show(patch);
  });
  source.addEventListener("note", (event) => {
    showNote(Number(event.lastEventId), JSON.parse(event.data));
    refreshSoon(null); // what changed, and back before the document was drawn again, is in no change of it
  });
  source.onerror = () => {
    const over = copy && (copy.sweep.state === "over" || copy.sweep.state === "draining");
    gone(over ? "The run has ended; this is what it said last." : "The master does not answer; this is what it said last.");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

function gone(sentence) {
  answers = !sentence;
  for (const button of all("[data-act], [data-add] button, [data-follow]")) if (copy) enable(button);
  const line = one("#lost");
  line.hidden = !sentence;
  if (line.textContent !== sentence) line.textContent = sentence;
}

// -- how things are said

const number = (n) => n.toLocaleString("en");
const clock = (t) => new Date(t * 1000).toLocaleTimeString("en-GB");
const share = (x) => `${Math.round(100 * x)} %`;

function rate(r) {
  if (r === 0) return "nothing yet";
  if (r >= 1) return `${number(Number(r.toPrecision(3)))} sets a second`;
  return r * 60 >= 1 ? `${(r * 60).toPrecision(2)} sets a minute` : `${(r * 3600).toPrecision(2)} sets an hour`;
}

const states = { running: "▶ running", paused: "⏸ paused: nothing new is begun", draining: "■ draining: what runs may finish", over: "■ over" };
const words = {
  state: (s) => states[s.state] || s.state,
  percent: (s) => (s.total ? `, ${Math.floor((100 * (s.done + s.failed + s.cancelled)) / s.total)} % ended` : ""),
  waits_for: (s) => [
    s.waits_for || (s.waiting ? "a free slot" : ""),
    s.back_offs ? `${s.back_offs.sets} for the next attempt (the first at ${clock(s.back_offs.first)})` : "",
  ].filter(Boolean).join("; ") || "–",
  left: (s) => (s.paused ? "not while it is paused" : s.left ? `in ${s.left_text}` : s.waiting + s.running ? "not known yet" : "–"),
  rate: (s) => rate(s.rate),
  efficiency: (s) => (s.efficiency === undefined ? "–" : share(s.efficiency)),
  began: (s) => clock(s.began),
  hosts: () => {
    const states = Object.values(copy.hosts).map((host) => host.state);
    const bad = states.filter((state) => state !== "up").length;
    return `${states.length - bad} up${bad ? `, ${bad} not` : ""}`;
  },
};

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function link(text, path, query) {
  const made = document.createElement("a");
  made.href = at(path, query);
  made.textContent = text;
  return made;
}

// -- what is shown

function show(patch) {
  for (const element of all("[data-see]")) {
    const name = element.dataset.see;
    write(element, words[name] ? words[name](copy.sweep) : number(copy.sweep[name]));
  }
  const bar = one("[data-see-bar]");
  if (bar) showBar(bar, copy.sweep);
  if (one("[data-see-failures]") && (!patch || patch.failures)) showFailures(one("[data-see-failures]"));
  if (one("[data-see-hosts]")) showHosts(one("[data-see-hosts]"), patch);
  if (!patch || patch.sweep || patch.tickets) refreshSoon(patch);
  for (const button of all("[data-act], [data-add] button, [data-follow]")) enable(button);
}

function showBar(bar, sweep) {
  const part = (n) => `${(100 * n) / Math.max(1, sweep.total)}%`;
  one(".b-done", bar).style.width = part(sweep.done);
  one(".b-failed", bar).style.width = part(sweep.failed);
  one(".b-running", bar).style.width = part(sweep.running);
  bar.setAttribute("aria-label", `${sweep.done} done, ${sweep.failed} failed, ${sweep.running} running of ${sweep.total}`);
}

function showFailures(list) {
  const newest = Object.entries(copy.failures).sort((a, b) => b[1].time - a[1].time).slice(0, 10);
  list.replaceChildren(...newest.map(([task, failure]) => {
    const item = document.createElement("li");
    const sign = document.createElement("span");
    sign.className = "mark";
    sign.textContent = failure.final ? "✕ failed" : "↻ tried again";
    item.append(sign, " ", link(`task ${task}`, `task/${task}`), ` ${clock(failure.time)}${failure.host ? ` on ${failure.host}` : ""}: ${failure.reason}`);
    return item;
  }));
  if (!newest.length) list.innerHTML = '<li class="none">None.</li>';
}

function showNote(serial, note) {
  const body = one("[data-see-notes]");
  if (!body || Number(body.firstElementChild?.dataset.serial || 0) >= serial) return;
  const row = document.createElement("tr");
  row.dataset.serial = serial;
  for (const text of [clock(note.time), note.kind, note.text]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    row.append(cell);
  }
  if (note.task) row.lastElementChild.append(" ", link(`task ${note.task}`, `task/${note.task}`));
  body.prepend(row);
  while (body.children.length > 1000) body.lastElementChild.remove();
}

listen();

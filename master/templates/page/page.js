// Keeps a copy of the sweep's document true by the stream, and shows it. docs/page.md describes the stream.
"use strict";

const token = document.body.dataset.token;
const at = (path, query = {}) => `/${path}?${new URLSearchParams({ ...query, token })}`;
const all = (selector, inside = document) => inside.querySelectorAll(selector);
const one = (selector, inside = document) => inside.querySelector(selector);
let copy = null;

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
  source.addEventListener("note", (event) => showNote(Number(event.lastEventId), JSON.parse(event.data)));
  source.onerror = () => {
    const over = copy && (copy.sweep.state === "over" || copy.sweep.state === "draining");
    gone(over ? "The run has ended; this is what it said last." : "The master does not answer; this is what it said last.");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

function gone(sentence) {
  const line = one("#lost");
  line.hidden = !sentence;
  if (line.textContent !== sentence) line.textContent = sentence;
}

// -- how things are said

const number = (n) => n.toLocaleString("en");
const clock = (t) => new Date(t * 1000).toLocaleTimeString("en-GB");
const share = (x) => `${Math.round(100 * x)} %`;

function span(s) {
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${(s / 3600).toFixed(1)} h` : `${(s / 86400).toFixed(1)} days`;
}

function rate(r) {
  if (r === 0) return "nothing yet";
  if (r >= 1) return `${number(Number(r.toPrecision(3)))} sets a second`;
  return r * 60 >= 1 ? `${(r * 60).toPrecision(2)} sets a minute` : `${(r * 3600).toPrecision(2)} sets an hour`;
}

const states = { running: "▶ running", paused: "⏸ paused: nothing new is begun", draining: "■ draining: what runs may finish", over: "■ over" };
const words = {
  state: (s) => states[s.state] || s.state,
  percent: (s) => (s.total ? `, ${Math.floor((100 * (s.done + s.failed + s.cancelled)) / s.total)} % ended` : ""),
  left: (s) => (s.left ? `in ${span(s.left[0])} to ${span(s.left[1])}` : s.waiting + s.running ? "not known yet" : "–"),
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
  for (const button of all("[data-act]")) enable(button);
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

const rows = new Map(); // host -> {row, places: ticket numbers by slot}

function showHosts(body, patch) {
  const touched = new Set(patch ? Object.keys(patch.hosts || {}) : Object.keys(copy.hosts));
  if (!patch) {
    rows.clear();
    body.replaceChildren();
  }
  const busy = new Map();
  if (!patch || patch.tickets || patch.hosts) {
    for (const [id, ticket] of Object.entries(copy.tickets)) {
      if (!busy.has(ticket.host)) busy.set(ticket.host, []);
      busy.get(ticket.host).push(id);
    }
  }
  for (const host of touched) {
    if (!copy.hosts[host]) {
      rows.get(host)?.row.remove();
      rows.delete(host);
    } else showHost(body, host, copy.hosts[host]);
  }
  if (!patch || patch.tickets || patch.hosts) for (const [host, known] of rows) showSlots(known, host, busy.get(host) || []);
}

function showHost(body, name, host) {
  if (!rows.has(name)) {
    const row = one("#host-row").content.cloneNode(true).firstElementChild;
    for (const button of all("[data-act]", row)) {
      button.dataset.act = JSON.stringify({ ...JSON.parse(button.dataset.act), host: name });
      button.setAttribute("aria-label", `${button.textContent} ${name}`);
    }
    const title = one("[data-f=name]", row);
    title.textContent = name;
    title.href = at("hosts", { host: name });
    body.append(row);
    rows.set(name, { row, places: [] });
  }
  const row = rows.get(name).row;
  const put = (field, text) => write(one(`[data-f=${field}]`, row), text);
  for (const field of ["done", "failed", "lost"]) put(field, number(host[field]));
  put("load", host.load === undefined ? "–" : host.load.toFixed(1));
  put("memory", host.memory === undefined ? "–" : share(host.memory));
  put("disk", host.disk === undefined ? "–" : share(host.disk));
  put("word", host.word === undefined ? "–" : clock(host.word));
  const signs = { up: "✓", starting: "…", benched: "⏸", drained: "■", gone: "–", fault: "✕" };
  const state = one("[data-f=state]", row);
  const said = `${signs[host.state] || ""} ${host.state}`;
  if (state.dataset.said !== said + (host.why || "")) {
    state.dataset.said = said + (host.why || "");
    state.className = `s-${host.state}`;
    state.textContent = said;
    if (host.why) {
      const why = document.createElement("span");
      why.className = "why";
      why.textContent = host.why;
      state.append(why);
    }
  }
}

function showSlots(known, name, tickets) {
  const count = Math.max(copy.hosts[name]?.slots || 0, tickets.length);
  const here = new Set(tickets);
  const places = known.places.slice(0, count).map((id) => (here.has(id) ? id : null));
  for (const id of places) if (id) here.delete(id);
  for (const id of here) {
    const free = places.indexOf(null);
    if (free >= 0) places[free] = id;
    else places.push(id);
  }
  while (places.length < count) places.push(null);
  if (places.length === known.places.length && places.every((id, n) => id === known.places[n])) return;
  const box = one("[data-f=slots]", known.row);
  box.setAttribute("aria-label", `${tickets.length} of ${count} slots busy`);
  places.forEach((id, n) => {
    const cell = box.children[n];
    if (cell && id === known.places[n]) return;
    const made = slot(id);
    if (cell) cell.replaceWith(made);
    else box.append(made);
  });
  while (box.children.length > places.length) box.lastElementChild.remove();
  known.places = places;
}

function slot(id) {
  if (!id) {
    const free = document.createElement("span");
    free.textContent = "·";
    free.title = "free";
    return free;
  }
  const ticket = copy.tickets[id];
  const made = link(ticket.task, `task/${ticket.task}`);
  made.tabIndex = -1; // many of them: the host's own link comes first, the tasks have a page
  made.title = `task ${ticket.task}${ticket.began ? `, since ${clock(ticket.began)}` : ""}${ticket.copy ? ", a copy" : ""}`;
  if (ticket.copy) made.className = "copy";
  return made;
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

// -- parts that the master draws: fetched again when the sweep has moved, never more often than they can bear

const waiting = new Map(); // part -> whether it has to be fetched once more

function refreshSoon(patch) {
  for (const part of all("[data-refresh]")) {
    const task = Number(part.dataset.watch);
    const moved = !patch || (patch.sweep && ["done", "failed", "running", "waiting", "cancelled"].some((name) => name in patch.sweep));
    const touched = task && patch && Object.keys(patch.tickets || {}).length > 0;
    if ((moved || touched) && !document.hidden) {
      if (waiting.has(part)) waiting.set(part, true);
      else refresh(part);
    }
  }
}

async function refresh(part) {
  waiting.set(part, false);
  const begun = performance.now();
  try {
    const address = new URL(location.href);
    address.searchParams.set("part", "1");
    const answer = await fetch(address);
    if (answer.ok) replace(one("[data-part]", part), await answer.text());
  } catch {
    return void waiting.delete(part); // the stream says what is wrong
  }
  const pause = Math.max(1000 * Number(part.dataset.refresh), 20 * (performance.now() - begun));
  setTimeout(() => {
    const again = waiting.get(part);
    waiting.delete(part);
    if (again) refresh(part);
  }, pause);
}

function replace(inside, html) {
  const selected = getSelection();
  if (selected && !selected.isCollapsed && inside.contains(selected.anchorNode)) return; // somebody is copying from it
  if (inside.lastHtml === html) return;
  inside.lastHtml = html;
  const places = [...all(".scroll, pre", inside)].map((box) => [box.scrollLeft, box.scrollTop]);
  const order = [...all("a, button, [tabindex]", inside)];
  const focused = order.indexOf(document.activeElement);
  inside.innerHTML = html;
  [...all(".scroll, pre", inside)].forEach((box, n) => places[n] && ([box.scrollLeft, box.scrollTop] = places[n]));
  if (focused >= 0) all("a, button, [tabindex]", inside)[focused]?.focus({ preventScroll: true });
}

// -- acting

function enable(button) {
  const order = JSON.parse(button.dataset.act);
  const { state, paused, failed, cancelled } = copy.sweep;
  const ending = state === "over" || state === "draining";
  const host = order.host !== undefined && copy.hosts[order.host];
  if (order.do === "pause") button.disabled = ending || paused;
  else if (order.do === "resume") button.disabled = ending || !paused;
  else if (order.do === "stop") button.disabled = ending;
  else if (order.do === "retry" && !order.tasks) button.disabled = ending || !(failed + cancelled);
  else if (host && order.do === "use") button.disabled = !["benched", "drained", "gone", "fault"].includes(host.state);
  else if (host) button.disabled = host.state === { drain: "drained", bench: "benched" }[order.do];
}

let silence = 0;

function say(sentence) {
  const line = one("#said");
  line.textContent = sentence;
  line.hidden = false;
  clearTimeout(silence);
  silence = setTimeout(() => { line.hidden = true; }, 8000);
}

async function act(order) {
  try {
    const answer = await fetch(at("act"), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) });
    const said = await answer.json().catch(() => ({ error: "this master cannot do that" }));
    say(answer.ok ? said.said : `Not done: ${said.error}`);
    return answer.ok;
  } catch {
    say("Not done: the master does not answer.");
    return false;
  }
}

let following = null;

function follow(button) {
  const box = one("#live");
  following?.close();
  box.textContent = "";
  box.hidden = false;
  following = new EventSource(at("output", { task: button.dataset.task, which: button.dataset.follow }));
  following.onmessage = (event) => {
    box.append(`${event.data}\n`);
    box.scrollTop = box.scrollHeight;
  };
  following.onerror = () => {
    if (following.readyState === EventSource.CLOSED && !box.textContent) box.textContent = "Its output cannot be followed now.";
    following.close();
  };
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.act && (!button.dataset.sure || confirm(button.dataset.sure))) act(JSON.parse(button.dataset.act));
  if (button?.dataset.follow) follow(button);
});
document.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-add]")) return;
  event.preventDefault();
  if (await act({ do: "add", line: event.target.elements.line.value })) event.target.reset();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && copy) refreshSoon(null); });

listen();

// The table of hosts: a row a host, a cell a slot. A task keeps its cell as long as it runs.
"use strict";

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
  const signs = { up: "✓", starting: "…", benched: "⏸", drained: "■", gone: "–", ended: "■", fault: "✕", suspect: "?" };
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

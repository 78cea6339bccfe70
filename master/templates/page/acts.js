// Buttons: what is to be done goes to the master, and its sentence is shown. And a running task's output, live.
"use strict";

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

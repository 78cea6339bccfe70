// Buttons: what is to be done goes to the master, and its sentence is shown. And a running task's output, live.
"use strict";

function enable(button) {
  button.disabled = !answers; // what is pressed now would be lost, or done much later
  if (!answers || !button.dataset.act) return;
  const order = JSON.parse(button.dataset.act);
  const { state, paused, failed, cancelled } = copy.sweep;
  const ending = state === "over" || state === "draining";
  const host = order.host !== undefined && copy.hosts[order.host];
  if (order.do === "pause") button.disabled = ending || paused;
  else if (order.do === "resume") button.disabled = ending || !paused;
  else if (order.do === "stop") button.disabled = order.now ? state === "over" : ending;
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
  const source = following;
  const text = new TextDecoder();
  source.addEventListener("out", (event) => {
    const bytes = Uint8Array.from(atob(JSON.parse(event.data)), (letter) => letter.charCodeAt(0));
    box.append(text.decode(bytes, { stream: true }));
    box.scrollTop = box.scrollHeight;
  });
  source.addEventListener("exit", () => source.close()); // or it would be asked again
  source.addEventListener("error", (event) => { // the master's sentence; or, without one, the connection's end
    if (event.data) box.append(`${box.textContent ? "\n" : ""}${JSON.parse(event.data)}`);
    source.close();
  });
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

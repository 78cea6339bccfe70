// Parts that the master draws: fetched again when the sweep has moved, never more often than both can bear.
"use strict";

const waiting = new Map(); // part -> whether it has to be fetched once more
let pressed = false; // a click whose target goes between pressing and letting go is none

function refreshSoon(patch) {
  for (const part of all("[data-refresh]")) {
    const task = Number(part.dataset.watch);
    const moved = !patch || (patch.sweep && ["done", "failed", "running", "waiting", "cancelled", "state"].some((name) => name in patch.sweep))
      || Object.values(patch.hosts || {}).some((host) => host && "state" in host);
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
    address.searchParams.set("width", roomIn(part)); // what is drawn has letters of the page's size
    const answer = await fetch(address);
    if (answer.ok && !replace(one("[data-part]", part), await answer.text())) waiting.set(part, true);
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

// Whether it shows this now; not while somebody clicks or copies something there.
function replace(inside, html) {
  const selected = getSelection();
  if (inside.lastHtml === html) return true;
  if (pressed || (selected && !selected.isCollapsed && inside.contains(selected.anchorNode))) return false;
  inside.lastHtml = html;
  const places = [...all(".scroll, pre", inside)].map((box) => [box.scrollLeft, box.scrollTop]);
  const order = [...all("a, button, [tabindex]", inside)];
  const focused = order.indexOf(document.activeElement);
  inside.innerHTML = html;
  [...all(".scroll, pre", inside)].forEach((box, n) => places[n] && ([box.scrollLeft, box.scrollTop] = places[n]));
  if (focused >= 0) all("a, button, [tabindex]", inside)[focused]?.focus({ preventScroll: true });
  return true;
}

function roomIn(part) {
  return Math.floor((one(".scroll", part) || part).clientWidth);
}

// What does not fit is faded at its end, until it is scrolled there.
function fade() {
  for (const box of document.querySelectorAll(".scroll")) box.classList.toggle("more", box.scrollWidth - box.clientWidth - box.scrollLeft > 2);
}

let resized = 0;
addEventListener("resize", () => {
  fade();
  clearTimeout(resized);
  resized = setTimeout(() => copy && refreshSoon(null), 200);
});
document.addEventListener("scroll", fade, { capture: true, passive: true });
new MutationObserver(fade).observe(document.body, { childList: true, subtree: true });
new ResizeObserver(fade).observe(document.body);

// A histogram has no column across.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[name=form]") && event.target.form.elements.x) event.target.form.elements.x.disabled = event.target.value === "histogram";
});

addEventListener("pointerdown", (event) => { pressed = event.button === 0; }); // of the others a menu may swallow the end
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => { pressed = false; }); // blur: the window's
document.addEventListener("visibilitychange", () => { if (!document.hidden && copy) refreshSoon(null); });

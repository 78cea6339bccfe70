// Saves the plot as PNG: the SVG file that the master makes, drawn into a picture twice as fine as the screen.
"use strict";

const FINE = 2;

async function savePng(button) {
  const answer = await fetch(button.dataset.png);
  if (!answer.ok) return;
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await answer.text())}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = FINE * picture.naturalWidth;
  canvas.height = FINE * picture.naturalHeight;
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const made = document.createElement("a");
  made.href = canvas.toDataURL("image/png");
  const title = /filename="(.*)\.svg"/.exec(answer.headers.get("Content-Disposition") || "");
  made.download = `${title ? title[1] : "plot"}.png`;
  made.click();
}

// What the master draws anew has its button hidden again: without this script it could do nothing.
function offerPng(inside) {
  for (const button of inside.querySelectorAll("[data-png]")) button.hidden = false;
}

offerPng(document);
new MutationObserver(() => offerPng(document)).observe(document.querySelector("main"), { childList: true, subtree: true });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-png]");
  if (button) savePng(button);
});

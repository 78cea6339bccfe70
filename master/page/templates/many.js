// Draws what the master has made of the table, with plotly, in the colours of the page.
"use strict";

const box = document.querySelector("#many");
const figure = JSON.parse(document.querySelector("#figure").textContent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const layout = {
  ...figure.layout,
  paper_bgcolor: colour("--paper"),
  plot_bgcolor: colour("--paper"),
  font: { color: colour("--ink") },
  margin: { t: 50, r: 40, b: 50, l: 60 },
};
for (const trace of figure.data) if (trace.marker && !trace.marker.color) trace.marker.color = colour("--accent");
for (const trace of figure.data) if (trace.line && !trace.line.color) trace.line.color = colour("--accent");
Plotly.newPlot(box, figure.data, layout, { responsive: true, displaylogo: false });

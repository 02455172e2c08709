// Small lines without axes.

import { known } from "./known.js";

const SVG = "http://www.w3.org/2000/svg";

export function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 180 28");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["area", "line"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
  }
  return svg;
}

export function drawSparkline(svg, points) {
  const [area, line] = svg.children;
  const max = Math.max(...points.map((point) => point ?? 0), 1e-9);
  const offset = known.kept - points.length;
  let path = "";
  let filled = "";
  let isDown = false;
  let startX = 0;
  let lastX = 0;
  const close = () => {
    if (isDown) filled += `L${lastX} 28L${startX} 28Z`;
    isDown = false;
  };
  points.forEach((point, i) => {
    if (point === null) {
      close();
      return;
    }
    const x = offset + i + 0.5;
    const step = `${x} ${(27 - (25 * point) / max).toFixed(1)}`;
    // One alone is a dot: a line of no length, whose ends are round.
    path += isDown ? `L${step}` : `M${step}h0`;
    filled += (isDown ? "L" : "M") + step;
    if (!isDown) startX = x;
    lastX = x;
    isDown = true;
  });
  close();
  line.setAttribute("d", path);
  area.setAttribute("d", filled);
}

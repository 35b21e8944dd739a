// Figures as SVG in the colours of the page.
const WIDE = 640, HIGH = 320, LEFT = 48, RIGHT = 16, TOP = 12, BOTTOM = 40;
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const colour = (index) => `var(--c${index % 8})`;
const dash = (index) => DASHES[Math.floor(index / 8) % DASHES.length];

function canvas(parent, label, wide, high) {
  const svg = addSvg(parent, "svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, role: "img", "aria-label": label });
  addSvg(svg, "title", {}, label);
  return svg;
}

function niceTicks(low, high) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((each) => (high - low) / each <= 6) ?? 100;
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step) ticks.push(Number(value.toFixed(6)));
  return ticks;
}

function lines(parent, figure, series) {
  const names = Object.keys(series), points = Object.values(series).flat();
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
  let low = Math.min(...points.map(([, y, ci]) => y - ci)), high = Math.max(...points.map(([, y, ci]) => y + ci));
  const margin = (high - low || 1) * 0.05;
  low -= margin; high += margin;
  const span = Math.log(xs.at(-1) / xs[0]) || 1;
  const atX = (x) => LEFT + 10 + (WIDE - LEFT - RIGHT - 20) * Math.log(x / xs[0]) / span;
  const atY = (y) => HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * (y - low) / (high - low);
  const svg = canvas(parent, `${figure.title}: ${figure.y} against ${figure.x}`, WIDE, HIGH);
  for (const tick of niceTicks(low, high)) {
    addSvg(svg, "line", { x1: LEFT, x2: WIDE - RIGHT, y1: atY(tick), y2: atY(tick), stroke: "var(--line)" });
    addSvg(svg, "text", { x: LEFT - 6, y: atY(tick) + 4, "text-anchor": "end" }, tick);
  }
  let free = -Infinity;
  for (const x of xs) {
    if (atX(x) < free) continue;
    addSvg(svg, "text", { x: atX(x), y: HIGH - BOTTOM + 18, "text-anchor": "middle" }, Number(x.toPrecision(3)));
    free = atX(x) + 30;
  }
  addSvg(svg, "text", { x: (LEFT + WIDE) / 2, y: HIGH - 4, "text-anchor": "middle" }, figure.x);
  names.forEach((name, index) => {
    const sorted = [...series[name]].sort(([a], [b]) => a - b);
    const edge = [...sorted.map(([x, y, ci]) => [x, y + ci]), ...sorted.toReversed().map(([x, y, ci]) => [x, y - ci])];
    const path = (each) => each.map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`).join(" ");
    addSvg(svg, "polygon", { points: path(edge), fill: colour(index), opacity: 0.15 });
    addSvg(svg, "polyline", { points: path(sorted), fill: "none", stroke: colour(index), "stroke-width": 2, "stroke-dasharray": dash(index) });
    for (const [x, y, ci] of sorted) {
      const dot = addSvg(svg, "circle", { cx: atX(x), cy: atY(y), r: 3.5, fill: colour(index) });
      addSvg(dot, "title", {}, `${name}, ${x}: ${y.toFixed(2)}${ci ? `±${ci.toFixed(2)}` : ""}`);
    }
  });
  const legend = add(parent, "div", null, { class: "legend" });
  names.forEach((name, index) => {
    const entry = add(legend, "span");
    add(entry, "i").style.background = colour(index);
    entry.append(name);
  });
}

function heat(parent, figure, cells) {
  const methods = Object.keys(cells), models = [...new Set(methods.flatMap((method) => Object.keys(cells[method])))];
  const values = methods.flatMap((method) => Object.values(cells[method]));
  const low = Math.min(...values), high = Math.max(...values);
  const table = add(add(parent, "div", null, { class: "scroll" }), "table");
  const head = add(table, "tr");
  add(head, "td", "");
  for (const model of models) add(head, "th", model, { scope: "col" });
  for (const method of methods) {
    const row = add(table, "tr");
    add(row, "th", method, { scope: "row" });
    for (const model of models) {
      const value = cells[method][model];
      const cell = add(row, "td", value === undefined ? "" : value.toFixed(1), { class: "score" });
      if (value !== undefined) {
        const share = Math.round(8 + 62 * (value - low) / (high - low || 1));
        cell.style.background = `color-mix(in srgb, var(--c0) ${share}%, var(--back))`;
      }
    }
  }
}

function ranks(parent, figure) {
  const names = Object.keys(figure.ranks), last = names.length, row = 18;
  const high = 50 + row * names.length + 10 * figure.groups.length, wide = WIDE;
  const at = (rank) => 20 + (wide - 240) * (rank - 1) / (last - 1);
  const svg = canvas(parent, figure.title, wide, high);
  for (let rank = 1; rank <= last; rank += 1) addSvg(svg, "text", { x: at(rank), y: 14, "text-anchor": "middle" }, rank);
  addSvg(svg, "line", { x1: at(1), x2: at(last), y1: 22, y2: 22, stroke: "var(--text)" });
  figure.groups.forEach((group, index) => {
    const [first, end] = [figure.ranks[group[0]], figure.ranks[group.at(-1)]];
    addSvg(svg, "line", { x1: at(first) - 3, x2: at(end) + 3, y1: 30 + 8 * index, y2: 30 + 8 * index, stroke: "var(--c1)", "stroke-width": 4 });
  });
  names.forEach((name, index) => {
    const y = 46 + 8 * figure.groups.length + row * index, x = at(figure.ranks[name]);
    addSvg(svg, "polyline", { points: `${x},22 ${x},${y - 4} ${wide - 205},${y - 4}`, fill: "none", stroke: "var(--soft)" });
    addSvg(svg, "text", { x: wide - 200, y }, `${name} (${figure.ranks[name].toFixed(2)})`);
  });
  add(parent, "p", `Friedman's test: p = ${figure.p.toPrecision(2)}. Models that a bar joins cannot be told apart (Nemenyi, critical difference ${figure.distance.toFixed(2)}).`);
}

const KINDS = { lines, heat };

function drawFigure(figure) {
  const box = add(byId("figures"), "figure");
  add(box, "figcaption", figure.title);
  if (figure.kind === "ranks") { ranks(box, figure); return; }
  const names = Object.keys(figure.choices);
  const place = document.createElement("div");
  const draw = (name) => { place.replaceChildren(); KINDS[figure.kind](place, figure, figure.choices[name]); };
  if (names.length > 1) choice(box, figure.kind === "heat" ? "Protocol" : "Method", names, draw);
  box.append(place);
  draw(names[0]);
}

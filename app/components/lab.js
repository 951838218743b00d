// What a strategy does over many draws: sample masks, heat maps from numbers, two small charts, numbers.

const LAB_CSS = `
  .frame { container-type: inline-size; display: grid; gap: 12px; }
  .lead { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; margin: 0; overflow-wrap: anywhere; }
  .lead b { font-size: 1rem; }
  .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 8px; }
  .figures div { display: grid; align-content: start; padding: 5px 10px; border-radius: 8px; background: var(--st-secondary-background-color); }
  .figures span { font-size: 0.75rem; opacity: 0.75; }
  .figures b { font-size: 1rem; font-variant-numeric: tabular-nums; }
  .figures small { font-size: 0.7rem; opacity: 0.72; }
  .panels { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 14px 16px; align-items: start; }
  .stack { display: grid; gap: 12px; min-width: 0; }
  @container (max-width: 760px) { .panels { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
  @container (max-width: 480px) { .stack { grid-column: 1 / -1; } }
  section { display: grid; gap: 5px; min-width: 0; }
  h3 { font-size: 0.86rem; margin: 0; font-weight: 600; }
  section > p { margin: 0; font-size: 0.74rem; opacity: 0.75; min-height: 1.3em; }
  canvas { display: block; width: 100%; border-radius: 6px; image-rendering: pixelated; background: var(--st-secondary-background-color); }
  canvas[tabindex] { cursor: crosshair; }
  svg.chart { width: 100%; max-width: 300px; height: auto; display: block; overflow: visible; }
  .chart text { font-size: 11px; fill: currentColor; opacity: 0.75; font-variant-numeric: tabular-nums; }
  .chart .axis { stroke: currentColor; opacity: 0.35; stroke-width: 1; }
  .chart .even { stroke: currentColor; opacity: 0.55; stroke-width: 1; stroke-dasharray: 4 3; }
  .chart .curve { fill: none; stroke: var(--st-primary-color); stroke-width: 2; }
  .chart .dot, .chart .bar { fill: var(--st-primary-color); }
  .chart .hit { fill: transparent; }
  .chart .hit:hover { fill: currentColor; fill-opacity: 0.08; }
  .wb .legend { display: grid; grid-template-columns: auto 1fr auto; gap: 6px; align-items: center; font-size: 0.72rem; width: 100%;
    background: none; border: 0; padding: 0; text-align: left; font-variant-numeric: tabular-nums; }
  .wb .legend canvas { height: 8px; border-radius: 4px; }
  .problem { margin: 0; padding: 8px 12px; border-radius: 8px; background: var(--st-secondary-background-color); }
  table { border-collapse: collapse; font-size: 0.76rem; width: 100%; font-variant-numeric: tabular-nums; }
  td, th { padding: 1px 6px 1px 0; text-align: right; font-weight: 400; white-space: nowrap; }
  th { opacity: 0.7; }
  td:first-child, th:first-child { text-align: left; }
  .stale { opacity: 0.45; }
`;

const HIDDEN_INK = [52, 62, 60], SHOWN_INK = [226, 230, 227];

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

// Shares were sent as 16-bit numbers; 65535 stands for "does not exist".
function shares(text) {
  return Array.from(new Uint16Array(bytes(text).buffer), (value) => (value === 65535 ? NaN : value / 65534));
}

function percent(share) {
  return Number.isNaN(share) ? "never" : `${(100 * share).toFixed(1)}%`;
}

// Planes of cells side by side in one canvas, a gap between them; knows which cell a point lies in.
class Planes {
  constructor(label, acts) {
    this.canvas = make("canvas", { role: "img", "aria-label": label, ...acts });
    this.canvas.addEventListener("pointermove", (event) => this.hover?.(this.cell(event)));
  }
  lay(count, rows, cols, across) {
    const wide = Math.min(across, count), tall = Math.ceil(count / wide);
    const size = [wide * (cols + 1) - 1, tall * (rows + 1) - 1].join();
    Object.assign(this, { count, rows, cols, wide, tall });
    if (size !== this.size) [this.canvas.width, this.canvas.height] = (this.size = size).split(",");
  }
  paint(colour) {
    const { width, height } = this.canvas;
    const image = new ImageData(width, height);
    for (let at = 0; at < this.count; at += 1) {
      const top = Math.floor(at / this.wide) * (this.rows + 1), left = (at % this.wide) * (this.cols + 1);
      for (let row = 0; row < this.rows; row += 1)
        for (let col = 0; col < this.cols; col += 1)
          image.data.set([...colour((at * this.rows + row) * this.cols + col), 255], ((top + row) * width + left + col) * 4);
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }
  cell(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.canvas.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.canvas.height);
    const row = y % (this.rows + 1), col = x % (this.cols + 1);
    const plane = Math.floor(y / (this.rows + 1)) * this.wide + Math.floor(x / (this.cols + 1));
    if (row >= this.rows || col >= this.cols || plane >= this.count || x < 0 || y < 0) return null;
    return (plane * this.rows + row) * this.cols + col;
  }
}

class HeatMap {
  constructor(title, acts) {
    this.planes = new Planes(title, acts);
    this.ramp = make("canvas", { width: 64, height: 1 });
    const pixels = this.ramp.getContext("2d");
    for (let x = 0; x < 64; x += 1) {
      pixels.fillStyle = `rgb(${heat(x / 63)})`;
      pixels.fillRect(x, 0, 1, 1);
    }
    [this.low, this.high] = [make("span"), make("span")];
    this.legend = make("button", { type: "button", class: "legend", onclick: () => { this.own = !this.own; this.draw(); } },
      this.low, this.ramp, this.high);
    this.told = make("p");
    this.title = make("h3", { text: title });
    this.node = make("section", {}, this.title, this.planes.canvas, this.legend, this.told);
    this.planes.hover = (cell) => { this.planes.canvas.title = cell === null ? "" : this.name(cell); };
  }
  update(values, grid, mark) {
    Object.assign(this, { values, grid, mark });
    const across = grid.frames > 3 ? Math.ceil(Math.sqrt(grid.frames)) : grid.frames;
    this.planes.lay(grid.frames, grid.rows, grid.cols, across);
    this.draw();
  }
  name(cell) {
    const plane = this.grid.rows * this.grid.cols;
    const frame = this.grid.frames > 1 ? `Frame ${Math.floor(cell / plane)}, row` : "Row";
    return `${frame} ${Math.floor((cell % plane) / this.grid.cols)}, column ${cell % this.grid.cols}: ${percent(this.values[cell])}`;
  }
  draw() {
    const known = this.values.filter((value, at) => !Number.isNaN(value) && at !== this.mark);
    const [low, high] = this.own && known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
    this.planes.paint((cell) => {
      if (cell === this.mark) return [45, 212, 191];
      const value = this.values[cell];
      return Number.isNaN(value) ? [128, 128, 128] : heat((value - low) / (high - low || 1));
    });
    setText(this.low, percent(low));
    setText(this.high, percent(high));
    this.legend.title = this.own ? "Scale of this map; press for 0 to 100%" : "Fixed scale; press for this map's own scale";
  }
}

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const WIDE = 260, TALL = 150, LEFT = 30, RIGHT = 16, BELOW = 30;

// A chart of 260 x 150 units: x and y are scaled by the caller's limits, ticks are given.
function chart(label, { x, y, xTicks, yTicks, xName, yName, draw }) {
  const place = { x: (value) => LEFT + ((value - x[0]) / (x[1] - x[0] || 1)) * (WIDE - LEFT - RIGHT),
    y: (value) => TALL - BELOW - ((value - y[0]) / (y[1] - y[0] || 1)) * (TALL - BELOW - 14) };
  const root = node("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": label });
  root.append(node("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: TALL - BELOW, y2: TALL - BELOW }));
  for (const [value, text] of xTicks)
    root.append(node("text", { x: place.x(value), y: TALL - BELOW + 13, "text-anchor": "middle" }, text));
  for (const [value, text] of yTicks)
    root.append(node("text", { x: LEFT - 4, y: place.y(value) + 3, "text-anchor": "end" }, text));
  root.append(node("text", { x: (WIDE + LEFT) / 2, y: TALL - 3, "text-anchor": "middle" }, xName),
    node("text", { x: LEFT, y: 8 }, yName));
  draw(root, place);
  return root;
}

function histogram(bars) {
  const low = bars[0][0], high = bars[bars.length - 1][1], room = Math.max((high - low) * 0.06, 0.02);
  const most = Math.max(...bars.map((bar) => bar[2]));
  const x = [Math.max(0, low - room), Math.min(1, high + room)];
  const ticks = [x[0], (x[0] + x[1]) / 2, x[1]].map((value) => [value, `${(100 * value).toFixed(1)}`]);
  return chart("Histogram of the realised share of hidden patches", { x, y: [0, most], xTicks: ticks,
    yTicks: [[0, "0"], [most, `${(100 * most).toPrecision(3)}`]], xName: "hidden, %", yName: "% of draws",
    draw: (root, place) => bars.forEach(([from, to, share]) => {
      const left = place.x(from), wide = Math.max(place.x(to) - left - 0.6, 1.4);
      const bar = node("rect", { class: "bar", x: left, y: place.y(share), width: wide, height: Math.max(place.y(0) - place.y(share), 0.6) });
      bar.append(node("title", {}, `${(50 * (from + to)).toFixed(2)}% hidden: ${percent(share)} of the draws`));
      root.append(bar);
    }) });
}

function spectrum({ frequency, density }, cell) {
  const most = Math.max(1.5, ...density), last = frequency[frequency.length - 1];
  return chart("Radial power spectrum, white noise at 1", { x: [0, Math.max(last, 0.5)], y: [0, most],
    xTicks: [[0, "0"], [1 / 6, "1/6"], [1 / 3, "1/3"], [0.5, "1/2"]],
    yTicks: [[0, "0"], ...(most < 12 ? [[1, "1"]] : []), ...(most > 1.8 ? [[most, most < 10 ? most.toFixed(1) : most.toFixed(0)]] : [])], xName: `cycles a ${cell}`, yName: "power, white noise = 1",
    draw: (root, place) => {
      root.append(node("line", { class: "even", x1: LEFT, x2: WIDE - RIGHT, y1: place.y(1), y2: place.y(1) }));
      for (const edge of [1 / 6, 1 / 3])
        root.append(node("line", { class: "axis", x1: place.x(edge), x2: place.x(edge), y1: 14, y2: TALL - BELOW }));
      const points = frequency.map((value, at) => [place.x(value), place.y(density[at])]);
      root.append(node("polyline", { class: "curve", points: points.map((point) => point.join()).join(" ") }));
      points.forEach(([cx, cy], at) => {
        const dot = node("circle", { class: "dot", cx, cy, r: points.length > 24 ? 1.2 : 2.6 });
        dot.append(node("title", {}, `${frequency[at].toFixed(3)} cycles a ${cell}: ${density[at].toFixed(2)} of white noise`));
        root.append(dot);
      });
    } });
}

export default mounter((root, view) => {
  const choose = (cell) => cell !== null && view.host.setStateValue("cell", cell);
  const title = make("b");
  const drawn = make("span", { class: "soft" });
  const figures = make("div", { class: "figures", role: "group", "aria-label": "Numbers over all draws" });
  const sheet = new Planes("Sample masks, hidden patches dark");
  sheet.canvas.style.background = "var(--st-primary-color)"; // what lies between masks is no visible patch
  const sheetTold = make("p"), sheetTitle = make("h3");
  const occupancy = new HeatMap("How often a patch is hidden", {});
  const company = new HeatMap("Hidden with the patch you click", { tabindex: 0,
    onclick: (event) => choose(company.planes.cell(event)),
    onkeydown: (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -company.grid.cols, ArrowDown: company.grid.cols }[event.key];
      const next = company.mark + (step ?? NaN);
      if (next >= 0 && next < company.values.length) { event.preventDefault(); choose(next); }
    } });
  occupancy.planes.canvas.addEventListener("click", (event) => choose(occupancy.planes.cell(event)));
  const bars = make("div"), curve = make("div"), curveTold = make("p"), barsTold = make("p");
  const objects = make("section", { class: "hidden" });
  const problem = make("p", { class: "problem hidden", role: "alert" });
  const panels = make("div", { class: "panels" },
    make("div", { class: "stack" }, make("section", {}, sheetTitle, sheet.canvas, sheetTold), objects),
    occupancy.node, company.node,
    make("div", { class: "stack" },
      make("section", {}, make("h3", { text: "Realised share" }), bars, barsTold),
      make("section", {}, make("h3", { text: "Power over frequencies" }), curve, curveTold)));
  root.append(make("style", { text: SHARED_CSS + LAB_CSS }),
    make("div", { class: "frame" }, make("p", { class: "lead" }, title, drawn), problem, figures, panels));

  const objectTable = (rows) => {
    objects.classList.toggle("hidden", !rows.length);
    const cells = rows.map((row) => make("tr", {}, make("td", { text: row.name }),
      ...[row.area, row.hidden, row.gone].map((share) => make("td", { text: `${(100 * share).toFixed(0)}%` }))));
    const head = ["Object", "area", "hidden", "gone"].map((text) => make("th", { text, scope: "col" }));
    objects.replaceChildren(make("h3", { text: "Objects of this scene" }),
      make("table", {}, make("tr", {}, ...head), ...cells),
      make("p", { text: "area: of the picture; hidden: expected share of the object; gone: draws that hide 95% or more" }));
  };

  const show = (data) => {
    const { grid, samples } = data;
    const masks = bytes(samples.bits), frames = grid.frames, size = grid.rows * grid.cols * frames;
    const bit = (cell) => (masks[cell >> 3] >> (cell & 7)) & 1;
    sheet.lay(samples.count * frames, grid.rows, grid.cols, frames > 1 ? frames : 4);
    sheet.paint((cell) => (bit(cell) ? HIDDEN_INK : SHOWN_INK));
    setText(sheetTitle, samples.count === 1 ? "One draw" : `${samples.count} draws`);
    setText(sheetTold, frames > 1 ? `a line is one draw, ${frames} frames; dark is hidden` : "dark is hidden");
    const often = shares(data.occupancy), together = shares(data.together.values);
    occupancy.update(often, grid, -1);
    setText(occupancy.told, `from ${percent(Math.min(...often))} to ${percent(Math.max(...often))}; all draws`);
    company.update(together, grid, data.together.cell);
    setText(occupancy.title, `How often a ${data.cell} is hidden`);
    setText(company.title, `Hidden with the ${data.cell} you click`);
    const { cell } = data.together;
    setText(company.told, `${data.cell} ${cell}${size > 9999 ? "" : `, row ${Math.floor(cell / grid.cols) % grid.rows}, column ${cell % grid.cols}`}: ` +
      (Number.isNaN(together[cell]) ? "never hidden" : `itself hidden in ${percent(often[cell])}`));
    bars.replaceChildren(histogram(data.histogram));
    setText(barsTold, data.promise);
    curve.replaceChildren(data.spectrum ? spectrum(data.spectrum, data.cell) : make("p", { class: "soft", text: "All cells are alike: there is no power." }));
    setText(curveTold, data.spectrum ? data.spectrum.told : "");
    objectTable(data.objects);
  };

  return {
    update(data) {
      setText(title, data.recipe);
      setText(drawn, data.drawn ?? "");
      setText(problem, data.problem ?? "");
      problem.classList.toggle("hidden", !data.problem);
      panels.classList.toggle("hidden", !data.occupancy);
      figures.replaceChildren(...(data.numbers ?? []).map(({ name, value, unit, help }) =>
        make("div", { title: help, "data-number": name }, make("span", { text: name }), make("b", { text: value }), make("small", { text: unit }))));
      if (data.occupancy) show(data);
      root.dataset.mark = data.mark;
    },
  };
});

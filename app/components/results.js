// The pictures and numbers of one scene. A picture is replaced only when it differs and is decoded.

const RESULTS_CSS = `
  .tiles { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px 12px; }
  @container (max-width: 450px) { .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
  .frame { container-type: inline-size; }
  figure { margin: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 4px; align-content: start; min-width: 0; }
  figcaption { font-size: 0.82rem; font-weight: 600; display: flex; justify-content: space-between; gap: 6px; }
  figcaption span:first-child { white-space: nowrap; }
  .hint { min-width: 0; font-weight: 400; font-size: 0.72rem; opacity: 0.65; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .stage { position: relative; width: 100%; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden;
    background: var(--st-secondary-background-color); }
  .stage img, .stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .stage canvas { image-rendering: pixelated; }
  .checker { background: repeating-conic-gradient(#9aa29e 0 25%, #cfd5d2 0 50%) 0 0 / 16px 16px; }
  .backdrop { filter: grayscale(1) opacity(0.38); }
  button.stage { border: 0; padding: 0; display: block; touch-action: manipulation; }
  .compare .before { opacity: 0; }
  .compare.holding .before { opacity: 1; }
  .note { position: absolute; left: 0; right: 0; bottom: 0; padding: 3px 6px; font-size: 0.7rem; line-height: 1.25; color: #fff;
    background: rgba(15, 20, 18, 0.78); text-align: left; }
  .numbers { display: grid; align-content: center; gap: 6px; padding: 10px 12px; border-radius: 8px; min-width: 0;
    background: var(--st-secondary-background-color); aspect-ratio: var(--shape, 1); }
  .numbers div { display: flex; justify-content: space-between; align-items: baseline; gap: 6px; }
  .numbers b { font-size: 1.05rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
  .numbers b small { font-weight: 400; font-size: 0.72rem; opacity: 0.75; }
  .numbers p { margin: 0; font-size: 0.74rem; opacity: 0.75; }
  .legend { display: grid; grid-template-columns: auto 1fr auto; gap: 6px; align-items: center; font-size: 0.72rem; width: 100%;
    background: none; border: 0; padding: 0; text-align: left; font-variant-numeric: tabular-nums; }
  .legend canvas { width: 100%; height: 8px; border-radius: 4px; display: block; }
  .wb .legend { font-size: 0.72rem; }
  .mapped .numbers { grid-column: 1 / -1; aspect-ratio: auto; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 6px 28px; }
  .mapped .numbers p { grid-column: 1 / -1; }
  .caption { margin: 8px 0 0; font-size: 0.78rem; opacity: 0.75; overflow-wrap: anywhere; }
  .banner { margin: 0 0 8px; padding: 8px 12px; border-radius: 8px; border-left: 4px solid var(--st-orange-color, #c77700);
    background: var(--st-secondary-background-color); }
  .banner.calm { border-left-color: var(--st-primary-color); }
  .stale .tiles { opacity: 0.45; }
  .waiting .stage::after { content: ""; position: absolute; inset: 0;
    background: linear-gradient(100deg, transparent 30%, rgba(128, 140, 135, 0.25) 50%, transparent 70%) 0 0 / 300% 100%;
    animation: sweep 1.6s linear infinite; }
  @keyframes sweep { from { background-position: 130% 0; } to { background-position: -30% 0; } }
`;

const SCALE = 0.1; // the fixed top of the error scale, so that two pictures can be compared
function tile(label, stage, hint) {
  return make("figure", {}, stage,
    make("figcaption", {}, make("span", { text: label }), hint ? make("span", { class: "hint", text: hint }) : null));
}

function held(label, image, before) {
  const note = make("span", { class: "note hidden" });
  const stage = make("button", { type: "button", class: "compare stage", title: "Hold to see the original",
    "aria-label": `${label}; hold to see the original` }, image, before, note);
  const hold = (on) => () => stage.classList.toggle("holding", on);
  for (const start of ["pointerdown"]) stage.addEventListener(start, hold(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur", "keyup"]) stage.addEventListener(end, hold(false));
  stage.addEventListener("keydown", (event) => (event.key === " " || event.key === "Enter") && hold(true)());
  stage.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
  return { stage, note };
}

// Colours that can be told apart, for labels; the golden angle keeps neighbouring numbers far apart.
function tint(label) {
  const hue = (label * 137.5) % 360;
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.55 - 0.35 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return label === 0 ? [70, 78, 74] : [channel(0), channel(8), channel(4)];
}

function fillRamp(canvas) {
  const pixels = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    pixels.fillStyle = `rgb(${heat(x / (canvas.width - 1))})`;
    pixels.fillRect(x, 0, 1, 1);
  }
}

// The map that a mask follows: one value a patch over the photo, with its range.
class ScoreMap {
  constructor() {
    this.backdrop = picture("", "backdrop");
    this.canvas = make("canvas", { role: "img" });
    this.ramp = make("canvas", { width: 64, height: 1, "aria-hidden": "true" });
    [this.low, this.high, this.under] = [make("span"), make("span"), make("span", { class: "hint" })];
    this.legend = make("div", { class: "legend" }, this.low, this.ramp, this.high);
    this.node = make("figure", { class: "hidden" },
      make("div", { class: "stage" }, this.backdrop, this.canvas),
      make("figcaption", {}, make("span", { text: "Score map" }), this.under), this.legend);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    fillRamp(this.ramp);
  }
  update(map) {
    this.node.classList.toggle("hidden", !map);
    this.map = map;
    if (!map) return;
    const { rows, cols, values, labels, recipe } = map;
    Object.assign(this.canvas, { width: cols, height: rows });
    this.canvas.setAttribute("aria-label", `Score map ${recipe}, ${map.low} ${labels ? "" : `to ${map.high}`}`.trim());
    this.node.dataset.map = recipe;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(cols, rows);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    values.forEach((value, at) => {
      const colour = labels ? tint(value) : heat((value - least) / (most - least || 1));
      image.data.set([...colour, labels ? 190 : 215], 4 * at);
    });
    context.putImageData(image, 0, 0);
    this.ramp.classList.toggle("hidden", labels);
    setText(this.low, map.low);
    setText(this.high, map.high);
    setText(this.under, recipe);
    this.under.title = recipe;
  }
  point(event) {
    const { rows, cols, values, labels } = this.map;
    const box = this.canvas.getBoundingClientRect();
    const row = Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows)));
    const col = Math.min(cols - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * cols)));
    this.canvas.title = `Row ${row}, column ${col}: ${labels ? "label " : ""}${values[row * cols + col]}`;
  }
}

class ErrorMap {
  constructor() {
    this.backdrop = picture("", "backdrop");
    this.canvas = make("canvas", { role: "img", "aria-label": "Error of each hidden patch" });
    this.stage = make("div", { class: "stage" }, this.backdrop, this.canvas);
    this.ramp = make("canvas", { width: 64, height: 1, "aria-hidden": "true" });
    this.top = make("span");
    this.legend = make("button", { type: "button", class: "legend", onclick: () => { this.own = !this.own; this.draw(); } },
      make("span", { text: "0" }), this.ramp, this.top);
    this.node = make("figure", {}, this.stage,
      make("figcaption", {}, make("span", { text: "Error per patch" })), this.legend);
    this.own = false;
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    fillRamp(this.ramp);
  }
  update(error) {
    this.error = error;
    this.draw();
  }
  draw() {
    const { rows, cols, values, hidden } = this.error;
    const seen = values.filter((_, at) => hidden[at] === "1");
    const most = Math.max(...seen, 1e-6);
    const top = this.own ? most : SCALE;
    this.canvas.width = cols;
    this.canvas.height = rows;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(cols, rows);
    values.forEach((value, at) => {
      if (hidden[at] === "1") image.data.set([...heat(value / top), 235], at * 4);
    });
    context.putImageData(image, 0, 0);
    setText(this.top, `${this.own ? "" : "≥ "}${top.toPrecision(2)} MSE`);
    this.legend.title = this.own ? "Scale of this picture; press for the fixed scale"
      : `Fixed scale; the worst patch here has ${most.toFixed(4)}. Press for this picture's own scale`;
    this.canvas.setAttribute("aria-label", `Error of each hidden patch, worst ${most.toFixed(4)} MSE`);
  }
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const { rows, cols, values, hidden } = this.error;
    const row = Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows)));
    const col = Math.min(cols - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * cols)));
    const at = row * cols + col;
    this.canvas.title = `Row ${row}, column ${col}: ` +
      (hidden[at] === "1" ? `MSE ${values[at].toFixed(4)}` : "visible");
  }
}

export default mounter((root, view) => {
  const images = Object.fromEntries(["original", "masked", "reconstruction", "composite"].map((name) => [name, picture(name)]));
  const before = [picture("", "before"), picture("", "before")];
  const full = held("Reconstruction", images.reconstruction, before[0]);
  const pasted = held("Paste-back", images.composite, before[1]);
  const errors = new ErrorMap();
  const scores = []; // one for each map that the mask follows, made when first wanted
  const number = Object.fromEntries(["mse", "psnr", "ssim"].map((name) => [name, make("b", { "data-number": name, text: "–" })]));
  const counted = make("p", { "data-number": "counts" });
  const numbers = make("div", { class: "numbers", role: "group", "aria-label": "Numbers on hidden pixels" },
    make("div", {}, make("span", { text: "MSE" }), number.mse),
    make("div", {}, make("span", { text: "PSNR" }), number.psnr),
    make("div", {}, make("span", { text: "SSIM" }), number.ssim), counted);
  const banner = make("p", { class: "banner hidden", role: "alert" });
  const caption = make("p", { class: "caption", "data-caption": "" });
  const tiles = make("div", { class: "tiles" },
    tile("Original", make("div", { class: "stage" }, images.original)),
    tile("Masked", make("div", { class: "stage" }, images.masked)),
    tile("Reconstruction", full.stage),
    tile("Paste-back", pasted.stage, "hold to compare"), errors.node, numbers);
  root.append(make("style", { text: SHARED_CSS + RESULTS_CSS }), make("div", { class: "frame" }, banner, tiles, caption));
  let timer = 0;
  let drawn = 0;
  let asked = 0;
  let newest = 0;

  const tell = (sentence, stale, calm) => {
    banner.classList.toggle("calm", Boolean(calm));
    setText(banner, sentence ?? "");
    banner.classList.toggle("hidden", !sentence);
    root.classList.toggle("stale", Boolean(stale));
  };

  const show = (data) => {
    const { pictures, error, shape } = data;
    images.masked.parentElement.classList.toggle("checker", pictures.masked.startsWith("data:image/png"));
    root.style.setProperty("--shape", shape);
    const ready = [...Object.entries(images).map(([name, image]) => swap(image, pictures[name])),
      ...[...before, errors.backdrop].map((image) => swap(image, pictures.original))];
    const maps = data.maps ?? [];
    while (scores.length < maps.length) {
      scores.push(new ScoreMap());
      tiles.insertBefore(scores.at(-1).node, tiles.children[1 + scores.length]);
    }
    scores.forEach((score, at) => {
      score.update(maps[at]);
      ready.push(swap(score.backdrop, pictures.original));
    });
    tiles.classList.toggle("mapped", maps.length > 0);
    errors.update(error);
    for (const name of Object.keys(number)) setText(number[name], data.numbers[name]);
    setText(counted, data.numbers.counts);
    setText(caption, data.caption);
    setText(full.note, data.notes.join(" "));
    full.note.classList.toggle("hidden", !data.notes.length);
    const turn = (asked += 1);
    Promise.all(ready).then(() => {
      if (turn < newest) return; // pictures need not be decoded in the order in which they came
      newest = turn;
      drawn += 1;
      root.dataset.drawn = String(drawn);
      root.dataset.mark = data.mark;
      window.workbenchDrawn = data.mark; // for a leak meter that mounts later
      window.dispatchEvent(new CustomEvent("workbench:drawn", { detail: data.mark }));
    });
  };

  return {
    update(data) {
      clearTimeout(timer);
      if (data.loading) {
        tell(data.loading, false, true);
        root.classList.add("waiting");
        timer = setTimeout(() => view.host.setTriggerValue("ask", data.asked + 1), 400);
        return;
      }
      root.classList.remove("waiting");
      tell(data.problem, data.problem && data.scene);
      if (data.scene) show(data.scene);
    },
    destroy() {
      clearTimeout(timer);
    },
  };
});

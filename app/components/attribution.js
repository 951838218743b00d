// Maps of several methods on one colour scale: hover lifts one, a press isolates it; below, how they are judged.

const ATTRIBUTION_CSS = `
  .frame { container-type: inline-size; display: grid; gap: 10px; grid-template-columns: minmax(0, 1fr); }
  .bar { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
  fieldset { border: 0; margin: 0; padding: 0; display: flex; min-width: 0; }
  fieldset label { padding: 4px 10px; border: 1px solid var(--st-border-color); margin-left: -1px; cursor: pointer; }
  fieldset label:first-of-type { border-radius: 8px 0 0 8px; margin-left: 0; }
  fieldset label:last-of-type { border-radius: 0 8px 8px 0; }
  fieldset label:has(:checked) { background: var(--st-primary-color); color: var(--st-background-color); border-color: var(--st-primary-color); }
  fieldset label:has(:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; z-index: 1; }
  fieldset input { position: absolute; opacity: 0; pointer-events: none; }
  .press { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 4px 10px; }
  .press:hover:not(:disabled) { border-color: var(--st-primary-color); } .press:disabled { opacity: 0.45; cursor: default; }
  .halves { display: grid; grid-template-columns: minmax(240px, 5fr) minmax(0, 7fr); gap: 20px; align-items: start; }
  @container (max-width: 700px) { .halves { grid-template-columns: minmax(0, 1fr); gap: 12px; } }
  .left { display: grid; gap: 8px; min-width: 0; grid-template-columns: minmax(0, 1fr); }
  .left .stage { width: 100%; border-radius: 8px; display: block; background: var(--st-secondary-background-color); aspect-ratio: var(--shape, 1);
    image-rendering: pixelated; cursor: crosshair; }
  .now { margin: 0; font-weight: 600; min-height: 1.4em; } .read { margin: 0; font-size: 0.8rem; min-height: 1.4em; font-variant-numeric: tabular-nums; }
  .legend { display: grid; grid-template-columns: auto 1fr auto; gap: 8px; align-items: center; font-size: 0.75rem; font-variant-numeric: tabular-nums; }
  .legend i { height: 10px; border-radius: 5px; border: 1px solid var(--st-border-color); }
  .rows { display: grid; gap: 14px; min-width: 0; grid-template-columns: minmax(0, 1fr); }
  .rows h3 { margin: 0; font-size: 0.9rem; font-weight: 600; overflow-wrap: anywhere; }
  .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 10px; margin-top: 6px; }
  .tile { display: grid; gap: 3px; padding: 0; border: 0; background: none; text-align: left; align-content: start; border-radius: 8px; min-width: 0; }
  .tile .box { position: relative; border-radius: 8px; overflow: hidden; aspect-ratio: var(--shape, 1); background: var(--st-secondary-background-color); }
  .tile canvas { width: 100%; height: 100%; display: block; image-rendering: pixelated; }
  .tile .why { position: absolute; inset: 0; padding: 8px; font-size: 0.74rem; line-height: 1.3; overflow: auto; background: var(--st-secondary-background-color); overflow-wrap: anywhere; }
  .tile b { font-size: 0.8rem; font-weight: 600; overflow-wrap: anywhere; } .tile small { font-size: 0.72rem; opacity: 0.75; line-height: 1.3; overflow-wrap: anywhere; }
  .tile:hover .box, .tile:focus-visible .box { outline: 2px solid var(--st-primary-color); }
  .tile[aria-pressed="true"] .box { outline: 3px solid var(--st-primary-color); }
  .chips { display: flex; flex-wrap: wrap; gap: 5px; margin-top: 4px; }
  .chips button { border: 1px solid var(--st-border-color); border-radius: 999px; background: none; padding: 1px 9px; font-size: 0.76rem; font-variant-numeric: tabular-nums; }
  .chips button:hover { border-color: var(--st-primary-color); }
  .chips button[aria-pressed="true"] { background: var(--st-primary-color); color: var(--st-background-color); border-color: var(--st-primary-color); }
  .say { margin: 4px 0 0; font-size: 0.8rem; max-width: 80ch; overflow-wrap: anywhere; }
`;
const STOPS = [[24, 78, 156], [124, 172, 220], [247, 247, 245], [238, 150, 110], [164, 30, 44]];
const ENLARGED = 4;
let attributionGroups = 0;

function choices(label, options, chosen) {
  attributionGroups += 1;
  const inputs = options.map(([value]) => make("input", { type: "radio", name: `attribution-${attributionGroups}`, value, onchange: () => chosen(value) }));
  const node = make("fieldset", {}, make("legend", { class: "unseen", text: label }),
    ...options.map(([, text, title], at) => make("label", { title }, inputs[at], text)));
  return { node, set: (value) => inputs.forEach((input) => { input.checked = input.value === value; }) };
}

// From -1 (blue) over pale to 1 (red).
function toned(share) {
  const at = ((Math.min(Math.max(share, -1), 1) + 1) / 2) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return STOPS[low].map((value, channel) => value + (STOPS[low + 1][channel] - value) * (at - low));
}

function numbersOf(packed) {
  const raw = Uint8Array.from(atob(packed.data), (sign) => sign.charCodeAt(0));
  return { rows: packed.rows, cols: packed.cols, values: new Float32Array(raw.buffer) };
}

// An array as NumPy's own file.
function npy({ rows, cols, values }) {
  let head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${cols}), }`;
  head += `${" ".repeat((64 - ((head.length + 11) % 64)) % 64)}\n`;
  const start = [0x93, ...[..."NUMPY"].map((sign) => sign.charCodeAt(0)), 1, 0, head.length & 255, head.length >> 8];
  return new Blob([Uint8Array.from(start), head, values]);
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function brief(value) {
  return Math.abs(value) >= 1000 || (value && Math.abs(value) < 0.001) ? value.toExponential(1) : Number(value.toPrecision(2)).toString();
}

export default mounter((root, view) => {
  let data = null;
  let choice = { scale: "own", grain: "fine", only: "", seq: 0 };
  let lifted = null;
  let maps = new Map();
  let said = new Map();
  let photos = new Map();
  const sender = new Sender((value) => view.host.setStateValue("choice", value));
  const change = (part) => {
    choice = { ...choice, ...part };
    draw();
    sender.push({ ...choice, target: data.target, judge: data.judge, again: "", ...part });
  };
  const key = (row, method) => `${row} ${method}`;

  const scale = choices("Colour scale", [["own", "Each method's own", "Every method ends at its largest value; two networks share it"],
    ["raw", "Raw values", "One scale of raw values for all maps: only methods of one unit compare"]], (value) => change({ scale: value }));
  const grain = choices("Grain", [["fine", "As made"], ["cells", "In cells", "Means over the cells, which is what judging ranks"]], (value) => change({ grain: value }));
  const stage = make("canvas", { class: "stage", role: "img", "aria-label": "The photo under a map",
    onpointermove: (event) => point(event), onpointerleave: () => setText(read, "") });
  const now = make("p", { class: "now", "data-now": "" });
  const read = make("p", { class: "read soft" });
  const ends = [make("span"), make("span")];
  const ramp = make("i");
  const legend = make("div", { class: "legend" }, ends[0], ramp, ends[1]);
  const hint = make("p", { class: "say soft" });
  const asPng = make("button", { type: "button", class: "press", text: "Save as PNG", onclick: () => savePng() });
  const asNpy = make("button", { type: "button", class: "press", text: "Save as npy", title: "The numbers, for NumPy", onclick: () => save(npy(shownMap()), `${fileName()}.npy`) });
  const rows = make("div", { class: "rows" });
  const judge = new JudgedPart(() => change({ judge: true }));
  const bar = new JobBar("pictures", heard);
  const again = make("button", { type: "button", class: "press hidden", text: "Go on", title: "What was made already is kept", onclick: () => change({ again: data.job }) });
  bar.node.append(again);
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + ATTRIBUTION_CSS + JUDGED_CSS }), make("div", { class: "frame" }, bar.node,
    make("div", { class: "bar" }, scale.node, grain.node),
    make("div", { class: "halves" }, make("div", { class: "left" }, stage, now, read, legend, hint, make("div", { class: "bar" }, asPng, asNpy)), rows), judge.node));
  rows.addEventListener("pointerleave", () => lift(null));

  function heard(report) {
    for (const event of report.events) {
      if (event.kind === "said") take(event);
      else if (event.kind === "map") {
        const found = event.problem ? event : { ...event, fine: numbersOf(event.fine), cells: numbersOf(event.cells) };
        maps.set(key(event.row, event.method), found);
      } else judge.take(event);
    }
    if (report.events.length) draw();
    judge.busy(["waiting", "running"].includes(report.state));
    const before = root.dataset.state;
    root.dataset.state = report.state;
    again.classList.toggle("hidden", !["cancelled", "failed"].includes(report.state));
    if (before !== report.state) draw();
  }
  const waiting = () => (root.dataset.state === "cancelled" ? "Cancelled." : root.dataset.state === "failed" ? "Not made." : "…");
  function take(event) {
    said.set(event.row, event);
    const image = new Image();
    image.src = event.photo;
    image.decode().then(() => {
      const canvas = make("canvas");
      Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
      const pen = canvas.getContext("2d");
      pen.drawImage(image, 0, 0);
      photos.set(event.row, pen.getImageData(0, 0, canvas.width, canvas.height));
      draw();
    }, () => null);
  }
  function lift(at) {
    lifted = at;
    drawStage();
  }

  const topOf = (found) => (choice.grain === "cells" ? found.cells_top : found.top);
  function endOf(found) {
    const good = [...maps.values()].filter((each) => !each.problem && (choice.scale === "raw" || each.method === found.method));
    return Math.max(...good.map(topOf)) || 1;
  }
  function paint(canvas, found, times = 1) {
    const photo = photos.get(found.row);
    if (!photo) return;
    const { width, height } = photo;
    const { rows: high, cols: wide, values } = found[choice.grain];
    const top = endOf(found);
    const image = new ImageData(width, height);
    for (let y = 0; y < height; y += 1) {
      const line = Math.floor((y * high) / height) * wide;
      for (let x = 0; x < width; x += 1) {
        const at = (y * width + x) * 4;
        const share = Math.min(Math.max(values[line + Math.floor((x * wide) / width)] / top, -1), 1);
        const grey = ((photo.data[at] + photo.data[at + 1] + photo.data[at + 2]) / 3) * 0.6 + 60;
        const strength = Math.abs(share) * 0.85;
        const colour = toned(share);
        for (let channel = 0; channel < 3; channel += 1) image.data[at + channel] = grey * (1 - strength) + colour[channel] * strength;
        image.data[at + 3] = 255;
      }
    }
    Object.assign(canvas, { width: width * times, height: height * times });
    const pen = canvas.getContext("2d");
    if (times === 1) return pen.putImageData(image, 0, 0);
    const small = make("canvas");
    Object.assign(small, { width, height });
    small.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, width * times, height * times);
  }
  function current() {
    const wanted = [lifted, choice.only, ...data.networks.flatMap((_, row) => data.methods.map((method) => key(row, method)))];
    const found = wanted.map((each) => maps.get(each)).filter((each) => each && !each.problem);
    return maps.get(lifted) && !maps.get(lifted).problem ? maps.get(lifted) : found.find((each) => !each.blank) ?? found[0] ?? null;
  }
  const shownMap = () => current()[choice.grain];
  function fileName() {
    const found = current();
    return `${found.method} ${found.label}`.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^-|-$/g, "").slice(0, 80);
  }
  function savePng() {
    const canvas = make("canvas");
    paint(canvas, current(), ENLARGED);
    canvas.toBlob((blob) => save(blob, `${fileName()}.png`));
  }
  function point(event) {
    const found = current();
    if (!found) return;
    const box = stage.getBoundingClientRect();
    const { rows: high, cols: wide, values } = found[choice.grain];
    const col = Math.min(wide - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * wide)));
    const row = Math.min(high - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * high)));
    const value = values[row * wide + col];
    const side = value > 0 ? "speaks for it" : value < 0 ? "speaks against it" : "does not count";
    setText(read, `${wide > 64 ? "Pixel" : "Cell"} row ${row}, column ${col}: ${brief(value)}, ${side}`);
  }

  function drawStage() {
    const found = current();
    for (const button of [asPng, asNpy]) button.disabled = !found;
    legend.classList.toggle("hidden", !found);
    if (!found) {
      stage.getContext("2d").clearRect(0, 0, stage.width, stage.height);
      setText(hint, "");
      return setText(now, ["done", "failed"].includes(root.dataset.state) ? "There is no map to show: every method tells why." : "No map yet.");
    }
    root.style.setProperty("--shape", said.get(found.row)?.shape ?? 1);
    paint(stage, found);
    const many = data.networks.length > 1 ? ` in ${data.networks[found.row]}` : "";
    setText(now, `${found.title} for ${found.label}${found.score ? ` (${found.score})` : ""}${many}`);
    const top = endOf(found);
    const good = [...maps.values()].filter((each) => !each.problem);
    const signed = good.some((each) => each.signed);
    const stops = (signed ? [-1, -0.5, 0, 0.5, 1] : [0, 0.5, 1]).map((share) => `rgb(${toned(share).map(Math.round)})`);
    ramp.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    setText(ends[0], signed ? `−${brief(top)}` : "0");
    setText(ends[1], `${signed ? "+" : ""}${brief(top)}`);
    const words = signed ? "Red speaks for it, blue against it, grey does not count." : "Red counts, grey does not.";
    const labels = [...new Set(good.filter((each) => each.score).map((each) => each.label))];
    const apart = labels.length > 1 ? `The networks answer ${labels.join(" and ")}: choose a class to compare them for one.` : "";
    setText(hint, `${words} ${apart} ${found[choice.grain].values.length > 4096 ? "One value in two hundred lies beyond the scale." : ""}`);
  }
  function drawRows() {
    const shape = JSON.stringify([data.networks, data.methods, data.titles]);
    if (rows.dataset.shape !== shape) {
      rows.dataset.shape = shape;
      rows.replaceChildren(...data.networks.map((name, row) => make("section", { "data-row": row }, make("h3", { text: name }), make("div", { class: "chips" }),
        make("p", { class: "say soft" }), make("div", { class: "tiles" }, ...data.methods.map((method, at) => make("button", { type: "button", class: "tile", "data-tile": key(row, method),
          onpointerenter: () => lift(key(row, method)), onfocus: () => lift(key(row, method)), onblur: () => lift(null),
          onclick: () => change({ only: choice.only === key(row, method) ? "" : key(row, method) }) },
          make("span", { class: "box" }, make("canvas", { class: "hidden" }), make("span", { class: "why", text: "…" })), make("b", { text: data.titles[at] }), make("small")))))));
    }
    for (const section of rows.children) drawRow(section, Number(section.dataset.row));
  }
  function drawRow(section, row) {
    const told = said.get(row);
    if (told) section.style.setProperty("--shape", told.shape);
    const [, chips, notes] = section.children;
    setText(notes, told?.notes.join(" ") ?? "");
    notes.classList.toggle("hidden", !told?.notes.length);
    const first = data.methods.map((method) => maps.get(key(row, method))).find((each) => each && !each.problem);
    chips.replaceChildren(...(told?.scores ?? []).map(([number, name, share]) => make("button", { type: "button", text: `${name} ${share}`, title: `Explain ${name}`,
      "aria-pressed": String(first?.label === name || first?.label === String(number)), onclick: () => change({ target: String(number) }) })));
    for (const tile of section.querySelectorAll(".tile")) {
      const found = maps.get(tile.dataset.tile);
      const [canvas, why] = tile.firstChild.children;
      const small = tile.lastChild;
      tile.dataset.made = found ? (found.problem ? "refused" : found.blank ? "blank" : "made") : "";
      canvas.classList.toggle("hidden", !found || Boolean(found.problem) || !photos.has(row));
      const blank = found?.blank ? "This map is blank: it has one value everywhere and says nothing. Take another layer or method." : "";
      setText(why, found ? found.problem || blank : waiting());
      why.classList.toggle("hidden", Boolean(found) && !found.problem && !blank && photos.has(row));
      tile.setAttribute("aria-pressed", String(choice.only === tile.dataset.tile));
      if (!found || found.problem) {
        setText(small, "");
        continue;
      }
      paint(canvas, found);
      setText(small, `${found.shown} picture${found.shown === 1 ? "" : "s"} shown, largest ${brief(topOf(found))}${found.notes ? `; ${found.notes}` : ""}`);
    }
  }
  function draw() {
    if (!data) return;
    scale.set(choice.scale);
    grain.set(choice.grain);
    drawRows();
    drawStage();
    judge.draw(data, [...maps.values()].some((each) => !each.problem && !each.blank));
  }

  return {
    update(next) {
      data = next;
      sender.heard(next.view.seq);
      if (next.view.seq >= sender.seq) choice = { ...next.view };
      if (next.job !== bar.mark) {
        maps = new Map();
        said = new Map();
        photos = new Map();
        lifted = null;
        judge.clear();
        again.classList.add("hidden");
        root.dataset.state = "";
        bar.follow(next.job);
      }
      draw();
      root.dataset.mark = next.mark;
    },
    destroy: () => bar.stop(),
  };
});

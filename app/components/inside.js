// Maps of layers and heads on one scale; a patch asks, a head is lifted or isolated, parts are switched off.

const INSIDE_CSS = `
  .frame { container-type: inline-size; }
  .halves { display: grid; grid-template-columns: minmax(240px, 5fr) minmax(0, 7fr); gap: 20px; align-items: start; }
  @container (max-width: 700px) { .halves { grid-template-columns: minmax(0, 1fr); } .left { position: static !important; } }
  .left { display: grid; gap: 8px; min-width: 0; }
  .stage { position: relative; width: 100%; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden; display: block;
    border: 0; padding: 0; background: var(--st-secondary-background-color); cursor: crosshair; touch-action: manipulation; }
  .stage img, .stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .stage canvas { image-rendering: pixelated; } .stage .over { opacity: 0.78; } .stage.bare .over { opacity: 0; }
  .stage i { position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 1.5px #14201c; border-radius: 3px; pointer-events: none; }
  .bar { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
  fieldset { border: 0; margin: 0; padding: 0; display: flex; min-width: 0; }
  fieldset label { padding: 4px 10px; border: 1px solid var(--st-border-color); margin-left: -1px; cursor: pointer; white-space: nowrap; }
  fieldset label:first-of-type { border-radius: 8px 0 0 8px; margin-left: 0; }
  fieldset label:last-of-type { border-radius: 0 8px 8px 0; }
  fieldset label:has(:checked) { background: var(--st-primary-color); color: var(--st-background-color); border-color: var(--st-primary-color); }
  fieldset label:has(:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; z-index: 1; }
  fieldset input { position: absolute; opacity: 0; pointer-events: none; }
  .press { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 4px 10px; }
  .press:hover:not(:disabled) { border-color: var(--st-primary-color); } .press:disabled { opacity: 0.45; cursor: default; }
  .now { margin: 0; font-weight: 600; min-height: 1.4em; font-variant-numeric: tabular-nums; }
  .legend { display: grid; grid-template-columns: auto 1fr auto; gap: 8px; align-items: center; font-size: 0.75rem; font-variant-numeric: tabular-nums; }
  .legend i { height: 10px; border-radius: 5px; border: 1px solid var(--st-border-color); }
  .grid { display: grid; gap: 3px 4px; overflow-x: auto; padding: 3px; align-items: center;
    grid-template-columns: max-content repeat(var(--heads), minmax(26px, 84px)) max-content; }
  .right { min-width: 0; }
  .about { margin: 8px 0 0; max-width: 62ch; }
  .grid .measure { font-size: 0.72rem; opacity: 0.75; padding-left: 6px; white-space: pre-line; font-variant-numeric: tabular-nums; }
  @container (max-width: 900px) { .grid.wide .measure { display: none; } }
  .grid .name { font-size: 0.74rem; padding-right: 6px; font-variant-numeric: tabular-nums; white-space: nowrap; position: sticky; left: 0;
    background: var(--st-background-color); z-index: 1; }
  .grid .top { font-size: 0.72rem; opacity: 0.75; text-align: center; }
  .cell { padding: 0; border: 0; background: none; border-radius: 3px; display: block; line-height: 0; width: 100%; }
  .cell canvas { width: 100%; image-rendering: pixelated; border-radius: 3px; aspect-ratio: var(--shape, 1); }
  .cell:hover, .cell:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
  .cell.chosen { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
  .cell.off canvas { opacity: 0.35; }
  .changes { display: grid; gap: 8px; margin-top: 6px; }
  .changes h3 { font-size: 0.95rem; margin: 6px 0 0; font-weight: 600; }
  .chips { display: flex; flex-wrap: wrap; gap: 6px; }
  .chip { display: inline-flex; gap: 6px; align-items: center; border: 1px solid var(--st-border-color); border-radius: 999px; padding: 2px 4px 2px 10px;
    font-size: 0.78rem; font-family: var(--st-code-font, monospace); max-width: 100%; overflow-wrap: anywhere; }
  .chip button { border: 0; background: none; padding: 0 6px; font-size: 1rem; line-height: 1.2; border-radius: 50%; }
  .chip button:hover { background: var(--st-secondary-background-color); }
  .add { display: flex; gap: 6px; } .add input { flex: 1; min-width: 0; background: var(--st-secondary-background-color);
    border: 1px solid var(--st-border-color); border-radius: 8px; padding: 5px 9px; font-family: var(--st-code-font, monospace); font-size: 0.78rem; }
  .say { margin: 0; font-size: 0.82rem; max-width: 75ch; overflow-wrap: anywhere; }
  .banner { margin: 0 0 8px; padding: 8px 12px; border-radius: 8px; border-left: 4px solid var(--st-orange-color, #c77700);
    background: var(--st-secondary-background-color); overflow-wrap: anywhere; }
  table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 400; opacity: 0.75; }
  td { text-align: right; padding-left: 14px; } thead th { text-align: right; padding-left: 14px; } thead th:first-child { text-align: left; padding: 0; }
`;
const BLUE = [24, 78, 156], RED = [164, 30, 44], PALE = [247, 247, 245], GREY = [128, 128, 128];
const WHOLE = { rollout: ["Rollout of all layers", (asks) => `what ${asks} reads`], similarity: ["Likeness to the class token", () => "cosine after the last layer"],
  relevance: ["Relevance for the answer", (asks) => `what counts through ${asks}`] };
let insideGroups = 0;

function choices(label, options, chosen) {
  insideGroups += 1;
  const inputs = options.map(([value]) => make("input", { type: "radio", name: `inside-${insideGroups}`, value, onchange: () => chosen(value) }));
  const node = make("fieldset", {}, make("legend", { class: "unseen", text: label }),
    ...options.map(([, text], at) => make("label", {}, inputs[at], text)));
  return { node, set: (value) => inputs.forEach((input) => { input.checked = input.value === value; }) };
}

function unpacked(text) {
  const raw = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return Float32Array.from(new Uint16Array(raw.buffer), (value) => (value === 65535 ? NaN : value / 65534));
}

function signed(share) {
  const end = share < 0 ? BLUE : RED;
  const at = Math.min(Math.abs(share), 1);
  return PALE.map((value, channel) => Math.round(value + (end[channel] - value) * at));
}

function paint(canvas, values, rows, cols, top, change, hidden) {
  if (canvas.width !== cols || canvas.height !== rows) Object.assign(canvas, { width: cols, height: rows });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(cols, rows);
  values.forEach((value, at) => {
    const missing = Number.isNaN(value) || (hidden[at] === "1" && !change && value === 0);
    const colour = missing ? GREY : change ? signed(value / top) : heat(value / top);
    image.data.set([...colour, 255], at * 4);
  });
  pen.putImageData(image, 0, 0);
}

export default mounter((root, view) => {
  let data = null;
  let choice = null;
  let lifted = null;
  let mark = "";
  let maps = {};
  const past = [];
  const sender = new Sender((value) => view.host.setStateValue("choice", value));
  const change = (part) => {
    choice = { ...choice, ...part };
    draw();
    sender.push(choice);
  };
  const alter = (text) => {
    past.push(choice.change);
    change({ change: text });
  };

  const show = choices("What is shown", [["attention", "Attention"], ["change", "What changed"]], (value) => change({ show: value }));
  const scale = choices("Colour scale", [["fixed", "One scale"], ["each", "Each its own"]], (value) => change({ scale: value }));
  const part = choices("Which maps", [["encoder", "Network"], ["decoder", "Decoder"]], (value) => change({ part: value, layer: -1, head: -1 }));
  const over_all = make("select", { class: "press", "aria-label": "Over all layers", onchange: () => change({ whole: over_all.value, layer: -1, head: -1 }) },
    ...Object.entries(WHOLE).map(([value, [text]]) => make("option", { value, text })));
  const photo = make("img", { alt: "The photo", draggable: "false" });
  const over = make("canvas", { class: "over" });
  const asking = make("i", { class: "hidden" });
  const stage = make("button", { type: "button", class: "stage", "aria-label": "The photo: press a patch to let it ask; arrow keys move it, Escape gives the class token",
    onclick: (event) => event.detail && ask(event), onkeydown: (event) => step(event) }, photo, over, asking);
  const now = make("p", { class: "now", "data-now": "" });
  const bar = make("i");
  const ends = [make("span"), make("span")];
  const legend = make("div", { class: "legend" }, ends[0], bar, ends[1]);
  const asToken = make("button", { type: "button", class: "press", text: "Ask as the class token", onclick: () => change({ query: -1 }) });
  const rolled = make("button", { type: "button", class: "press", text: "All layers", onclick: () => change({ layer: -1, head: -1 }) });
  const grid = make("div", { class: "grid", role: "group", "aria-label": "Layers and heads" });
  const banner = make("p", { class: "banner hidden", role: "alert" });
  const said = make("p", { class: "say", "data-said": "" });
  const notes = make("p", { class: "say soft" });
  const scores = make("table");

  const act = (text, title, recipe) => make("button", { type: "button", class: "press", text, title, onclick: () => alter([...data.parts, recipe()].join(" ; ")) });
  const quick = {
    head: act("Head off", "Zero what this head gives", () => `heads_off(layer=${choice.layer}, heads=[${choice.head}])`),
    block: act("Skip block", "Leave this block out", () => `skip_blocks(layers=[${choice.layer}])`),
    mlp: act("MLP off", "Leave this block's MLP out", () => `mlps_off(layers=[${choice.layer}])`),
  };
  const undo = make("button", { type: "button", class: "press", text: "Undo", onclick: () => change({ change: past.pop() }) });
  const clear = make("button", { type: "button", class: "press", text: "Clear", onclick: () => alter("") });
  const chips = make("div", { class: "chips", "data-chips": "" });
  const known = make("datalist", { id: "inside-known" });
  const field = make("input", { type: "text", "aria-label": "Intervention", placeholder: "skip_evenly(speed=2.0)", list: "inside-known", spellcheck: "false",
    onkeydown: (event) => event.key === "Enter" && add() });
  const about = make("p", { class: "soft say about" });
  const changes = make("section", { class: "changes" }, make("h3", { text: "Switched off or changed" }), chips,
    make("div", { class: "bar" }, ...Object.values(quick), undo, clear),
    make("div", { class: "add" }, field, make("button", { type: "button", class: "press", text: "Add", onclick: () => add() })), known, said, scores, notes);
  root.append(make("style", { text: SHARED_CSS + INSIDE_CSS }), make("div", { class: "frame" }, banner,
    make("div", { class: "bar", style: "margin-bottom: 10px" }, show.node, scale.node, part.node),
    make("div", { class: "halves" }, make("div", { class: "left" }, stage, now, legend, make("div", { class: "bar" }, asToken, rolled, over_all), changes), make("div", { class: "right" }, grid, about))));
  grid.addEventListener("pointerleave", () => lift(null));

  function add() {
    if (!field.value.trim()) return;
    alter([...data.parts, field.value.trim()].join(" ; "));
    field.value = "";
  }
  function ask(event) {
    const box = stage.getBoundingClientRect();
    const col = Math.min(data.cols - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * data.cols)));
    const row = Math.min(data.rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * data.rows)));
    change({ query: row * data.cols + col });
  }
  function step(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === "Escape") change({ query: -1 });
    if (!(event.key in moves)) return;
    event.preventDefault();
    const at = choice.query < 0 ? Math.floor(data.rows / 2) * data.cols + Math.floor(data.cols / 2) : choice.query;
    const [down, right] = moves[event.key];
    const row = Math.min(data.rows - 1, Math.max(0, Math.floor(at / data.cols) + down));
    const col = Math.min(data.cols - 1, Math.max(0, (at % data.cols) + right));
    change({ query: row * data.cols + col });
  }
  function lift(at) {
    lifted = at;
    drawStage();
  }

  const size = () => data.rows * data.cols;
  const most = () => Math.max(...data.heads);
  function values(layer, head) {
    const start = (layer * most() + head) * size();
    const found = maps.maps.subarray(start, start + size());
    if (choice.show !== "change") return found;
    const plain = maps.plain.subarray(start, start + size());
    return found.map((value, at) => value - plain[at]);
  }
  function rolls() {
    return choice.show === "change" ? maps.rollout.map((value, at) => value - maps.plainRollout[at]) : maps.rollout;
  }
  function topOf(each, own) { // the largest, where a map has a scale of its own
    if (!own) return choice.show === "change" ? data.top / 2 : data.top;
    const found = each.reduce((best, value) => (Number.isNaN(value) ? best : Math.max(best, Math.abs(value))), 0);
    return found || 1;
  }

  function drawStage() {
    const one = lifted ?? (choice.layer >= 0 && choice.head >= 0 ? choice : null);
    const each = one ? values(one.layer, one.head) : rolls();
    const top = topOf(each, !one || choice.scale === "each");
    paint(over, each, data.rows, data.cols, top, choice.show === "change", data.hidden);
    const empty = each.every((value) => Number.isNaN(value));
    const whole = WHOLE[choice.part === "decoder" ? "rollout" : choice.whole];
    const what = one ? `Layer ${one.layer}, head ${one.head}` : whole[0];
    const read = one ? `what ${data.asks} reads` : whole[1](data.asks);
    setText(now, `${what}: ${choice.show === "change" ? "change of " : ""}${read}${empty ? "; there is nothing here" : ""}`);
    const signedScale = choice.show === "change";
    const stops = [-1, -0.5, 0, 0.5, 1].map((at) => (signedScale ? signed(at) : heat((at + 1) / 2)));
    bar.style.background = `linear-gradient(to right, ${stops.map((colour) => `rgb(${colour})`).join(", ")})`;
    setText(ends[0], signedScale ? `−${top.toPrecision(2)}` : "0");
    setText(ends[1], `${signedScale ? "+" : ""}${top.toPrecision(2)}`);
  }
  function drawGrid() {
    const shape = data.heads.join();
    if (grid.dataset.shape !== shape) {
      grid.dataset.shape = shape;
      grid.style.setProperty("--heads", most());
      grid.replaceChildren(make("span", { class: "name", text: "head" }), ...Array.from({ length: most() }, (_, head) => make("span", { class: "top", text: head })), make("span"));
      grid.classList.toggle("wide", most() > 4);
      data.heads.forEach((count, layer) => {
        grid.append(make("span", { class: "name" }));
        for (let head = 0; head < most(); head += 1) {
          grid.append(head < count ? make("button", { type: "button", class: "cell", "data-cell": `${layer}-${head}`, "aria-label": `Layer ${layer}, head ${head}`,
            onpointerenter: () => lift({ layer, head }), onfocus: () => lift({ layer, head }), onblur: () => lift(null),
            onclick: () => pick(layer, head) }, make("canvas")) : make("span"));
        }
        grid.append(make("span", { class: "measure" }));
      });
    }
    const names = grid.querySelectorAll(".name");
    const measures = grid.querySelectorAll(".measure");
    const off = new Set();
    for (const text of data.parts) {
      const said = text.match(/^heads_off\(layer=(\d+), heads=\[([\d, ]*)\]\)$/);
      if (said) for (const head of said[2].split(", ")) off.add(`${said[1]}-${head}`);
    }
    data.measures.forEach((text, layer) => {
      setText(names[layer + 1], `layer ${layer}`);
      names[layer + 1].title = text;
      setText(measures[layer], text.replaceAll(" · ", "\n"));
    });
    for (const cell of grid.querySelectorAll(".cell")) {
      const [layer, head] = cell.dataset.cell.split("-").map(Number);
      const each = values(layer, head);
      paint(cell.firstChild, each, data.rows, data.cols, topOf(each, choice.scale === "each"), choice.show === "change", data.hidden);
      cell.classList.toggle("chosen", layer === choice.layer && head === choice.head);
      cell.classList.toggle("off", off.has(cell.dataset.cell));
      cell.setAttribute("aria-pressed", String(layer === choice.layer && head === choice.head));
      cell.title = `Layer ${layer}, head ${head}: ${data.measures[layer]} over its heads`;
    }
  }
  function pick(layer, head) {
    const same = layer === choice.layer && head === choice.head;
    change(same ? { layer: -1, head: -1 } : { layer, head });
  }
  function draw() {
    if (!data?.maps) return;
    root.style.setProperty("--shape", data.shape);
    show.set(choice.show);
    scale.set(choice.scale);
    part.set(choice.part);
    over_all.value = choice.whole;
    const changed = choice.show === "change";
    const end = (changed ? data.top / 2 : data.top).toPrecision(2);
    const colours = choice.scale === "each" ? "each map has a scale of its own" : `colours go from ${changed ? `−${end} to +` : "0 to "}${end} of the attention in all maps`;
    setText(about, `A row is a layer, a column a head; ${colours}. `
      + "Beside a row, means over its heads: how far tokens read, in pixels; entropy, 0 for one place and 1 for all places alike; diversity, 0 where all heads look alike.");
    over_all.disabled = choice.part === "decoder";
    drawGrid();
    drawStage();
    asking.classList.toggle("hidden", choice.query < 0);
    const [row, col] = [Math.floor(choice.query / data.cols), choice.query % data.cols];
    Object.assign(asking.style, { left: `${(col / data.cols) * 100}%`, top: `${(row / data.rows) * 100}%`, width: `${100 / data.cols}%`, height: `${100 / data.rows}%` });
    asToken.disabled = choice.query < 0;
    const isolated = choice.layer >= 0 && choice.head >= 0;
    rolled.disabled = !isolated;
    for (const button of Object.values(quick)) button.disabled = !isolated || choice.part === "decoder";
    setText(quick.head, isolated ? `Head ${choice.layer}.${choice.head} off` : "Head off");
    undo.disabled = !past.length;
    clear.disabled = !choice.change;
  }

  return {
    update(next) {
      data = next;
      sender.heard(data.choice.seq);
      if (!choice || data.choice.seq >= sender.seq) choice = data.choice;
      if (data.mark !== mark && data.maps) {
        mark = data.mark;
        maps = { maps: unpacked(data.maps), plain: unpacked(data.plain), rollout: unpacked(data.rollout), plainRollout: unpacked(data.plain_rollout) };
      }
      setText(banner, data.problem ?? "");
      banner.classList.toggle("hidden", !data.problem);
      if (!data.maps) return;
      swap(photo, data.photo);
      known.replaceChildren(...data.known.map((value) => make("option", { value })));
      chips.replaceChildren(...data.parts.map((text, at) => make("span", { class: "chip" }, text, make("button", { type: "button", text: "×", title: "Take it out",
        "aria-label": `Take out ${text}`, onclick: () => alter(data.parts.filter((_, other) => other !== at).join(" ; ")) }))));
      if (!data.parts.length) chips.replaceChildren(make("span", { class: "soft say", text: "Nothing yet: choose a head among the maps and switch it off, or write a recipe." }));
      setText(said, data.said);
      setText(notes, data.notes.join(" "));
      scores.replaceChildren(...(data.scores.length ? [make("thead", {}, make("tr", {}, ...["class", "before", "now"].map((text) => make("th", { text })))),
        make("tbody", {}, ...data.scores.map(([name, before, after]) => make("tr", {}, make("th", { text: name, scope: "row" }), make("td", { text: before }), make("td", { text: after }))))] : []));
      draw();
      root.dataset.mark = data.mark;
    },
  };
});

// Strategies on one photo, one a row: what is hidden, what the model makes of it, numbers, and where it hides.

const POLICIES_CSS = `
  .frame { container-type: inline-size; display: grid; gap: 10px; }
  h3 { font-size: 0.95rem; margin: 0; font-weight: 600; }
  .head { display: flex; gap: 10px; align-items: end; justify-content: space-between; }
  .head img { height: 48px; border-radius: 6px; display: block; }
  .head span { font-size: 0.74rem; opacity: 0.8; display: flex; gap: 8px; align-items: end; }
  .row { display: grid; grid-template-columns: minmax(190px, 1.15fr) minmax(0, 3.2fr) minmax(70px, 0.8fr); gap: 12px; padding: 10px;
    border-radius: 10px; border: 1px solid var(--st-border-color); align-items: start; }
  .row.chosen { border-color: var(--st-primary-color); box-shadow: inset 3px 0 0 var(--st-primary-color); }
  @container (max-width: 760px) { .row { grid-template-columns: minmax(0, 1fr); } .where { max-width: 180px; } }
  .about { display: grid; gap: 6px; min-width: 0; }
  .about > button { text-align: left; border: 0; background: none; padding: 0; font-weight: 600; font-size: 0.95rem; }
  .about > button::before { content: "○ "; color: var(--st-primary-color); }
  .chosen .about > button::before { content: "● "; }
  code { font-size: 0.74rem; opacity: 0.75; overflow-wrap: anywhere; font-family: var(--st-code-font, monospace); }
  dl { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 2px 8px; margin: 0; }
  dl div { display: grid; }
  dt { font-size: 0.7rem; opacity: 0.7; }
  dd { margin: 0; font-variant-numeric: tabular-nums; font-size: 0.86rem; white-space: nowrap; }
  .error dd { font-weight: 600; }
  .acts { display: flex; flex-wrap: wrap; gap: 6px; }
  .acts a, .acts button, .add button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
    border-radius: 8px; padding: 3px 9px; font-size: 0.78rem; text-decoration: none; color: inherit; }
  .acts a:hover, .acts button:hover, .add button:hover { border-color: var(--st-primary-color); }
  .pictures { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; min-width: 0; }
  figure { margin: 0; display: grid; gap: 3px; min-width: 0; }
  figcaption { font-size: 0.74rem; opacity: 0.8; }
  .stage { display: block; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden; position: relative;
    background: var(--st-secondary-background-color); }
  .stage img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .strip { display: grid; grid-auto-flow: column; grid-auto-columns: 84px; grid-template-rows: auto auto; gap: 4px; overflow-x: auto; }
  .strip img { width: 84px; border-radius: 5px; display: block; }
  .strip span { font-size: 0.7rem; opacity: 0.7; }
  .where canvas { width: 100%; display: block; border-radius: 6px; image-rendering: pixelated; }
  .note { margin: 0; font-size: 0.74rem; opacity: 0.75; }
  .add { display: flex; gap: 10px; flex-wrap: wrap; align-items: center; }
  .waiting .stage { animation: breathe 1.4s ease-in-out infinite alternate; }
  @keyframes breathe { to { opacity: 0.5; } }
`;

function shares(text) {
  const raw = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return Array.from(new Uint16Array(raw.buffer), (value) => (value === 65535 ? NaN : value / 65534));
}

function list(pairs, kind) {
  return make("dl", { class: kind }, ...pairs.map(([name, value]) =>
    make("div", { "data-number": name }, make("dt", { text: name }), make("dd", { text: value }))));
}

class Row {
  constructor(act) {
    this.name = make("button", { type: "button", onclick: () => act("choose", this.at), title: "Measure this one above" });
    this.recipe = make("code");
    this.figures = make("div");
    this.errors = make("div");
    this.open = make("a", { target: "_self", title: "Open in the first view, to paint and to save" }, "Open");
    this.remove = make("button", { type: "button", onclick: () => act("remove", this.at) }, "Remove");
    this.problem = make("p", { class: "note problem", role: "alert" });
    this.pictures = make("div");
    this.images = new Map();
    this.canvas = make("canvas", { role: "img", "aria-label": "How often a patch is hidden, 0 to 100%" });
    this.where = make("figure", { class: "where" }, this.canvas, make("figcaption", { text: "hidden how often" }));
    this.node = make("div", { class: "row" },
      make("div", { class: "about" }, this.name, this.recipe, this.errors, this.figures, this.problem,
        make("div", { class: "acts" }, this.open, this.remove)),
      this.pictures,
      this.where);
  }
  image(name, source, label) {
    if (!this.images.has(name)) this.images.set(name, picture(label));
    const found = this.images.get(name);
    found.alt = label;
    swap(found, source);
    return found;
  }
  framed(name, source) {
    return make("a", { class: "stage", href: this.open.href, target: "_self", title: "Open in the first view" },
      this.image(name, source, `${name}, ${this.recipe.textContent}`));
  }
  update(data, at, chosen, many, shape) {
    this.at = at;
    this.node.classList.toggle("chosen", chosen);
    this.node.dataset.recipe = data.recipe;
    this.name.setAttribute("aria-pressed", String(chosen));
    setText(this.name, data.name);
    setText(this.recipe, data.recipe);
    this.open.href = data.open;
    this.remove.classList.toggle("hidden", !many);
    setText(this.problem, data.problem ?? "");
    if (this.mark === data.mark && this.told === JSON.stringify(data)) return;
    this.mark = data.mark;
    this.told = JSON.stringify(data);
    this.errors.replaceChildren(...(data.numbers?.length ? [list(data.numbers, "error")] : []));
    this.figures.replaceChildren(...(data.figures ? [list(data.figures, "")] : []));
    this.node.style.setProperty("--shape", shape);
    this.show(data);
    this.where.classList.toggle("hidden", !data.occupancy);
    if (data.occupancy) this.heat(shares(data.occupancy), data.grid);
    this.node.dataset.drawn = String(data.pictures?.length || data.strip?.length ? data.mark : "");
  }
  show(data) {
    const notes = (data.notes ?? []).map((text) => make("p", { class: "note", text }));
    if (data.strip?.length) {
      const frames = data.strip.flatMap(([masked, made], at) => [this.image(`m${at}`, masked, `Frame ${at}, masked`),
        made ? this.image(`c${at}`, made, `Frame ${at}, paste-back`) : make("span", { text: "nothing to fill in, or nothing to see" })]);
      return this.pictures.replaceChildren(make("div", { class: "strip", tabindex: 0, role: "group", "aria-label": "Frames: masked above, paste-back below" }, ...frames), ...notes);
    }
    const tiles = (data.pictures?.length ? data.pictures : data.problem ? [] : [["masked", ""], ["reconstruction", ""], ["paste-back", ""]])
      .map(([name, source]) => make("figure", {}, this.framed(name, source), make("figcaption", { text: name })));
    return this.pictures.replaceChildren(make("div", { class: "pictures" }, ...tiles), ...notes);
  }
  heat(values, { rows, cols }) {
    this.canvas.width = cols;
    this.canvas.height = rows;
    const image = new ImageData(cols, rows);
    values.forEach((value, at) => image.data.set([...heat(value), 255], at * 4));
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    const percent = (share) => `${(100 * share).toFixed(0)}%`;
    this.canvas.title = `from ${percent(Math.min(...values))} to ${percent(Math.max(...values))}; scale 0 to 100%`;
  }
}

export default mounter((root, view) => {
  let turn = 0, timer = 0;
  const act = (kind, at) => view.host.setTriggerValue("act", { kind, at, turn: (turn += 1) });
  const rows = make("div", { class: "frame" }), original = picture("original");
  const add = make("button", { type: "button", onclick: () => act("add", -1) }, "Add a policy");
  const told = make("span", { class: "soft", role: "status" });
  root.append(make("style", { text: SHARED_CSS + POLICIES_CSS }),
    make("div", { class: "frame" }, 
      make("div", { class: "head" }, make("h3", { text: "Side by side on the same photo" }), make("span", {}, "original", original)), rows,
      make("div", { class: "add" }, add, told)));
  const made = [];
  return {
    update(data) {
      clearTimeout(timer);
      while (made.length < data.rows.length) made.push(new Row(act));
      made.length = data.rows.length;
      rows.replaceChildren(...made.map((row) => row.node));
      data.rows.forEach((row, at) => made[at].update(row, at, at === data.chosen, data.rows.length > 1, data.shape));
      swap(original, data.original);
      add.disabled = data.rows.length >= data.most;
      setText(told, data.loading ?? (add.disabled ? `${data.most} at most` : data.hint));
      root.classList.toggle("waiting", Boolean(data.loading));
      if (data.loading) timer = setTimeout(() => view.host.setTriggerValue("ask", (turn += 1)), 400);
    },
    destroy() {
      clearTimeout(timer);
    },
  };
});

// Controls made from declared knobs. A slider sends while it is dragged; the newest value wins.

const KNOBS_CSS = `
  .rows { display: grid; gap: 10px; }
  .rows h5 { margin: 10px 0 0; font-size: 0.875rem; font-weight: 600; border-bottom: 1px solid var(--st-border-color); }
  .rows h5:first-child { margin-top: 0; }
  .row { display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; align-items: center; }
  .row { position: relative; }
  .row > .name { display: flex; gap: 6px; align-items: center; overflow-wrap: anywhere; }
  .help { width: 17px; height: 17px; border-radius: 50%; border: 1px solid currentColor; background: none; padding: 0; opacity: 0.55;
    font-size: 0.68rem !important; line-height: 1; flex: none; cursor: help !important; }
  .help:hover, .help:focus-visible { opacity: 1; }
  .bubble { display: none; position: absolute; left: 0; right: 0; top: 28px; z-index: 5; padding: 6px 10px; border-radius: 8px;
    text-align: left; font-size: 0.8rem; line-height: 1.35; background: var(--st-text-color); color: var(--st-background-color); }
  .help:hover .bubble, .help:focus .bubble { display: block; }
  .row > .problem { grid-column: 1 / -1; }
  .row > input[type="range"] { grid-column: 1 / -1; width: 100%; margin: 0; height: 26px; cursor: pointer; appearance: none;
    background: none; }
  input::-webkit-slider-runnable-track { height: 4px; border-radius: 2px;
    background: linear-gradient(var(--st-primary-color) 0 0) 0 / calc(var(--at, 0) * 100%) 100% no-repeat, var(--st-border-color); }
  input::-webkit-slider-thumb { appearance: none; width: 18px; height: 18px; margin-top: -7px; border-radius: 50%;
    border: 2px solid var(--st-primary-color); background: var(--st-background-color); }
  input::-moz-range-track { height: 4px; border-radius: 2px; background: var(--st-border-color); }
  input::-moz-range-progress { height: 4px; border-radius: 2px; background: var(--st-primary-color); }
  input::-moz-range-thumb { width: 14px; height: 14px; border-radius: 50%; border: 2px solid var(--st-primary-color);
    background: var(--st-background-color); }
  .row > input[type="number"], .row > select, .row > input[type="text"], .pair input[type="number"] {
    background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 6px; padding: 3px 6px; }
  .row > input[type="number"], .pair input[type="number"] { width: 5.6rem; text-align: right; }
  .row > input[type="text"] { grid-column: 1 / -1; width: 100%; }
  .row > input[type="checkbox"] { accent-color: var(--st-primary-color); width: 18px; height: 18px; justify-self: end; }
  .pair { display: flex; gap: 6px; justify-self: end; }
  .pair button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 6px;
    padding: 3px 8px; min-width: 34px; line-height: 1; }
  .pair button:hover { border-color: var(--st-primary-color); }
  .pair svg { width: 17px; height: 17px; display: block; }
  input:disabled { opacity: 0.45; cursor: default; }
`;

const DICE = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
  <rect x="3" y="3" width="18" height="18" rx="4"/><g fill="currentColor" stroke="none"><circle cx="8" cy="8" r="1.7"/>
  <circle cx="16" cy="8" r="1.7"/><circle cx="12" cy="12" r="1.7"/><circle cx="8" cy="16" r="1.7"/><circle cx="16" cy="16" r="1.7"/></g></svg>`;

let rowsMade = 0;

// A question mark that tells what a knob does, on hover, focus and tap.
function helpMark(text, id) {
  const bubble = make("span", { class: "bubble", role: "tooltip", id, text });
  return make("button", { type: "button", class: "help", "aria-label": "What is this?", "aria-describedby": id }, "?", bubble);
}

// A number as the person sees it: no more digits than its step has.
function shown(value, step) {
  if (value === null || value === undefined) return "";
  const digits = Number.isInteger(step) ? 0 : (String(step).split(".")[1] ?? "").length;
  return String(Number(Number(value).toFixed(Math.max(digits, 4))));
}

class Row {
  constructor(knob, changed) {
    Object.assign(this, { knob, changed, value: knob.value, held: false });
    const id = `knob-${(rowsMade += 1)}`;
    this.label = make("label", { for: id, text: knob.label });
    this.node = make("div", { class: "row", "data-knob": knob.name },
      make("span", { class: "name" }, this.label, knob.help ? helpMark(knob.help, `${id}-help`) : null));
    const build = { float: "number", int: "number", bool: "tick", choice: "menu", seed: "seed", lock: "lock" }[knob.kind] ?? "text";
    this[build](id);
    this.problem = make("div", { class: "problem", role: "alert" });
    this.node.append(this.problem);
    this.node.querySelectorAll("input, select").forEach((field) => {
      if (knob.help) field.setAttribute("aria-describedby", `${id}-help`);
      field.addEventListener("pointerdown", () => { this.held = true; });
      field.addEventListener("focus", () => { this.held = field.type === "number" || field.type === "text"; });
      for (const end of ["pointerup", "pointercancel", "blur", "change"])
        field.addEventListener(end, () => { this.held = false; });
    });
    this.show(knob.value);
  }
  set(value) {
    this.value = value;
    this.changed(this.knob.name, value);
  }
  ranged() {
    return this.knob.low !== null && this.knob.high !== null;
  }
  slider(id, spoken) {
    const { low, high, step } = this.knob;
    return make("input", { type: "range", id, min: low, max: high, step, "aria-label": spoken ?? this.knob.label,
      oninput: (event) => { this.held = true; this.set(Number(event.target.value)); this.show(this.value); } });
  }
  field(id, spoken) {
    return make("input", { type: "number", id, step: "any", "aria-label": spoken ?? this.knob.label,
      placeholder: this.knob.optional ? "none" : "", inputmode: "decimal",
      onchange: (event) => {
        const text = event.target.value.trim();
        if (text === "" && !this.knob.optional) return this.show(this.value);
        this.set(text === "" ? null : Number(text));
        this.show(this.value);
      } });
  }
  number(id) {
    const ranged = this.ranged() && !this.knob.optional;
    this.box = this.field(ranged ? `${id}-box` : id, ranged ? `${this.knob.label}, exact` : undefined);
    this.node.append(this.box);
    if (ranged) this.node.append((this.range = this.slider(id)));
  }
  tick(id) {
    this.node.append((this.box = make("input", { type: "checkbox", id, onchange: () => this.set(this.box.checked) })));
  }
  menu(id) {
    const options = this.knob.choices.map((choice) => make("option", { value: choice, text: choice || "none" }));
    this.node.append((this.box = make("select", { id, onchange: () => this.set(this.box.value) }, ...options)));
  }
  text(id) {
    this.box = make("input", { type: "text", id, spellcheck: "false", placeholder: this.knob.optional ? "none" : "",
      onchange: () => this.set(this.box.value === "" && this.knob.optional ? null : this.box.value) });
    this.node.append(this.box);
  }
  seed(id) {
    this.box = this.field(id);
    const roll = make("button", { type: "button", title: "Roll a new seed", "aria-label": "Roll a new seed",
      onclick: () => { this.set(Math.floor(Math.random() * 100000)); this.show(this.value); } });
    roll.innerHTML = DICE;
    this.node.append(make("div", { class: "pair" }, this.box, roll));
  }
  lock(id) {
    this.box = make("input", { type: "checkbox", id, onchange: () => {
      this.set(this.box.checked ? this.knob.start : null);
      this.show(this.value);
    } });
    this.range = this.slider(`${id}-ratio`, "Exact ratio to lock");
    this.node.append(this.box, this.range);
  }
  show(value) {
    this.value = value;
    const { kind, step, label } = this.knob;
    if (kind === "bool") this.box.checked = Boolean(value);
    else if (kind === "lock") {
      this.box.checked = value !== null;
      this.range.disabled = value === null;
      this.range.classList.toggle("hidden", value === null);
      if (value !== null) this.slide(value);
      setText(this.label, value === null ? label : `${label} at ${shown(value, step)}`);
    } else if (kind === "choice") this.box.value = value;
    else if (this.box.type === "number") this.box.value = shown(value, step);
    else this.box.value = value ?? "";
    if (kind !== "lock" && this.range) this.slide(value);
  }
  slide(value) {
    const { low, high } = this.knob;
    if (Number(this.range.value) !== value) this.range.value = value;
    this.range.style.setProperty("--at", String((value - low) / (high - low || 1)));
  }
}

export default mounter((root, view) => {
  const rows = make("div", { class: "rows" });
  root.append(make("style", { text: SHARED_CSS + KNOBS_CSS }), rows);
  const sender = new Sender((edit) => view.host.setStateValue("edit", edit));
  let shape = "";
  let owner = "";
  let made = new Map();

  const changed = (name, value) => {
    const values = Object.fromEntries([...made].map(([key, row]) => [key, row.value]));
    sender.push({ owner, values: { ...values, [name]: value } });
  };

  return {
    update(data) {
      if (data.sender) SENDERS.set((sender.name = data.sender), sender);
      const wanted = JSON.stringify([data.owner, data.knobs.map(({ value, problem, start, ...rest }) => rest)]);
      if (wanted !== shape) {
        shape = wanted;
        owner = data.owner;
        sender.forget();
        made = new Map(data.knobs.map((knob) => [knob.name, new Row(knob, changed)]));
        rows.replaceChildren(...data.knobs.flatMap(({ name, heading }, at) => heading && heading !== data.knobs[at - 1]?.heading
          ? [make("h5", { text: heading }), made.get(name).node] : [made.get(name).node]));
      }
      const current = data.seq >= sender.seq;
      for (const knob of data.knobs) {
        const row = made.get(knob.name);
        if (current && !row.held && row.value !== knob.value) row.show(knob.value);
        setText(row.problem, knob.problem ?? "");
        row.knob.start = knob.start;
      }
      sender.heard(data.seq);
    },
    destroy() {
      if (SENDERS.get(sender.name) === sender) SENDERS.delete(sender.name);
    },
  };
});

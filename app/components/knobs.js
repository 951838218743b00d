// Controls made from declared knobs. A slider sends while it is dragged; the newest value wins.

const KNOBS_CSS = `
  .rows { display: grid; gap: 10px; }
  .row { display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; align-items: center; }
  .row > label { grid-column: 1; overflow-wrap: anywhere; }
  .row > .help { grid-column: 1 / -1; font-size: 0.78rem; opacity: 0.68; }
  .row > .problem { grid-column: 1 / -1; }
  .row > input[type="range"] { grid-column: 1 / -1; width: 100%; margin: 0; height: 26px; accent-color: var(--st-primary-color);
    cursor: pointer; }
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
    this.node = make("div", { class: "row", "data-knob": knob.name }, this.label);
    const build = { float: "number", int: "number", bool: "tick", choice: "menu", seed: "seed", lock: "lock" }[knob.kind] ?? "text";
    this[build](id);
    this.problem = make("div", { class: "problem", role: "alert" });
    this.node.append(this.problem);
    if (knob.help) this.node.append(make("div", { class: "help", id: `${id}-help`, text: knob.help }));
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
    const options = this.knob.choices.map((choice) => make("option", { value: choice, text: choice }));
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
      this.set(this.box.checked ? Number(this.range.value) : null);
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
      if (value !== null) this.range.value = value;
      setText(this.label, value === null ? label : `${label} at ${shown(value, step)}`);
    } else if (kind === "choice") this.box.value = value;
    else if (this.box.type === "number") this.box.value = shown(value, step);
    else this.box.value = value ?? "";
    if (kind !== "lock" && this.range) this.range.value = value;
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
      const wanted = JSON.stringify([data.owner, data.knobs.map(({ value, problem, ...rest }) => rest)]);
      if (wanted !== shape) {
        shape = wanted;
        owner = data.owner;
        sender.waiting = null;
        made = new Map(data.knobs.map((knob) => [knob.name, new Row(knob, changed)]));
        rows.replaceChildren(...[...made.values()].map((row) => row.node));
      }
      const current = data.seq >= sender.seq;
      for (const knob of data.knobs) {
        const row = made.get(knob.name);
        if (current && !row.held && row.value !== knob.value) row.show(knob.value);
        setText(row.problem, knob.problem ?? "");
      }
      sender.heard(data.seq);
    },
  };
});

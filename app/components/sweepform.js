// The form of a new sweep: what goes over which values, how many runs that makes, and its command.

const FORM_CSS = `
  .form { display: grid; gap: 10px; align-content: start; }
  .form .field { display: grid; gap: 3px; }
  .form .field > span { font-size: 0.82rem; font-weight: 600; }
  .form .field > small { opacity: 0.72; font-size: 0.76rem; }
  .form input[type="text"], .form input[type="number"], .form select, .form textarea { width: 100%; padding: 5px 9px; border-radius: 8px;
    border: 1px solid var(--st-border-color); background: var(--st-secondary-background-color); font: inherit; color: inherit; }
  .form textarea { min-height: 3.2rem; resize: vertical; }
  .form .row { display: grid; grid-template-columns: 2fr 1fr; gap: 10px; }
  .form .masks { display: flex; flex-wrap: wrap; gap: 4px 6px; max-height: 9.4rem; overflow: auto; border: 1px solid var(--st-border-color); border-radius: 8px; padding: 6px; }
  .form .masks label { display: inline-flex; gap: 5px; align-items: center; font-size: 0.8rem; border: 1px solid var(--st-border-color); border-radius: 999px; padding: 0 9px; cursor: pointer; }
  .form .masks label:has(:checked) { border-color: var(--st-primary-color); background: color-mix(in srgb, var(--st-primary-color) 16%, transparent); }
  .form .masks input { accent-color: var(--st-primary-color); margin: 0; }
  .form pre { font-size: 0.78rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; padding: 10px; border-radius: 8px; margin: 0;
    background: var(--st-secondary-background-color); }
  .form .warned { margin: 0; padding-left: 1.2em; font-size: 0.86rem; }
  .form .outcome { margin: 0; font-size: 0.86rem; min-height: 1.3em; }
`;
const USUAL = { preset: "digits_mae_tiny", masks: "", ratio: "0.5, 0.75", seeds: "2", more: "", shared: "", measured: "", name: "", engine: "" };
const MEASURES = [["", "linear probe, where the data has classes"], ["evaluate=knn", protocolName("knn")], ["evaluate=knn;linear_probe", `${protocolName("knn")} and ${protocolName("linear_probe")}`], ["evaluate=", "nothing"]];
const REST = 300;

class SweepForm {
  // `send(path, body)` asks the server; `begun(id)` is told the sweep that was started.
  constructor(send, begun) {
    Object.assign(this, { send, begun, menu: null, timer: 0, asked: 0, values: { ...USUAL } });
    const query = new URLSearchParams(location.search);
    for (const name of Object.keys(USUAL)) if (query.has(name)) this.values[name] = query.get(name);
    const field = (title, control, hint = "") => make("label", { class: "field" }, make("span", { text: title }), control, hint ? make("small", { text: hint }) : null);
    const text = (name, attributes = {}) => make("input", { type: "text", value: this.values[name], "data-field": name, ...attributes, oninput: (event) => this.set(name, event.target.value) });
    this.preset = make("select", { "data-field": "preset", onchange: () => { this.set("masks", ""); this.set("preset", this.preset.value); this.lay(); } });
    this.told = make("small");
    this.masks = make("div", { class: "masks", role: "group", "aria-label": "Masks" });
    const seeds = make("input", { type: "number", min: 1, max: 64, value: this.values.seeds, "data-field": "seeds", oninput: () => this.set("seeds", seeds.value) });
    const more = make("textarea", { "data-field": "more", placeholder: "objective.norm_pix=True,False", oninput: () => this.set("more", more.value) });
    more.value = this.values.more;
    const measured = make("select", { "data-field": "measured", onchange: () => this.set("measured", measured.value) }, ...MEASURES.map(([value, label]) => make("option", { value, text: label })));
    measured.value = this.values.measured;
    this.engine = field("Where it runs", text("engine", { placeholder: "this machine" }));
    this.engine.classList.add("hidden");
    this.outcome = make("p", { class: "outcome", role: "status" });
    this.warned = make("ul", { class: "warned problem hidden", "data-found": "warned" });
    this.command = make("pre", { "data-found": "command", "aria-label": "The command that starts the same sweep" });
    this.start = make("button", { type: "button", class: "act main", text: "Start the sweep", disabled: true, onclick: () => this.begin() });
    this.fields = make("div", { class: "form hidden" },
      make("label", { class: "field" }, make("span", { text: "Preset" }), this.preset, this.told),
      make("div", { class: "field" }, make("span", { text: "Masks" }), this.masks),
      make("div", { class: "row" }, field("Ratios", text("ratio", { placeholder: "0.25, 0.5, 0.75" })), field("Seeds", seeds)),
      field("Other knobs to go over", more, "One a line: key=a,b,c or key=0..3. objective.KNOB and mask.KNOB go into the recipe."),
      field("Knobs that all runs share", text("shared", { placeholder: "steps=200 warmup=10" })),
      make("div", { class: "row" }, field("Measured at the end by", measured), field("Name", text("name", { placeholder: "made up", maxlength: 120 }))),
      this.engine, this.outcome, this.warned, make("div", {}, this.start), this.command);
    this.waiting = make("p", { class: "soft", role: "status", text: "The presets are being read, once; this takes a few seconds." });
    this.node = make("div", {}, this.waiting, this.fields);
    this.load();
  }
  async load() {
    const answer = await fetch("/api/sweeps/menu").catch(() => null);
    if (!answer?.ok) {
      setText(this.waiting, answer ? (await answer.text()).trim() : "The server does not answer; reload this page.");
      return;
    }
    const { presets, engines } = await answer.json();
    this.menu = presets;
    this.engine.classList.toggle("hidden", !engines.length && !this.values.engine);
    this.engine.append(make("small", { text: `Empty for this machine's queue, or an engine that takes all runs at once: ${engines.map((name) => `${name}()`).join(", ")}.` }));
    this.preset.replaceChildren(...this.menu.map(({ name }) => make("option", { value: name, text: name })));
    if (!this.menu.some(({ name }) => name === this.values.preset)) this.values.preset = USUAL.preset;
    this.preset.value = this.values.preset;
    this.waiting.classList.add("hidden");
    this.fields.classList.remove("hidden");
    this.lay();
    this.check();
  }
  // The masks that the preset can take; its own one is ticked at first.
  lay() {
    const found = this.menu.find(({ name }) => name === this.values.preset);
    setText(this.told, found.told);
    const masks = found.masks;
    const ticked = this.values.masks ? this.values.masks.split(";") : [found.usual];
    this.masks.replaceChildren(...masks.map(([name, label]) => make("label", {}, make("input", { type: "checkbox", value: name, checked: ticked.includes(name),
      onchange: () => this.set("masks", [...this.masks.querySelectorAll("input:checked")].map((box) => box.value).join(";")) }), label)));
    if (!masks.length) this.masks.replaceChildren(make("span", { class: "soft", text: "This objective hides nothing." }));
  }
  set(name, value) {
    this.values[name] = value;
    const told = new URLSearchParams(Object.entries(this.values).filter(([key, text]) => text !== USUAL[key])).toString();
    history.replaceState(history.state, "", location.pathname + (told ? `?${told}` : ""));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), REST);
  }
  body() {
    const { ratio, seeds, more, shared, measured, preset, name, engine } = this.values;
    const masks = [...this.masks.querySelectorAll("input:checked")].map((box) => box.value);
    const over = masks.length ? [`mask=${masks.join(",")}`] : [];
    if (ratio.trim()) over.push(`ratio=${ratio.split(",").map((each) => each.trim()).join(",")}`);
    over.push(...more.split("\n").map((line) => line.trim()).filter(Boolean));
    if (Number(seeds) > 1) over.push(`seed=0..${Number(seeds) - 1}`);
    return { preset, over, shared: [shared.trim(), measured].filter(Boolean).join(" "), name, engine };
  }
  async check() {
    const mine = ++this.asked;
    let found;
    try {
      found = await this.send("/plan", this.body());
    } catch (error) {
      found = { problem: error.message, command: "", count: 0 };
    }
    if (mine !== this.asked) return;
    this.outcome.classList.toggle("problem", Boolean(found.problem));
    const sentence = found.problem ? found.problem[0].toUpperCase() + found.problem.slice(1)
      : `${found.count} ${found.count === 1 ? "run" : "runs"}, ${found.steps.toLocaleString("en").replaceAll(",", "\u202f")} steps together; each is measured by ${found.measured.split(/;\s*/).filter(Boolean).map(protocolName).join(", ") || "nothing"}.${found.time ? ` One after another they take ${found.time}, at the speed of the last run of this preset here.` : ""}`;
    setText(this.outcome, sentence);
    this.warned.classList.toggle("hidden", !Object.keys(found.warned ?? {}).length);
    this.warned.replaceChildren(...Object.entries(found.warned ?? {}).map(([said, count]) => make("li", { text: `${count} ${count === 1 ? "run" : "runs"}: ${said}.` })));
    setText(this.command, found.command);
    this.start.disabled = Boolean(found.problem);
    this.fields.dataset.count = String(found.count);
  }
  async begin() {
    this.start.disabled = true;
    setText(this.outcome, "Queues the runs …");
    try {
      const { id } = await this.send("/start", this.body());
      this.begun(id);
    } catch (error) {
      this.outcome.classList.add("problem");
      setText(this.outcome, error.message);
    }
    this.start.disabled = false;
  }
}

// Which runs are compared: a search, ticks, and sweeps as a whole.

const CHOICE_CSS = `
  .choice { border: 1px solid var(--st-border-color); border-radius: 8px; margin-bottom: 12px; }
  .choice > summary { padding: 7px 12px; cursor: pointer; display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; list-style-position: inside; }
  .choice > summary::before { content: "▸"; opacity: 0.6; }
  .choice[open] > summary::before { content: "▾"; }
  .choice > summary b { font-weight: 600; }
  .choice .inside { padding: 4px 12px 12px; display: grid; gap: 10px; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); }
  @media (max-width: 760px) { .choice .inside { grid-template-columns: minmax(0, 1fr); } }
  .choice input[type="search"] { width: 100%; padding: 6px 10px; border: 1px solid var(--st-border-color); border-radius: 8px;
    background: var(--st-secondary-background-color); margin-bottom: 6px; }
  .choice ul { list-style: none; margin: 0; padding: 0; max-height: 264px; overflow: auto; border: 1px solid var(--st-border-color); border-radius: 8px; }
  .choice li + li { border-top: 1px solid var(--st-border-color); }
  .choice li label { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 2px 9px; padding: 5px 10px; cursor: pointer; align-items: baseline; }
  .choice li label:hover { background: var(--st-secondary-background-color); }
  .choice li input { accent-color: var(--st-primary-color); }
  .choice li small { grid-column: 2 / -1; opacity: 0.7; font-size: 0.75rem; overflow-wrap: anywhere; }
  .choice li .state { font-size: 0.75rem; opacity: 0.8; }
  .choice li.idle { padding: 8px 10px; font-size: 0.82rem; }
  .choice h4 { margin: 0 0 4px; font-size: 0.82rem; }
  .choice .chip { border: 1px solid var(--st-border-color); border-radius: 999px; background: none; padding: 0 9px; font-size: 0.78rem; }
  .choice .chips { display: flex; flex-wrap: wrap; gap: 5px 6px; align-items: center; min-width: 0; }
  .choice .chips .chip { text-align: left; overflow-wrap: anywhere; }
  .choice .chip:hover { border-color: var(--st-primary-color); }
`;
const PAUSE = 180;

class Choice {
  // `change(part)` is told the chosen runs and sweep.
  constructor(change) {
    Object.assign(this, { change, runs: [], sweep: "", offered: null, timer: 0 });
    this.told = make("b");
    this.chips = make("span", { class: "chips" });
    this.find = make("input", { type: "search", placeholder: "Search by name, objective, mask, data or sweep", "aria-label": "Search runs",
      oninput: () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.ask(), PAUSE); } });
    this.list = make("ul", { "aria-label": "Runs" });
    this.sweeps = make("ul", { "aria-label": "Sweeps" });
    this.more = make("p", { class: "soft note" });
    this.node = make("details", { class: "choice", ontoggle: () => this.node.open && this.ask() },
      make("summary", {}, this.told, this.chips), make("div", { class: "inside" },
        make("div", {}, make("h4", { text: "Runs" }), this.find, this.list, this.more),
        make("div", {}, make("h4", { text: "Sweeps, chosen as a whole" }), this.sweeps)));
  }
  show(runs, sweep, data) {
    Object.assign(this, { runs, sweep });
    const known = new Map((data?.runs ?? []).map((run) => [run.id, run]));
    const count = data?.runs?.length ?? 0;
    setText(this.told, count ? `${count} run${count > 1 ? "s" : ""} compared` : "Choose runs");
    this.chips.replaceChildren(...(sweep ? [this.chip(sweepName(data?.sweep?.name ?? sweep), () => this.change({ sweep: "" }))] : []),
      ...runs.slice(0, 8).map((id) => this.chip(known.get(id)?.label ?? id, () => this.change({ runs: runs.filter((each) => each !== id).join(",") }))),
      runs.length > 8 ? `and ${runs.length - 8} more` : "");
    if (!count && !this.opened) this.node.open = true;
    this.opened = true;
    this.tick();
  }
  chip(text, drop) {
    return make("button", { type: "button", class: "chip", "aria-label": `Leave out ${text}`, text: `${text} ×`,
      onclick: (event) => { event.preventDefault(); drop(); } });
  }
  async ask() {
    const answer = await fetch(`/api/compare/choices?find=${encodeURIComponent(this.find.value)}`).catch(() => null);
    if (!answer?.ok) {
      this.list.replaceChildren(make("li", { class: "idle problem", text: "The list cannot be read; is the server still running?" }));
      return;
    }
    this.offered = await answer.json();
    this.lay();
  }
  lay() {
    const { runs, sweeps, fitting, folder } = this.offered;
    const idle = (...inner) => [make("li", { class: "idle soft" }, ...inner)];
    const none = this.find.value ? ["Nothing fits these words."]
      : [`No runs yet in ${folder}. `, make("a", { href: "/train?preset=digits_mae_tiny", text: "Train on digits" }), ", or: python -m workbench train digits_mae_tiny"];
    this.list.replaceChildren(...(runs.length ? runs.map((run) => make("li", {}, make("label", {},
      make("input", { type: "checkbox", value: run.id, onchange: (event) => this.flip(run.id, event.target.checked) }),
      make("span", { text: run.name }), make("span", { class: "state", text: run.state }), make("small", { text: `${run.detail} · ${run.id}` })))) : idle(...none)));
    this.sweeps.replaceChildren(...(sweeps.length ? sweeps.map((each) => make("li", {}, make("label", {},
      make("input", { type: "checkbox", value: each.id, onchange: (event) => this.change({ sweep: event.target.checked ? each.id : "" }) }),
      make("span", { text: each.name }), make("span", { class: "state", text: `${each.count} runs` })))) : idle(this.find.value ? "No sweep fits." : "No sweeps yet.")));
    setText(this.more, fitting > runs.length ? `The newest ${runs.length} of ${fitting}; search for others.` : "");
    this.tick();
  }
  flip(id, on) {
    const left = this.runs.filter((each) => each !== id);
    this.change({ runs: (on ? [...left, id] : left).join(",") });
  }
  tick() {
    for (const box of this.list.querySelectorAll("input")) box.checked = this.runs.includes(box.value);
    for (const box of this.sweeps.querySelectorAll("input")) box.checked = this.sweep === box.value;
  }
}

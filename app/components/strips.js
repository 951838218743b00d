// Pictures of all runs under one slider of steps: every run shows its newest picture at or before the step.

const STRIPS_CSS = `
  .strips .tools { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; margin-bottom: 8px; font-size: 0.82rem; }
  .strips .tools label { display: inline-flex; gap: 5px; align-items: center; }
  .strips .slide { flex: 1 1 240px; display: flex; gap: 10px; align-items: center; }
  .strips .slide input { flex: 1; min-width: 120px; accent-color: var(--st-primary-color); }
  .strips output { font-variant-numeric: tabular-nums; min-width: 6.5rem; font-weight: 600; }
  .strips .grid { display: grid; gap: 10px 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least, 420px)), 1fr)); }
  .strips figure { margin: 0; min-width: 0; display: grid; gap: 2px; align-content: start; }
  .strips figcaption { display: flex; gap: 8px; justify-content: space-between; font-size: 0.78rem; }
  .strips figcaption span { overflow-wrap: anywhere; }
  .strips figcaption small { font-variant-numeric: tabular-nums; opacity: 0.72; white-space: nowrap; }
  .strips .box { border-radius: 6px; overflow: hidden; background: var(--st-secondary-background-color); min-height: 44px; display: grid;
    place-items: center; font-size: 0.76rem; max-width: 820px; }
  .strips .box img { width: 100%; display: block; }
`;

class Strips {
  // `change(part)` is told what a person sets: step and title.
  constructor(change) {
    Object.assign(this, { change, steps: [] });
    this.title = choiceOf("Show", (title) => change({ title }));
    this.slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Step",
      oninput: () => change({ step: this.slider.value === this.slider.max ? "" : String(this.steps[Number(this.slider.value)]) }) });
    this.told = make("output", { "aria-live": "off" });
    this.grid = make("div", { class: "grid" });
    this.tools = make("div", { class: "tools" }, this.title.node, make("div", { class: "slide" }, this.slider, this.told));
    this.node = make("div", { class: "strips" }, this.tools, this.grid);
  }
  show(pictures, runs, { step, title }) {
    this.steps = pictures.steps;
    this.tools.classList.toggle("hidden", !this.steps.length);
    const usual = pictures.titles.includes("reconstruction") ? "reconstruction" : pictures.titles.at(-1) ?? "";
    const shown = pictures.titles.includes(title) ? title : usual;
    this.title.fill(pictures.titles.map((name) => [name, name.replaceAll("_", " ")]), shown);
    // A picture at or before the step asked for; without one the newest.
    const wanted = step === "" ? Infinity : Number(step);
    const at = Math.max(this.steps.findLastIndex((each) => each <= wanted), 0);
    this.slider.max = String(Math.max(this.steps.length - 1, 0));
    this.slider.value = String(at);
    this.slider.disabled = this.steps.length < 2;
    const now = this.steps[at] ?? 0;
    setText(this.told, `step ${now.toLocaleString("en").replaceAll(",", "\u202f")}`);
    this.slider.setAttribute("aria-valuetext", `step ${now}`);
    this.grid.style.setProperty("--least", runs.length > 4 ? "300px" : "480px");
    this.lay(runs);
    runs.forEach((run, i) => this.fill(this.grid.children[i], (pictures.files[i]?.[shown] ?? []).findLast(([each]) => each <= now), run, now, shown));
  }
  lay(runs) {
    const mark = runs.map((run) => run.id).join(",");
    if (this.mark === mark) return;
    this.mark = mark;
    this.grid.replaceChildren(...runs.map((run) => make("figure", { "data-strip": run.id },
      make("div", { class: "box" }, make("img", { class: "hidden", draggable: "false", loading: "lazy" }), make("span", { class: "soft why" })),
      make("figcaption", {}, make("span"), make("small")))));
  }
  fill(figure, found, run, now, title) {
    const [image, why] = [figure.querySelector("img"), figure.querySelector(".why")];
    setText(figure.querySelector("figcaption span"), run.label);
    setText(figure.querySelector("small"), found && found[0] !== now ? `of step ${found[0]}` : "");
    figure.dataset.shown = found ? String(found[0]) : "";
    image.alt = `${run.label}, ${title} at step ${found?.[0] ?? "–"}`;
    setText(why, found ? "" : !run.step ? `${run.state}, no picture yet` : run.state === "done" ? "it made no pictures" : "no picture so far");
    why.classList.toggle("hidden", Boolean(found));
    swap(image, found?.[1] ?? "");
  }
}

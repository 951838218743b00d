// The page of one run: numbers, curve, pictures by step, scores, and what can be done with it.

const RUNPAGE_CSS = `
  .head { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; margin-bottom: 6px; }
  .head h3 { margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }
  .head a { color: inherit; }
  .deeds { display: flex; flex-wrap: wrap; gap: 8px; margin: 10px 0; align-items: center; }
  .tells { margin: 0 0 8px; padding: 8px 12px; border-radius: 10px; background: rgba(210, 140, 20, 0.14); overflow-wrap: anywhere; }
  .tells:empty { display: none; }
  .tells[data-state="failed"], .tells[data-state="crashed"] { background: rgba(200, 50, 40, 0.14); }
  .whole { width: 100%; height: 8px; accent-color: var(--st-primary-color); display: block; margin-bottom: 8px; }
  .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 8px; margin-bottom: 12px; }
  .facts div { display: grid; padding: 5px 10px; border-radius: 8px; background: rgba(128, 140, 135, 0.12); }
  .facts span { font-size: 0.75rem; opacity: 0.75; }
  .facts b { font-variant-numeric: tabular-nums; }
  .two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 18px; }
  .two > section { min-width: 0; }
  h4 { margin: 0 0 6px; font-size: 0.95rem; }
  .pick { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; margin-bottom: 4px; font-size: 0.8rem; }
  .pick select { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 6px; padding: 2px 6px; }
  .strip { margin: 0 0 6px; }
  .strip img { width: 100%; display: block; border-radius: 6px; image-rendering: pixelated; background: var(--st-secondary-background-color); }
  .strip figcaption { font-size: 0.76rem; opacity: 0.75; }
  .steps { width: 100%; accent-color: var(--st-primary-color); }
  table { border-collapse: collapse; font-size: 0.84rem; font-variant-numeric: tabular-nums; }
  .broad { overflow-x: auto; }
  th, td { text-align: left; padding: 3px 14px 3px 0; vertical-align: top; }
  th { font-weight: 600; opacity: 0.75; }
  td { overflow-wrap: anywhere; }
  [data-found="scores"] td:first-child, [data-found="scores"] th { overflow-wrap: normal; }
  [data-found="scores"] small { display: block; opacity: 0.75; max-width: 44ch; }
  tr.other td { font-weight: 600; }
  details { border-top: 1px solid var(--st-border-color); padding: 8px 0; }
  summary { cursor: pointer; font-weight: 600; }
  pre { font-size: 0.76rem; line-height: 1.45; overflow: auto; max-height: 320px; padding: 10px; border-radius: 8px; margin: 8px 0;
    background: var(--st-secondary-background-color); white-space: pre-wrap; overflow-wrap: anywhere; }
  .uses { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; margin: 0 0 12px; font-size: 0.84rem; }
  .uses a { text-decoration: none; color: inherit; padding: 2px 10px; border: 1px solid var(--st-border-color); border-radius: 99px; }
  .uses a:hover { border-color: var(--st-primary-color); }
  td a { color: inherit; }
  .deeds .pair { display: inline-flex; }
  .deeds .pair .act:first-child { border-radius: 8px 0 0 8px; }
  .deeds .pair select { border: 1px solid var(--st-border-color); border-left: 0; border-radius: 0 8px 8px 0; padding: 5px 6px; max-width: 13rem;
    background: var(--st-secondary-background-color); }
  .alerts { margin: 0 0 10px; padding-left: 1.2em; font-size: 0.84rem; }
  .note { font-size: 0.8rem; margin: 6px 0 0; }
  @media (max-width: 860px) { .two { grid-template-columns: minmax(0, 1fr); } }
`;
const FACTS = { step: "Step", rate: "Speed", left: "Time left", memory: "Memory", loss: "Loss", device: "Computed on" };

// What a number is, and which way is better.
function measured({ protocol, metric, higher }) {
  if (!metric) return PROTOCOLS[protocol.split("(")[0]]?.[1] ?? "";
  return `${metric}; ${higher ? "more" : "less"} is better`;
}

// Scores belong to a step; what was trained since has not been measured.
function older({ scores, checkpoints, state }) {
  const [measured, newest] = [Math.max(...scores.map((score) => score.step)), checkpoints.at(-1)?.step ?? 0];
  return isOver(state) && newest > measured ? `Measured at step ${brief(measured)}; the newest checkpoint is of step ${brief(newest)}: press Evaluate to measure that.` : "";
}

function button(text, onclick, extra = "") {
  return make("button", { type: "button", class: `act ${extra}`, text, onclick });
}

// Rows of cells; only put in when they differ, so that a selection or a scroll position stays.
function fill(node, shownValue, build) {
  const text = JSON.stringify(shownValue);
  if (node.dataset.shown === text) return;
  node.dataset.shown = text;
  node.replaceChildren(...build());
}

function cells(tag, values) {
  return values.map((value) => make(tag, { text: String(value) }));
}

class RunPage {
  // `leave()` goes back to the list.
  constructor(leave) {
    Object.assign(this, { leave, id: "", row: null, timer: 0, turn: 0, log: false, curve: "loss", at: -1, wanted: null });
    this.title = make("h3");
    this.chip = make("span", { class: "chip" });
    this.tells = make("p", { class: "tells", role: "status", "data-found": "told" });
    this.problem = make("p", { class: "problem", role: "alert" });
    this.bar = make("progress", { class: "whole", max: 1, value: "0", "aria-label": "Progress" });
    this.facts = Object.fromEntries(Object.keys(FACTS).map((name) => [name, make("b", { "data-fact": name, text: "–" })]));
    this.called = Object.fromEntries(Object.entries(FACTS).map(([name, text]) => [name, make("span", { text })]));
    this.sure = make("div", { class: "sure hidden", role: "alertdialog", "aria-label": "Are you sure?" });
    this.alerts = make("ul", { class: "alerts" });
    this.uses = make("nav", { class: "uses hidden", "aria-label": "Use its model" });
    this.body = make("div", { class: "hidden" }); // until it is known what there is to show
    this.parts();
    this.node = make("div", {},
      make("div", { class: "head" }, make("a", { href: "/runs", text: "← All runs", onclick: (event) => leave(event) }), this.title, this.chip),
      this.tells, this.problem, this.body);
    this.body.append(this.bar,
      make("div", { class: "facts" }, ...Object.keys(FACTS).map((name) => make("div", {}, this.called[name], this.facts[name]))),
      this.deeds(), this.sure, this.uses, this.alerts,
      make("div", { class: "two" },
        make("section", {}, make("h4", { text: "Curves" }), this.pick, this.chart.node),
        make("section", {}, make("h4", { text: "Pictures" }), this.slider, this.when, this.strips)),
      make("section", {}, make("h4", { text: "What it has learnt" }), make("div", { class: "broad" }, this.scores), this.judged),
      this.again, this.files, this.knobs, this.machine, this.said);
  }
  parts() {
    this.chart = new Chart();
    this.name = make("select", { "aria-label": "Curve", onchange: () => { this.curve = this.name.value; this.keep(); this.draw(); } });
    this.logBox = make("input", { type: "checkbox", onchange: () => { this.log = this.logBox.checked; this.keep(); this.draw(); } });
    this.pick = make("div", { class: "pick" }, this.name, make("label", {}, this.logBox, " logarithmic"),
      make("span", { class: "soft", text: "dots: checkpoints, dashes: alerts" }));
    this.range = make("input", { type: "range", class: "steps", min: 0, max: 0, "aria-label": "Step of the pictures",
      oninput: () => { this.at = Number(this.range.value) === Number(this.range.max) ? -1 : Number(this.range.value); this.keep(); this.show(); } });
    this.slider = make("div", {}, this.range);
    this.when = make("div", { class: "note soft", "data-found": "picture" });
    this.strips = make("div");
    this.scores = make("table", { "data-found": "scores" });
    this.judged = make("p", { class: "note soft", role: "status", "data-found": "judged" });
    this.command = make("pre");
    this.python = make("pre");
    this.copied = make("span", { class: "note soft", role: "status" });
    const copier = (text, from) => button(text, () => copy(from.textContent).then(() => setText(this.copied, "Copied."), () => setText(this.copied, "Select and copy it.")));
    this.form = make("a", { class: "act", text: "Open in the form" });
    this.again = make("details", {}, make("summary", { text: "Start the same again" }), this.command, this.python,
      make("div", { class: "deeds" }, copier("Copy as command", this.command), copier("Copy as Python", this.python), this.form, this.copied));
    this.files = this.folded("Checkpoints");
    this.knobs = this.folded("Configuration");
    this.machine = this.folded("Environment");
    this.text = make("pre", { "data-found": "log" });
    this.said = make("details", { open: true }, make("summary", { text: "End of the log" }), this.text);
  }
  // What is looked at, in the address; the defaults are not.
  keep() {
    const step = this.at < 0 ? "" : this.row.pictures.steps[this.at];
    remember({ curve: this.curve === "loss" ? "" : this.curve, log: this.log ? "1" : "", step });
  }
  folded(title) {
    const table = make("table");
    const note = make("p", { class: "note soft" });
    const node = make("details", {}, make("summary", { text: title }), make("div", { class: "broad" }, table), note);
    return Object.assign(node, { table, note });
  }
  deeds() {
    this.softly = button("Stop after a checkpoint", () => this.act("/cancel"));
    this.now = button("Stop now", () => this.ask("What was trained since the last checkpoint is lost. Stop it now?", "Stop now", () => this.act("/cancel", { now: true })));
    this.resume = button("Resume", () => this.act("/resume"), "main");
    this.judge = button("Evaluate", () => this.act("/evaluate", this.row.evaluating.state === "running" ? { stop: true } : { protocols: this.by.value.split("+") }));
    this.judge.title = "Measured on the newest checkpoint, beside the same on the weights before training";
    this.by = make("select", { "aria-label": "Evaluate by" });
    this.gone = button("Delete", () => this.ask(`Delete it with its ${this.row.checkpoints.length} checkpoints and all pictures, for good?`, "Delete for good",
      () => this.act("/delete", { confirm: this.id }).then((done) => done && this.leave())), "");
    return make("div", { class: "deeds" }, this.softly, this.now, this.resume, make("span", { class: "pair" }, this.judge, this.by), this.gone);
  }
  ask(question, yes, act) {
    const before = this.node.getRootNode().activeElement;
    const close = () => {
      this.sure.classList.add("hidden");
      before?.focus();
    };
    this.sure.onkeydown = (event) => { if (event.key === "Escape") close(); };
    const first = button("Keep it", close);
    this.sure.replaceChildren(make("span", { text: question }), button(yes, () => { close(); act(); }, "grave"), first);
    this.sure.classList.remove("hidden");
    first.focus();
  }
  async act(path, body) {
    setText(this.problem, "");
    try {
      await order(`/${this.id}${path}`, body);
      if (path !== "/delete") this.look();
      return true;
    } catch (error) {
      setText(this.problem, error.message);
      return false;
    }
  }
  open(id) {
    this.stop();
    const asked = new URLSearchParams(location.search);
    Object.assign(this, { id, row: null, at: -1, curve: asked.get("curve") ?? "loss", log: asked.get("log") === "1", wanted: asked.get("step") });
    this.logBox.checked = this.log;
    this.node.dataset.run = id;
    this.sure.classList.add("hidden");
    setText(this.title, id);
    for (const node of [this.tells, this.problem, this.judged]) setText(node, "");
    setText(this.chip, "reading …");
    this.chip.dataset.state = "";
    this.body.classList.add("hidden");
    this.going = true;
    this.look();
  }
  stop() {
    this.going = false;
    this.turn += 1;
    clearTimeout(this.timer);
  }
  async look() {
    clearTimeout(this.timer);
    const turn = (this.turn += 1);
    if (!document.hidden || !this.row) {
      const answer = await fetch(`/api/runs/${encodeURIComponent(this.id)}`).catch(() => null);
      if (turn !== this.turn || !this.going) return; // the newest question wins
      if (answer?.ok) {
        if (this.lost) setText(this.problem, "");
        this.lost = false;
        this.row = await answer.json();
        this.show();
      } else {
        this.lost = true;
        if (!this.row) setText(this.chip, "not found");
        setText(this.problem, answer ? (await answer.text()).trim() : "The server does not answer; the run goes on without it.");
      }
    }
    const calm = !this.row || (isOver(this.row.state) && this.row.evaluating.state !== "running");
    if (this.going && turn === this.turn) this.timer = setTimeout(() => this.look(), calm ? 4000 : 900);
  }
  show() {
    const { row } = this;
    if (!row) return;
    this.body.classList.remove("hidden");
    setText(this.title, row.name || row.id);
    this.title.title = row.id;
    document.title = `${row.name || row.id} – Mask workbench`;
    setText(this.chip, row.state);
    this.chip.dataset.state = this.tells.dataset.state = row.state;
    setText(this.tells, row.told);
    const share = row.steps ? (row.step ?? 0) / row.steps : 0;
    if (this.bar.value !== share) this.bar.value = share;
    this.showFacts(row);
    this.showDeeds(row);
    fill(this.alerts, row.alerts, () => row.alerts.slice(-8).map((each) => make("li", { text: `Step ${each.step ?? "–"}, ${each.kind}: ${each.sentence}` })));
    fill(this.name, Object.keys(row.curves), () => Object.keys(row.curves).map((name) => make("option", { value: name, text: name })));
    if (row.curves[this.curve]) this.name.value = this.curve;
    this.pick.classList.toggle("hidden", !Object.keys(row.curves).length);
    this.draw();
    this.showPictures(row.pictures);
    this.showScores(row);
    this.showFolds(row);
  }
  showFacts(row) {
    const going = !isOver(row.state);
    const losses = row.curves.loss ?? [];
    const { device = "", precision = "", threads = "" } = row.environment;
    const values = {
      step: `${brief(row.step ?? 0)} of ${brief(row.steps)}`,
      rate: row.rate ? `${brief(row.rate)} pictures/s` : "–",
      left: going ? span(row.seconds_left) : row.started && row.updated > row.started ? span(row.updated - row.started) : "–",
      memory: megabytes(row.memory),
      loss: losses.length ? brief(losses.at(-1)[1]) : "–",
      device: device ? `${device}, ${precision}${device === "cpu" ? `, ${threads} thread${threads === 1 ? "" : "s"}` : ""}` : "–",
    };
    for (const [name, text] of Object.entries(values)) setText(this.facts[name], text);
    setText(this.called.left, going ? FACTS.left : row.tries > 0 ? "Took, since resumed" : "Took");
  }
  showDeeds(row) {
    const over = isOver(row.state);
    this.softly.disabled = over || row.state === "stopping";
    this.now.disabled = over;
    this.resume.disabled = !over || row.state === "done";
    this.resume.classList.toggle("main", !this.resume.disabled);
    const judging = row.evaluating.state === "running";
    this.judge.disabled = !row.checkpoints.length || !row.protocols.length;
    this.by.disabled = this.judge.disabled || judging;
    setText(this.judge, judging ? "Stop the evaluation" : "Evaluate");
    fill(this.by, row.protocols, () => row.protocols.map((value) => make("option", { value, text: `by ${value.split("+").map(protocolName).join(" and ")}`,
      title: value.split("+").map((name) => PROTOCOLS[name]?.[1] ?? "").join("; ") })));
    this.gone.disabled = !over || judging;
    this.gone.title = !over ? "Stop it first" : judging ? "Stop the evaluation first" : "";
    this.uses.classList.toggle("hidden", !row.uses.length);
    fill(this.uses, row.uses, () => [make("span", { class: "soft", text: "Use this model:" }),
      ...row.uses.map(({ text, address, told }) => make("a", { href: address, title: told, text }))]);
  }
  draw() {
    const { row } = this;
    if (!row) return;
    const none = isOver(row.state) ? "It ended before its first line of metrics." : "The curve begins with the first logged step.";
    this.chart.show(row.curves[this.curve] ?? [], { steps: row.steps || 1, name: this.curve, log: this.log, none,
      alerts: row.alerts.map((each) => each.step).filter((step) => step !== null && step !== undefined),
      saved: row.checkpoints.map((each) => each.step) });
  }
  // A first picture is drawn before the first step, by objectives that have something to draw.
  pictureless() {
    const { state, step, config, objective } = this.row;
    if (config.some(([name, value]) => name === "picture_every" && Number(value) === 0)) return "It makes no pictures; picture_every=50 makes some every 50 steps.";
    if (step) return `${objective.split("(")[0]} predicts nothing that can be drawn; its curves tell how it goes.`;
    return isOver(state) ? "It ended before its first pictures." : "The first pictures come with the first step.";
  }

  showPictures({ titles, steps, files, note }) {
    if (this.wanted !== null && steps.length) {
      this.at = steps.indexOf(Number(this.wanted));
      this.wanted = null;
    }
    this.slider.classList.toggle("hidden", steps.length < 2);
    this.range.max = Math.max(steps.length - 1, 0);
    const at = this.at < 0 ? steps.length - 1 : Math.min(this.at, steps.length - 1);
    if (Number(this.range.value) !== at) this.range.value = at;
    this.range.setAttribute("aria-valuetext", steps.length ? `step ${steps[at]}` : "");
    setText(this.when, steps.length ? `Step ${brief(steps[at])}${this.at < 0 ? ", the newest" : ""}; the same pictures under the same mask every time. ${note}`.trimEnd()
      : this.pictureless());
    if (this.strips.dataset.titles !== titles.join()) {
      this.strips.dataset.titles = titles.join();
      this.strips.replaceChildren(...titles.map((title) => make("figure", { class: "strip" }, picture(title.replaceAll("_", " ")),
        make("figcaption", { text: title.replaceAll("_", " ") }))));
    }
    titles.forEach((title, place) => swap(this.strips.children[place].querySelector("img"),
      files[at]?.[title] ? `/api/runs/${this.id}/picture/${files[at][title]}` : ""));
  }
  showScores(row) {
    const interval = (score) => `${scored(score)} (${scored(score, "low")} to ${scored(score, "high")})`;
    const guesses = (score) => Object.entries(score.beside ?? {}).map(([who, value]) => `${who} ${value.toPrecision(3)}`).join(", ");
    fill(this.scores, row.scores, () => !row.scores.length ? [] : [
      make("tr", {}, ...cells("th", ["protocol", "step", "measured (95% interval)", "before training", "measured on"])),
      ...row.scores.map((score) => make("tr", { "data-protocol": score.protocol }, make("td", {}, protocolName(score.protocol),
        make("small", { text: measured(score) })), ...cells("td", [brief(score.step), interval(score),
        score.initial ? interval(score.initial) : "–", [`${brief(score.count)} of ${score.data}`, guesses(score)].filter(Boolean).join("; beside ")]))),
    ]);
    const { state, tasks = [], done = 0, share = 0, seconds_left: left, reason = "" } = row.evaluating;
    const task = tasks[done] ?? [[], ""];
    const part = tasks.length > 1 ? `, part ${Math.min(done + 1, tasks.length)} of ${tasks.length}` : "";
    const weights = task[1] === "initial" ? "the weights before training" : "the newest weights";
    const words = state === "running" ? `Measuring ${task[0].map(protocolName).join(" and ")} on ${weights}${part}: ${percent(share)}${left ? `; about ${span(left)} to go` : ""} …`
      : state === "failed" || state === "crashed" ? `The evaluation failed: ${reason}`
        : row.scores.length ? older(row) : !row.checkpoints.length ? "It can be measured once there is a checkpoint."
          : row.protocols.length ? "Not measured yet: press Evaluate."
            : `Its pictures have no classes to tell apart. On labelled ones it is measured by: python -m workbench evaluate ${this.id} --protocol knn --data "digits()"`;
    setText(this.judged, words);
  }
  showFolds(row) {
    setText(this.command, row.command);
    setText(this.python, row.python);
    this.form.href = row.form;
    fill(this.files.table, row.checkpoints, () => row.checkpoints.map(({ step, file, bytes }) => make("tr", {}, ...cells("td", [`step ${step}`]),
      make("td", {}, make("a", { href: `/api/runs/${this.id}/checkpoint/${file}`, download: "", text: `Download ${file}` })), ...cells("td", [megabytes(bytes)]))));
    setText(this.files.note, row.checkpoints.length ? `Weights and the optimiser's state, in ${row.folder}/checkpoints` : "None yet.");
    fill(this.knobs.table, row.config, () => row.config.map(([name, value, other]) => make("tr", { class: other ? "other" : null }, ...cells("td", [name, value === "" ? "–" : value]))));
    setText(this.knobs.note, "Bold: other than the default.");
    fill(this.machine.table, row.environment, () => Object.entries(row.environment).map(([name, value]) => make("tr", {}, ...cells("td", [name, value === "" ? "–" : value]))));
    const low = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 30;
    setText(this.text, row.log.join("\n") || "Nothing was printed yet.");
    if (low) this.text.scrollTop = this.text.scrollHeight;
  }
}

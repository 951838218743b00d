// The list of runs and their queue. Names are put in as text only.

const RUNLIST_CSS = `
  .tools { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin-bottom: 10px; }
  .tools input[type="search"], .tools select { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
    border-radius: 8px; padding: 6px 10px; }
  .tools input[type="search"] { flex: 1 1 180px; max-width: 340px; }
  .runs { display: grid; gap: 6px; }
  .run { display: grid; grid-template-columns: 24px 96px minmax(0, 3fr) minmax(0, 3fr) minmax(0, 2fr); gap: 4px 14px; align-items: center;
    padding: 7px 10px; border: 1px solid var(--st-border-color); border-radius: 10px; }
  .run:hover { border-color: var(--st-primary-color); }
  .run .thumb { width: 96px; height: 48px; border-radius: 6px; overflow: hidden; background: var(--st-secondary-background-color); }
  .run .thumb img { width: 100%; height: 100%; object-fit: cover; display: block; image-rendering: pixelated; }
  .run a { color: inherit; font-weight: 600; text-decoration: none; overflow-wrap: anywhere; }
  .run a:hover { text-decoration: underline; }
  .run a.of { font-weight: 400; font-size: 0.76rem; text-decoration: underline; opacity: 0.72; }
  .run .small { font-size: 0.76rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .run .pace { font-variant-numeric: tabular-nums; font-size: 0.8rem; }
  .run progress { width: 100%; height: 6px; accent-color: var(--st-primary-color); display: block; }
  .run input { width: 18px; height: 18px; accent-color: var(--st-primary-color); }
  .queue { margin: 0 0 12px; padding: 8px 12px; border: 1px solid var(--st-border-color); border-radius: 10px; }
  .queue ol { margin: 6px 0 0; padding-left: 2em; display: grid; gap: 4px; max-height: 11rem; overflow-y: auto; }
  .queue li .act { padding: 1px 8px; margin-left: 6px; }
  .queue .tools { margin: 0; }
  .empty { padding: 28px 18px; text-align: center; border: 1px dashed var(--st-border-color); border-radius: 10px; }
  .empty p { margin: 0 0 12px; }
  @media (max-width: 700px) {
    .run { grid-template-columns: 24px 64px minmax(0, 1fr); }
    .run .thumb { width: 64px; height: 32px; }
    .run > :nth-child(n + 4) { grid-column: 2 / -1; }
    .run .small { white-space: normal; overflow-wrap: anywhere; }
  }
`;
const STATES = { "": "all", going: "not ended", running: "running", queued: "queued", done: "done", cancelled: "cancelled", failed: "failed",
  crashed: "crashed" };
const PART = 50;
const NAMED = 5;

class RunRow {
  constructor(list, id) {
    this.tick = make("input", { type: "checkbox", onchange: () => list.pick(id, this.tick.checked) });
    this.image = picture("Last picture");
    this.link = make("a", { href: `/runs?run=${encodeURIComponent(id)}`, onclick: (event) => list.open(event, id) });
    this.chip = make("span", { class: "chip" });
    this.of = make("div", { class: "small soft" });
    this.sweep = make("a", { class: "of" });
    this.bar = make("progress", { max: 1, value: "0", "aria-label": "Progress" });
    this.pace = make("div", { class: "pace" });
    this.scores = make("div", { class: "small" });
    this.when = make("div", { class: "small soft" });
    this.node = make("div", { class: "run", "data-run": id }, this.tick, make("div", { class: "thumb" }, this.image),
      make("div", {}, this.link, " ", this.chip, this.of, this.sweep), make("div", {}, this.bar, this.pace), make("div", {}, this.scores, this.when));
  }
  show(row, picked) {
    const label = row.name || row.id;
    setText(this.link, label);
    this.tick.checked = picked;
    this.tick.setAttribute("aria-label", `Choose ${label}`);
    setText(this.chip, row.state);
    this.chip.dataset.state = row.state;
    const of = [row.objective, row.mask, row.data].filter(Boolean).join(" · ");
    setText(this.of, of);
    this.of.title = `${row.id}\n${of}`;
    this.sweep.classList.toggle("hidden", !row.group);
    this.sweep.href = `/compare?sweep=${encodeURIComponent(row.group)}`;
    setText(this.sweep, row.group ? sweepName(row.group) : "");
    const share = row.steps ? (row.step ?? 0) / row.steps : 0;
    if (this.bar.value !== share) this.bar.value = share;
    const going = row.state === "running" || row.state === "stopping";
    setText(this.pace, [`${brief(row.step ?? 0)} of ${brief(row.steps)} steps`,
      row.rate ? `${brief(row.rate)} pictures/s` : "", going && row.seconds_left ? `${span(row.seconds_left)} left` : "",
      row.memory ? megabytes(row.memory) : ""].filter(Boolean).join(" · "));
    setText(this.scores, row.scores.map((score) => `${protocolName(score.protocol)} ${scored(score)}${
      score.initial ? ` (before ${scored(score.initial)})` : ""}`).join(" · "));
    setText(this.when, row.created ? new Date(row.created * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "");
    swap(this.image, row.picture ? `/api/runs/${row.id}/picture/${row.picture}&small=1` : "");
  }
}

class RunList {
  // `open(event, id)` shows a run's page.
  constructor(open) {
    const wanted = new URLSearchParams(location.search);
    Object.assign(this, { open, rows: new Map(), known: new Map(), picked: new Set(), count: PART, tag: "", last: null, timer: 0, turn: 0 });
    this.find = make("input", { type: "search", placeholder: "Find by name, objective, mask …", "aria-label": "Find runs",
      value: wanted.get("find"), oninput: () => this.filter() });
    this.state = make("select", { "aria-label": "State", onchange: () => this.filter() },
      ...Object.entries(STATES).map(([value, text]) => make("option", { value, text, selected: value === wanted.get("state") })));
    this.compare = make("a", { class: "act hidden" });
    this.gone = make("button", { type: "button", class: "act hidden", onclick: () => this.sureToDelete() });
    this.sure = make("div", { class: "sure hidden", role: "alertdialog", "aria-label": "Are you sure?" });
    this.told = make("span", { class: "soft", role: "status", "data-found": "count" });
    this.problem = make("p", { class: "problem", role: "alert" });
    this.queue = make("div", { class: "queue hidden" });
    this.body = make("div", { class: "runs" });
    this.empty = make("div", { class: "empty hidden" });
    this.more = make("button", { type: "button", class: "act hidden", text: "Show more", onclick: () => { this.count += PART; this.again(); } });
    this.node = make("div", {},
      make("div", { class: "tools" }, this.find, this.state, this.compare, this.gone, make("a", { class: "act main", href: "/train", text: "New run" }), this.told),
      this.problem, this.sure, this.queue, this.empty, this.body, this.more);
    setText(this.told, "Reading the runs …");
  }
  pick(id, yes) {
    this.picked[yes ? "add" : "delete"](id);
    this.linkCompare();
  }
  // What is looked for stands in the address; what was chosen before stays so.
  filter() {
    remember({ find: this.find.value, state: this.state.value });
    this.again();
  }
  address() {
    const query = new URLSearchParams([["find", this.find.value], ["state", this.state.value]].filter(([, value]) => value));
    return query.size ? `/runs?${query}` : "/runs";
  }
  linkCompare() {
    const ids = [...this.picked];
    this.compare.classList.toggle("hidden", ids.length < 2);
    this.compare.href = `/compare?runs=${ids.map(encodeURIComponent).join(",")}`;
    setText(this.compare, `Compare ${ids.length} runs`);
    this.gone.classList.toggle("hidden", !ids.length);
    setText(this.gone, ids.length === 1 ? "Delete it" : `Delete ${ids.length} runs`);
    this.sure.classList.add("hidden");
  }
  // Those that wait or run stay; the others go, after a question.
  sureToDelete() {
    const ids = [...this.picked].filter((id) => isOver(this.known.get(id).state));
    const stay = this.picked.size - ids.length;
    const close = () => {
      this.sure.classList.add("hidden");
      this.gone.focus();
    };
    this.sure.onkeydown = (event) => { if (event.key === "Escape") close(); };
    const no = make("button", { type: "button", class: "act", text: "Keep", onclick: close });
    const yes = make("button", { type: "button", class: "act grave", text: "Delete for good", onclick: () => this.deleteAll(ids) });
    const names = ids.slice(0, NAMED).map((id) => this.known.get(id).name || id).join(", ");
    const named = `${names}${ids.length > NAMED ? ` and ${ids.length - NAMED} more` : ""}`;
    const words = [ids.length ? `Delete ${named} with all checkpoints and pictures, for good?` : "",
      stay ? `${stay === 1 ? "One that waits or runs stays" : `${stay} that wait or run stay`}: stop ${stay === 1 ? "it" : "them"} first.` : ""].join(" ").trim();
    this.sure.replaceChildren(make("span", { text: words }), ...(ids.length ? [yes] : []), no);
    this.sure.classList.remove("hidden");
    no.focus();
  }
  async deleteAll(ids) {
    const refused = [];
    for (const id of ids) {
      await order(`/${id}/delete`, { confirm: id }).then(() => this.picked.delete(id), (error) => refused.push(error.message));
    }
    this.linkCompare();
    setText(this.problem, refused.slice(0, 3).join(" "));
    this.again();
  }
  again() {
    clearTimeout(this.timer);
    this.ask();
  }
  start() {
    this.going = true;
    this.again();
  }
  stop() {
    this.going = false;
    clearTimeout(this.timer);
  }
  async ask() {
    const turn = (this.turn += 1);
    const query = new URLSearchParams({ find: this.find.value, state: this.state.value, count: this.count });
    if (!document.hidden || !this.last) {
      const answer = await fetch(`/api/runs?${query}`).catch(() => null);
      if (turn !== this.turn || !this.going) return; // a newer question is under way
      if (answer?.ok) this.show(await answer.json());
      else {
        this.lost = true;
        setText(this.problem, answer ? (await answer.text()).trim() : "The server does not answer; runs go on without it.");
      }
    }
    if (this.going && turn === this.turn) this.timer = setTimeout(() => this.ask(), this.last?.going ? 1500 : 4000);
  }
  show(record) {
    if (this.lost) setText(this.problem, "");
    this.lost = false;
    this.last = record;
    const ids = record.rows.map((row) => row.id);
    for (const [id, row] of this.rows) if (!ids.includes(id)) { row.node.remove(); this.rows.delete(id); }
    for (const row of record.rows) this.known.set(row.id, row);
    record.rows.forEach((row, at) => {
      if (!this.rows.has(row.id)) this.rows.set(row.id, new RunRow(this, row.id));
      const made = this.rows.get(row.id);
      made.show(row, this.picked.has(row.id));
      if (this.body.children[at] !== made.node) this.body.insertBefore(made.node, this.body.children[at] ?? null);
    });
    this.more.classList.toggle("hidden", record.fitting <= record.rows.length);
    const some = record.fitting < record.all ? `${record.fitting} of ${record.all} runs` : `${record.all} run${record.all === 1 ? "" : "s"}`;
    setText(this.told, record.all ? some : "");
    this.showEmpty(record);
    this.showQueue(record.queue);
  }
  showEmpty(record) {
    this.empty.classList.toggle("hidden", record.fitting > 0);
    const words = record.all ? "No run fits what you look for." : "There are no runs yet. A first one takes under a minute.";
    if (this.empty.dataset.words === words) return;
    this.empty.dataset.words = words;
    this.empty.replaceChildren(make("p", { text: words }),
      ...(record.all ? [] : [make("a", { class: "act main", href: "/train?preset=digits_mae_tiny", text: "Train on digits" }),
        make("p", { class: "soft small", text: `They are kept in ${record.folder}` })]));
  }
  showQueue({ jobs, settings }) {
    const waiting = jobs.filter((job) => job.state === "waiting");
    const shownQueue = JSON.stringify([waiting, settings]);
    this.queue.classList.toggle("hidden", !waiting.length && !settings.paused);
    if (this.queue.dataset.shown === shownQueue) return;
    this.queue.dataset.shown = shownQueue;
    const held = this.queue.contains(this.queue.getRootNode().activeElement) ? this.queue.getRootNode().activeElement.dataset.key : null;
    const act = (text, label, key, body, disabled = false) => make("button", { type: "button", class: "act", text, "aria-label": label,
      "data-key": key, disabled, onclick: () => this.change("/queue", body) });
    const words = settings.paused ? "The queue is paused: nothing new starts." : `Waiting, ${settings.slots} at a time`;
    const items = waiting.map((job, at) => make("li", {}, job.name || job.run,
      act("↑", `Move ${job.name || job.run} up`, `up ${job.run}`, { run: job.run, place: at - 1 }, at === 0),
      act("↓", `Move ${job.name || job.run} down`, `down ${job.run}`, { run: job.run, place: at + 1 }, at === waiting.length - 1)));
    this.queue.replaceChildren(make("div", { class: "tools" }, make("b", { text: words }),
      settings.paused ? act("Continue the queue", "Continue the queue", "pause", { paused: 0 })
        : act("Pause the queue", "Pause the queue", "pause", { paused: 1 }),
      make("span", { class: "soft", text: settings.keep_going ? "After a failure it goes on." : "After a failure it pauses." }),
      act(settings.keep_going ? "Pause after a failure" : "Go on after a failure", settings.keep_going ? "Pause after a failure" : "Go on after a failure", "keep",
        { keep_going: settings.keep_going ? 0 : 1 })),
    make("ol", {}, ...items));
    if (held) [...this.queue.querySelectorAll("button")].find((button) => button.dataset.key === held)?.focus();
  }
  async change(path, body) {
    await order(path, body).then(() => setText(this.problem, ""), (error) => setText(this.problem, error.message));
    this.again();
  }
}

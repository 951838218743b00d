// What a run will take, measured before it starts; the button that starts it.

const TRAIN_CSS = `
  .go { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 4px 0 10px; }
  .card { border: 1px solid var(--st-border-color); border-radius: 10px; padding: 12px 14px; margin-bottom: 10px; }
  .card h4 { margin: 0 0 8px; font-size: 1rem; }
  .card[data-state="old"] .taken { opacity: 0.45; }
  .taken { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 8px; }
  .taken div { display: grid; padding: 5px 10px; border-radius: 8px; background: rgba(128, 140, 135, 0.12); align-content: start; }
  .taken span, .taken small { font-size: 0.75rem; opacity: 0.75; }
  .taken b { font-variant-numeric: tabular-nums; }
  .wrong { margin: 8px 0 0; padding-left: 1.2em; }
  .words { margin: 0 0 6px; }
  .words:empty { display: none; }
  progress { width: 100%; height: 8px; accent-color: var(--st-primary-color); }
  pre { font-size: 0.78rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; padding: 10px; border-radius: 8px; margin: 0 0 6px;
    background: var(--st-secondary-background-color); }
`;
const PATIENCE = 20_000; // milliseconds until a press is given up
const TOLD_BEFORE = "A few real steps are made in a process of their own: time, memory, disk and data are measured, not guessed.";

export default mounter((root) => {
  let data = { config: {}, engine: "", command: "", answered: {} };
  let pressed = null; // a press that waits until the server has the whole form
  let patience = 0;
  let starting = false;
  let measured = null; // the configuration that the card is about
  let mark = "";
  let timer = 0;
  let found = null;
  const check = make("button", { type: "button", class: "act", text: "Check what it takes", onclick: () => settled(measure) });
  const start = make("button", { type: "button", class: "act main", text: "Start", onclick: () => settled(begin) });
  const cancel = make("button", { type: "button", class: "act hidden", text: "Cancel the check", onclick: () => leave().then(() => follow(mark)) });
  const told = make("p", { class: "words soft", role: "status", "data-found": "told" });
  const problem = make("p", { class: "words problem", role: "alert" });
  const missing = make("p", { class: "words problem" });
  const waits = make("p", { class: "words soft", role: "status" });
  const expected = make("p", { class: "words soft" });
  const bar = make("progress", { class: "hidden", "aria-label": "Measuring" });
  const taken = make("div", { class: "taken" });
  const wrong = make("ul", { class: "wrong problem" });
  const card = make("div", { class: "card" }, make("h4", { text: "What it takes" }), told, bar, taken, wrong);
  const command = make("pre", { "data-found": "command", "aria-label": "The command that starts the same run" });
  root.append(make("style", { text: SHARED_CSS + ORDERS_CSS + TRAIN_CSS }), make("div", { class: "go" }, check, start, cancel), missing, waits, problem, expected, card, command);
  const same = () => measured !== null && measured === JSON.stringify(data.config);

  // A check that nobody sees any more would hold up the next; `keepalive` lets the request outlive its page.
  function leave() {
    if (!mark || found) return Promise.resolve();
    return fetch(`/api/runs/check/${mark}/cancel`, { method: "POST", headers: HEADERS, body: "{}", keepalive: true }).catch(() => null);
  }
  addEventListener("pagehide", leave);

  const behind = () => [...SENDERS].some(([name, sender]) => sender.ahead(data.answered[name] ?? 0));

  function lock() {
    check.disabled = pressed !== null;
    start.disabled = pressed !== null || Boolean(data.missing);
  }

  // What was changed a moment ago is on its way to the server: a press waits for it.
  function settled(act) {
    clearTimeout(patience);
    pressed = behind() ? act : null;
    lock();
    setText(problem, "");
    setText(waits, pressed ? "Waits until the server has what was just changed …" : "");
    if (pressed) patience = setTimeout(() => giveUp("The server has not taken what was changed last; reload the page."), PATIENCE);
    else act();
  }

  function giveUp(sentence) {
    clearTimeout(patience);
    pressed = null;
    lock();
    setText(waits, "");
    setText(problem, sentence);
  }

  async function measure() {
    root.dataset.check = "asked";
    const asked = JSON.stringify(data.config);
    try {
      ({ mark } = await order("/check", { config: data.config, instead: mark }));
    } catch (error) {
      return setText(problem, error.message);
    }
    measured = asked;
    found = null;
    follow(mark);
  }

  async function follow(asked) {
    clearTimeout(timer);
    const answer = await fetch(`/api/runs/check/${asked}`).catch(() => null);
    if (asked !== mark) return;
    const report = answer?.ok ? await answer.json() : { state: "failed", problem: "The server does not answer; press the button again." };
    if (asked !== mark) return;
    show(report);
    if (["waiting", "running"].includes(report.state)) timer = setTimeout(() => follow(asked), 400);
  }

  function show({ state, found: result, problem: sentence, seconds }) {
    const busy = state === "waiting" || state === "running";
    root.dataset.check = state;
    bar.classList.toggle("hidden", !busy);
    cancel.classList.toggle("hidden", !busy);
    wrong.replaceChildren();
    if (busy) {
      taken.replaceChildren();
      return setText(told, state === "waiting" ? "Waits for another check to finish …" : `Reads the data and makes four steps … ${Math.round(seconds)} s`);
    }
    if (state === "cancelled") {
      measured = null;
      age();
      return setText(told, `The check was cancelled. ${TOLD_BEFORE}`);
    }
    if (state === "failed") {
      setText(told, "");
      return wrong.replaceChildren(make("li", { text: sentence }));
    }
    found = result;
    wrong.replaceChildren(...[...found.problems, ...found.skipped.map(([, reason]) => `left out: ${reason}`)].map((text) => make("li", { text })));
    if (found.seconds) numbers(found);
    else taken.replaceChildren();
    age();
  }

  function numbers({ seconds, memory, processes, memory_free: free, disk, disk_free: room, rate, pictures, parameters, device, precision, threads }) {
    const { steps, batch } = JSON.parse(measured);
    const tile = (title, value, hint) => make("div", {}, make("span", { text: title }), make("b", { text: value }), make("small", { text: hint }));
    taken.replaceChildren(
      tile("All of it", span(seconds.all), `${span(seconds.load)} to read the data`),
      tile("One step", `${brief(1000 * seconds.step)} ms`, `${brief(rate)} pictures a second`),
      tile("Memory", megabytes(memory), `${processes > 1 ? `in each of ${processes} processes; ` : ""}${megabytes(free)} are free`),
      tile("Disk", megabytes(disk), `${megabytes(room)} are free`),
      tile("Data", `${brief(pictures)} pictures`, `${brief((steps * batch) / pictures)} epochs in ${brief(steps)} steps`),
      tile("Model", `${brief(parameters)} weights`, `${device}, ${precision}${device === "cpu" ? `, ${threads} thread${threads === 1 ? "" : "s"}` : ""}`));
  }

  // Whether the numbers still belong to the form.
  function age() {
    const old = measured !== null && !same();
    card.dataset.state = old ? "old" : "";
    if (measured === null) setText(told, TOLD_BEFORE);
    else if (found) setText(told, old ? "The form has changed since; check it again." : found.problems.length ? "This is what speaks against it:" : data.engine ? "Measured with this form on this machine, not on the one that it is handed to:" : "Measured with this form:");
    const ready = found && same() && !found.problems.length;
    setText(start, ready ? "Start" : "Start without a check");
    start.classList.toggle("main", Boolean(ready));
    check.classList.toggle("main", !ready);
  }

  async function begin() {
    starting = start.disabled = true;
    try {
      const { id } = await order("/start", { config: data.config, engine: data.engine });
      location.assign(`/runs?run=${encodeURIComponent(id)}`);
    } catch (error) {
      setText(problem, error.message);
    }
    starting = false;
    lock();
  }

  return {
    update(next) {
      data = next;
      setText(command, data.command);
      setText(missing, data.missing);
      setText(expected, data.expected);
      if (!starting) lock();
      age();
      if (!pressed || behind()) return;
      if (data.refused || data.missing) giveUp("Something in the form cannot be taken; look at what it says there, and press again.");
      else settled(pressed);
    },
    destroy() {
      clearTimeout(timer);
      clearTimeout(patience);
      removeEventListener("pagehide", leave);
      leave();
    },
  };
});

// All sweeps: how far they are, what can be done about them, and the form of a new one.

const SWEEPS_CSS = `
  .both { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 30px; }
  @media (max-width: 900px) { .both { grid-template-columns: minmax(0, 1fr); } .both > :first-child { order: 2; } }
  .both h3 { font-size: 1rem; margin: 0 0 8px; font-weight: 600; }
  .sweep { border: 1px solid var(--st-border-color); border-radius: 10px; padding: 10px 12px; margin-bottom: 10px; display: grid; gap: 5px; }
  .sweep .top { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; }
  .sweep .top b { overflow-wrap: anywhere; }
  .sweep progress { width: 100%; height: 8px; accent-color: var(--st-primary-color); }
  .sweep .told { font-size: 0.8rem; font-variant-numeric: tabular-nums; }
  .sweep .over { font-size: 0.78rem; opacity: 0.78; overflow-wrap: anywhere; }
  .sweep .acts { display: flex; flex-wrap: wrap; gap: 6px; }
  .wb a { color: inherit; text-decoration-color: var(--st-primary-color); }
  .none { padding: 12px 0; max-width: 60ch; }
`;
const LOOK_AGAIN = 2500;

const sweepOrder = (path, body) => order(path, body, "sweeps");

export default mounter((root) => {
  let timer = 0;
  let mark = null;
  let sweeps = [];
  let asks = null; // the question that is open, if any
  const list = make("div", { "data-list": "sweeps" }, make("p", { class: "soft", role: "status", text: "Reads the sweeps …" }));
  const problem = make("p", { class: "problem hidden", role: "alert" });
  const form = new SweepForm(sweepOrder, (id) => location.assign(`/compare?sweep=${encodeURIComponent(id)}`));
  root.append(make("style", { text: SHARED_CSS + ORDERS_CSS + FORM_CSS + SWEEPS_CSS }),
    make("div", { class: "both" }, make("div", {}, make("h3", { text: "Sweeps" }), problem, list), make("div", {}, make("h3", { text: "Start a sweep" }), form.node)));

  function say(sentence) {
    setText(problem, sentence);
    problem.classList.toggle("hidden", !sentence);
  }

  async function act(path, body) {
    say("");
    try {
      const { refused } = await sweepOrder(path, body);
      if (refused?.length) say(refused.join(" "));
    } catch (error) {
      say(error.message);
    }
    look();
  }

  function card(row) {
    const at = `/${encodeURIComponent(row.id)}`;
    const plain = (text, key, onclick, grave = "") => make("button", { type: "button", class: `act ${grave}`, text, "data-key": `${row.id} ${key}`, onclick });
    const button = (text, path, body, grave) => plain(text, path, (event) => { event.target.disabled = true; asks = null; act(at + path, body); }, grave);
    const asking = (text, path, question, body) => plain(text, `ask ${path}`, () => { asks = { id: row.id, text, path, question, body }; lay(); });
    const sure = asks?.id !== row.id ? null : make("div", { class: "sure", role: "alertdialog", "aria-label": "Are you sure?" }, make("span", { text: asks.question }),
      button(asks.text, asks.path, asks.body, "grave"), plain("Keep", "keep", () => { asks = null; lay(); }));
    const failed = row.failed.length ? make("div", { class: "told problem" }, "Failed: ",
      ...row.failed.flatMap((id) => [make("a", { href: `/runs?run=${encodeURIComponent(id)}`, text: id }), " "])) : null;
    return make("article", { class: "sweep", "data-sweep": row.id },
      make("div", { class: "top" }, make("b", { text: row.name }), make("span", { class: "chip", "data-state": row.state, text: row.state }), make("span", { class: "soft", text: row.preset })),
      make("div", { class: "over", text: row.over.join(" · ") }),
      make("progress", { max: 1, value: row.share, "aria-label": `Progress of ${row.name}` }),
      make("div", { class: "told", text: [`${row.words || "nothing queued"} of ${row.planned} runs`, row.left].filter(Boolean).join("; ") }), failed,
      make("div", { class: "acts" }, make("a", { class: "act", href: `/compare?sweep=${encodeURIComponent(row.id)}`, text: "Open the matrix" }),
        ...(row.live ? [button("Cancel", "/cancel", {}), asking("Cancel now", "/cancel", "What was trained since the last checkpoints is lost.", { now: true })]
          : [asking("Delete", "/delete", "Delete the sweep with all of its runs, checkpoints and pictures, for good?", { confirm: row.id })]),
        ...(row.resumable ? [button("Go on with the rest", "/resume", {})] : [])), sure);
  }

  // A card is made anew when something changes; what has the focus keeps it.
  function lay() {
    const held = list.getRootNode().activeElement?.dataset?.key;
    list.replaceChildren(...(sweeps.length ? sweeps.map(card) : [make("p", { class: "none soft",
      text: "No sweeps yet. A sweep trains every combination of some masks, ratios and seeds, measures each run at its end, and fills a matrix." })]));
    const find = (key) => [...list.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);
    if (held?.includes(" ask ") && asks) find(`${asks.id} keep`)?.focus();
    else if (held) find(held)?.focus();
  }

  async function look() {
    clearTimeout(timer);
    const answer = await fetch("/api/sweeps").catch(() => null);
    if (!answer?.ok) {
      say(answer ? (await answer.text()).trim() : "The server does not answer; this list is of before.");
    } else if (answer.headers.get("etag") !== mark) {
      mark = answer.headers.get("etag");
      ({ sweeps } = await answer.json());
      lay();
    }
    timer = setTimeout(look, LOOK_AGAIN);
  }

  look();
  return {
    update() {},
    destroy() {
      clearTimeout(timer);
      clearTimeout(form.timer);
    },
  };
});

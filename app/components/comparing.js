// The page of runs beside each other: the address holds what is shown, the server what is true.

const COMPARING_CSS = `
  .sections { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 18px 26px; }
  .sections > section { min-width: 0; } .sections > .wide { grid-column: 1 / -1; }
  @media (max-width: 900px) { .sections { grid-template-columns: minmax(0, 1fr); } }
  .sections h3 { font-size: 1rem; margin: 0 0 6px; font-weight: 600; }
  .note { font-size: 0.76rem; margin: 4px 0 0; max-width: 130ch; }
  .wb a { color: inherit; text-decoration-color: var(--st-primary-color); text-underline-offset: 2px; }
  .wb select { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 3px 7px; max-width: 12rem; }
  .said { margin: 0 0 10px; padding: 8px 12px; border-radius: 8px; border-left: 4px solid var(--st-orange-color, #c77700);
    background: var(--st-secondary-background-color); font-size: 0.84rem; overflow-wrap: anywhere; }
  .warnings { margin: 0 0 12px; padding: 8px 12px 8px 28px; border-radius: 8px; background: rgba(210, 140, 20, 0.14); font-size: 0.84rem; overflow-wrap: anywhere; }
  .standing { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; margin-bottom: 12px; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
  .standing progress { width: 180px; height: 8px; accent-color: var(--st-primary-color); }
  .empty-page { padding: 26px 8px; max-width: 62ch; }
  .copies { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 16px; }
  .copies button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 5px 11px; }
  .copies button:hover { border-color: var(--st-primary-color); }
`;
const SERVED = ["runs", "sweep", "x", "y", "smooth", "mean", "rows", "columns", "metric"];
const LOCAL = ["log", "off", "step", "title"];
const AGAIN = 2500;
const LATER = 90;

export default mounter((root) => {
  const state = Object.fromEntries([...SERVED, ...LOCAL].map((name) => [name, ""]));
  const marks = {};
  let data = null;
  let mark = null;
  let timer = 0;
  let asked = 0;
  const choice = new Choice(change);
  const board = new SweepBoard(change);
  const overlay = new Overlay(change);
  const strips = new Strips(change);
  const said = make("p", { class: "said hidden", role: "alert" });
  const warned = make("ul", { class: "warnings hidden", "data-found": "warned" });
  const standing = make("div", { class: "standing hidden" });
  const section = (title, name, ...children) => make("section", { "data-section": name }, make("h3", { text: title }), ...children);
  const parts = { board: section("Matrix", "board", board.node), differing: section("What differs", "differing", make("div")),
    curves: section("Curves", "curves", overlay.node), means: section("Means over seeds", "means", make("div")), pictures: section("Pictures by step", "pictures", strips.node) };
  const sections = make("div", { class: "sections hidden" }, ...Object.values(parts));
  const empty = make("div", { class: "empty-page soft", text: "Reads the runs …", role: "status" });
  const status = make("span", { class: "soft", role: "status" });
  const copier = (label, text) => make("button", { type: "button", text: label,
    onclick: () => copy(text()).then(() => setText(status, "Copied."), () => setText(status, `Copy it from here: ${text()}`)) });
  const copies = make("div", { class: "copies hidden" }, copier("Copy link", () => location.href),
    copier("Copy as Python", () => data.python), copier("Copy as command", () => data.command), status);
  root.append(make("style", { text: SHARED_CSS + COMPARING_CSS + CHOICE_CSS + OVERLAY_CSS + STRIPS_CSS + BOARD_CSS }),
    choice.node, said, standing, warned, empty, sections, copies);

  const list = (name) => state[name].split(",").filter(Boolean);
  const query = (names) => new URLSearchParams(names.filter((name) => state[name]).map((name) => [name, state[name]])).toString().replaceAll("%2C", ",");

  function read() {
    const found = new URLSearchParams(location.search);
    for (const name of Object.keys(state)) state[name] = found.get(name) ?? "";
  }

  function change(part) {
    Object.assign(state, part);
    const told = query(Object.keys(state));
    history.replaceState(history.state, "", location.pathname + (told ? `?${told}` : ""));
    if (SERVED.some((name) => name in part)) {
      clearTimeout(timer);
      timer = setTimeout(ask, "smooth" in part ? LATER : 0);
      if ("smooth" in part) setText(overlay.smoothTold, Number(part.smooth) ? Number(part.smooth).toFixed(2) : "off");
    } else if (data?.runs.length) draw();
  }

  async function ask() {
    clearTimeout(timer);
    const mine = ++asked;
    if (!state.runs && !state.sweep) {
      data = { runs: [], missing: [], going: false };
      mark = null;
      return draw();
    }
    const answer = await fetch(`/api/compare?${query(SERVED)}`).catch(() => null);
    const text = answer && !answer.ok ? await answer.text() : "";
    const found = answer?.ok ? await answer.json() : null;
    if (mine !== asked) return;
    if (!found) {
      tell([text || "The server does not answer; this page shows what it had and asks again."]);
      if (!data) setText(empty, "");
    } else if (answer.headers.get("etag") !== mark) {
      mark = answer.headers.get("etag");
      data = found;
      draw();
    }
    if (!found || data.going) timer = setTimeout(ask, AGAIN);
  }

  function tell(sentences) {
    setText(said, sentences.join(" "));
    said.classList.toggle("hidden", !sentences.length);
  }

  // Parts are drawn again only where what they show has changed, so that nothing flickers.
  function part(name, value, show) {
    parts[name].classList.toggle("hidden", !value);
    const now = JSON.stringify(value);
    if (!value || marks[name] === now) return;
    marks[name] = now;
    show();
  }

  function draw() {
    choice.show(list("runs"), state.sweep, data);
    tell(data.missing);
    const some = data.runs.length > 0;
    sections.classList.toggle("hidden", !some);
    copies.classList.toggle("hidden", !some);
    empty.classList.toggle("hidden", some);
    setText(empty, state.sweep ? "This sweep has no runs yet." : "Tick two runs or more, or a whole sweep: what differs, their curves, their pictures "
      + "on one slider and, over seeds, means with intervals appear here.");
    showStanding(data.sweep);
    warned.classList.toggle("hidden", !data.warned?.length);
    warned.replaceChildren(...(data.warned ?? []).map(([runs, sentence]) => make("li", {}, make("b", { text: runs }), `: ${sentence}`)));
    root.dataset.shown = data.runs.map((run) => run.id).join(",");
    if (!some) return;
    const few = data.runs.length <= FEW;
    parts.differing.classList.toggle("wide", !few);
    parts.curves.classList.toggle("wide", !few && !data.table);
    parts.board.className = "wide";
    parts.pictures.className = "wide";
    sections.append(...(few ? ["board", "differing", "curves", "means", "pictures"] : ["board", "curves", "means", "pictures", "differing"])
      .map((name) => parts[name]).filter((node, at) => sections.children[at] !== node));
    part("board", data.board, () => board.show(data.board));
    part("differing", [data.differing, data.runs], () => parts.differing.lastChild.replaceWith(differing(data)));
    part("curves", [data.curves, state.log, state.off], () => overlay.show(data.curves, { log: state.log === "1", off: list("off") }));
    part("means", data.table, () => parts.means.lastChild.replaceWith(means(data.table)));
    part("pictures", [data.pictures, data.runs, state.step, state.title], () => strips.show(data.pictures, data.runs, state));
  }

  function showStanding(sweep) {
    standing.classList.toggle("hidden", !sweep);
    if (!sweep) return;
    standing.replaceChildren(make("b", { text: sweep.name }), make("progress", { max: 1, value: sweep.share, "aria-label": "Progress of the sweep" }),
      make("span", { text: `${sweep.state}: ${sweep.words}` }), make("a", { href: "/sweeps", text: "All sweeps" }));
  }

  const back = () => { read(); ask(); };
  addEventListener("popstate", back);
  back();
  return {
    update() {},
    destroy() {
      asked += 1;
      clearTimeout(timer);
      overlay.stop();
      removeEventListener("popstate", back);
    },
  };
});

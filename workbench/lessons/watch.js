// Cards of runs as they train: state, progress, curve, and their pictures on a slider by step.
// Everything shown as text is set as text: the name of a run can do nothing.

function make(tag, name, parent) {
  const node = document.createElement(tag);
  node.className = name;
  parent.append(node);
  return node;
}

function makeCard(root) {
  const card = make("section", "rw-card", root);
  card.dataset.testid = "run-card";
  const head = make("div", "rw-head", card);
  const title = make("span", "rw-title", head);
  const state = make("span", "rw-state", head);
  const bar = make("div", "rw-bar", card);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  const filled = make("div", "", bar);
  const facts = make("div", "rw-facts", card);
  const alert = make("div", "rw-alert", card);
  const curve = make("img", "rw-curve", card);
  const strips = make("div", "rw-strips", card);
  const steps = make("input", "rw-steps", card);
  steps.type = "range";
  steps.min = "0";
  steps.setAttribute("aria-label", "step of the pictures");
  let shown = [];
  let follows = true;

  function picture() {
    const at = shown[Number(steps.value)];
    if (!at) return;
    steps.setAttribute("aria-valuetext", `step ${at.step}`);
    at.strips.forEach((strip, row) => {
      const holder = strips.children[row] || make("div", "rw-strip", strips);
      const word = holder.children[0] || make("span", "", holder);
      const image = holder.children[1] || make("img", "", holder);
      word.textContent = strip.title;
      image.alt = strip.title;
      image.src = strip.src;
    });
  }
  steps.addEventListener("input", () => {
    follows = Number(steps.value) === shown.length - 1;
    picture();
  });

  return {
    tell(news) {
      title.textContent = news.title;
      state.textContent = news.state;
      filled.style.width = `${100 * news.share}%`;
      bar.setAttribute("aria-valuenow", String(Math.round(100 * news.share)));
      bar.setAttribute("aria-label", news.title);
      facts.textContent = news.facts;
      alert.textContent = news.alert;
      alert.hidden = !news.alert;
      curve.hidden = !news.curve;
      curve.alt = news.told;
      if (news.curve) curve.src = news.curve;
    },
    show(frames) {
      shown = frames;
      steps.hidden = frames.length < 2;
      steps.max = String(Math.max(0, frames.length - 1));
      if (follows) steps.value = steps.max;
      picture();
    },
  };
}

export default {
  render({ model, el }) {
    const style = make("style", "", el);
    style.textContent = RUN_WATCH_CSS;
    const root = make("div", "rw", el);
    root.dataset.testid = "run-watch";
    const cards = model.get("cards").map(() => makeCard(root));
    const note = make("div", "rw-note", root);
    const tell = () => {
      model.get("cards").forEach((news, at) => cards[at].tell(news));
      note.textContent = model.get("note");
      note.hidden = !model.get("note");
    };
    const show = () => model.get("frames").forEach((frames, at) => cards[at].show(frames));
    model.on("change:cards change:note", tell);
    model.on("change:frames", show);
    tell();
    show();
    return () => {
      model.off("change:cards change:note", tell);
      model.off("change:frames", show);
    };
  },
};

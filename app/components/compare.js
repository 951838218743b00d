// Pictures of several models: side by side, their difference, blinking, and under a wipe.

const COMPARE_CSS = `
  .bar { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; margin-bottom: 10px; }
  fieldset { border: 0; margin: 0; padding: 0; display: flex; min-width: 0; }
  fieldset label { padding: 5px 11px; border: 1px solid var(--st-border-color); margin-left: -1px; cursor: pointer; white-space: nowrap; }
  fieldset label:first-of-type { border-radius: 8px 0 0 8px; margin-left: 0; }
  fieldset label:last-of-type { border-radius: 0 8px 8px 0; }
  fieldset label:has(:checked) { background: var(--st-primary-color); color: var(--st-background-color); border-color: var(--st-primary-color); }
  fieldset label:has(:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; z-index: 1; }
  fieldset input { position: absolute; opacity: 0; pointer-events: none; }
  .pair { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
  select, .press { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
    padding: 5px 9px; max-width: 12rem; }
  .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 165px), 1fr)); gap: 12px; }
  .apart { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 12px; }
  @container (max-width: 640px) { .apart { grid-template-columns: repeat(2, minmax(0, 1fr)); } .apart > :last-child { grid-column: 1 / -1; } .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
  .frame { container-type: inline-size; }
  figure { margin: 0; display: grid; gap: 4px; align-content: start; min-width: 0; }
  figcaption { font-size: 0.82rem; font-weight: 600; overflow-wrap: anywhere; }
  figcaption small { font-weight: 400; opacity: 0.75; display: block; }
  .stage { position: relative; width: 100%; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden; display: block;
    background: var(--st-secondary-background-color); border: 0; padding: 0; }
  .stage img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .lone { max-width: 560px; display: grid; gap: 8px; }
  .lone .stage { touch-action: pan-y; cursor: ew-resize; }
  .lone button.stage { cursor: pointer; }
  .tag { position: absolute; top: 8px; padding: 2px 9px; border-radius: 999px; font-size: 0.78rem; font-weight: 600; color: #fff;
    background: rgba(15, 20, 18, 0.78); max-width: 46%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .tag.left { left: 8px; } .tag.right { right: 8px; }
  .divider { position: absolute; top: 0; bottom: 0; width: 40px; margin-left: -20px; cursor: ew-resize; display: grid; place-items: center; }
  .divider::before { content: ""; position: absolute; top: 0; bottom: 0; left: 18.5px; width: 3px; background: #fff;
    box-shadow: 0 0 0 1px rgba(15, 20, 18, 0.55); }
  .divider span { position: relative; width: 30px; height: 30px; border-radius: 50%; background: #fff; color: #17211f; display: grid;
    place-items: center; font-weight: 700; box-shadow: 0 0 0 1px rgba(15, 20, 18, 0.55); }
  .divider:focus-visible { outline: 0; } .divider:focus-visible span { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
  table { border-collapse: collapse; font-size: 0.78rem; font-variant-numeric: tabular-nums; width: 100%; }
  th { text-align: left; font-weight: 400; opacity: 0.75; padding: 0; } td { text-align: right; padding: 0; font-weight: 600; }
  .best td { color: var(--st-primary-color); }
  .legend { display: grid; grid-template-columns: auto 1fr auto; gap: 8px; align-items: center; font-size: 0.75rem; background: none;
    border: 0; padding: 0; width: 100%; font-variant-numeric: tabular-nums; }
  .legend small { grid-column: 1 / -1; display: flex; justify-content: space-between; gap: 12px; text-align: left; overflow-wrap: anywhere; }
  .legend small span:last-child { text-align: right; }
  .legend i { height: 10px; border-radius: 5px; border: 1px solid var(--st-border-color); }
  .say { margin: 8px 0 0; font-size: 0.82rem; max-width: 75ch; overflow-wrap: anywhere; }
  .banner { margin: 0 0 8px; padding: 8px 12px; border-radius: 8px; border-left: 4px solid var(--st-orange-color, #c77700);
    background: var(--st-secondary-background-color); }
`;
const LOOKS = [["beside", "Side by side"], ["difference", "Difference"], ["blink", "Blink"], ["wipe", "Wipe"]];
const PICTURES = [["composite", "Paste-back"], ["reconstruction", "Whole prediction"]];
const SCALES = [["signed", "Signed"], ["absolute", "Absolute"]];
const PERIOD = 800; // milliseconds a picture stays: well under three flashes a second
let groups = 0;

function radios(label, choices, chosen) {
  groups += 1;
  const name = `compare-${groups}`;
  const inputs = choices.map(([value]) => make("input", { type: "radio", name, value, onchange: () => chosen(value) }));
  const node = make("fieldset", {}, make("legend", { class: "unseen", text: label }),
    ...choices.map(([, text], at) => make("label", {}, inputs[at], text)));
  return { node, set: (value) => inputs.forEach((input) => { input.checked = input.value === value; }) };
}

function paneImage(alt) {
  return make("img", { alt, draggable: "false" });
}

function show(image, source) {
  if (source && image.getAttribute("src") !== source) image.src = source;
}

class Wipe {
  constructor() {
    this.at = 50;
    this.below = paneImage("");
    this.above = paneImage("");
    this.tags = [make("span", { class: "tag left" }), make("span", { class: "tag right" })];
    this.handle = make("div", { class: "divider", role: "slider", tabindex: "0", "aria-label": "Divider", "aria-valuemin": "0",
      "aria-valuemax": "100", onkeydown: (event) => this.key(event) }, make("span", { text: "↔", "aria-hidden": "true" }));
    this.stage = make("div", { class: "stage", "data-wipe": "" }, this.below, this.above, ...this.tags, this.handle);
    this.stage.addEventListener("pointerdown", (event) => {
      this.stage.setPointerCapture(event.pointerId);
      this.point(event);
      this.handle.focus({ preventScroll: true });
      event.preventDefault();
    });
    this.stage.addEventListener("pointermove", (event) => this.stage.hasPointerCapture(event.pointerId) && this.point(event));
    this.node = make("div", { class: "lone" }, this.stage,
      make("p", { class: "say soft", text: "Drag the divider, or focus it and press the arrow keys, Home or End." }));
    this.move(50);
  }
  point(event) {
    const box = this.stage.getBoundingClientRect();
    this.move(((event.clientX - box.left) / box.width) * 100);
  }
  key(event) {
    const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.move(this.at + steps[event.key]);
  }
  move(at) {
    this.at = Math.min(100, Math.max(0, at));
    this.above.style.clipPath = `inset(0 0 0 ${this.at}%)`;
    this.handle.style.left = `${this.at}%`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.at)));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.at)}% of the width shows ${this.names?.[0] ?? "the first"}`);
  }
  update(pair) {
    this.names = pair.map((each) => each.name);
    [this.below, this.above].forEach((image, at) => {
      show(image, pair[at].src);
      image.alt = pair[at].name;
      setText(this.tags[at], pair[at].name);
    });
    this.move(this.at);
  }
}

class Blink {
  constructor() {
    this.second = false;
    this.images = [paneImage(""), paneImage("")];
    this.tag = make("span", { class: "tag left" });
    this.stage = make("button", { type: "button", class: "stage", "data-blink": "", onclick: () => { this.play(false); this.flip(); },
      onkeydown: (event) => ["ArrowLeft", "ArrowRight"].includes(event.key) && (this.play(false), this.flip()) }, ...this.images, this.tag);
    this.button = make("button", { type: "button", class: "press", onclick: () => this.play(!this.timer) });
    this.node = make("div", { class: "lone" }, this.stage, make("div", { class: "pair" }, this.button,
      make("span", { class: "soft", text: "Press the picture, space or an arrow key to change by hand." })));
    this.play(false);
  }
  open(on) {
    if (on === this.opened) return;
    this.opened = on;
    this.play(on && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  }
  play(on) {
    clearInterval(this.timer);
    this.timer = on ? setInterval(() => this.flip(), PERIOD) : 0;
    setText(this.button, on ? "Pause" : "Play");
    this.button.dataset.playing = String(on);
  }
  flip() {
    this.second = !this.second;
    this.draw();
  }
  update(pair) {
    this.pair = pair;
    this.images.forEach((image, at) => show(image, pair[at].src));
    this.draw();
  }
  draw() {
    const now = Number(this.second);
    this.images.forEach((image, at) => { image.style.visibility = at === now ? "visible" : "hidden"; });
    setText(this.tag, this.pair[now].name);
    this.stage.dataset.shown = this.pair[now].name;
    this.stage.setAttribute("aria-label", `${this.pair[now].name} is shown; press for ${this.pair[1 - now].name}`);
  }
}

class Difference {
  constructor(change) {
    this.image = paneImage("Difference of the two pictures");
    this.sides = [paneImage(""), paneImage("")];
    this.names = [make("figcaption"), make("figcaption")];
    this.scale = radios("Kind of difference", SCALES, (scale) => change({ scale }));
    this.ends = [make("span"), make("span")];
    this.sense = [make("span"), make("span")];
    this.bar = make("i");
    this.legend = make("button", { type: "button", class: "legend", onclick: () => change({ range: this.range === "own" ? "fixed" : "own" }) },
      this.ends[0], this.bar, this.ends[1], make("small", { class: "soft" }, ...this.sense));
    this.words = make("p", { class: "say", "data-difference": "" });
    this.problem = make("p", { class: "banner hidden", role: "alert" });
    const both = this.sides.map((image, at) => make("figure", {}, make("div", { class: "stage" }, image), this.names[at]));
    this.whole = make("div", { class: "apart" }, ...both,
      make("figure", {}, make("div", { class: "stage" }, this.image), this.legend));
    this.node = make("div", {}, make("div", { class: "bar" }, this.scale.node), this.problem, this.whole, this.words);
  }
  update(pair, found, choice) {
    this.range = choice.range;
    this.scale.set(choice.scale);
    pair.forEach((each, at) => { show(this.sides[at], each.src); this.sides[at].alt = each.name; setText(this.names[at], each.name); });
    setText(this.problem, found?.problem ?? "");
    this.problem.classList.toggle("hidden", !found?.problem);
    this.whole.classList.toggle("hidden", Boolean(found?.problem));
    this.words.classList.toggle("hidden", !found || Boolean(found.problem));
    if (!found || found.problem) return;
    show(this.image, found.picture);
    this.ends.forEach((node, at) => setText(node, found.ends[at]));
    this.sense.forEach((node, at) => setText(node, found.sense[at]));
    this.bar.style.background = `linear-gradient(to right, ${found.stops.join(", ")})`;
    this.legend.title = choice.range === "own" ? "Scale of this pair; press for the fixed one" : "Fixed scale; press for this pair's own";
    setText(this.words, found.words);
  }
}

function tile(caption, detail, source, extra) {
  const image = paneImage(caption);
  show(image, source);
  return make("figure", {}, make("div", { class: "stage" }, image),
    make("figcaption", { text: caption }, detail ? make("small", { text: detail }) : null), extra);
}

function card(model, kind) {
  if (model.problem) {
    return make("figure", { "data-model": model.name }, make("p", { class: "banner", role: "alert", text: model.problem }),
      make("figcaption", { text: model.name }));
  }
  const rows = model.numbers.map(([name, text]) => make("tr", {}, make("th", { text: name, scope: "row" }), make("td", { text })));
  const figure = tile(model.name, model.detail, model.pictures[kind], make("table", { class: model.best ? "best" : "" }, make("tbody", {}, ...rows)));
  figure.dataset.model = model.name;
  for (const note of model.notes) figure.append(make("small", { class: "soft", text: note }));
  return figure;
}

export default mounter((root, view) => {
  let data = null;
  let choice = null;
  const sender = new Sender((value) => view.host.setStateValue("choice", value));
  const change = (part) => {
    choice = { ...choice, ...part };
    draw();
    sender.push(choice);
  };
  const look = radios("How to compare", LOOKS, (value) => change({ look: value }));
  const kind = radios("Which picture", PICTURES, (value) => change({ picture: value }));
  const selects = ["first", "second"].map((label, at) => make("select", { "aria-label": `The ${label} model`,
    onchange: (event) => pick(at, event.target.value) }));
  const pairing = make("div", { class: "pair" }, selects[0], make("button", { type: "button", class: "press", text: "⇄", title: "Swap",
    "aria-label": "Swap the two models", onclick: () => change({ pair: [...choice.pair].reverse() }) }), selects[1]);
  const banner = make("p", { class: "banner hidden", role: "alert" });
  const tiles = make("div", { class: "tiles" });
  const apart = new Difference(change);
  const blink = new Blink();
  const wipe = new Wipe();
  const note = make("p", { class: "say soft", "data-note": "" });
  const stages = { beside: tiles, difference: apart.node, blink: blink.node, wipe: wipe.node };
  root.append(make("style", { text: SHARED_CSS + COMPARE_CSS }), make("div", { class: "frame" },
    make("div", { class: "bar" }, look.node, kind.node, pairing), banner, ...Object.values(stages), note));

  function pick(at, name) {
    const pair = [...choice.pair];
    if (pair[1 - at] === name) pair[1 - at] = pair[at];
    pair[at] = name;
    change({ pair });
  }

  function draw() {
    const usable = data.models.filter((model) => !model.problem);
    const enough = usable.length > 1;
    const now = enough ? choice.look : "beside";
    root.style.setProperty("--shape", data.shape);
    look.set(now);
    look.node.disabled = !enough;
    look.node.classList.toggle("soft", !enough);
    kind.set(choice.picture);
    pairing.classList.toggle("hidden", now === "beside");
    for (const [name, node] of Object.entries(stages)) node.classList.toggle("hidden", name !== now);
    blink.open(now === "blink");
    root.dataset.look = now;
    if (now === "beside") {
      tiles.replaceChildren(...data.given.map((each) => tile(each.caption, each.detail, each.src)),
        ...data.models.map((model) => card(model, choice.picture)));
      return;
    }
    const names = usable.map((model) => model.name);
    const wanted = choice.pair.every((name) => names.includes(name)) ? choice.pair : names.slice(0, 2);
    const pair = wanted.map((name) => ({ name, src: usable[names.indexOf(name)].pictures[choice.picture] }));
    selects.forEach((node, at) => {
      node.replaceChildren(...names.map((name) => make("option", { value: name, text: name })));
      node.value = wanted[at];
    });
    if (now === "wipe") wipe.update(pair);
    if (now === "blink") blink.update(pair);
    if (now === "difference") apart.update(pair, data.difference, choice);
  }

  return {
    update(next) {
      data = next;
      sender.heard(data.choice.seq);
      if (!choice || data.choice.seq >= sender.seq) choice = data.choice;
      setText(banner, data.problem ?? "");
      banner.classList.toggle("hidden", !data.problem);
      setText(note, data.note);
      draw();
      root.dataset.mark = data.mark;
    },
    destroy() {
      blink.play(false);
    },
  };
});

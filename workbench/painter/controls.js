// The painter's elements. Text reaches the page only as text nodes and attributes, never as markup.

const ICONS = {
  brush: [["M20 4 11.5 12.5"], ["M11 12.2c-3-.9-5 1-5.2 3.4-.1 1.7-1 2.7-2.6 3.2 4.4 1.5 9.6.4 9.7-3.6 0-1.3-.7-2.4-1.9-3Z", true]],
  eraser: [["M7.5 19.5 3.9 15.9a1.7 1.7 0 0 1 0-2.4l9.4-9.4a1.7 1.7 0 0 1 2.4 0l4.2 4.2a1.7 1.7 0 0 1 0 2.4l-8.8 8.8Z"], ["m8.6 8.8 6.6 6.6"], ["M7.5 19.5H20"]],
  "rectangle-hide": [["M4 6h16v12H4Z", true]],
  "rectangle-show": [["M4 10V6h4M11 6h3M17 6h3v4M20 13v1M20 15v3h-3M13 18h-3M7 18H4v-4"]],
  undo: [["M9 14 4 9l5-5"], ["M4 9h10.5a5.5 5.5 0 0 1 0 11H11"]],
  redo: [["m15 14 5-5-5-5"], ["M20 9H9.5a5.5 5.5 0 0 0 0 11H13"]],
  invert: [["M12 3.5a8.5 8.5 0 0 1 0 17 8.5 8.5 0 0 1 0-17Z"], ["M12 3.5a8.5 8.5 0 0 1 0 17Z", true]],
  clear: [["M5 7h14M10 7V4.5h4V7"], ["M7 7l.8 12.5h8.4L17 7"]],
};
const TOOLS = {
  brush: ["Brush", "Brush: hide patches (B, X swaps with the eraser)"],
  eraser: ["Eraser", "Eraser: show patches (E, X swaps with the brush)"],
  "rectangle-hide": ["Hide box", "Rectangle: hide patches (R, X swaps)"],
  "rectangle-show": ["Show box", "Rectangle: show patches (R twice, X swaps)"],
};
const ACTIONS = {
  undo: ["Undo", "Undo (Ctrl+Z)"],
  redo: ["Redo", "Redo (Ctrl+Shift+Z)"],
  invert: ["Invert", "Swap hidden and visible (I)"],
  clear: ["Clear", "Take back everything painted by hand"],
};
const KEYS = [
  ["B, E, R", "brush, eraser, rectangle"],
  ["X", "swap hide and show"],
  ["[ and ]", "smaller, larger brush"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["Arrows", "move the patch cursor"],
  ["Space", "hide or show the patch under it"],
  ["Shift+arrows", "paint along"],
  ["Escape", "give up the stroke"],
];

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true" })) drawing.setAttribute(key, value);
  for (const [d, filled] of ICONS[name]) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    if (filled) path.setAttribute("class", "pp-filled");
    drawing.append(path);
  }
  return drawing;
}

function button(name, [text, title], attributes = {}) {
  return make(
    "button",
    { type: "button", title, "aria-label": title, "data-testid": `painter-${name}`, class: "pp-button", ...attributes },
    icon(name),
    make("span", {}, text),
  );
}

function slider(name, text, range) {
  const input = make("input", { type: "range", "data-testid": `painter-${name}`, "aria-label": text, ...range });
  const value = make("output", {});
  return { input, value, row: make("label", { class: "pp-slider" }, make("span", {}, text), value, input) };
}

function swatches(onPick) {
  const buttons = Object.entries(OVERLAY_COLOURS).map(([name, [red, green, blue]]) => {
    const title = `Overlay colour: ${name}`;
    const node = make("button", {
      type: "button", class: "pp-swatch", title, "aria-label": title, "data-testid": `painter-colour-${name}`,
    });
    node.style.setProperty("--swatch", `rgb(${red},${green},${blue})`);
    node.addEventListener("click", () => onPick(name));
    return [name, node];
  });
  const group = make("div", { class: "pp-swatches", role: "group", "aria-label": "Overlay colour" });
  group.append(...buttons.map(([, node]) => node));
  return { group, buttons: Object.fromEntries(buttons) };
}

function legend() {
  const entry = (kind, text) => make("li", {}, make("i", { class: `pp-key pp-key-${kind}` }), text);
  return make("ul", { class: "pp-legend" }, entry("base", "strategy"), entry("hide", "hidden by hand"), entry("show", "shown by hand"));
}

function keyboardHelp() {
  const rows = KEYS.map(([keys, what]) => make("div", {}, make("dt", {}, keys), make("dd", {}, what)));
  return make("details", { class: "pp-help" }, make("summary", {}, "Keyboard"), make("dl", {}, ...rows));
}

function buildStage() {
  const canvas = make("canvas", {
    class: "pp-layer pp-mask", "data-testid": "patch-canvas", tabindex: "0", role: "application",
    "aria-roledescription": "patch painter",
  });
  const parts = {
    canvas,
    trail: make("canvas", { class: "pp-layer pp-trail", "aria-hidden": "true" }),
    picture: make("img", { class: "pp-layer pp-picture", alt: "", draggable: "false" }),
    cursor: make("div", { class: "pp-cursor", "data-testid": "painter-cursor", hidden: "" }),
    ring: make("div", { class: "pp-ring", hidden: "" }),
    notice: make("p", { class: "pp-notice", "data-testid": "painter-notice" }, "No picture yet."),
  };
  const { picture, trail, cursor, ring, notice } = parts;
  parts.stage = make("div", { class: "pp-stage" }, notice, picture, canvas, trail, cursor, ring);
  return parts;
}

function buildPainter(root) {
  const parts = buildStage();
  parts.tools = Object.fromEntries(Object.entries(TOOLS).map(([name, text]) => [name, button(name, text)]));
  parts.actions = Object.fromEntries(Object.entries(ACTIONS).map(([name, text]) => [name, button(name, text)]));
  parts.size = slider("size", "Brush size", { min: "0.02", max: "0.5", step: "0.005" });
  parts.threshold = slider("threshold", "Patch counts from", { min: "0", max: "1", step: "0.05" });
  parts.opacity = slider("opacity", "Overlay", { min: "0.3", max: "1", step: "0.05" });
  parts.opacity.input.setAttribute("aria-label", "Overlay opacity");
  parts.count = make("strong", { class: "pp-count", "data-testid": "painter-count" });
  parts.live = make("p", { class: "pp-live", role: "status", "aria-live": "polite", "data-testid": "painter-live" });
  parts.swatches = swatches((name) => parts.onColour(name));
  parts.threshold.row.title = "How much of a patch your strokes must cover before the patch counts as painted";
  const look = make("div", { class: "pp-look" }, parts.swatches.group, parts.opacity.row);
  const tools = make("div", { class: "pp-group", role: "group", "aria-label": "Tool" }, ...Object.values(parts.tools));
  const actions = make("div", { class: "pp-group" }, ...Object.values(parts.actions));
  parts.main = make(
    "div",
    { class: "pp-main" },
    make("div", { class: "pp-bar", role: "toolbar", "aria-label": "Painting" }, tools, actions),
    parts.stage,
    make("div", { class: "pp-foot" }, parts.count, legend()),
    make("div", { class: "pp-settings" }, parts.size.row, parts.threshold.row, look),
    keyboardHelp(),
    parts.live,
  );
  parts.work = make("div", { class: "pp-work" }, parts.main);
  const marks = { class: "pp", "data-testid": "patch-painter", "data-lm-suppress-shortcuts": "true" };
  parts.box = make("section", marks, make("style", {}, PAINTER_CSS), parts.work);
  root.append(parts.box);
  return parts;
}

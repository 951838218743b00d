// What the page's components share: making elements, mounting once, sending the newest value.

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SHARED_CSS = `
  :host, .wb { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.875rem; line-height: 1.4;
    color-scheme: light dark; }
  .wb, .wb * { box-sizing: border-box; }
  .wb button, .wb input, .wb select { font: inherit; color: inherit; }
  .wb button { cursor: pointer; }
  .wb :focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
  .wb .soft { opacity: 0.72; }
  .wb .hidden { display: none !important; }
  .wb .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .wb .problem { color: var(--st-red-text-color, #b3261e); }
  @media (prefers-reduced-motion: reduce) { .wb * { transition: none !important; animation: none !important; } }
`;

// Streamlit calls a component again on every rerun; the view behind it is made once.
function mounter(build) {
  const views = new WeakMap();
  return (host) => {
    let view = views.get(host.parentElement);
    if (!view) {
      const root = make("div", { class: "wb" });
      host.parentElement.append(root);
      view = { host, root };
      Object.assign(view, build(root, view));
      views.set(host.parentElement, view);
    }
    view.host = host;
    view.update(host.data);
    return () => {
      view.destroy?.();
      view.root.remove();
      views.delete(host.parentElement);
    };
  };
}

// One value on its way to the server and one waiting: a newer value replaces the waiting one.
class Sender {
  constructor(send) {
    Object.assign(this, { send, seq: 0, waiting: null, busy: false, timer: 0 });
  }
  push(value) {
    this.seq += 1;
    this.waiting = { ...value, seq: this.seq };
    this.flush();
  }
  heard(seq) {
    if (seq > this.seq) this.seq = seq;
    if (!this.busy || seq >= this.sent) this.release();
  }
  release() {
    clearTimeout(this.timer);
    this.busy = false;
    this.flush();
  }
  flush() {
    if (this.busy || this.waiting === null) return;
    const value = this.waiting;
    this.waiting = null;
    this.busy = true;
    this.sent = value.seq;
    this.timer = setTimeout(() => this.release(), 3000);
    this.send(value);
  }
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { readonly: true, style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copying is not allowed here");
  }
}

// From black over red to cream: rises in lightness, so it also reads without colour.
const RAMP = [[20, 11, 52], [87, 15, 109], [148, 38, 104], [207, 68, 70], [242, 117, 28], [251, 181, 26], [252, 255, 164]];

function heat(share) {
  const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[low].map((value, channel) => Math.round(value + (RAMP[low + 1][channel] - value) * (at - low)));
}

// A picture is replaced only when it differs and is decoded, so that nothing flickers.
function swap(image, source) {
  if (image.dataset.source === source) return Promise.resolve();
  image.dataset.source = source;
  if (!source) {
    image.classList.add("hidden");
    return Promise.resolve();
  }
  const next = new Image();
  next.src = source;
  const show = () => {
    if (image.dataset.source !== source) return;
    image.src = source;
    image.classList.remove("hidden");
  };
  return next.decode().then(show, show);
}

function picture(label, extra = "") {
  return make("img", { alt: label, class: `hidden ${extra}`, draggable: "false" });
}

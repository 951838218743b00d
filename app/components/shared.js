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

// The senders of this page's form by name: components are scripts of their own, so the window holds them.
const SENDERS = (globalThis.workbenchSenders ??= new Map());

// One value on its way to the server and one waiting: a newer value replaces the waiting one. What nobody
// answers, on a connection that broke or a server that is slow, is sent again, each time after a longer wait.
class Sender {
  constructor(send) {
    Object.assign(this, { send, seq: 0, sent: 0, waiting: null, last: null, busy: false, timer: 0, tries: 0 });
  }
  push(value) {
    this.seq += 1;
    this.waiting = { ...value, seq: this.seq };
    this.flush();
  }
  heard(seq) {
    if (seq > this.seq) this.seq = seq;
    if (seq >= this.sent) {
      this.last = null;
      this.tries = 0;
    }
    if (!this.busy || seq >= this.sent) this.release();
  }
  // Whether something was pushed that an answer to `seq` does not hold yet.
  ahead(seq) {
    return this.waiting !== null || this.sent > seq;
  }
  forget() {
    this.waiting = this.last = null;
  }
  unheard() {
    if (this.waiting === null && this.tries < 4) {
      this.waiting = this.last;
      this.tries += 1;
    }
    this.release();
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
    this.last = value;
    this.busy = true;
    this.sent = value.seq;
    this.timer = setTimeout(() => this.unheard(), 3000 * 2 ** this.tries);
    this.send(value);
  }
}

// Presses in the order in which they were made, each until the server has done it: one that a newer press would
// replace on a slow connection would be lost. While one that moves the others about is under way, more are not taken.
class Presses {
  constructor(send) {
    this.sender = new Sender(send);
    this.list = [];
  }
  push(what, moves) {
    if (this.list.some((each) => each.moves)) return false;
    this.list.push({ what, moves: Boolean(moves), turn: this.sender.seq + 1 });
    this.sender.push({ list: this.list.map(({ what: one, turn }) => ({ ...one, turn })) });
    return true;
  }
  heard(done) {
    this.list = this.list.filter((each) => each.turn > done);
    this.sender.heard(done);
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

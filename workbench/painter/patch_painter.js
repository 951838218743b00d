// A painter for patch masks: one canvas component for every host.
//
//   const painter = createPatchPainter(root, onCommit);
//   painter.update({image, grid: [rows, cols], base, hide, show, threshold, seq, label, disabled, strokes, hidden});
//   painter.destroy();
//
// image is a data URI of any resolution; base, hide, show and hidden are strings of 0 and 1, row by row, 1 = hidden
// (base: by the strategy; hide, show: by hand; hidden: the mask the server settled on for this seq, a lock included).
// The picture shows (base | hide) & ~show until `hidden` of the same seq arrives. onCommit({hide, show, strokes,
// threshold, seq}) comes after every finished change. An update with a lower seq than the last commit, or one that
// comes in the middle of a stroke, never touches what was painted; a server that wants to replace it sends a higher seq.

const TAP_SLOP = 4; // CSS pixels a pointer may move and still be a tap on one patch
const POINTS_KEPT = 8000; // older strokes are folded into plain patches beyond this
const MEMORY = { tool: "brush", size: null, colour: "ink", opacity: 0.8 }; // survives a re-mount in the same page

class PatchPainter {
  constructor(root, onCommit) {
    this.onCommit = onCommit;
    this.parts = buildPainter(root);
    this.overlay = new Overlay(this.parts.canvas, this.parts.trail);
    this.seq = 0;
    this.threshold = 0.5;
    this.strokes = [];
    this.undone = [];
    this.active = null;
    this.adjusting = false;
    this.settled = null;
    this.disabled = false;
    this.label = "picture";
    this.aspect = 1;
    this.source = null;
    this.place = { row: 0, col: 0 };
    this.dirty = new Set();
    this.frame = 0;
    this.stats = { frames: 0, patches: 0, worst: 0, total: 0 };
    this.setGrid(1, 1);
    this.ended = new AbortController();
    listenToPointer(this);
    listenToKeys(this);
    listenToControls(this);
    this.watcher = new ResizeObserver(() => this.refresh());
    this.watcher.observe(this.parts.stage);
    this.refresh();
  }

  destroy() {
    this.ended.abort();
    this.watcher.disconnect();
    cancelAnimationFrame(this.frame);
    this.source = null;
    this.parts.box.remove();
  }

  // ---- what the host says

  update(state) {
    if (!state || typeof state !== "object") return;
    if (typeof state.label === "string") this.label = state.label;
    if (state.disabled !== undefined) this.setDisabled(Boolean(state.disabled));
    const regridded = isGrid(state.grid) && this.takeGrid(state.grid);
    if (isBits(state.base, this.count)) this.base = Uint8Array.from(state.base, Number);
    const seq = Number.isInteger(state.seq) ? state.seq : 0;
    const busy = this.active || this.adjusting;
    const carried = regridded && this.strokes.length > 0 && seq <= this.seq;
    if (!busy && !carried && seq >= this.seq) this.adopt(state, seq);
    this.settled = !busy && seq === this.seq && isBits(state.hidden, this.count) ? Uint8Array.from(state.hidden, Number) : null;
    this.takeImage(state.image);
    this.refresh();
    if (carried && !busy) this.commitLater();
  }

  takeGrid([rows, cols]) {
    if (rows === this.rows && cols === this.cols) return false;
    this.setGrid(rows, cols);
    return true;
  }

  setGrid(rows, cols) {
    Object.assign(this, { rows, cols, count: rows * cols });
    this.map = new StrokeMap(rows, cols);
    this.base = new Uint8Array(this.count);
    this.hand = new Uint8Array(this.count);
    this.drawn = new Uint8Array(this.count).fill(255);
    this.place = { row: Math.min(this.place.row, rows - 1), col: Math.min(this.place.col, cols - 1) };
    if (!this.source) this.setAspect(cols / rows);
    this.replay();
  }

  // Takes over what the server holds, with its strokes where they still say the same as its bits.
  adopt(state, seq) {
    const threshold = Number.isFinite(state.threshold) ? Math.max(0, Math.min(1, state.threshold)) : this.threshold;
    const known = isBits(state.hide, this.count) && isBits(state.show, this.count);
    const { hide, show } = this.bits();
    const news = known && (state.hide !== hide || state.show !== show);
    if (threshold !== this.threshold) {
      this.threshold = threshold;
      this.judge(this.map.everything());
    }
    this.seq = seq;
    if (!news) return;
    this.undone = [];
    this.strokes = Array.isArray(state.strokes) && state.strokes.every(isStroke) ? [...state.strokes] : [];
    this.replay();
    const replayed = this.bits();
    if (replayed.hide === state.hide && replayed.show === state.show) return;
    const { rows, cols } = this;
    this.strokes = [{ tool: "bits", rows, cols, hide: state.hide, show: state.show, floor: true }];
    this.replay();
  }

  // A new picture replaces the old one only once it is decoded, so there is never a blank frame.
  takeImage(image) {
    if (typeof image !== "string" || image === this.source) return;
    if (!/^(data:image\/|blob:)/.test(image)) return;
    this.source = image;
    const next = this.parts.picture.cloneNode();
    next.src = image;
    next.decode().then(
      () => {
        if (this.source !== image) return;
        this.parts.picture.replaceWith(next);
        this.parts.picture = next;
        this.setAspect(next.naturalWidth / next.naturalHeight);
        this.notice("");
      },
      () => this.source === image && this.notice("This picture could not be shown. Choose another one."),
    );
  }

  setAspect(aspect) {
    this.aspect = Number.isFinite(aspect) && aspect > 0 ? rounded(aspect) : 1;
    this.parts.box.style.setProperty("--pp-aspect", String(this.aspect));
  }

  setDisabled(disabled) {
    this.disabled = disabled;
    this.parts.box.classList.toggle("pp-disabled", disabled);
  }

  notice(text) {
    this.parts.notice.textContent = text;
  }

  // ---- what was painted

  replay() {
    this.map.add({ tool: "clear" });
    for (const stroke of this.strokes) this.map.add(stroke);
    if (this.active) {
      this.active.saved = this.map.save();
      this.active.box = this.map.add(this.active.stroke);
    }
    this.judge(this.map.everything());
  }

  judge(box) {
    if (!box) return;
    for (let row = box.top; row <= box.bottom; row++) {
      for (let col = box.left; col <= box.right; col++) {
        const patch = row * this.cols + col;
        this.hand[patch] = this.map.verdict(patch, this.threshold);
      }
    }
  }

  isHidden(patch) {
    if (this.settled) return this.settled[patch] === 1;
    const hand = this.hand[patch];
    return hand === HIDE || (hand !== SHOW && this.base[patch] === 1);
  }

  hiddenCount() {
    let hidden = 0;
    for (let patch = 0; patch < this.count; patch++) hidden += this.isHidden(patch) ? 1 : 0;
    return hidden;
  }

  bits() {
    const of = (value) => Array.from(this.hand, (hand) => (hand === value ? "1" : "0")).join("");
    return { hide: of(HIDE), show: of(SHOW) };
  }

  // A stroke in the making: begun, grown or redrawn, then kept or dropped.
  begin(stroke, pointer = null) {
    this.settled = null;
    this.active = { stroke, pointer, saved: this.map.save(), box: null, fresh: 0 };
    this.redrawStroke();
  }

  growStroke() {
    const { active } = this;
    const box = this.map.add(active.stroke, active.fresh);
    active.box = joined(active.box, box);
    this.overlay.drawTrail(active.stroke, active.fresh);
    active.fresh = active.stroke.points.length / 2;
    this.judge(box);
    this.refresh();
  }

  redrawStroke() {
    const { active } = this;
    const before = active.box;
    this.map.restore(active.saved);
    this.overlay.clearTrail();
    this.overlay.drawTrail(active.stroke);
    active.box = this.map.add(active.stroke);
    active.fresh = active.stroke.points.length / 2;
    this.judge(joined(before, active.box));
    this.refresh();
  }

  keepStroke(message = "") {
    const { stroke } = this.active;
    this.active = null;
    this.overlay.clearTrail();
    this.push(stroke, message);
  }

  dropStroke() {
    const { saved, box } = this.active;
    this.active = null;
    this.map.restore(saved);
    this.overlay.clearTrail();
    this.judge(box);
    this.refresh();
    this.say("stroke given up");
  }

  // Adds a finished stroke that the map already holds.
  push(stroke, message) {
    this.strokes.push(stroke);
    this.undone = [];
    this.fold();
    this.commit(message);
  }

  apply(stroke, message = "") {
    this.settled = null;
    this.judge(this.map.add(stroke));
    this.push(stroke, message);
  }

  canUndo() {
    return this.strokes.length > 0 && !this.strokes.at(-1).floor;
  }

  undo() {
    if (!this.canUndo()) return;
    this.undone.push(this.strokes.pop());
    this.replay();
    this.commit("undone");
  }

  redo() {
    if (!this.undone.length) return;
    this.strokes.push(this.undone.pop());
    this.replay();
    this.commit("redone");
  }

  clear() {
    if (this.hand.some(Boolean) || this.canUndo()) this.apply({ tool: "clear" }, "cleared");
  }

  invert() {
    const hide = Array.from({ length: this.count }, (_, patch) => (this.isHidden(patch) ? "0" : "1")).join("");
    const show = Array.from(hide, (bit) => (bit === "1" ? "0" : "1")).join("");
    this.apply({ tool: "bits", rows: this.rows, cols: this.cols, hide, show }, "inverted");
  }

  // Keeps messages small: of a very long history the older half becomes plain patches, past undoing.
  fold() {
    const total = this.strokes.reduce((sum, stroke) => sum + (stroke.points?.length ?? 0) / 2, 0);
    if (total <= POINTS_KEPT || this.strokes.length < 2) return;
    const kept = this.strokes.splice(Math.ceil(this.strokes.length / 2));
    this.replay();
    this.strokes = [{ tool: "bits", rows: this.rows, cols: this.cols, ...this.bits(), floor: true }, ...kept];
    this.replay();
  }

  commit(message = "") {
    this.seq += 1;
    this.settled = null;
    this.refresh();
    this.say(message);
    this.onCommit({ ...this.bits(), strokes: [...this.strokes], threshold: this.threshold, seq: this.seq });
  }

  commitLater() {
    queueMicrotask(() => this.ended.signal.aborted || this.commit("painted again on the new grid"));
  }

  previewThreshold(threshold) {
    if (!this.adjusting) for (const stroke of this.strokes) this.overlay.drawTrail(stroke);
    this.adjusting = true;
    this.settled = null;
    this.threshold = threshold;
    this.judge(this.map.everything());
    this.refresh();
  }

  keepThreshold() {
    if (!this.adjusting) return;
    this.adjusting = false;
    this.overlay.clearTrail();
    this.commit(`a patch counts from ${Math.round(this.threshold * 100)} percent`);
  }

  // ---- what is seen and said

  say(message) {
    const total = `${this.hiddenCount()} of ${this.count} hidden`;
    this.parts.live.textContent = message ? `${message}; ${total}` : total;
  }

  placeText() {
    const { row, col } = this.place;
    const what = this.isHidden(row * this.cols + col) ? "hidden" : "visible";
    return `row ${row + 1}, column ${col + 1} ${what}`;
  }

  // Marks what differs from the screen and draws it, once, in the next frame.
  refresh() {
    for (let patch = 0; patch < this.count; patch++) {
      const code = (this.isHidden(patch) ? 1 : 0) | (this.hand[patch] << 1);
      if (code === this.drawn[patch]) continue;
      this.drawn[patch] = code;
      this.soil(patch);
    }
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  // A patch shares outlines with its neighbours, so they are drawn again with it.
  soil(patch) {
    const row = Math.floor(patch / this.cols);
    const col = patch % this.cols;
    for (let r = Math.max(0, row - 1); r <= Math.min(this.rows - 1, row + 1); r++) {
      for (let c = Math.max(0, col - 1); c <= Math.min(this.cols - 1, col + 1); c++) this.dirty.add(r * this.cols + c);
    }
  }

  paint() {
    const started = performance.now();
    this.frame = 0;
    if (this.overlay.resize(this.rows, this.cols) || this.allDirty) {
      for (let patch = 0; patch < this.count; patch++) this.dirty.add(patch);
      if (this.active) this.overlay.drawTrail(this.active.stroke);
    }
    this.allDirty = false;
    this.overlay.draw(this.dirty, this.drawn, MEMORY);
    this.stats.patches = this.dirty.size;
    this.dirty.clear();
    showControls(this);
    const took = performance.now() - started;
    this.stats.frames += 1;
    this.stats.total += took;
    this.stats.worst = Math.max(this.stats.worst, took);
  }

  snapshot() {
    const hidden = Array.from({ length: this.count }, (_, patch) => (this.isHidden(patch) ? "1" : "0")).join("");
    const { seq, threshold, rows, cols, stats, place } = this;
    return { ...this.bits(), hidden, seq, threshold, grid: [rows, cols], strokes: [...this.strokes], place, stats: { ...stats } };
  }
}

function createPatchPainter(root, onCommit) {
  const painter = new PatchPainter(root, onCommit);
  return {
    work: painter.parts.work,
    update: (state) => painter.update(state),
    destroy: () => painter.destroy(),
    snapshot: () => painter.snapshot(),
  };
}

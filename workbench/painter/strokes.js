// Strokes and the patches they cover.
//
// A stroke stays as the user drew it: points relative to the picture (x right, y down, both 0 to 1), so it
// survives another grid, another size of window and another threshold. It becomes patches only here: every
// patch holds fine x fine samples, a later stroke overwrites an earlier one sample by sample, and a patch
// counts as painted once at least `threshold` of its samples are.
//
//   {tool: "brush", value: "hide" | "show", size, aspect, points: [x, y, ...], tap?: true}
//   {tool: "rectangle", value, points: [x0, y0, x1, y1, ...]}           one or several rectangles
//   {tool: "bits", rows, cols, hide: "01...", show: "01...", floor?: true}    replaces all that lies below
//   {tool: "clear"}
//
// size is the brush's diameter as a share of the picture's shorter side; aspect is width / height.

const HIDE = 1;
const SHOW = 2;
const LONGEST_STROKE = 40000;

class StrokeMap {
  constructor(rows, cols) {
    this.rows = rows;
    this.cols = cols;
    this.fine = Math.max(4, Math.min(16, Math.round(512 / Math.max(rows, cols))));
    this.width = cols * this.fine;
    this.height = rows * this.fine;
    this.samples = new Uint8Array(this.width * this.height);
    this.latest = new Uint8Array(rows * cols);
  }

  save() {
    return { samples: this.samples.slice(), latest: this.latest.slice() };
  }

  restore(saved) {
    this.samples.set(saved.samples);
    this.latest.set(saved.latest);
  }

  // Draws a stroke from its point number `from` on; returns the box of patches touched.
  add(stroke, from = 0) {
    if (stroke.tool === "brush") return this.addBrush(stroke, from);
    if (stroke.tool === "rectangle") return this.addRectangles(stroke.points, valueOf(stroke));
    if (stroke.tool === "bits") this.addBits(stroke);
    if (stroke.tool === "clear") {
      this.samples.fill(0);
      this.latest.fill(0);
    }
    return this.everything();
  }

  everything() {
    return { top: 0, left: 0, bottom: this.rows - 1, right: this.cols - 1 };
  }

  addBrush(stroke, from) {
    const { points } = stroke;
    let box = null;
    for (let k = Math.max(0, from - 1); k * 2 < points.length; k++) {
      const next = Math.min(k + 1, points.length / 2 - 1);
      if (next === k && k > 0) break;
      box = joined(box, this.addCapsule(stroke, points[2 * k], points[2 * k + 1], points[2 * next], points[2 * next + 1]));
    }
    if (stroke.tap) {
      const row = Math.min(this.rows - 1, Math.floor(points[1] * this.rows));
      const col = Math.min(this.cols - 1, Math.floor(points[0] * this.cols));
      box = joined(box, this.addRectangles(patchRectangle(row, col, this.rows, this.cols), valueOf(stroke)));
    }
    return box;
  }

  // All samples within the brush's radius of the segment; lengths are in picture widths.
  addCapsule(stroke, x0, y0, x1, y1) {
    const value = valueOf(stroke);
    const tall = 1 / stroke.aspect;
    const radius = (stroke.size * Math.min(1, tall)) / 2;
    const stepX = 1 / this.width;
    const stepY = tall / this.height;
    const ay = y0 * tall;
    const by = y1 * tall;
    const [left, right] = span(Math.min(x0, x1) - radius, Math.max(x0, x1) + radius, stepX, this.width);
    const [top, bottom] = span(Math.min(ay, by) - radius, Math.max(ay, by) + radius, stepY, this.height);
    const dx = x1 - x0;
    const dy = by - ay;
    const length2 = dx * dx + dy * dy;
    const reach2 = radius * radius * (1 + 1e-9);
    for (let j = top; j <= bottom; j++) {
      const py = (j + 0.5) * stepY - ay;
      for (let i = left; i <= right; i++) {
        const px = (i + 0.5) * stepX - x0;
        const along = length2 ? Math.max(0, Math.min(1, (px * dx + py * dy) / length2)) : 0;
        const ex = px - along * dx;
        const ey = py - along * dy;
        if (ex * ex + ey * ey <= reach2) this.mark(i, j, value);
      }
    }
    return this.patchBox(left, top, right, bottom);
  }

  addRectangles(points, value) {
    let box = null;
    for (let k = 0; k + 3 < points.length; k += 4) {
      const [x0, x1] = [points[k], points[k + 2]].sort((a, b) => a - b);
      const [y0, y1] = [points[k + 1], points[k + 3]].sort((a, b) => a - b);
      const left = Math.max(0, Math.ceil(x0 * this.width - 0.5));
      const right = Math.min(this.width, Math.ceil(x1 * this.width - 0.5)) - 1;
      const top = Math.max(0, Math.ceil(y0 * this.height - 0.5));
      const bottom = Math.min(this.height, Math.ceil(y1 * this.height - 0.5)) - 1;
      for (let j = top; j <= bottom; j++) {
        for (let i = left; i <= right; i++) this.mark(i, j, value);
      }
      box = joined(box, this.patchBox(left, top, right, bottom));
    }
    return box;
  }

  addBits(stroke) {
    this.latest.fill(0);
    for (let j = 0; j < this.height; j++) {
      const row = Math.floor(((j + 0.5) / this.height) * stroke.rows);
      for (let i = 0; i < this.width; i++) {
        const at = row * stroke.cols + Math.floor(((i + 0.5) / this.width) * stroke.cols);
        const value = stroke.hide[at] === "1" ? HIDE : stroke.show[at] === "1" ? SHOW : 0;
        this.samples[j * this.width + i] = value;
        if (value) this.latest[this.patchOf(i, j)] = value;
      }
    }
  }

  mark(i, j, value) {
    this.samples[j * this.width + i] = value;
    this.latest[this.patchOf(i, j)] = value;
  }

  patchOf(i, j) {
    return Math.floor(j / this.fine) * this.cols + Math.floor(i / this.fine);
  }

  patchBox(left, top, right, bottom) {
    if (left > right || top > bottom) return null;
    const patch = (at) => Math.floor(at / this.fine);
    return { top: patch(top), left: patch(left), bottom: patch(bottom), right: patch(right) };
  }

  // 0, HIDE or SHOW. Where a low threshold lets both reach it, the later stroke on the patch wins.
  verdict(patch, threshold) {
    const { fine, width, samples } = this;
    const start = Math.floor(patch / this.cols) * fine * width + (patch % this.cols) * fine;
    const counts = [0, 0, 0];
    for (let j = 0; j < fine; j++) {
      for (let i = 0; i < fine; i++) counts[samples[start + j * width + i]]++;
    }
    const needed = Math.max(1, Math.ceil(threshold * fine * fine - 1e-9));
    const latest = this.latest[patch];
    if (latest && counts[latest] >= needed) return latest;
    return counts[HIDE] >= needed ? HIDE : counts[SHOW] >= needed ? SHOW : 0;
  }
}

function valueOf(stroke) {
  return stroke.value === "show" ? SHOW : HIDE;
}

function span(low, high, step, count) {
  return [Math.max(0, Math.floor(low / step)), Math.min(count - 1, Math.floor(high / step))];
}

function joined(a, b) {
  if (!a || !b) return a || b;
  return {
    top: Math.min(a.top, b.top),
    left: Math.min(a.left, b.left),
    bottom: Math.max(a.bottom, b.bottom),
    right: Math.max(a.right, b.right),
  };
}

function patchRectangle(row, col, rows, cols) {
  return [col / cols, row / rows, (col + 1) / cols, (row + 1) / rows].map(rounded);
}

function rounded(value) {
  return Math.round(value * 1e5) / 1e5;
}

function isBits(text, count) {
  return typeof text === "string" && text.length === count && /^[01]*$/.test(text);
}

// Strokes come back from a server or a saved view, so they are checked like any input.
function isStroke(stroke) {
  if (!stroke || typeof stroke !== "object") return false;
  if (stroke.tool === "clear") return true;
  if (stroke.tool === "bits") {
    const count = stroke.rows * stroke.cols;
    return isGrid([stroke.rows, stroke.cols]) && isBits(stroke.hide, count) && isBits(stroke.show, count);
  }
  const { points, value } = stroke;
  if (value !== "hide" && value !== "show") return false;
  if (!Array.isArray(points) || points.length < 2 || points.length > LONGEST_STROKE) return false;
  if (!points.every((at) => Number.isFinite(at) && Math.abs(at) <= 2)) return false;
  if (stroke.tool === "rectangle") return points.length % 4 === 0;
  if (stroke.tool !== "brush" || points.length % 2) return false;
  return stroke.size > 0 && stroke.size <= 2 && stroke.aspect > 0.001 && stroke.aspect < 1000;
}

function isGrid(grid) {
  return Array.isArray(grid) && grid.length === 2 && grid.every((n) => Number.isInteger(n) && n >= 1 && n <= 512);
}

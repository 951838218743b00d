// Two sharp canvas layers over the picture: the mask, patch by patch, and the trail of a stroke in the making.

const OVERLAY_COLOURS = {
  ink: [16, 19, 26],
  paper: [247, 244, 238],
  rose: [214, 36, 97],
  blue: [31, 94, 214],
};
// Orange and light blue stay apart for colour-blind eyes; solid and dashed stay apart for all.
const HAND_COLOURS = { [HIDE]: "#ffb020", [SHOW]: "#4cc9ff" };

class Overlay {
  constructor(mask, trail) {
    this.mask = mask;
    this.trail = trail;
    this.ink = mask.getContext("2d");
    this.trailInk = trail.getContext("2d");
    this.rows = this.cols = 1;
    this.xs = this.ys = [0, 1];
  }

  // Fits both layers to the screen's own pixels; returns whether all must be drawn again.
  resize(rows, cols) {
    const density = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.mask.clientWidth * density));
    const height = Math.max(1, Math.round(this.mask.clientHeight * density));
    const same = width === this.mask.width && height === this.mask.height && rows === this.rows && cols === this.cols;
    if (same) return false;
    for (const canvas of [this.mask, this.trail]) Object.assign(canvas, { width, height });
    Object.assign(this, { rows, cols, density });
    this.xs = Array.from({ length: cols + 1 }, (_, i) => Math.round((i * width) / cols));
    this.ys = Array.from({ length: rows + 1 }, (_, i) => Math.round((i * height) / rows));
    return true;
  }

  // codes[patch]: bit 0 = hidden, the rest = 0, HIDE or SHOW by hand.
  draw(patches, codes, look) {
    const [red, green, blue] = OVERLAY_COLOURS[look.colour];
    const fill = `rgba(${red},${green},${blue},${look.opacity})`;
    for (const patch of patches) this.drawPatch(patch, codes, fill);
  }

  drawPatch(patch, codes, fill) {
    const { ink, xs, ys, cols } = this;
    const row = Math.floor(patch / cols);
    const col = patch % cols;
    const [x, y] = [xs[col], ys[row]];
    const [w, h] = [xs[col + 1] - x, ys[row + 1] - y];
    ink.clearRect(x, y, w, h);
    if (codes[patch] & 1) {
      ink.fillStyle = fill;
      ink.fillRect(x, y, w, h);
    }
    ink.fillStyle = "rgba(255,255,255,0.30)";
    if (col) ink.fillRect(x, y, 1, h);
    if (row) ink.fillRect(x, y, w, 1);
    const hand = codes[patch] >> 1;
    if (hand) this.drawEdges(row, col, codes, hand);
  }

  // The outline of a hand-painted region: an edge wherever the neighbour is not painted alike.
  drawEdges(row, col, codes, hand) {
    const { xs, ys, rows, cols } = this;
    const [x0, y0, x1, y1] = [xs[col], ys[row], xs[col + 1], ys[row + 1]];
    const thick = Math.max(1, Math.min(Math.round(2 * this.density), Math.floor((x1 - x0) / 5)));
    const other = (r, c) => r < 0 || c < 0 || r >= rows || c >= cols || codes[r * cols + c] >> 1 !== hand;
    const dash = hand === SHOW ? 2.5 * thick : 0;
    if (other(row - 1, col)) this.drawEdge(x0, y0, x1 - x0, thick, dash, hand);
    if (other(row + 1, col)) this.drawEdge(x0, y1 - thick, x1 - x0, thick, dash, hand);
    if (other(row, col - 1)) this.drawEdge(x0, y0, thick, y1 - y0, dash, hand);
    if (other(row, col + 1)) this.drawEdge(x1 - thick, y0, thick, y1 - y0, dash, hand);
    for (const [down, right] of [[-1, -1], [-1, 1], [1, -1], [1, 1]]) {
      const inner = !other(row + down, col) && !other(row, col + right) && other(row + down, col + right);
      if (inner) this.drawEdge(right > 0 ? x1 - thick : x0, down > 0 ? y1 - thick : y0, thick, thick, 0, hand);
    }
  }

  drawEdge(x, y, w, h, dash, hand) {
    const { ink } = this;
    ink.fillStyle = dash ? "rgba(0,0,0,0.55)" : HAND_COLOURS[hand];
    ink.fillRect(x, y, w, h);
    if (!dash) return;
    ink.fillStyle = HAND_COLOURS[hand];
    const length = Math.max(w, h);
    const pieces = Math.max(1, Math.round(length / (2 * dash)));
    const piece = length / (2 * pieces);
    for (let k = 0; k < pieces; k++) {
      const start = (2 * k + 0.5) * piece;
      if (w > h) ink.fillRect(x + start, y, piece, h);
      else ink.fillRect(x, y + start, w, piece);
    }
  }

  drawTrail(stroke, from = 0) {
    const ink = this.trailInk;
    const { width, height } = this.trail;
    ink.strokeStyle = ink.fillStyle = HAND_COLOURS[valueOf(stroke)];
    const { points } = stroke;
    if (stroke.tool === "rectangle") {
      for (let k = 0; k < points.length; k += 4) {
        const [x, y] = [points[k] * width, points[k + 1] * height];
        ink.fillRect(x, y, points[k + 2] * width - x, points[k + 3] * height - y);
      }
    }
    if (stroke.tool !== "brush") return;
    ink.lineCap = ink.lineJoin = "round";
    ink.lineWidth = stroke.size * Math.min(width, height);
    ink.beginPath();
    const start = Math.max(0, from - 1) * 2;
    ink.moveTo(points[start] * width, points[start + 1] * height);
    for (let k = start; k < points.length; k += 2) ink.lineTo(points[k] * width, points[k + 1] * height);
    ink.stroke();
  }

  clearTrail() {
    this.trailInk.clearRect(0, 0, this.trail.width, this.trail.height);
  }
}

// What pointer, keyboard and controls do to a PatchPainter, and what the controls show of it.

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const SWAPPED = { brush: "eraser", eraser: "brush", "rectangle-hide": "rectangle-show", "rectangle-show": "rectangle-hide" };
const PEN_ERASER = 5;

function toolValue() {
  return MEMORY.tool === "eraser" || MEMORY.tool === "rectangle-show" ? "show" : "hide";
}

function brushSize(painter) {
  return MEMORY.size ?? 1 / Math.min(painter.rows, painter.cols);
}

function pointAt(painter, event) {
  const box = painter.parts.canvas.getBoundingClientRect();
  const within = (value) => rounded(Math.max(-1, Math.min(2, value)));
  return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
}

// ---- pointer: mouse, touch and pen alike

function listenToPointer(painter) {
  const { canvas } = painter.parts;
  const { signal } = painter.ended;
  const on = (name, act) => canvas.addEventListener(name, (event) => act(painter, event), { signal });
  on("pointerdown", startStroke);
  on("pointermove", moveStroke);
  on("pointerup", endStroke);
  on("pointercancel", endStroke);
  on("lostpointercapture", endStroke);
  on("pointerleave", () => (painter.parts.ring.hidden = true));
}

function startStroke(painter, event) {
  const busy = painter.disabled || painter.active || painter.adjusting;
  if (busy || !event.isPrimary || ![0, PEN_ERASER].includes(event.button)) return;
  event.preventDefault();
  const { canvas, cursor } = painter.parts;
  canvas.focus({ preventScroll: true });
  cursor.hidden = true;
  try {
    canvas.setPointerCapture(event.pointerId);
  } catch {
    // A pointer that is gone already cannot be captured; its stroke ends with the next event.
  }
  const value = event.button === PEN_ERASER ? "show" : toolValue();
  const [x, y] = pointAt(painter, event);
  painter.place = {
    row: Math.max(0, Math.min(painter.rows - 1, Math.floor(y * painter.rows))),
    col: Math.max(0, Math.min(painter.cols - 1, Math.floor(x * painter.cols))),
  };
  const stroke = MEMORY.tool.startsWith("rectangle")
    ? { tool: "rectangle", value, points: herePatch(painter) }
    : { tool: "brush", value, size: brushSize(painter), aspect: painter.aspect, points: [x, y], tap: true };
  painter.begin(stroke, { id: event.pointerId, x: event.clientX, y: event.clientY, from: [x, y], tap: true });
}

function herePatch({ place, rows, cols }) {
  return patchRectangle(place.row, place.col, rows, cols);
}

function moveStroke(painter, event) {
  showRing(painter, event);
  const pointer = painter.active?.pointer;
  if (!pointer || pointer.id !== event.pointerId) return;
  const left = pointer.tap && Math.hypot(event.clientX - pointer.x, event.clientY - pointer.y) > TAP_SLOP;
  if (pointer.tap && !left) return;
  pointer.tap = false;
  const { stroke } = painter.active;
  if (stroke.tool === "rectangle") {
    const inside = (at) => Math.max(0, Math.min(1, at));
    stroke.points = [...pointer.from, ...pointAt(painter, event)].map(inside);
    painter.redrawStroke();
    return;
  }
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) addPoint(painter, stroke, pointAt(painter, each), false);
  if (left) {
    delete stroke.tap;
    painter.redrawStroke();
  } else painter.growStroke();
}

// A quarter of the brush apart is as good as all points, for a capsule joins any two of them.
function addPoint(painter, stroke, [x, y], last) {
  const { points } = stroke;
  const [dx, dy] = [x - points.at(-2), (y - points.at(-1)) / stroke.aspect];
  const apart = (stroke.size * Math.min(1, 1 / stroke.aspect)) / 4;
  if ((dx || dy) && (last || Math.hypot(dx, dy) >= apart) && points.length < LONGEST_STROKE) points.push(x, y);
}

function endStroke(painter, event) {
  const pointer = painter.active?.pointer;
  if (!pointer || pointer.id !== event.pointerId) return;
  const { stroke } = painter.active;
  if (event.type === "pointerup" && stroke.tool === "brush" && !pointer.tap) {
    addPoint(painter, stroke, pointAt(painter, event), true);
    painter.growStroke();
  }
  painter.keepStroke();
}

function showRing(painter, event) {
  const { ring, canvas } = painter.parts;
  ring.hidden = painter.disabled || event.pointerType === "touch" || MEMORY.tool.startsWith("rectangle");
  if (ring.hidden) return;
  const [x, y] = pointAt(painter, event);
  const side = brushSize(painter) * Math.min(canvas.clientWidth, canvas.clientHeight);
  ring.style.width = ring.style.height = `${side}px`;
  ring.style.transform = `translate(${x * canvas.clientWidth - side / 2}px, ${y * canvas.clientHeight - side / 2}px)`;
}

// ---- keyboard

function listenToKeys(painter) {
  const { box, canvas, cursor } = painter.parts;
  const { signal } = painter.ended;
  box.addEventListener("keydown", (event) => onKeyDown(painter, event), { signal });
  const finish = () => painter.active && !painter.active.pointer && painter.keepStroke(painter.placeText());
  box.addEventListener("keyup", (event) => event.key === "Shift" && finish(), { signal });
  canvas.addEventListener("blur", () => {
    finish();
    cursor.hidden = true;
  }, { signal });
}

// The host's own one-letter shortcuts (cut a cell, run the page again) must not hear the painter's keys.
function onKeyDown(painter, event) {
  const command = event.ctrlKey || event.metaKey;
  const handled = !painter.disabled && (command ? onCommand(painter, event) : !event.altKey && onPlainKey(painter, event));
  if (handled) event.preventDefault();
  if (handled || (!command && !event.altKey && event.key.length === 1)) event.stopPropagation();
}

function onCommand(painter, event) {
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return false;
  if (painter.active) return true;
  if (key === "y" || event.shiftKey) painter.redo();
  else painter.undo();
  return true;
}

function onPlainKey(painter, event) {
  const onCanvas = event.composedPath()[0] === painter.parts.canvas;
  if (onCanvas && ARROWS[event.key]) return moveCursor(painter, ARROWS[event.key], event.shiftKey);
  if (onCanvas && (event.key === "Home" || event.key === "End")) {
    return moveCursor(painter, [0, event.key === "End" ? painter.cols : -painter.cols], false);
  }
  if (onCanvas && event.key === " ") return togglePatch(painter);
  if (event.key === "Escape" && painter.active) {
    painter.dropStroke();
    return true;
  }
  return onLetter(painter, event.key.toLowerCase());
}

function onLetter(painter, key) {
  const acts = {
    b: () => chooseTool(painter, "brush"),
    e: () => chooseTool(painter, "eraser"),
    r: () => chooseTool(painter, MEMORY.tool === "rectangle-hide" ? "rectangle-show" : "rectangle-hide"),
    x: () => chooseTool(painter, SWAPPED[MEMORY.tool]),
    i: () => painter.active || painter.invert(),
    "[": () => chooseSize(painter, brushSize(painter) / 1.25),
    "]": () => chooseSize(painter, brushSize(painter) * 1.25),
  };
  if (!acts[key]) return false;
  acts[key]();
  return true;
}

function moveCursor(painter, [down, right], paint) {
  const { place, rows, cols, active } = painter;
  if (active?.pointer) return true;
  if (paint && !active) painter.begin({ tool: "rectangle", value: toolValue(), points: herePatch(painter) });
  if (!paint && active) painter.keepStroke();
  place.row = Math.max(0, Math.min(rows - 1, place.row + down));
  place.col = Math.max(0, Math.min(cols - 1, place.col + right));
  if (paint) {
    painter.active.stroke.points.push(...herePatch(painter));
    painter.redrawStroke();
  }
  painter.parts.cursor.hidden = false;
  painter.say(painter.placeText());
  painter.refresh();
  return true;
}

function togglePatch(painter) {
  if (painter.active) return true;
  const { place, cols } = painter;
  const value = painter.isHidden(place.row * cols + place.col) ? "show" : "hide";
  painter.parts.cursor.hidden = false;
  painter.begin({ tool: "rectangle", value, points: herePatch(painter) });
  painter.keepStroke(painter.placeText());
  return true;
}

// ---- controls

function listenToControls(painter) {
  const { tools, actions, size, threshold, opacity } = painter.parts;
  const { signal } = painter.ended;
  const on = (node, name, act) => node.addEventListener(name, act, { signal });
  for (const [name, node] of Object.entries(tools)) on(node, "click", () => chooseTool(painter, name));
  for (const [name, node] of Object.entries(actions)) on(node, "click", () => painter.active || painter[name]());
  on(size.input, "input", () => chooseSize(painter, Number(size.input.value)));
  on(threshold.input, "input", () => painter.active || painter.previewThreshold(Number(threshold.input.value)));
  for (const name of ["change", "pointerup", "blur"]) on(threshold.input, name, () => painter.keepThreshold());
  on(opacity.input, "input", () => chooseLook(painter, { opacity: Number(opacity.input.value) }));
  painter.parts.onColour = (colour) => chooseLook(painter, { colour });
}

function chooseTool(painter, tool) {
  MEMORY.tool = tool;
  painter.refresh();
}

function chooseSize(painter, size) {
  MEMORY.size = rounded(Math.max(0.02, Math.min(0.5, size)));
  const { ring, canvas } = painter.parts;
  const [before, side] = [parseFloat(ring.style.width) || 0, MEMORY.size * Math.min(canvas.clientWidth, canvas.clientHeight)];
  ring.style.width = ring.style.height = `${side}px`;
  ring.style.transform += ` translate(${(before - side) / 2}px, ${(before - side) / 2}px)`;
  painter.refresh();
}

function chooseLook(painter, look) {
  Object.assign(MEMORY, look);
  painter.allDirty = true;
  painter.refresh();
}

function showControls(painter) {
  const { tools, actions, size, threshold, opacity, swatches: looks, canvas, count, cursor, box } = painter.parts;
  const { rows, cols, place, disabled } = painter;
  for (const [name, node] of Object.entries(tools)) press(node, name === MEMORY.tool, disabled);
  for (const [name, node] of Object.entries(looks.buttons)) press(node, name === MEMORY.colour, false);
  actions.undo.disabled = disabled || !painter.canUndo();
  actions.redo.disabled = disabled || !painter.undone.length;
  actions.clear.disabled = disabled || !(painter.hand.some(Boolean) || painter.canUndo());
  actions.invert.disabled = disabled;
  showSlider(size, brushSize(painter), `${(brushSize(painter) * Math.min(rows, cols)).toFixed(1)} patches`, disabled);
  showSlider(threshold, painter.threshold, painter.threshold ? `${Math.round(painter.threshold * 100)}%` : "any touch", disabled);
  showSlider(opacity, MEMORY.opacity, `${Math.round(MEMORY.opacity * 100)}%`, false);
  box.style.setProperty("--pp-overlay", `rgb(${OVERLAY_COLOURS[MEMORY.colour]})`);
  const hidden = painter.hiddenCount();
  write(count, `${hidden} of ${painter.count} patches hidden (${((100 * hidden) / painter.count).toFixed(1)}%)`);
  canvas.setAttribute(
    "aria-label",
    `${painter.label}, ${rows} rows and ${cols} columns of patches. Arrows move, space hides or shows, shift with arrows paints.`,
  );
  Object.assign(cursor.style, {
    left: `${(100 * place.col) / cols}%`, top: `${(100 * place.row) / rows}%`, width: `${100 / cols}%`, height: `${100 / rows}%`,
  });
}

function press(node, pressed, disabled) {
  node.setAttribute("aria-pressed", String(pressed));
  node.disabled = disabled;
}

function showSlider({ input, value }, now, text, disabled) {
  if (Number(input.value) !== now) input.value = String(now);
  input.style.setProperty("--at", String((input.value - input.min) / (input.max - input.min)));
  input.setAttribute("aria-valuetext", text);
  input.disabled = disabled;
  write(value, text);
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

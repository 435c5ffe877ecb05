// Painting on a mask, or on weights: strokes, whole rows and columns. What is painted is drawn at once over the heatmap;
// Python gets the whole grid at the end of a stroke, not the stroke: so none is lost if the next one ends before Python
// answers. Beside it go the grids of strokes that Python has not answered yet: each is a step that can be undone.
// On weights the grid comes beside the picture, and a forbidden cell takes no paint.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = { strokes: 16, letters: 50_000 }; // of unanswered strokes that go with a message (received.py: MOST_STROKES)
const GREY = "rgb(128,132,142)"; // as in attention_viz/colors.py

export class Painter {
  constructor(view) {
    this.view = view;
    this.serial = 0; // of the last mask sent; an answer to an earlier one is old
    this.unanswered = []; // strokes that were sent, and that no picture has shown yet
    this.fresh = new Map();
    this.presses = []; // of undo and redo, each waiting until Python has seen what came before it
    this.step = (event) => this.goBack(event);
    window.addEventListener("keydown", this.step);
  }

  // Take the mask that Python has, unless strokes are on their way that it has not seen.
  adopt(payload) {
    this.unanswered = this.unanswered.filter(({ serial }) => serial > payload.paint.serial);
    if (this.stroke !== undefined || payload.paint.serial < this.serial) return false;
    const { meta, figure } = payload;
    this.serial = payload.paint.serial;
    this.brush = payload.paint.brush;
    this.steps = payload.paint.steps; // the page's buttons that Ctrl+Z and Ctrl+Y press
    const { x0, y0 } = meta.blocks[0];
    const cells = Array.from({ length: meta.rows }, (_, i) => figure.data[0].z[y0 + i].subarray(x0, x0 + meta.cols));
    this.closed = cells.map((row) => Array.from(row, Number.isNaN));
    this.grid = (payload.paint.grid ?? cells).map((row) => Array.from(row, (cell) => cell === 1));
    return true;
  }

  // The picture shows the mask itself now: nothing has to lie over it.
  shown() {
    setTimeout(() => this.answered()); // once Streamlit has drawn the buttons anew
    if (this.stroke !== undefined || this.view.payload.paint.serial < this.serial) return;
    this.fresh.clear();
    this.draw();
  }

  begin({ row, col }) {
    this.stroke = !this.grid[row][col];
    this.last = { row, col };
    this.dab(row, col);
    this.draw();
  }

  // A fast pointer skips cells: fill in the line from where it was.
  move({ row, col }) {
    const { row: r0, col: c0 } = this.last;
    const steps = Math.max(Math.abs(row - r0), Math.abs(col - c0));
    if (!steps) return;
    for (let s = 1; s <= steps; s++) this.dab(Math.round(r0 + ((row - r0) * s) / steps), Math.round(c0 + ((col - c0) * s) / steps));
    this.last = { row, col };
    this.draw();
  }

  // With Shift the arrows pull what the cell holds along, until Shift is released.
  pull(from, to) {
    if (this.stroke === undefined) {
      this.stroke = this.grid[from.row][from.col];
      this.last = from;
    }
    this.move(to);
  }

  end() {
    if (this.stroke === undefined) return;
    this.stroke = undefined;
    this.send();
  }

  toggle({ row, col }) {
    this.begin({ row, col });
    this.end();
  }

  // A whole row or column: forbidden if all of it is allowed, else allowed.
  flip(cells) {
    const inside = cells.filter(([row, col]) => this.takes(row, col));
    this.stroke = !inside.every(([row, col]) => this.grid[row][col]);
    for (const [row, col] of inside) this.put(row, col);
    this.draw();
    this.end();
  }

  flipRow(row) {
    this.flip(this.span(row).flatMap((r) => this.grid[0].map((_, col) => [r, col])));
  }

  flipColumn(col) {
    this.flip(this.span(col).flatMap((c) => this.grid.map((_, row) => [row, c])));
  }

  // One brush covers `brush` cells each way: long sequences are painted in blocks.
  span(index) {
    const first = Math.floor(index / this.brush) * this.brush;
    return Array.from({ length: this.brush }, (_, i) => first + i);
  }

  dab(row, col) {
    for (const r of this.span(row)) for (const c of this.span(col)) this.put(r, c);
  }

  takes(row, col) {
    return row < this.grid.length && col < this.grid[0].length && !this.closed[row][col];
  }

  put(row, col) {
    if (!this.takes(row, col)) return;
    this.grid[row][col] = this.stroke;
    this.fresh.set(`${row} ${col}`, [row, col, this.stroke]);
  }

  send() {
    this.serial += 1;
    const stroke = { serial: this.serial, bits: bits(this.grid) };
    this.view.send.mask({ ...stroke, rows: this.grid.length, cols: this.grid[0].length, earlier: this.unanswered });
    const room = Math.max(1, Math.min(KEPT.strokes, Math.floor(KEPT.letters / stroke.bits.length)));
    this.unanswered = [...this.unanswered, stroke].slice(-room);
  }

  draw() {
    const { overlay, payload, colours } = this.view;
    if (!overlay.area) return;
    this.dress(overlay, colours, payload.meta.colorscales[colours.dark ? "dark" : "light"], payload.meta.kind);
    overlay.painted([...this.fresh.values()], payload.meta.blocks[0]);
  }

  // Fresh cells look as the picture will have them: the colour of an open cell, the hatching of a shut one.
  dress(overlay, { background }, scale, kind) {
    overlay.allowed.style.fill = scale[scale.length - 1][1];
    overlay.allowed.style.fillOpacity = 1;
    if (kind !== "mask") {
      overlay.forbidden.style.fill = scale[0][1];
      return;
    }
    if (this.paper === background) return;
    this.paper = background;
    this.hatch?.remove();
    this.hatch = element("pattern", { id: "ap-hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    this.hatch.append(
      element("rect", { width: 5, height: 5, fill: background }),
      element("rect", { width: 5, height: 5, fill: GREY, "fill-opacity": 0.15 }),
      element("path", { d: "M0 0V5", stroke: GREY, "stroke-opacity": 0.48, "stroke-width": 2 }),
    );
    overlay.svg.prepend(this.hatch);
    overlay.forbidden.style.fill = "url(#ap-hatch)";
  }

  // Ctrl+Z and Ctrl+Y, but not in a text field, whose own undo they are.
  goBack(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (event.composedPath()[0].closest?.("input, textarea, [contenteditable='true']")) return;
    const key = event.key.toLowerCase() === "z" && event.shiftKey ? "y" : event.key.toLowerCase();
    if (!this.steps?.[key]) return;
    event.preventDefault();
    this.presses.push(this.steps[key]);
    this.press();
  }

  press() {
    if (!this.presses.length || this.pressed || this.view.payload.paint.serial < this.serial) return;
    const button = document.querySelector(`.st-key-${this.presses.shift()} button`);
    if (!button || button.disabled) return this.press();
    button.click();
    this.pressed = setTimeout(() => this.answered(), 1000); // a step to the same picture has no answer
  }

  answered() {
    clearTimeout(this.pressed);
    this.pressed = null;
    this.press();
  }

  remove() {
    this.fresh.clear();
    this.view.overlay.painted([]);
    clearTimeout(this.pressed);
    window.removeEventListener("keydown", this.step);
  }
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Row by row, 8 cells a byte, the first in the highest bit; as base64.
function bits(grid) {
  const cells = grid.flat();
  const bytes = new Uint8Array(Math.ceil(cells.length / 8));
  cells.forEach((allowed, i) => allowed && (bytes[i >> 3] |= 128 >> (i & 7)));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

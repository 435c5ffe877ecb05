// Painting on a mask: strokes, whole rows and columns. What is painted is drawn at once over the heatmap; Python gets
// the whole mask at the end of a stroke, not the stroke: so none is lost if the next one ends before Python answers.

export class Painter {
  constructor(view) {
    this.view = view;
    this.serial = 0; // of the last mask sent; an answer to an earlier one is old
  }

  // Take the mask that Python has, unless strokes are on their way that it has not seen.
  adopt(payload) {
    if (this.stroke !== undefined || payload.paint.serial < this.serial) return false;
    const { meta, figure } = payload;
    this.serial = payload.paint.serial;
    this.brush = payload.paint.brush;
    const { x0, y0 } = meta.blocks[0];
    this.grid = Array.from({ length: meta.rows }, (_, i) =>
      Array.from({ length: meta.cols }, (_, j) => figure.data[0].z[y0 + i][x0 + j] === 1),
    );
    this.fresh = new Map();
    this.draw();
    return true;
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
    for (let s = 1; s <= steps; s++) this.dab(Math.round(r0 + ((row - r0) * s) / steps), Math.round(c0 + ((col - c0) * s) / steps));
    this.last = { row, col };
    this.draw();
  }

  end() {
    this.stroke = undefined;
    this.send();
  }

  toggle({ row, col }) {
    this.begin({ row, col });
    this.end();
  }

  // A whole row or column: forbidden if all of it is allowed, else allowed.
  flip(cells) {
    this.stroke = !cells.every(([row, col]) => this.grid[row][col]);
    for (const [row, col] of cells) this.put(row, col);
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

  put(row, col) {
    if (row >= this.grid.length || col >= this.grid[0].length) return;
    this.grid[row][col] = this.stroke;
    this.fresh.set(`${row} ${col}`, [row, col, this.stroke]);
  }

  send() {
    this.serial += 1;
    this.view.send.mask({ serial: this.serial, rows: this.grid.length, cols: this.grid[0].length, bits: bits(this.grid) });
  }

  draw() {
    this.view.overlay.painted([...this.fresh.values()], this.view.payload?.meta.blocks[0]);
  }
}

// Row by row, 8 cells a byte, the first in the highest bit; as base64.
function bits(grid) {
  const cells = grid.flat();
  const bytes = new Uint8Array(Math.ceil(cells.length / 8));
  cells.forEach((allowed, i) => allowed && (bytes[i >> 3] |= 128 >> (i & 7)));
  return btoa(String.fromCharCode(...bytes));
}

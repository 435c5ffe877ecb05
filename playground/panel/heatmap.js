// A heatmap that is redrawn in place: zoom and the open cell survive, pointing and keys work cell by cell.

import { choose, listen, point, shared } from "./bus.js";
import { plotly } from "./library.js";
import { dequeue, enqueue, hurry } from "./queue.js";
import { Overlay } from "./overlay.js";
import { Painter } from "./paint.js";
import { picture } from "./picture.js";
import { Readout } from "./readout.js";
import { enter, leave, unseen, wanted } from "./sight.js";
import { allBut, swap } from "./swap.js";
import { theme, tokenColours } from "./theme.js";
import { Toolbar } from "./toolbar.js";

const CONFIG = { displayModeBar: false, responsive: false, showTips: false, doubleClick: "reset" };
const READABLE = { width: 30, height: 15 }; // pixels a cell needs before its value is printed in it (frame.py: TEXT_FROM)
const STRIPES = 80; // tokens up to which each has its coloured stripe
const NARROW = "(max-width: 640px)"; // Python arranges the heads in fewer columns here

let told = false;

export class Heatmap {
  constructor(root) {
    this.root = root;
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    this.toolbar = new Toolbar(root, this);
    this.stage = root.appendChild(document.createElement("div"));
    this.stage.className = "ap-stage";
    this.plot = this.stage.appendChild(document.createElement("div"));
    this.overlay = new Overlay(this.stage);
    this.readout = new Readout(root);
    this.stop = listen(() => this.light());
    this.resize = new ResizeObserver(() => this.width !== this.stage.clientWidth && this.payload && enqueue(this));
    this.resize.observe(this.stage);
    // Within what scrolls: a margin round the window would be clipped by it.
    const page = root.closest('[data-testid="stMain"]');
    const options = { root: page, rootMargin: "600px" };
    // A busy browser reports several at once, the oldest first: what is true now is the last.
    this.sight = new IntersectionObserver((reports) => this.seen(reports.at(-1).isIntersecting), options);
    this.sight.observe(root);
    this.watch();
    enter(this);
  }

  update(payload) {
    if (this.height !== payload.height) this.stage.style.height = `${(this.height = payload.height)}px`;
    this.toolbar.update(payload);
    if (this.root.ariaLabel !== payload.label) this.root.ariaLabel = payload.label;
    this.latest = payload;
    this.waiting = payload.figure === null; // Python sends a picture only to a panel that is near the screen
    this.root.classList.toggle("ap-stale", this.waiting);
    if (this.waiting) {
      if (this.near) this.ask();
      return;
    }
    const colours = theme(this.root);
    const look = `${payload.revision} ${colours.dark} ${colours.background} ${colours.text}`;
    if (payload.cell) shared.cell = payload.cell;
    else if (payload.selectable && shared.cell?.group === payload.group) shared.cell = null;
    const fresh = look !== this.look;
    this.look = look;
    if (payload.paint) {
      this.painter ??= new Painter(this);
      this.stage.classList.add("ap-paintable");
      if (!this.painter.adopt(payload)) return; // a picture of a mask that has been painted over since
    } else if (this.painter) {
      this.painter.remove();
      this.painter = undefined;
      this.stage.classList.remove("ap-paintable");
    }
    this.payload = payload;
    if (fresh && this.root.dataset.painted && this.near === false && !payload.large) unseen();
    if (fresh) enqueue(this);
    else this.light();
  }

  // For the picture that Python has left out.
  ask() {
    if (this.latest.large) this.send.near(true);
    else wanted();
  }

  seen(near) {
    this.near = near;
    if (near) hurry(this);
    if (near && this.waiting) this.ask();
    else if (!near && this.payload?.large) this.send.near(false);
  }

  async draw() {
    if (!this.stage.clientWidth) return;
    try {
      await this.paint(await plotly(this.payload.plotly));
    } catch (error) {
      this.readout.say(String(error.message ?? error));
    }
  }

  async paint(Plotly) {
    const payload = this.payload;
    const { figure, meta } = payload;
    this.width = this.stage.clientWidth;
    const narrow = matchMedia(NARROW).matches;
    // One panel says so for all, once until it is heard: a server that was restarted has to be told again.
    if (narrow !== payload.narrow && !told) this.send.narrow(narrow);
    told = narrow !== payload.narrow;
    this.colours = theme(this.root);
    const trace = { ...figure.data[0] };
    const scale = meta.colorscales?.[this.colours.dark ? "dark" : "light"];
    if (scale) trace.colorscale = scale;
    const coarse = matchMedia("(pointer: coarse)").matches;
    const axis = { fixedrange: coarse, showgrid: false, zeroline: false, showline: false };
    const layout = {
      ...figure.layout,
      width: this.width,
      height: payload.height,
      uirevision: `${payload.id} ${meta.rows} ${meta.cols} ${figure.data[0].z.length} ${meta.blocks.length} ${this.width}`,
      hovermode: false, // cells are found from the pointer's position: it is faster, and it finds gaps too
      dragmode: coarse || payload.paint ? false : "zoom",
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { ...figure.layout.font, color: this.colours.text, family: this.colours.font },
      xaxis: { ...figure.layout.xaxis, ...axis },
      yaxis: { ...figure.layout.yaxis, ...axis },
    };
    const { kind, row_labels, col_labels } = meta;
    const frame = allBut(trace.z, trace, layout, kind, row_labels, col_labels);
    if (frame === this.frame && swap(this.plot, trace.z)) {
      this.mark();
    } else {
      this.frame = undefined; // until it is there
      this.reshape(layout);
      this.printed = this.printable(this.guess(layout, meta));
      await Plotly.react(this.plot, [{ ...trace, ...this.text(this.printed) }], layout, CONFIG);
      if (!this.bound) {
        this.bound = true;
        this.plot.on("plotly_relayout", () => this.afterZoom(Plotly));
      }
      await this.afterZoom(Plotly);
      this.frame = frame;
    }
    if (this.payload === payload) this.painter?.shown();
    this.reread();
    this.root.dataset.painted = payload.revision;
    this.root.dataset.field = meta.field;
  }

  // Plotly remembers the ranges it was first given, and takes those of a picture of another shape for a zoom.
  reshape(layout) {
    const known = this.plot._fullLayout;
    if (!known || known.uirevision === layout.uirevision) return;
    for (const name of ["xaxis", "yaxis"]) {
      const axis = known[name];
      [axis._rangeInitial0, axis._rangeInitial1] = layout[name].range;
      axis._inputRange = undefined;
    }
  }

  // Cell size before the first layout is known: the drawn area is the box less its margins.
  guess(layout, meta) {
    const margin = { l: 60, r: 20, t: 20, b: 40, ...layout.margin };
    const [x0, x1] = layout.xaxis.range ?? [0, 1];
    const [y0, y1] = layout.yaxis.range ?? [0, 1];
    let width = (layout.width - margin.l - margin.r) / Math.abs(x1 - x0);
    let height = (layout.height - margin.t - margin.b) / Math.abs(y1 - y0);
    if (layout.yaxis.scaleanchor) {
      const ratio = layout.yaxis.scaleratio ?? 1;
      width = Math.min(width, height / ratio);
      height = width * ratio;
    }
    return { width, height };
  }

  cellSize() {
    return {
      width: Math.abs(this.overlay.x(1) - this.overlay.x(0)),
      height: Math.abs(this.overlay.y(1) - this.overlay.y(0)),
    };
  }

  printable({ width, height }) {
    if (width < READABLE.width || height < READABLE.height) return 0;
    return Math.round(Math.max(9, Math.min(13, width / 3.6, height / 1.4)));
  }

  // About three figures of the largest number on the scale.
  text(size) {
    const { kind, zmax } = this.payload.meta;
    if (!size || kind === "mask") return { texttemplate: "" };
    const decimals = 2 - Math.floor(Math.log10(zmax));
    const format = decimals >= 0 && decimals <= 4 ? `.${decimals}f` : ".1e";
    return { texttemplate: `%{z:${format}}`, textfont: { size } };
  }

  async afterZoom(Plotly) {
    this.overlay.place(this.plot);
    const size = this.printable(this.cellSize());
    if (size !== this.printed) {
      this.printed = size;
      await Plotly.restyle(this.plot, Object.fromEntries(Object.entries(this.text(size)).map(([k, v]) => [k, [v]])), [0]);
      this.overlay.place(this.plot);
    }
    const { meta } = this.payload;
    const colours = (are, labels) =>
      (are === "query" || are === "key") && labels.length <= STRIPES ? tokenColours(labels, this.colours.dark) : null;
    this.overlay.colour(meta, colours(meta.rows_are, meta.row_labels), colours(meta.cols_are, meta.col_labels));
    this.mark();
  }

  // What the numbers say beside the colours of their cells.
  mark() {
    this.overlay.sign(this.printed ? this.forbidden() : [], this.sign(), this.printed);
    this.light();
  }

  // How many rows and columns of the computation one cell of the picture stands for.
  pool() {
    return this.payload.meta.pool ?? [1, 1];
  }

  sign() {
    return this.payload.meta.gap === "-inf" ? "−∞" : "×";
  }

  // The forbidden cells: what a head's block leaves empty (between the blocks lies paper, not cells).
  forbidden() {
    const { meta, figure } = this.payload;
    if (meta.gap === null) return [];
    const cells = [];
    for (const block of meta.blocks)
      for (let i = 0; i < meta.rows; i++)
        for (let j = 0; j < meta.cols; j++) {
          const [x, y] = [block.x0 + j, block.y0 + i];
          if (Number.isNaN(figure.data[0].z[y][x])) cells.push([x, y]);
        }
    const inside = ([x, y]) => this.overlay.rectangle(x - 0.1, y - 0.1, x + 0.1, y + 0.1) !== "";
    return cells.filter(inside);
  }

  light() {
    if (!this.overlay.area || !this.payload) return;
    const { meta, group } = this.payload;
    const [down, across] = this.pool();
    const at = (are) => (are === "query" ? shared.query : are === "key" ? shared.key : null);
    const place = (token, by) => (token === null ? null : Math.floor(token / by));
    this.overlay.light(meta, place(at(meta.rows_are), down), place(at(meta.cols_are), across));
    const cell = shared.cell && { ...shared.cell, row: place(shared.cell.row, down), col: place(shared.cell.col, across) };
    const inside = cell?.group === group && cell.row < meta.rows && cell.col < meta.cols;
    const block = inside && meta.blocks.find((b) => (b.head ?? 0) === cell.head);
    this.overlay.open.setAttribute("d", block ? this.overlay.cell(block, cell.row, cell.col) : "");
    this.overlay.cursor.setAttribute("d", this.at ? this.overlay.cell(this.at.block, this.at.row, this.at.col) : "");
  }

  // The cell under a point of the screen, or null between and outside the blocks.
  find(event) {
    if (!this.overlay.area || !this.payload) return null;
    const box = this.stage.getBoundingClientRect();
    const px = event.clientX - box.left;
    const py = event.clientY - box.top;
    const { left, right, top, bottom } = this.overlay.area;
    if (px < left || px > right || py < top || py > bottom) return null;
    const x = Math.round(this.overlay.column(px));
    const y = Math.round(this.overlay.row(py));
    const { meta } = this.payload;
    const block = meta.blocks.find((b) => x >= b.x0 && x < b.x0 + meta.cols && y >= b.y0 && y < b.y0 + meta.rows);
    return block ? { block, row: y - block.y0, col: x - block.x0 } : null;
  }

  // A forbidden cell is a gap in the picture; so is a number that is none, and those are listed by name.
  value({ block, row, col }) {
    const { figure, meta } = this.payload;
    if (this.painter && meta.kind === "mask") return Number(this.painter.grid[row][col]); // what was painted, before Python has answered
    const odd = meta.nonfinite.find((one) => one.head === block.head && one.row === row && one.col === col);
    return odd ? odd.value : figure.data[0].z[block.y0 + row][block.x0 + col];
  }

  // A pointer that rests, or the keyboard's place, says what is drawn there now.
  reread() {
    if (!this.said) return;
    const { event } = this.said;
    if (event) return this.show(this.find(event), event);
    const { blocks, rows, cols } = this.payload.meta;
    const block = this.at && blocks.find((b) => (b.head ?? 0) === (this.at.block.head ?? 0));
    if (block) Object.assign(this.at, { block, row: Math.min(this.at.row, rows - 1), col: Math.min(this.at.col, cols - 1) });
    else this.at = null;
    this.show(this.at);
  }

  show(cell, event) {
    const { meta, twins } = this.payload;
    this.said = cell ? { event } : null;
    if (!cell) {
      point(null, null);
      this.readout.hide();
      return;
    }
    const [down, across] = this.pool();
    const [row, col] = [cell.row * down, cell.col * across];
    let query = meta.rows_are === "query" ? row : meta.cols_are === "query" ? col : null;
    let key = meta.cols_are === "key" ? col : meta.rows_are === "key" ? row : null;
    // Where queries and keys are the same tokens, a row of vectors belongs to a token in both roles.
    if (twins && (query === null) !== (key === null)) query = key = query ?? key;
    point(query, key);
    this.readout.show(this.payload, cell, this.value(cell), event, this.stage);
  }

  open(cell) {
    const { group, meta } = this.payload;
    const [down, across] = this.pool();
    choose({ group, head: cell.block.head ?? 0, row: cell.row * down, col: cell.col * across });
    if (this.payload.selectable) this.send.cell([meta.field, cell.block.head ?? 0, cell.row, cell.col]);
  }

  watch() {
    this.stage.addEventListener("pointermove", (event) => {
      const cell = this.find(event);
      if (cell && this.painter?.stroke !== undefined) this.painter.move(cell);
      if (event.pointerType === "mouse") this.show(cell, event);
    });
    this.stage.addEventListener("pointerleave", () => this.show(null));
    // Plotly covers the page while a button is down, so its release is heard on the window, before Plotly hears it.
    this.stage.addEventListener(
      "pointerdown",
      (event) => {
        this.down = [event.clientX, event.clientY];
        if (this.painter && this.payload) this.startPainting(event);
      },
      true,
    );
    this.release = (event) => {
      this.painter?.end();
      if (!this.down || this.painter || event.type !== "pointerup") return;
      const [x, y] = this.down;
      this.down = null;
      if (Math.hypot(event.clientX - x, event.clientY - y) > 4) return; // that was a zoom, or a scroll
      const cell = this.find(event);
      if (cell) this.open(cell);
    };
    window.addEventListener("pointerup", this.release, true);
    window.addEventListener("pointercancel", this.release, true);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keyup", (event) => event.key === "Shift" && this.painter?.end());
    this.root.addEventListener("blur", () => {
      this.painter?.end();
      this.at = null;
      this.show(null);
      this.light();
    });
  }

  // In the grid a stroke begins; beside it, on a token's label, the whole row or column flips.
  startPainting(event) {
    if (!event.isPrimary || event.button !== 0) return;
    const cell = this.find(event);
    if (cell) {
      // The pointer may leave the cell under it, but not the stroke.
      this.stage.setPointerCapture(event.pointerId);
      event.preventDefault();
      event.stopPropagation();
      this.root.focus({ preventScroll: true, focusVisible: false });
      this.painter.begin(cell);
      return this.show(cell, event);
    }
    const { left, top } = this.stage.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const [col, row] = [Math.round(this.overlay.column(x)), Math.round(this.overlay.row(y))];
    const { area } = this.overlay;
    const { rows, cols } = this.payload.meta;
    if (x < area.left && row >= 0 && row < rows) this.painter.flipRow(row);
    else if (y > area.bottom && col >= 0 && col < cols) this.painter.flipColumn(col);
  }

  key(event) {
    if (!this.payload || event.target !== this.root) return;
    const { meta, cell } = this.payload;
    const { blocks, rows, cols } = meta;
    if (!this.at) {
      const chosen = shared.cell?.group === this.payload.group ? shared.cell : (cell ?? { head: blocks[0].head ?? 0, row: 0, col: 0 });
      const [down, across] = this.pool();
      const block = blocks.find((b) => (b.head ?? 0) === chosen.head) ?? blocks[0];
      this.at = { block, row: Math.floor(chosen.row / down), col: Math.floor(chosen.col / across) };
    }
    const at = this.at;
    const step = (by) => (at.block = blocks[(blocks.indexOf(at.block) + by + blocks.length) % blocks.length]);
    const moves = {
      ArrowUp: () => (at.row = Math.max(0, at.row - 1)),
      ArrowDown: () => (at.row = Math.min(rows - 1, at.row + 1)),
      ArrowLeft: () => (at.col = Math.max(0, at.col - 1)),
      ArrowRight: () => (at.col = Math.min(cols - 1, at.col + 1)),
      Home: () => (at.col = 0),
      End: () => (at.col = cols - 1),
      PageUp: () => step(-1),
      PageDown: () => step(1),
      Enter: () => this.open(at),
      " ": () => this.open(at),
      Escape: () => (this.at = null),
    };
    if (this.painter) {
      moves.Enter = moves[" "] = () => this.painter.toggle(at);
      moves.r = () => this.painter.flipRow(at.row);
      moves.c = () => this.painter.flipColumn(at.col);
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // R alone would run Streamlit's script again, from the address it had before
    at.row = Math.min(at.row, rows - 1);
    at.col = Math.min(at.col, cols - 1);
    const from = { row: at.row, col: at.col };
    moves[event.key]();
    if (this.painter && event.shiftKey && this.at) this.painter.pull(from, at);
    this.show(this.at);
    this.light();
  }

  // For a picture to keep: with the sign in each forbidden cell as part of the figure.
  picture() {
    const size = this.printed;
    const signs = (size ? this.forbidden() : []).map(([x, y]) => ({ x, y, text: this.sign(), showarrow: false, font: { size } }));
    return picture(this.plot, { area: this.overlay.area, colours: this.colours, caption: this.latest.caption, signs });
  }

  remove() {
    dequeue(this);
    leave(this);
    this.stop();
    this.resize.disconnect();
    this.sight.disconnect();
    window.removeEventListener("pointerup", this.release, true);
    window.removeEventListener("pointercancel", this.release, true);
    this.painter?.remove();
    if (this.bound) window.Plotly?.purge(this.plot);
    this.root.remove();
  }
}

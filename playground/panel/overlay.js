// What lies over a heatmap without being part of it: the lit row and column, the open cell, the keyboard's cursor,
// the colours of the tokens, and the sign in each forbidden cell. One SVG, so that pointing at a token costs no redraw.

const SVG = "http://www.w3.org/2000/svg";

export class Overlay {
  constructor(parent) {
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.classList.add("ap-overlay");
    this.svg.setAttribute("aria-hidden", "true");
    this.strips = group(this.svg, "ap-strips");
    this.allowed = path(this.svg, "ap-allowed");
    this.forbidden = path(this.svg, "ap-forbidden");
    this.signs = group(this.svg, "ap-signs");
    this.bands = path(this.svg, "ap-bands");
    this.open = path(this.svg, "ap-open");
    this.cursor = path(this.svg, "ap-cursor");
    parent.appendChild(this.svg);
  }

  // Where cells are on the screen, as Plotly has laid its axes out now.
  place(plot) {
    const { xaxis, yaxis } = plot._fullLayout;
    this.x = (value) => xaxis._offset + xaxis.l2p(value);
    this.y = (value) => yaxis._offset + yaxis.l2p(value);
    this.area = {
      left: xaxis._offset,
      right: xaxis._offset + xaxis._length,
      top: yaxis._offset,
      bottom: yaxis._offset + yaxis._length,
    };
    this.column = (px) => xaxis.p2l(px - xaxis._offset);
    this.row = (px) => yaxis.p2l(px - yaxis._offset);
    this.svg.setAttribute("width", plot._fullLayout.width);
    this.svg.setAttribute("height", plot._fullLayout.height);
  }

  // A rectangle in mosaic coordinates, cut to the drawn area; empty where a zoom has moved it out of sight.
  rectangle(x0, y0, x1, y1) {
    const { left, right, top, bottom } = this.area;
    const l = Math.max(left, Math.min(this.x(x0), this.x(x1)));
    const r = Math.min(right, Math.max(this.x(x0), this.x(x1)));
    const t = Math.max(top, Math.min(this.y(y0), this.y(y1)));
    const b = Math.min(bottom, Math.max(this.y(y0), this.y(y1)));
    return r > l && b > t ? `M${l} ${t}H${r}V${b}H${l}Z` : "";
  }

  cell(block, row, column) {
    const x = block.x0 + column;
    const y = block.y0 + row;
    return this.rectangle(x - 0.5, y - 0.5, x + 0.5, y + 0.5);
  }

  light(meta, row, column) {
    let d = "";
    for (const block of meta.blocks) {
      if (row !== null && row < meta.rows)
        d += this.rectangle(block.x0 - 0.5, block.y0 + row - 0.5, block.x0 + meta.cols - 0.5, block.y0 + row + 0.5);
      if (column !== null && column < meta.cols)
        d += this.rectangle(block.x0 + column - 0.5, block.y0 - 0.5, block.x0 + column + 0.5, block.y0 + meta.rows - 0.5);
    }
    this.bands.setAttribute("d", d);
  }

  // Cells that have just been painted, until the picture itself shows them.
  painted(cells, block) {
    const d = { true: "", false: "" };
    if (block) for (const [row, col, value] of cells) d[value] += this.cell(block, row, col);
    this.allowed.setAttribute("d", d.true);
    this.forbidden.setAttribute("d", d.false);
  }

  // A stripe in the token's colour along the first row and column of blocks.
  colour(meta, rowColours, columnColours) {
    const pieces = [];
    const leftmost = Math.min(...meta.blocks.map((block) => block.x0));
    const lowest = Math.max(...meta.blocks.map((block) => block.y0));
    for (const block of meta.blocks) {
      if (rowColours && block.x0 === leftmost)
        rowColours.forEach((colour, i) => pieces.push(this.stripe("row", block.x0 - 0.5, block.y0 + i, colour)));
      if (columnColours && block.y0 === lowest)
        columnColours.forEach((colour, j) =>
          pieces.push(this.stripe("column", block.x0 + j, block.y0 + meta.rows - 0.5, colour)),
        );
    }
    this.strips.replaceChildren(...pieces.filter(Boolean));
  }

  stripe(side, x, y, colour) {
    const { left, right, top, bottom } = this.area;
    const [x0, x1, y0, y1] =
      side === "row"
        ? [this.x(x) - 4, this.x(x) - 1, this.y(y - 0.5) + 0.5, this.y(y + 0.5) - 0.5]
        : [this.x(x - 0.5) + 0.5, this.x(x + 0.5) - 0.5, this.y(y) + 1, this.y(y) + 4];
    if (x0 < left - 5 || x1 > right + 1 || y0 < top - 1 || y1 > bottom + 5) return null;
    const piece = document.createElementNS(SVG, "path");
    piece.setAttribute("d", `M${x0} ${y0}H${x1}V${y1}H${x0}Z`);
    piece.setAttribute("fill", colour);
    return piece;
  }

  // The sign of a forbidden cell, where a cell is large enough to read it.
  sign(cells, words, size) {
    this.signs.replaceChildren(
      ...cells.map(([x, y]) => {
        const label = document.createElementNS(SVG, "text");
        label.setAttribute("x", this.x(x));
        label.setAttribute("y", this.y(y));
        label.setAttribute("font-size", size);
        label.textContent = words;
        return label;
      }),
    );
  }

  remove() {
    this.svg.remove();
  }
}

function group(parent, name) {
  const element = document.createElementNS(SVG, "g");
  element.classList.add(name);
  return parent.appendChild(element);
}

function path(parent, name) {
  const element = document.createElementNS(SVG, "path");
  element.classList.add(name);
  return parent.appendChild(element);
}

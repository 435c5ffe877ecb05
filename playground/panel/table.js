// A small table of numbers, term by term. Long ones fold: the first rows, and the rest on request.

const SHOWN = 12;

export class Table {
  constructor(root) {
    this.root = root;
  }

  update(payload) {
    if (payload.revision === this.root.dataset.painted) return; // the same numbers: what is unfolded stays so
    const table = document.createElement("table");
    if (payload.head) table.appendChild(row("th", payload.head));
    payload.rows.forEach((cells, index) => {
      const line = row("td", cells);
      line.hidden = index >= SHOWN && payload.rows.length > SHOWN + 1;
      table.appendChild(line);
    });
    if (payload.total) {
      const line = row("td", payload.total);
      line.className = "ap-total";
      table.appendChild(line);
    }
    const parts = [table];
    if (payload.rows.length > SHOWN + 1) {
      const more = document.createElement("button");
      more.type = "button";
      more.className = "ap-more";
      more.textContent = payload.more;
      more.addEventListener("click", () => {
        for (const line of table.rows) line.hidden = false;
        more.remove();
      });
      parts.push(more);
    }
    this.root.replaceChildren(...parts);
    this.root.dataset.painted = payload.revision;
  }

  remove() {
    this.root.remove();
  }
}

function row(tag, cells) {
  const line = document.createElement("tr");
  for (const words of cells) {
    const cell = document.createElement(tag);
    const name = document.createElement("span"); // what keeps a row's name from being squeezed, see panel.css
    name.textContent = words; // a label may be a token: never markup
    cell.appendChild(name);
    cell.dir = "auto";
    line.appendChild(cell);
  }
  return line;
}

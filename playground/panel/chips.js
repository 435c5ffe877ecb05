// The tokens of the sentence as chips, in order, each in its colour. Pointing at one lights it up in every panel.

import { listen, point, shared } from "./bus.js";
import { theme, tokenColours } from "./theme.js";

export class Chips {
  constructor(root) {
    this.root = root;
    this.stop = listen(() => this.light());
    root.addEventListener("pointerleave", () => point(null, null));
  }

  update(payload) {
    this.payload = payload;
    const { dark } = theme(this.root);
    this.chips = [];
    const rows = payload.rows.map((row) => {
      const line = document.createElement("div");
      line.className = "ap-chip-row";
      line.setAttribute("role", "list");
      if (row.label) line.appendChild(text("span", "ap-chip-label", row.label));
      const colours = tokenColours(row.tokens, dark);
      row.tokens.forEach((token, index) => {
        const chip = text("span", "ap-chip", row.shown[index]);
        chip.setAttribute("role", "listitem");
        chip.style.setProperty("--chip", colours[index]);
        chip.dataset.index = index;
        chip.dir = "auto";
        chip.appendChild(text("sub", "ap-chip-index", String(index)));
        const query = row.axis === "key" ? null : index;
        const key = row.axis === "query" ? null : index;
        chip.addEventListener("pointerenter", () => point(query, key));
        this.chips.push({ chip, query, key });
        line.appendChild(chip);
      });
      return line;
    });
    this.root.replaceChildren(...rows);
    this.root.dataset.painted = payload.revision;
    this.light();
  }

  light() {
    for (const { chip, query, key } of this.chips ?? []) {
      const lit = (query !== null && query === shared.query) || (key !== null && key === shared.key);
      chip.classList.toggle("ap-lit", lit);
    }
  }

  remove() {
    this.stop();
    this.root.remove();
  }
}

function text(tag, className, content) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = content; // a token is the visitor's text: never markup
  return element;
}

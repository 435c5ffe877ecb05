// The words beside the pointer: head, tokens, value. Also said aloud for those who move with the keyboard.

export class Readout {
  constructor(root) {
    this.root = root;
    this.tip = root.appendChild(document.createElement("div"));
    this.tip.className = "ap-tip";
    this.tip.setAttribute("role", "status");
    this.tip.setAttribute("aria-live", "polite");
    this.hide();
  }

  hide() {
    this.tip.style.visibility = "hidden";
    this.tip.style.transform = "none"; // where it was may lie outside a window that has become narrower
  }

  say(words) {
    this.tip.replaceChildren(line("ap-tip-value", words));
    this.tip.style.visibility = "visible";
  }

  show({ meta, words }, { block, row, col }, value, event, stage) {
    const lines = [];
    if (block.name) lines.push(line("ap-tip-head", block.name));
    const [down, across] = meta.pool ?? [1, 1]; // a label of several tokens names them; a number would be of none
    const named = (label, what) => (/^\d+$/.test(label) ? `${what} ${label}`.trim() : label);
    const side = (are, labels, index, by, what) =>
      are === "feature" ? named(labels[index], what) : by > 1 ? labels[index] : `${labels[index]} ${sub(index)}`;
    const from = side(meta.rows_are, meta.row_labels, row, down, meta.dims.at(-2) ?? "");
    const to = side(meta.cols_are, meta.col_labels, col, across, words.column);
    lines.push(line("ap-tip-where", meta.cols_are === "key" ? `${from} → ${to}` : `${from}, ${to}`));
    lines.push(line("ap-tip-value", this.number(value, meta, words)));
    this.tip.replaceChildren(...lines);
    this.tip.style.visibility = "visible";
    this.place(event, stage);
  }

  number(value, meta, words) {
    if (typeof value === "string") return value; // NaN or Infinity that the computation itself has made
    if (Number.isNaN(value)) return meta.gap === "0" ? words.forbidden_weight : meta.gap === "-inf" ? words.forbidden_score : "NaN";
    if (meta.kind === "mask") return value ? words.allowed : words.forbidden;
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-4 || size >= 1e5) ? value.toExponential(5) : value.toFixed(6);
  }

  place(event, stage) {
    const box = this.root.getBoundingClientRect();
    const width = this.tip.offsetWidth;
    const height = this.tip.offsetHeight;
    // With the keyboard there is no pointer: the words stand in the upper right corner of the picture.
    let left = box.width - width - 4;
    let top = stage.offsetTop + 4;
    if (event) {
      left = Math.min(event.clientX - box.left + 14, box.width - width);
      top = event.clientY - box.top + 18;
      if (top + height > box.height) top = event.clientY - box.top - height - 12;
    }
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${top}px)`;
  }
}

function line(className, words) {
  const element = document.createElement("div");
  element.className = className;
  element.dir = "auto";
  element.textContent = words;
  return element;
}

const DIGITS = "₀₁₂₃₄₅₆₇₈₉";
const sub = (index) => [...String(index)].map((digit) => DIGITS[digit]).join("");

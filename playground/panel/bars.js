// One row of weights as bars: the figure of attention_viz/bars.py, drawn as text and boxes. Plotly lays out a page of
// this size once for each number that it writes beside a bar, at every step of a slider.

import { dequeue, enqueue } from "./queue.js";
import { theme } from "./theme.js";

export class Bars {
  constructor(root) {
    this.root = root;
    const field = root.appendChild(element("ap-bars-field"));
    this.axis = field.appendChild(element("ap-bars-axis"));
    this.shut = field.appendChild(element("ap-bars-hatches"));
    this.rows = field.appendChild(element("ap-bars-rows"));
  }

  update(payload) {
    const { dark } = theme(this.root);
    const look = `${payload.revision} ${dark}`;
    if (look === this.look) return;
    this.look = look;
    this.payload = payload;
    this.dark = dark;
    this.root.style.height = `${payload.height}px`;
    enqueue(this);
  }

  async draw() {
    const { figure, meta, revision } = this.payload;
    const { margin, xaxis, yaxis, height } = figure.layout;
    const [bars] = figure.data;
    const end = xaxis.range[1];
    const tall = (height - margin.t - margin.b) / bars.y.length;
    const named = new Set(yaxis.tickvals);
    const shut = new Set(meta.forbidden);
    this.shut.replaceChildren(...figure.layout.images.map(({ y, sizey }) => hatched((y + 0.5) * tall, sizey * tall)));
    const words = new Map(figure.layout.annotations.map((note) => [note.y, note.text]));
    const { color } = meta.schemes[this.dark ? "dark" : "light"].marker;
    this.root.style.padding = `${margin.t}px ${margin.r}px ${margin.b}px ${margin.l}px`;
    this.root.style.setProperty("--row", `${tall}px`);
    this.drawAxis(xaxis, end);
    while (this.rows.childElementCount > bars.y.length) this.rows.lastChild.remove();
    while (this.rows.childElementCount < bars.y.length) this.rows.appendChild(row());
    bars.y.forEach((key) => {
      const weight = bars.x[key];
      const line = this.rows.children[key];
      const [name, bar, value] = line.children;
      const share = `${((100 * weight) / end).toFixed(3)}%`;
      set(line, "className", meta.marked === key ? "ap-bars-row ap-marked" : "ap-bars-row");
      set(line, "title", `${meta.col_labels[key]}\n${words.get(key) ?? weight.toPrecision(4)}`);
      set(name, "textContent", named.has(key) ? meta.col_labels[key] : "");
      set(value, "textContent", bars.text[key] || (words.get(key) ?? ""));
      bar.hidden = shut.has(key);
      bar.style.width = share;
      bar.style.background = color[key];
      value.style.left = shut.has(key) ? "100%" : share;
    });
    this.root.dataset.painted = revision;
  }

  drawAxis({ tickvals, ticktext, title }, end) {
    if (this.axis.childElementCount !== tickvals.length + 1)
      this.axis.replaceChildren(...tickvals.map(tick), element("ap-bars-title"));
    tickvals.forEach((at, index) => {
      const mark = this.axis.children[index];
      mark.style.left = `${(100 * at) / end}%`;
      set(mark.firstChild, "textContent", ticktext[index]);
    });
    set(this.axis.lastChild, "textContent", title.text);
  }

  remove() {
    dequeue(this);
    this.root.remove();
  }
}

function row() {
  const line = element("ap-bars-row");
  const name = element("ap-bars-name");
  name.dir = "auto"; // a token: it may be written from right to left, and it is never markup
  line.append(name, element("ap-bars-bar"), element("ap-bars-value"));
  return line;
}

// Neighbouring forbidden keys lie over one hatching.
function hatched(top, height) {
  const made = element("ap-bars-shut");
  made.style.top = `${top}px`;
  made.style.height = `${height}px`;
  return made;
}

// A line through all rows, and its number under them.
function tick() {
  const mark = element("ap-bars-tick");
  mark.append(document.createElement("span"));
  return mark;
}

function element(name) {
  const made = document.createElement("div");
  made.className = name;
  return made;
}

function set(node, property, text) {
  if (node[property] !== text) node[property] = text;
}

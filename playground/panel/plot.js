// A plain Plotly figure (lines, bars of several kinds) that is redrawn in place.

import { plotly } from "./library.js";
import { dequeue, enqueue } from "./queue.js";
import { theme } from "./theme.js";

const CONFIG = { displayModeBar: false, responsive: false, showTips: false };

export class Plot {
  constructor(root) {
    this.root = root;
    this.plot = document.createElement("div");
    root.appendChild(this.plot);
    this.resize = new ResizeObserver(() => this.width !== root.clientWidth && this.payload && enqueue(this));
    this.resize.observe(root);
  }

  update(payload) {
    this.root.style.minHeight = `${payload.height}px`;
    const { dark, background, text } = theme(this.root);
    const look = `${payload.revision} ${dark} ${background} ${text}`;
    if (look === this.look) return;
    this.look = look;
    this.payload = payload;
    enqueue(this);
  }

  async draw() {
    const Plotly = await plotly(this.payload.plotly);
    const payload = this.payload; // a newer one may have come while plotly.js loaded
    this.width = this.root.clientWidth;
    if (!this.width) return;
    const colours = theme(this.root);
    const layout = {
      ...payload.figure.layout,
      width: this.width,
      height: payload.height,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { ...payload.figure.layout.font, color: colours.text, family: colours.font },
    };
    const scheme = payload.meta?.schemes?.[colours.dark ? "dark" : "light"];
    const data = payload.figure.data.map((trace) => (scheme ? { ...trace, ...scheme } : trace));
    await Plotly.react(this.plot, data, layout, CONFIG);
    this.root.dataset.painted = payload.revision;
  }

  remove() {
    dequeue(this);
    this.resize.disconnect();
    window.Plotly?.purge(this.plot);
    this.root.remove();
  }
}

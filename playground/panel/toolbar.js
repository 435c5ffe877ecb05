// The title of a panel and what one can take away from it: PNG, SVG, the numbers as CSV.

import { csvOf, save } from "./csv.js";

export class Toolbar {
  constructor(root, view) {
    this.view = view;
    this.root = root;
    this.bar = root.appendChild(document.createElement("div"));
    this.bar.className = "ap-bar";
    this.title = this.bar.appendChild(document.createElement("span"));
    this.title.className = "ap-title";
    this.note = this.bar.appendChild(document.createElement("span"));
    this.note.className = "ap-note";
    this.tools = this.bar.appendChild(document.createElement("span"));
    this.tools.className = "ap-tools";
    this.refusal = root.appendChild(document.createElement("div"));
    this.refusal.className = "ap-refusal";
    this.refusal.setAttribute("role", "status");
  }

  update(payload) {
    say(this.title, payload.title);
    say(this.note, payload.note ?? "");
    say(this.refusal, "");
    this.payload = payload;
    if (this.link && payload.csv) this.link.href = new URL(payload.csv, document.baseURI).href;
    const tools = payload.csv ? "with CSV" : "pictures";
    if (this.made === tools) return; // the same tools: a button keeps the focus it has
    this.made = tools;
    const { words } = payload;
    const parts = [
      this.button("PNG", words.save_png, () => this.picture("png")),
      this.button("SVG", words.save_svg, () => this.picture("svg")),
    ];
    this.link = payload.csv ? document.createElement("a") : null;
    if (this.link) {
      this.link.textContent = "CSV";
      this.link.title = words.save_csv;
      this.link.href = new URL(payload.csv, document.baseURI).href;
      this.link.setAttribute("download", "");
      this.link.addEventListener("click", (event) => this.take(event));
      parts.push(this.link);
    }
    else parts.push(this.button("CSV", words.save_csv, () => this.numbers()));
    this.tools.replaceChildren(...parts);
  }

  button(label, title, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.title = title;
    button.addEventListener("click", act);
    return button;
  }

  // Of a file that the server refuses, too large or not just now, the browser says nothing that a visitor would
  // understand. So the server is asked whether it will give it, and says why not.
  async take(event) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || !event.isTrusted) return;
    event.preventDefault();
    const { link, payload } = this;
    const asked = await fetch(link.href, { method: "HEAD" }).catch(() => null);
    if (asked && !asked.ok) {
      say(this.refusal, await (await fetch(link.href)).text());
      setTimeout(() => say(this.refusal, ""), 15_000);
    } else if (this.payload === payload) link.click();
  }

  numbers() {
    if (this.payload.figure) save(`${this.payload.file}.csv`, csvOf(this.payload));
  }

  picture(format) {
    const { data, layout } = this.view.picture();
    const scale = format === "png" ? 2 : 1;
    const { width, height } = layout;
    window.Plotly.downloadImage({ data, layout }, { format, width, height, scale, filename: this.payload.file });
  }
}

// Writing the words that are there already would make the browser lay out the page again.
function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

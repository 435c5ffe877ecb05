// The title of a panel and what one can take away from it: PNG, SVG, the numbers as CSV.

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
  }

  update(payload) {
    this.title.textContent = payload.title;
    this.note.textContent = payload.note ?? "";
    this.payload = payload;
    if (this.made === payload.csv) return; // the same tools: a button keeps the focus it has
    this.made = payload.csv;
    const { words } = payload;
    const tools = [
      this.button("PNG", words.save_png, () => this.picture("png")),
      this.button("SVG", words.save_svg, () => this.picture("svg")),
    ];
    if (payload.csv) {
      const link = document.createElement("a");
      link.textContent = "CSV";
      link.title = words.save_csv;
      link.href = new URL(payload.csv, document.baseURI).href;
      link.setAttribute("download", "");
      tools.push(link);
    }
    this.tools.replaceChildren(...tools);
  }

  button(label, title, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.title = title;
    button.addEventListener("click", act);
    return button;
  }

  picture(format) {
    const { data, layout } = this.view.picture();
    const scale = format === "png" ? 2 : 1;
    const { width, height } = layout;
    window.Plotly.downloadImage({ data, layout }, { format, width, height, scale, filename: this.payload.file });
  }
}

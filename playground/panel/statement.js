// A sentence that may hold a visitor's tokens, and a line of detail under it.

export class Statement {
  constructor(root) {
    this.root = root;
    this.sentence = root.appendChild(document.createElement("div"));
    this.sentence.className = "ap-sentence";
    this.detail = root.appendChild(document.createElement("div"));
    this.detail.className = "ap-detail";
  }

  update(payload) {
    if (payload.revision === this.root.dataset.painted) return;
    this.root.classList.toggle("ap-alert", payload.alert);
    if (payload.alert) this.root.setAttribute("role", "alert");
    this.sentence.textContent = payload.sentence;
    this.detail.textContent = payload.detail;
    this.root.dataset.painted = payload.revision;
  }

  remove() {
    this.root.remove();
  }
}

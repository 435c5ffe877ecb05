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
    if (payload.alert) this.keepInSight();
    this.sentence.textContent = payload.sentence;
    this.detail.textContent = payload.detail;
    this.root.dataset.painted = payload.revision;
  }

  // What is wrong is seen however far down the page: the block of messages sticks to its top while there is one. A rule
  // with :has would say so too, and cost every change of the page.
  keepInSight() {
    this.block = this.root.closest(".st-key-messages")?.parentElement;
    this.block?.classList.add("ap-in-sight");
  }

  remove() {
    this.root.remove();
    if (!this.block?.querySelector(".ap-alert")) this.block?.classList.remove("ap-in-sight");
  }
}

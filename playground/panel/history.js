// A page that is reached through the menu begins with a bare address, and a moment later says in it what it shows. The
// two are one step: the second takes the place of the first, or "back" would lead to a bare address, which stands for
// something else. What the visitor does on the page are steps of their own.

let arriving = null; // the path of a page on which the visitor has done nothing yet

if (!window.apHistory) {
  window.apHistory = true;
  const push = window.history.pushState.bind(window.history);
  const replace = window.history.replaceState.bind(window.history);
  window.history.pushState = (state, unused, url) => {
    const before = window.location.pathname;
    const after = new URL(url ?? "", document.baseURI).pathname;
    if (after === before && after === arriving) {
      replace(state, unused, url);
    } else {
      push(state, unused, url);
    }
    arriving = after === before ? null : after;
  };
  const acts = () => (arriving = null);
  for (const kind of ["pointerdown", "keydown", "popstate"]) window.addEventListener(kind, acts, true);
}

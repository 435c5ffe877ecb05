// Links in the text stay in the tab, and take along what the address says: the visitor's experiment, and what a teacher
// has hidden or locked. Streamlit opens every link of a text in a new tab, with nothing.

const LINK = '[data-testid="stMarkdownContainer"] a[href]';

function follow(event) {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.(LINK);
  if (!link || link.origin !== location.origin || link.hash || link.pathname.includes("/download/")) return;
  event.preventDefault();
  location.assign(link.pathname + (link.search || location.search));
}

if (!window.apLinks) {
  window.apLinks = true;
  document.addEventListener("click", follow, true);
}

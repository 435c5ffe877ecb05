// What all panels of the page share: the token that is pointed at, and the cell whose arithmetic is open.

const listeners = new Set();
export const shared = { query: null, key: null, cell: null };

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const listener of listeners) listener(shared);
}

export function point(query, key) {
  if (shared.query === query && shared.key === key) return;
  shared.query = query;
  shared.key = key;
  tell();
}

export function choose(cell) {
  shared.cell = cell;
  tell();
}

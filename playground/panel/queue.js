// Who draws when. A change reaches all panels of the page at once: those on the screen draw first and are painted,
// the others follow one at a time, so that a page of many pictures answers as fast as a page of one.

const waiting = new Set();
let running = false;

export function enqueue(view) {
  waiting.add(view);
  if (running) return;
  running = true;
  queueMicrotask(run);
}

export function dequeue(view) {
  waiting.delete(view);
}

async function run() {
  while (waiting.size) {
    const [view, distance] = nearest();
    if (distance > 0) await nextTask();
    if (waiting.delete(view)) await view.draw();
  }
  running = false;
}

function nearest() {
  let best = [null, Infinity];
  for (const view of waiting) {
    const { top, bottom } = view.root.getBoundingClientRect();
    const distance = Math.max(0, top - innerHeight, -bottom);
    if (distance < best[1]) best = [view, distance];
  }
  return best[0] ? best : [waiting.values().next().value, 0];
}

// After the browser has painted and heard what the visitor did meanwhile.
function nextTask() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

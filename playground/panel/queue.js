// Who draws when. A change reaches all panels of the page at once. Those on the screen draw at once; the others wait
// until nothing has changed for a moment, then follow one at a time: a page of many pictures answers as fast as a page
// of one, however quickly a slider moves.

const QUIET = 150; // milliseconds without a change before what is out of sight is drawn
const waiting = new Set();
let running = false;
let newest = null; // whose picture is on its way to the screen
let onScreen = Promise.resolve(); // when it is there
let changed = 0;
let wake = () => {};

export function enqueue(view) {
  changed = performance.now();
  waiting.add(view);
  view.root.setAttribute("aria-busy", "true");
  wake();
  if (running) return;
  running = true;
  queueMicrotask(run);
}

export function dequeue(view) {
  waiting.delete(view);
}

// A waiting panel has come into sight: its turn is now.
export function hurry(view) {
  if (waiting.has(view)) wake();
}

async function run() {
  while (waiting.size) {
    const [view, distance] = nearest();
    if (distance > 0) {
      const rest = changed + QUIET - performance.now();
      if (rest > 0) {
        await sleep(rest); // cut short by another change, or by a panel that comes into sight
        continue;
      }
    }
    if (newest && newest !== view) {
      await onScreen; // before another takes the processor
      continue; // what is nearest may be another now
    }
    waiting.delete(view);
    await view.draw().catch((error) => console.error(error)); // the others have their turn all the same
    if (!waiting.has(view)) view.root.removeAttribute("aria-busy");
    newest = view;
    onScreen = shown(distance > 0 ? 1 : 2).then(() => newest === view && (newest = null));
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

function sleep(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

// After the browser has painted this many frames, and heard what the visitor did meanwhile. The second frame begins
// when the first is on the screen.
async function shown(frames) {
  for (; frames > 0; frames--) await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

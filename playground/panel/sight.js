// Which pictures are out of sight. Python leaves out what they would be sent until they come near the screen again: a
// page of many pictures costs the server, and everybody it serves, no more than those that somebody looks at.
//
// The first pictures of a page all come. Only when a change has brought new ones to panels that nobody sees is Python
// told which they are; and at once when one of those comes near.

const QUIET = 500; // milliseconds without news before Python is told

const views = new Set();
let told = new Set(); // the panels that Python leaves out
let more = false; // whether others are to be left out too
let timer = null;

export function enter(view) {
  views.add(view);
}

export function leave(view) {
  views.delete(view);
}

// A new picture came for a panel that nobody sees.
export function unseen() {
  more = true;
  clearTimeout(timer);
  timer = setTimeout(tell, QUIET);
}

// A panel without its picture has come near; others that come with it are told with it.
export function wanted() {
  clearTimeout(timer);
  timer = setTimeout(tell, 20);
}

function tell() {
  const here = [...views].filter((view) => view.root.isConnected && view.latest);
  const far = here.filter((view) => view.near === false && !view.latest.large && !view.painter);
  // What has its picture and is left behind keeps it: it is of the present until the next change.
  const keys = far.map((view) => view.latest.id).filter((key) => more || told.has(key));
  told = new Set(keys);
  more = false;
  here[0]?.send.far(keys);
}

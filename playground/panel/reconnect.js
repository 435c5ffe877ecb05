// After a broken connection the page asks the server, once, to run its script: Streamlit itself waits for the next
// change. A server that was restarted, or has forgotten the session, has until then no page that a change or a click
// could belong to, and would take the address, as it was before, for what the visitor wants.

const STATE = "data-test-connection-state";
const CONNECTED = "CONNECTED";

let ask = null;
let watched = null;

// `send` reaches the server; the newest one is kept, because older panels may have gone.
export function afterReconnect(send) {
  ask = send;
  const app = document.querySelector(`[${STATE}]`);
  if (!app || app === watched) return;
  watched = app;
  let before = app.getAttribute(STATE);
  new MutationObserver(() => {
    const now = app.getAttribute(STATE);
    if (now === CONNECTED && before !== CONNECTED) ask();
    before = now;
  }).observe(app, { attributeFilter: [STATE] });
}

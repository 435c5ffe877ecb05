// Streamlit fades what a run has not drawn again yet: each element by itself, from the first moment, which costs the
// browser more than to draw them. Here they fade only in a run that takes long: see the rule for ap-slow in frame.py.

const LONG = 400; // milliseconds, after which Streamlit's own fading begins, half a second later

const app = document.querySelector('[data-testid="stApp"]');
const page = document.documentElement;
let timer = null;

function tell() {
  clearTimeout(timer);
  if (app.dataset.testScriptState === "running") timer = setTimeout(() => page.classList.add("ap-slow"), LONG);
  else if (page.classList.contains("ap-slow")) page.classList.remove("ap-slow");
}

if (app) {
  new MutationObserver(tell).observe(app, { attributeFilter: ["data-test-script-state"] });
  tell();
}

// plotly.js, loaded once for the page from the address that Python names.

let loading = null;

export function plotly(path) {
  loading ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly);
    const script = document.createElement("script");
    script.src = new URL(path, document.baseURI).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null; // the next panel tries again
      reject(new Error(`plotly.js did not load from ${script.src}`));
    };
    document.head.appendChild(script);
  });
  return loading;
}

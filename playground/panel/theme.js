// The page's colours, read from Streamlit, and the colour that a word keeps through all stages.

let known = null;

// Asking the browser for styles makes it lay out the page, and the panels of one update all have the same: ask once.
export function theme(element) {
  if (!known) {
    known = read(element);
    setTimeout(() => (known = null));
  }
  return known;
}

function read(element) {
  const style = getComputedStyle(element);
  const value = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const background = value("--st-background-color", "#ffffff");
  return {
    dark: luminance(background) < 0.4,
    background,
    text: value("--st-text-color", "#1b1f24"),
    accent: value("--st-primary-color", "#1f5fa8"),
    font: value("--st-font", "sans-serif"),
  };
}

const luminances = new Map();

function luminance(colour) {
  if (!luminances.has(colour)) luminances.set(colour, measured(colour));
  return luminances.get(colour);
}

function measured(colour) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

// The same word has the same colour wherever it stands. 137.5 degrees is the golden angle: neighbours differ most.
export function tokenColours(tokens, dark) {
  const first = new Map();
  return tokens.map((token) => {
    if (!first.has(token)) first.set(token, first.size);
    return `hsl(${((first.get(token) * 137.5) % 360).toFixed(0)} 42% ${dark ? 62 : 52}%)`;
  });
}

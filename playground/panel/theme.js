// The page's colours, read from Streamlit, and the colour that a word keeps through all stages.

export function theme(element) {
  const style = getComputedStyle(element);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const background = read("--st-background-color", "#ffffff");
  return {
    dark: luminance(background) < 0.4,
    background,
    text: read("--st-text-color", "#1b1f24"),
    accent: read("--st-primary-color", "#1f5fa8"),
    font: read("--st-font", "sans-serif"),
  };
}

function luminance(colour) {
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

// A picture to keep: what is on the screen without the empty paper round it, and above it what it shows and of which
// sentence, since a file stands alone.

const EDGE = 10; // pixels of paper beside the words
const LINES = [
  { size: 14, height: 22 }, // what is shown
  { size: 11, height: 17 }, // the sentence
];

// `area` is where the cells lie in `plot`; `caption` holds the title and, where it is short, the sentence.
export function picture(plot, { area, colours, caption, signs }) {
  const { margin, annotations, xaxis, yaxis, ...layout } = plot.layout;
  const width = Math.ceil(margin.l + (area.right - area.left) + margin.r);
  const room = Math.max(width, layout.width);
  const lines = LINES.map((line, at) => ({ ...line, text: caption[at] ?? "" })).filter(
    // A sentence that finds no room is left out: the tokens stand beside the cells.
    (line, at) => line.text && (at === 0 || wide(line, colours.font) <= room),
  );
  const above = lines.reduce((sum, line) => sum + line.height, lines.length ? EDGE : 0);
  const top = margin.t + above;
  const words = lines.map((line, at) => ({
    text: line.text,
    font: { size: line.size },
    showarrow: false,
    xref: "paper",
    yref: "paper",
    x: 0,
    y: 1,
    xanchor: "left",
    yanchor: "top",
    align: "left",
    xshift: EDGE - margin.l,
    yshift: top - EDGE / 2 - lines.slice(0, at).reduce((sum, before) => sum + before.height, 0),
  }));
  const data = plot.data.map((trace) =>
    trace.colorbar ? { ...trace, colorbar: { ...trace.colorbar, ypad: trace.colorbar.ypad + above } } : trace,
  );
  return {
    data,
    layout: {
      ...layout,
      margin: { ...margin, t: top },
      width: Math.max(width, ...lines.map((line) => Math.min(room, Math.ceil(wide(line, colours.font))))),
      height: Math.ceil(top + (area.bottom - area.top) + margin.b),
      // Where cells stay square Plotly notes in its input which part of the paper they took there.
      xaxis: { ...xaxis, domain: [0, 1] },
      yaxis: { ...yaxis, domain: [0, 1] },
      paper_bgcolor: colours.background,
      annotations: [...(annotations ?? []), ...signs, ...words],
    },
  };
}

function wide({ text, size }, font) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = `${size}px ${font}`;
  return context.measureText(text).width + 2 * EDGE;
}

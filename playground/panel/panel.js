// The panel: what Streamlit mounts. It unpacks what Python sent and hands it to the kind of drawing asked for.
// Streamlit calls `panel` again, on the same element, whenever the data or the theme changes.

import { unpack } from "./unpack.js";
import { Bars } from "./bars.js";
import { Heatmap } from "./heatmap.js";
import { Chips } from "./chips.js";
import { Plot } from "./plot.js";
import "./history.js";
import "./links.js";
import "./slow.js";
import { afterReconnect } from "./reconnect.js";
import { Statement } from "./statement.js";
import { Table } from "./table.js";

const KINDS = { heatmap: Heatmap, bars: Bars, chips: Chips, plot: Plot, statement: Statement, table: Table };
const panels = new WeakMap();

export default function panel(component) {
  const host = component.parentElement;
  const payload = unpack(component.data);
  let view = panels.get(host);
  if (!view || !(view instanceof KINDS[payload.kind])) {
    view?.remove();
    const root = document.createElement("div");
    root.className = `ap ap-${payload.kind}`;
    host.appendChild(root);
    view = new KINDS[payload.kind](root);
    panels.set(host, view);
  }
  // The functions that reach Python belong to this call; a view keeps the newest.
  view.send = {
    cell: (cell) => component.setTriggerValue("cell", cell),
    near: (near) => component.setStateValue("near", near),
    mask: (mask) => component.setStateValue("mask", mask),
    far: (far) => component.setStateValue("far", far),
    narrow: (narrow) => component.setStateValue("narrow", narrow),
  };
  afterReconnect(() => component.setTriggerValue("back", true));
  view.update(payload);
  // Streamlit also cleans up after a call that a newer one has overtaken, and then the view is still in use: it goes
  // only when its place on the page is gone.
  return () =>
    setTimeout(() => {
      if (host.isConnected) return;
      view.remove();
      panels.delete(host);
    });
}

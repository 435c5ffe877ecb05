// New numbers in a picture that is otherwise the same, as while a slider moves: Plotly draws the cells alone.
//
// `Plotly.react` would draw every label, title and frame again: ten times the work, before the visitor sees the first
// number. What is done here is its last part, in its own order (calcdata, then the plot of the subplots); where a
// release of Plotly keeps these things elsewhere, `swap` says no and the whole picture is drawn.

export function swap(plot, z) {
  const full = plot._fullData?.[0];
  const calc = full?._module?.calc;
  const subplots = plot._fullLayout?._basePlotModules?.find(({ name }) => name === "cartesian");
  const before = plot.calcdata?.[0]?.[0];
  if (!calc || !subplots?.plot || before?.trace !== full) return false;
  plot.data[0].z = full.z = z;
  const [cells] = calc(plot, full);
  plot.calcdata[0] = [Object.assign(cells, { trace: full, t: before.t })];
  subplots.plot(plot);
  return true;
}

// All of a picture but its numbers, to tell whether they are what is new.
export function allBut(z, ...parts) {
  return JSON.stringify(parts, (_, value) => (value === z ? null : value));
}

// The numbers of a picture as CSV, a line each, for pictures whose numbers no link of the server gives: of a comparison,
// of a mask, of a lesson. The columns are those that attention_viz/tables.py writes; a label stands as it is shown, "␣" for
// a space, and a number has the digits that give back its float32.

export function csvOf({ figure, meta }) {
  const { blocks, rows, cols, rows_are: rowsAre, cols_are: colsAre, row_labels: down, col_labels: across } = meta;
  const z = figure.data[0].z;
  const heads = blocks.length > 1 || blocks[0].head !== null;
  const lines = [[...(heads ? ["head"] : []), `${rowsAre}_index`, rowsAre, `${colsAre}_index`, colsAre, "value"]];
  for (const block of blocks)
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++) {
        const value = z[block.y0 + row][block.x0 + col];
        const number = Number.isFinite(value) ? digits(value) : meta.gap === "-inf" ? "-inf" : "NaN";
        const head = heads ? [block.head ?? 0] : [];
        lines.push([...head, row, cell(down[row] ?? row), col, cell(across[col] ?? col), number]);
      }
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}

function digits(value) {
  for (const most of [6, 7, 8, 9]) {
    const text = String(Number(value.toPrecision(most)));
    if (Math.fround(text) === value) return text;
  }
  return String(value);
}

// What a spreadsheet would run as a formula gets a ' in front: the same list as in tables.py, full-width signs and a line
// break among it. RFC 4180 says what stands in quotes.
function cell(label) {
  let text = Array.isArray(label) ? label.join("-") : String(label);
  if (/^[=+\-@\t\r\n＝＋－＠]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The wire format: 4 bytes length of the header, the header as JSON, zeros up to a multiple of 4, then float32 numbers.
// A matrix stands in the header as {"$f32": [offset in numbers, rows, columns]}; Plotly takes the typed rows as they are.

export function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  const start = 4 * Math.ceil((4 + length) / 4);
  // A Float32Array must begin at a multiple of 4, and the message's own buffer promises no such thing: copy.
  const numbers = new Float32Array(bytes.slice(start).buffer);
  return JSON.parse(header, (_, value) => {
    const at = value?.$f32;
    if (!at) return value;
    const [offset, rows, columns] = at;
    return Array.from({ length: rows }, (_, i) => numbers.subarray(offset + i * columns, offset + (i + 1) * columns));
  });
}

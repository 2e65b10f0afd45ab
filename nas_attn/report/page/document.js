// The page's own program: its rows are one document, which charts, drawing, map and tables share.
const byId = (id) => document.getElementById(id);
const packed = Uint8Array.from(atob(byId("document").textContent.trim()), (sign) => sign.charCodeAt(0));
const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const data = JSON.parse(await new Response(unpacked).text());
const measures = Object.fromEntries(data.measures.map((one) => [one.name, one]));
const rows = data.keys.map((_, row) => row);
const drawn = rows.filter((row) => data.standings[row] !== null);
const rowOf = new Map(drawn.map((row) => [data.keys[row], row]));
const MANY = 1500; // networks, from which a chart is painted as one picture
const PAGE = 100; // rows that a table shows at a time

const head = (one) => (one.unit ? `${one.title} (${one.unit})` : one.title);
const text = (name, row) => data.texts[name][row];
const cell = (name, row) =>
  measures[name].unit ? text(name, row).replace(` ${measures[name].unit}`, "") : text(name, row);
const spelling = (row) => data.architectures[row].map((part) => data.parts[part].text).join(" ");
const cellsOf = (row) => new Set(data.architectures[row].flatMap((part) => data.parts[part].cells));
const state = { key: byId("chosen")?.dataset.key ?? "", placed: "" };
const views = {};

function made(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

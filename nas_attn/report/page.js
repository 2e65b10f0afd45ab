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
const cell = (name, row) => (measures[name].unit ? text(name, row).replace(` ${measures[name].unit}`, "") : text(name, row));
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

// Charts ------------------------------------------------------------------------------------------------------------

const THEME = {
  "#0072b2": "--blue", "#56b4e9": "--sky", "#8a8f98": "--grey", "#009e73": "--green", "#d55e00": "--red", "#22262b": "--ink",
  "#555b64": "--pale", "#444a52": "--axis", "#e9ecef": "--grid", "#9aa0a6": "--grey",
};
const tinted = (name, still) => (still ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : `var(${name})`);

function themed(specification, tokens, still) {
  let written = JSON.stringify(specification);
  for (const [token, value] of Object.entries(tokens)) written = written.replaceAll(JSON.stringify(token), JSON.stringify(value));
  written = written.replace(/"(#[0-9a-f]{6})"/gi, (all, colour) => (THEME[colour.toLowerCase()] ? `"${tinted(THEME[colour.toLowerCase()], still)}"` : all));
  written = written.replaceAll('"background":"white"', '"background":"transparent"').replaceAll('{"value":"white"}', `{"value":"${tinted("--rim", still)}"}`);
  return JSON.parse(written);
}

async function draw(place, datasets = {}, tokens = {}) {
  const still = Object.values(datasets).some((values) => values.length > MANY);
  const specification = themed(JSON.parse(byId(`${place}-specification`).textContent), tokens, still);
  const has = (name) => {
    const [field, from = "networks"] = name.split(".").slice(1).reverse();
    return (datasets[from] ?? []).some((record) => (record[field] ?? "") !== "");
  };
  if (specification.layer) specification.layer = specification.layer.filter((one) => !one.name?.startsWith("needs.") || has(one.name)).map(({ name, ...one }) => (name?.startsWith("needs.") ? one : { ...one, name }));
  const options = { mode: "vega-lite", renderer: still ? "canvas" : "svg", actions: false };
  const { view } = await window.vegaEmbed(`#${place}`, { ...specification, datasets: { ...specification.datasets, ...datasets } }, options);
  view.addEventListener("click", (_, item) => {
    const datum = item?.datum?.datum ?? item?.datum;
    const key = datum?.key ?? datum?.tooltip?.Key;
    if (rowOf.has(key)) choose(key);
  });
  views[place] = view;
  return view;
}

const axis = { across: "", up: "" };
const tokens = () => Object.fromEntries(["across", "up"].flatMap((way) => {
  const one = measures[axis[way]], token = way === "up" ? "@y" : "@x";
  return [[token, one.unit === "%" ? one.title : head(one)], [`${token}format`, one.ticks]];
}));

const told = (row) => ({
  Key: data.keys[row], Architecture: spelling(row), ...Object.fromEntries(data.measures.map((one) => [one.title, text(one.name, row)])),
  Standing: data.standings[row], ...(data.roles[row] === data.standings[row] ? {} : { Role: data.roles[row] }),
});

function shownNow() {
  return drawn.filter((row) => data.values[axis.across][row] !== null && data.values[axis.up][row] !== null);
}

function networks() {
  const across = shownNow().map((row) => data.values[axis.across][row]), middle = (Math.min(...across) + Math.max(...across)) / 2;
  return shownNow().map((row) => {
    const [x, y] = [axis.across, axis.up].map((name) => data.values[name][row]);
    const [xs, ys] = [axis.across, axis.up].map((name) => data.ends[name]?.[row] ?? [null, null]);
    const plain = spelling(row) === "none" && data.roles[row] !== "width-matched baseline";
    return { key: data.keys[row], x, y, x0: xs[0], x1: xs[1], y0: ys[0], y1: ys[1], standing: data.standings[row],
      role: data.roles[row], tooltip: told(row), ...(plain ? { [x > middle ? "right" : "left"]: "plain backbone" } : {}) };
  }).sort((one, other) => (one.standing === "on the front") - (other.standing === "on the front"));
}

function steps() {
  const ends = data.lines[`${axis.across} ${axis.up}`] ?? [], less = measures[axis.across].better === "min";
  const corners = ends.flatMap(([x, y], at) => {
    const [nextX, nextY] = ends[at + 1] ?? [];
    return at + 1 === ends.length ? [[x, y]] : less ? [[x, y], [nextX, y]] : [[x, y], [x, nextY]];
  });
  return corners.map(([x, y], number) => ({ number, x, y }));
}

const limits = () => Object.entries(data.limits).flatMap(([name, limit]) => (name === axis.across ? [{ x: limit }] : name === axis.up ? [{ y: limit }] : []));

async function explore() {
  const view = await draw("explorer", { networks: networks(), steps: steps(), limits: limits() }, tokens());
  byId("explorer").setAttribute("aria-label", `${measures[axis.up].title} against ${measures[axis.across].title} of ${shownNow().length} networks`);
  mark();
  return view;
}

function searched() {
  const order = drawn.filter((row) => data.roles[row] !== "width-matched baseline" && data.values[axis.up][row] !== null);
  const sign = measures[axis.up].better === "max" ? 1 : -1;
  let best = -Infinity;
  const line = order.map((row, at) => ({ number: at + 1, y: sign * (best = Math.max(best, sign * data.values[axis.up][row])) }));
  const trained = order.map((row, at) => ({ key: data.keys[row], number: at + 1, y: data.values[axis.up][row], standing: data.standings[row], tooltip: told(row) }));
  return draw("progress", { trained, best: line }, tokens());
}

// What is chosen -----------------------------------------------------------------------------------------------------

function choose(key) {
  state.key = key;
  show();
}

function place(what) {
  state.placed = state.placed === what ? "" : what;
  mark();
  list();
}

function mark() {
  const having = state.placed ? drawn.filter((row) => cellsOf(row).has(state.placed)).map((row) => data.keys[row]) : [];
  const found = state.placed && !having.length ? [""] : having;
  views.explorer?.signal("chosen", state.key).signal("placed", found).runAsync();
  const note = byId("placed");
  if (note) {
    note.hidden = !state.placed;
    note.firstElementChild.textContent = `${having.length} of them ${having.length === 1 ? "has" : "have"} ${state.placed}.`;
  }
  const own = rowOf.has(state.key) ? cellsOf(rowOf.get(state.key)) : new Set();
  for (const button of document.querySelectorAll("[data-cell]")) {
    button.classList.toggle("has", own.has(button.dataset.cell));
    button.setAttribute("aria-pressed", button.dataset.cell === state.placed);
  }
  for (const line of document.querySelectorAll("tr[data-key]")) line.classList.toggle("chosen", line.dataset.key === state.key);
}

function show() {
  const row = rowOf.get(state.key);
  if (row === undefined) return;
  byId("chosen").textContent = state.key;
  byId("chosen").dataset.key = state.key;
  const said = Object.entries(told(row)).filter(([name]) => name !== "Key");
  const value = (name, words) => (name === "Architecture" ? coded(row) : words);
  byId("chosen-values").replaceChildren(...said.flatMap(([name, words]) => [made("dt", {}, name), made("dd", {}, value(name, words))]));
  byId("said").textContent = said.map(([name, value]) => `${name}: ${value}`).join("; ");
  redraw(row);
  mark();
}

function redraw(row) {
  const drawing = byId("drawing").querySelector("svg");
  for (const chip of drawing.querySelectorAll(".chip")) chip.remove();
  drawing.setAttribute("aria-label", spelling(row));
  const lines = new Map([...drawing.querySelectorAll("[data-site]")].map((line) => [line.dataset.site, line]));
  for (const part of data.architectures[row].map((number) => data.parts[number])) {
    part.sites.forEach((site, at) => {
      const chip = byId("chip").content.querySelector(".chip").cloneNode(true);
      chip.setAttribute("class", `chip k${data.kinds.indexOf(part.kind) % 10}`);
      for (const [name, value] of [["title", `${part.text}  ${part.prices[at]}`], [".kind", part.label], [".options", part.options], [".price", part.prices[at]]])
        chip.querySelector(name).textContent = value;
      lines.get(site)?.append(chip);
    });
  }
  active(drawing);
}

function active(drawing) {
  for (const chip of drawing.querySelectorAll(".chip")) {
    const site = chip.closest("[data-site]").dataset.site;
    const part = data.architectures[rowOf.get(state.key)].map((number) => data.parts[number]).find((one) => one.sites.includes(site));
    if (!part) continue;
    const what = part.cells[part.sites.indexOf(site)];
    chip.setAttribute("tabindex", "0");
    chip.setAttribute("role", "button");
    chip.setAttribute("aria-label", `${what}: show the networks that have it`);
    chip.addEventListener("click", () => place(what));
    chip.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); place(what); }
    });
  }
}

// Every row ----------------------------------------------------------------------------------------------------------

const table = { by: "", down: true, shown: PAGE };
const columns = [...data.measures.map((one) => ({ title: head(one), number: true, text: (row) => cell(one.name, row), value: (row) => data.values[one.name][row], down: one.better === "max" })),
  ...Object.entries(data.words).map(([title, words]) => ({ title, text: (row) => words[row], value: (row) => words[row], number: title === "Seeds", down: false }))];
const spelt = { title: "Architecture", text: spelling, value: spelling, down: false };
const key = { title: "Key", text: (row) => data.keys[row], value: (row) => data.keys[row], down: false };
const all = [key, ...columns, spelt];
const collated = new Intl.Collator("en", { numeric: true });
let searchable = null;

function found() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  searchable ??= rows.map((row) => all.map((one) => one.text(row)).join(" ").toLowerCase());
  let kept = rows.filter((row) => words.every((word) => searchable[row].includes(word)));
  if (state.placed) kept = kept.filter((row) => cellsOf(row).has(state.placed));
  const column = all.find((one) => one.title === table.by);
  if (!column) return kept;
  const sign = table.down ? -1 : 1;
  return kept.sort((one, other) => {
    const [a, b] = [column.value(one), column.value(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : collated.compare(a, b));
  });
}

function heads() {
  byId("rows").tHead.replaceChildren(made("tr", {}, ...all.map((one) => {
    const sorted = table.by === one.title ? (table.down ? "descending" : "ascending") : "none";
    const button = made("button", { type: "button" }, one.title);
    button.addEventListener("click", () => {
      Object.assign(table, { down: table.by === one.title ? !table.down : one.down, by: one.title });
      const place = all.indexOf(one);
      list();
      byId("rows").tHead.querySelectorAll("button")[place].focus();
    });
    return made("th", { scope: "col", "aria-sort": sorted, ...(one.number ? { class: "number" } : {}) }, button);
  })));
}

function coded(row) {
  const parts = data.architectures[row].map((number) => {
    const [site, ...kind] = data.parts[number].text.split("=");
    return made("i", {}, ...(kind.length ? [`${site}=`, made("wbr"), kind.join("=")] : [site]));
  });
  return made("code", {}, ...parts.flatMap((part) => [part, " "]));
}

function line(row) {
  const button = made("button", { type: "button", "data-key": data.keys[row] }, data.keys[row]);
  return made("tr", { "data-key": data.keys[row] }, made("th", { scope: "row", class: "key" }, rowOf.has(data.keys[row]) ? button : data.keys[row]),
    ...columns.map((one) => made("td", { class: one.number ? "number" : "word" }, one.text(row))), made("td", { class: "spelling" }, coded(row)));
}

function list() {
  const kept = found(), shown = kept.slice(0, table.shown);
  heads();
  byId("rows").tBodies[0].replaceChildren(...shown.map(line));
  const count = (number) => `${number.toLocaleString("en")} ${number === 1 ? "row" : "rows"}`;
  byId("counted").textContent = kept.length === rows.length ? count(rows.length) : `${kept.length.toLocaleString("en")} of ${count(rows.length)}`;
  byId("more").hidden = kept.length <= table.shown;
  byId("more").textContent = `Show ${Math.min(10 * PAGE, kept.length - shown.length).toLocaleString("en")} more of ${(kept.length - shown.length).toLocaleString("en")}`;
  mark();
}

// What somebody does -------------------------------------------------------------------------------------------------

byId("filter").addEventListener("input", () => { table.shown = PAGE; list(); });
byId("more").addEventListener("click", () => { table.shown += 10 * PAGE; list(); });
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-key]"), cellButton = event.target.closest("button[data-cell]");
  if (button) choose(button.dataset.key);
  if (cellButton) place(cellButton.dataset.cell);
});
window.addEventListener("beforeprint", () => {
  for (const more of document.querySelectorAll("details")) more.open = true;
  table.shown = rows.length;
  list();
});

function walk(event) {
  const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!way && event.key !== "Home" && event.key !== "End") return;
  event.preventDefault();
  const order = shownNow().sort((one, other) => data.values[axis.across][one] - data.values[axis.across][other] || data.values[axis.up][one] - data.values[axis.up][other]);
  const at = order.indexOf(rowOf.get(state.key));
  const next = event.key === "Home" ? 0 : event.key === "End" ? order.length - 1 : Math.min(order.length - 1, Math.max(0, at + way));
  choose(data.keys[order[next]]);
}

const GLYPHS = { circle: '<circle cx="6" cy="6" r="5"/>', diamond: '<path d="M6 0 12 6 6 12 0 6z"/>', triangle: '<path d="M6 0 12 11H0z"/>' };

function legend() {
  const entry = (glyph, colour, words) => {
    const item = made("li");
    item.innerHTML = `<svg viewBox="0 0 12 12" aria-hidden="true" fill="var(${colour})">${GLYPHS[glyph]}</svg>`;
    item.append(words);
    return item;
  };
  const standing = [["on the front", "--blue"], ["undecided", "--sky"], ["not on the front", "--grey"], ["width-matched baseline", "--green"]];
  const there = new Set(drawn.map((row) => data.standings[row]));
  byId("legend").append(...standing.filter(([word]) => there.has(word)).map(([word, colour]) => entry(word === "width-matched baseline" ? "triangle" : "circle", colour, word)));
  if (drawn.some((row) => data.roles[row] === "baseline")) byId("legend").append(entry("diamond", "--ink", "baseline"));
}

function begin() {
  [axis.up, axis.across] = [data.objectives[0], data.objectives[1] ?? data.measures.find((one) => one.name !== data.objectives[0])?.name ?? data.objectives[0]];
  for (const way of ["up", "across"]) {
    byId(way).append(...data.measures.map((one) => made("option", { value: one.name, ...(one.name === axis[way] ? { selected: "" } : {}) }, one.title)));
    byId(way).addEventListener("change", () => { axis[way] = byId(way).value; explore(); searched(); });
  }
  byId("placed").querySelector("button").addEventListener("click", () => place(state.placed));
  byId("explorer").addEventListener("keydown", walk);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.length > MANY && Promise.all([explore(), searched()]));
  legend();
}

list();
if (byId("explorer")) {
  begin();
  show();
  for (const place of ["verdict", "claims", "audit", "volumes"]) if (byId(place)) draw(place);
  await Promise.all([explore(), searched()]);
}
document.documentElement.dataset.drawn = "true";

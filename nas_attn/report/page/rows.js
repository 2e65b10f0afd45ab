// Every row, to sort and to filter.

const table = { by: null, down: true, shown: PAGE };
const columns = [
  ...data.measures.map((one) => ({
    title: head(one),
    number: true,
    text: (row) => cell(one.name, row),
    value: (row) => data.values[one.name][row],
    down: one.better === "max",
  })),
  ...Object.entries(data.words).map(([title, words]) => ({
    title,
    text: (row) => words[row],
    value: (row) => words[row],
    number: title === "Seeds",
    down: false,
  })),
];
if (data.curves)
  columns.push({
    title: "Learning curve",
    text: () => "",
    value: (row) => data.curves.lines[row]?.find((line) => line)?.findLast((value) => value !== null) ?? null,
    cell: (row) => (data.curves.lines[row] ? curve(row) : made("span", { class: "empty" }, "-")),
    down: false,
  });
const spelt = { title: "Architecture", text: spelling, value: spelling, down: false };
const key = { title: "Key", text: (row) => data.keys[row], value: (row) => data.keys[row], down: false };
const all = [key, ...columns, spelt];
const collated = new Intl.Collator("en", { numeric: true });
let searchable = null;

function found() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  searchable ??= rows.map((row) =>
    all
      .map((one) => one.text(row))
      .join(" ")
      .toLowerCase(),
  );
  let kept = rows.filter((row) => words.every((word) => searchable[row].includes(word)));
  if (state.placed) kept = kept.filter((row) => cellsOf(row).has(state.placed));
  if (!table.by) return kept;
  const sign = table.down ? -1 : 1;
  return kept.sort((one, other) => {
    const [a, b] = [table.by.value(one), table.by.value(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : collated.compare(a, b));
  });
}

function heads() {
  byId("rows").tHead.replaceChildren(
    made(
      "tr",
      {},
      ...all.map((one) => {
        const sorted = table.by === one ? (table.down ? "descending" : "ascending") : "none";
        const button = made("button", { type: "button" }, one.title);
        button.addEventListener("click", () => {
          Object.assign(table, { down: table.by === one ? !table.down : one.down, by: one });
          const place = all.indexOf(one);
          list();
          byId("rows").tHead.querySelectorAll("button")[place].focus();
        });
        return made("th", { scope: "col", "aria-sort": sorted, ...(one.number ? { class: "number" } : {}) }, button);
      }),
    ),
  );
}

function coded(row) {
  const parts = data.architectures[row].map((number) => {
    const [site, ...kind] = data.parts[number].text.split("=");
    return made("i", {}, ...(kind.length ? [`${site}=`, made("wbr"), kind.join("=")] : [site]));
  });
  return made("code", {}, ...parts.flatMap((part) => [part, " "]));
}

function curve(row) {
  const epochs = data.curves.epochs[row];
  const lines = data.curves.lines[row].map((values, number) => ({ ...data.curves.measures[number], values }));
  const known = lines.filter((one) => one.values);
  const apart = known.some((one) => one.loss) ? known.filter((one) => one.loss) : known.slice(0, 1);
  const seen = apart.flatMap((one) => one.values.filter((value) => value !== null));
  const [low, high, last] = [Math.min(...seen), Math.max(...seen), epochs.at(-1)];
  const node = made("div");
  node.innerHTML = '<svg class="curve" viewBox="-2 -2 104 28" role="img"><title></title></svg>';
  for (const one of apart) {
    const points = one.values.flatMap((value, at) =>
      value === null
        ? []
        : [`${((100 * (epochs[at] - 1)) / Math.max(1, last - 1)).toFixed(1)} ${(24 * (1 - (value - low) / (high - low || 1))).toFixed(1)}`],
    );
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${points.join("L")}`);
    path.setAttribute("class", one.training ? "training" : "validation");
    node.firstChild.append(path);
  }
  const told = known.map(
    (one) => `${one.title} by epoch: ${epochs.map((epoch, at) => `${epoch}: ${one.values[at] ?? "-"}`).join(", ")}`,
  );
  node.querySelector("title").textContent = told.join("\n");
  return node.firstChild;
}

function line(row) {
  const button = made("button", { type: "button", "data-key": data.keys[row] }, data.keys[row]);
  return made(
    "tr",
    { "data-key": data.keys[row] },
    made("th", { scope: "row", class: "key" }, rowOf.has(data.keys[row]) ? button : data.keys[row]),
    ...columns.map((one) => made("td", { class: one.number ? "number" : "word" }, one.cell ? one.cell(row) : one.text(row))),
    made("td", { class: "spelling" }, coded(row)),
  );
}

function list() {
  const kept = found();
  const shown = kept.slice(0, table.shown);
  heads();
  byId("rows").tBodies[0].replaceChildren(...shown.map(line));
  const number = (count) => count.toLocaleString("en");
  const whole = `${number(rows.length)} ${rows.length === 1 ? "row" : "rows"}`;
  byId("counted").textContent = kept.length === rows.length ? whole : `${number(kept.length)} of ${whole}`;
  const left = kept.length - shown.length;
  byId("more").hidden = !left;
  byId("more").textContent = `Show ${number(Math.min(10 * PAGE, left))} more of ${number(left)}`;
  mark();
}

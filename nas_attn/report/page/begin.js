// What somebody does, and how the page begins.

byId("filter").addEventListener("input", () => {
  table.shown = PAGE;
  list();
});
byId("more").addEventListener("click", () => {
  table.shown += 10 * PAGE;
  list();
});
document.addEventListener("click", (event) => {
  const { key, cell } = event.target.closest("button")?.dataset ?? {};
  if (key) choose(key);
  if (cell) place(cell);
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
  const order = shownNow().sort(
    (one, other) =>
      data.values[axis.across][one] - data.values[axis.across][other] ||
      data.values[axis.up][one] - data.values[axis.up][other],
  );
  const last = order.length - 1;
  const ends = { Home: 0, End: last };
  const next = ends[event.key] ?? Math.min(last, Math.max(0, order.indexOf(rowOf.get(state.key)) + way));
  choose(data.keys[order[next]]);
}

const GLYPHS = {
  circle: '<circle cx="6" cy="6" r="5"/>',
  diamond: '<path d="M6 0 12 6 6 12 0 6z"/>',
  triangle: '<path d="M6 0 12 11H0z"/>',
};

function legend() {
  const entry = (glyph, colour, words) => {
    const item = made("li");
    item.innerHTML = `<svg viewBox="0 0 12 12" aria-hidden="true" fill="var(${colour})">${GLYPHS[glyph]}</svg>`;
    item.append(words);
    return item;
  };
  const standing = [
    ["on the front", "--blue"],
    ["undecided", "--sky"],
    ["not on the front", "--grey"],
    ["width-matched baseline", "--green"],
  ];
  const there = new Set(drawn.map((row) => data.standings[row]));
  byId("legend").append(
    ...standing
      .filter(([word]) => there.has(word))
      .map(([word, colour]) => entry(word === "width-matched baseline" ? "triangle" : "circle", colour, word)),
  );
  if (drawn.some((row) => data.roles[row] === "baseline"))
    byId("legend").append(entry("diamond", "--ink", "baseline"));
}

function begin() {
  [axis.up, axis.across] = [
    data.objectives[0],
    data.objectives[1] ?? data.measures.find((one) => one.name !== data.objectives[0])?.name ?? data.objectives[0],
  ];
  for (const way of ["up", "across"]) {
    byId(way).append(
      ...data.measures.map((one) =>
        made("option", { value: one.name, ...(one.name === axis[way] ? { selected: "" } : {}) }, one.title),
      ),
    );
    byId(way).addEventListener("change", () => {
      axis[way] = byId(way).value;
      explore();
      searched();
    });
  }
  byId("along").append(
    ...ways().map((name) => made("option", { value: name }, spent(name).title.replace(/,.*/, ""))),
  );
  byId("along").addEventListener("change", searched);
  byId("placed")
    .querySelector("button")
    .addEventListener("click", () => place(state.placed));
  byId("explorer").addEventListener("keydown", walk);
  window
    .matchMedia("(prefers-color-scheme: dark)")
    .addEventListener("change", () => drawn.length > MANY && Promise.all([explore(), searched()]));
  legend();
}

list();
if (byId("explorer")) {
  begin();
  show();
  for (const place of ["verdict", "claims", "audit"]) if (byId(place)) draw(place);
  await Promise.all([explore(), searched()]);
}
document.documentElement.dataset.drawn = "true";

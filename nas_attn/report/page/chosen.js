// The chosen network, wherever it shows, and the networks that have a kind in a slot.

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
  const having = state.placed
    ? drawn.filter((row) => cellsOf(row).has(state.placed)).map((row) => data.keys[row])
    : [];
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
  for (const line of document.querySelectorAll("tr[data-key]"))
    line.classList.toggle("chosen", line.dataset.key === state.key);
}

function show() {
  const row = rowOf.get(state.key);
  if (row === undefined) return;
  byId("chosen").textContent = state.key;
  byId("chosen").dataset.key = state.key;
  const said = Object.entries(described(row)).filter(([name]) => name !== "Key");
  const value = (name, words) => (name === "Architecture" ? coded(row) : words);
  byId("chosen-values").replaceChildren(
    ...said.flatMap(([name, words]) => [made("dt", {}, name), made("dd", {}, value(name, words))]),
  );
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
      for (const [name, value] of [
        ["title", `${part.text}  ${part.prices[at]}`],
        [".kind", part.label],
        [".options", part.options],
        [".price", part.prices[at]],
      ])
        chip.querySelector(name).textContent = value;
      lines.get(site)?.append(chip);
    });
  }
  active(drawing);
}

function active(drawing) {
  for (const chip of drawing.querySelectorAll(".chip")) {
    const site = chip.closest("[data-site]").dataset.site;
    const part = data.architectures[rowOf.get(state.key)]
      .map((number) => data.parts[number])
      .find((one) => one.sites.includes(site));
    if (!part) continue;
    const what = part.cells[part.sites.indexOf(site)];
    chip.setAttribute("tabindex", "0");
    chip.setAttribute("role", "button");
    chip.setAttribute("aria-label", `${what}: show the networks that have it`);
    chip.addEventListener("click", () => place(what));
    chip.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        place(what);
      }
    });
  }
}

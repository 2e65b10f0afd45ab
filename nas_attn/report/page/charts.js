// Charts, whose data come from the document and whose colours are those of the page.

const THEME = {
  "#0072b2": "--blue",
  "#56b4e9": "--sky",
  "#8a8f98": "--grey",
  "#009e73": "--green",
  "#d55e00": "--red",
  "#22262b": "--ink",
  "#555b64": "--pale",
  "#444a52": "--axis",
  "#e9ecef": "--grid",
  "#9aa0a6": "--grey",
};
const tinted = (name, still) =>
  still ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : `var(${name})`;

function themed(specification, tokens, still) {
  let written = JSON.stringify(specification);
  for (const [token, value] of Object.entries(tokens))
    written = written.replaceAll(JSON.stringify(token), () => JSON.stringify(value));
  written = written.replace(/"(#[0-9a-f]{6})"/gi, (all, colour) =>
    THEME[colour.toLowerCase()] ? `"${tinted(THEME[colour.toLowerCase()], still)}"` : all,
  );
  written = written
    .replaceAll('"background":"white"', '"background":"transparent"')
    .replaceAll('{"value":"white"}', `{"value":"${tinted("--rim", still)}"}`);
  return JSON.parse(written);
}

function narrowed(specification) {
  const room = document.documentElement.clientWidth;
  if (room > 640 || !specification.concat) return specification;
  const labelled = JSON.stringify(specification).replace(/"labelLimit":\d{3}/g, '"labelLimit":150');
  const left = room - (labelled.includes('"labelLimit":150') ? 235 : 110);
  const made = { ...JSON.parse(labelled), columns: 1 };
  for (const panel of made.concat) panel.width = Math.min(panel.width, left);
  return made;
}

async function draw(place, datasets = {}, tokens = {}) {
  const still = Object.values(datasets).some((values) => values.length > MANY);
  const written = narrowed(JSON.parse(byId(`${place}-specification`).textContent));
  const specification = themed(written, tokens, still);
  const has = (name) => {
    const [field, from = "networks"] = name.split(".").slice(1).reverse();
    return (datasets[from] ?? []).some((record) => (record[field] ?? "") !== "");
  };
  if (specification.layer)
    specification.layer = specification.layer
      .filter((one) => !one.name?.startsWith("needs.") || has(one.name))
      .map(({ name, ...one }) => (name?.startsWith("needs.") ? one : { ...one, name }));
  const options = { mode: "vega-lite", renderer: still ? "canvas" : "svg", actions: false };
  const { view } = await window.vegaEmbed(
    `#${place}`,
    { ...specification, datasets: { ...specification.datasets, ...datasets } },
    options,
  );
  view.addEventListener("click", (_, item) => {
    const datum = item?.datum?.datum ?? item?.datum;
    const key = datum?.key ?? datum?.tooltip?.Key;
    if (rowOf.has(key)) choose(key);
  });
  views[place] = view;
  return view;
}

const axis = { across: "", up: "" };
const tokens = () =>
  Object.fromEntries(
    ["across", "up"].flatMap((way) => {
      const one = measures[axis[way]];
      const token = way === "up" ? "@y" : "@x";
      return [
        [token, one.unit === "%" ? one.title : head(one)],
        [`${token}format`, one.ticks],
      ];
    }),
  );

const described = (row) => ({
  Key: data.keys[row],
  Architecture: spelling(row),
  ...Object.fromEntries(data.measures.map((one) => [one.title, text(one.name, row)])),
  Standing: data.standings[row],
  ...(data.roles[row] === data.standings[row] ? {} : { Role: data.roles[row] }),
});

function shownNow() {
  return drawn.filter((row) => data.values[axis.across][row] !== null && data.values[axis.up][row] !== null);
}

function networks() {
  const across = shownNow().map((row) => data.values[axis.across][row]);
  const middle = (Math.min(...across) + Math.max(...across)) / 2;
  return shownNow()
    .map((row) => {
      const [x, y] = [axis.across, axis.up].map((name) => data.values[name][row]);
      const [xs, ys] = [axis.across, axis.up].map((name) => data.ends[name]?.[row] ?? [null, null]);
      const plain = spelling(row) === "none" && data.roles[row] !== "width-matched baseline";
      return {
        key: data.keys[row],
        x,
        y,
        x0: xs[0],
        x1: xs[1],
        y0: ys[0],
        y1: ys[1],
        standing: data.standings[row],
        role: data.roles[row],
        tooltip: described(row),
        ...(plain ? { [x > middle ? "right" : "left"]: "plain backbone" } : {}),
      };
    })
    .sort((one, other) => (one.standing === "on the front") - (other.standing === "on the front"));
}

function steps() {
  const ends = data.lines[`${axis.across} ${axis.up}`] ?? [];
  const less = measures[axis.across].better === "min";
  const corners = ends.flatMap(([x, y], at) => {
    const next = ends[at + 1];
    return next ? [{ x, y }, less ? { x: next[0], y } : { x, y: next[1] }] : [{ x, y }];
  });
  return corners.map((corner, number) => ({ number, ...corner }));
}

const limits = () =>
  Object.entries(data.limits).flatMap(([name, limit]) =>
    name === axis.across ? [{ x: limit }] : name === axis.up ? [{ y: limit }] : [],
  );

async function explore() {
  const view = await draw("explorer", { networks: networks(), steps: steps(), limits: limits() }, tokens());
  byId("explorer").setAttribute(
    "aria-label",
    `${measures[axis.up].title} against ${measures[axis.across].title} of ${shownNow().length} networks`,
  );
  mark();
  return view;
}

const inOrder = drawn.filter((row) => data.roles[row] !== "width-matched baseline");
const ALONG = {
  networks: { title: "Networks, in the order in which they were trained", step: "1", of: () => 1 },
  trainings: { title: "Trainings, network by network", step: "1", of: (row) => data.spent.trainings[row] },
  seconds: { title: "Seconds of training", step: "0", of: (row) => data.spent.seconds[row] },
};
const UNITS = [
  ["Hours", 3600],
  ["Minutes", 60],
  ["Seconds", 1],
];

function spent(name) {
  let sum = 0;
  const sums = inOrder.map((row) => (sum += ALONG[name].of(row)));
  if (name !== "seconds") return { title: ALONG[name].title, step: ALONG[name].step, sums };
  const [unit, seconds] = UNITS.find(([, size]) => sum >= 2 * size) ?? UNITS.at(-1);
  return { title: `${unit} of training`, step: "0", sums: sums.map((value) => value / seconds) };
}

function ways() {
  const known = inOrder.every((row) => data.spent.seconds[row] !== null);
  const several = inOrder.some((row) => data.spent.trainings[row] > 1);
  return ["networks", ...(several ? ["trainings"] : []), ...(known ? ["seconds"] : [])];
}

function searched() {
  const { title, step, sums } = spent(byId("along").value || "networks");
  const named = { ...tokens(), "@along": title, "@alongstep": step };
  const order = inOrder.filter((row) => data.values[axis.up][row] !== null);
  const along = new Map(inOrder.map((row, at) => [row, sums[at]]));
  const sign = measures[axis.up].better === "max" ? 1 : -1;
  let best = -Infinity;
  const line = order.map((row) => ({
    along: along.get(row),
    y: sign * (best = Math.max(best, sign * data.values[axis.up][row])),
  }));
  const trained = order.map((row) => ({
    key: data.keys[row],
    along: along.get(row),
    y: data.values[axis.up][row],
    standing: data.standings[row],
    tooltip: described(row),
  }));
  const volumes = data.volumes.map(([networks, share]) => ({
    along: sums[networks - 1],
    share,
    tooltip: { [title]: Number(sums[networks - 1].toPrecision(3)), Hypervolume: `${(100 * share).toFixed(1)} %` },
  }));
  const drawing = [draw("progress", { trained, best: line }, named)];
  if (volumes.length) drawing.push(draw("volumes", { volumes }, named));
  return Promise.all(drawing);
}

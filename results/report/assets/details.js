// The fold-out of a score: every interval, the whole provenance, the command that repeats it.
const FIRST = ["scores", "intervals", "ci95_definition", "counts"];

function plainText(value) {
  if (Array.isArray(value)) return value.map(plainText).join(", ");
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([name, each]) => `${name}: ${plainText(each)}`).join(" · ");
  }
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(10)));
  return value === null ? "none" : String(value);
}

function addFacts(list, prefix, facts) {
  for (const [name, value] of Object.entries(facts)) {
    const nested = value !== null && typeof value === "object" && !Array.isArray(value);
    if (nested && Object.values(value).some((each) => each !== null && typeof each === "object" && !Array.isArray(each))) {
      addFacts(list, `${prefix}${name}.`, value);
      continue;
    }
    const text = plainText(value);
    if (text === "") continue;
    add(list, "dt", prefix + name);
    add(list, "dd", text);
  }
}

function detailRow(place, columns) {
  const record = recordAt(place);
  const row = document.createElement("tr");
  row.className = "detail";
  const cell = add(add(row, "td", null, { colspan: columns }), "div");
  const { model, method, protocol, dataset } = record;
  add(cell, "strong", `${model.name}, ${method.spec}: ${protocol.name} on ${dataset.title}`);
  if (record.command) add(cell, "code", record.command);
  const list = add(cell, "dl");
  const { command, ...rest } = record;
  const first = Object.fromEntries(FIRST.filter((name) => name in rest).map((name) => [name, rest[name]]));
  addFacts(list, "", first);
  for (const kind of SHARED) addFacts(list, `${kind}.`, rest[kind]);
  const others = Object.fromEntries(Object.entries(rest).filter(([name]) => !FIRST.includes(name) && !SHARED.includes(name)));
  addFacts(list, "", others);
  return row;
}

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

// Names in records are text, never markup.
function add(parent, tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function addSvg(parent, tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function choice(parent, label, names, change) {
  const box = add(parent, "label", `${label} `);
  const select = add(box, "select");
  for (const name of names) add(select, "option", name, { value: name });
  select.addEventListener("change", () => change(select.value));
  return select;
}

const SHARED = ["model", "dataset", "protocol", "method", "environment"];

function recordAt(place) {
  const record = { ...data.records.list[place] };
  for (const kind of SHARED) record[kind] = data.records.parts[kind][record[kind]];
  return record;
}

function scoreAt(place, metric) {
  const record = place === null ? null : data.records.list[place];
  return record && record.complete ? (record.scores[metric] || null) : null;
}

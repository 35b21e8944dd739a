// What the filter form asks for, and which rows it keeps.
const form = byId("filters");

function fill(name, every, values) {
  const select = form.elements[name];
  add(select, "option", every, { value: "" });
  for (const value of [...new Set(values)].sort((a, b) => a.localeCompare(b))) add(select, "option", value, { value });
}

function fillFilters(sections) {
  const rows = sections.flatMap((section) => section.rows);
  fill("suite", "all suites", sections.map((section) => section.suite));
  fill("dataset", "all datasets", sections.map((section) => section.dataset));
  fill("model", "all models", rows.map((row) => row.model));
  fill("pretraining", "all", rows.map((row) => row.pretraining));
}

class Filter {
  constructor() {
    for (const name of ["search", "suite", "dataset", "model", "pretraining", "kind"]) this[name] = form.elements[name].value;
    this.words = this.search.toLowerCase().split(/\s+/).filter(Boolean);
  }

  takes(section) {
    return (!this.suite || section.suite === this.suite) && (!this.dataset || section.dataset === this.dataset);
  }

  keeps(row) {
    return (!this.model || row.model === this.model)
      && (!this.pretraining || row.pretraining === this.pretraining)
      && (!this.kind || row.transductive === (this.kind === "transductive"))
      && this.finds(`${row.model} ${row.method}`);
  }

  finds(text) {
    const lower = text.toLowerCase();
    return this.words.every((word) => lower.includes(word));
  }
}

// Leaderboards: a page of rows at a time, so that thousands of rows stay quick.
const PAGE = 25;

class Leaderboard {
  constructor(section, table, parent) {
    Object.assign(this, { section, table, order: null, limit: PAGE });
    this.best = new Set(table.bold.map(([row, column]) => `${row} ${column}`));
    this.isScores = Object.keys(table.scores).length > 0;
    this.box = add(parent, "div");
    add(this.box, "h3", table.caption);
    this.element = add(add(this.box, "div", null, { class: "scroll", tabindex: "0", role: "region", "aria-label": `${section.title}, ${table.caption}` }), "table");
    this.head();
    this.body = add(this.element, "tbody");
    this.more = add(this.box, "button", "", { type: "button" });
    this.more.addEventListener("click", () => { this.limit = Infinity; this.draw(); });
  }

  head() {
    const row = add(add(this.element, "thead"), "tr");
    this.heads = this.table.columns.map((name, column) => {
      const head = add(row, "th", null, { scope: "col", class: column in this.table.scores ? "score" : "text" });
      add(head, "button", name, { type: "button", title: "Sort" }).addEventListener("click", () => this.sort(column));
      return head;
    });
  }

  sort(column) {
    const first = this.table.scores[column]?.rising ? -1 : 1;
    const turned = this.order && this.order.column === column;
    this.order = { column, sign: turned ? -this.order.sign : first };
    for (const [at, head] of this.heads.entries()) head.removeAttribute("aria-sort");
    this.heads[column].setAttribute("aria-sort", this.order.sign > 0 ? "ascending" : "descending");
    this.draw();
  }

  value(row, column) {
    const scores = this.table.scores[column];
    if (!scores) return this.table.cells[row][column].toLowerCase();
    return scoreAt(scores.records[row], scores.metric)?.mean ?? null;
  }

  rows(filter) {
    const rows = this.table.cells.map((_, row) => row);
    const kept = this.isScores ? rows.filter((row) => filter.keeps(this.section.rows[row])) : rows.filter((row) => filter.finds(this.table.cells[row].join(" ")));
    if (!this.order) return kept;
    const { column, sign } = this.order;
    const keyed = kept.map((row) => [this.value(row, column), row]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j;  // missing ones last
      return (a < b ? -sign : a > b ? sign : 0) || i - j;
    });
    return keyed.map(([, row]) => row);
  }

  show(filter) {
    this.filter = filter;
    this.limit = PAGE;
    return this.draw();
  }

  draw() {
    const rows = this.rows(this.filter);
    const shown = rows.slice(0, this.limit);
    this.body.replaceChildren(...shown.map((row) => this.row(row)));
    this.more.hidden = rows.length <= shown.length;
    this.more.textContent = `Show all ${rows.length.toLocaleString("en")} rows`;
    this.box.hidden = rows.length === 0;
    return rows.length;
  }

  row(row) {
    const element = document.createElement("tr");
    this.table.cells[row].forEach((text, column) => {
      const scores = this.table.scores[column];
      const best = this.best.has(`${row} ${column}`);
      const cell = add(element, "td", null, { class: `${scores ? "score" : "text"}${best ? " best" : ""}` });
      const place = scores?.records[row] ?? null;
      if (place === null) { cell.textContent = text; return; }
      const button = add(cell, "button", text, { type: "button", "aria-expanded": "false" });
      button.addEventListener("click", () => this.fold(element, button, place));
    });
    return element;
  }

  fold(element, button, place) {
    const was = button.getAttribute("aria-expanded") === "true";
    for (const other of element.querySelectorAll("[aria-expanded=true]")) other.setAttribute("aria-expanded", "false");
    if (element.nextSibling?.className === "detail") element.nextSibling.remove();
    if (was) return;
    button.setAttribute("aria-expanded", "true");
    element.after(detailRow(place, this.table.columns.length));
  }
}

class Section {
  constructor(section, number) {
    this.section = section;
    this.box = add(byId("tables"), "section", null, { id: `section-${number}` });
    add(this.box, "h2", section.title);
    this.tables = section.tables.map((table) => new Leaderboard(section, table, this.box));
    const notes = add(this.box, "ul", null, { class: "notes" });
    for (const note of section.notes) add(notes, "li", note);
    this.link = add(byId("contents"), "a", section.title, { href: `#section-${number}` });
  }

  show(filter) {
    const fits = filter.takes(this.section);
    const rows = fits ? this.tables.map((table) => table.show(filter) * table.isScores) : [0];
    const some = Math.max(...rows) > 0;
    this.box.hidden = this.link.hidden = !some;
    return some ? Math.max(...rows) : 0;
  }
}

const sections = data.sections.map((section, number) => new Section(section, number));
fillFilters(data.sections);

function update() {
  const filter = new Filter();
  const rows = sections.reduce((sum, section) => sum + section.show(filter), 0);
  byId("count").textContent = `${rows.toLocaleString("en")} rows`;
}

form.addEventListener("input", update);
form.addEventListener("reset", () => setTimeout(update));
form.addEventListener("submit", (event) => event.preventDefault());
update();

// Figures and pictures are drawn when they come near the screen.
function drawLater(parent, heading, items, draw) {
  if (!items.length) { byId(parent).hidden = true; return; }
  add(byId("contents"), "a", heading, { href: `#${parent}` });
  add(byId(parent), "h2", heading);
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    items.forEach(draw);
  }, { rootMargin: "600px" });
  seen.observe(byId(parent));
}

drawLater("figures", "Figures", data.figures, drawFigure);
drawLater("pictures", "Pictures", data.pictures, (picture) => {
  const box = add(byId("pictures"), "figure");
  add(box, "figcaption", picture.name);
  add(box, "img", null, { src: picture.uri, alt: picture.name, loading: "lazy" });
});

const datasets = new Set(data.sections.map((section) => section.dataset)).size;
byId("summary").textContent = `${data.records.list.length.toLocaleString("en")} records, ${new Set(data.records.parts.model.map((each) => each.name)).size} models, ${datasets} datasets. Click a number for its intervals, its provenance and its command; click a heading to sort.`;
for (const line of data.footer) add(byId("footer"), "p", line);

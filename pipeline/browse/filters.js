// The form above the rows. Its state is what a query asks for.

const ORDERS = {
  "": "as in the dataset",
  margin: "smallest margin first",
  "-margin": "largest margin first",
  score: "lowest score first",
  "-score": "highest score first",
};

// {form, read(), write(query), search}; calls `changed` when one has changed.
function filterForm(facets, canAnnotate, changed) {
  const search = element("input", {
    type: "search",
    name: "text",
    placeholder: "words in any text",
    autocomplete: "off",
    spellcheck: "false",
  });
  const orders = { ...ORDERS, ...(canAnnotate ? { shuffled: "shuffled" } : {}) };
  const form = element(
    "form",
    { class: "pf-filters", role: "search", "aria-label": "Filter the rows" },
    labelled("Search", search),
    choice("config", "Config", facets.configs),
    choice("split", "Split", facets.splits),
    choice("source", "Source", facets.sources),
    labelled("Order", element("select", { name: "order" }, ...Object.entries(orders).map(option))),
    canAnnotate
      ? labelled(
          "Marks",
          element("select", { name: "marks" }, ...Object.entries(MARKED).map(option)),
        )
      : null,
    range("Margin"),
    range("Score"),
    element("button", { type: "reset" }, "Clear"),
  );
  const read = () =>
    Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  const write = (query) => {
    for (const field of form.elements) {
      if (field.name) field.value = query[field.name] ?? "";
      if (field.name && field.value !== (query[field.name] ?? "")) field.value = "";
    }
  };
  listen(form, changed);
  return { form, read, write, search };
}

const MARKED = { "": "all rows", todo: "not marked", done: "marked" };

function listen(form, changed) {
  let waiting = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, 250);
  });
}

const labelled = (title, field) => element("label", {}, element("span", {}, title), field);
const option = ([value, title]) => element("option", { value }, title);

function choice(name, title, found) {
  if (found.length < 2) return null;
  const rows = found.map((one) => [
    one.name,
    `${oneLine(one.name, 60)} (${one.rows.toLocaleString("en")})`,
  ]);
  return labelled(title, element("select", { name }, ...[["", "all"], ...rows].map(option)));
}

function range(what) {
  const bound = (end, words) =>
    element("input", {
      type: "number",
      name: `${end}${what}`,
      step: "any",
      placeholder: words,
      "aria-label": `${what} ${words}`,
    });
  return element(
    "div",
    { class: "pf-range", role: "group", "aria-label": what },
    element("span", {}, what),
    element("div", {}, bound("min", "from"), bound("max", "to")),
  );
}

// The rows of a page, one line each: a listbox in which the arrow keys move.

const VERDICTS = {
  good: "marked good",
  bad: "marked bad",
  tie: "marked as a tie",
  skip: "skipped",
};

// {box, show(rows, first, total), select(index)}; calls `picked(index)` when one is clicked.
function rowList(picked) {
  const box = element("ul", {
    class: "pf-list",
    role: "listbox",
    tabindex: "0",
    "aria-label": "Rows",
  });
  const number = nextNumber();
  box.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) picked([...box.children].indexOf(item));
  });
  const show = (rows, first, total) => {
    const { scrollTop } = box;
    box.replaceChildren(
      ...rows.map((row, n) => itemElement(row, `pf-${number}-${n}`, first + n + 1, total)),
    );
    box.scrollTop = scrollTop;
  };
  const select = (index) => {
    [...box.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === index)));
    const item = box.children[index];
    if (!item) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", item.id);
    reveal(item, box);
  };
  return { box, show, select };
}

// Scroll the box alone: the page around it stays where its reader is.
function reveal(item, box) {
  const [inner, outer] = [item.getBoundingClientRect(), box.getBoundingClientRect()];
  box.scrollTop -= Math.max(0, outer.top - inner.top);
  box.scrollTop += Math.max(0, inner.bottom - outer.bottom);
}

let lastNumber = 0;
const nextNumber = () => (lastNumber += 1);

function itemElement(row, id, place, total) {
  const facts = [
    row.margin === null || row.margin === undefined ? "" : `margin ${shown(row.margin)}`,
    row.kind === "answer" && isGiven(row.label) ? (row.label ? "desirable" : "not desirable") : "",
    oneLine(row.source ?? "", 40),
  ].filter(Boolean);
  const mark = row.verdict
    ? element("span", { class: `pf-mark pf-mark-${row.verdict}` }, VERDICTS[row.verdict])
    : null;
  return element(
    "li",
    { role: "option", id, "aria-selected": "false", "aria-posinset": place, "aria-setsize": total },
    element("span", { class: "pf-line", dir: "auto" }, lineOf(row) || "(no prompt)"),
    element("small", {}, facts.join(" · "), " ", mark),
  );
}

// What a row is about, in one line.
function lineOf(row) {
  if (isGiven(row.line)) return oneLine(row.line);
  const turn = (row.prompt ?? []).findLast((one) => one.role === "user") ?? row.prompt?.at(-1);
  return oneLine(turn?.content ?? row.answers?.[0]?.text ?? "");
}

// The keys, and the window that lists them.

const KEYS = [
  ["j, ↓", "next row"],
  ["k, ↑", "row before"],
  ["PageDown, PageUp", "next page, page before"],
  ["Home, End", "first and last row of the page"],
  ["Enter", "go to the row's text"],
  ["Esc", "back to the list"],
  ["/", "search"],
  ["d", "mark what differs, or not"],
  ["?", "this help"],
];
const MARK_KEYS = [
  ["g, b, t", "good, bad, tie; with the labels hidden 1, 2, t: A is better, B is better, tie"],
  ["s", "skip"],
  ["u", "undo the last mark"],
  ["c", "write a comment; Enter keeps it"],
];

function helpWindow(canMark) {
  const rows = [...KEYS, ...(canMark ? MARK_KEYS : [])];
  const close = element("button", { type: "button" }, "Close");
  const dialog = element(
    "dialog",
    { class: "pf-help", "aria-label": "Keys" },
    element("h3", {}, "Keys"),
    element(
      "dl",
      {},
      ...rows.flatMap(([key, what]) => [
        element("dt", {}, element("kbd", {}, key)),
        element("dd", {}, what),
      ]),
    ),
    close,
  );
  close.addEventListener("click", () => dialog.close());
  return dialog;
}

// The key as one of the names that a browser's `keys` has; "" for a key that is typed into a field.
function keyName(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return "";
  const isField = /^(?:input|select|textarea)$/i.test(event.target.tagName ?? "");
  if (isField && event.target.type !== "checkbox") return event.key === "Escape" ? "Escape" : "";
  const isButton = /^(?:button|summary|a)$/i.test(event.target.tagName ?? "");
  return isButton && (event.key === "Enter" || event.key === " ") ? "" : event.key;
}

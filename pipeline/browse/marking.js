// Marking rows: the bar of buttons below the filters, their keys, and what is said of progress.

const MARKS_OF = {
  blind: [
    ["a", "A is better", "1"],
    ["b", "B is better", "2"],
    ["tie", "Tie", "t"],
  ],
  pair: [
    ["good", "Good: chosen is better", "g"],
    ["bad", "Bad: rejected is better", "b"],
    ["tie", "Tie", "t"],
  ],
  answer: [
    ["good", "Good", "g"],
    ["bad", "Bad", "b"],
  ],
};
const ALWAYS = [["skip", "Skip", "s"]];

// The marks that a record can get, as [verdict, title, key].
function marksOf(record) {
  const marks = MARKS_OF[record?.isBlind && record.kind === "pair" ? "blind" : record?.kind];
  return marks ? [...marks, ...ALWAYS] : [];
}

// {bar, show(record), tell(progress), comment}; calls `mark(verdict)` and `undo()`.
function markBar(mark, undo) {
  const buttons = element("div", {
    class: "pf-buttons",
    role: "group",
    "aria-label": "Mark this row",
  });
  const comment = element("input", {
    type: "text",
    class: "pf-comment",
    maxlength: "2000",
    autocomplete: "off",
  });
  const progress = element("p", { class: "pf-progress", role: "status" });
  const bar = element(
    "div",
    { class: "pf-marking", role: "region", "aria-label": "Marking" },
    buttons,
    labelled("Comment (c)", comment),
    progress,
  );
  const back = element("button", { type: "button" }, "Undo ", element("kbd", {}, "u"));
  back.addEventListener("click", undo);
  const show = (record) => {
    const marks = marksOf(record);
    buttons.replaceChildren(
      ...marks.map(([verdict, title, key]) => {
        const isOn = String(record.verdict === verdict);
        const button = element(
          "button",
          { type: "button", "aria-pressed": isOn },
          `${title} `,
          element("kbd", {}, key),
        );
        button.addEventListener("click", () => mark(verdict));
        return button;
      }),
      back,
    );
    if (record && !marks.length)
      buttons.prepend(element("span", {}, "Rows of this config cannot be marked. "));
    comment.value = record?.comment ?? "";
  };
  const tell = (found) => progress.replaceChildren(progressWords(found));
  return { bar, show, tell, comment };
}

function progressWords({ marked, skipped, good, bad, tie, agreement }) {
  const parts = [
    `${marked} marked: ${good} good, ${bad} bad, ${tie} ${tie === 1 ? "tie" : "ties"}`,
  ];
  if (skipped) parts.push(`${skipped} skipped`);
  if (agreement) {
    const [share, low, high] = agreement.map((value) => `${Math.round(100 * value)}`);
    parts.push(`you agree with ${share} % of the labels (95 %: ${low} to ${high})`);
  }
  return parts.join(" · ");
}

// One row in full: the conversation, its answers side by side, and what is known of them.

const LEAST_ALIKE = 0.15; // below, chance meetings of small words are all that two answers share

const JUDGES = "What the judges said";

const shown = (value) =>
  typeof value === "number"
    ? value.toLocaleString("en", { maximumFractionDigits: 4 })
    : String(value);
const isGiven = (value) => value !== null && value !== undefined && value !== "";
const whole = (text) => [{ text, isOnly: false }];

// A record as an element. `difference` is "on", "off", or "auto": on if the answers are alike. `ask`
// gives what the judges said, where the record does not hold it.
function rowElement(record, difference, onDifference, ask = null) {
  const name = `Row ${record.id} of ${record.config}, ${record.split}`;
  const row = element("article", { class: "pf-row", "aria-label": name });
  row.append(
    element(
      "p",
      { class: "pf-where" },
      record.config,
      " · ",
      record.split,
      " · ",
      element("code", {}, record.id),
    ),
  );
  const turns = (record.prompt ?? []).map((turn, n) => turnElement(turn, `turn ${n + 1}`));
  if (turns.length)
    row.append(
      element("div", { class: "pf-prompt", role: "group", "aria-label": "Prompt" }, ...turns),
    );
  const answers = answersOf(record);
  if (answers.length === 2) row.append(...twoSides(answers, difference, onDifference));
  else if (answers.length)
    row.append(
      element(
        "div",
        { class: "pf-answers" },
        ...answers.map((one) => answerElement(one, whole(one.text))),
      ),
    );
  row.append(...factElements(record, ask));
  return row;
}

// What a record of whatever kind has to choose from, each with a name and what it is to the label.
function answersOf(record) {
  if (record.kind === "pair" && !record.answers) {
    const { chosen_model, rejected_model, score_chosen, score_rejected } = record;
    return [
      {
        name: "Chosen",
        side: "good",
        text: record.chosen,
        model: chosen_model,
        score: score_chosen,
      },
      {
        name: "Rejected",
        side: "bad",
        text: record.rejected,
        model: rejected_model,
        score: score_rejected,
      },
    ];
  }
  const answers = record.answers ?? [];
  return answers.map((answer, n) => ({
    ...answer,
    name: answer.name ?? nameOf(record, answer, n),
    side: answer.label === true ? "good" : answer.label === false ? "bad" : "",
  }));
}

function nameOf(record, answer, n) {
  if (record.kind === "text") return "Text";
  if (record.kind === "pair") return `Answer ${"AB"[n]}`;
  if (record.kind === "ranking") return `${n + 1}.`;
  return answer.label === true ? "Desirable" : answer.label === false ? "Not desirable" : "Answer";
}

function turnElement(turn, name) {
  return element(
    "div",
    { class: "pf-turn" },
    element("h4", {}, element("span", { class: "pf-role" }, oneLine(turn.role, 20))),
    textBox(whole(turn.content), name),
  );
}

function twoSides(answers, difference, onDifference) {
  const found = wordDifference(answers[0].text, answers[1].text);
  const canMark = found !== null && found.alike > 0;
  const isOn =
    canMark && (difference === "on" || (difference === "auto" && found.alike >= LEAST_ALIKE));
  const runsOf = isOn ? [found.first, found.second] : answers.map((one) => whole(one.text));
  const sides = answers.map((one, n) => answerElement(one, runsOf[n]));
  return [
    element("div", { class: "pf-sides" }, ...sides),
    element(
      "p",
      { class: "pf-alike" },
      alikeWords(found),
      canMark ? differenceBox(isOn, onDifference) : null,
    ),
  ];
}

function alikeWords(found) {
  if (found === null) return "Too long or too different to compare word by word. ";
  return `${Math.round(100 * found.alike)} % of the words are in both, in the same order. `;
}

function differenceBox(isOn, onDifference) {
  const box = element("input", { type: "checkbox", class: "pf-difference", checked: isOn });
  box.addEventListener("change", () => onDifference(box.checked ? "on" : "off"));
  return element("label", {}, box, " Mark what differs");
}

function answerElement(answer, runsOfText) {
  const facts = [
    isGiven(answer.score) ? `score ${shown(answer.score)}` : "",
    isGiven(answer.model) ? oneLine(answer.model, 80) : "",
    `${answer.text.length.toLocaleString("en")} characters`,
  ].filter(Boolean);
  return element(
    "div",
    {
      class: `pf-answer ${answer.side ? `pf-${answer.side}` : ""}`,
      role: "group",
      "aria-label": answer.name,
    },
    element("h4", {}, answer.name, " ", element("small", {}, facts.join(" · "))),
    textBox(runsOfText, answer.name),
  );
}

function factElements(record, ask) {
  const facts = [
    ["Margin", record.margin],
    ["P(chosen beats rejected)", record.p_chosen],
    ["Labelled by", record.labeller],
    ["Source", record.source],
    ...Object.entries(record.extra ?? {}),
  ].filter(([, value]) => isGiven(value));
  const parts = facts.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", { dir: "auto" }, ...safeNodes(shown(value))),
  ]);
  return [
    parts.length ? element("dl", { class: "pf-facts" }, ...parts) : null,
    ask ? askedJudges(ask) : listOf(JUDGES, record.judgements, judgement),
    listOf("Where it comes from", record.lineage, ({ stage, row_id }) => [
      `${stage}: `,
      element("code", {}, row_id),
    ]),
  ].filter(Boolean);
}

function listOf(title, items, show) {
  if (!items?.length) return null;
  const list = items.map((item) => element("li", {}, ...show(item)));
  return element(
    "details",
    { class: "pf-more-facts", open: title === JUDGES },
    element("summary", {}, title),
    element("ul", {}, ...list),
  );
}

// Looked for when it is opened: in a large run that takes a while.
function askedJudges(ask) {
  const answer = element("p", { role: "status" }, "Looking in the work of the run…");
  const box = element(
    "details",
    { class: "pf-more-facts" },
    element("summary", {}, JUDGES),
    answer,
  );
  const tell = async () => {
    try {
      const said = await ask();
      if (said.length) box.replaceWith(listOf(JUDGES, said, judgement));
      else answer.textContent = "The run keeps nothing of it.";
    } catch (error) {
      answer.textContent = error.message;
    }
  };
  box.addEventListener("toggle", tell, { once: true });
  return box;
}

function judgement({ labeller, words, p }) {
  const told = isGiven(p) ? `${labeller}: P(chosen wins) ${shown(p)}` : labeller;
  return [oneLine(told, 120), isGiven(words) ? textBox(whole(words), "the judge's words") : null];
}

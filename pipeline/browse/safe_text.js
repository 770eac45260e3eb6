// Text that nobody has checked, shown so that it can neither run, nor hide, nor reach out of its
// box: only text nodes, and a visible mark for each character that cannot be seen.

const FOLD_AFTER = 6000;
const FOLDED = 4000;
// Controls, what turns the direction of reading, fillers, tags, halves of characters. Joiners make
// one sign of several in many scripts, so they are seen there, and shown only beside plain letters.
const UNSEEN = [
  String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5]`,
  String.raw`[\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0]`,
  String.raw`[\ufff9-\ufffc\u{e0000}-\u{e007f}\p{Cs}]`,
  String.raw`(?<![^\u0000-\u007f])[\u200c\u200d]`,
  String.raw`[\u200c\u200d](?![^\u0000-\u007f])`,
].join("|");
const NAMES = {
  0x00ad: "soft hyphen",
  0x061c: "Arabic letter mark",
  0x200b: "zero width space",
  0x200c: "zero width non-joiner",
  0x200d: "zero width joiner",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "pop directional isolate",
  0xfeff: "byte order mark",
};

// An element with attributes and children; strings become text nodes.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Nodes that show a text; `\r\n` is an end of line like any other.
function safeNodes(text) {
  const nodes = [];
  const pieces = text.replaceAll("\r\n", "\n").split(new RegExp(`(${UNSEEN})`, "u"));
  for (const [n, piece] of pieces.entries()) {
    if (n % 2 === 0) {
      if (piece) nodes.push(document.createTextNode(piece));
      continue;
    }
    const code = piece.codePointAt(0);
    const hex = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
    const title = NAMES[code] ? `${hex} ${NAMES[code]}` : `${hex}, a character that is not seen`;
    nodes.push(element("span", { class: "pf-unseen", title }, hex));
  }
  return nodes;
}

// A text for one line: no ends of lines, nothing unseen, at most so many characters.
function oneLine(text, most = 160) {
  const flat = text
    .slice(0, 4 * most)
    .replace(/\s+/gu, " ")
    .trim();
  const plain = flat.replace(new RegExp(UNSEEN, "gu"), "\ufffd");
  const characters = Array.from(plain);
  return characters.length > most ? `${characters.slice(0, most).join("")}…` : plain;
}

// A box that shows runs of a text ({text, isOnly}), those in one text only marked; a long one is
// folded.
function textBox(runsOfText, name) {
  const box = element("div", { class: "pf-text", dir: "auto" });
  const length = runsOfText.reduce((sum, run) => sum + run.text.length, 0);
  if (length <= FOLD_AFTER) {
    appendRuns(box, runsOfText, length);
    return box;
  }
  appendRuns(box, runsOfText, FOLDED);
  const label = `Show all ${length.toLocaleString("en")} characters`;
  const button = element(
    "button",
    { type: "button", class: "pf-more", "aria-label": `${label} of ${name}` },
    label,
  );
  button.addEventListener("click", () => {
    box.replaceChildren();
    appendRuns(box, runsOfText, length);
    box.setAttribute("tabindex", "-1");
    box.focus();
    button.remove();
  });
  return element("div", {}, box, button);
}

function appendRuns(box, runsOfText, most) {
  let room = most;
  for (const run of runsOfText) {
    if (room <= 0) break;
    const nodes = safeNodes(run.text.length > room ? `${run.text.slice(0, room)}…` : run.text);
    if (run.isOnly) box.append(element("mark", {}, ...nodes));
    else box.append(...nodes);
    room -= run.text.length;
  }
}

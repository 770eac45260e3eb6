// Which words of two texts differ: Myers' O(ND) greedy algorithm over words and blanks.

const MOST_EDITS = 2500; // its trace then takes 25 MB and some 30 ms
const MOST_WORDS = 60000;
const ALIKE = 0.3;

// A text as words and single other characters, each with the blanks behind it; joined they are the
// text again.
const wordsOf = (text) =>
  text.match(/^\s+|(?:[\p{L}\p{N}\p{M}_]+|[^\p{L}\p{N}\p{M}_\s])\s*/gu) ?? [];

// For two texts: {first, second: [{text, isOnly}], alike: share of words in common, 0 to 1}.
// null if they are too long or too different to compare.
function wordDifference(first, second) {
  const [wordsA, wordsB] = [wordsOf(first), wordsOf(second)];
  const [a, b] = [wordsA, wordsB].map((words) => words.map((word) => word.trimEnd()));
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) return null;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const kept = keptWords(a.slice(start, a.length - end), b.slice(start, b.length - end));
  if (kept === null) return null;
  const isKept = (n, length, middle) => n < start || n >= length - end || middle[n - start] === 1;
  const same = a.filter((_, n) => isKept(n, a.length, kept.a)).length;
  return {
    first: runs(wordsA, (n) => !isKept(n, a.length, kept.a)),
    second: runs(wordsB, (n) => !isKept(n, b.length, kept.b)),
    alike: (2 * same) / Math.max(1, a.length + b.length),
  };
}

// Flags of the words in a longest common subsequence; null beyond MOST_EDITS.
function keptWords(a, b) {
  const trace = shortestEdit(numbered(a, b));
  if (trace === null) return null;
  const kept = { a: new Uint8Array(a.length), b: new Uint8Array(b.length) };
  let x = a.length;
  let y = b.length;
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const reached = (k) => trace[d][k + d + 1];
    const k = x - y;
    const down = k === -d || (k !== d && reached(k - 1) < reached(k + 1));
    const from = d === 0 ? 0 : reached(down ? k + 1 : k - 1);
    const fromY = d === 0 ? 0 : from - (down ? k + 1 : k - 1);
    while (x > from && y > fromY) {
      if (d > 0 && x === from + (down ? 0 : 1) && y === fromY + (down ? 1 : 0)) break;
      x -= 1;
      y -= 1;
      kept.a[x] = 1;
      kept.b[y] = 1;
    }
    x = from;
    y = fromY;
  }
  return kept;
}

// What each step of the algorithm found: for d edits, the furthest x on the diagonals -d-1 to d+1.
function shortestEdit([a, b]) {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  const furthest = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const trace = [];
  for (let d = 0; d <= most; d += 1) {
    trace.push(furthest.slice(middle - d - 1, middle + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest[middle + k - 1] < furthest[middle + k + 1]);
      let x = down ? furthest[middle + k + 1] : furthest[middle + k - 1] + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      furthest[middle + k] = x;
      if (x >= a.length && y >= b.length) return trace;
    }
  }
  return null;
}

// Words as numbers, equal for equal words: faster to compare.
function numbered(...texts) {
  const numbers = new Map();
  return texts.map((words) =>
    Int32Array.from(words, (word) => {
      if (!numbers.has(word)) numbers.set(word, numbers.size);
      return numbers.get(word);
    }),
  );
}

// Stretches of words that are in one text only, or in both. Points and commas between two words
// that differ belong to them: a mark for every word would be hard to read.
function runs(words, isOnly) {
  const found = joined(words.map((word, n) => ({ text: word, isOnly: isOnly(n) })));
  const wide = found.map((run, n) => {
    const isBetween = n > 0 && n < found.length - 1 && !/[\p{L}\p{N}\n]/u.test(run.text);
    return { text: run.text, isOnly: run.isOnly || isBetween };
  });
  return joined(wide).flatMap((run) => {
    const end = run.isOnly ? run.text.trimEnd() : run.text;
    const blanks = { text: run.text.slice(end.length), isOnly: false };
    return [{ text: end, isOnly: run.isOnly }, blanks].filter((part) => part.text);
  });
}

function joined(stretches) {
  const made = [];
  for (const stretch of stretches) {
    const last = made[made.length - 1];
    if (last && last.isOnly === stretch.isOnly) last.text += stretch.text;
    else made.push({ ...stretch });
  }
  return made;
}

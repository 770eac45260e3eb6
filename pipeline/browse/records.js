// Rows that are in the page already, as a source for the browser.

// The source over records as `record_of` makes them.
function fromRecords(records) {
  const texts = new Map();
  const textOf = (record) => {
    if (!texts.has(record)) texts.set(record, allText(record));
    return texts.get(record);
  };
  return {
    query: async (asked) => {
      const found = inOrder(
        records.filter((record) => fits(record, asked, textOf)),
        asked.order,
      );
      const offset = asked.offset ?? 0;
      return { total: found.length, rows: found.slice(offset, offset + (asked.limit ?? 50)) };
    },
    facets: async () => ({
      configs: counted(records, "config"),
      splits: counted(records, "split"),
      sources: counted(records, "source"),
    }),
    place: async (key, asked) => {
      const found = inOrder(
        records.filter((record) => fits(record, asked, textOf)),
        asked.order,
      );
      return found.findIndex((record) => keyOf(record) === key);
    },
  };
}

const keyOf = (record) => `${record.config}/${record.id}`;

function allText(record) {
  const turns = (record.prompt ?? []).map((turn) => turn.content);
  const texts = [...turns, ...answersOf(record).map((answer) => answer.text), record.id];
  return texts.join("\n").toLowerCase();
}

function fits(record, asked, textOf) {
  for (const name of ["config", "split", "source"]) {
    if (asked[name] && record[name] !== asked[name]) return false;
  }
  return (
    isWithin(record.margin, asked.minMargin, asked.maxMargin) &&
    isWithin(record.score, asked.minScore, asked.maxScore) &&
    (!asked.text || textOf(record).includes(asked.text.toLowerCase()))
  );
}

function isWithin(value, least, most) {
  if (!isGiven(least) && !isGiven(most)) return true;
  if (!isGiven(value)) return false;
  return (!isGiven(least) || value >= Number(least)) && (!isGiven(most) || value <= Number(most));
}

// Sorted by a value; those without one stand last.
function inOrder(records, order) {
  if (!order) return records;
  const name = order.replace("-", "");
  const sign = order.startsWith("-") ? -1 : 1;
  const place = (record) => (isGiven(record[name]) ? sign * record[name] : Infinity);
  return records
    .map((record) => [place(record), record])
    .sort(([a], [b]) => (a === b ? 0 : a - b))
    .map(([, record]) => record);
}

function counted(records, name) {
  const rows = new Map();
  for (const record of records) {
    if (isGiven(record[name])) rows.set(record[name], (rows.get(record[name]) ?? 0) + 1);
  }
  return [...rows].map(([value, n]) => ({ name: value, rows: n }));
}

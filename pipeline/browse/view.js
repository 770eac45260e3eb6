// The browser over what the server of `prefmill view` answers.

(() => {
  "use strict";

  const REPLACED = "The dataset was replaced by another while you looked. This is the new one.";
  let edition = 0;

  async function ask(path, parameters = {}, options = {}) {
    const query = new URLSearchParams(parameters);
    let response;
    try {
      response = await fetch(`/api/${path}?${query}`, { ...options, cache: "no-store" });
    } catch {
      throw new Error("prefmill view does not answer; it may have been ended");
    }
    const unreadable = { error: `prefmill view answered with status ${response.status}` };
    const answer = await response.json().catch(() => unreadable);
    if (!response.ok) throw new Error(answer.error);
    if (edition && answer.edition > edition) tell(REPLACED);
    edition = answer.edition ?? edition;
    return answer;
  }

  const tell = (words) => {
    document.getElementById("notice").textContent = words;
  };

  const named = (row) => ({ inConfig: row.config, id: row.id });

  const judgements = async (record) => (await ask("judgements", named(record))).judgements;

  function marking({ token, progress }) {
    const annotate = (record, verdict, comment) =>
      ask(
        "marks",
        {},
        {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-Prefmill-Token": token },
          body: JSON.stringify({ config: record.config, id: record.id, verdict, comment }),
        },
      );
    return { annotate, progress: async () => progress };
  }

  async function start() {
    const root = document.getElementById("rows");
    try {
      const started = await ask("start");
      if (started.title) {
        document.getElementById("title").textContent = started.title;
        document.title = `${started.title} · prefmill view`;
      }
      const source = {
        facets: async () => started,
        query: (query) => ask("rows", query),
        record: async (row) => (await ask("row", named(row))).record,
        place: async (key, query) => {
          const [inConfig, id] = [
            key.slice(0, key.lastIndexOf("/")),
            key.slice(key.lastIndexOf("/") + 1),
          ];
          return (await ask("offset", { ...query, inConfig, id })).offset;
        },
        ...(started.isJudged ? { judgements } : {}),
        ...(started.marking ? marking(started.marking) : {}),
      };
      await prefmillBrowser.mount(root, source, { pageKeys: true });
    } catch (error) {
      root.textContent = error.message;
    }
  }

  start();
})();

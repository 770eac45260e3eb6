// The browser of rows: filters, a list, and the row that is picked in full.
//
// mount(element, source, {pageKeys}) shows what a source has. A source is an object with
//   query({text, source, config, split, minMargin, maxMargin, minScore, maxScore, order, offset,
//     limit}) -> Promise<{total, rows, isDone?, searched?, notice?}>; while isDone is false it is
//     asked again
//   facets() -> Promise<{configs, splits, sources}>, each [{name, rows}], and perhaps `marking`
//   record?(row) -> Promise<record>, where the rows of a query are not whole
//   place?(key, query) -> Promise<number>, where a row stands among those of a query, or -1
//   judgements?(record) -> Promise<[{labeller, words, p}]>, where records come without them
//   annotate?(record, verdict, comment) -> Promise<{record, progress}>
//   progress?() -> Promise<progress>

const PAGE = 50;
const HASH = "#rows:";
const AGAIN_MS = 300;

function mount(root, source, { pageKeys = false } = {}) {
  const browser = new Browser(root, source);
  (pageKeys ? document : root).addEventListener("keydown", (event) => browser.key(event));
  return browser.start();
}

class Browser {
  constructor(root, source) {
    Object.assign(this, { root, source, rows: [], offset: 0, total: 0, index: -1, asked: 0 });
    this.difference = "auto";
    this.marked = [];
    this.isBusy = false;
  }

  async start() {
    const facets = await this.source.facets();
    this.canMark = Boolean(this.source.annotate);
    this.filters = filterForm(facets, this.canMark, () => this.load(0, 0));
    this.list = rowList((index) => this.pick(index));
    this.status = element("p", { class: "pf-status", role: "status" });
    this.pager = element("div", { class: "pf-pager", role: "group", "aria-label": "Pages" });
    this.detail = element("div", {
      class: "pf-detail",
      role: "region",
      tabindex: "-1",
      "aria-label": "The row in full",
    });
    this.help = helpWindow(this.canMark);
    this.bar = this.canMark
      ? markBar(
          (verdict) => this.alone(() => this.mark(verdict)),
          () => this.alone(() => this.undo()),
        )
      : null;
    const open = element("button", { type: "button", class: "pf-keys", "aria-label": "Keys" }, "?");
    open.addEventListener("click", () => this.help.showModal());
    const head = element("div", { class: "pf-head" }, this.filters.form, open);
    const side = element("div", { class: "pf-side" }, this.status, this.list.box, this.pager);
    const main = element("div", { class: "pf-main" }, this.bar?.bar ?? null, this.detail);
    this.root.classList.add("pf-browser");
    this.root.replaceChildren(head, element("div", { class: "pf-both" }, side, main), this.help);
    if (this.bar && this.source.progress) this.bar.tell(await this.source.progress());
    await this.restore(facets);
    return this;
  }

  // Where the address says that one was; else the first config's first row.
  async restore(facets) {
    const config = facets.configs[0]?.name ?? "";
    const first = this.canMark ? { config, order: "shuffled", marks: "todo" } : { config };
    const hash = globalThis.location?.hash ?? "";
    const kept = hash.startsWith(HASH)
      ? Object.fromEntries(new URLSearchParams(hash.slice(HASH.length)))
      : null;
    const { row, ...query } = kept ?? first;
    this.filters.write(query);
    await this.goTo(row ?? "");
  }

  async goTo(key) {
    const found = key && this.source.place ? await this.source.place(key, this.filters.read()) : -1;
    const place = Math.max(0, found);
    await this.load(place - (place % PAGE), place % PAGE);
  }

  // Ask for a page, and pick one of its rows.
  async load(offset, index) {
    this.asked += 1;
    const asked = this.asked;
    const query = this.filters.read();
    this.list.box.setAttribute("aria-busy", "true");
    let found;
    try {
      found = await this.source.query({ ...query, offset, limit: PAGE });
    } catch (error) {
      if (asked === this.asked) this.tell(error.message);
      return;
    }
    if (asked !== this.asked) return;
    this.list.box.removeAttribute("aria-busy");
    Object.assign(this, { offset, rows: found.rows, total: found.total });
    this.list.show(found.rows, offset, found.total);
    this.showPages();
    this.tell(this.statusWords(found));
    if (found.isDone === false)
      setTimeout(() => asked === this.asked && this.load(offset, this.index), AGAIN_MS);
    await this.pick(Math.max(0, Math.min(index, found.rows.length - 1)));
  }

  statusWords({ total, rows, isDone, searched, notice }) {
    const number = (n) => n.toLocaleString("en");
    const until = isDone === false ? `; searched ${Math.floor(100 * searched)} %` : "";
    const places = rows.length
      ? `${number(this.offset + 1)} to ${number(this.offset + rows.length)} of `
      : "";
    const found = total || until ? `${places}${number(total)} rows${until}` : "No row fits.";
    return notice ? `${notice} ${found}` : found;
  }

  tell(words) {
    this.list.box.removeAttribute("aria-busy");
    this.status.textContent = words;
  }

  async pick(index) {
    this.index = index;
    this.list.select(index);
    const row = this.rows[index];
    if (!row) return this.show(null);
    if (this.record && keyOf(this.record) === keyOf(row)) return undefined;
    const asked = this.asked;
    let record = row;
    try {
      if (this.source.record) record = await this.source.record(row);
    } catch (error) {
      this.tell(error.message);
    }
    if (asked === this.asked && index === this.index) this.show(record);
  }

  show(record) {
    this.record = record;
    this.draw();
    const column = this.detail.parentElement; // a new row is read from its top
    if (this.detail.getBoundingClientRect().top < 0) column.scrollIntoView({ block: "start" });
    this.bar?.show(record);
    this.remember();
  }

  draw() {
    const change = (difference) => {
      this.difference = difference;
      this.draw();
      this.detail.querySelector(".pf-difference")?.focus();
    };
    const { record, source } = this;
    const isAsked = source.judgements && record?.kind === "pair" && !record.isBlind;
    const ask = isAsked ? () => source.judgements(record) : null;
    const shownRow = record ? rowElement(record, this.difference, change, ask) : null;
    this.detail.replaceChildren(...(shownRow ? [shownRow] : []));
  }

  remember() {
    const query = new URLSearchParams(this.filters.read());
    if (this.record) query.set("row", keyOf(this.record));
    try {
      history.replaceState(history.state, "", `${HASH}${query}`);
    } catch {
      // A page in a sandbox has no address to remember in.
    }
  }

  showPages() {
    const last = Math.max(0, Math.floor((this.total - 1) / PAGE) * PAGE);
    const button = (title, words, offset) => {
      const isOff = offset === this.offset || offset < 0 || offset > last;
      const made = element(
        "button",
        { type: "button", "aria-label": title, disabled: isOff },
        words,
      );
      made.addEventListener("click", () => this.load(offset, 0));
      return made;
    };
    const field = element("input", {
      type: "number",
      min: "1",
      max: this.total,
      value: this.offset + 1,
      "aria-label": "Go to row number",
    });
    field.addEventListener("change", () => {
      const place = Math.min(Math.max(1, Math.floor(Number(field.value)) || 1), this.total) - 1;
      this.load(place - (place % PAGE), place % PAGE);
    });
    this.pager.replaceChildren(
      button("First page", "«", 0),
      button("Page before", "‹", this.offset - PAGE),
      field,
      button("Next page", "›", this.offset + PAGE),
      button("Last page", "»", last),
    );
  }

  async move(step) {
    const index = this.index + step;
    if (index >= 0 && index < this.rows.length) return this.pick(index);
    const place = this.offset + index;
    if (place < 0 || place >= this.total) return undefined;
    return this.load(place - (place % PAGE), place % PAGE);
  }

  // A key that is pressed before the next row is seen says nothing of it.
  async alone(work) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await work();
    } finally {
      this.isBusy = false;
    }
  }

  async mark(verdict) {
    const { record } = this;
    if (!record || !marksOf(record).some(([name]) => name === verdict)) return;
    const saved = await this.save(record, verdict);
    if (!saved) return;
    this.marked.push(record);
    if (this.index + 1 < this.rows.length) await this.move(1);
    else if (this.filters.read().marks === "todo") await this.load(0, 0);
    else if (this.offset + this.rows.length < this.total) await this.move(1);
    else this.show(saved);
  }

  async undo() {
    const record = this.marked.pop();
    if (!record || !(await this.save(record, "none"))) return;
    const index = this.rows.findIndex((row) => keyOf(row) === keyOf(record));
    this.record = null;
    if (index >= 0) await this.pick(index);
    else await this.goTo(keyOf(record));
  }

  async save(record, verdict) {
    try {
      const comment = verdict === "none" ? "" : this.bar.comment.value;
      const saved = await this.source.annotate(record, verdict, comment);
      this.bar.tell(saved.progress);
      const index = this.rows.findIndex((row) => keyOf(row) === keyOf(record));
      if (index >= 0) this.rows[index] = { ...this.rows[index], verdict: saved.record.verdict };
      this.list.show(this.rows, this.offset, this.total);
      this.list.select(this.index);
      return saved.record;
    } catch (error) {
      this.tell(`Not saved: ${error.message}`);
      return null;
    }
  }

  // A comment on a row that is marked already is kept with its mark.
  async keepComment() {
    if (this.record?.verdict) await this.save(this.record, this.record.verdict);
    this.list.box.focus();
  }

  key(event) {
    if (this.help.open) return;
    if (this.bar && event.target === this.bar.comment && event.key === "Enter") {
      this.alone(() => this.keepComment());
      return;
    }
    const act = this.actions()[keyName(event)];
    if (!act) return;
    event.preventDefault();
    act();
  }

  actions() {
    const marks = this.bar
      ? marksOf(this.record).map(([verdict, , key]) => [
          key,
          () => this.alone(() => this.mark(verdict)),
        ])
      : [];
    const ofBar = this.bar
      ? { u: () => this.alone(() => this.undo()), c: () => this.bar.comment.focus() }
      : {};
    const isInText = this.detail.contains(document.activeElement); // there the arrows scroll
    const ofList = {
      ArrowDown: () => this.move(1),
      ArrowUp: () => this.move(-1),
      PageDown: () =>
        this.load(
          Math.min(this.offset + PAGE, Math.floor(Math.max(0, this.total - 1) / PAGE) * PAGE),
          0,
        ),
      PageUp: () => this.load(Math.max(0, this.offset - PAGE), 0),
      Home: () => this.pick(0),
      End: () => this.pick(this.rows.length - 1),
    };
    return {
      ...(isInText ? {} : ofList),
      j: () => this.move(1),
      k: () => this.move(-1),
      Enter: () => this.detail.focus(),
      Escape: () => this.list.box.focus(),
      "/": () => this.filters.search.focus(),
      "?": () => this.help.showModal(),
      d: () => this.detail.querySelector(".pf-difference")?.click(),
      ...ofBar,
      ...Object.fromEntries(marks),
    };
  }
}

globalThis.prefmillBrowser = { mount, fromRecords };

"""Reads a page as a browser would, without one: its elements, attributes and texts."""

from html.parser import HTMLParser


class PageReader(HTMLParser):
    """Elements that were opened, their attributes, and the text of each part of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.parts: dict[str, str] = {}
        self.unclosed: list[str] = []
        self._part = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag in ("section", "header"):
            self._part = dict(attrs).get("id") or tag
        if tag not in ("meta", "br", "line", "path", "rect"):
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.unclosed and self.unclosed[-1] == tag:
            self.unclosed.pop()

    def handle_data(self, data: str) -> None:
        self.parts[self._part] = self.parts.get(self._part, "") + data

"use strict";
// Sorts the tables of students and finds rows in them. Without it the page shows the same rows in their own order.
const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
const WORST_FIRST = ["f", "e", "t", "k", "i", "b", "p", ""];

for (const controls of document.querySelectorAll(".c-find")) {
  const table = controls.nextElementSibling.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const [search, choice, status] = controls.querySelectorAll("input, select, [role=status]");

  // Some browsers take a table that is not laid out as one for no table.
  for (const part of [table, ...table.querySelectorAll("thead, tbody, tr, td, th")])
    part.setAttribute("role", ROLES[part.nodeName] ?? (part.scope === "col" ? "columnheader" : "rowheader"));

  const wanted = (row) => {
    const kind = choice.value[0], number = choice.value.slice(1);
    if (choice.value === "") return true;
    if (choice.value === "lost") return "lost" in row.dataset;
    if (choice.value === "look") return row.classList.contains("look");
    if (kind === "m") return (row.dataset.m ?? "").includes(` ${number} `);
    return !["", "p"].includes(row.cells[2 + Number(number)].className);
  };
  const filter = () => {
    const text = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(row.cells[0].textContent.toLowerCase().includes(text) && wanted(row));
      shown += row.hidden ? 0 : 1;
    }
    status.textContent = status.dataset.text.replace("%s", shown);
  };

  const key = (row, column) => {
    if (column === 1) return Number.parseFloat(row.cells[1].textContent);
    if (column > 2) return WORST_FIRST.indexOf(row.cells[column]?.className ?? "");
    return row.cells[column].textContent;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
  const sort = (header, column) => {
    const down = header.ariaSort === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.ariaSort = down ? "descending" : "ascending";
    const keyed = [...body.rows].map((row) => [key(row, column), row]);
    keyed.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
    body.append(...keyed.map(([, row]) => row));
  };
  for (const [column, header] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...(header.querySelector("a") ?? header).childNodes);
    button.title = header.querySelector("a")?.title ?? "";
    button.addEventListener("click", () => sort(header, column));
    header.replaceChildren(button);
  }
  search.addEventListener("input", filter);
  choice.addEventListener("change", filter);
  controls.hidden = false;
  filter();
}

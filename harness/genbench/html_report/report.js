"use strict";
// Sorting, filtering and choosing. Without it the page shows all there is, in the order of the tables.

function sortBy(table, column, heading) {
  const up = heading.getAttribute("aria-sort") === "none"
    ? heading.dataset.better !== "higher"
    : heading.getAttribute("aria-sort") === "descending";
  for (const other of heading.parentElement.children) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const key = row => {
    const cell = row.cells[column];
    return column === 0 ? cell.textContent : "value" in cell.dataset ? Number(cell.dataset.value) : null;
  };
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    const by = typeof x === "string" ? x.localeCompare(y) : x - y;
    return up ? by : -by;
  };
  body.append(...rows.sort(order));
}

for (const table of document.querySelectorAll("table.overview")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(heading.firstChild);
    heading.prepend(button);
    button.addEventListener("click", () => sortBy(table, column, heading));
  });
}

for (const choices of document.querySelectorAll(".choices")) {
  const table = choices.parentElement.querySelector("table.overview");
  choices.hidden = false;
  choices.querySelector(".models").addEventListener("input", event => {
    const words = event.target.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const name = row.cells[0].textContent.toLowerCase();
      row.hidden = words.length > 0 && !words.some(word => name.includes(word));
    }
  });
  for (const box of choices.querySelectorAll("input[type=checkbox]")) {
    box.addEventListener("change", () => {
      for (const row of table.rows) row.cells[Number(box.value) + 1].hidden = !box.checked;
    });
  }
}

for (const choice of document.querySelectorAll("select.seed")) {
  const pictures = choice.closest("section").querySelectorAll("[data-seed]");
  const show = () => { for (const each of pictures) each.hidden = each.dataset.seed !== choice.value; };
  choice.closest("label").hidden = false;
  choice.addEventListener("change", show);
  show();
}

// A link into what is folded unfolds it.
function unfold() {
  const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (place instanceof HTMLDetailsElement) place.open = true;
}
window.addEventListener("hashchange", unfold);
unfold();

// Makes the page answer to pointer and keyboard. Everything can be read without it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("live");

  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`.replace("-", "\u2212");
  const points = (share) => `${(100 * share).toFixed(1).replace(/^-0\.0$/, "0.0")}\u00a0points`.replace("-", "\u2212");
  const loss = (value) => String(Number(value.toPrecision(3))).replaceAll("-", "\u2212");
  const add = (parent, className) => {
    const child = document.createElement("div");
    child.className = className;
    child.hidden = true;
    parent.append(child);
    return child;
  };

  // The scheme: the system's until the button was pressed. Nothing is remembered, since a sandboxed page has no storage.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const nameTheme = () => { theme.textContent = isDark() ? "Light page" : "Dark page"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // Runs become links only where MLflow itself serves the page: from a disk they would lead nowhere, and its own view of
  // artifacts is sandboxed and opens no links.
  const served = /^(.*\/)(?:get-artifact|ajax-api|api|mlflow-artifacts|model-versions)\b/.exec(location.pathname);
  const start = /^https?:$/.test(location.protocol) && served ? location.origin + served[1] : null;
  const follow = (target, address) => {
    const link = document.createElement("a");
    link.href = address;
    link.target = "_top";
    link.append(...target.childNodes);
    target.append(link);
  };
  if (start) {
    for (const run of document.querySelectorAll("bdi[data-link]")) follow(run, start + run.dataset.link);
  }
  if (/^(https?|file):$/.test(location.protocol) && !served) {
    for (const file of document.querySelectorAll("[data-file]")) {
      if (!/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(file.dataset.file)) follow(file, file.dataset.file);
    }
  }

  // A layer over a drawing that can be walked along with the pointer or, as a slider, with the arrow keys.
  const probe = (plot, name, count, { nearest, show, hide, open }) => {
    const layer = document.createElement("div");
    let at = -1;
    const go = (index) => {
      at = Math.min(count - 1, Math.max(0, index));
      layer.setAttribute("aria-valuenow", at + 1);
      layer.setAttribute("aria-valuetext", show(at));
    };
    layer.className = "probe";
    layer.tabIndex = 0;
    const attributes = { role: "slider", "aria-label": name, "aria-valuemin": 1, "aria-valuemax": count, "aria-valuenow": 1 };
    for (const [key, value] of Object.entries(attributes)) layer.setAttribute(key, value);
    const point = (event) => {
      const box = layer.getBoundingClientRect();
      const index = nearest((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, box);
      if (index >= 0) go(index); else hide();
      return index;
    };
    layer.addEventListener("pointermove", point);
    layer.addEventListener("pointerdown", point);
    layer.addEventListener("click", (event) => { if (open && point(event) >= 0) open(at); });
    layer.addEventListener("pointerleave", () => { if (document.activeElement !== layer) hide(); });
    layer.addEventListener("focus", () => go(Math.max(0, at)));
    layer.addEventListener("blur", hide);
    layer.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -count, End: count };
      if (event.key in step) { go(at + step[event.key]); event.preventDefault(); }
      if (event.key === "Enter" && open) open(at);
      if (event.key === "Escape") hide();
    });
    plot.append(layer);
  };

  // Curves: one epoch is shown in all panels at once, so that they can be compared.
  const panels = [...document.querySelectorAll(".plot[data-values]")].map((plot) => ({
    plot,
    values: JSON.parse(plot.dataset.values),
    readout: plot.nextElementSibling,
    cursor: add(plot, "cursor"),
  }));
  const tell = ({ values, readout, cursor }, epoch) => {
    const index = values.epoch.indexOf(epoch);
    cursor.hidden = index < 0;
    if (index < 0) return (readout.textContent = `No epoch ${epoch}.`);
    cursor.style.left = `${100 * values.x[index]}%`;
    const [train, val, trainLoss, valLoss] = ["train_eval_accuracy", "val_accuracy", "train_eval_loss", "val_loss"]
      .map((key) => values[key][index]);
    const known = (value, write) => (value === null ? "no number" : write(value));
    const gap = train === null || val === null ? "" : `, gap ${points(train - val)}`;
    return (readout.textContent = `Epoch ${epoch}: training ${known(train, percent)}, validation ${known(val, percent)}${gap}; ` +
      `loss ${known(trainLoss, loss)} and ${known(valLoss, loss)}.`);
  };
  const rest = () => {
    for (const { readout, cursor } of panels) { readout.textContent = readout.dataset.rest; cursor.hidden = true; }
  };
  for (const panel of panels) {
    const { plot, values } = panel;
    probe(plot, `Epochs of ${plot.dataset.name}`, values.epoch.length, {
      nearest: (x) => values.x.reduce((best, place, index) => (Math.abs(place - x) < Math.abs(values.x[best] - x) ? index : best), 0),
      show: (index) => {
        for (const other of panels) tell(other, values.epoch[index]);
        return panel.readout.textContent;
      },
      hide: rest,
    });
  }

  // Points: the nearest one within reach, or by the arrow keys in the order of their gaps.
  const plot = document.getElementById("scatter-plot");
  if (plot) {
    const readout = document.getElementById("scatter-readout");
    const [ring, tip] = [add(plot, "ring"), add(plot, "tip")];
    const share = (mark, key) => parseFloat(mark.getAttribute(key)) / 100;
    const marks = [...plot.querySelectorAll("use")]
      .map((mark) => ({ x: share(mark, "x"), y: share(mark, "y"), text: mark.textContent, link: mark.dataset.link }))
      .sort((one, other) => one.x - other.x);
    probe(plot, "Runs, from the smallest gap", marks.length, {
      nearest: (x, y, box) => {
        const distances = marks.map((mark) => Math.hypot((mark.x - x) * box.width, (mark.y - y) * box.height));
        const best = distances.indexOf(Math.min(...distances));
        return distances[best] < 32 ? best : -1;
      },
      show: (index) => {
        const { x, y, text } = marks[index];
        ring.hidden = tip.hidden = false;
        for (const [item, side] of [[ring, "left"], [tip, "left"]]) item.style[side] = `${100 * x}%`;
        ring.style.top = tip.style.top = `${100 * y}%`;
        tip.style.transform = `translate(${-100 * x}%, ${y < 0.25 ? "18px" : "calc(-100% - 16px)"})`;
        tip.textContent = readout.textContent = text;
        return text;
      },
      hide: () => { ring.hidden = tip.hidden = true; readout.textContent = readout.dataset.rest; },
      open: (index) => { if (start && marks[index]?.link) window.open(start + marks[index].link, "_top"); },
    });
  }

  // The leaderboard: a heading sorts up, then down, then back into the given order. What is no number comes last.
  const table = document.querySelector(".leaderboard");
  if (table) {
    const body = table.tBodies[0];
    const given = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    const compare = (column, sign) => (one, other) => {
      const [a, b] = [one.cells[column], other.cells[column]];
      const [x, y] = [a.dataset.value, b.dataset.value];
      if (x !== undefined && y !== undefined) return sign * (x - y);
      if (x !== undefined || y !== undefined) return x !== undefined ? -1 : 1;
      return sign * a.textContent.trim().localeCompare(b.textContent.trim(), "en", { numeric: true });
    };
    headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")];
      for (const other of headings) other.setAttribute("aria-sort", other === heading ? next : "none");
      body.append(...(next === "none" ? given : [...given].sort(compare(column, next === "ascending" ? 1 : -1))));
    }));

    const filter = document.getElementById("filter");
    if (filter) {
      const output = document.getElementById("filtered");
      const texts = given.map((row) => row.textContent.toLowerCase());
      filter.closest("p").hidden = false;
      const apply = () => {
        const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
        given.forEach((row, index) => { row.hidden = !words.every((word) => texts[index].includes(word)); });
        output.textContent = `${given.filter((row) => !row.hidden).length} of ${given.length} runs`;
      };
      filter.addEventListener("input", apply);
      apply();
    }
  }
})();

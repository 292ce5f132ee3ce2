"use strict";
// The page can be read without this. A table that is wider than the page says on which side it has more columns.
for (const box of document.querySelectorAll(".scroll")) {
  const tell = () => {
    box.classList.toggle("back", box.scrollLeft > 2);
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  };
  box.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(box);
}
// It shows the value of a chart nearest to the pointer.
for (const chart of document.querySelectorAll("svg.chart")) {
  const panel = chart.parentElement;
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  panel.append(tip);
  const marks = [...chart.querySelectorAll(".mark")].map((mark) => {
    const title = mark.querySelector("title");
    const told = title.textContent;
    title.remove();
    return { mark, told, dot: mark.querySelector(".dot") };
  });
  let near = null;
  const leave = () => {
    if (near) near.mark.classList.remove("near");
    near = null;
    tip.hidden = true;
  };
  chart.addEventListener("pointermove", (event) => {
    let best = null;
    let least = 32 * 32;
    for (const each of marks) {
      const box = each.dot.getBoundingClientRect();
      const x = box.left + box.width / 2 - event.clientX;
      const y = box.top + box.height / 2 - event.clientY;
      if (x * x + y * y < least) [best, least] = [each, x * x + y * y];
    }
    leave();
    if (!best) return;
    near = best;
    best.mark.classList.add("near");
    tip.textContent = best.told;
    tip.hidden = false;
    const box = best.dot.getBoundingClientRect();
    const home = panel.getBoundingClientRect();
    const left = Math.min(box.left - home.left + 8, home.width - tip.offsetWidth);
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = `${Math.max(0, box.top - home.top - tip.offsetHeight - 6)}px`;
  });
  chart.addEventListener("pointerleave", leave);
}
// A class alone in the layouts, while its name is pointed at.
for (const section of document.querySelectorAll("section.layouts")) {
  for (const name of section.querySelectorAll(".hues li")) {
    const show = (alone) => {
      for (const layout of section.querySelectorAll(".layout")) {
        layout.classList.toggle("one", alone);
        for (const mark of layout.querySelectorAll(".mark")) {
          mark.classList.toggle("same", alone && mark.dataset.class === name.dataset.class);
        }
      }
    };
    name.addEventListener("pointerenter", () => show(true));
    name.addEventListener("pointerleave", () => show(false));
  }
}

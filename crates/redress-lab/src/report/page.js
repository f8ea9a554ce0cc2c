"use strict";
(() => {
  const root = document.documentElement;
  const at = (id) => document.getElementById(id);
  const switches = [...document.querySelectorAll("button[data-policy]")];
  const both = [...switches, ...document.querySelectorAll("button[data-size]")];
  const key = (button) => button.dataset.policy ?? button.dataset.size;
  const [all, none, theme] = ["all", "none", "theme"].map(at);
  const off = new Set();

  const show = () => {
    root.dataset.off = [...off].join(" ");
    for (const button of both) button.setAttribute("aria-pressed", String(!off.has(key(button))));
    const shown = switches.filter((button) => !off.has(key(button))).length;
    at("told").textContent = `${shown} of ${switches.length} policies shown`;
  };
  const keep = () => {
    const names = both.filter((button) => off.has(key(button))).map((button) => button.dataset.name);
    const state = names.length ? "#off=" + names.map(encodeURIComponent).join(",") : "";
    history.replaceState(null, "", location.href.split("#")[0] + state);
    show();
  };
  const recall = () => {
    if (!location.hash.startsWith("#off=")) return;
    const names = location.hash.slice(5).split(",").map((name) => {
      try { return decodeURIComponent(name); } catch { return name; }
    });
    off.clear();
    for (const button of both) if (names.includes(button.dataset.name)) off.add(key(button));
    show();
  };
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };

  // What is scrolled to, by a link or by the focus, is not to lie below the bar.
  const fit = () => { root.style.scrollPaddingTop = `${document.querySelector(".switches").offsetHeight + 12}px`; };

  for (const button of both) {
    button.disabled = false;
    button.addEventListener("click", () => {
      if (!off.delete(key(button))) off.add(key(button));
      keep();
    });
  }
  all.addEventListener("click", () => { off.clear(); keep(); });
  none.addEventListener("click", () => { for (const button of switches) off.add(key(button)); keep(); });
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  addEventListener("hashchange", recall);
  for (const button of [all, none, theme]) button.hidden = false;
  addEventListener("resize", fit);
  fit();
  name();
  show();
  recall();
})();

"use strict";
(() => {
  const root = document.documentElement;
  const at = (id) => document.getElementById(id);
  const switches = [...document.querySelectorAll("button[data-policy]")];
  const [all, none, theme] = ["all", "none", "theme"].map(at);
  const off = new Set();

  const show = () => {
    root.dataset.off = [...off].join(" ");
    for (const button of switches) button.setAttribute("aria-pressed", String(!off.has(button.dataset.policy)));
    at("told").textContent = `${switches.length - off.size} of ${switches.length} policies shown`;
  };
  const keep = () => {
    const names = switches.filter((button) => off.has(button.dataset.policy)).map((button) => button.dataset.name);
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
    for (const button of switches) if (names.includes(button.dataset.name)) off.add(button.dataset.policy);
    show();
  };
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };

  // What is scrolled to, by a link or by the focus, is not to lie below the bar.
  const fit = () => { root.style.scrollPaddingTop = `${document.querySelector(".switches").offsetHeight + 12}px`; };

  for (const button of switches) {
    button.disabled = false;
    button.addEventListener("click", () => {
      if (!off.delete(button.dataset.policy)) off.add(button.dataset.policy);
      keep();
    });
  }
  all.addEventListener("click", () => { off.clear(); keep(); });
  none.addEventListener("click", () => { for (const button of switches) off.add(button.dataset.policy); keep(); });
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

"use strict";
// A port that is the usual one of a security setting follows it; any other is left alone.
for (const select of document.querySelectorAll("select[data-ports]")) {
  const port = document.getElementById(select.id.replace(/security$/, "port"));
  const usual = Object.fromEntries(select.dataset.ports.split(" ").map((pair) => pair.split(":")));
  select.addEventListener("change", () => {
    if (port && (port.value === "" || Object.values(usual).includes(port.value))) port.value = usual[select.value];
  });
}

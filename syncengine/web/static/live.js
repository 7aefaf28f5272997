"use strict";
// Keeps the part of the page that is about to change up to date, while somebody looks at it: the server
// says that it changed (server-sent events), and htmx asks for it anew. Without script a reload does the same.
(() => {
  const part = () => document.querySelector("[data-live]");
  let stream = null;
  let later = 0;

  function close() {
    clearTimeout(later);
    if (stream) stream.close();
    stream = null;
  }

  function open() {
    close();
    if (document.hidden || !part()) return;
    stream = new EventSource(part().dataset.live);
    stream.addEventListener("changed", () => htmx.trigger(part(), "changed"));
    stream.addEventListener("over", open);
    stream.addEventListener("error", () => {
      // A stream that was refused does not try again by itself: there are too many, or who looks signed out.
      if (!stream || stream.readyState !== EventSource.CLOSED) return;
      close();
      later = setTimeout(open, 30000);
    });
  }

  document.addEventListener("visibilitychange", open);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  document.addEventListener("htmx:beforeSwap", (event) => {
    // Another page than this one came: the visitor has to sign in again.
    if (event.detail.serverResponse.includes("data-live=")) return;
    event.detail.shouldSwap = false;
    location.reload();
  });
})();

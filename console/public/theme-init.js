// Sets theme and density before the first paint. A file of its own, because the page allows no inline script.
(function () {
  var root = document.documentElement;
  var read = function (key) {
    try {
      return window.localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  var theme = read("dharma.theme");
  var known = theme === "light" || theme === "dark" || theme === "contrast";
  var system = window.matchMedia("(prefers-contrast: more)").matches
    ? "contrast"
    : window.matchMedia("(prefers-color-scheme: dark)").matches
      ? "dark"
      : "light";
  root.dataset.theme = known ? theme : system;
  root.dataset.density = read("dharma.density") === "comfortable" ? "comfortable" : "compact";
})();

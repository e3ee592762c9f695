// What the pages gain by a script: they notice changes, count an answer's length, and tell that somebody is writing.
// Every page works without it.
(() => {
  const script = document.currentScript;
  document.documentElement.classList.add("scripted");

  // --- live ----------------------------------------------------------------------------------------------------------
  let seen = null;

  function refresh() {
    for (const part of document.querySelectorAll("[data-hx-trigger='desk:refresh']")) {
      if (part.id === "queue" && (part.matches(":hover") || part.contains(document.activeElement))) {
        offer(part);
      } else {
        part.dispatchEvent(new CustomEvent("desk:refresh"));
      }
    }
  }

  // The list never moves under a hand: it says that there is news, and shows it when asked.
  function offer(part) {
    const news = document.getElementById("news");
    if (!news || !news.hidden) return;
    const button = document.createElement("button");
    button.textContent = news.dataset.button;
    button.addEventListener("click", () => {
      news.hidden = true;
      news.replaceChildren();
      part.dispatchEvent(new CustomEvent("desk:refresh"));
    });
    news.replaceChildren(news.dataset.words + " ", button);
    news.hidden = false;
  }

  function heard(message) {
    const live = document.getElementById("live");
    if (live) live.textContent = message.up ? live.dataset.on : live.dataset.off;
    if (!message.seen) return;
    if (seen !== null && message.seen !== seen) refresh();
    seen = message.seen;
  }

  if (window.SharedWorker) {
    const worker = new SharedWorker(script.dataset.worker);
    worker.port.onmessage = (event) => heard(event.data);
    worker.port.start();
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
  } else {
    setInterval(refresh, 15000);
  }

  if (new URLSearchParams(location.search).get("done") === "answer") sessionStorage.removeItem(`draft:${location.pathname}`);

  // --- the answer ----------------------------------------------------------------------------------------------------
  const text = document.getElementById("text");
  if (!text) return;
  const counter = document.getElementById("counter");
  const limit = Number(text.dataset.limit);

  // The network's own way of counting; the server counts again before anything is sent.
  const light = [[0, 4351], [8192, 8205], [8208, 8223], [8242, 8247]];
  const graphemes = window.Intl && Intl.Segmenter ? new Intl.Segmenter() : null;
  const parts = (words) => (graphemes ? [...graphemes.segment(words)].map((part) => part.segment) : [...words]);
  const ways = {
    characters: (words) => [...words].length,
    graphemes: (words) => parts(words).length,
    "x-weighted": (words) => {
      let length = 0;
      const plain = words.normalize("NFC").replace(/https?:\/\/\S+|www\.\S+/gi, () => { length += 23; return ""; });
      for (const part of parts(plain)) {
        if (/\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u.test(part)) { length += 2; continue; }
        for (const sign of part) {
          const code = sign.codePointAt(0);
          length += light.some(([first, last]) => first <= code && code <= last) ? 1 : 2;
        }
      }
      return length;
    },
  };
  const count = ways[text.dataset.unit] || ways.characters;

  function show() {
    const used = count(text.value.trim());
    counter.textContent = counter.dataset.words.replace("%(used)s", used).replace("%(limit)s", limit);
    counter.classList.toggle("over", used > limit);
  }
  text.addEventListener("input", show);

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
      event.preventDefault();
      text.form.requestSubmit();
    }
  });
  const offline = document.getElementById("offline");
  text.form.addEventListener("submit", (event) => {
    offline.hidden = navigator.onLine;
    if (text.form.dataset.sent || !navigator.onLine) { event.preventDefault(); return; }
    text.form.dataset.sent = "yes";
  });
  addEventListener("online", () => { offline.hidden = true; });

  // A lost network, a reload, a phone that was put away: the words stay until they are sent.
  const place = `draft:${location.pathname}`;
  if (!text.value) text.value = sessionStorage.getItem(place) || "";
  text.addEventListener("input", () => sessionStorage.setItem(place, text.value));
  addEventListener("pageshow", () => delete text.form.dataset.sent);
  show();

  // While words stand here and are worked on, the robot does not cut in.
  let touched = 0;
  text.addEventListener("input", () => { touched = Date.now(); });
  setInterval(() => {
    if (!text.value.trim() || Date.now() - touched > 120000) return;
    const csrf = document.querySelector("meta[name=csrf]").content;
    fetch(text.form.dataset.draft, { method: "POST", headers: { "X-CSRF": csrf } }).catch(() => {});
  }, 10000);
})();

// Fetches the page again and swaps the sections that changed. The server has escaped all text.
const live = document.getElementById("live");
const places = () => document.querySelectorAll("main section");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/_console", { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of places()) {
      const fresh = page.getElementById(old.id);
      if (!fresh || old.isEqualNode(fresh)) continue;
      const list = old.querySelector("ul");
      const top = list ? list.scrollTop : 0;
      old.replaceWith(document.adoptNode(fresh));
      const renewed = fresh.querySelector("ul");
      if (renewed) renewed.scrollTop = top;
    }
    live.textContent = "live";
    live.className = "";
  } catch {
    live.textContent = "stopped";
    live.className = "stopped";
  }
}

// Sends a failed step again. A body of JSON is what no page of another site can post without asking.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.retry");
  if (!button) return;
  button.disabled = true;
  const wish = { case: button.dataset.case, step: button.dataset.step, by: "console" };
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/_console/steps/retry", { method: "POST", headers, body: JSON.stringify(wish) });
  button.textContent = answer.ok ? "Queued" : await answer.text();
  refresh();
});

setInterval(refresh, 2000);

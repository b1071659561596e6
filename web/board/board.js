/** The operators' board: which list is shown stands in the address (#review, #order=…, #drop=…). */

import { ask, route } from "../api.js";
import { byId, fill, make } from "../elements.js";
import { clearProblem, correlation, showProblem, told } from "../forms.js";
import { config } from "../config.js";
import { signedIn, start } from "../session.js";
import { decide } from "./decisions.js";
import { canRetry, card, keyOf } from "./item.js";

const EVERY = 30_000;
const DAY = 86_400_000;
/** Lists that nobody empties are asked for what came to them lately. */
const LATELY = ["retrying", "rejected", "po_review_rejected"];
const NOTHING = {
  review: "Nothing needs a decision.",
  retrying: "Nothing of the last 14 days is being tried again.",
  rejected: "Nothing was rejected in the last 14 days.",
  waiting: "Nothing waits for files.",
  submitting: "Nothing is being sent just now.",
  pending_po_upload: "No order that the app looks at waits for its documents.",
  po_review_rejected: "No purchase order was rejected in the last 14 days.",
};
/** Lists of orders, by their status at Partner Center. */
const ORDERS = { pending_po_upload: "Orders that wait for documents", po_review_rejected: "Orders whose purchase order was rejected" };

const list = byId("list");
const note = byId("board-note");
let pages = 1;
let turn = 0;

/** What the address asks for. */
function view() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const [state] = asked.keys();
  if (state === "order") return { title: "Submissions of one order", customer: asked.get("customer") ?? "", order: asked.get("order") ?? "" };
  if (state === "drop") return { title: "One drop", drop: asked.get("drop") ?? "" };
  const known = state in NOTHING ? state : "review";
  const lately = LATELY.includes(known) ? ", of the last 14 days" : "";
  return { title: (ORDERS[known] ?? known[0].toUpperCase() + known.slice(1)) + lately, state: known };
}

/** The address of the first page, and how its answer becomes items. */
function source({ state, customer, order, drop }) {
  if (drop !== undefined) return { url: route("drops", ...drop.split("/")), items: (body) => [fromReceipt(body)] };
  const listed = state in ORDERS ? { orderStatus: state } : { state };
  const query = new URLSearchParams(state ? listed : { customerId: customer, orderId: order });
  if (LATELY.includes(state)) query.set("since", new Date(Date.now() - 14 * DAY).toISOString());
  return { url: `${config.api}/submissions?${query}`, items: (body) => body.items };
}

/** A receipt, as the listing would tell it. */
function fromReceipt(receipt) {
  return {
    ...receipt,
    kind: "drop",
    drops: [receipt.drop],
    documents: (receipt.files ?? []).map((one) => one.fileName),
    decisions: receipt.submission && receipt.state === "review" ? ["adopt", "retry", "send-again", "give-up"] : [],
  };
}

/** Read all pages that are shown, and show what has changed. */
async function load() {
  const mine = ++turn;
  const now = view();
  const found = source(now);
  list.setAttribute("aria-busy", "true");
  const items = [];
  let next = found.url;
  for (let page = 0; page < pages && next; page += 1) {
    const answer = await ask(next);
    if (mine !== turn) return; // another list was chosen meanwhile
    if (answer.problem) return showFailure(answer);
    items.push(...found.items(answer.body));
    next = answer.body.next;
  }
  list.removeAttribute("aria-busy");
  fill(byId("updated"), "Updated ", make("time", {}, new Date().toLocaleTimeString()));
  reconcile(items);
  fill(note, !items.length && make("p", {}, now.state ? NOTHING[now.state] : "Nothing was found."));
  byId("paging").hidden = !next;
}

function showFailure({ problem, correlationId }) {
  list.removeAttribute("aria-busy");
  fill(note, make("h3", {}, problem.title), ...told(problem), correlation(correlationId));
}

/** Change only the cards whose item has changed, so that focus and what is open stay where they are. */
function reconcile(items) {
  const known = new Map([...list.children].map((one) => [one.dataset.key, one]));
  const fresh = items.map((item) => {
    const key = keyOf(item);
    const old = known.get(key);
    known.delete(key);
    const text = JSON.stringify(item);
    if (old?.dataset.item === text && !old.classList.contains("gone")) return old;
    const made = card(item, { decide: (one, decision) => decide(one, decision, after), tryNow });
    Object.assign(made.dataset, { key, item: text });
    if (old) takeOver(old, made);
    return made;
  });
  for (const gone of known.values()) {
    if (gone.contains(document.activeElement)) {
      gone.classList.add("gone"); // its reader is still there
      fresh.push(gone);
    }
  }
  place(fresh);
}

/** Put the cards in their order without moving those that stand right: moving one would take its focus. */
function place(cards) {
  for (const old of [...list.children]) if (!cards.includes(old)) old.remove();
  cards.forEach((one, at) => {
    if (list.children[at] !== one) list.insertBefore(one, list.children[at] ?? null);
  });
}

function takeOver(old, made) {
  const open = old.querySelector("details")?.open ?? false;
  made.querySelector("details").open = open;
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.part : "";
  old.replaceWith(made);
  if (focused) (made.querySelector(`[data-part="${focused}"]`) ?? made.querySelector("h3")).focus();
}

async function tryNow(item) {
  if (canRetry(item)) return decide(item, "try-now", after);
  const answer = await ask(route("drops", ...item.drops[0].split("/")), { method: "POST", body: {} });
  if (answer.problem) return showFailure(answer);
  return after("The application looks at the drop now.");
}

async function after(said) {
  await load();
  fill(note, make("p", {}, said));
}

/** Show the list that the address names, from its first page. */
function choose() {
  const { title, state } = view();
  pages = 1;
  list.replaceChildren();
  byId("paging").hidden = true;
  byId("list-title").textContent = title;
  for (const tab of byId("tabs").children) {
    if (tab.hash === `#${state}`) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  refresh();
}

function refresh() {
  if (signedIn()) load();
  else fill(note, make("p", {}, config.signIn === "key" ? "Enter a key at the top of the page: a function key to look, the master key to decide." : "Sign in at the top of the page."));
}

async function more() {
  const before = list.children.length;
  pages += 1;
  await load();
  list.children[before]?.querySelector("h3").focus();
}

function look(event, name, fields) {
  event.preventDefault();
  clearProblem(event.target);
  const values = fields.map((id) => byId(id).value.trim());
  const errors = fields.filter((_, at) => !values[at]).map((id) => ({ pointer: id, detail: "is missing" }));
  if (errors.length) return showProblem(event.target, { type: "", title: "There is a problem", errors }, byId);
  const [first, second] = values;
  const hash = `#${new URLSearchParams(name === "order" ? { order: second, customer: first } : { drop: first })}`;
  if (location.hash === hash) refresh();
  location.hash = hash;
}

byId("by-order").addEventListener("submit", (event) => look(event, "order", ["look-customer", "look-order"]));
byId("by-drop").addEventListener("submit", (event) => look(event, "drop", ["look-drop"]));
byId("refresh").addEventListener("click", refresh);
byId("show-more").addEventListener("click", more);
window.addEventListener("hashchange", choose);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || (signedIn() && load()), EVERY);
choose();
start(choose);

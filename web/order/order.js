/**
 * The order form: one order is placed, or one cart checked out, under one Idempotency-Key, however often the page sends or
 * is reloaded.
 */

import { ask, pause, poll, route } from "../api.js";
import { byId, facts, fill, make } from "../elements.js";
import { clearProblem, correlation, field, lock, showProblem, told } from "../forms.js";
import { keep, kept } from "../kept.js";
import { start } from "../session.js";
import * as documents from "./documents.js";

const KEPT = "order";
const FINAL = ["refused", "nothing-ordered", "given-up"];
/** The same request is answered so every time, so nothing was ever recorded of it (docs/http.md). */
const INVALID = ["invalid-input", "no-reseller", "too-large", "unsupported-media-type"];
/** Nothing was recorded of this sending; of an earlier one it says nothing. */
const TURNED_AWAY = ["sign-in", "forbidden", "lines-refused"];

/**
 * `sent` is what goes out under the key, as long as it may have been recorded: exactly that is sent again.
 * @type {{key: string, sent: {customer: string, body: any, cart?: boolean} | null, location: string, placed: any, fields: any}}
 */
let state = kept(KEPT) ?? fresh();
let busy = false;

const form = byId("order-form");
const note = byId("order-note");

function fresh() {
  return { key: crypto.randomUUID(), sent: null, location: "", placed: null, fields: { cart: true, lines: [{}] } };
}

function save(changes = {}) {
  Object.assign(state, changes);
  keep(KEPT, state);
}

/** The body of the request; empty fields are left out. */
function body() {
  const { cart, reseller, cycle, lines } = state.fields;
  return {
    indirectResellerId: reseller || undefined,
    billingCycle: (!cart && cycle) || undefined,
    lineItems: lines.map((line) => ({
      [cart ? "catalogItemId" : "offerId"]: line.offer ?? "",
      quantity: /^\d+$/.test(line.quantity ?? "") ? Number(line.quantity) : (line.quantity || undefined),
      termDuration: line.term || undefined,
      billingCycle: (cart && line.cycle) || undefined,
    })),
  };
}

async function place(event) {
  event.preventDefault();
  if (busy) return;
  clearProblem(form);
  let first = !state.sent;
  if (first) save({ sent: { customer: state.fields.customer ?? "", body: body(), cart: state.fields.cart } });
  work(true, make("p", {}, "Sending the order …"));
  let answer = await send();
  while (answer.problem?.type.endsWith(":in-progress")) { // what was sent before a reload is still at work
    first = false;
    work(true, make("p", {}, "The order is being placed …"), correlation(answer.correlationId));
    await pause(answer.retryAfter);
    answer = await send();
  }
  settle(answer, first);
}

const send = () => ask(route("customers", state.sent.customer, state.sent.cart ? "checkouts" : "orders"), {
  method: "POST",
  headers: { "Idempotency-Key": state.key },
  body: state.sent.body,
});

/** Ask for the outcome until it is known; the address needs no key, so a reload goes on here. */
async function follow() {
  const goOn = (answer) => work(true,
    make("h3", {}, "The outcome is not known yet"),
    make("p", {}, answer.body?.detail || "Partner Center has not answered."),
    make("p", {}, "The application finds out, and this page goes on asking. You may reload it."),
    ...(answer.problem ? [make("p", {}, answer.problem.title)] : []), correlation(answer.correlationId));
  work(true, make("p", {}, "Asking what became of the order …"));
  const answer = await poll(state.location, { waits: goOn, anonymous: true });
  save({ location: "" });
  settle(answer);
}

function settle(answer, first = false) {
  if (answer.status === 202) {
    save({ location: answer.location });
    follow();
  } else if (answer.problem) {
    refused(answer.problem, first);
  } else {
    const { id, status } = asItIs(answer.body ?? {});
    const { customer, cart } = state.sent;
    const checkout = cart ? toldOf(answer.body ?? {}) : null;
    save({ placed: { order: id, customer, status, checkout, next: answer.nextStep, correlationId: answer.correlationId } });
    const waiting = checkout ? checkout.orders.find((one) => one.waits)?.id : id;
    if (waiting) documents.suggest(customer, waiting);
    showPlaced();
    note.focus();
  }
}

function refused(problem, first) {
  const slug = problem.type.split(":").at(-1);
  if (FINAL.includes(slug) && !problem.retryable) save({ key: crypto.randomUUID(), sent: null });
  else if (INVALID.includes(slug) || (first && TURNED_AWAY.includes(slug))) save({ sent: null });
  work(false);
  showProblem(form, problem, fieldOf);
}

/** What a checkout came to, as far as it is shown; `failed` are errors that stand for no line. */
function toldOf({ orders = [], orderErrors = [], lines = [], remedy = "" }) {
  const of = lines.map((one) => one.error?.orderGroupId);
  return {
    orders: orders.map(asItIs).map((one) => ({ ...one, waits: waits(one.status) })),
    failed: orderErrors.filter((one) => !of.includes(one.orderGroupId)).map(why), lines, remedy,
  };
}

/** Id and status of an order, which Partner Center writes in camelCase or PascalCase; "" for what it does not tell. */
function asItIs(order) {
  const members = Object.fromEntries(Object.entries(order).map(([name, value]) => [name.toLowerCase(), value]));
  return { id: String(members.id ?? ""), status: String(members.status ?? "") };
}

const why = ({ code, description }) => `${description} (${code})`;

/** Whether an order of this status waits for its purchase order; Partner Center spells it in two ways. */
const waits = (status) => status.toLowerCase().replaceAll("_", "") === "pendingpoupload";

function showPlaced() {
  const { order, customer, status, checkout, next, correlationId } = state.placed;
  if (checkout) return showCheckout(state.placed);
  work(false, make("h3", {}, "The order is placed"),
    facts([["Order", order && make("code", {}, order)], ["Customer", make("code", {}, customer)], ["Status", status],
      ["Next", next || (waits(status) && "attach the purchase order")]]), correlation(correlationId));
  note.className = "note good";
  form.hidden = true;
}

function showCheckout({ customer, checkout, correlationId }) {
  const { orders, failed, lines, remedy } = checkout;
  const placed = orders.length === 1 ? "The order is placed" : `${orders.length} orders are placed`;
  work(false, make("h3", {}, remedy ? `${placed}, and not all lines were ordered` : placed),
    remedy && make("p", {}, make("strong", {}, "What to do: "), remedy),
    facts([["Orders", orders.map((one) => make("code", {}, one.id))], ["Customer", make("code", {}, customer)], ["Not ordered", failed]]),
    correlation(correlationId));
  note.className = remedy ? "note wait" : "note good";
  form.hidden = true;
  const waiting = orders.filter((one) => one.waits);
  byId("order-result").replaceChildren(
    make("h3", { id: "lines-title" }, "What became of each line"),
    make("ul", { class: "files became", "aria-labelledby": "lines-title" }, ...lines.map(became)),
    ...(waiting.length ? [make("h3", { id: "waiting-title" }, "Orders that wait for a purchase order"),
      make("ul", { class: "files", "aria-labelledby": "waiting-title" }, ...waiting.map((one) => waitingOrder(customer, one)))] : []));
}

function became({ line, catalogItemId, orderId, error }) {
  const status = state.placed.checkout.orders.find((one) => one.id === orderId)?.status;
  const what = error ? [make("span", { class: "error" }, "Not ordered"), make("br"), make("span", { class: "hint" }, why(error))]
    : orderId ? ["Order ", make("code", {}, orderId), make("br"), make("span", { class: "hint" }, status)]
      : ["Partner Center does not tell which order it is in"];
  return make("li", {}, make("span", {}, `Line ${line + 1}`, make("br"), make("span", { class: "hint" }, catalogItemId)),
    make("span", {}, ...what));
}

function waitingOrder(customer, { id, attached }) {
  const attach = () => documents.begin(customer, id);
  return make("li", {}, make("code", {}, id), attached ? make("span", { class: "hint" }, "Documents are attached")
    : make("button", { type: "button", class: "quiet", "aria-label": `Attach documents to order ${id}`, onclick: attach }, "Attach documents"));
}

/** The documents of an order are attached: say so beside it. */
function attached(order) {
  const known = state.placed?.checkout?.orders.find((one) => one.id === order);
  if (!known) return;
  known.attached = true;
  save();
  showPlaced();
}

/** Say what is going on, or nothing. What may have been recorded is not changed: it would be another order. */
function work(on, ...said) {
  busy = on;
  byId("place").setAttribute("aria-disabled", String(on));
  lock(form, on || state.sent !== null, byId("place"));
  byId("order-next").hidden = on || !state.sent;
  byId("order-result").replaceChildren();
  note.className = on ? "note wait" : "note";
  fill(note, ...said);
}

const MEMBERS = { offerId: "offer", catalogItemId: "offer", quantity: "quantity", termDuration: "term", billingCycle: "cycle" };
const FIELDS = {
  "path:customerid": "order-customer",
  "/indirectresellerid": "reseller",
  "/billingcycle": "cycle",
  "/lineitems": "add-line",
};

function fieldOf(pointer) {
  const [, line, member = "catalogItemId"] = /^\/lineItems\/(\d+)(?:\/(\w+))?/.exec(pointer) ?? [];
  if (line) return byId(`${MEMBERS[member]}-${line}`);
  return byId(FIELDS[pointer.toLowerCase()] ?? "");
}

const TERMS = { "": "", P1M: "One month", P1Y: "One year", P3Y: "Three years" };
const CYCLES = { "": "", monthly: "Monthly", annual: "Annual", one_time: "One time", triennial: "Every three years" };

const options = (names, chosen = "") => Object.entries(names).map(([value, name]) => make("option", { value, selected: value === chosen }, name));

function showLines() {
  const { cart } = state.fields;
  byId("of-direct").hidden = cart;
  byId("place").textContent = cart ? "Check out the cart" : "Place the order";
  byId("lines").replaceChildren(...state.fields.lines.map((line, index) => {
    const text = (name, value) => make("input", { name, value, autocomplete: "off", spellcheck: "false" });
    const quantity = text("quantity", line.quantity ?? "");
    quantity.inputMode = "numeric";
    const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove line ${index + 1}`, onclick: () => removeLine(index) }, "Remove");
    return make("fieldset", { class: "line", id: `line-${index}` },
      make("legend", {}, `Line ${index + 1}`), state.fields.lines.length > 1 && remove,
      make("div", { class: cart ? "row four" : "row" },
        field(`offer-${index}`, cart ? "Catalog item ID" : "Offer ID", text("offer", line.offer ?? "")),
        field(`quantity-${index}`, "Quantity", quantity),
        field(`term-${index}`, "Term", make("select", { name: "term" }, ...options(TERMS, line.term))),
        cart && field(`cycle-${index}`, "Billing cycle", make("select", { name: "cycle" }, ...options(CYCLES, line.cycle)))));
  }));
}

function addLine() {
  save({ fields: { ...state.fields, lines: [...state.fields.lines, {}] } });
  showLines();
  byId(`offer-${state.fields.lines.length - 1}`).focus();
}

function removeLine(index) {
  save({ fields: { ...state.fields, lines: state.fields.lines.filter((_, at) => at !== index) } });
  clearProblem(form); // what was said of lines may be of others now
  showLines();
  byId("add-line").focus();
}

function typed({ target }) {
  const value = (id) => byId(id)?.value.trim();
  const lines = state.fields.lines.map((line, index) => ({
    offer: value(`offer-${index}`), quantity: value(`quantity-${index}`), term: value(`term-${index}`), cycle: value(`cycle-${index}`) ?? line.cycle,
  }));
  save({ fields: { cart: byId("cart").checked, customer: value("order-customer"), reseller: value("reseller"), cycle: value("cycle"), lines } });
  if (target.name !== "way") return;
  clearProblem(form);
  showLines();
}

function show() {
  form.hidden = false;
  byId("order-customer").value = state.fields.customer ?? "";
  byId("reseller").value = state.fields.reseller ?? "";
  byId("cycle").replaceChildren(...options(CYCLES, state.fields.cycle));
  byId(state.fields.cart ? "cart" : "direct").checked = true;
  showLines();
  work(false);
}

function another() {
  if (busy) return;
  const open = state.sent && !state.placed && `The order with the key ${state.key} may have been placed.`;
  if (open && !confirm(`${open} Another order is placed beside it. Begin another order?`)) return;
  state = fresh();
  save();
  clearProblem(form);
  show();
  if (open) fill(note, make("p", {}, open));
  byId("order-customer").focus();
}

/** Go on where the page was when it was left. */
function resume() {
  show();
  if (state.placed) showPlaced();
  else if (state.location) follow();
  else if (state.sent) {
    fill(note, ...told({
      type: "", title: "", detail: "The order was sent, and this page was left before it knew what came of it.",
      remedy: "place the order again, unchanged. If it arrived, it is not placed a second time.",
    }));
  }
}

form.addEventListener("submit", place);
form.addEventListener("input", typed);
byId("add-line").addEventListener("click", addLine);
byId("another-order").addEventListener("click", another);
resume();
documents.resume(attached);
start(documents.signedIn);

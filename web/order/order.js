/** The order form: one order is placed under one Idempotency-Key, however often the page sends or is reloaded. */

import { ask, pause, poll, route } from "../api.js";
import { byId, facts, fill, make } from "../elements.js";
import { clearProblem, correlation, field, lock, showProblem, told } from "../forms.js";
import { keep, kept } from "../kept.js";
import { start } from "../session.js";
import * as documents from "./documents.js";

const KEPT = "order";
const FINAL = ["refused", "given-up"];
/** The same request is answered so every time, so nothing was ever recorded of it (docs/http.md). */
const INVALID = ["invalid-input", "no-reseller", "too-large", "unsupported-media-type"];
/** Nothing was recorded of this sending; of an earlier one it says nothing. */
const TURNED_AWAY = ["sign-in", "forbidden"];

/**
 * `sent` is what goes out under the key, as long as it may have been recorded: exactly that is sent again.
 * @type {{key: string, sent: {customer: string, body: any} | null, location: string, placed: any, fields: any}}
 */
let state = kept(KEPT) ?? fresh();
let busy = false;

const form = byId("order-form");
const note = byId("order-note");

function fresh() {
  return { key: crypto.randomUUID(), sent: null, location: "", placed: null, fields: { lines: [{}] } };
}

function save(changes = {}) {
  Object.assign(state, changes);
  keep(KEPT, state);
}

/** The body of the request; empty fields are left out. */
function body() {
  const { reseller, cycle, lines } = state.fields;
  return {
    indirectResellerId: reseller || undefined,
    billingCycle: cycle || undefined,
    lineItems: lines.map(({ offer, quantity, term }) => ({
      offerId: offer ?? "",
      quantity: /^\d+$/.test(quantity ?? "") ? Number(quantity) : (quantity || undefined),
      termDuration: term || undefined,
    })),
  };
}

async function place(event) {
  event.preventDefault();
  if (busy) return;
  clearProblem(form);
  let first = !state.sent;
  if (first) save({ sent: { customer: state.fields.customer ?? "", body: body() } });
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

const send = () => ask(route("customers", state.sent.customer, "orders"), {
  method: "POST",
  headers: { "Idempotency-Key": state.key },
  body: state.sent.body,
});

/** Ask for the outcome until it is known; the address needs no key, so a reload goes on here. */
async function follow() {
  const waits = (answer) => work(true,
    make("h3", {}, "The outcome is not known yet"),
    make("p", {}, answer.body?.detail || "Partner Center has not answered."),
    make("p", {}, "The application finds out, and this page goes on asking. You may reload it."),
    ...(answer.problem ? [make("p", {}, answer.problem.title)] : []), correlation(answer.correlationId));
  work(true, make("p", {}, "Asking what became of the order …"));
  const answer = await poll(state.location, { waits, anonymous: true });
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
    const { id = "", status = "" } = answer.body ?? {};
    save({ placed: { order: id, customer: state.sent.customer, status, next: answer.nextStep, correlationId: answer.correlationId } });
    documents.suggest(state.placed.customer, id);
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

function showPlaced() {
  const { order, customer, status, next, correlationId } = state.placed;
  work(false, make("h3", {}, "The order is placed"),
    facts([["Order", order && make("code", {}, order)], ["Customer", make("code", {}, customer)], ["Status", status],
      ["Next", next || (status === "pending_po_upload" && "attach the purchase order")]]), correlation(correlationId));
  note.className = "note good";
  form.hidden = true;
}

/** Say what is going on, or nothing. What may have been recorded is not changed: it would be another order. */
function work(on, ...said) {
  busy = on;
  byId("place").setAttribute("aria-disabled", String(on));
  lock(form, on || state.sent !== null, byId("place"));
  byId("order-next").hidden = on || !state.sent;
  note.className = on ? "note wait" : "note";
  fill(note, ...said);
}

const FIELDS = {
  "path:customerid": "order-customer",
  "/indirectresellerid": "reseller",
  "/billingcycle": "cycle",
  "/lineitems": "add-line",
};

function fieldOf(pointer) {
  const [, line, member] = /^\/lineItems\/(\d+)\/(\w+)/.exec(pointer) ?? [];
  if (line) return byId(`${{ offerId: "offer", quantity: "quantity", termDuration: "term" }[member]}-${line}`);
  return byId(FIELDS[pointer.toLowerCase()] ?? "");
}

const TERMS = { "": "", P1M: "One month", P1Y: "One year", P3Y: "Three years" };

function showLines() {
  byId("lines").replaceChildren(...state.fields.lines.map((line, index) => {
    const text = (name, value) => make("input", { name, value, autocomplete: "off", spellcheck: "false" });
    const term = make("select", { name: "term" }, ...Object.entries(TERMS).map(([value, name]) =>
      make("option", { value, selected: value === (line.term ?? "") }, name)));
    const quantity = text("quantity", line.quantity ?? "");
    quantity.inputMode = "numeric";
    const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove line ${index + 1}`, onclick: () => removeLine(index) }, "Remove");
    return make("fieldset", { class: "line", id: `line-${index}` },
      make("legend", {}, `Line ${index + 1}`), state.fields.lines.length > 1 && remove,
      make("div", { class: "row" },
        field(`offer-${index}`, "Offer ID", text("offer", line.offer ?? "")),
        field(`quantity-${index}`, "Quantity", quantity),
        field(`term-${index}`, "Term", term)));
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

function typed() {
  const value = (id) => byId(id).value.trim();
  const lines = state.fields.lines.map((_, index) =>
    ({ offer: value(`offer-${index}`), quantity: value(`quantity-${index}`), term: value(`term-${index}`) }));
  save({ fields: { customer: value("order-customer"), reseller: value("reseller"), cycle: value("cycle"), lines } });
}

function show() {
  form.hidden = false;
  byId("order-customer").value = state.fields.customer ?? "";
  byId("reseller").value = state.fields.reseller ?? "";
  byId("cycle").value = state.fields.cycle ?? "";
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
documents.resume();
start(documents.signedIn);

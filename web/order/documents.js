/**
 * The documents form: small sets go as one form through the app, larger ones file by file straight into storage.
 * What was begun survives a reload, but for the files: they are chosen again. The receipt of an upload says what has
 * arrived; a form that got no answer is sent again unchanged, for another set would be attached beside it.
 */

import { ask, poll, route } from "../api.js";
import { config } from "../config.js";
import { byId, facts, fill, make, size } from "../elements.js";
import { clearProblem, correlation, lock, showProblem } from "../forms.js";
import { keep, kept } from "../kept.js";
import { put } from "./upload.js";

/**
 * @typedef {{name: string, size: number, modified: number, tender: boolean, file: File | null, sent: boolean, as?: string,
 *   url?: string, headers?: Record<string, string>, bar?: any, said?: any}} Entry `as`: its name at the app
 */

const KEPT = "documents";
const MIB = 1024 * 1024;
const TEXTS = ["customer", "order", "price", "currency", "rate", "tender-link"];
const FIELDS = {
  "path:customerid": "customer", "/customerid": "customer", "path:orderid": "order", "/orderid": "order",
  "/customerprice": "price", "/currency": "currency", "/fxrate": "rate", "/ispartoftender": "tender", "/tenderlink": "tender-link",
};

/** The same form is answered so every time, so nothing was ever recorded of it (docs/http.md). */
const INVALID = ["invalid-input", "order-full", "too-large", "unsupported-media-type"];
/** Nothing of it is at Partner Center. */
const NOT_DONE = ["refused", "send-again"];
/** This sending did nothing; of an earlier one it says nothing. */
const TURNED_AWAY = ["sign-in", "forbidden", "order-busy", "order-not-visible", "order-not-waiting", "not-sent", "throttled", "token-rejected", "no-token"];

/**
 * `suggested`: nobody has typed since the page filled in the order; `upload`, `form`: what was begun, with its files.
 * @type {{fields: any, suggested: boolean, upload: any, form: any, location: string, done: any}}
 */
let state = kept(KEPT) ?? fresh();
/** @type {Entry[]} */
let entries = [];
let busy = false;
/** @type {(order: string) => void} */
let onAttached;

const form = byId("documents-form");
const note = byId("documents-note");

function fresh(fields = {}) {
  return { fields, suggested: false, upload: null, form: null, location: "", done: null };
}

const begun = () => state.upload ?? state.form;

function save(changes = {}) {
  Object.assign(state, changes);
  if (begun()) begun().files = entries.map(({ file, bar, said, ...one }) => one);
  keep(KEPT, state);
}

const inUse = () => busy || begun() || state.location || entries.length > 0;

/** Fill in the order that was just placed, unless the form is in use for another. */
export function suggest(customer, order) {
  const unused = state.done || state.suggested;
  if (inUse() || (state.fields.order && !unused)) return;
  state = fresh({ ...(unused ? {} : state.fields), customer, order });
  save({ suggested: true });
  show();
}

/** Turn to the documents of an order that somebody chose, unless those of another are not done with. */
export function begin(customer, order) {
  if (inUse() && state.fields.order !== order) {
    if (!note.childElementCount) fill(note, make("p", {}, `First attach the files that are chosen for order ${state.fields.order}, or remove them.`));
    return note.focus();
  }
  if (!inUse()) {
    state = fresh(state.done ? { customer, order } : { ...state.fields, customer, order });
    save();
    clearProblem(form);
    show();
  }
  byId("price").focus();
}

/** Go on where the page was when it was left; `attached` is told of each order that has got its documents. */
export function resume(attached) {
  onAttached = attached;
  entries = (begun()?.files ?? []).map((one) => ({ ...one, file: null }));
  show();
  if (state.done) showDone();
  else if (state.location) run(follow);
  else if (state.form) unanswered();
  else if (state.upload) interrupted("Sign in at the top of the page: this page then looks what has arrived.");
}

/** Somebody has signed in: the receipt can be asked. */
export async function signedIn() {
  if (state.upload && !busy) await run(goOn);
}

/** Take a step, and do not stay at work when it breaks. */
async function run(step) {
  try {
    await step();
  } catch (error) {
    failed({ type: "", title: "This page could not go on", detail: String(error), remedy: "reload the page, then send the same again." });
  }
}

function submit(event) {
  event.preventDefault();
  if (!busy) run(attach);
}

async function attach() {
  clearProblem(form);
  if (state.upload) return sendFiles();
  if (state.form) return missing().length ? unanswered() : sendForm();
  const large = entries.filter((one) => one.size > config.maxFileMB * MIB || one.size === 0);
  if (large.length) {
    const wrong = (one) => (one.size ? `is larger than ${config.maxFileMB} MB` : "is empty");
    return failed({ type: "", title: "These files cannot be sent", errors: large.map((one) => ({ pointer: place(one), detail: wrong(one) })) });
  }
  const total = entries.reduce((sum, one) => sum + one.size, 0);
  return total < config.formBelowMB * MIB ? sendForm() : beginUpload();
}

const missing = () => entries.filter((one) => !one.sent && !one.file);
const of = (tender) => entries.filter((one) => one.tender === tender);
const place = (one) => `/${one.tender ? "tenderFiles" : "poFiles"}/${of(one.tender).indexOf(one)}`;

function metadata() {
  const { price, currency, rate, tender } = state.fields;
  const link = tender ? state.fields["tender-link"] : "";
  return { customerPrice: price ?? "", currency: currency ?? "", fxRate: rate || undefined, isPartOfTender: Boolean(tender), tenderLink: link || undefined };
}

const ofOrder = (what) => route("customers", state.fields.customer ?? "", "orders", state.fields.order ?? "", what);

async function sendForm() {
  const first = !state.form;
  if (first) save({ form: {} });
  show();
  const body = new FormData();
  body.append("metadata", JSON.stringify(metadata()));
  for (const one of entries) body.append(one.tender ? "tenderfiles" : "pofiles", one.file, one.name);
  work(true, make("p", {}, "Sending the documents …"), make("progress", { "aria-label": "Sending the documents" }));
  const answer = await ask(ofOrder("attachments"), { method: "POST", body });
  if (answer.status === 202) {
    save({ location: answer.location });
    return follow();
  }
  return settle(answer, first);
}

async function follow() {
  const waits = (answer) => work(true,
    make("h3", {}, "The outcome is not known yet"), make("p", {}, answer.body?.detail || answer.problem?.title || ""),
    make("p", {}, "The application finds out, and this page goes on asking. You may reload it."), correlation(answer.correlationId));
  work(true, make("p", {}, "Asking what became of the documents …"));
  const answer = await poll(state.location, { waits, anonymous: true });
  save({ location: "" });
  settle(answer);
}

function settle(answer, first = false) {
  const slug = answer.problem?.type.split(":").at(-1);
  if ([...INVALID, ...NOT_DONE].includes(slug) || (first && TURNED_AWAY.includes(slug))) change();
  if (answer.problem) failed(answer.problem);
  else done((answer.body?.items ?? []).map((one) => one.fileName), answer.correlationId);
}

async function beginUpload() {
  work(true, make("p", {}, "Asking where the files go …"));
  const announced = (one) => ({ fileName: one.name, size: one.size });
  const tenders = of(true).map(announced);
  const answer = await ask(ofOrder("uploads"), {
    method: "POST",
    body: { metadata: metadata(), poFiles: of(false).map(announced), tenderFiles: tenders.length ? tenders : undefined },
  });
  if (answer.problem) return failed(answer.problem);
  const { receipt, expires, drop, files, correlationId } = answer.body;
  [...of(false), ...of(true)].forEach((one, at) => { // as they were asked for
    const { fileName, url, headers } = files[at];
    Object.assign(one, { as: fileName, url, headers });
  });
  save({ upload: { receipt, expires, drop, correlationId } });
  return sendFiles();
}

async function sendFiles() {
  show();
  work(true, make("p", {}, "Uploading …"));
  const failures = [];
  for (const one of entries.filter((each) => !each.sent && each.file)) {
    tell(one, "uploading");
    const why = await put(one, one.file, (sent) => (one.bar.value = sent));
    one.sent = why === "";
    tell(one, why || "uploaded");
    if (why) failures.push(`${one.name}: ${why}`);
    save();
  }
  return goOn(failures);
}

/** Ask the receipt what has arrived; then wait for the end, or for the files that are missing. */
async function goOn(failures = []) {
  if (entries.every((one) => one.sent)) return watch();
  work(true, make("p", {}, "Looking what has arrived …"));
  const answer = await ask(state.upload.receipt);
  if (answer.body?.state) {
    for (const one of entries) one.sent ||= hasArrived(one, answer.body);
    save();
  }
  if (entries.every((one) => one.sent)) return watch();
  show();
  const detail = failures.join("; ") || answer.problem?.detail || "";
  return interrupted(detail, answer.correlationId, new Date(state.upload.expires) < new Date());
}

/** What the receipt says of a file: it is looked at in `waiting`, may not have been yet in `retrying`, and was in all others. */
function hasArrived({ as }, { state: now, waitingFor = [], files = [] }) {
  if (now === "waiting") return !waitingFor.includes(as);
  return now !== "retrying" || files.some(({ fileName }) => fileName === as);
}

const chooseAgain = () => (missing().length ? `choose these files again: ${missing().map((one) => one.name).join(", ")}. Then ` : "");

function interrupted(detail, id = "", expired = false) {
  let remedy = `${chooseAgain()}resume the upload.`;
  if (expired) remedy = "the upload's addresses have expired: forget this upload, choose all files again and attach them.";
  work(false);
  note.className = "note wait";
  fill(note, make("h3", {}, `The upload for order ${state.fields.order} is not complete`), detail && make("p", {}, detail),
    make("p", {}, make("strong", {}, "What to do: "), remedy), correlation(id || state.upload.correlationId));
}

/** The form was sent, and nobody knows what came of it. */
function unanswered(detail = "") {
  const remedy = `${chooseAgain()}send them again unchanged: what is attached already is not attached a second time.`;
  work(false, make("h3", {}, `The documents for order ${state.fields.order} may be attached`), detail && make("p", {}, detail),
    make("p", {}, make("strong", {}, "What to do: "), remedy));
  note.className = "note wait";
}

const ENDS = ["attached", "rejected", "review"];

/** Read the receipt until it says how the upload has ended. */
async function watch() {
  show();
  work(true, make("p", {}, "All files are uploaded. Waiting until they are attached …"));
  const { body, problem, correlationId } = await poll(state.upload.receipt, {
    waits: ({ body, problem, correlationId }) => work(true,
      make("h3", {}, body?.state === "retrying" ? "Not attached yet: it is tried again" : "All files are uploaded"),
      make("p", {}, problem ? `${problem.title}. ${problem.remedy ?? ""}` : (body?.detail ?? "Waiting until they are attached …")),
      body?.state === "retrying" && body.remedy && make("p", {}, make("strong", {}, "What to do: "), body.remedy), correlation(body?.correlationId ?? correlationId)),
    ended: (answer) => answer.status !== 404 && (answer.problem !== null || ENDS.includes(answer.body?.state)),
  });
  if (problem) return interrupted(problem.title, correlationId);
  if (body.state === "attached") return done((body.attachments ?? body.files ?? []).map((one) => one.fileName), body.correlationId);
  const title = body.state === "review" ? "A person must decide about these documents" : "The documents were not attached";
  if (body.state === "rejected") { // its addresses take no second file: what is corrected is a new upload
    for (const one of entries) Object.assign(one, { sent: false, url: "" });
    entries = entries.filter((one) => one.file);
    save({ upload: null });
  }
  show();
  return failed({ ...body, type: "", title });
}

function failed(problem) {
  if (state.form) unanswered();
  else work(false);
  const named = (problem.errors ?? []).map((one) => {
    const entry = entryOf(one.pointer);
    return { ...one, detail: entry && !one.detail.includes(entry.name) ? `${entry.name} ${one.detail}` : one.detail };
  });
  showProblem(form, { ...problem, errors: named }, fieldOf);
}

function entryOf(pointer) {
  const [, kind, index] = /^\/(po|tender)files\/(\d+)/i.exec(pointer) ?? [];
  return kind ? of(kind.toLowerCase() === "tender")[Number(index)] : undefined;
}

function fieldOf(pointer) {
  const plain = pointer.toLowerCase().replace(/^\/metadata\//, "/");
  if (plain.startsWith("/pofiles")) return byId("po-files");
  if (plain.startsWith("/tenderfiles")) return byId(state.fields.tender ? "tender-files" : "tender");
  return byId(FIELDS[plain] ?? "");
}

function done(names, correlationId) {
  save({ done: { names, correlationId }, upload: null, form: null, location: "" });
  entries = [];
  showDone();
  onAttached(state.fields.order);
  note.focus();
}

function showDone() {
  const { customer, order } = state.fields;
  work(false, make("h3", {}, "The documents are attached"),
    facts([["Order", make("code", {}, order)], ["Customer", make("code", {}, customer)], ["Documents", state.done.names]]),
    correlation(state.done.correlationId));
  note.className = "note good";
  form.hidden = true;
  byId("documents-next").hidden = false;
}

function work(on, ...said) {
  busy = on;
  byId("attach").setAttribute("aria-disabled", String(on));
  lock(form, on, byId("attach"));
  for (const id of [...TEXTS, "tender"]) byId(id).disabled ||= Boolean(begun());
  note.className = on ? "note wait" : "note";
  fill(note, ...said);
}

function show() {
  const { fields, upload } = state;
  const lacks = (tender) => missing().some((one) => one.tender === tender);
  form.hidden = false;
  byId("documents-next").hidden = true;
  for (const id of TEXTS) byId(id).value = fields[id] ?? "";
  byId("tender").checked = Boolean(fields.tender);
  byId("of-tender").hidden = !fields.tender;
  byId("po-drop").hidden = Boolean(begun()) && !lacks(false);
  byId("tender-drop").hidden = begun() ? !lacks(true) : !fields.tender;
  byId("about").hidden = Boolean(upload);
  byId("start-over").hidden = !begun();
  byId("start-over").textContent = upload ? "Forget this upload" : "Change the documents";
  byId("attach").textContent = upload ? "Resume the upload" : state.form ? "Send them again" : "Attach the documents";
  byId("files").replaceChildren(...entries.map(row));
  if (!busy) work(false);
}

function row(entry) {
  const { name, sent, file, tender } = entry;
  const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${name}`, onclick: () => removeFile(entry) }, "Remove");
  const about = `${tender ? "Tender" : "Purchase order"}, ${size(entry.size)}`;
  const stands = sent ? "uploaded" : !file ? "choose it again" : state.upload ? "not uploaded yet" : "";
  entry.said = make("span", { class: "hint" }, begun() ? stands : "");
  entry.bar = make("progress", { max: Math.max(entry.size, 1), value: sent ? entry.size : 0, "aria-label": `Upload of ${name}` });
  return make("li", {}, make("span", {}, name, make("br"), make("span", { class: "hint" }, about)),
    begun() ? entry.said : remove, state.upload && entry.bar);
}

const tell = (entry, text) => (entry.said.textContent = text);

/** Take files that were chosen or dropped: new ones, or those that are to be chosen again. */
function take(files, tender) {
  clearProblem(form);
  const told = files.map((file) => (begun() ? takeAgain(file) : takeNew(file, tender))).filter(Boolean).join(" ");
  show();
  if (state.upload) interrupted(told);
  else if (state.form) unanswered(told);
  else fill(note, told && make("p", {}, told));
}

/** Returns what is to be said of it, or "". */
function takeNew(file, tender) {
  const { name, size, lastModified: modified } = file;
  const known = of(tender).find((one) => one.name === name);
  if (!known) entries.push({ name, size, modified, tender, file, sent: false });
  else if (known.size !== size || known.modified !== modified) {
    Object.assign(known, { file, size, modified });
    return `${name} was replaced.`;
  }
  return "";
}

/** Returns what is to be said of it, or "". */
function takeAgain(file) {
  const same = (one) => one.name === file.name && one.size === file.size && (state.upload || one.modified === file.lastModified);
  const known = entries.filter(same);
  for (const one of known) one.file = file;
  return known.length ? "" : `Not what was sent, or changed since: ${file.name}.`;
}

function removeFile(entry) {
  const at = entries.indexOf(entry);
  entries = entries.filter((one) => one !== entry);
  show();
  (byId("files").querySelectorAll("button")[at] ?? byId(entry.tender ? "tender-files" : "po-files")).focus();
}

function typed({ target }) {
  if (target.type === "file") return;
  const fields = Object.fromEntries(TEXTS.map((id) => [id, byId(id).value.trim()]));
  save({ fields: { ...fields, tender: byId("tender").checked }, suggested: false });
  byId("of-tender").hidden = byId("tender-drop").hidden = !state.fields.tender;
}

/** What was sent is not sent again as it was: its fields and files can be changed. */
function change() {
  save({ form: null });
  entries = entries.filter((one) => one.file);
  show();
}

const ATTACHES_ALL = "These documents may be attached already. A changed set, or another price, attaches all of them again. Change them?";

function startOver() {
  if (busy) return;
  if (state.form) {
    if (confirm(ATTACHES_ALL)) change();
    return;
  }
  const { customer, order, ...rest } = state.fields;
  state = fresh(state.done ? { customer, order } : { customer, order, ...rest });
  entries = [];
  save();
  clearProblem(form);
  show();
  byId("customer").focus();
}

function acceptDrops(zone, tender) {
  const over = (on) => (event) => {
    if (on && busy) return; // the window refuses it
    event.preventDefault();
    zone.classList.toggle("over", on);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    if (!busy) take([...event.dataTransfer.files], tender);
  });
}

/** A file that is dropped where it cannot be taken would open in place of the page. */
function refuseDrop(event) {
  if (event.defaultPrevented || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}

window.addEventListener("dragover", refuseDrop);
window.addEventListener("drop", refuseDrop);
for (const [kind, tender] of [["po", false], ["tender", true]]) {
  const input = byId(`${kind}-files`);
  acceptDrops(byId(`${kind}-drop`), tender);
  input.addEventListener("change", () => {
    if (!busy) take([...input.files], tender);
    input.value = ""; // the same file can be chosen again
  });
}
form.addEventListener("submit", submit);
form.addEventListener("input", typed);
byId("start-over").addEventListener("click", startOver);
byId("more-documents").addEventListener("click", startOver);

/**
 * The documents form: small sets go as one form through the app, larger ones file by file straight into storage.
 * An upload that was begun survives a reload, and its receipt says what has arrived.
 */

import { ask, poll, route } from "../api.js";
import { config } from "../config.js";
import { byId, facts, fill, make, size } from "../elements.js";
import { clearProblem, correlation, showProblem } from "../forms.js";
import { keep, kept } from "../kept.js";
import { put } from "./upload.js";

/**
 * @typedef {{name: string, size: number, tender: boolean, file: File | null, sent: boolean, url?: string,
 *   headers?: Record<string, string>, bar?: any, said?: any}} Entry
 */

const KEPT = "documents";
const MIB = 1024 * 1024;
const TEXTS = ["customer", "order", "price", "currency", "rate", "tender-link"];
const FIELDS = {
  "path:customerid": "customer", "/customerid": "customer", "path:orderid": "order", "/orderid": "order",
  "/customerprice": "price", "/currency": "currency", "/fxrate": "rate", "/ispartoftender": "tender", "/tenderlink": "tender-link",
};

/** @type {{fields: any, upload: any, location: string, done: any}} */
let state = kept(KEPT) ?? fresh();
/** @type {Entry[]} */
let entries = [];
let busy = false;

const form = byId("documents-form");
const note = byId("documents-note");

function fresh(fields = {}) {
  return { fields, upload: null, location: "", done: null };
}

function save(changes = {}) {
  Object.assign(state, changes);
  if (state.upload) state.upload.files = entries.map(({ name, size, tender, sent, url, headers }) => ({ name, size, tender, sent, url, headers }));
  keep(KEPT, state);
}

/** Fill in the order that was just placed, unless the form is at work for another. */
export function suggest(customer, order) {
  if (busy || state.upload || state.location) return;
  state = fresh({ ...state.fields, customer, order });
  save();
  show();
}

/** Go on where the page was when it was left. */
export function resume() {
  entries = (state.upload?.files ?? []).map((one) => ({ ...one, file: null }));
  show();
  if (state.done) showDone();
  else if (state.location) follow();
  else if (state.upload) interrupted("Sign in at the top of the page: this page then looks what has arrived.");
}

/** Somebody has signed in: the receipt can be asked. */
export async function signedIn() {
  if (state.upload && !busy) await goOn();
}

async function submit(event) {
  event.preventDefault();
  if (busy) return;
  clearProblem(form);
  if (state.upload) return sendFiles();
  const large = entries.filter((one) => one.size > config.maxFileMB * MIB || one.size === 0);
  if (large.length) {
    const wrong = (one) => (one.size ? `is larger than ${config.maxFileMB} MB` : "is empty");
    return failed({ type: "", title: "These files cannot be sent", errors: large.map((one) => ({ pointer: place(one), detail: wrong(one) })) });
  }
  const total = entries.reduce((sum, one) => sum + one.size, 0);
  return total < config.formBelowMB * MIB ? sendForm() : beginUpload();
}

const of = (tender) => entries.filter((one) => one.tender === tender);
const place = (one) => `/${one.tender ? "tenderFiles" : "poFiles"}/${of(one.tender).indexOf(one)}`;

function metadata() {
  const { price, currency, rate, tender } = state.fields;
  const link = tender ? state.fields["tender-link"] : "";
  return { customerPrice: price ?? "", currency: currency ?? "", fxRate: rate || undefined, isPartOfTender: Boolean(tender), tenderLink: link || undefined };
}

const ofOrder = (what) => route("customers", state.fields.customer ?? "", "orders", state.fields.order ?? "", what);

async function sendForm() {
  const body = new FormData();
  body.append("metadata", JSON.stringify(metadata()));
  for (const one of entries) body.append(one.tender ? "tenderfiles" : "pofiles", one.file, one.name);
  work(true, make("p", {}, "Sending the documents …"), make("progress", { "aria-label": "Sending the documents" }));
  const answer = await ask(ofOrder("attachments"), { method: "POST", body });
  if (answer.status === 202) {
    save({ location: answer.location });
    return follow();
  }
  return settle(answer);
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

function settle(answer) {
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
  for (const one of entries) Object.assign(one, pick(files.find(({ fileName }) => fileName === one.name)));
  save({ upload: { receipt, expires, drop, correlationId } });
  return sendFiles();
}

const pick = ({ url, headers }) => ({ url, headers });

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
    const missing = answer.body.state === "waiting" ? (answer.body.waitingFor ?? []) : [];
    for (const one of entries) one.sent ||= !missing.includes(one.name);
    save();
  }
  if (entries.every((one) => one.sent)) return watch();
  show();
  const detail = failures.join("; ") || answer.problem?.detail || "";
  return interrupted(detail, answer.correlationId, new Date(state.upload.expires) < new Date());
}

function interrupted(detail, id = "", expired = false) {
  const missing = entries.filter((one) => !one.sent && !one.file).map((one) => one.name);
  let remedy = missing.length ? `choose these files again: ${missing.join(", ")}. Then resume the upload.` : "resume the upload.";
  if (expired) remedy = "the upload's addresses have expired: forget this upload, choose all files again and attach them.";
  work(false);
  note.className = "note wait";
  fill(note, make("h3", {}, `The upload for order ${state.fields.order} is not complete`), detail && make("p", {}, detail),
    make("p", {}, make("strong", {}, "What to do: "), remedy), correlation(id || state.upload.correlationId));
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
  work(false);
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
  save({ done: { names, correlationId }, upload: null, location: "" });
  entries = [];
  showDone();
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
  note.className = on ? "note wait" : "note";
  fill(note, ...said);
}

function show() {
  const { fields, upload } = state;
  form.hidden = false;
  byId("documents-next").hidden = true;
  for (const id of TEXTS) byId(id).value = fields[id] ?? "";
  byId("tender").checked = Boolean(fields.tender);
  byId("of-tender").hidden = !fields.tender;
  const missing = (tender) => of(tender).some((one) => !one.sent && !one.file);
  byId("po-drop").hidden = Boolean(upload) && !missing(false);
  byId("tender-drop").hidden = upload ? !missing(true) : !fields.tender;
  byId("about").hidden = Boolean(upload);
  byId("start-over").hidden = !upload;
  byId("attach").textContent = upload ? "Resume the upload" : "Attach the documents";
  byId("files").replaceChildren(...entries.map(row));
  if (!busy) work(false);
}

function row(entry) {
  const { name, sent, file, tender } = entry;
  const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${name}`, onclick: () => removeFile(entry) }, "Remove");
  const about = `${tender ? "Tender" : "Purchase order"}, ${size(entry.size)}`;
  entry.said = make("span", { class: "hint" }, state.upload ? ` ${sent ? "uploaded" : file ? "not uploaded yet" : "choose it again"}` : "");
  entry.bar = make("progress", { max: Math.max(entry.size, 1), value: sent ? entry.size : 0, "aria-label": `Upload of ${name}` });
  return make("li", {}, make("span", {}, name, make("br"), make("span", { class: "hint" }, about)),
    state.upload ? entry.said : remove, state.upload && entry.bar);
}

const tell = (entry, text) => (entry.said.textContent = text);

/** Take files that were chosen or dropped: new ones, or those that an upload still misses. */
function take(files, tender) {
  clearProblem(form);
  const strange = [];
  for (const file of files) {
    const known = entries.find((one) => one.name === file.name && (one.tender === tender || state.upload));
    if (!state.upload) {
      if (known) Object.assign(known, { file, size: file.size });
      else entries.push({ name: file.name, size: file.size, tender, file, sent: false });
    } else if (known && known.size === file.size) known.file = file;
    else strange.push(file.name);
  }
  show();
  if (!state.upload) return;
  interrupted(strange.length ? `Not part of this upload, or changed since: ${strange.join(", ")}.` : "");
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
  save({ fields: { ...fields, tender: byId("tender").checked } });
  byId("of-tender").hidden = byId("tender-drop").hidden = !state.fields.tender;
}

function startOver() {
  if (busy) return;
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
    event.preventDefault();
    zone.classList.toggle("over", on);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    if (!busy) take(event.dataTransfer.files, tender);
  });
}

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

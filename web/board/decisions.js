/** Deciding about a submission, with a dialog that says what will happen. What each decision does: docs/operations.md. */

import { ask, route } from "../api.js";
import { byId, make } from "../elements.js";
import { clearProblem, field, showProblem } from "../forms.js";
import { who } from "../session.js";
import { titleOf } from "./item.js";

/** @typedef {import("./item.js").Item} Item */

const WORDS = {
  adopt: {
    title: "Adopt what is at Partner Center",
    does: "Partner Center is asked. What is found there becomes the answer of this submission, and nothing is sent.",
    button: "Adopt it",
  },
  retry: {
    title: "Try it again",
    does: "Partner Center is asked first, and what is there after all is adopted. If nothing is there, it is sent again.",
    button: "Try it again",
  },
  "try-now": {
    title: "Try it now",
    does: "The next attempt is made now instead of at its time. Partner Center is asked first where that is needed.",
    button: "Try it now",
  },
  "send-again": {
    title: "Send all of it once more",
    does: "Everything is sent again, and Partner Center is not asked first. What is there already will be there twice.",
    button: "Send it again",
  },
  "give-up": {
    title: "Give it up",
    does: "Nothing is sent any more. The same documents, or the same key, are answered with 409 given-up.",
    button: "Give it up",
  },
};

let lastBy = "";

/**
 * Ask for confirmation, then decide; `done` is told in words what came of it.
 * @param {Item} item
 * @param {keyof typeof WORDS} decision
 * @param {(told: string) => void} done
 */
export function decide(item, decision, done) {
  const { title, does, button } = WORDS[decision];
  const dialog = byId("dialog");
  const form = make("form", { novalidate: true },
    make("h2", { id: "dialog-title" }, title), make("p", {}, make("strong", {}, titleOf(item))), make("p", { id: "dialog-does" }, does),
    ...(decision === "adopt" ? named(item) : []),
    !who() && field("by", "Who decides", make("input", { autocomplete: "name", value: lastBy }), "Your name is kept with the decision."),
    make("div", { class: "tasks" }, make("button", {}, button), make("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel")));
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    clearProblem(form);
    const problem = await send(item, decision);
    busy = false;
    if (problem) return showProblem(form, problem, fieldOf);
    dialog.close();
    done(`${title}: decided for ${titleOf(item)}.`);
  });
  const from = document.activeElement;
  dialog.replaceChildren(form);
  dialog.setAttribute("aria-describedby", "dialog-does");
  dialog.addEventListener("close", () => (from.isConnected ? from : byId("list-title")).focus(), { once: true });
  dialog.showModal();
}

/** What can be named where Partner Center alone does not tell for certain. */
function named({ kind }) {
  if (kind === "order") {
    return [field("order-ids", "Order ID (optional)", make("input", { autocomplete: "off" }), "Only if its lines do not tell it for certain. A checkout can have become several: with spaces between them.")];
  }
  return [field("attachment-ids", "Attachment IDs (optional)", make("input", { autocomplete: "off" }), "With spaces between them. Only for documents that do not fit by kind and name, or kind and size.")];
}

async function send({ submission = "" }, decision) {
  const by = byId("by")?.value.trim(); // who is signed in is told by the token
  lastBy = by ?? "";
  const listed = (id) => byId(id)?.value.split(/[\s,]+/).filter(Boolean) ?? [];
  const [orders, ids] = [listed("order-ids"), listed("attachment-ids")];
  const body = {
    decision: decision === "try-now" ? "retry" : decision,
    by,
    orderIds: orders.length ? orders : undefined,
    attachmentIds: ids.length ? ids : undefined,
  };
  return (await ask(route("reviews", ...submission.split("/")), { method: "POST", body })).problem;
}

function fieldOf(pointer) {
  const plain = pointer.replace(/^(\/(?:order|attachment)Ids).*/, "$1");
  return byId({ "/by": "by", "/orderIds": "order-ids", "/attachmentIds": "attachment-ids" }[plain] ?? "");
}

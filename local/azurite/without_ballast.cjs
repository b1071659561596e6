// What of Azurite is left out (node --require this file, before Azurite's main.js).
//
// Its telemetry and its databases in SQL: --disableTelemetry turns the one off and nobody asks for the others, and Azurite
// loads their libraries all the same (common/Telemetry.js, blob/SqlBlobServer.js), which is most of what a start costs.
//
// Its garbage collector: every ten minutes it deletes extents one by one with a search through all of them, and
// nothing else is answered meanwhile: after 10,000 writes it took 314 s. It also pages through the blobs of all
// containers by name alone, so that blobs with the name at the edge of a page lose their content. (Azurite 3.37:
// blob/gc/BlobGCManager.js, LokiExtentMetadataStore.deleteExtent, LokiBlobMetadataStore.listAllBlobs.)
//
// What it does anew for each request: it parses the paths of some sixty operations, loads the account's key, and writes
// stacks into a log that nobody keeps. That is a seventh of what a request costs.
"use strict";

const crypto = require("node:crypto");
const Module = require("node:module");
const path = require("node:path");

const leftOut = { applicationinsights: {}, sequelize: { Model: class {} } };
const load = Module._load;
Module._load = (name, ...rest) => leftOut[name] ?? load(name, ...rest);

const programs = path.dirname(path.dirname(process.argv[1]));
for (const collector of ["blob/gc/BlobGCManager", "queue/gc/QueueGCManager"]) {
  require(path.join(programs, collector)).default.prototype.start = async () => {};
}

function remembered(answer) {
  const known = new Map();
  return (...asked) => {
    const key = asked.join("\n");
    if (!known.has(key)) known.set(key, answer(...asked));
    return known.get(key);
  };
}

for (const service of ["blob", "queue"]) {
  const utils = require(path.join(programs, service, "generated/utils/utils"));
  utils.isURITemplateMatch = remembered(utils.isURITemplateMatch);
}

const keyOf = remembered((base64) => crypto.createSecretKey(base64, "base64"));
require(path.join(programs, "common/utils/utils")).computeHMACSHA256 = (text, key) =>
  crypto.createHmac("sha256", keyOf(key.toString("base64"))).update(text, "utf8").digest("base64");

Error.stackTraceLimit = 0;

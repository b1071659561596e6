// What of Azurite is left out (node --require this file, before Azurite's main.js).
//
// Its telemetry: --disableTelemetry turns it off, and Azurite loads its libraries all the same (common/Telemetry.js),
// which is half of what a start costs.
//
// Its garbage collector: every ten minutes it deletes extents one by one with a search through all of them, and
// nothing else is answered meanwhile: after 10,000 writes it took 314 s. It also pages through the blobs of all
// containers by name alone, so that blobs with the name at the edge of a page lose their content. (Azurite 3.37:
// blob/gc/BlobGCManager.js, LokiExtentMetadataStore.deleteExtent, LokiBlobMetadataStore.listAllBlobs.)
"use strict";

const Module = require("node:module");
const path = require("node:path");

const load = Module._load;
Module._load = (name, ...rest) => (name === "applicationinsights" ? {} : load(name, ...rest));

const programs = path.dirname(path.dirname(process.argv[1]));
for (const collector of ["blob/gc/BlobGCManager", "queue/gc/QueueGCManager"]) {
  require(path.join(programs, collector)).default.prototype.start = async () => {};
}

/** Sending one file past the app: one PUT to the address that the app gave (docs/http.md). */

/**
 * XMLHttpRequest, because fetch tells no progress of what is sent.
 * @param {{url: string, headers: Record<string, string>}} address
 * @param {File} file
 * @param {(sent: number) => void} progress bytes so far
 * @returns {Promise<string>} "" when it is there, else why it is not
 */
export function put({ url, headers }, file, progress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => {
      const code = request.getResponseHeader("x-ms-error-code") ?? "";
      resolve(request.status === 201 ? "" : `storage answered ${request.status} ${code}`.trim());
    });
    request.addEventListener("error", () => resolve(navigator.onLine ? "the connection to storage broke" : "you are offline"));
    request.send(file);
  });
}

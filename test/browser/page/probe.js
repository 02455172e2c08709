/* What a page's own script can learn of an answer. Nothing here throws: what the browser refuses is a value too. */

/**
 * Asks with fetch.
 * @param {{ url: string, init?: RequestInit, headers?: string[] }} question `headers`: those that are read of the answer
 * @returns {Promise<{ status: number, text: string, headers: object } | { refused: string }>}
 */
window.ask = async ({ url, init, headers = [] }) => {
  try {
    const answer = await fetch(url, init);
    const read = Object.fromEntries(headers.map((name) => [name, answer.headers.get(name)]));
    return { status: answer.status, text: await answer.text(), headers: read };
  } catch (error) {
    return { refused: error.name };
  }
};

/** Posts a form with one file: FormData with fetch. */
window.postForm = ({ url, fields, name, type, size }) => {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append("file", new File([new Uint8Array(size).fill(120)], name, { type }));
  return window.ask({ url, init: { method: "POST", body: form }, headers: ["ETag"] });
};

/** Puts an image into the page. @returns {Promise<number>} its width, 0 when it does not show */
window.show = ({ url, attributes = {} }) =>
  new Promise((resolve) => {
    const image = document.createElement("img");
    for (const [name, value] of Object.entries(attributes)) image.setAttribute(name, value);
    image.addEventListener("load", () => resolve(image.naturalWidth));
    image.addEventListener("error", () => resolve(0));
    image.src = url;
    document.body.append(image);
  });

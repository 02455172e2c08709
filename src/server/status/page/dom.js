// Elements. Only text is ever put into the page (`textContent`): targets and referers are whatever clients wrote.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is text. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

/** Keeps one child per item, in order; what is focused or selected stays when its item does. */
export function sync(parent, items, keyOf, make, fill) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    } else known.delete(key);
    if (child !== at) parent.insertBefore(child, at);
    else at = at.nextElementSibling;
    fill(child, item);
  }
  for (const left of known.values()) left.remove();
  // Browsers take it away from what is moved.
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

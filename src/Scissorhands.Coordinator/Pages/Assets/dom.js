// Elements without a framework: making them, and changing what is on the page into what should be there, so that focus,
// opened details and the reader's place survive each change. No markup is ever made of text.

const svgNamespace = "http://www.w3.org/2000/svg";
const handlers = ["onclick", "onsubmit", "onpointermove", "onpointerleave", "onchange"];

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (handlers.includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child);
  }
  return element;
}

/** An HTML element. Children may be nested lists; null and false are left out. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** An SVG element. */
export const s = (tag, properties, ...children) => fill(document.createElementNS(svgNamespace, tag), properties, children);

/** Makes the children of an element those that are given, keeping elements that are of the same kind and key. */
export function update(parent, ...children) {
  const wanted = children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false)
    .map(child => child instanceof Node ? child : document.createTextNode(String(child)));
  let current = parent.firstChild;
  for (const node of wanted) {
    if (current && alike(current, node)) {
      merge(current, node);
      current = current.nextSibling;
      continue;
    }
    const later = node.nodeType === Node.ELEMENT_NODE && node.dataset?.key ? findLater(current, node) : null;
    if (later) {
      parent.insertBefore(later, current);
      merge(later, node);
    } else {
      parent.insertBefore(node, current);
    }
  }
  while (current) {
    const next = current.nextSibling;
    current.remove();
    current = next;
  }
}

function findLater(current, node) {
  for (let other = current?.nextSibling; other; other = other.nextSibling) {
    if (alike(other, node)) return other;
  }
  return null;
}

const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.dataset?.key === other.dataset?.key;

function merge(current, wanted) {
  if (current.nodeType === Node.TEXT_NODE) {
    if (current.data !== wanted.data) current.data = wanted.data;
    return;
  }
  for (const { name } of [...current.attributes]) {
    // What the reader has opened stays open.
    if (!wanted.hasAttribute(name) && name !== "open") current.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  for (const handler of handlers) {
    if (current[handler] !== wanted[handler]) current[handler] = wanted[handler];
  }
  update(current, ...wanted.childNodes);
}

/** Says something to readers who do not see the page change. */
export function announce(text) {
  const line = document.getElementById("announce");
  if (line.textContent !== text) line.textContent = text;
}

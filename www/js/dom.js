// Elements, made without innerHTML: a text is always a text, whatever a log line holds.

const SVG = new Set(['svg', 'path', 'g', 'rect', 'line', 'circle', 'polyline', 'title', 'use']);

/** `el('p', {class: 'note', onclick}, 'text', other)`; properties that are undefined or false are left out. */
export function el(name, properties = {}, ...children) {
  const element = SVG.has(name) && name !== 'title' ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [property, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (property.startsWith('on')) element.addEventListener(property.slice(2), value);
    else if (property === 'dataset') Object.assign(element.dataset, value);
    else element.setAttribute(property, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Shapes tell severities apart without colour: circle, triangle, diamond, star. Drawn in a square of 16. */
export const SHAPES = {
  low: 'M8 3.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6z',
  medium: 'M8 2.2L14.4 13.4H1.6z',
  high: 'M8 1.2L14.8 8L8 14.8L1.2 8z',
  critical: 'M8 .6l2 4.3 4.6-1.2-1.2 4.6 2.2 2.4-3.9 1.4.2 3.7L8 14l-3.9 1.8.2-3.7L.4 10.7l2.2-2.4L1.4 3.7 6 4.9z',
};

/** The sign of a severity; `near` is hollow. */
export function sign(severity, near = false) {
  return el('svg', { class: `sign ${severity}${near ? ' near' : ''}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    el('path', { d: SHAPES[severity] ?? SHAPES.low }));
}

/** Saves bytes or a text as a file. */
export function save(name, content, type = 'text/plain') {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = el('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Puts a text into the clipboard and says so on the button for a moment. */
export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Copying is not allowed';
  }
  setTimeout(() => {
    button.textContent = before;
  }, 1600);
}

/** Tells the page something by a bubbling event. */
export const tell = (element, name, detail) => element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));

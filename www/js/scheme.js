// Light, dark, or as the system is: remembered, and set before the first paint as far as a module can.

const ORDER = ['auto', 'light', 'dark'];
const WORDS = { auto: 'as the system', light: 'light', dark: 'dark' };
const SIGNS = { auto: '◐', light: '☀', dark: '☾' };

function remembered() {
  try {
    return ORDER.includes(localStorage.getItem('scheme')) ? localStorage.getItem('scheme') : 'auto';
  } catch {
    return 'auto';
  }
}

function set(scheme) {
  const { documentElement: root } = document;
  if (scheme === 'auto') delete root.dataset.scheme;
  else root.dataset.scheme = scheme;
  try {
    localStorage.setItem('scheme', scheme);
  } catch { /* Remembered for as long as the page is open. */ }
  const button = document.getElementById('scheme');
  button.textContent = SIGNS[scheme];
  button.setAttribute('aria-label', `Colour scheme: ${WORDS[scheme]}`);
  button.title = `Colour scheme: ${WORDS[scheme]}`;
  dispatchEvent(new Event('scheme'));
}

let scheme = remembered();
set(scheme);
document.getElementById('scheme').addEventListener('click', () => {
  // From “as the system” the first click goes to the other one, so that a click always shows.
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  scheme = scheme === 'auto' ? (isDark ? 'light' : 'dark') : scheme === (isDark ? 'light' : 'dark') ? (isDark ? 'dark' : 'light') : 'auto';
  set(scheme);
});

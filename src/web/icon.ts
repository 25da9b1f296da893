const shape =
  '<circle cx="12" cy="12" r="12" fill="#0a6b4b"/>' +
  '<path fill="#fff" d="M11 6h2v2h-2zM11 10.5h2v7.5h-2z"/>' +
  '<path fill="none" stroke="#8fe3bf" stroke-width="1.6" stroke-linecap="round" ' +
  'd="M7.6 7.6a6.2 6.2 0 0 0 0 8.8M16.4 7.6a6.2 6.2 0 0 1 0 8.8"/>';

/** The mark beside the name. */
export const mark = `<svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">${shape}</svg>`;

/** The same as an address for `<link rel="icon">`, so that no browser asks for a file of its own. */
export const iconAddress = `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${shape}</svg>`,
)}`;

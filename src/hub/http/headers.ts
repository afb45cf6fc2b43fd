/** What every answer tells a browser: to take it for what it says it is, and to show it inside of nobody's page. */
const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** Of the API nothing is ever run or loaded. */
const API = { ...EVERYWHERE, 'content-security-policy': "default-src 'none'; frame-ancestors 'none'" };

/** The page that renders the description brings its own scripts, and styles within it. */
const PAGE = {
  ...EVERYWHERE,
  'content-security-policy':
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
    "frame-ancestors 'none'",
};

/** Pages of the hub itself: nothing runs or is loaded in them but what the hub serves, and nothing of theirs goes elsewhere. */
const OWN_PAGE = {
  ...EVERYWHERE,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
};

const OWN_PAGES = /^\/(invite|device|signed-in|pages\/.*)(\?|$)/;

/** @param path of the request */
export function securityHeadersOf(path: string): Readonly<Record<string, string>> {
  if (path.startsWith('/docs')) return PAGE;
  return OWN_PAGES.test(path) ? OWN_PAGE : API;
}

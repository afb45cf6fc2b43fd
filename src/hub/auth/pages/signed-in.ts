import { pageOf } from './style.js';

export const SIGNED_IN_HTML = pageOf(
  'Signed in',
  'signed-in.js',
  `<p id="who"></p>
<button id="leave" hidden>Sign out</button>`,
);

export const SIGNED_IN_SCRIPT = `'use strict';
const element = (id) => document.getElementById(id);
let session;
const ask = async (path) => {
  const response = await fetch('/api/v1' + path);
  return response.ok ? response.json() : undefined;
};
const ready = (async () => {
  session = await ask('/web-sessions/current');
  const me = session === undefined ? undefined : await ask('/me');
  element('leave').hidden = me === undefined;
  element('who').textContent = me === undefined ? 'Nobody is signed in here.' : 'You are ' + me.name + '.';
})();
element('leave').addEventListener('click', async () => {
  await ready;
  const response = await fetch('/api/v1/web-sessions/current', {
    method: 'DELETE',
    headers: { 'x-csrf-token': session.csrfToken },
  });
  element('leave').hidden = response.ok;
  element('said').textContent = response.ok ? 'You are signed out.' : 'The hub does not answer. Try again.';
});
`;

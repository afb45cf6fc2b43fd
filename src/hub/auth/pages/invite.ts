import { pageOf } from './style.js';

export const INVITE_HTML = pageOf(
  'Set your password',
  'invite.js',
  `<form id="form">
<label for="password">A password of 12 to 256 characters</label>
<input id="password" type="password" minlength="12" maxlength="256" required autocomplete="new-password">
<label for="again">The same again</label>
<input id="again" type="password" required autocomplete="new-password">
<button>Set it</button>
</form>`,
);

/** The session by which the password is set is ended at once: the page keeps nothing. */
export const INVITE_SCRIPT = `'use strict';
const form = document.getElementById('form');
const said = document.getElementById('said');
const field = (id) => document.getElementById(id).value;
const call = (method, path, token, body) => fetch('/api/v1' + path, {
  method,
  headers: {
    ...(token === undefined ? {} : { authorization: 'Bearer ' + token }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  },
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
});
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  if (field('password') !== field('again')) {
    said.textContent = 'The two are not the same.';
    return;
  }
  try {
    const token = location.hash.slice(1);
    const redeemed = await call('POST', '/invites/redeem', undefined, { token, password: field('password') });
    const signed = await redeemed.json();
    if (!redeemed.ok) {
      said.textContent = signed.title + '. ' + signed.remedy;
      return;
    }
    const me = await (await call('GET', '/me', signed.accessToken)).json();
    await call('DELETE', '/sessions/' + signed.sessionId, signed.accessToken);
    history.replaceState(null, '', location.pathname);
    form.hidden = true;
    said.textContent = 'Your password is set. Sign in from a shell:\\n\\nfairlead login ' + location.origin + ' --user ' + me.name;
  } catch {
    said.textContent = 'The hub does not answer. Try again.';
  }
});
`;

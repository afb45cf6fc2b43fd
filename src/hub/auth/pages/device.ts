import { pageOf } from './style.js';

export const DEVICE_HTML = pageOf(
  'Let a program in',
  'device.js',
  `<form id="form">
<label for="code">The code that the program shows</label>
<input id="code" required autocomplete="off" maxlength="20">
<div id="who">
<label for="user">Your name or e-mail address</label>
<input id="user" autocomplete="username">
<label for="password">Your password</label>
<input id="password" type="password" autocomplete="current-password">
</div>
<p id="elsewhere" hidden><a id="provider" href="/api/v1/oidc/begin?to=device">Sign in by your organisation</a></p>
<button>See who asks</button>
</form>
<div id="decision" hidden>
<button id="approve">Let it in</button>
<button id="deny">Turn it away</button>
</div>`,
);

/** Who is signed in in this browser is not asked again; whoever signs in here does so for this one answer: the session ends with it. */
export const DEVICE_SCRIPT = `'use strict';
const element = (id) => document.getElementById(id);
const said = element('said');
let signed;
let session;
const call = async (method, path, body) => {
  const response = await fetch('/api/v1' + path, {
    method,
    headers: {
      ...(signed === undefined ? {} : { authorization: 'Bearer ' + signed.accessToken }),
      ...(session === undefined ? {} : { 'x-csrf-token': session.csrfToken }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw answer;
  return answer;
};
const tell = (problem) => {
  said.textContent = problem.title === undefined ? 'The hub does not answer. Try again.' : problem.title + '. ' + problem.remedy;
};
const leave = async () => {
  if (signed === undefined) return;
  await call('DELETE', '/sessions/' + signed.sessionId);
  signed = undefined;
};
element('code').value = location.hash.slice(1) || sessionStorage.getItem('code') || '';
element('provider').addEventListener('click', () => sessionStorage.setItem('code', element('code').value));
const ready = (async () => {
  session = await call('GET', '/web-sessions/current').catch(() => undefined);
  element('who').hidden = session !== undefined;
  const oidc = session === undefined ? await call('GET', '/oidc').catch(() => undefined) : undefined;
  element('elsewhere').hidden = oidc?.isServed !== true;
})();
element('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await ready;
    if (session === undefined) signed ??= await call('POST', '/sessions', { user: element('user').value, password: element('password').value });
    element('password').value = '';
    const grant = await call('POST', '/device-grants/find', { userCode: element('code').value });
    element('who').hidden = element('elsewhere').hidden = true;
    element('decision').hidden = false;
    said.textContent = 'It says that it is “' + grant.name + '”, and asks from ' + grant.address +
      '. Let it in only if you have just started it yourself: it may then do all that you may.';
  } catch (problem) {
    tell(problem);
  }
});
const decide = (verb, words) => async () => {
  try {
    await call('POST', '/device-grants/' + verb, { userCode: element('code').value });
    element('decision').hidden = true;
    element('form').hidden = true;
    await leave();
    said.textContent = words;
  } catch (problem) {
    tell(problem);
  }
};
element('approve').addEventListener('click', decide('approve', 'It is let in. You may close this page.'));
element('deny').addEventListener('click', decide('deny', 'It is turned away. You may close this page.'));
`;

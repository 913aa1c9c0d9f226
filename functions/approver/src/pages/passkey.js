'use strict';
// Asks for a passkey when a form that needs one is sent, and puts the answer into it. Nothing else.
(() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  const known = (ids) => ids.split(' ').filter(Boolean).map((id) => ({ type: 'public-key', id: bytes(id) }));

  const create = async ({ challenge, party, user, name, known: ids }) => {
    const made = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(challenge),
        rp: { id: party, name: 'Countersign' },
        user: { id: bytes(user), name, displayName: name },
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }, { type: 'public-key', alg: -8 }],
        excludeCredentials: known(ids),
        authenticatorSelection: { userVerification: 'required' },
        attestation: 'none',
      },
    });
    return { client_data: made.response.clientDataJSON, attestation: made.response.attestationObject };
  };

  const get = async ({ challenge, party, known: ids }) => {
    const { rawId, response } = await navigator.credentials.get({
      publicKey: {
        challenge: bytes(challenge),
        rpId: party,
        allowCredentials: known(ids),
        userVerification: 'required',
      },
    });
    return {
      credential: rawId,
      client_data: response.clientDataJSON,
      authenticator_data: response.authenticatorData,
      signature: response.signature,
      user_handle: response.userHandle ?? new ArrayBuffer(0),
    };
  };

  const words = {
    InvalidStateError: 'This device holds a passkey of yours already.',
    SecurityError: 'Passkeys work only at the address that people use, with https.',
  };

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const alert = form.querySelector('[role=alert]');
    let answered = false;
    form.addEventListener('submit', async (event) => {
      if (answered || event.submitter?.value === 'deny') return;
      event.preventDefault();
      alert.textContent = '';
      if (!window.PublicKeyCredential) {
        alert.textContent = 'This browser cannot use passkeys. Open the page in another one.';
        return;
      }
      try {
        const answer = await (form.dataset.passkey === 'create' ? create : get)(form.dataset);
        for (const [name, value] of Object.entries(answer)) form.elements[name].value = text(value);
        answered = true;
        form.requestSubmit(event.submitter);
      } catch (error) {
        alert.textContent = words[error.name] ?? 'The passkey was not used. Try again.';
      }
    });
  }
})();

// Makes or uses a passkey, puts the answer into the form, and sends it. Nothing else on these pages needs a script.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const known = (list) => (list || []).map((item) => ({ ...item, id: bytes(item.id) }));

function described(credential) {
  const answer = { clientDataJSON: text(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) answer[name] = text(credential.response[name]);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: answer, clientExtensionResults: {} };
}

async function ask(options, makes) {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (!makes) {
    publicKey.allowCredentials = known(options.allowCredentials);
    return navigator.credentials.get({ publicKey });
  }
  publicKey.user = { ...options.user, id: bytes(options.user.id) };
  publicKey.excludeCredentials = known(options.excludeCredentials);
  return navigator.credentials.create({ publicKey });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const credential = await ask(JSON.parse(form.dataset.options), form.dataset.passkey === "make");
      form.elements.credential.value = JSON.stringify(described(credential));
    } catch (_) {
      form.elements.credential.value = "";
    }
    form.submit();
  });
}

// openid-client: discovery, a pushed request, proof of possession, nonce and iss, renewal, a read at the API.
import * as client from "openid-client";
import { ask, fhir, issuer } from "./person.mjs";

const config = await client.discovery(new URL(issuer), "app", undefined, client.None(), {
  execute: [client.allowInsecureRequests],
});
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const url = await client.buildAuthorizationUrlWithPAR(config, {
  redirect_uri: "https://app.example/cb",
  scope: "openid fhirUser offline_access patient/DocumentReference.rs",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
  aud: fhir,
}, { DPoP });
const back = await ask(url.href);
const tokens = await client.authorizationCodeGrant(
  config, back, { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }, undefined, { DPoP });
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
const address = new URL(`${fhir}/DocumentReference?patient=${tokens.patient}`);
const bundle = await client.fetchProtectedResource(config, renewed.access_token, address, "GET", undefined, undefined, { DPoP });
console.log(JSON.stringify({
  type: tokens.token_type, patient: tokens.patient, fhirUser: tokens.claims().fhirUser, status: bundle.status,
  ...(({ resourceType, total }) => ({ resource: resourceType, total }))(await bundle.json()),
}));

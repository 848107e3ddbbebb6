// oauth4webapi: RFC 8414 discovery and backend services with an ES384 key.
import * as oauth from "oauth4webapi";
import { issuer } from "./person.mjs";

const plain = { [oauth.allowInsecureRequests]: true };
const home = new URL(issuer);
const as = await oauth.processDiscoveryResponse(
  home, await oauth.discoveryRequest(home, { algorithm: "oauth2", ...plain }));
const jwk = JSON.parse(process.env.CLIENT_KEY);
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-384" }, false, ["sign"]);
const client = { client_id: "ehr" };
const answer = await oauth.clientCredentialsGrantRequest(
  as, client, oauth.PrivateKeyJwt({ key, kid: jwk.kid }), new URLSearchParams({ scope: "system/DocumentReference.crus" }), plain);
const tokens = await oauth.processClientCredentialsResponse(as, client, answer);
console.log(JSON.stringify({ type: tokens.token_type, scope: tokens.scope, seconds: tokens.expires_in }));

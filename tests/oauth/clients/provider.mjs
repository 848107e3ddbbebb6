// A certified OpenID provider that speaks as Pro Santé Connect or FranceConnect do, about invented people.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { issuer, port, kind, people, redirect, home, acr } = JSON.parse(process.argv[2]);
const isPsc = kind === "psc";
const known = JSON.parse(people);
const ours = Object.keys(Object.values(known)[0]).filter((name) => name !== "sub");

const client = {
  client_id: "habilis",
  client_secret: "upstream+secret/of=tests",
  redirect_uris: [redirect],
  post_logout_redirect_uris: [home],
  token_endpoint_auth_method: isPsc ? "client_secret_basic" : "client_secret_post",
  ...(isPsc ? {} : { userinfo_signed_response_alg: "RS256" }),
};

const provider = new Provider(issuer, {
  clients: [client],
  acrValues: ["eidas1", "eidas2", "eidas3"],
  scopes: ["openid", "scope_all", "given_name", "family_name", "birthdate", "gender"],
  claims: isPsc
    ? { openid: ["sub"], scope_all: ours, acr: null, amr: null, auth_time: null }
    : { openid: ["sub"], given_name: ["given_name"], family_name: ["family_name"], birthdate: ["birthdate"], gender: ["gender"], acr: null, auth_time: null },
  clientAuthMethods: ["client_secret_basic", "client_secret_post"],
  enabledJWA: { userinfoSigningAlgValues: ["RS256"] },
  features: {
    devInteractions: { enabled: false },
    jwtUserinfo: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  cookies: { keys: ["of the tests"], long: { sameSite: "none" } },
  enableHttpPostMethods: true,
  interactions: { url: (_ctx, interaction) => `/sign-in/${interaction.uid}` },
  pkce: { required: () => true },
  async findAccount(_ctx, id) {
    const person = known[id];
    return person && { accountId: id, claims: async () => ({ sub: id, ...person }) };
  },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope([...ctx.oidc.requestParamScopes].join(" "));
    grant.addOIDCClaims(["acr", "amr", "auth_time", ...ours]);
    await grant.save();
    return grant;
  },
  ttl: { AccessToken: 120, Grant: 600, IdToken: 600, Interaction: 600, Session: 14400 },
});

const page = (uid) =>
  `<!doctype html><title>Upstream</title><form method="post" action="/sign-in/${uid}"><label>Card <input id="who" name="who"></label><button>Present</button></form>`;

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

const serve = provider.callback();
createServer(async (request, response) => {
  try {
    const found = request.url.match(/^\/sign-in\/([\w-]+)$/);
    if (!found) return serve(request, response);
    if (request.method === "GET") {
      response.setHeader("Content-Type", "text/html");
      return response.end(page(found[1]));
    }
    const who = (await body(request)).get("who");
    const result = known[who] ? { login: { accountId: who, acr, amr: ["sc"] } } : { error: "access_denied" };
    return await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } catch (error) {
    response.statusCode = 500;
    return response.end(String(error));
  }
}).listen(port, "127.0.0.1", () => console.log("ready"));

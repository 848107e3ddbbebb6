// A search by a client whose types openapi-typescript has generated: a wrong path or parameter does not compile.
import createClient from "openapi-fetch";
import type { paths } from "./generated.js";

const [base, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });
const { data, error, response } = await client.GET("/fhir/DocumentReference", {
  params: { query: { status: "current", _count: "1" } },
});
if (error) throw new Error(JSON.stringify(error));
const bundle = data as { resourceType: "Bundle"; entry?: { resource: { resourceType: string } }[] };
console.log(response.status, bundle.resourceType, bundle.entry?.[0].resource.resourceType);

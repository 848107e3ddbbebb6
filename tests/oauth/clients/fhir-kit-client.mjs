// fhir-kit-client: finds the endpoints and searches with a token that it is given, by joins and within a compartment.
import { Client } from "fhir-kit-client";
import { fhir } from "./person.mjs";

const client = new Client({ baseUrl: fhir, bearerToken: process.env.TOKEN });
const found = await client.smartAuthMetadata();
const patient = process.env.PATIENT;
const asked = async (more) =>
  await client.search({ resourceType: "DocumentReference", searchParams: { patient, ...more } });
const bundle = await asked({});
const chained = await client.search({
  resourceType: "List",
  searchParams: { patient, "item:DocumentReference.status": "current" },
});
const has = await asked({ "_has:List:item:code": "submissionset" });
const within = await client.compartmentSearch({
  resourceType: "DocumentReference",
  compartment: { resourceType: "Patient", id: patient },
});
console.log(
  JSON.stringify({
    token: found.tokenUrl?.href ?? found.tokenUrl,
    resource: bundle.resourceType,
    chained: chained.total,
    has: has.total,
    within: within.total,
  }),
);

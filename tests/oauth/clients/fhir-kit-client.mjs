// fhir-kit-client: finds the endpoints and searches with a token that it is given.
import { Client } from "fhir-kit-client";
import { fhir } from "./person.mjs";

const client = new Client({ baseUrl: fhir, bearerToken: process.env.TOKEN });
const found = await client.smartAuthMetadata();
const bundle = await client.search({ resourceType: "DocumentReference", searchParams: { patient: process.env.PATIENT } });
console.log(JSON.stringify({ token: found.tokenUrl?.href ?? found.tokenUrl, resource: bundle.resourceType }));

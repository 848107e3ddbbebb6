// An integrator's day with the client that the first argument names: fhir-kit-client, fhirclient or medplum.
// Each step prints its name when the server did what the client expects.
import { readFileSync } from "node:fs";

const [, , name, base, patient] = process.argv;
const { TOKEN_KEEPER, TOKEN_SOFTWARE, TOKEN_PATIENT, SUBMISSION } = process.env;
const FINESS = "https://finess.esante.gouv.fr";
const hospital = (value, title) => ({ resourceType: "Organization", identifier: [{ system: FINESS, value }], name: title });
const submission = () => JSON.parse(readFileSync(SUBMISSION, "utf8"));

function done(step, holds) {
  if (!holds) throw new Error(`failed: ${step}`);
  console.log(step);
}

const days = {
  "fhir-kit-client": async () => {
    const { Client } = await import("fhir-kit-client");
    const as = (bearerToken) => new Client({ baseUrl: base, bearerToken });
    const keeper = as(TOKEN_KEEPER), software = as(TOKEN_SOFTWARE), person = as(TOKEN_PATIENT);
    done("capabilities", (await keeper.capabilityStatement()).fhirVersion === "4.0.1");
    const made = await keeper.create({ resourceType: "Organization", body: hospital("990000034", "Clinique") });
    done("create", made.id);
    const renamed = await keeper.update({ resourceType: "Organization", id: made.id, body: { ...made, name: "Lilas" } });
    done("update", renamed.meta.versionId === "2");
    const conditional = await keeper.update({
      resourceType: "Organization", searchParams: { identifier: `${FINESS}|990000034` }, body: hospital("990000034", "Parc"),
    });
    done("conditional update", conditional.id === made.id);
    const patched = await keeper.patch({
      resourceType: "Organization", id: made.id, jsonPatch: [{ op: "replace", path: "/name", value: "Lac" }],
    });
    done("JSON Patch", patched.name === "Lac");
    done("history", (await keeper.history({ resourceType: "Organization", id: made.id })).entry.length === 4);
    done("history of a type", (await keeper.history({ resourceType: "Organization" })).entry.length > 0);
    done("version", (await keeper.vread({ resourceType: "Organization", id: made.id, version: "1" })).name === "Clinique");
    const filed = await software.transaction({ body: submission() });
    done("transaction", filed.entry.every((one) => one.response.status.startsWith("2")));
    const asked = { patient, _count: 1, _sort: "-date", status: "current" };
    const first = await person.search({ resourceType: "DocumentReference", searchParams: asked });
    const second = await person.nextPage({ bundle: first });
    const back = await person.prevPage({ bundle: second });
    done("pages", first.total === 2 && second.entry[0].resource.id !== first.entry[0].resource.id);
    done("previous page", back.entry[0].resource.id === first.entry[0].resource.id);
    const joined = await person.search({
      resourceType: "DocumentReference",
      searchParams: { patient, _include: "DocumentReference:subject", _revinclude: "Provenance:target" },
    });
    done("include and revinclude", new Set(joined.entry.map((one) => one.resource.resourceType)).size === 3);
    const form = await person.search({
      resourceType: "DocumentReference", searchParams: { patient }, options: { postSearch: true },
    });
    done("search by POST", form.total === 2);
    const within = await person.compartmentSearch({
      resourceType: "DocumentReference", compartment: { resourceType: "Patient", id: patient },
    });
    done("compartment", within.total === 2);
    const everything = await person.operation({ resourceType: "Patient", id: patient, name: "everything", method: "GET" });
    done("$everything", everything.entry.length > 2);
    const one = { request: { method: "GET", url: `DocumentReference/${first.entry[0].resource.id}` } };
    const batch = await person.batch({ body: { resourceType: "Bundle", type: "batch", entry: [one] } });
    done("batch", batch.entry[0].response.status.startsWith("200"));
  },
  fhirclient: async () => {
    const { default: FHIR } = await import("fhirclient");
    const as = (token) => FHIR().client({ serverUrl: base, tokenResponse: { access_token: token, patient } });
    const keeper = as(TOKEN_KEEPER), software = as(TOKEN_SOFTWARE), person = as(TOKEN_PATIENT);
    const made = await keeper.create(hospital("990000034", "Clinique"));
    done("create", made.id);
    done("update", (await keeper.update({ ...made, name: "Lilas" })).meta.versionId === "2");
    const patched = await keeper.patch(`Organization/${made.id}`, [{ op: "replace", path: "/name", value: "Lac" }]);
    done("JSON Patch", patched.name === "Lac");
    const filed = await software.request({
      url: "", method: "POST", body: JSON.stringify(submission()), headers: { "content-type": "application/fhir+json" },
    });
    done("transaction", filed.entry.length > 0);
    done("patient", (await person.patient.read()).id === patient);
    const every = await person.request(`DocumentReference?patient=${patient}&_count=1`, { pageLimit: 0, flat: true });
    done("pages", every.length === 2);
    const found = await person.request(`DocumentReference?patient=${patient}&_count=1`, { resolveReferences: "subject", pageLimit: 1 });
    done("references", found);
    const content = await person.request({ url: every[0].content[0].attachment.url, headers: { accept: "text/plain" } });
    done("content", content);
  },
  medplum: async () => {
    const { MedplumClient } = await import("@medplum/core");
    const as = (accessToken) =>
      new MedplumClient({ baseUrl: new URL(base).origin, fhirUrlPath: new URL(base).pathname, accessToken, cacheTime: 0 });
    const keeper = as(TOKEN_KEEPER), software = as(TOKEN_SOFTWARE), person = as(TOKEN_PATIENT);
    const made = await keeper.createResource(hospital("990000034", "Clinique"));
    done("create", made.id);
    const same = await keeper.createResourceIfNoneExist(hospital("990000034", "Clinique"), `identifier=${FINESS}|990000034`);
    done("conditional create", same.id === made.id);
    done("update", (await keeper.updateResource({ ...made, name: "Lilas" })).meta.versionId === "2");
    const upserted = await keeper.upsertResource(hospital("990000034", "Parc"), `identifier=${FINESS}|990000034`);
    done("conditional update", upserted.id === made.id);
    const patched = await keeper.patchResource("Organization", made.id, [{ op: "replace", path: "/name", value: "Lac" }]);
    done("JSON Patch", patched.name === "Lac");
    done("history", (await keeper.readHistory("Organization", made.id)).entry.length === 4);
    done("version", (await keeper.readVersion("Organization", made.id, "1")).name === "Clinique");
    done("validate", (await keeper.validateResource(hospital("990000034", "Parc"))).resourceType === "OperationOutcome");
    done("transaction", (await software.executeBatch(submission())).entry.length > 0);
    done("patient", (await person.readResource("Patient", patient)).id === patient);
    const asked = `patient=${patient}&_count=1&_total=accurate`;
    let number = 0;
    for await (const page of person.searchResourcePages("DocumentReference", asked)) number += page.length;
    done("pages", number === 2);
    done("everything", (await person.readPatientEverything(patient)).entry.length > 2);
  },
};

await days[name]();

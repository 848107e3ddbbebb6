// An integrator's day with HAPI's generic client: each step prints its name when the server did what the client expects.
// Arguments: base URL, id of the patient. Environment: TOKEN_KEEPER, TOKEN_SOFTWARE, TOKEN_PATIENT, SUBMISSION (a file).

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.model.api.Include;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.SearchTotalModeEnum;
import ca.uhn.fhir.rest.api.SummaryEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.apache.GZipContentInterceptor;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.gclient.StringClientParam;
import ca.uhn.fhir.rest.gclient.TokenClientParam;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.hl7.fhir.r4.model.*;

public class IntegratorsDay {
    static final FhirContext R4 = FhirContext.forR4();
    static String base;
    static String patient;

    public static void main(String[] given) throws Exception {
        base = given[0];
        patient = given[1];
        directory(client("TOKEN_KEEPER"));
        publish(client("TOKEN_SOFTWARE"));
        documents(client("TOKEN_PATIENT"));
        inXml(client("TOKEN_PATIENT"));
    }

    static IGenericClient client(String token) {
        IGenericClient client = R4.newRestfulGenericClient(base);
        client.registerInterceptor(new BearerTokenAuthInterceptor(System.getenv(token)));
        return client;
    }

    static void done(String step, boolean holds) {
        if (!holds) throw new AssertionError(step);
        System.out.println(step);
    }

    static void directory(IGenericClient client) {
        CapabilityStatement statement = client.capabilities().ofType(CapabilityStatement.class).execute();
        done("capabilities", "4.0.1".equals(statement.getFhirVersion().toCode()));
        Organization hospital = new Organization();
        hospital.addIdentifier().setSystem("https://finess.esante.gouv.fr").setValue("990000034");
        hospital.setName("Clinique");
        MethodOutcome first = create(client, hospital);
        MethodOutcome second = create(client, hospital);
        done("conditional create", first.getId().getIdPart().equals(second.getId().getIdPart()));
        hospital.setId(first.getId().toUnqualifiedVersionless());
        hospital.setName("Clinique du Parc");
        done("update", client.update().resource(hospital).execute().getId().getVersionIdPart().equals("2"));
        hospital.setId((String) null);
        hospital.setName("Clinique des Lilas");
        MethodOutcome changed = client.update().resource(hospital).conditional()
            .where(Organization.IDENTIFIER.exactly().systemAndIdentifier("https://finess.esante.gouv.fr", "990000034"))
            .execute();
        done("conditional update", changed.getId().getIdPart().equals(first.getId().getIdPart()));
        Parameters patch = new Parameters();
        Parameters.ParametersParameterComponent operation = patch.addParameter().setName("operation");
        operation.addPart().setName("type").setValue(new CodeType("replace"));
        operation.addPart().setName("path").setValue(new StringType("Organization.name"));
        operation.addPart().setName("value").setValue(new StringType("Clinique du Lac"));
        client.patch().withFhirPatch(patch).withId(first.getId().toUnqualifiedVersionless()).execute();
        Organization read = client.read().resource(Organization.class).withId(first.getId().getIdPart()).execute();
        done("FHIRPath Patch", read.getName().equals("Clinique du Lac"));
        Bundle history = client.history().onInstance(first.getId().toUnqualifiedVersionless())
            .returnBundle(Bundle.class).execute();
        done("history", history.getEntry().size() == 4);
        Organization earlier = client.read().resource(Organization.class)
            .withIdAndVersion(first.getId().getIdPart(), "1").execute();
        done("version", earlier.getName().equals("Clinique"));
        Bundle found = client.search().forResource(Organization.class)
            .where(Organization.NAME.matches().value("clinique du l")).returnBundle(Bundle.class).execute();
        done("search by name", found.getTotal() == 1);
        MethodOutcome judged = client.validate().resource(hospital).execute();
        done("validate", judged.getOperationOutcome() != null);
        try {
            client.read().resource(Organization.class).withId("none").execute();
            done("unknown id", false);
        } catch (ResourceNotFoundException expected) {
            done("unknown id", expected.getOperationOutcome() != null);
        }
        client.registerInterceptor(new GZipContentInterceptor());
        Organization other = new Organization();
        other.addIdentifier().setSystem("https://finess.esante.gouv.fr").setValue("990000042");
        other.setName("Laboratoire");
        done("compressed body", create(client, other).getCreated());
    }

    static MethodOutcome create(IGenericClient client, Organization organization) {
        String number = organization.getIdentifierFirstRep().getValue();
        return client.create().resource(organization).conditional()
            .where(Organization.IDENTIFIER.exactly().systemAndIdentifier("https://finess.esante.gouv.fr", number))
            .execute();
    }

    static void publish(IGenericClient client) throws Exception {
        String sent = Files.readString(Path.of(System.getenv("SUBMISSION")));
        Bundle answer = client.transaction().withBundle(R4.newJsonParser().parseResource(Bundle.class, sent)).execute();
        done("transaction (ITI-65)", answer.getEntry().stream().allMatch(one -> one.getResponse().getStatus().startsWith("2")));
    }

    static void documents(IGenericClient client) {
        Set<String> seen = new HashSet<>();
        Bundle page = client.search().forResource(DocumentReference.class)
            .where(DocumentReference.PATIENT.hasId(patient)).and(DocumentReference.STATUS.exactly().code("current"))
            .sort().descending(DocumentReference.DATE).sort().ascending(DocumentReference.TYPE)
            .count(1).totalMode(SearchTotalModeEnum.ACCURATE).returnBundle(Bundle.class).execute();
        int total = page.getTotal();
        Bundle last = page;
        while (true) {
            page.getEntry().forEach(one -> seen.add(one.getResource().getIdElement().getIdPart()));
            last = page;
            if (page.getLink("next") == null) break;
            page = client.loadPage().next(page).execute();
        }
        done("search and pages (ITI-67)", total > 1 && seen.size() == total);
        done("previous page", client.loadPage().previous(last).execute().getEntry().size() == 1);
        Bundle counted = client.search().forResource(DocumentReference.class)
            .where(DocumentReference.PATIENT.hasId(patient)).summaryMode(SummaryEnum.COUNT)
            .returnBundle(Bundle.class).execute();
        done("count", counted.getTotal() == total && counted.getEntry().isEmpty());
        Bundle joined = client.search().forResource(DocumentReference.class)
            .where(DocumentReference.PATIENT.hasId(patient)).include(DocumentReference.INCLUDE_SUBJECT)
            .revInclude(new Include("Provenance:target")).returnBundle(Bundle.class).execute();
        Set<String> types = new HashSet<>();
        joined.getEntry().forEach(one -> types.add(one.getResource().fhirType()));
        done("include and revinclude", types.equals(Set.of("DocumentReference", "Patient", "Provenance")));
        Bundle chained = client.search().forResource(DocumentReference.class)
            .where(DocumentReference.PATIENT.hasId(patient))
            .and(new StringClientParam("author.family").matches().value("haddad")).returnBundle(Bundle.class).execute();
        done("chain", chained.getTotal() == total);
        Bundle reversed = client.search().forResource(DocumentReference.class)
            .where(DocumentReference.PATIENT.hasId(patient))
            .and(new TokenClientParam("_has:List:item:code").exactly().code("submissionset"))
            .returnBundle(Bundle.class).execute();
        done("_has", reversed.getTotal() == total);
        Bundle lists = client.search().forResource(ListResource.class).where(ListResource.PATIENT.hasId(patient))
            .returnBundle(Bundle.class).execute();
        done("submission sets (ITI-66)", lists.getTotal() == total);
        String id = seen.iterator().next();
        DocumentReference document = client.read().resource(DocumentReference.class).withId(id).execute();
        Binary content = client.read().resource(Binary.class)
            .withUrl(document.getContentFirstRep().getAttachment().getUrl()).execute();
        done("content (ITI-68)", content.getContent().length > 0);
        Meta meta = client.meta().get(Meta.class).fromResource(new IdType("DocumentReference", id)).execute();
        done("$meta", meta != null);
        Bundle everything = client.operation().onInstance(new IdType("Patient", patient)).named("$everything")
            .withNoParameters(Parameters.class).useHttpGet().returnResourceType(Bundle.class).execute();
        done("$everything", everything.getEntry().size() > total);
        Parameters asked = new Parameters();
        asked.addParameter("patient", new IdType(patient));
        asked.addParameter("start", new DateType("2020-01-01"));
        Bundle documents = client.operation().onType(DocumentReference.class).named("$docref").withParameters(asked)
            .returnResourceType(Bundle.class).execute();
        done("$docref", documents.getEntry().stream()
            .filter(one -> one.getResource() instanceof DocumentReference).count() == total);
        Bundle batch = new Bundle().setType(Bundle.BundleType.BATCH);
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("DocumentReference/" + id);
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("DocumentReference/none");
        Bundle answers = client.transaction().withBundle(batch).execute();
        done("batch", answers.getEntry().get(0).getResponse().getStatus().startsWith("200")
            && answers.getEntry().get(1).getResponse().getStatus().startsWith("404"));
    }

    static void inXml(IGenericClient client) {
        client.setEncoding(EncodingEnum.XML);
        Bundle found = client.search().forResource(DocumentReference.class)
            .where(DocumentReference.PATIENT.hasId(patient)).elementsSubset("status").returnBundle(Bundle.class).execute();
        done("XML", found.getTotal() > 1);
    }
}

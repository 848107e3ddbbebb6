import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * Judges each line of a file, a resource as JSON, by R4 and by the profiles that it claims.
 *
 * Arguments: the file, then folders of compiled guides. Prints a line for each message: number of the resource,
 * severity, place, id of the message and text, apart by tabs; at last how many resources were judged.
 */
public class ValidateEmitted {
    public static void main(String[] given) throws Exception {
        FhirValidator validator = validatorOf(given);
        int number = 0;
        try (BufferedReader lines = Files.newBufferedReader(Path.of(given[0]))) {
            for (String line; (line = lines.readLine()) != null; number++) {
                List<SingleValidationMessage> found = validator.validateWithResult(line).getMessages();
                for (SingleValidationMessage one : found) {
                    System.out.println(String.join("\t", String.valueOf(number), one.getSeverity().getCode(),
                        plain(one.getLocationString()), plain(one.getMessageId()), plain(one.getMessage())));
                }
            }
        }
        System.out.println("judged " + number);
    }

    private static FhirValidator validatorOf(String[] given) throws Exception {
        FhirContext context = FhirContext.forR4();
        PrePopulatedValidationSupport guides = new PrePopulatedValidationSupport(context);
        for (int at = 1; at < given.length; at++) {
            try (Stream<Path> files = Files.list(Path.of(given[at]))) {
                for (Path file : (Iterable<Path>) files.filter(one -> one.toString().endsWith(".json"))::iterator) {
                    guides.addResource(context.newJsonParser().parseResource(Files.readString(file)));
                }
            }
        }
        ValidationSupportChain chain = new ValidationSupportChain(
            new DefaultProfileValidationSupport(context), guides, new CommonCodeSystemsTerminologyService(context),
            new InMemoryTerminologyServerValidationSupport(context), new SnapshotGeneratingValidationSupport(context));
        FhirInstanceValidator judge = new FhirInstanceValidator(chain);
        judge.setAnyExtensionsAllowed(true);
        judge.setErrorForUnknownProfiles(false);
        return context.newValidator().registerValidatorModule(judge);
    }

    private static String plain(String text) {
        return text == null ? "" : text.replaceAll("\\s+", " ");
    }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;

/**
 * Java Avro's verdicts. One JSON object a line on standard input, one answer a line on standard output.
 *
 * <p>{"reader": TEXT, "writer": TEXT} is answered {"reader": ERROR|null, "writer": ERROR|null, "compatible": BOOLEAN,
 * "incompatibilities": [{"type", "location"}]}; {"schema": TEXT} by {"schema": ERROR|null}; {"new": TEXT, "versions":
 * [TEXT, oldest first]} by {"levels": {LEVEL: BOOLEAN}}, with no level if one is invalid. Names are held against the specification, and an exception
 * (a field whose aliases fit several others) counts as incompatible, as Confluent's registry does.
 */
public final class Verdicts {
  private static final List<String> LEVELS =
      List.of(
          "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE");
  private static final ObjectMapper JSON = new ObjectMapper();

  private Verdicts() {}

  public static void main(String[] arguments) throws Exception {
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        out.write(JSON.writeValueAsString(answer(JSON.readTree(line))));
        out.newLine();
      }
    }
  }

  private static ObjectNode answer(JsonNode asked) {
    ObjectNode answer = JSON.createObjectNode();
    if (asked.has("schema")) {
      parse(asked, "schema", answer);
    } else if (asked.has("versions")) {
      levels(asked, answer.putObject("levels"));
    } else {
      Schema reader = parse(asked, "reader", answer);
      Schema writer = parse(asked, "writer", answer);
      if (reader != null && writer != null) {
        compare(reader, writer, answer);
      }
    }
    return answer;
  }

  private static Schema parse(String text) {
    return new Schema.Parser(NameValidator.STRICT_VALIDATOR).parse(text);
  }

  private static Schema parse(JsonNode asked, String name, ObjectNode answer) {
    try {
      Schema schema = parse(asked.get(name).textValue());
      answer.putNull(name);
      return schema;
    } catch (RuntimeException | StackOverflowError error) {
      answer.put(name, error.getClass().getSimpleName() + ": " + error.getMessage());
      return null;
    }
  }

  private static void compare(Schema reader, Schema writer, ObjectNode answer) {
    SchemaCompatibility.SchemaCompatibilityResult result;
    try {
      result = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult();
    } catch (AvroRuntimeException ambiguous) {
      answer.put("compatible", false).putArray("incompatibilities").addObject().put("type", "EXCEPTION");
      return;
    }
    answer.put("compatible", result.getCompatibility() == SchemaCompatibilityType.COMPATIBLE);
    ArrayNode found = answer.putArray("incompatibilities");
    for (SchemaCompatibility.Incompatibility each : result.getIncompatibilities()) {
      found.addObject().put("type", each.getType().name()).put("location", each.getLocation());
    }
  }

  private static void levels(JsonNode asked, ObjectNode answer) {
    Schema offered;
    List<Schema> latestFirst = new ArrayList<>();
    try {
      offered = parse(asked.get("new").textValue());
      for (JsonNode version : asked.get("versions")) {
        latestFirst.add(0, parse(version.textValue()));
      }
    } catch (AvroRuntimeException invalid) {
      return;
    }
    for (String level : LEVELS) {
      boolean all = level.endsWith("_TRANSITIVE");
      boolean passes = true;
      for (Schema version : latestFirst.subList(0, all || latestFirst.isEmpty() ? latestFirst.size() : 1)) {
        boolean newReads = level.startsWith("FORWARD") || reads(offered, version);
        boolean oldReads = level.startsWith("BACKWARD") || reads(version, offered);
        passes &= level.equals("NONE") || (newReads && oldReads);
      }
      answer.put(level, passes);
    }
  }

  private static boolean reads(Schema reader, Schema writer) {
    try {
      return SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getType()
          == SchemaCompatibilityType.COMPATIBLE;
    } catch (AvroRuntimeException ambiguous) {
      return false;
    }
  }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * What Java Avro writes and reads. One JSON object a line on standard input, one answer a line on standard output.
 *
 * <p>{"writer": TEXT, "reader": TEXT, "records": [RECORD], "datums": [BASE64]} is answered {"encoded": [BASE64], "rows":
 * [ROW|null]}: the records as the writer's schema encodes them, and the datums, written by it, as the reader's schema
 * reads them; null for one that cannot be read, or of which bytes are left over. Logical types are left as they are on
 * the wire. In records and rows bytes are base64, floating-point numbers their bits; in rows "nan" stands for all that
 * are no number.
 */
public final class Values {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Values() {}

  public static void main(String[] arguments) throws Exception {
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        out.write(JSON.writeValueAsString(answer(JSON.readTree(line))));
        out.newLine();
      }
    }
  }

  private static ObjectNode answer(JsonNode asked) throws IOException {
    Schema writer = parse(asked.get("writer").textValue());
    Schema reader = parse(asked.get("reader").textValue());
    ObjectNode answer = JSON.createObjectNode();
    ArrayNode encoded = answer.putArray("encoded");
    for (JsonNode record : asked.get("records")) {
      encoded.add(encode(writer, record));
    }
    ArrayNode rows = answer.putArray("rows");
    GenericDatumReader<GenericRecord> resolving = new GenericDatumReader<>(writer, reader);
    for (JsonNode datum : asked.get("datums")) {
      rows.add(row(resolving, Base64.getDecoder().decode(datum.textValue())));
    }
    return answer;
  }

  private static Schema parse(String text) {
    return new Schema.Parser(NameValidator.STRICT_VALIDATOR).parse(text);
  }

  private static byte[] encode(Schema schema, JsonNode record) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
    new GenericDatumWriter<Object>(schema).write(value(schema, record), encoder);
    encoder.flush();
    return bytes.toByteArray();
  }

  private static Object value(Schema schema, JsonNode node) {
    switch (schema.getType()) {
      case RECORD:
        GenericData.Record record = new GenericData.Record(schema);
        for (Schema.Field field : schema.getFields()) {
          record.put(field.pos(), value(field.schema(), node.get(field.name())));
        }
        return record;
      case UNION:
        return node.isNull() ? null : value(beside(schema), node);
      case ARRAY:
        List<Object> items = new ArrayList<>();
        node.forEach(item -> items.add(value(schema.getElementType(), item)));
        return items;
      case ENUM:
        return new GenericData.EnumSymbol(schema, node.textValue());
      case BYTES:
        return ByteBuffer.wrap(Base64.getDecoder().decode(node.textValue()));
      case INT:
        return node.intValue();
      case LONG:
        return node.longValue();
      case FLOAT:
        return Float.intBitsToFloat((int) node.longValue());
      case DOUBLE:
        return Double.longBitsToDouble(node.bigIntegerValue().longValue());
      case BOOLEAN:
        return node.booleanValue();
      default:
        return node.textValue();
    }
  }

  private static Schema beside(Schema union) {
    for (Schema branch : union.getTypes()) {
      if (branch.getType() != Schema.Type.NULL) {
        return branch;
      }
    }
    throw new IllegalArgumentException("a union of null alone");
  }

  private static JsonNode row(GenericDatumReader<GenericRecord> reader, byte[] datum) {
    try {
      ByteArrayInputStream stream = new ByteArrayInputStream(datum);
      BinaryDecoder decoder = DecoderFactory.get().directBinaryDecoder(stream, null);
      GenericRecord record = reader.read(null, decoder);
      return stream.available() == 0 ? told(record) : null;
    } catch (IOException | RuntimeException | OutOfMemoryError unreadable) {
      return null;
    }
  }

  private static JsonNode told(GenericRecord record) {
    ObjectNode row = JSON.createObjectNode();
    for (Schema.Field field : record.getSchema().getFields()) {
      row.set(field.name(), JSON.valueToTree(plain(record.get(field.pos()))));
    }
    return row;
  }

  private static Object plain(Object value) {
    if (value instanceof ByteBuffer) {
      return ((ByteBuffer) value).array();
    }
    if (value instanceof Float) {
      float number = (Float) value;
      return Float.isNaN(number) ? "nan" : (Object) Integer.toUnsignedLong(Float.floatToIntBits(number));
    }
    if (value instanceof Double) {
      double number = (Double) value;
      return Double.isNaN(number)
          ? "nan"
          : (Object) new BigInteger(Long.toUnsignedString(Double.doubleToLongBits(number)));
    }
    return value == null || value instanceof Number || value instanceof Boolean ? value : value.toString();
  }
}

"""Records that cannot be read, and the reasons given for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be used: `row` in the batch, a stable `code`, and the reason in both languages."""

    row: int
    code: str
    reason: str
    reason_en: str


def null_value(row: int) -> BadRecord:
    return BadRecord(row, "null_value", "Bản tin không có nội dung.", "The message has no value.")


def wrong_magic_byte(row: int) -> BadRecord:
    return BadRecord(
        row,
        "wrong_magic_byte",
        "Bản tin không theo định dạng Avro của trục tích hợp: phải bắt đầu bằng byte 0 và mã lược đồ (4 byte).",
        "The message does not begin with the wire format's header: a zero byte and the schema's id in four bytes.",
    )


def json_value(row: int) -> BadRecord:
    return BadRecord(
        row,
        "json_value",
        "Bản tin là JSON; trục tích hợp nhận Avro theo lược đồ đã đăng ký. "
        "Hãy cấu hình bộ tuần tự hóa Avro (AvroSerializer) ở nơi gửi.",
        "The message is JSON where Avro is due; set the producer's value serializer to Avro (AvroSerializer).",
    )


def avro_file(row: int) -> BadRecord:
    return BadRecord(
        row,
        "avro_file",
        "Bản tin là cả một tệp Avro; hãy gửi mỗi bản ghi một bản tin, theo định dạng của sổ đăng ký lược đồ.",
        "The message is a whole Avro file; send one message a record, in the schema registry's wire format.",
    )


def xml_value(row: int) -> BadRecord:
    return BadRecord(
        row,
        "xml_value",
        "Bản tin là XML; trục tích hợp nhận Avro theo lược đồ đã đăng ký.",
        "The message is XML where Avro is due; set the producer's value serializer to Avro (AvroSerializer).",
    )


def too_large(row: int, size: int, limit: int) -> BadRecord:
    return BadRecord(
        row,
        "too_large",
        f"Bản tin dài {size} byte, vượt giới hạn {limit} byte; hãy bỏ tệp đính kèm hoặc văn bản dài khỏi bản ghi.",
        f"The message has {size} bytes, more than the limit of {limit}; take attachments and long texts out of it.",
    )


def unknown_schema(row: int, schema_id: int) -> BadRecord:
    return BadRecord(
        row,
        "unknown_schema",
        f"Không có lược đồ số {schema_id} trong sổ đăng ký.",
        f"The registry has no schema {schema_id}.",
    )


def schema_away(row: int, schema_id: int) -> BadRecord:
    return BadRecord(
        row,
        "schema_away",
        f"Sổ đăng ký không cho biết lược đồ số {schema_id} trong thời gian chờ; bản ghi còn nguyên trên chủ đề. "
        "Khi sổ đăng ký hoạt động lại, hãy gửi lại bản ghi.",
        f"The registry did not give schema {schema_id} for as long as a batch may wait; the record is whole on its "
        "topic. Send it again once the registry is back.",
    )


def unreadable_schema(row: int, schema_id: int) -> BadRecord:
    return BadRecord(
        row,
        "unreadable_schema",
        f"Lược đồ số {schema_id} trong sổ đăng ký không phải lược đồ Avro hợp lệ.",
        f"Schema {schema_id} of the registry is no valid Avro schema.",
    )


def undecodable(row: int, why_vi: str, why_en: str) -> BadRecord:
    return BadRecord(
        row,
        "undecodable",
        f"Không giải mã được bản ghi Avro ({why_vi}); hãy gửi lại theo đúng lược đồ đã đăng ký.",
        f"The Avro record cannot be decoded ({why_en}); send it again by the schema registered.",
    )


def key_mismatch(row: int) -> BadRecord:
    return BadRecord(
        row,
        "key_mismatch",
        "Khóa Kafka khác với entity_key của bản ghi.",
        "The Kafka key differs from the record's entity_key.",
    )


def schema_mismatch(row: int, name: str) -> BadRecord:
    return BadRecord(
        row,
        "schema_mismatch",
        f"Lược đồ của bản ghi không cho đọc trường «{name}» theo hợp đồng dữ liệu; hãy đăng ký lược đồ tương thích.",
        f"The record's schema cannot be read as the contract has field '{name}'; register a compatible schema.",
    )


def required_null(row: int, name: str) -> BadRecord:
    return BadRecord(
        row,
        "required_null",
        f"Trường bắt buộc «{name}» không có giá trị.",
        f"The required field '{name}' is null.",
    )


def unknown_symbol(row: int, name: str) -> BadRecord:
    return BadRecord(
        row,
        "unknown_symbol",
        f"Trường «{name}» có giá trị liệt kê mà hợp đồng dữ liệu chưa biết và không có giá trị thay thế.",
        f"Field '{name}' has an enum symbol that the contract does not know, and there is no default symbol.",
    )


def decimal_out_of_range(row: int, name: str, precision: int, scale: int) -> BadRecord:
    return BadRecord(
        row,
        "decimal_out_of_range",
        f"Trường «{name}» không phải số thập phân tối đa {precision} chữ số, {scale} chữ số sau dấu phẩy.",
        f"Field '{name}' is no number of at most {precision} digits, {scale} of them after the point.",
    )

//! A payload as text for people and as JSON for scripts, by its Content-Format.

use sedge_client::ContentFormat;
use sedge_coap::problem::Problem;
use serde_json::{Value as Json, json};

use super::{hex, senml};

/// One line, or the lines of a text.
pub(crate) fn display(format: Option<ContentFormat>, payload: &[u8]) -> String {
    match format {
        Some(ContentFormat::SENML_CBOR) => match senml::decode(payload) {
            Ok(records) => records.iter().map(display_record).collect::<Vec<_>>().join(", "),
            Err(_) => cbor(payload),
        },
        Some(ContentFormat::PROBLEM_DETAILS) => match Problem::decode(payload) {
            Ok(problem) => problem.to_string(),
            Err(_) => cbor(payload),
        },
        Some(
            ContentFormat::CBOR
            | ContentFormat::CBOR_SEQ
            | ContentFormat::CORE_PUBSUB
            | ContentFormat::CWT
            | ContentFormat::ACE_CBOR
            | ContentFormat::ACE_TRL_CBOR,
        ) => cbor(payload),
        _ => match str::from_utf8(payload) {
            Ok(text) if !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) => {
                text.into()
            }
            _ => format!("h'{}'", hex::encode(payload)),
        },
    }
}

/// The value as JSON: parsed where its format says what it is, text where it is text, else hexadecimal.
pub(crate) fn json(format: Option<ContentFormat>, payload: &[u8]) -> Json {
    match format {
        Some(ContentFormat::SENML_CBOR) => match senml::decode(payload) {
            Ok(records) => records.iter().map(json_record).collect(),
            Err(_) => json!({ "hex": hex::encode(payload) }),
        },
        Some(ContentFormat::JSON | ContentFormat::SENML_JSON) => match serde_json::from_slice(payload) {
            Ok(value) => value,
            Err(_) => text(payload),
        },
        Some(
            ContentFormat::CBOR
            | ContentFormat::CBOR_SEQ
            | ContentFormat::CORE_PUBSUB
            | ContentFormat::ACE_CBOR
            | ContentFormat::ACE_TRL_CBOR,
        ) => {
            json!({ "cbor": cbor(payload), "hex": hex::encode(payload) })
        }
        Some(ContentFormat::PROBLEM_DETAILS) => Json::String(display(format, payload)),
        _ => text(payload),
    }
}

fn text(payload: &[u8]) -> Json {
    match str::from_utf8(payload) {
        Ok(text) => Json::String(text.into()),
        Err(_) => json!({ "hex": hex::encode(payload) }),
    }
}

/// Diagnostic notation ([RFC 8949 section 8](https://www.rfc-editor.org/rfc/rfc8949#section-8)).
pub(crate) fn cbor(payload: &[u8]) -> String {
    let mut decoder = minicbor::Decoder::new(payload);
    let well_formed = std::iter::from_fn(|| (decoder.position() < payload.len()).then(|| decoder.skip()))
        .all(|item| item.is_ok());
    if well_formed { minicbor::display(payload).to_string() } else { format!("h'{}'", hex::encode(payload)) }
}

fn display_record(record: &senml::Record) -> String {
    let senml::Record { name, unit, value, sum, .. } = record;
    let value = match (value, sum) {
        (Some(senml::Value::Number(number)), _) | (None, Some(number)) => number.to_string(),
        (Some(senml::Value::Text(text)), _) => format!("{text:?}"),
        (Some(senml::Value::Boolean(yes)), _) => yes.to_string(),
        (Some(senml::Value::Data(bytes)), _) => format!("h'{}'", hex::encode(bytes)),
        (None, None) => String::new(),
    };
    let separator = if name.is_empty() { "" } else { " " };
    match unit {
        Some(unit) => format!("{name}{separator}{value} {}", unit_symbol(unit)),
        None => format!("{name}{separator}{value}"),
    }
}

/// How people write the units of RFC 8428 section 12.1 that have another sign on paper.
pub(crate) fn unit_symbol(unit: &str) -> &str {
    match unit {
        "Cel" => "°C",
        "%RH" | "%EL" => "%",
        "/" => "",
        other => other,
    }
}

fn json_record(record: &senml::Record) -> Json {
    let mut object = serde_json::Map::new();
    let mut put = |key: &str, value: Json| drop(object.insert(key.into(), value));
    put("n", json!(record.name));
    if let Some(unit) = &record.unit {
        put("u", json!(unit));
    }
    if let Some(time) = record.time {
        put("t", json!(time));
    }
    match &record.value {
        Some(senml::Value::Number(number)) => put("v", json!(number)),
        Some(senml::Value::Text(text)) => put("vs", json!(text)),
        Some(senml::Value::Boolean(yes)) => put("vb", json!(yes)),
        Some(senml::Value::Data(bytes)) => put("vd", json!(hex::encode(bytes))),
        None => {}
    }
    if let Some(sum) = record.sum {
        put("s", json!(sum));
    }
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_show_what_they_are() {
        let senml = senml::encode("dev:", 0.0, &[senml::Reading { name: "t", unit: "Cel", value: 21.5 }]);
        for (format, payload, shown) in [
            (Some(ContentFormat::TEXT), &b"21.5"[..], "21.5"),
            (None, b"\xff\x00", "h'ff00'"),
            (None, b"\x1b[2J", "h'1b5b324a'"),
            (Some(ContentFormat::CBOR), b"\xa1\x01\x82\x02\x41\x07", "{1: [2, h'07']}"),
            (Some(ContentFormat::CBOR), b"\x82\x01", "h'8201'"),
            (Some(ContentFormat::SENML_CBOR), &senml, "dev:t 21.5 °C"),
        ] {
            assert_eq!(display(format, payload), shown);
        }
        assert_eq!(json(Some(ContentFormat::JSON), b"{\"a\":1}"), json!({ "a": 1 }));
        assert_eq!(json(None, b"\xff"), json!({ "hex": "ff" }));
        assert_eq!(
            json(Some(ContentFormat::SENML_CBOR), &senml),
            json!([{ "n": "dev:t", "u": "Cel", "t": 0.0, "v": 21.5 }])
        );
    }
}

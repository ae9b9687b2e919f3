//! Content-Formats by name or number.

use sedge_client::ContentFormat;

/// The names that may be written on the command line, beside numbers.
const NAMES: [(&str, ContentFormat); 12] = [
    ("text", ContentFormat::TEXT),
    ("link-format", ContentFormat::LINK_FORMAT),
    ("xml", ContentFormat::XML),
    ("octet-stream", ContentFormat::OCTET_STREAM),
    ("exi", ContentFormat::EXI),
    ("json", ContentFormat::JSON),
    ("cbor", ContentFormat::CBOR),
    ("cbor-seq", ContentFormat::CBOR_SEQ),
    ("senml+json", ContentFormat::SENML_JSON),
    ("senml+cbor", ContentFormat::SENML_CBOR),
    ("problem-details", ContentFormat::PROBLEM_DETAILS),
    ("core-pubsub", ContentFormat::CORE_PUBSUB),
];

/// Reads a name or a number, for the argument parser.
pub(crate) fn parse(text: &str) -> Result<ContentFormat, String> {
    let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, format)| *format);
    named.or_else(|| text.parse().ok().map(ContentFormat)).ok_or_else(|| {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        format!("a Content-Format is a number from 0 to 65535, or one of {}", names.join(", "))
    })
}

/// The number, and the media type if it is known.
pub(crate) fn describe(format: ContentFormat) -> String {
    match format.media_type() {
        Some(media_type) => format!("{} {media_type}", format.0),
        None => format.0.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_names_and_numbers() {
        assert_eq!(parse("senml+cbor"), Ok(ContentFormat(112)));
        assert_eq!(parse("TEXT"), Ok(ContentFormat(0)));
        assert_eq!(parse("65000"), Ok(ContentFormat(65000)));
        assert!(parse("65536").is_err() && parse("yaml").unwrap_err().contains("senml+json"));
        assert_eq!(describe(ContentFormat(60)), "60 application/cbor");
    }
}

//! Readings in SenML-CBOR ([RFC 8428](https://www.rfc-editor.org/rfc/rfc8428)): writing a pack of numbers, and
//! reading any pack into resolved records.

use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

/// A resolved record (section 4.6): all base values are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) unit: Option<String>,
    /// Seconds since 1970, or relative to now if small (section 4.5.3).
    pub(crate) time: Option<f64>,
    pub(crate) value: Option<Value>,
    pub(crate) sum: Option<f64>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
    Boolean(bool),
    Data(Vec<u8>),
}

/// Labels of section 6, table 4.
mod label {
    pub(super) const BASE_VERSION: i32 = -1;
    pub(super) const BASE_NAME: i32 = -2;
    pub(super) const BASE_TIME: i32 = -3;
    pub(super) const BASE_UNIT: i32 = -4;
    pub(super) const BASE_VALUE: i32 = -5;
    pub(super) const BASE_SUM: i32 = -6;
    pub(super) const NAME: i32 = 0;
    pub(super) const UNIT: i32 = 1;
    pub(super) const VALUE: i32 = 2;
    pub(super) const TEXT: i32 = 3;
    pub(super) const BOOLEAN: i32 = 4;
    pub(super) const SUM: i32 = 5;
    pub(super) const TIME: i32 = 6;
    pub(super) const UPDATE_TIME: i32 = 7;
    pub(super) const DATA: i32 = 8;
}

/// Versions of SenML above this one mean something else by the same labels (section 4.4).
const VERSION: i64 = 10;

/// One measurement to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) value: f64,
}

/// Writes readings of one device at one time.
pub(crate) fn encode(base_name: &str, base_time: f64, readings: &[Reading<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    // Writing to a vector cannot fail.
    let _written = write(&mut encoder, base_name, base_time, readings);
    bytes
}

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn write(
    encoder: &mut Encoder<&mut Vec<u8>>,
    base_name: &str,
    base_time: f64,
    readings: &[Reading<'_>],
) -> Written {
    encoder.array(readings.len() as u64)?;
    for (index, reading) in readings.iter().enumerate() {
        encoder.map(if index == 0 { 5 } else { 3 })?;
        if index == 0 {
            encoder.i32(label::BASE_NAME)?.str(base_name)?;
            number(encoder.i32(label::BASE_TIME)?, base_time)?;
        }
        encoder.i32(label::NAME)?.str(reading.name)?;
        encoder.i32(label::UNIT)?.str(reading.unit)?;
        number(encoder.i32(label::VALUE)?, reading.value)?;
    }
    Ok(())
}

/// The shortest encoding that keeps the number: an integer, or a float of four or eight bytes.
fn number(encoder: &mut Encoder<&mut Vec<u8>>, value: f64) -> Written {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        encoder.i64(value as i64)?;
    } else if f64::from(value as f32) == value {
        encoder.f32(value as f32)?;
    } else {
        encoder.f64(value)?;
    }
    Ok(())
}

/// Reads a pack.
///
/// # Errors
/// It is no SenML-CBOR, or has a field that must be understood and is not (section 4.4).
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Record>, Error> {
    let mut decoder = Decoder::new(bytes);
    let mut base = Base::default();
    let mut records = Vec::new();
    let mut left = decoder.array()?;
    while more(&mut decoder, &mut left)? {
        records.extend(record(&mut decoder, &mut base)?);
    }
    if decoder.position() != bytes.len() {
        return Err(Error::message("bytes after the end"));
    }
    Ok(records)
}

#[derive(Default)]
struct Base {
    name: String,
    unit: Option<String>,
    time: Option<f64>,
    value: Option<f64>,
    sum: Option<f64>,
}

/// One map; `None` if it only sets base values.
fn record(decoder: &mut Decoder<'_>, base: &mut Base) -> Result<Option<Record>, Error> {
    let (mut name, mut unit, mut time, mut value, mut sum) = (None, None, None, None, None);
    let mut left = decoder.map()?;
    while more(decoder, &mut left)? {
        if decoder.datatype()? == Type::String {
            let label = decoder.str()?;
            if label.ends_with('_') {
                return Err(Error::message("a field that must be understood is not"));
            }
            decoder.skip()?;
            continue;
        }
        match decoder.i32()? {
            label::BASE_VERSION if decoder.i64()? > VERSION => {
                return Err(Error::message("a later version of SenML"));
            }
            label::BASE_VERSION => {}
            label::BASE_NAME => base.name = decoder.str()?.into(),
            label::BASE_TIME => base.time = Some(float(decoder)?),
            label::BASE_UNIT => base.unit = Some(decoder.str()?.into()),
            label::BASE_VALUE => base.value = Some(float(decoder)?),
            label::BASE_SUM => base.sum = Some(float(decoder)?),
            label::NAME => name = Some(decoder.str()?),
            label::UNIT => unit = Some(decoder.str()?.to_owned()),
            label::VALUE => value = Some(Value::Number(float(decoder)?)),
            label::TEXT => value = Some(Value::Text(decoder.str()?.into())),
            label::BOOLEAN => value = Some(Value::Boolean(decoder.bool()?)),
            label::DATA => value = Some(Value::Data(decoder.bytes()?.into())),
            label::SUM => sum = Some(float(decoder)?),
            label::TIME => time = Some(float(decoder)?),
            label::UPDATE_TIME => drop(float(decoder)?),
            _ => decoder.skip()?,
        }
    }
    let number = match value {
        Some(Value::Number(number)) => Some(Value::Number(number + base.value.unwrap_or(0.0))),
        Some(other) => Some(other),
        None => base.value.filter(|_| sum.is_none()).map(Value::Number),
    };
    let sum = sum.or(base.sum.map(|_| 0.0)).map(|sum| sum + base.sum.unwrap_or(0.0));
    if number.is_none() && sum.is_none() {
        return Ok(None);
    }
    let time = match (time, base.time) {
        (None, None) => None,
        (time, base) => Some(time.unwrap_or(0.0) + base.unwrap_or(0.0)),
    };
    let name = format!("{}{}", base.name, name.unwrap_or_default());
    Ok(Some(Record { name, unit: unit.or_else(|| base.unit.clone()), time, value: number, sum }))
}

/// Whether an array or map goes on; `left` counts down unless its length is indefinite.
fn more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Error> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => {
            decoder.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// A number of any kind that SenML allows, decimal fractions among them (tag 4).
fn float(decoder: &mut Decoder<'_>) -> Result<f64, Error> {
    match decoder.datatype()? {
        Type::F16 => decoder.f16().map(f64::from),
        Type::F32 => decoder.f32().map(f64::from),
        Type::F64 => decoder.f64(),
        Type::Tag => {
            if decoder.tag()?.as_u64() != 4 || decoder.array()? != Some(2) {
                return Err(Error::message("a number of a kind that is not understood"));
            }
            let (exponent, mantissa) = (decoder.i32()?, decoder.i64()?);
            Ok(mantissa as f64 * 10f64.powi(exponent))
        }
        _ => decoder.int().map(|integer| i128::from(integer) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::hex;

    /// RFC 8428 section 6, figure 1: the example of section 5.1.3 in CBOR.
    const RFC_EXAMPLE: &str = "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b0010\
        62236141200500\
        67766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a300676375\
        7272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e\
        74062102f93e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333\
        333333";

    #[test]
    fn the_rfcs_example_resolves_as_the_rfc_says() {
        let records = decode(&hex::decode(&RFC_EXAMPLE.replace(' ', "")).unwrap()).unwrap();
        assert_eq!(records.len(), 7);
        let expected = Record {
            name: "urn:dev:ow:10e2073a0108006:voltage".into(),
            unit: Some("V".into()),
            time: Some(1.276_020_076_001e9),
            value: Some(Value::Number(120.1)),
            sum: None,
        };
        assert_eq!(records[0], expected);
        let times = [-5.0, -4.0, -3.0, -2.0, -1.0, 0.0];
        for ((record, time), value) in records[1..].iter().zip(times).zip([1.2, 1.3, 1.4, 1.5, 1.6, 1.7]) {
            assert_eq!(record.name, "urn:dev:ow:10e2073a0108006:current");
            assert_eq!(record.unit.as_deref(), Some("A"));
            assert_eq!(record.time, Some(1.276_020_076_001e9 + time));
            assert_eq!(record.value, Some(Value::Number(value)));
        }
    }

    /// The records of section 5.1.4, in the encoding of the working group's repository.
    #[test]
    fn half_floats_and_changing_units_are_read() {
        let pack = "83a521781b75726e3a6465763a6f773a31306532303733613031303830303633221a4eaea188236325524802f94d00\
            0600a302fb40384e63c74fb54a01636c6f6e0600a302f95620016325454c061896";
        let records = decode(&hex::decode(&pack.replace(' ', "")).unwrap()).unwrap();
        let values: Vec<_> =
            records.iter().map(|r| (r.unit.clone().unwrap(), r.value.clone().unwrap())).collect();
        assert_eq!(values[0], ("%RH".into(), Value::Number(20.0)));
        assert_eq!(values[1], ("lon".into(), Value::Number(24.30621)));
        assert_eq!(values[2], ("%EL".into(), Value::Number(98.0)));
        assert_eq!(records[2].time, Some(1_320_067_614.0));
    }

    #[test]
    fn what_is_written_reads_back() {
        let readings = [
            Reading { name: "temperature", unit: "Cel", value: 21.5 },
            Reading { name: "humidity", unit: "%RH", value: 48.0 },
            Reading { name: "pressure", unit: "Pa", value: 101_325.1 },
        ];
        let bytes = encode("urn:dev:mac:0024befffe804ff1:", 1.795e9, &readings);
        let records = decode(&bytes).unwrap();
        for (record, reading) in records.iter().zip(&readings) {
            assert_eq!(record.name, format!("urn:dev:mac:0024befffe804ff1:{}", reading.name));
            assert_eq!(record.value, Some(Value::Number(reading.value)));
            assert_eq!(record.time, Some(1.795e9));
        }
    }

    #[test]
    fn kinds_of_values_sums_and_base_values() {
        // [{-2: "a", -5: 20, 3: "on"}, {4: true}, {8: h'00'}, {2: 1.5}, {5: 7}, {}, {6: 1}]
        let records =
            decode(&hex::decode("87a3216161241403626f6ea104f5a1084100a102f93e00a10507a0a10601").unwrap());
        let records = records.unwrap();
        assert_eq!(records[0].value, Some(Value::Text("on".into())));
        assert_eq!(records[1].value, Some(Value::Boolean(true)));
        assert_eq!(records[2].value, Some(Value::Data(vec![0])));
        assert_eq!(records[3].value, Some(Value::Number(21.5)));
        assert_eq!((records[4].value.clone(), records[4].sum), (None, Some(7.0)));
        assert_eq!(records[5].value, Some(Value::Number(20.0)));
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in ["", "80ff", "a0", "81a1635f615f01", "81a1200b", "81a102c48201", "81a1026161", "8102"] {
            assert!(decode(&hex::decode(wrong).unwrap()).is_err(), "{wrong}");
        }
        assert_eq!(
            decode(&hex::decode("9fbf02 01ffff".replace(' ', "").as_str()).unwrap()).unwrap().len(),
            1
        );
    }
}

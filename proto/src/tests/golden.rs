//! The bytes of every frame, on record: a change of the format shows here and must be meant.

use std::collections::{BTreeMap, BTreeSet};

use protox::prost_reflect::{DynamicMessage, Kind, Value};
use quorate_types::hex;

use super::{Format, samples, shapes};

/// Lines of `name hex`.
const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn every_frame_has_the_bytes_on_record() {
    let recorded: BTreeMap<_, _> = GOLDEN.lines().filter_map(|line| line.split_once(' ')).collect();
    let now: Vec<_> = samples::frames().iter().map(|(name, _, frame)| (*name, hex::encode(frame))).collect();
    let changed: Vec<_> = now
        .iter()
        .filter(|(name, bytes)| recorded.get(name) != Some(&bytes.as_str()))
        .map(|(name, bytes)| format!("{name} {bytes}"))
        .collect();
    assert!(
        changed.is_empty(),
        "the format has changed: nodes and logs in the field do not read it. If it is meant, raise the \
         version and record these lines in golden.txt:\n{}",
        changed.join("\n")
    );
    assert_eq!(recorded.len(), now.len(), "a recorded frame is no longer tested");
}

#[test]
fn every_recorded_frame_is_read_and_written_back() {
    for (name, format, frame) in samples::frames() {
        assert_eq!(format.reencode(frame.clone()), Ok(frame.clone()), "{name}");
    }
}

/// No field of any message, and no value of any enum, is without a frame on record that has it.
#[test]
fn every_field_of_the_format_is_on_record() {
    let pool = shapes::pool();
    let mut recorded = BTreeSet::new();
    for (_, format, frame) in samples::frames() {
        let name = match format {
            Format::Message => "Envelope",
            Format::Certificate => "CertificateFrame",
            Format::Hello => "Hello",
            Format::Batch => "TransactionBatch",
            Format::Request => "Request",
            Format::Response => "Response",
            Format::Log => "LogRecord",
        };
        let message =
            pool.get_message_by_name(&format!("quorate.p2p.v1.{name}")).expect("it is in the files");
        let message = DynamicMessage::decode(message, frame.clone()).expect("a sound frame");
        note(&Value::Message(message), &mut recorded);
    }
    let fields = pool.all_messages().flat_map(|it| it.fields().collect::<Vec<_>>());
    let values = pool.all_enums().flat_map(|it| it.values().collect::<Vec<_>>());
    let named = values.filter(|it| it.number() != 0).map(|it| it.full_name().to_owned());
    let all: BTreeSet<_> = fields.map(|it| it.full_name().to_owned()).chain(named).collect();
    assert!(!all.is_empty());
    assert_eq!(all.difference(&recorded).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Writes down the names of all that is set within a value.
fn note(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Message(message) => {
            for (field, value) in message.fields() {
                names.insert(field.full_name().to_owned());
                if let (Kind::Enum(kind), Value::EnumNumber(number)) = (field.kind(), value) {
                    names.extend(kind.get_value(*number).map(|it| it.full_name().to_owned()));
                }
                note(value, names);
            }
        }
        Value::List(values) => values.iter().for_each(|value| note(value, names)),
        _ => {}
    }
}

//! The counted lists are those of the `.proto` files: a list that nobody counts would be unbounded.

use protox::prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use crate::{frame::Frame, shape::Shape, wire};

pub(super) fn pool() -> DescriptorPool {
    // In the crate's folder, where cargo runs tests. A path that is compiled in may be that of another clone, which shares the
    // target folder.
    let files =
        protox::compile(["consensus.proto", "network.proto", "log.proto"], ["proto"]).expect("they compile");
    DescriptorPool::from_file_descriptor_set(files).expect("they are sound")
}

fn check(message: &MessageDescriptor, shape: &Shape) {
    let mut counted = 0;
    for field in message.fields() {
        let part = shape.0.iter().find(|part| part.tag == field.number());
        let inner = match field.kind() {
            Kind::Message(inner) => Some(inner),
            _ => None,
        };
        assert_eq!(part.is_some(), field.is_list() || inner.is_some(), "{}", field.full_name());
        let Some(part) = part else { continue };
        counted += 1;
        assert_eq!(part.name, field.name(), "{}", field.full_name());
        match inner {
            Some(inner) => check(&inner, part.inner),
            None => assert!(part.inner.0.is_empty(), "{} is no message", field.full_name()),
        }
    }
    assert_eq!(counted, shape.0.len(), "{} lacks a field that its shape counts", message.full_name());
}

fn check_frame<F: Frame>(pool: &DescriptorPool, name: &str) {
    let message = pool.get_message_by_name(&format!("quorate.p2p.v1.{name}")).expect("it is in the files");
    assert_eq!(message.get_field(1).expect("a first field").name(), "version");
    check(&message, &F::SHAPE);
}

#[test]
fn every_list_and_message_is_counted() {
    let pool = pool();
    check_frame::<wire::Envelope>(&pool, "Envelope");
    check_frame::<wire::CertificateFrame>(&pool, "CertificateFrame");
    check_frame::<wire::TransactionBatch>(&pool, "TransactionBatch");
    check_frame::<wire::Request>(&pool, "Request");
    check_frame::<wire::Response>(&pool, "Response");
    check_frame::<wire::LogRecord>(&pool, "LogRecord");
    check(&pool.get_message_by_name("quorate.p2p.v1.Hello").expect("it is in the files"), &Shape::FLAT);
}

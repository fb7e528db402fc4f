//! Every value comes back as it was.

use proptest::prelude::*;

use super::{generators, seeded};
use crate::{
    Hello, LogRecord, Request, Response, TransactionBatch, decode_certificate, decode_message,
    encode_certificate, encode_message,
};

proptest! {
    #![proptest_config(seeded(256))]

    #[test]
    fn messages(it in generators::message()) {
        prop_assert_eq!(decode_message(encode_message(&it)), Ok(it));
    }

    #[test]
    fn certificates(it in generators::commit()) {
        prop_assert_eq!(decode_certificate(encode_certificate(&it)), Ok(it));
    }

    #[test]
    fn hellos(it in generators::hello()) {
        prop_assert_eq!(Hello::decode(it.encode()), Ok(it));
    }

    #[test]
    fn batches(it in generators::batch()) {
        prop_assert_eq!(TransactionBatch::decode(it.encode()), Ok(it));
    }

    #[test]
    fn requests(it in generators::request()) {
        prop_assert_eq!(Request::decode(it.encode()), Ok(it));
    }

    #[test]
    fn responses(it in generators::response()) {
        prop_assert_eq!(Response::decode(it.encode()), Ok(it));
    }

    #[test]
    fn log_records(it in generators::log_record()) {
        prop_assert_eq!(LogRecord::decode(it.encode()), Ok(it));
    }
}

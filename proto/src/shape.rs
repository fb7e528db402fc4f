//! Counts the items of a frame's lists before anything is decoded.
//!
//! Two bytes on the wire can become a value of 300 in memory: a frame of 16 MiB that holds nothing but
//! empty items would grow into gigabytes. So lists are counted first, in place and without allocating for
//! their items. A field that holds a message counts as a list of one, since protobuf merges repetitions.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::{
    bounds::MAX_FRAME_ITEMS,
    error::{DecodeError, Problem, Within},
};

/// The fields of a message that are lists or messages. All others hold one value, however often they come.
#[derive(Debug)]
pub(crate) struct Shape(pub(crate) &'static [Part]);

/// One such field.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) tag: u32,
    pub(crate) name: &'static str,
    most: usize,
    pub(crate) inner: &'static Shape,
}

impl Shape {
    /// A message of single values.
    pub(crate) const FLAT: Self = Self(&[]);
}

impl Part {
    /// A field that holds one message.
    pub(crate) const fn one(tag: u32, name: &'static str, inner: &'static Shape) -> Self {
        Self { tag, name, most: 1, inner }
    }

    /// A list of at most `most` messages; of byte strings with [`Shape::FLAT`].
    pub(crate) const fn list(tag: u32, name: &'static str, most: usize, inner: &'static Shape) -> Self {
        Self { tag, name, most, inner }
    }

    /// Byte strings have no fields to look into.
    fn is_message(&self) -> bool {
        !self.inner.0.is_empty()
    }
}

impl Shape {
    /// Walks a frame and the messages in it.
    pub(crate) fn check(&self, frame: &[u8]) -> Result<(), DecodeError> {
        self.walk(frame, &mut 0)
    }

    /// `items` counts those of the whole frame.
    fn walk(&self, mut bytes: &[u8], items: &mut usize) -> Result<(), DecodeError> {
        let mut counts = vec![0_usize; self.0.len()];
        while !bytes.is_empty() {
            let (tag, value) = next_field(&mut bytes).map_err(|problem| problem.of(""))?;
            let Some(index) = self.0.iter().position(|part| part.tag == tag) else { continue };
            let part = &self.0[index];
            counts[index] += 1;
            *items += 1;
            check_count(counts[index], part.most).map_err(|problem| problem.of(part.name))?;
            check_count(*items, MAX_FRAME_ITEMS).map_err(|problem| problem.of(""))?;
            if part.is_message() {
                part.inner.walk(value, items).within(part.name)?;
            }
        }
        Ok(())
    }
}

fn check_count(got: usize, most: usize) -> Result<(), Problem> {
    if got > most { Err(Problem::TooMany { most }) } else { Ok(()) }
}

/// Takes one field off the front; its value is empty unless it is delimited by a length.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Result<(u32, &'a [u8]), Problem> {
    let malformed = |error: prost::DecodeError| Problem::Malformed(error.to_string());
    let (tag, wire_type) = decode_key(bytes).map_err(malformed)?;
    let length = match wire_type {
        WireType::Varint => {
            decode_varint(bytes).map_err(malformed)?;
            0
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => decode_varint(bytes).map_err(malformed)?,
        WireType::StartGroup | WireType::EndGroup => return Err(Problem::Malformed("a group".to_owned())),
    };
    let truncated = || Problem::Malformed("a field is longer than the frame".to_owned());
    let (value, rest) = usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(truncated)?;
    *bytes = rest;
    Ok((tag, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: Shape = Shape(&[Part::list(1, "items", 2, &Shape::FLAT)]);
    const OUTER: Shape = Shape(&[Part::one(3, "inner", &INNER)]);

    #[test]
    fn a_list_may_be_full_and_not_fuller() {
        assert_eq!(OUTER.check(&[0x1a, 4, 0x0a, 0, 0x0a, 0]), Ok(()));
        let error = OUTER.check(&[0x1a, 6, 0x0a, 0, 0x0a, 0, 0x0a, 0]).expect_err("three of two");
        assert_eq!(error.to_string(), "inner.items: more than 2 items");
    }

    #[test]
    fn a_message_that_comes_twice_would_be_merged_past_its_bounds() {
        let error = OUTER.check(&[0x1a, 0, 0x1a, 0]).expect_err("two of one");
        assert_eq!(error.to_string(), "inner: more than 1 items");
    }

    #[test]
    fn lengths_and_groups_are_not_believed() {
        for bad in
            [&[0x1a, 9, 0][..], &[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[0x1b]]
        {
            assert!(OUTER.check(bad).is_err(), "{bad:?}");
        }
    }
}

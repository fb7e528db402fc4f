//! Why a frame was refused: which field, and what is wrong with it.

/// A frame that is no message. Reads like `message.vote.block_hash: expected 32 bytes, got 31`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct DecodeError {
    /// The path of the field from the frame's own name downwards.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The bytes are not protobuf of this message.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A format that this node does not know.
    #[error("version {got} is unknown, this node knows version {known}; one of the two needs an upgrade")]
    UnknownVersion {
        /// The frame's.
        got: u32,
        /// This node's.
        known: u32,
    },
    /// A second encoding of a value: see the rules in `consensus.proto`.
    #[error("not canonical: a field is unknown, repeated, out of order or longer than it need be")]
    NotCanonical,
    /// A field that has no default is absent.
    #[error("missing")]
    Missing,
    /// Not as long as its kind of value is.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// The width of the value.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// A list of values of one width that ends amid a value.
    #[error("expected a multiple of {width} bytes, got {got}")]
    Fraction {
        /// The width of one value.
        width: usize,
        /// What came.
        got: usize,
    },
    /// More bytes than its bound.
    #[error("{got} bytes, at most {most} are allowed")]
    TooLong {
        /// What came.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// A list with more items than its bound. How many more is not counted.
    #[error("more than {most} items")]
    TooMany {
        /// The bound.
        most: usize,
    },
    /// A number outside its range, or an enum's value without a name.
    #[error("{got} is not in {least}..={most}")]
    OutOfRange {
        /// What came.
        got: i64,
        /// The lowest allowed.
        least: i64,
        /// The highest allowed.
        most: i64,
    },
    /// Each part is sound, but they do not fit each other.
    #[error("{0}")]
    Inconsistent(&'static str),
}

impl Problem {
    /// The problem as that of a field, or of the whole that is being read (`""`).
    pub(crate) fn of(self, field: &str) -> DecodeError {
        DecodeError { field: field.to_owned(), problem: self }
    }
}

/// Puts the name of the enclosing field before that of the inner one. A field without a name is the
/// enclosing one itself.
pub(crate) trait Within: Sized {
    fn within(self, outer: &str) -> Self;
}

impl<T> Within for Result<T, DecodeError> {
    fn within(self, outer: &str) -> Self {
        self.map_err(|DecodeError { field, problem }| {
            let field = if field.is_empty() { outer.to_owned() } else { format!("{outer}.{field}") };
            DecodeError { field, problem }
        })
    }
}

//! What the rest of the node sees of the replica.

use std::sync::Arc;

use quorate_types::{Height, ValidatorSet};

/// The height in flight and who votes on it.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) height: Height,
    pub(crate) validators: Arc<ValidatorSet>,
}

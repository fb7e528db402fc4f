//! An application with alloy: see `tests/`.

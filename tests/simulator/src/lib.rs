//! quorate-simulator

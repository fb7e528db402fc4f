//! quorate-proto

//! quorate-sync

//! quorate-txpool

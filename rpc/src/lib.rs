//! quorate-rpc

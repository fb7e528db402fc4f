//! quorate-p2p

//! quorate-execution

//! Stories over real node processes on loopback: what an operator and a wallet see.
//!
//! Every network here is made and run by the same commands that a person types: `testnet new|up|down`.

mod bad_input;
mod benching;
mod calling;
mod describing;
mod developing;
mod endurance;
mod faults;
mod fisco;
mod flood;
mod following;
mod grpc;
mod hostile;
mod limits;
mod pending;
mod power_cut;
mod reading;
mod sharing;
mod simulating;
mod state_tests;
mod stranger;
mod transactions;
mod validators;
mod verifying;
mod watching;

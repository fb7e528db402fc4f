//! Stories about catching up, with a chain in memory that real keys signed, and peers of all characters.

mod catching_up;
mod certificates;
mod chain;
mod limits;
mod one_behind;
mod random_peers;
mod world;

//! Directed schedules on whole clusters, each named after a row of the project's list of faults where it is one.

mod commits;
mod liars;
mod links;
mod members;
mod memory;
mod rest;
mod rows;
mod support;

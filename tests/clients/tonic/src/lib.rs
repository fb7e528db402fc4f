//! `quorate.v1` as tonic makes it.

tonic::include_proto!("quorate.v1");

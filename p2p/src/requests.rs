//! Requests and answers on the wire: each on a substream of its own.
//!
//! A request is one length-prefixed frame. An answer is two: an empty one and the response, or the
//! reason why there is none. The bytes inside are `quorate_proto`'s.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncWrite, SinkExt, StreamExt};
use libp2p::{
    StreamProtocol,
    request_response::{self, ProtocolSupport},
};
use quorate_proto::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use tokio_util::{
    codec::{FramedRead, FramedWrite, LengthDelimitedCodec},
    compat::{FuturesAsyncReadCompatExt, FuturesAsyncWriteCompatExt},
};

use crate::limits::{MAX_REASON_BYTES, MAX_REQUESTS_PER_PEER, REQUEST_TIMEOUT};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/quorate/fetch/1");

/// A response's bytes, or why there is none.
pub(crate) type Answer = Result<Bytes, String>;
pub(crate) type Behaviour = request_response::Behaviour<Codec>;

/// Frames requests and answers within their bounds.
#[derive(Clone, Default)]
pub(crate) struct Codec;

pub(crate) fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(REQUEST_TIMEOUT)
        // Ours and the peer's.
        .with_max_concurrent_streams(2 * MAX_REQUESTS_PER_PEER);
    Behaviour::new([(PROTOCOL, ProtocolSupport::Full)], config)
}

/// A codec for frames of at most `most` bytes, with four bytes of length before each.
pub(crate) fn frames(most: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(most).new_codec()
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        next(&mut FramedRead::new(io.compat(), frames(MAX_REQUEST_BYTES))).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut reader = FramedRead::new(io.compat(), frames(MAX_REASON_BYTES));
        let refusal = next(&mut reader).await?;
        if !refusal.is_empty() {
            return Ok(Err(String::from_utf8_lossy(&refusal).into_owned()));
        }
        reader.decoder_mut().set_max_frame_length(MAX_RESPONSE_BYTES);
        next(&mut reader).await.map(Ok)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        FramedWrite::new(io.compat_write(), frames(MAX_REQUEST_BYTES)).send(request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Answer) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let mut writer = FramedWrite::new(io.compat_write(), frames(MAX_RESPONSE_BYTES));
        match answer {
            Ok(response) => {
                writer.feed(Bytes::new()).await?;
                writer.send(response).await
            }
            Err(reason) => writer.send(reason_frame(&reason)).await,
        }
    }
}

/// A reason as a frame: cut to what the other side reads, and never empty, since that means yes.
pub(crate) fn reason_frame(reason: &str) -> Bytes {
    let reason = if reason.is_empty() { "refused" } else { reason };
    let end = reason.floor_char_boundary(MAX_REASON_BYTES);
    Bytes::copy_from_slice(&reason.as_bytes()[..end])
}

async fn next<R>(reader: &mut FramedRead<R, LengthDelimitedCodec>) -> io::Result<Bytes>
where
    R: tokio::io::AsyncRead + Unpin,
{
    match reader.next().await {
        Some(frame) => frame.map(bytes::BytesMut::freeze),
        None => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the stream without a word"))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;

    use super::*;

    async fn passed(answer: Answer) -> io::Result<Answer> {
        let mut wire = Cursor::new(Vec::new());
        Codec.write_response(&PROTOCOL, &mut wire, answer).await?;
        Codec.read_response(&PROTOCOL, &mut Cursor::new(wire.into_inner())).await
    }

    #[tokio::test]
    async fn an_answer_is_a_response_or_a_reason() {
        let response = Ok(Bytes::from_static(b"blocks"));
        assert_eq!(passed(response.clone()).await.expect("it passes"), response);
        let refusal = Err("busy".to_owned());
        assert_eq!(passed(refusal.clone()).await.expect("it passes"), refusal);
    }

    #[tokio::test]
    async fn frames_beyond_the_bound_do_not_pass() {
        let largest = Ok(Bytes::from(vec![1; MAX_RESPONSE_BYTES]));
        assert_eq!(passed(largest.clone()).await.expect("the bound itself passes"), largest);
        assert!(passed(Ok(Bytes::from(vec![1; MAX_RESPONSE_BYTES + 1]))).await.is_err());
        // A length that promises four gigabytes: refused at its head.
        let mut liar = Cursor::new([0xff; 16]);
        assert!(Codec.read_request(&PROTOCOL, &mut liar).await.is_err());
        assert!(Codec.read_response(&PROTOCOL, &mut Cursor::new([0xff; 16])).await.is_err());
    }

    #[test]
    fn reasons_are_cut_at_a_letter() {
        let frame = reason_frame(&"ü".repeat(MAX_REASON_BYTES));
        assert!(frame.len() <= MAX_REASON_BYTES && std::str::from_utf8(&frame).is_ok());
        assert!(!reason_frame("").is_empty());
    }
}

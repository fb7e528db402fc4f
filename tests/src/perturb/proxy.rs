//! Links that can be cut: every connection between two nodes goes through here.
//!
//! ```text
//! node a --dials--> listener (a, b) --> p2p port of node b
//!                   bytes a -> b wait for the flow (a, b), bytes b -> a for the flow (b, a)
//! ```
//! A cut link is a cable that was pulled, not a connection that was reset: nothing passes, nobody is told, and what
//! was held back arrives when the link heals, as TCP would see to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::topology::Links;

/// The most bytes of one read.
const CHUNK_BYTES: usize = 16 << 10;
/// Chunks on their way in one direction of one connection: at most 1 MiB. More waits in the sender's socket.
const CHUNKS_IN_FLIGHT: usize = 64;

/// How bytes go from one node to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flow {
    cut: bool,
    delay: Duration,
}

type Directed<T> = BTreeMap<(usize, usize), T>;

/// All links of a network. When it is dropped, the connections end.
pub(super) struct Proxies {
    flows: Directed<watch::Sender<Flow>>,
    ports: Directed<u16>,
    _listeners: JoinSet<()>,
}

impl Proxies {
    /// Listens for both sides of each pair; `p2p_port` says where a node itself listens.
    pub(super) async fn start(
        pairs: &BTreeSet<(usize, usize)>,
        p2p_port: impl Fn(usize) -> u16,
    ) -> io::Result<Self> {
        let both_ways = || pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        let flows: Directed<_> = both_ways().map(|way| (way, watch::Sender::new(Flow::default()))).collect();
        let (mut ports, mut listeners) = (Directed::new(), JoinSet::new());
        for (from, to) in both_ways() {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            ports.insert((from, to), listener.local_addr()?.port());
            let (there, back) = (flows[&(from, to)].subscribe(), flows[&(to, from)].subscribe());
            listeners.spawn(serve(listener, p2p_port(to), there, back));
        }
        Ok(Self { flows, ports, _listeners: listeners })
    }

    /// Whom a node dials, and where.
    pub(super) fn peers_of(&self, node: usize) -> impl Iterator<Item = (usize, u16)> {
        self.ports.iter().filter(move |((from, _), _)| *from == node).map(|((_, to), port)| (*to, *port))
    }

    pub(super) fn cut(&self, links: &[Links]) {
        self.change(links, |flow| flow.cut = true);
    }

    pub(super) fn heal(&self, links: &[Links]) {
        self.change(links, |flow| *flow = Flow::default());
    }

    pub(super) fn delay(&self, links: &[Links], by: Duration) {
        self.change(links, |flow| flow.delay = by);
    }

    /// Ends every cut and delay.
    pub(super) fn heal_all(&self) {
        self.flows.values().for_each(|flow| flow.send_modify(|flow| *flow = Flow::default()));
    }

    fn change(&self, links: &[Links], change: impl Fn(&mut Flow)) {
        let named = |&(from, to): &(usize, usize)| links.iter().any(|links| links.contain(from, to));
        self.flows.iter().filter(|(way, _)| named(way)).for_each(|(_, flow)| flow.send_modify(&change));
    }
}

/// Accepts for ever. The connections end with the listener's task.
async fn serve(listener: TcpListener, port: u16, there: watch::Receiver<Flow>, back: watch::Receiver<Flow>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors at the worst: the dialer comes again.
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(connect(stream, port, there.clone(), back.clone()));
            }
            Some(_) = connections.join_next() => (),
        }
    }
}

/// Carries one connection. It ends when either side does; a node that is down looks like one that hangs up.
async fn connect(
    dialer: TcpStream,
    port: u16,
    mut there: watch::Receiver<Flow>,
    back: watch::Receiver<Flow>,
) -> io::Result<()> {
    passable(&mut there).await;
    let listener = TcpStream::connect(("127.0.0.1", port)).await?;
    dialer.set_nodelay(true)?;
    listener.set_nodelay(true)?;
    let (dialer_read, dialer_write) = dialer.into_split();
    let (listener_read, listener_write) = listener.into_split();
    tokio::try_join!(pump(dialer_read, listener_write, there), pump(listener_read, dialer_write, back))?;
    Ok(())
}

/// Carries the bytes of one direction, and its end, by what its flow says at each moment.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    flow: watch::Receiver<Flow>,
) -> io::Result<()> {
    let (sender, mut in_flight) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let mut passing = flow.clone();
    let reading = async move {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            let due = Instant::now() + flow.borrow().delay;
            if sender.send((due, chunk)).await.is_err() || length == 0 {
                return io::Result::Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((due, chunk)) = in_flight.recv().await {
            sleep_until(due).await;
            passable(&mut passing).await;
            match chunk.is_empty() {
                true => to.shutdown().await?,
                false => to.write_all(&chunk).await?,
            }
        }
        io::Result::Ok(())
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

/// Returns while the link is not cut.
async fn passable(flow: &mut watch::Receiver<Flow>) {
    // The other end lives as long as the tasks that ask.
    let _ = flow.wait_for(|flow| !flow.cut).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// Node 0 is linked with an echo at node 1.
    async fn echo() -> (Proxies, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the proxy comes");
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.expect("an echo");
        });
        let proxies = Proxies::start(&BTreeSet::from([(0, 1)]), |_| port).await.expect("ports");
        let (_, entrance) = proxies.peers_of(0).next().expect("a neighbour");
        let stream = TcpStream::connect(("127.0.0.1", entrance)).await.expect("it listens");
        (proxies, stream)
    }

    async fn ask(stream: &mut TcpStream) -> [u8; 4] {
        let mut answer = [0; 4];
        stream.write_all(b"ping").await.expect("room");
        stream.read_exact(&mut answer).await.expect("an answer");
        answer
    }

    fn links(text: &str) -> Vec<Links> {
        vec![text.parse().expect("links")]
    }

    #[tokio::test]
    async fn a_cut_link_holds_everything_back_until_it_heals() {
        let (proxies, mut stream) = echo().await;
        assert_eq!(&ask(&mut stream).await, b"ping");
        for way in ["0-1", "0>1", "1>0"] {
            proxies.cut(&links(way));
            stream.write_all(b"late").await.expect("room in the socket");
            let mut answer = [0; 4];
            let silence = timeout(Duration::from_millis(200), stream.read_exact(&mut answer)).await;
            assert!(silence.is_err(), "{way} lets {answer:?} pass");
            proxies.heal(&links("0-1"));
            stream.read_exact(&mut answer).await.expect("what was held back");
            assert_eq!(&answer, b"late");
        }
    }

    #[tokio::test]
    async fn a_delayed_link_is_late_and_keeps_the_order() {
        let (proxies, mut stream) = echo().await;
        let by = Duration::from_millis(50);
        proxies.delay(&links("*"), by);
        let asked = Instant::now();
        assert_eq!(&ask(&mut stream).await, b"ping");
        assert!(asked.elapsed() >= 2 * by, "{:?}", asked.elapsed());
    }
}

//! A wire to a server that can be cut: what goes over it then is lost, and nobody is told, as when a network is.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Default)]
struct State {
    cuts: u64,
    cut: bool,
}

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
}

impl Wire {
    /// A wire to a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::default();
        let watched: watch::Receiver<State> = state.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, port, watched.clone()));
            }
        });
        Self { address, state }
    }

    /// From here on nothing arrives, on any connection that there is.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.cut = true;
        });
    }

    /// New connections are carried again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| state.cut = false);
    }
}

/// Carries a connection until the wire is cut; then it stays open, and silent.
async fn carry(mut near: TcpStream, port: u16, mut state: watch::Receiver<State>) {
    let State { cuts, cut } = *state.borrow();
    if !cut {
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = state.wait_for(|state| state.cuts != cuts) => {}
        }
        // The server knows nothing of it either.
        return silent(near, Some(far)).await;
    }
    silent(near, None).await;
}

async fn silent(_near: TcpStream, _far: Option<TcpStream>) {
    std::future::pending().await
}
